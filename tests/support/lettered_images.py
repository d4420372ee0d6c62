"""Small repositories told in letters: images, indexes and referrers with digests made from their names."""

from __future__ import annotations

from shared.retention.guards import Kept, close
from shared.retention.records import Candidate, Image, Manifest


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


def image(name: str, *tags: str, created_at: str = "2026-01-01T00:00:00Z") -> Image:
    return Image(name, digest(name), tags, created_at, 1, b"")


def tag_of(name: str, ending: str = "") -> str:
    """The tag by which something refers to the image."""
    return digest(name).replace(":", "-") + ending


def index(*names: str) -> Manifest:
    held = tuple(map(digest, names))
    return Manifest(held, platforms=held)


def about(name: str) -> Manifest:
    return Manifest(refers_to=digest(name))


def binding(**manifests: Manifest) -> dict[str, Manifest]:
    return {digest(name): manifest for name, manifest in manifests.items()}


def candidates(images: list[Image], names: str) -> dict[str, Candidate]:
    return {one.image_id: Candidate(one, ("policy old",)) for one in images if one.image_id in names.split()}


def stays_with(
    images: list[Image],
    taken: str,
    manifests: dict[str, Manifest],
    kept: str = "",
    *,
    index_children: bool = True,
    referrers: bool = True,
) -> dict[str, str]:
    """The guard of each candidate that is kept, by its name."""
    already = {name: Kept("in-use", "a pod") for name in kept.split()}
    found = close(
        images,
        candidates(images, taken),
        manifests,
        already,
        index_children=index_children,
        referrers=referrers,
    )
    return {name: one.guard for name, one in found.items()}


# --- close ---

PLATFORMS = [image("index", "v1"), image("amd"), image("arm")]
HELD = binding(index=index("amd", "arm"))
NESTED = [image("top", "v1"), image("middle"), image("leaf"), image("other")]
DEEP = binding(top=index("middle"), middle=index("leaf"))
SHARED = [image("new", "v2"), image("old", "v1"), image("both"), image("own")]
SHARING = binding(new=index("both"), old=index("both", "own"))
SIGNED = [
    image("app", "v1"),
    image("sig", tag_of("app", ".sig")),
    image("att", tag_of("app", ".att")),
    image("sbom", tag_of("app", ".sbom")),
    image("fallback", tag_of("app")),
    image("artifact"),
]
SIGNING = binding(fallback=index("artifact"), artifact=about("app"))
SIGNED_TWICE = [image("app", "v1"), image("sig", tag_of("app", ".sig")), image("stamp")]
STAMPED = binding(stamp=about("sig"))
INDEX_SIGNED = [*PLATFORMS, image("of_index", tag_of("index", ".sig")), image("of_arm")]
EACH_SIGNED = HELD | binding(of_arm=about("arm"))
