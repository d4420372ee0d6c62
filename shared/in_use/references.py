"""References to images, in every spelling, and matching them with the images of a registry. Pure.

``[host[:port]/]path[:tag][@digest]``: with a digest, the digest alone says what runs; without a tag it is
``latest`` (the reference grammar of the distribution project). The host is not compared, for a mirror serves the
same path. A tag that cannot be read, such as a variable in a template, stands for every tag, and a path that cannot
be read to its end for every path that begins so.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator

import msgspec

from shared.records import Image, blob_key

ANY_TAG = "*"
LONGEST_HOST = 1000

_PART = r"[A-Za-z0-9]+(?:(?:\.|_{1,2}|-+)[A-Za-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_DIGEST = r"sha256:[0-9a-fA-F]{64}"
_BEFORE = f"{string.ascii_letters}{string.digits}_.:/-"
_REST = r"/[^\s\"'`,;<>()|\\\]}]*"
_END = re.compile(rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?")


class Reference(msgspec.Struct, frozen=True):
    """``path`` has no host; of ``tag`` and ``digest`` one is set, and ``tag`` is ``*`` when it cannot be read.

    A path that cannot be read to its end is ``cut_off``.
    """

    path: str
    tag: str = ""
    digest: str = ""
    cut_off: bool = False


class Use(msgspec.Struct, frozen=True):
    """That something runs an image: what it is, how it names the image, and the digest that it was seen to run.

    A container runtime may tell the digest of the image's configuration instead of the manifest's.
    """

    where: str
    reference: str
    digest: str = ""


def parse(text: str) -> Reference | None:
    """The reference in ``text``, or None when there is none, as in a bare digest."""
    _, _, rest = text.strip(" \t\r\n\"'").rpartition("://")
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
        slash = "/" if end.startswith("/") else ""
        return Reference(found[0] + slash, ANY_TAG, cut_off=not end.startswith((":", "@")))
    if named["digest"]:
        return Reference(found[0], digest=named["digest"].lower())
    return Reference(found[0], named["tag"] or "latest")


def scan(text: str, registry_ids: Iterable[str]) -> Iterator[str]:
    """Every reference to one of the registries in a text of any format, such as YAML, a script or a template.

    A registry without a repository, as in ``REGISTRY=cr.yandex/crp1``, stands for all that is in it.
    """
    ids = "|".join(map(re.escape, registry_ids))
    text = text.replace("\\/", "/")
    for found in re.finditer(rf"(?<!\w)(?:{ids})(?:{_REST}|(?![\w/-]))", text):
        before = text[max(0, found.start() - LONGEST_HOST) : found.start()]
        before = before[len(before.rstrip(_BEFORE)) :]
        if "/" in found[0]:
            yield before + found[0]
        elif len(before) > 1 and before.endswith("/"):
            yield f"{before}{found[0]}/"


class _Path(msgspec.Struct):
    """Who uses a path: by tag, by a digest's key, or in a way that could mean any tag."""

    tags: dict[str, str] = {}
    digests: dict[int, str] = {}
    any_tag: str = ""


class Usage:
    """All uses, to be asked where an image is used. Holds each tag and digest once, with its first use."""

    def __init__(self, uses: Iterable[Use] = ()) -> None:
        self._paths: dict[str, _Path] = {}
        self._beginnings: dict[str, str] = {}
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
        if reference.cut_off and "/" in name:
            self._beginnings.setdefault(name, use.where)
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
        path = self._paths.get(full_name) or _Path()
        by_digest = path.digests.get(blob_key(image.digest)) or path.digests.get(image.config)
        by_tag = next((path.tags[tag] for tag in image.tags if tag in path.tags), None)
        return by_digest or by_tag or (self._any_tag(full_name, path) if image.tags else None)

    def _any_tag(self, full_name: str, path: _Path) -> str | None:
        cut_off = (where for begun, where in self._beginnings.items() if full_name.startswith(begun))
        return path.any_tag or next(cut_off, None)
