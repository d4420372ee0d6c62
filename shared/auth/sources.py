"""Where the first token comes from: the credentials that are set, in the contract's order.

A ready token; an authorized key in the environment, a file or Lockbox; the function's ``context.token``; the
metadata service. The last two are both ``{"access_token": ..., "expires_in": seconds, "token_type":
"Bearer"}``.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from shared.auth.authorized_key import is_key, read_key
from shared.auth.environment import Access
from shared.auth.service_account import exchange
from shared.auth.tokens import Bearer, Token, TokenKeeper
from shared.cloud.client import TOKEN, Cloud, part
from shared.cloud.connecting import NoAnswer
from shared.cloud.connections import Connections
from shared.errors import CallError, CredentialsError, SettingsError

METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


_warm: dict[str, TokenKeeper] = {}


def sign_in(cloud: Cloud, access: Access, context: object) -> None:
    """Gives ``cloud`` its tokens, from the first credential that is set, and gets the first one.

    Raises SettingsError for a key that cannot be read, CredentialsError for one that is refused.
    """
    name, source = _source(access, context)
    keeper = _warm.setdefault(
        hashlib.sha256(f"{cloud.endpoint} {name}".encode()).hexdigest(), TokenKeeper(source)
    )
    cloud.credentials = Bearer(keeper, cloud)
    cloud.credentials.token()


def _source(access: Access, context: object) -> tuple[str, Callable[[Cloud], Token]]:
    """The credential to use, by the contract's order: a text that tells it from others, and how to ask."""
    if access.iam_token:
        return f"IAM_TOKEN {access.iam_token}", lambda _cloud: Token(access.iam_token)
    if access.sa_key or access.sa_key_file:
        where = "SA_KEY" if access.sa_key else "SA_KEY_FILE"
        text = access.sa_key or _file(access.sa_key_file)
        return f"key {text}", lambda cloud: exchange(cloud, read_key(text, where))
    name, source = _ambient(access, context)
    if access.sa_key_secret_id:
        return f"lockbox {access.sa_key_secret_id} {name}", lambda cloud: _from_lockbox(cloud, access, source)
    return name, source


def _ambient(access: Access, context: object) -> tuple[str, Callable[[Cloud], Token]]:
    token = getattr(context, "token", None)
    if isinstance(token, dict) and token.get("access_token"):
        text, life = str(token["access_token"]), token.get("expires_in")
        expires_at = time.time() + life if isinstance(life, int | float) else float("inf")
        return f"context {text}", lambda _cloud: Token(text, expires_at)
    return f"metadata {access.metadata_address}", lambda _cloud: _from_metadata(access.metadata_address)


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingsError(
            f"SA_KEY_FILE names {path}, which is not UTF-8 text.", where="SA_KEY_FILE"
        ) from None
    except (OSError, ValueError) as error:
        if "{" in path:
            raise SettingsError(
                "SA_KEY_FILE holds a key, and not the path of its file; set SA_KEY to the key, or SA_KEY_FILE"
                " to the path.",
                where="SA_KEY_FILE",
            ) from None
        reason = getattr(error, "strerror", None) or "the path is not valid"
        raise SettingsError(
            f"SA_KEY_FILE names {path}, which cannot be read: {reason}; give the path of the file that"
            " yc iam key create writes.",
            where="SA_KEY_FILE",
        ) from None


class _Entry(msgspec.Struct, rename="camel"):
    key: str = ""
    text_value: str = ""


class _Payload(msgspec.Struct):
    entries: list[_Entry] = []


def _from_lockbox(cloud: Cloud, access: Access, ambient: Callable[[Cloud], Token]) -> Token:
    where = "SA_KEY_SECRET_ID"
    reader = Cloud(cloud.endpoint, cloud.pace)
    reader.credentials = Bearer(TokenKeeper(ambient), reader)
    path = f"/lockbox/v1/secrets/{part(access.sa_key_secret_id)}/payload"
    try:
        entries = reader.call("GET", "payload.lockbox", path, _Payload).entries
    except CallError as error:
        if error.retryable:
            raise
        raise CredentialsError(
            f"{where}: the secret cannot be read: {error.message} Give the function's service account"
            " lockbox.payloadViewer on it.",
            where=f"GET {path}",
        ) from None
    texts = [entry.text_value for entry in entries if is_key(entry.text_value)]
    if len(texts) != 1:
        raise SettingsError(
            f"{where}: the secret has {len(texts)} entries that hold a key; it must have one.", where=where
        )
    return exchange(cloud, read_key(texts[0], where))


def _from_metadata(address: str) -> Token:
    where = f"GET http://{address}{METADATA_PATH}"
    try:
        server = Connections(f"http://{address}", 1, direct=True)
        raw = server.send("GET", METADATA_PATH, None, {"Metadata-Flavor": "Google"}, 2, most=TOKEN)
        token = json.loads(raw.body) if raw.status == 200 and not raw.cut else {}
    except (NoAnswer, CallError, ValueError, RecursionError):
        token = {}
    if not isinstance(token, dict) or not token.get("access_token"):
        raise CredentialsError(
            "There are no credentials: none is set, and the metadata service gives no token. By hand, sign in"
            " with yc init; in a function, attach a service account to it; or set IAM_TOKEN, SA_KEY_FILE,"
            " SA_KEY or SA_KEY_SECRET_ID.",
            where=where,
        )
    life = token.get("expires_in")
    return Token(str(token["access_token"]), time.time() + (life if isinstance(life, int | float) else 3600))
