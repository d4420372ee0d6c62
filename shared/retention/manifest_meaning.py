"""What a manifest's bytes say of other images: pure, and strict, for on it hangs what may be deleted.

An image manifest has ``config`` and ``layers``, which are blobs and no images; an index has ``manifests:
[{digest, mediaType, ...}]``; either may have a ``subject: {digest}`` that it refers to (OCI image
specification 1.1; Docker's are alike). Registries store whatever they are given and read it as Go does:
``Manifests`` counts as ``manifests``, and of two keys the last. So a document counts as understood only if it
can be read in one way. Of any other every digest that it mentions, wherever and however written, is something
that it may need.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from shared.retention.records import PLAIN, Image, Manifest

EDITION = 1
"""What was learnt by another edition is not believed: raise it whenever a manifest is read differently."""
DIGEST = re.compile(r"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.oci.artifact.manifest.v1+json",
)
BLOBS = (
    "application/vnd.oci.image.layer.",
    "application/vnd.oci.image.config.",
    "application/vnd.oci.empty.",
    "application/vnd.docker.image.rootfs.",
    "application/vnd.docker.container.image.",
    "application/vnd.docker.plugin.",
    "application/vnd.buildkit.cacheconfig.",
    "application/vnd.cncf.helm.",
    "application/vnd.in-toto",
    "application/octet-stream",
)
PACKED = ("+gzip", "+zstd", ".gzip", ".tar")
KEYS = ("manifests", "subject", "mediaType", "digest", "config", "layers", "artifactType", "schemaVersion")

_MENTION = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.IGNORECASE | re.ASCII)


class _Unclear(Exception):
    """Why a document is not understood."""


class _Object(list[tuple[str, Any]]):
    """A JSON object with all of its pairs: a dict would keep the last of a key's values alone."""


def read(body: bytes) -> Manifest:
    """What the manifest says; ``unclear`` where the bytes leave a doubt."""
    try:
        document = json.loads(
            body.decode(), object_pairs_hook=_Object, parse_int=float, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else "it is not JSON"
        return _protective(reason, _of_bytes(body))
    try:
        return _understood(document)
    except _Unclear as error:
        return _protective(str(error), _mentions(_strings(document)))


def _understood(document: Any) -> Manifest:
    """The meaning of a parsed document. Raises _Unclear."""
    fields = _fields(document, "it")
    entries: list[tuple[str, str]] = []
    subject = fields.get("subject")
    refers_to = _descriptor(subject, "its subject")[0] if subject is not None else ""
    if "manifests" in fields:
        listed = fields["manifests"]
        if not isinstance(listed, list) or isinstance(listed, _Object):
            raise _Unclear("its manifests are no list")
        entries = [_descriptor(entry, f"its entry {number}") for number, entry in enumerate(listed, 1)]
    elif _type(fields.get("mediaType")) in INDEXES:
        raise _Unclear("it says that it is an index, and lists no manifests")
    elif not isinstance(fields.get("config"), _Object) and not isinstance(fields.get("layers"), list):
        known = ("config", "layers", "blobs", "subject", "annotations")
        if _mentions(_strings([pair for pair in document if pair[0] not in known])):
            raise _Unclear("it is of an unknown form, and mentions digests")
    return _manifest(entries, refers_to)


def _fields(value: Any, what: str) -> dict[str, Any]:
    """Those fields of an object that matter. Raises _Unclear when one can be read in two ways."""
    if not isinstance(value, _Object):
        raise _Unclear(f"{what} is no JSON object")
    names = {key.casefold(): key for key in KEYS}
    fields: dict[str, Any] = {}
    for written, content in value:
        key = names.get(written.casefold())
        if key is None:
            continue
        if key in fields:
            raise _Unclear(f"{what} has {key} twice")
        if key != written:
            raise _Unclear(f"{what} has {key} in another spelling")
        fields[key] = content
    if "mediaType" in fields and not isinstance(fields["mediaType"], str):
        raise _Unclear(f"{what} has a mediaType that is no text")
    return fields


def _descriptor(value: Any, what: str) -> tuple[str, str]:
    """Digest and media type, "" when there is none."""
    fields = _fields(value, what)
    digest = fields.get("digest")
    if digest is None:
        raise _Unclear(f"{what} has no digest")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise _Unclear(f"{what} has a digest that is none")
    return digest, fields.get("mediaType", "")


def _manifest(entries: list[tuple[str, str]], refers_to: str) -> Manifest:
    if not entries and not refers_to:
        return PLAIN
    typed = [(digest, _type(media_type)) for digest, media_type in entries]
    return Manifest(
        holds=_distinct(digest for digest, _ in typed),
        nested=_distinct(digest for digest, kind in typed if kind not in IMAGES and not _is_blob(kind)),
        refers_to=refers_to,
        platforms=_distinct(digest for digest, kind in typed if kind in ("", *IMAGES, *INDEXES)),
    )


def _protective(reason: str, mentioned: tuple[str, ...]) -> Manifest:
    return Manifest(holds=mentioned, nested=mentioned, unclear=reason)


def _type(media_type: Any) -> str:
    return media_type.partition(";")[0].strip().lower() if isinstance(media_type, str) else ""


def _is_blob(kind: str) -> bool:
    return kind.startswith(BLOBS) or kind.endswith(PACKED)


def _strings(value: Any) -> Iterator[str]:
    """Every string in a parsed document, keys too."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list | tuple):
            waiting.extend(reversed(part))


def _mentions(texts: Iterable[str]) -> tuple[str, ...]:
    return _distinct(digest.lower() for text in texts for digest in _MENTION.findall(text))


def _of_bytes(body: bytes) -> tuple[str, ...]:
    """The digests in what is no JSON: as it is, without the zeros of UTF-16, and with JSON's escapes
    undone.
    """
    text = body.replace(b"\0", b"").decode("latin-1")
    unescaped = re.sub(r"\\u00([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text)
    return _mentions((text, unescaped))


def _distinct(digests: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(digests))


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def with_children(manifests: Mapping[str, Manifest], images: Iterable[Image]) -> dict[str, Manifest]:
    """Those of ``manifests``, by digest, whose image has more children by a listing, with all of them."""
    more: dict[str, Manifest] = {}
    for image in images:
        known = manifests.get(image.digest) if image.children else None
        if known is not None and not set(image.children).issubset(known.holds):
            unsaid = tuple(child for child in image.children if child not in known.holds)
            more[image.digest] = msgspec.structs.replace(known, holds=(*known.holds, *unsaid))
    return more


def within(
    digest: str, manifests: Mapping[str, Manifest], named: Callable[[Manifest], Iterable[str]]
) -> set[str]:
    """Every digest that is ``named`` by the manifest, or by a manifest that it names, and so on."""
    found: set[str] = set()
    waiting = [digest]
    while waiting:
        for other in named(manifests.get(waiting.pop(), PLAIN)):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found
