"""Where tokens come from, how seldom they are asked for, and what is said when there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import Cloud, assert_complains, images, policy
from tests.emulator.client import service_account
from tests.support.cloud import timer
from tests.support.key_forms import BROKEN_KEYS, KEY_FORMS, pem_of

EXCHANGE = "POST /iam/v1/tokens"
READY = "t1.ready-made-token-of-a-test"
NO_IMAGE_GONE = {"new", "old"}


@pytest.fixture
def account_cloud(cloud: Cloud) -> Cloud:
    """A cloud where every source of credentials works, and none is set yet."""
    account_id = cloud.account["id"]
    cloud.seed(
        {"name": "app", "policies": [policy()], "images": images("new", "old")},
        tokens=[{"token": READY, "service_account_id": account_id}],
        metadata_service={"service_account_id": account_id},
        secrets=[{"id": "e6qkey", "entries": {"note": "the cleaner's", "key": json.dumps(cloud.key)}}],
    )
    del cloud.environment["SA_KEY"]
    return cloud


def exchanges(cloud: Cloud) -> int:
    return cloud.emulator.call_counts().get(EXCHANGE, 0)


def metadata_address(cloud: Cloud) -> str:
    return urlsplit(cloud.emulator.url).netloc


def key_file(directory: Path, text: str | bytes) -> str:
    file = directory / "key.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


Source = Callable[[Cloud, Path], dict[str, Any]]

WORKING: dict[str, Source] = {
    "IAM_TOKEN": lambda cloud, directory: {"IAM_TOKEN": READY},
    "SA_KEY": lambda cloud, directory: {"SA_KEY": json.dumps(cloud.key)},
    "SA_KEY_FILE": lambda cloud, directory: {"SA_KEY_FILE": key_file(directory, json.dumps(cloud.key))},
    "SA_KEY_SECRET_ID": lambda cloud, directory: {
        "SA_KEY_SECRET_ID": "e6qkey",
        "YC_METADATA_ADDR": metadata_address(cloud),
    },
    "context.token": lambda cloud, directory: {"token": {"access_token": READY, "expires_in": 3600}},
    "the metadata service": lambda cloud, directory: {"YC_METADATA_ADDR": metadata_address(cloud)},
}
BROKEN: dict[str, Source] = {
    "IAM_TOKEN": lambda cloud, directory: {"IAM_TOKEN": "t1.no-such-token"},
    "SA_KEY": lambda cloud, directory: {"SA_KEY": "{}"},
    "SA_KEY_FILE": lambda cloud, directory: {"SA_KEY_FILE": str(directory / "missing.json")},
    "SA_KEY_SECRET_ID": lambda cloud, directory: {"SA_KEY_SECRET_ID": "e6qnone"},
    "context.token": lambda cloud, directory: {"token": {"access_token": "t1.no-such-token"}},
}
ORDER = list(WORKING)


@pytest.mark.parametrize("source", ORDER)
def test_the_first_credential_that_is_set_is_used(account_cloud: Cloud, source: str, tmp_path: Path) -> None:
    later = ORDER[ORDER.index(source) + 1 :]
    if source == "SA_KEY_SECRET_ID":
        later.remove("context.token")  # the secret itself is read with it
    settings: dict[str, Any] = {"YC_METADATA_ADDR": "127.0.0.1:9"}
    for name in reversed(later):
        if name in BROKEN:
            settings |= BROKEN[name](account_cloud, tmp_path)
    settings |= WORKING[source](account_cloud, tmp_path)

    report = account_cloud.clean(timer(), **settings)

    assert report["status"] == "ok", report["errors"]
    assert account_cloud.left() == {"new"}
    assert exchanges(account_cloud) == (1 if source.startswith("SA_KEY") else 0)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("IAM_TOKEN", "UNAUTHENTICATED"),
        ("SA_KEY", "SA_KEY"),
        ("SA_KEY_FILE", "missing.json"),
        ("SA_KEY_SECRET_ID", "SA_KEY_SECRET_ID"),
        ("context.token", "UNAUTHENTICATED"),
    ],
)
def test_a_credential_that_fails_is_an_error_and_the_next_is_not_tried(
    account_cloud: Cloud, source: str, named: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {}
    for name in reversed(ORDER[ORDER.index(source) + 1 :]):
        settings |= WORKING[name](account_cloud, tmp_path)
    settings |= BROKEN[source](account_cloud, tmp_path)

    report = account_cloud.clean(**settings)

    assert_complains(report, "failed", named)
    assert account_cloud.left() == NO_IMAGE_GONE
    assert exchanges(account_cloud) == 0


def test_without_any_credential_the_ways_to_give_one_are_named(account_cloud: Cloud) -> None:
    report = account_cloud.clean(YC_METADATA_ADDR="127.0.0.1:9")

    assert_complains(report, "failed", "SA_KEY_FILE", "SA_KEY_SECRET_ID", "IAM_TOKEN", "metadata")
    assert account_cloud.left() == NO_IMAGE_GONE
    assert account_cloud.emulator.calls() == []


def test_the_secret_is_read_with_the_functions_own_token(account_cloud: Cloud) -> None:
    report = account_cloud.clean(SA_KEY_SECRET_ID="e6qkey", token={"access_token": READY})

    assert report["status"] == "ok"
    assert account_cloud.left() == {"new"}
    assert exchanges(account_cloud) == 1


def test_a_secret_that_may_not_be_read_names_the_missing_role(account_cloud: Cloud) -> None:
    account_cloud.emulator.behaviour(faults=[{"match": "GET /lockbox/*", "status": 403, "code": 7}])

    report = account_cloud.clean(SA_KEY_SECRET_ID="e6qkey", token={"access_token": READY})

    assert_complains(report, "failed", "SA_KEY_SECRET_ID", "lockbox.payloadViewer")
    assert account_cloud.left() == NO_IMAGE_GONE


@pytest.mark.parametrize("entries", [0, 2])
def test_a_secret_that_does_not_hold_one_key_is_told(account_cloud: Cloud, entries: int) -> None:
    keys = {f"key{n}": json.dumps(account_cloud.key) for n in range(entries)}
    account_cloud.seed(
        {"name": "app", "policies": [policy()], "images": images("new", "old")},
        tokens=[{"token": READY, "service_account_id": account_cloud.account["id"]}],
        secrets=[{"id": "e6qkey", "entries": {"note": "the cleaner's", **keys}}],
    )

    report = account_cloud.clean(SA_KEY_SECRET_ID="e6qkey", token={"access_token": READY})

    assert_complains(report, "failed", "SA_KEY_SECRET_ID", f"{entries} entries")
    assert account_cloud.left() == NO_IMAGE_GONE


@pytest.mark.parametrize("name", ["with newlines escaped twice", "in Base64", "with a byte order mark"])
def test_a_key_of_a_variable_signs_in(account_cloud: Cloud, name: str) -> None:
    report = account_cloud.clean(SA_KEY=KEY_FORMS[name](account_cloud.key))

    assert report["status"] == "ok", report["errors"]
    assert account_cloud.left() == {"new"}


@pytest.mark.parametrize("form", KEY_FORMS.values(), ids=KEY_FORMS)
def test_a_key_is_read_in_each_of_its_forms(
    account_cloud: Cloud, form: Callable[[dict[str, str]], str], tmp_path: Path
) -> None:
    report = account_cloud.clean(SA_KEY_FILE=key_file(tmp_path, form(account_cloud.key)))

    assert report["status"] == "ok", report["errors"]
    assert account_cloud.left() == {"new"}


def test_a_key_of_4096_bits_signs_too(cloud: Cloud) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    cloud.account["keys"] = [{"id": "ajelong", "public_key": public.decode()}]
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    key = {**cloud.key, "id": "ajelong", "key_algorithm": "RSA_4096", "private_key": pem_of(private)}

    assert cloud.clean(SA_KEY=json.dumps(key))["status"] == "ok"
    assert cloud.left() == {"new"}


@pytest.mark.parametrize(("broken", "named"), BROKEN_KEYS.values(), ids=BROKEN_KEYS)
def test_a_broken_key_file_is_named_before_any_call(
    account_cloud: Cloud,
    broken: Callable[[dict[str, str]], str | bytes],
    named: list[str],
    tmp_path: Path,
) -> None:
    file = key_file(tmp_path, broken(account_cloud.key))

    report = account_cloud.clean(SA_KEY_FILE=file, token={"access_token": READY})

    assert_complains(report, "failed", "SA_KEY_FILE", *named)
    assert account_cloud.emulator.calls() == []
    assert account_cloud.left() == NO_IMAGE_GONE


@pytest.mark.parametrize("path", ["missing.json", "."])
def test_a_key_file_that_cannot_be_read_is_named(account_cloud: Cloud, path: str, tmp_path: Path) -> None:
    report = account_cloud.clean(SA_KEY_FILE=str(tmp_path / path), token={"access_token": READY})

    assert_complains(report, "failed", "SA_KEY_FILE", str(tmp_path / path))
    assert account_cloud.emulator.calls() == []
    assert account_cloud.left() == NO_IMAGE_GONE


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_clock_that_is_a_minute_off_is_no_trouble(account_cloud: Cloud, seconds: int) -> None:
    account_cloud.emulator.behaviour(clock_offset_seconds=seconds)

    assert account_cloud.clean(SA_KEY=json.dumps(account_cloud.key))["status"] == "ok"
    assert account_cloud.left() == {"new"}


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_hours_off_is_told_and_asked_about_once(account_cloud: Cloud, hours: int) -> None:
    account_cloud.emulator.behaviour(clock_offset_seconds=hours * 3600)

    report = account_cloud.clean(SA_KEY=json.dumps(account_cloud.key))

    assert_complains(report, "failed", account_cloud.key["id"], "clock")
    assert exchanges(account_cloud) == 1
    assert account_cloud.left() == NO_IMAGE_GONE


def test_a_key_that_is_another_accounts_is_told_and_asked_about_once(account_cloud: Cloud) -> None:
    foreign = {**account_cloud.key, "service_account_id": "ajesomebodyelse"}

    report = account_cloud.clean(SA_KEY=json.dumps(foreign))

    assert_complains(report, "failed", "ajesomebodyelse", account_cloud.key["id"])
    assert exchanges(account_cloud) == 1
    assert account_cloud.left() == NO_IMAGE_GONE


def test_a_key_that_was_deleted_is_told(account_cloud: Cloud) -> None:
    _, deleted = service_account("ajedeleted")

    report = account_cloud.clean(SA_KEY=json.dumps(deleted))

    assert_complains(report, "failed", "ajedeleted", deleted["id"])
    assert exchanges(account_cloud) == 1
    assert account_cloud.left() == NO_IMAGE_GONE


@pytest.mark.parametrize(("status", "code"), [(400, 3), (401, 16), (403, 7), (404, 5)])
def test_a_key_that_iam_refuses_is_offered_once_even_for_two_events(
    account_cloud: Cloud, status: int, code: int
) -> None:
    refusal = {"match": EXCHANGE, "status": status, "code": code, "message": "no such key here"}
    account_cloud.emulator.behaviour(faults=[refusal])

    reports = account_cloud.call(
        "cleanup", timer(), timer(), CLEANUP_MODE="apply", SA_KEY=json.dumps(account_cloud.key)
    ).results

    for report in reports:
        assert_complains(report, "failed", account_cloud.key["id"], "no such key here")
    assert exchanges(account_cloud) == 1
    assert account_cloud.left() == NO_IMAGE_GONE


def test_iam_that_stumbles_is_asked_again(account_cloud: Cloud) -> None:
    account_cloud.emulator.behaviour(
        faults=[
            {"match": EXCHANGE, "status": 503, "code": 14, "times": 1},
            {"match": EXCHANGE, "cut": "before", "times": 1},
            {"match": EXCHANGE, "html": 502, "times": 1},
        ]
    )

    assert account_cloud.clean(SA_KEY=json.dumps(account_cloud.key))["status"] == "ok"
    assert account_cloud.left() == {"new"}
    assert exchanges(account_cloud) == 4


def repositories(count: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"app{n}",
            "policies": [policy(f"p{n}")],
            "images": images(f"new{n}", f"old{n}", f"older{n}"),
        }
        for n in range(count)
    ]


def test_a_token_is_asked_for_once_by_many_threads_and_by_two_events_of_a_warm_process(cloud: Cloud) -> None:
    cloud.seed(*repositories(20))
    cloud.emulator.behaviour(latency_ms=5)

    reports = cloud.call("cleanup", timer(), timer(), CLEANUP_MODE="apply", CONCURRENCY="32").results

    assert [report["status"] for report in reports] == ["ok", "ok"]
    assert cloud.left() == {f"new{n}" for n in range(20)}
    assert exchanges(cloud) == 1


@pytest.mark.parametrize(
    "expired_at", ["GET */images", "POST */dryRunLifecyclePolicy/*", "DELETE */images/*"]
)
def test_a_token_that_ends_amid_the_run_is_renewed_once_for_all_threads(
    cloud: Cloud, expired_at: str
) -> None:
    cloud.seed(*repositories(12))
    cloud.emulator.behaviour(
        latency_ms=20, faults=[{"match": expired_at, "skip": 5, "times": 1, "expire_tokens": True}]
    )

    report = cloud.clean()

    assert (report["status"], report["totals"]["deleted"]) == ("ok", 24)
    assert cloud.left() == {f"new{n}" for n in range(12)}
    assert exchanges(cloud) == 2


def test_a_short_lived_token_is_renewed_before_it_expires(cloud: Cloud) -> None:
    cloud.seed(*repositories(5))
    cloud.emulator.behaviour(token_seconds=4, latency_ms=100)

    report = cloud.clean(CONCURRENCY="1")

    assert report["status"] == "ok"
    assert cloud.left() == {f"new{n}" for n in range(5)}
    assert exchanges(cloud) >= 2
    refused = [call["path"] for call in cloud.emulator.calls() if call["status"] == 401]
    assert set(refused) <= {"/v2/"}, "the registry says there how to sign in"


@pytest.mark.parametrize("token", ["t1.two\nlines", "t1.токен"], ids=["lines", "letters"])
def test_a_token_that_no_header_can_hold_is_named_and_not_tried_again(
    account_cloud: Cloud, token: str
) -> None:
    report = account_cloud.clean(IAM_TOKEN=token, timeout=8)

    assert_complains(report, "failed", "IAM_TOKEN")
    assert token not in json.dumps(report, ensure_ascii=False)
    assert account_cloud.left() == NO_IMAGE_GONE
