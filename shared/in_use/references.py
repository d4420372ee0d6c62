"""References to images, in every spelling, and matching them with the images of a registry. Pure.

``[host[:port]/]path[:tag][@digest]``: with a digest, the digest alone says what runs; without a tag it is
``latest`` (the reference grammar of the distribution project). The host is not compared, for a mirror serves the
same path. A tag that cannot be read, such as a variable in a template, stands for every tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from shared.records import Image, blob_key

ANY_TAG = "*"

_PART = r"[A-Za-z0-9]+(?:(?:\.|_{1,2}|-+)[A-Za-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_DIGEST = r"sha256:[0-9a-fA-F]{64}"
_END = re.compile(rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?")


class Reference(msgspec.Struct, frozen=True):
    """``path`` has no host; of ``tag`` and ``digest`` one is set, and ``tag`` is ``*`` when it cannot be read."""

    path: str
    tag: str = ""
    digest: str = ""


class Use(msgspec.Struct, frozen=True):
    """That something runs an image: what it is, how it names the image, and the digest that it was seen to run.

    A container runtime may tell the digest of the image's configuration instead of the manifest's.
    """

    where: str
    reference: str
    digest: str = ""


def parse(text: str) -> Reference | None:
    """The reference in ``text``, or None when there is none, as in a bare digest."""
    _, _, rest = text.strip().rpartition("://")
    if re.fullmatch(_DIGEST, rest):
        return None
    host, slash, path = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        path = rest
    found = _PATH.match(path)
    if not found:
        return None
    end = path[found.end() :]
    named = _END.fullmatch(end)
    if not named:
        return Reference(found[0], ANY_TAG)
    if named["digest"]:
        return Reference(found[0], digest=named["digest"].lower())
    return Reference(found[0], named["tag"] or "latest")


def scan(text: str, registry_ids: Iterable[str]) -> Iterator[str]:
    """Every reference to one of the registries in a text of any format, such as YAML, a script or a template."""
    ids = "|".join(map(re.escape, registry_ids))
    for found in re.finditer(rf"[\w.:/-]*\b(?:{ids})/[^\s\"'`,;<>()|\\\]}}]+", text.replace("\\/", "/")):
        yield found[0]


class _Path(msgspec.Struct):
    """Who uses a path: by tag, by a digest's key, or in a way that could mean any tag."""

    tags: dict[str, str] = {}
    digests: dict[int, str] = {}
    any_tag: str = ""


class Usage:
    """All uses, to be asked where an image is used. Holds each tag and digest once, with its first use."""

    def __init__(self, uses: Iterable[Use] = ()) -> None:
        self._paths: dict[str, _Path] = {}
        for use in uses:
            self.add(use)

    def add(self, use: Use) -> None:
        reference = parse(use.reference)
        if reference is None:
            return
        path = reference.path
        while path:  # a mirror may serve the registry below a path of its own
            self._add_path(path, reference, use)
            path = path.partition("/")[2]

    def _add_path(self, name: str, reference: Reference, use: Use) -> None:
        path = self._paths.setdefault(name, _Path())
        if reference.tag == ANY_TAG:
            path.any_tag = path.any_tag or use.where
        elif reference.tag:
            path.tags.setdefault(reference.tag, use.where)
        for digest in (reference.digest, use.digest):
            if digest:
                path.digests.setdefault(blob_key(digest), use.where)

    def where(self, full_name: str, image: Image) -> str | None:
        """What runs the image of the repository ``<registry id>/<name>``, if anything does."""
        path = self._paths.get(full_name)
        if path is None:
            return None
        by_digest = path.digests.get(blob_key(image.digest)) or path.digests.get(image.config)
        by_tag = next((path.tags[tag] for tag in image.tags if tag in path.tags), None)
        return by_digest or by_tag or (path.any_tag if image.tags else None) or None
