"""References to images, in every spelling, and matching them with the images of a registry. Pure.

``[host[:port]/]path[:tag][@digest]``: with a digest, the digest alone says what runs; without a tag it is
``latest`` (the reference grammar of the distribution project). The host is not compared, for a mirror serves
the same path, and of what runs by digest neither is the path. A tag that cannot be read, such as a variable
in a template, stands for every tag, and a path that cannot be read to its end for every path that begins so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from shared.retention.records import Image, blob_key

ANY_TAG = "*"
ANYWHERE = "*"

_PART = r"[A-Za-z0-9]+(?:(?:\.|_{1,2}|-+)[A-Za-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_DIGEST = r"(?i:sha256):[0-9a-fA-F]{64}"
_END = re.compile(rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?")


class Reference(msgspec.Struct, frozen=True):
    """``path`` has no host; of ``tag`` and ``digest`` one is set, and ``tag`` is ``*`` when it cannot be
    read.

    A path that cannot be read to its end is ``cut_off``.
    """

    path: str
    tag: str = ""
    digest: str = ""
    cut_off: bool = False


class Use(msgspec.Struct, frozen=True):
    """A workload that runs an image: its name, the reference it uses, and the digest it runs if known.

    A container runtime may report the digest of the image's configuration, not the manifest's. The first
    part of an ``alias`` may be another name of any registry.
    """

    where: str
    reference: str
    digest: str = ""
    alias: bool = False


def parse(text: str) -> Reference | None:
    """The reference in ``text``, or None when there is none, as in a bare digest."""
    _, _, rest = text.strip(" \t\r\n\"'").rpartition("://")
    if re.fullmatch(_DIGEST, rest):
        return None
    host, slash, path = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        path = rest
    match = _PATH.match(path)
    if not match:
        return None
    end = path[match.end() :]
    named = _END.fullmatch(end)
    if not named:
        slash = "/" if end.startswith("/") else ""
        return Reference(match[0] + slash, ANY_TAG, cut_off=not end.startswith((":", "@")))
    if named["digest"]:
        return Reference(match[0], digest=named["digest"].lower())
    return Reference(match[0], named["tag"] or "latest")


class _Path(msgspec.Struct):
    """Who uses a path: by tag, or in a way that could mean any tag."""

    tags: dict[str, str] = {}
    any_tag: str = ""


class Usage:
    """All uses, to be asked where an image is used. Holds each tag and digest once, with its first use."""

    def __init__(self, uses: Iterable[Use] = ()) -> None:
        self._paths: dict[str, _Path] = {}
        self._beginnings: dict[str, str] = {}
        self._digests: dict[int, str] = {}
        for use in uses:
            self.add(use)

    def add(self, use: Use) -> None:
        reference = parse(use.reference)
        for digest in (reference.digest if reference else "", use.digest):
            if digest:
                self._digests.setdefault(blob_key(digest), use.where)
        if reference is None or reference.digest:
            return
        for path in _paths(reference.path, use.alias):
            self._add_path(path, reference, use.where)

    def _add_path(self, name: str, reference: Reference, where: str) -> None:
        if reference.cut_off and "/" in name:
            self._beginnings.setdefault(name, where)
        path = self._paths.setdefault(name, _Path())
        if reference.tag == ANY_TAG:
            path.any_tag = path.any_tag or where
        else:
            path.tags.setdefault(reference.tag, where)

    def where(self, full_name: str, image: Image) -> str | None:
        """What runs the image of the repository ``<registry id>/<name>``, if anything does."""
        by_digest = self._digests.get(blob_key(image.digest)) or self._digests.get(image.config)
        if by_digest or not image.tags:
            return by_digest
        names = (full_name, f"{ANYWHERE}/{full_name.partition('/')[2]}")
        paths = [path for path in map(self._paths.get, names) if path]
        by_tag = next((path.tags[tag] for path in paths for tag in image.tags if tag in path.tags), None)
        any_tag = next((path.any_tag for path in paths if path.any_tag), None)
        return by_tag or any_tag or self._begun(names)

    def _begun(self, names: tuple[str, ...]) -> str | None:
        return next(
            (
                where
                for begun, where in self._beginnings.items()
                if names[0].startswith(begun) or names[1].startswith(begun)
            ),
            None,
        )


def _paths(path: str, alias: bool) -> Iterator[str]:
    """The path, and what is below each of its parts: a mirror may serve the registry below a path of its
    own.
    """
    if alias:
        yield f"{ANYWHERE}/{path.partition('/')[2]}"
    while path:
        yield path
        path = path.partition("/")[2]
