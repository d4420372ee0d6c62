"""RSA key pairs, and the authorized key file that the cloud gives out with one."""

import functools
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PREAMBLE = "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <{key_id}>\n"


@dataclass(frozen=True)
class KeyPair:
    """Both keys as PEM text."""

    public_key: str
    private_key: str


@functools.cache
def key_pair(name: str = "") -> KeyPair:
    """A new pair, made once a process for each name."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private_pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return KeyPair(public_pem.decode(), private_pem.decode())


def authorized_key(key_id: str, service_account_id: str, created_at: str, pair: KeyPair) -> dict[str, str]:
    """The document that `yc iam key create --output` writes."""
    return {
        "id": key_id,
        "service_account_id": service_account_id,
        "created_at": created_at,
        "key_algorithm": "RSA_2048",
        "public_key": pair.public_key,
        "private_key": PREAMBLE.format(key_id=key_id) + pair.private_key,
    }
