"""An authorized key in the forms in which it arrives, and damaged beyond repair."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def pem_of(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def camel_case(key: dict[str, str]) -> str:
    """The answer of the REST API's POST /iam/v1/keys."""
    return json.dumps(
        {
            "key": {
                "id": key["id"],
                "serviceAccountId": key["service_account_id"],
                "createdAt": key["created_at"],
                "keyAlgorithm": key["key_algorithm"],
                "publicKey": key["public_key"],
            },
            "privateKey": key["private_key"],
        }
    )


def without_preamble(key: dict[str, str]) -> str:
    pem = key["private_key"]
    return json.dumps({**key, "private_key": pem[pem.index("-----BEGIN") :]})


def with_pem(change: Callable[[str], str]) -> Callable[[dict[str, str]], str]:
    return lambda key: json.dumps({**key, "private_key": change(key["private_key"])})


def bare_pem(pem: str) -> str:
    return pem[pem.index("-----BEGIN") :]


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


KEY_FORMS: dict[str, Callable[[dict[str, str]], str]] = {
    "with newlines escaped twice": with_pem(lambda pem: pem.replace("\n", "\\n")),
    "with newlines escaped thrice": with_pem(lambda pem: pem.replace("\n", "\\\\n")),
    "with Windows line ends escaped twice": with_pem(lambda pem: pem.replace("\n", "\\r\\n")),
    "with newlines escaped twice, and one at its end": with_pem(lambda pem: pem.replace("\n", "\\n") + "\n"),
    "with spaces for newlines": with_pem(lambda pem: pem.replace("\n", " ")),
    "with spaces for newlines, without the line before": with_pem(
        lambda pem: bare_pem(pem).replace("\n", " ")
    ),
    "on one line": with_pem(lambda pem: bare_pem(pem).replace("\n", "")),
    "with indented lines": with_pem(lambda pem: pem.replace("\n", "\n    ")),
    "with a PEM in quotes": with_pem(lambda pem: f'"{bare_pem(pem)}"'),
    "with a PEM in Base64": with_pem(base64_of),
    "in single quotes": lambda key: f"'{json.dumps(key)}'",
    "in double quotes": lambda key: f'"{json.dumps(key)}"',
    "as JSON within JSON": lambda key: json.dumps(json.dumps(key)),
    "with escaped quotes": lambda key: json.dumps(json.dumps(key))[1:-1],
    "with real newlines within the text": lambda key: json.dumps(key).replace("\\n", "\n"),
    "laid out, with all newlines escaped": lambda key: json.dumps(key, indent=2).replace("\n", "\\n"),
    "in Base64": lambda key: base64_of(json.dumps(key)),
    "in Base64 on many lines": lambda key: base64.encodebytes(json.dumps(key).encode()).decode(),
    "as the command line writes it": json.dumps,
    "as the REST API answers": camel_case,
    "without the line before the PEM": without_preamble,
    "with a byte order mark": lambda key: "\ufeff" + json.dumps(key),
    "with Windows line ends": lambda key: (
        json.dumps(key, indent=2).replace("\n", "\r\n").replace("\\n", "\\r\\n")
    ),
}


BROKEN_KEYS: dict[str, tuple[Callable[[dict[str, str]], str | bytes], list[str]]] = {
    "not JSON": (lambda key: key["private_key"], ["JSON"]),
    "empty": (lambda key: "", ["SA_KEY_FILE"]),
    "a JSON list": (lambda key: "[]", ["object"]),
    "a hundred thousand brackets": (lambda key: "[" * 100_000, ["JSON"]),
    "not UTF-8": (lambda key: b"\xff\xfe", ["UTF-8"]),
    "without the private key": (lambda key: json.dumps({**key, "private_key": ""}), ["private_key"]),
    "without the account": (lambda key: json.dumps({"id": "a"}), ["service_account_id"]),
    "with a number for the id": (lambda key: json.dumps({**key, "id": 5}), ["id"]),
    "a PEM cut in half": (
        lambda key: json.dumps({**key, "private_key": key["private_key"][:900]}),
        ["private_key", "RSA"],
    ),
    "an elliptic curve": (
        lambda key: json.dumps({**key, "private_key": pem_of(ec.generate_private_key(ec.SECP256R1()))}),
        ["private_key", "RSA"],
    ),
    "1,024 bits": (
        lambda key: json.dumps(
            {**key, "private_key": pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024))}
        ),
        ["2048"],
    ),
    "the public key instead": (
        lambda key: json.dumps({**key, "private_key": key["public_key"]}),
        ["private_key", "RSA", "public key"],
    ),
    "with a password": (
        with_pem(lambda pem: pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        ["private_key", "password"],
    ),
    "with stars in its midst": (
        with_pem(lambda pem: pem[:300] + "****" + pem[304:]),
        ["private_key", "no Base64", "copy it whole"],
    ),
    "with a letter missing": (with_pem(lambda pem: pem[:300] + pem[301:]), ["private_key", "damaged"]),
    "without the line of its end": (
        with_pem(lambda pem: pem[: pem.index("-----END")]),
        ["private_key", "cut off", "before its last line"],
    ),
    "without the line of its beginning": (
        with_pem(lambda pem: bare_pem(pem).replace("-----BEGIN PRIVATE KEY-----", "")),
        ["private_key", "first line"],
    ),
    "the PEM alone": (lambda key: bare_pem(key["private_key"]), ["JSON", "private key alone"]),
}
