"""A service account's authorized key: the file that ``yc iam key create`` writes, or the REST API's answer.

On its way through variables, secrets and YAML a key is quoted, escaped, put on one line or into Base64.
Damage that can be undone without a doubt is undone; for any other an error names the fault. No error shows
any of the key.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import msgspec

from shared.errors import SettingsError

REMEDY = "give the file that yc iam key create writes"
NEW_KEY = "make a new key with yc iam key create"
LEAST_BITS = 2048
PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


class Key(msgspec.Struct, frozen=True):
    """``private_key`` is cryptography's RSAPrivateKey."""

    key_id: str
    service_account_id: str
    private_key: Any


def read_key(text: str, where: str) -> Key:
    """The key that ``text`` is. Raises SettingsError, which says that ``where`` holds something else."""
    document = _document(text.removeprefix("\ufeff").strip(), where)
    if "private_key" not in document and "privateKey" not in document and "secret" in document:
        raise SettingsError(
            f"{where} holds another kind of key, for an API or for Object Storage; {REMEDY}.", where=where
        )
    nested = document.get("key")
    named = nested if isinstance(nested, dict) else document
    key_id = _text(where, named, "id")
    service_account_id = _text(where, named, "service_account_id", "serviceAccountId")
    return Key(
        key_id, service_account_id, _private_key(_text(where, document, "private_key", "privateKey"), where)
    )


def is_key(text: str) -> bool:
    """Whether ``text`` is meant to be a key."""
    return "private" in text or "private" in _from_base64(text)


def _document(text: str, where: str) -> dict[str, Any]:
    for form in _forms(text):
        try:
            document = json.loads(form, strict=False)  # a line break within a text is no doubt
            if isinstance(document, str):
                document = json.loads(document, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            return document
        raise SettingsError(f"{where} is not a JSON object; {REMEDY}.", where=where)
    if "-----BEGIN" in text and "{" not in text:
        raise SettingsError(
            f"{where} is the private key alone, and not JSON; {REMEDY}, all of it.", where=where
        )
    is_path = where == "SA_KEY" and re.fullmatch(r"[\w./~-]{1,200}", text)
    remedy = "it looks like a path, and SA_KEY_FILE takes a path" if is_path else REMEDY
    raise SettingsError(f"{where} is not JSON; {remedy}.", where=where)


def _forms(text: str) -> list[str]:
    """``text``, and what it was before it was quoted, escaped or put into Base64."""
    bare = text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
    return [text, bare, re.sub(r"\\r?\\n|\\n", "\n", bare), f'"{bare}"', _from_base64(bare)]


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8-sig")
    except ValueError:
        return ""


def _text(where: str, document: dict[str, Any], *names: str) -> str:
    value = next((document[name] for name in names if name in document), None)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{where} has no {names[0]}; {NEW_KEY}.", where=where)
    return value


def _private_key(text: str, where: str) -> Any:
    # Imported here: a function with context.token never needs cryptography, half of the cold start.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem, fault = _pem(text if "-----BEGIN" in text else _from_base64(text) or text)
    if fault:
        raise SettingsError(f"The private_key of {where} {fault}.", where=where)
    try:
        private = load_pem_private_key(pem.encode(), password=None)
    except (
        Exception
    ):  # cryptography raises ValueError, TypeError and errors of its own; none may show the key
        raise SettingsError(
            f"The private_key of {where} is not an RSA key in PEM, or was damaged on its way: {REMEDY}, and"
            f" copy it whole. If that file fails too, {NEW_KEY}.",
            where=where,
        ) from None
    bits = private.key_size if isinstance(private, RSAPrivateKey) else 0
    if bits < LEAST_BITS:
        kind = f"an RSA key of {bits} bits" if bits else "not an RSA key"
        raise SettingsError(
            f"The private_key of {where} is {kind}; it must be RSA of {LEAST_BITS} bits or more: {NEW_KEY}.",
            where=where,
        )
    return private


def _pem(text: str) -> tuple[str, str]:
    """The PEM in ``text`` with its lines as they should be, and what is wrong with it, the rest of a
    sentence.
    """
    text = re.sub(r"\\+r", "", text)
    text = re.sub(r"\\+n", "\n", text)  # neither is in any PEM
    match = PEM.search(text)
    if not match:
        if "-----BEGIN" not in text:
            return "", f"has no first line of a key in PEM, so it is no RSA key in PEM; {REMEDY}"
        return (
            "",
            f"is an RSA key or the like that was cut off before its last line; {REMEDY}, all of it",
        )
    label, body = match[1], "".join(match[2].split())
    if "PUBLIC" in label:
        return "", f"is a public key, and not the private RSA key; {REMEDY}"
    if "ENCRYPTED" in label or "ENCRYPTED" in body:
        return "", f"is protected by a password; {REMEDY}, which has none"
    if not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", body):
        return (
            "",
            f"holds something that is no Base64, so the RSA key was damaged on its way; {REMEDY}, and copy it"
            " whole",
        )
    lines = "\n".join(body[place : place + 64] for place in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n", ""
