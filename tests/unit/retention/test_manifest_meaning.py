"""What a manifest's bytes say of other images, and that what is not understood hides nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.manifest_meaning import IMAGES, INDEXES, read
from shared.retention.records import PLAIN, Manifest

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
LONG = "sha512:" + "d" * 128
INDEX, LIST = INDEXES
IMAGE = IMAGES[0]
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
CACHE = "application/vnd.buildkit.cacheconfig.v0"
DIFF = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def of(document: Any) -> Manifest:
    return read(json.dumps(document).encode())


def entry(digest: str, media_type: Any = IMAGE, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": 7, **more}


def plain(**more: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": entry(A, CONFIG),
        "layers": [entry(B, LAYER)],
        **more,
    }


UNDERSTOOD: dict[str, tuple[Any, Manifest]] = {
    "an image": (plain(), PLAIN),
    "an image with digests in its annotations": (plain(annotations={"base": C}), PLAIN),
    "an image with a config of its own kind": (plain(config=entry(A, "application/x+json")), PLAIN),
    "an artifact": (plain(subject=entry(C)), Manifest(refers_to=C)),
    "an image whose subject is null": (plain(subject=None), PLAIN),
    "an artifact of blobs": ({"mediaType": IMAGES[-1], "blobs": [entry(A, LAYER)]}, PLAIN),
    "nothing at all": ({}, PLAIN),
    "an index": (
        {"manifests": [entry(A), entry(B, platform={"os": "linux"})]},
        Manifest((A, B), platforms=(A, B)),
    ),
    "an index of indexes": (
        {"mediaType": INDEX, "manifests": [entry(A, INDEX), entry(B, LIST), entry(C)]},
        Manifest((A, B, C), (A, B), platforms=(A, B, C)),
    ),
    "an empty index": ({"mediaType": INDEX, "manifests": []}, PLAIN),
    "an index with a subject": (
        {"manifests": [entry(A)], "subject": entry(B)},
        Manifest((A,), refers_to=B, platforms=(A,)),
    ),
    "an entry without a media type": (
        {"manifests": [{"digest": A}]},
        Manifest((A,), (A,), platforms=(A,)),
    ),
    "an entry of an unknown media type": ({"manifests": [entry(A, "text/x")]}, Manifest((A,), (A,))),
    "an entry in capitals": (
        {"manifests": [entry(A, INDEX.upper()), entry(B, f"{IMAGE}; charset=utf-8")]},
        Manifest((A, B), (A,), platforms=(A, B)),
    ),
    "a registry cache": (
        {"mediaType": INDEX, "manifests": [entry(A, DIFF), entry(B, LAYER), entry(C, CACHE)]},
        Manifest((A, B, C)),
    ),
    "a config in an index": ({"manifests": [entry(A, CONFIG)]}, Manifest((A,))),
    "an entry twice": ({"manifests": [entry(A), entry(A)]}, Manifest((A,), platforms=(A,))),
    "a long digest": ({"manifests": [entry(LONG)]}, Manifest((LONG,), platforms=(LONG,))),
}


@pytest.mark.parametrize(("document", "expected"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_a_plain_document_is_understood(document: Any, expected: Manifest) -> None:
    assert of(document) == expected
    assert read(json.dumps(document, indent=3).encode()) == expected


UNCLEAR: dict[str, tuple[bytes | Any, str]] = {
    "a media type that is null": ({"manifests": [entry(A, None)]}, "entry 1 has a mediaType"),
    "a media type that is a number": ({"manifests": [entry(B), entry(A, 5)]}, "entry 2 has a mediaType"),
    "a media type of the whole that is null": ({"mediaType": None, "manifests": [entry(A)]}, "mediaType"),
    "a subject that is text": ({"manifests": [entry(A)], "subject": "text"}, "subject is no JSON object"),
    "a subject without a digest": (plain(subject={"x": A}), "subject has no digest"),
    "a null among the entries": ({"manifests": [None, entry(A)]}, "entry 1 is no JSON object"),
    "an entry that is text": ({"manifests": [A]}, "entry 1 is no JSON object"),
    "an entry without a digest": ({"manifests": [{"Digests": A}]}, "entry 1 has no digest"),
    "a digest that is null": ({"manifests": [{"digest": None}, entry(A)]}, "entry 1 has no digest"),
    "a digest in capitals": ({"manifests": [entry(A.upper())]}, "a digest that is none"),
    "a digest with something behind it": ({"manifests": [entry(A + "0")]}, "a digest that is none"),
    "a digest of another kind": ({"manifests": [entry("md5:1"), entry(A)]}, "a digest that is none"),
    "manifests that are null": ({"manifests": None, "x": A}, "manifests are no list"),
    "manifests that are an object": ({"manifests": {"a": entry(A)}}, "manifests are no list"),
    "manifests in capitals": ({"Manifests": [entry(A)]}, "manifests in another spelling"),
    "manifests with a long s": ({"manifeſts": [entry(A)]}, "manifests in another spelling"),
    "a digest's key in capitals": ({"manifests": [{"Digest": A}]}, "digest in another spelling"),
    "an index that lists nothing": ({"mediaType": INDEX, "layers": [entry(A)]}, "lists no manifests"),
    "manifests twice": (
        f'{{"manifests": [{{"digest": "{A}"}}], "manifests": []}}'.encode(),
        "manifests twice",
    ),
    "a digest twice": (
        f'{{"manifests": [{{"digest": "{B}", "digest": "{A}"}}]}}'.encode(),
        "entry 1 has digest twice",
    ),
    "config twice": (
        f'{{"config": {{}}, "layers": [], "config": {{"digest": "{A}"}}}}'.encode(),
        "config twice",
    ),
    "a document of an unknown form": ({"children": [A]}, "unknown form"),
    "an image of the oldest form": ({"fsLayers": [{"blobSum": A}]}, "unknown form"),
    "a digest in a key": ({"children": {A: 1}}, "unknown form"),
    "a digest in escapes": (
        ('{"x": "' + "".join(f"\\u{ord(letter):04x}" for letter in A) + '"}').encode(),
        "unknown form",
    ),
    "a list": ([entry(A)], "no JSON object"),
    "a text": (A, "no JSON object"),
    "no JSON": (f'{{"manifests": [{{"digest": "{A}"}}'.encode(), "not JSON"),
    "no JSON, in capitals": (A.upper().encode(), "not JSON"),
    "JSON with something behind it": (f'{{}} {{"manifests": [{{"digest": "{A}"}}]}}'.encode(), "not JSON"),
    "JSON with a byte order mark": (
        b"\xef\xbb\xbf" + json.dumps({"manifests": [entry(A)]}).encode(),
        "not JSON",
    ),
    "JSON in UTF-16": (json.dumps({"manifests": [entry(A)]}).encode("utf-16"), "not JSON"),
    "JSON with NaN": (f'{{"size": NaN, "manifests": [{{"digest": "{A}"}}]}}'.encode(), "not JSON"),
    "no JSON, in escapes": (f'{{"digest": "{A}"'.replace(":a", "\\u003aa").encode(), "not JSON"),
    "JSON that is nested too deeply": (
        b'{"x": ' + b"[" * 100_000 + f'"{A}"'.encode() + b"]" * 100_000 + b"}",
        "nested too deeply",
    ),
}


@pytest.mark.parametrize(("document", "reason"), UNCLEAR.values(), ids=UNCLEAR)
def test_what_is_not_understood_may_need_all_that_it_mentions(document: Any, reason: str) -> None:
    manifest = read(document) if isinstance(document, bytes) else of(document)

    assert reason in manifest.unclear
    assert A in manifest.holds
    assert manifest.platforms == ()
    assert not manifest.lost


def test_an_empty_body_is_not_understood() -> None:
    assert read(b"") == Manifest(unclear="it is not JSON")


digests = st.sampled_from([A, B, C, LONG, A.upper()])
keys = st.sampled_from(
    ["manifests", "Manifests", "subject", "mediaType", "digest", "Digest", "layers", "x", A]
)
leaves = st.none() | st.booleans() | st.integers() | st.sampled_from([INDEX, IMAGE, LAYER, ""]) | digests
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def mentioned(value: Any, *, below: str = "") -> set[str]:
    """The digests that a document mentions, but for those of blobs."""
    if isinstance(value, str):
        return {value.lower()} if value.lower() in (A, B, C, LONG) else set()
    if isinstance(value, list):
        return set().union(*(mentioned(part) for part in value))
    if isinstance(value, dict):
        parts = [mentioned(key) | mentioned(part) for key, part in value.items() if key != "layers"]
        return set().union(*parts)
    return set()


@given(documents)
def test_no_document_hides_a_digest_unless_it_is_understood(document: Any) -> None:
    manifest = of(document)
    if manifest.unclear:
        assert mentioned(document) <= set(manifest.holds)
    else:
        assert isinstance(document, dict)
        for part in document.get("manifests", []):
            assert part["digest"] in manifest.holds
        assert not any(key in document for key in ("Manifests", "Digest"))


@given(st.binary(max_size=200), st.booleans(), st.sampled_from([A, LONG]))
def test_a_digest_in_any_bytes_is_seen(noise: bytes, capital: bool, digest: str) -> None:
    text = digest.upper() if capital else digest
    assert digest in read(noise + b"<" + text.encode() + b">" + noise).holds
