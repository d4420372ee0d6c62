"""What only the environment says: credentials, endpoints, the log level."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from shared.auth.standard_webhooks import signing_key
from shared.cloud import address
from shared.errors import SettingsError, short

LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")

VARIABLES = (
    *(
        "SA_KEY",
        "SA_KEY_FILE",
        "SA_KEY_SECRET_ID",
        "IAM_TOKEN",
        "WEBHOOK_SECRET",
        "JANITOR_CONFIG",
        "LOG_LEVEL",
    ),
    *(
        "YC_API_ENDPOINT",
        "YC_REGISTRY_ENDPOINT",
        "YC_CLOUD_REGISTRY_ENDPOINT",
        "YC_STORAGE_ENDPOINT",
        "YC_METADATA_ADDR",
    ),
)


OAUTH = re.compile(r"y[0-3]_[\w.~+/-]+|AQAA[\w.~+/-]+", re.ASCII)


class Access(msgspec.Struct, frozen=True):
    """Never part of a report."""

    sa_key: str = ""
    sa_key_file: str = ""
    sa_key_secret_id: str = ""
    iam_token: str = ""
    webhook_key: bytes = b""
    api_endpoint: str = ""
    registry_endpoint: str = ""
    cloud_registry_endpoint: str = ""
    storage_endpoint: str = ""
    metadata_address: str = "169.254.169.254"
    log_level: str = "INFO"


def read_access(environment: Mapping[str, str]) -> Access:
    """Credentials, endpoints and log level. Raises SettingsError."""

    def text(name: str) -> str:
        return environment.get(name, "").strip()

    level = text("LOG_LEVEL").upper() or "INFO"
    if level not in LOG_LEVELS:
        raise SettingsError(
            f"LOG_LEVEL is {short(text('LOG_LEVEL'))}; give one of {', '.join(LOG_LEVELS)}.",
            where="LOG_LEVEL",
        )
    address = text("YC_METADATA_ADDR") or Access().metadata_address
    if not re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?", address):
        raise SettingsError(
            f"YC_METADATA_ADDR is {short(address)}; give a host, or host:port.", where="YC_METADATA_ADDR"
        )
    token = text("IAM_TOKEN")
    if OAUTH.fullmatch(token):
        raise SettingsError(
            "IAM_TOKEN holds an OAuth token, which is not an IAM token; set it to what yc iam create-token"
            " prints.",
            where="IAM_TOKEN",
        )
    if not re.fullmatch(r"[!-~]*", token) or "{" in token:
        raise SettingsError("IAM_TOKEN is no token; give what yc iam create-token prints.", where="IAM_TOKEN")
    return Access(
        sa_key=text("SA_KEY"),
        sa_key_file=text("SA_KEY_FILE"),
        sa_key_secret_id=text("SA_KEY_SECRET_ID"),
        iam_token=token,
        webhook_key=_webhook_key(text("WEBHOOK_SECRET")),
        api_endpoint=_url(environment, "YC_API_ENDPOINT"),
        registry_endpoint=_url(environment, "YC_REGISTRY_ENDPOINT"),
        cloud_registry_endpoint=_url(environment, "YC_CLOUD_REGISTRY_ENDPOINT"),
        storage_endpoint=_url(environment, "YC_STORAGE_ENDPOINT"),
        metadata_address=address,
        log_level=level,
    )


def _webhook_key(secret: str) -> bytes:
    """The bytes of a Standard Webhooks secret with its prefix, 24 to 64 of them."""
    if not secret:
        return b""
    key = signing_key(secret) or b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise SettingsError(
            "WEBHOOK_SECRET is no secret of Standard Webhooks; give whsec_ and the Base64 of 24 to 64 random"
            ' bytes, as in "whsec_$(openssl rand -base64 32)".',
            where="WEBHOOK_SECRET",
        )
    return key


def _url(environment: Mapping[str, str], name: str) -> str:
    url = environment.get(name, "").strip().rstrip("/")
    if url and not is_base_url(url):
        raise SettingsError(
            f"{name} is not a base URL; give one such as https://api.example.net.", where=name
        )
    return url


def is_base_url(url: str) -> bool:
    """Whether paths can be put behind ``url``."""
    try:
        return not address.read(url).query and "?" not in url
    except ValueError:
        return False
