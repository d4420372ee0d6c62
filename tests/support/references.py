"""What the tests of references and of their search share: images, and what a text names."""

from __future__ import annotations

from shared.cloud.workloads.search import search
from shared.retention.records import Image, blob_key

HEX = "0123456789abcdef" * 4
DIGEST, OTHER = f"sha256:{HEX}", "sha256:" + "f" * 64


def image(digest: str = DIGEST, *tags: str, config: str = "") -> Image:
    return Image("img1", digest, tags, "", 1, b"", blob_key(config) if config else 0)


def named(text: str) -> set[str]:
    """What the text names: references, digests, and as ``*/...`` what may be of any registry."""
    uses = search([("vm", text)], ["crp1", "crp2"])
    return {
        use.digest or (f"*/{use.reference.partition('/')[2]}" if use.alias else use.reference) for use in uses
    }
