"""References to images: reading them, and telling which images they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.records import Image
from shared.retention.references import ANY_TAG, Reference, Usage, Use, parse
from tests.support.references import DIGEST, HEX, OTHER, image

APP = "crp1/team-a/app"


SPELLINGS: dict[str, tuple[str, Reference | None]] = {
    "host and tag": (f"cr.yandex/{APP}:v1", Reference(APP, "v1")),
    "no tag is latest": (f"cr.yandex/{APP}", Reference(APP, "latest")),
    "a digest": (f"cr.yandex/{APP}@{DIGEST}", Reference(APP, digest=DIGEST)),
    "with tag and digest, the digest": (f"cr.yandex/{APP}:v1@{DIGEST}", Reference(APP, digest=DIGEST)),
    "a digest in capitals": (f"cr.yandex/{APP}@sha256:{HEX.upper()}", Reference(APP, digest=DIGEST)),
    "an algorithm in capitals": (f"cr.yandex/{APP}@SHA256:{HEX}", Reference(APP, digest=DIGEST)),
    "a port": (f"cr.yandex:443/{APP}:v1", Reference(APP, "v1")),
    "a port and no tag": (f"cr.yandex:443/{APP}", Reference(APP, "latest")),
    "another host": (f"mirror.example.net:5000/{APP}:v1", Reference(APP, "v1")),
    "localhost": (f"localhost/{APP}:v1", Reference(APP, "v1")),
    "an IP address": (f"10.0.0.1:5000/{APP}:v1", Reference(APP, "v1")),
    "a host in capitals": (f"CR.Yandex/{APP}:v1", Reference(APP, "v1")),
    "no host": (f"{APP}:v1", Reference(APP, "v1")),
    "a mirror's own path": (f"mirror.net/cache/{APP}:v1", Reference(f"cache/{APP}", "v1")),
    "docker-pullable": (f"docker-pullable://cr.yandex/{APP}@{DIGEST}", Reference(APP, digest=DIGEST)),
    "docker": (f"docker://cr.yandex/{APP}:v1", Reference(APP, "v1")),
    "https": (f"https://cr.yandex/{APP}:v1", Reference(APP, "v1")),
    "blanks around": (f"  cr.yandex/{APP}:v1\n", Reference(APP, "v1")),
    "double quotes": (f'"cr.yandex/{APP}:v1"', Reference(APP, "v1")),
    "single quotes and no host": (f"'{APP}:v1'", Reference(APP, "v1")),
    "the longest tag": (f"cr.yandex/{APP}:{'v' * 128}", Reference(APP, "v" * 128)),
    "a tag with dots and dashes": (f"cr.yandex/{APP}:1.2.3-rc_4", Reference(APP, "1.2.3-rc_4")),
    "odd but lawful path": ("cr.yandex/crp1/a__b/c--d.e_f:v1", Reference("crp1/a__b/c--d.e_f", "v1")),
    "one name alone": ("nginx", Reference("nginx", "latest")),
    "a variable as tag": (f"cr.yandex/{APP}:${{TAG}}", Reference(APP, ANY_TAG)),
    "a variable in the tag": (f"cr.yandex/{APP}:v1-${{N}}", Reference(APP, ANY_TAG)),
    "a template as tag": (f"cr.yandex/{APP}:{{{{.Values.tag}}}}", Reference(APP, ANY_TAG)),
    "a tag that is too long": (f"cr.yandex/{APP}:{'v' * 129}", Reference(APP, ANY_TAG)),
    "an empty tag": (f"cr.yandex/{APP}:", Reference(APP, ANY_TAG)),
    "a digest that is cut": (f"cr.yandex/{APP}@sha256:0123", Reference(APP, ANY_TAG)),
    "a digest of another kind": (f"cr.yandex/{APP}@sha512:{HEX}{HEX}", Reference(APP, ANY_TAG)),
    "a variable in the name": (f"cr.yandex/{APP}-$COLOUR:v1", Reference(APP, ANY_TAG, cut_off=True)),
    "a variable as the name": ("cr.yandex/crp1/$NAME:v1", Reference("crp1/", ANY_TAG, cut_off=True)),
    "a bare digest": (DIGEST, None),
    "a bare digest with a scheme": (f"docker://{DIGEST}", None),
    "nothing": ("", None),
    "blanks": (" \n", None),
    "a variable": ("${IMAGE}", None),
    "only a host": ("cr.yandex/", None),
    "only marks": ("://@:", None),
}


@pytest.mark.parametrize(("text", "expected"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_reference_is_read(text: str, expected: Reference | None) -> None:
    assert parse(text) == expected


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    reference = parse(text)
    assert reference is None or (reference.path and bool(reference.tag) != bool(reference.digest))


USES: dict[str, tuple[str, Image, bool]] = {
    "its tag": (f"cr.yandex/{APP}:v1", image(DIGEST, "v1"), True),
    "one of its tags": (f"cr.yandex/{APP}:v1", image(DIGEST, "v0", "v1"), True),
    "another tag": (f"cr.yandex/{APP}:v2", image(DIGEST, "v1"), False),
    "a tag in other letters": (f"cr.yandex/{APP}:V1", image(DIGEST, "v1"), False),
    "no tag, and it is latest": (f"cr.yandex/{APP}", image(DIGEST, "latest"), True),
    "no tag, and it is not latest": (f"cr.yandex/{APP}", image(DIGEST, "v1"), False),
    "its digest": (f"cr.yandex/{APP}@{DIGEST}", image(), True),
    "its digest in capitals": (f"cr.yandex/{APP}@sha256:{HEX.upper()}", image(), True),
    "its digest under another path": (f"mirror.net/library/x@{DIGEST}", image(), True),
    "another digest": (f"cr.yandex/{APP}@{OTHER}", image(DIGEST, "v1"), False),
    "its digest and a tag that moved on": (f"cr.yandex/{APP}:v1@{DIGEST}", image(DIGEST, "old"), True),
    "another digest and its tag": (f"cr.yandex/{APP}:v1@{OTHER}", image(DIGEST, "v1"), False),
    "its configuration": (f"{APP}@{OTHER}", image(DIGEST, config=OTHER), True),
    "below a mirror's path": (f"mirror.net/a/b/{APP}:v1", image(DIGEST, "v1"), True),
    "another repository": ("cr.yandex/crp1/team-b/app:v1", image(DIGEST, "v1"), False),
    "another registry": ("cr.yandex/crp2/team-a/app:v1", image(DIGEST, "v1"), False),
    "a shorter path": ("cr.yandex/crp1/team-a:v1", image(DIGEST, "v1"), False),
    "a longer path": (f"cr.yandex/{APP}/x:v1", image(DIGEST, "v1"), False),
    "a variable as tag": (f"cr.yandex/{APP}:$TAG", image(DIGEST, "v1"), True),
    "a variable as tag, and it has none": (f"cr.yandex/{APP}:$TAG", image(), False),
    "a variable in its name": ("cr.yandex/crp1/team-a/a$X:v1", image(DIGEST, "v1"), True),
    "a variable as its name": ("cr.yandex/crp1/$NAME:v1", image(DIGEST, "v1"), True),
    "a variable as another's name": ("cr.yandex/crp1/team-b/$NAME:v1", image(DIGEST, "v1"), False),
    "a variable as a name of another registry": ("cr.yandex/crp/$NAME", image(DIGEST, "v1"), False),
    "a registry alone": ("cr.yandex/crp1/", image(DIGEST, "v1"), True),
    "what is no reference": ("${IMAGE}", image(DIGEST, "v1"), False),
}


@pytest.mark.parametrize(("reference", "used", "expected"), USES.values(), ids=USES)
def test_an_image_is_used_by(reference: str, used: Image, expected: bool) -> None:
    usage = Usage([Use("elsewhere", "cr.yandex/crp9/app:v1"), Use("vm", reference)])
    assert usage.where(APP, used) == ("vm" if expected else None)


def test_the_digest_that_something_was_seen_to_run_counts_beside_its_tag() -> None:
    usage = Usage([Use("web", f"cr.yandex/{APP}:v1", DIGEST)])
    assert usage.where(APP, image(DIGEST)) == "web"
    assert usage.where(APP, image(OTHER, "v1")) == "web"
    assert usage.where(APP, image(OTHER, "v2")) is None


def test_of_several_uses_the_first_is_told_and_a_digest_before_a_tag() -> None:
    uses = [Use("a", f"{APP}:v1"), Use("b", f"{APP}:v1"), Use("c", f"{APP}@{DIGEST}")]
    assert Usage(uses).where(APP, image(OTHER, "v1")) == "a"
    assert Usage(uses).where(APP, image(DIGEST, "v1")) == "c"
