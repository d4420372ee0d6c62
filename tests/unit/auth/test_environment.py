"""What only the environment says: credentials, endpoints, the log level; and how what is wrong is refused."""

from __future__ import annotations

import base64

import pytest

from shared.auth.environment import Access, is_base_url, read_access
from shared.errors import SettingsError

SECRET = b"s" * 32

TAKEN = {
    "nothing": ({}, Access()),
    "white space around": ({"IAM_TOKEN": " t1.x \n"}, Access(iam_token="t1.x")),
    "a level in small letters": ({"LOG_LEVEL": "debug"}, Access(log_level="DEBUG")),
    "an address with a port": ({"YC_METADATA_ADDR": "[::1]:80"}, Access(metadata_address="[::1]:80")),
    "an endpoint with a slash": ({"YC_API_ENDPOINT": "https://a.b/"}, Access(api_endpoint="https://a.b")),
    "a secret": (
        {"WEBHOOK_SECRET": f"whsec_{base64.b64encode(SECRET).decode()}"},
        Access(webhook_key=SECRET),
    ),
}
REFUSED = {
    "an unknown level": {"LOG_LEVEL": "LOUD"},
    "a metadata address with a path": {"YC_METADATA_ADDR": "a/b"},
    "a token of two words": {"IAM_TOKEN": "t1 x"},
    "an endpoint that is none": {"YC_API_ENDPOINT": "a.b"},
    "an endpoint with a query": {"YC_REGISTRY_ENDPOINT": "https://a.b?c"},
    "a secret without its prefix": {"WEBHOOK_SECRET": base64.b64encode(SECRET).decode()},
    "a short secret": {"WEBHOOK_SECRET": f"whsec_{base64.b64encode(b's' * 23).decode()}"},
    "a long secret": {"WEBHOOK_SECRET": f"whsec_{base64.b64encode(b's' * 65).decode()}"},
}


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_taken(name: str) -> None:
    environment, access = TAKEN[name]
    assert read_access(environment) == access


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_the_name_of_the_variable_and_without_a_secret(name: str) -> None:
    ((variable, text),) = REFUSED[name].items()
    with pytest.raises(SettingsError, match=variable) as refused:
        read_access(REFUSED[name])
    assert refused.value.where == variable
    assert "SECRET" not in variable or text not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "good"), [("https://a", True), ("https://a/b", True), ("https://a?", False), ("a", False)]
)
def test_paths_can_be_put_behind_a_base_url(url: str, good: bool) -> None:
    assert is_base_url(url) is good
