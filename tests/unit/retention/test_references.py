"""References to images: reading them, finding them in texts, and telling which images they mean."""

from __future__ import annotations

import base64
import gzip
import json
import random
import textwrap
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.workloads.search import search
from shared.cloud.workloads.unpacking import Unreadable
from shared.retention.records import Image, blob_key
from shared.retention.references import ANY_TAG, Reference, Usage, Use, parse

HEX = "0123456789abcdef" * 4
DIGEST, OTHER = f"sha256:{HEX}", "sha256:" + "f" * 64
APP = "crp1/team-a/app"


def image(digest: str = DIGEST, *tags: str, config: str = "") -> Image:
    return Image("img1", digest, tags, "", 1, b"", blob_key(config) if config else 0)


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


COMPOSE = """\
version: "3"
services:
  app:
    image: cr.yandex/crp1/team-a/app:v1
    environment: [A=1]
  quoted: {image: "cr.yandex/crp1/quoted:v2", restart: always}
  flow: {image: cr.yandex/crp1/flow:v3}
  single:
    image: 'cr.yandex/crp1/single@sha256:%s'
  plain: {image: cr.yandex/crp1/plain}
  other:
    image: nginx:latest
  list: [cr.yandex/crp1/first:1,cr.yandex/crp1/second:2]
""".replace("%s", HEX)
JSON = r'{"image":"cr.yandex\/crp1\/app:v1","args":["a"],"text":"run cr.yandex/crp1/job:v2\nand more"}'
SCRIPT = """\
#!/bin/sh
docker run -d --name a cr.yandex/crp1/app:${TAG}; docker pull "cr.yandex/crp1/b:$(cat /tag)" && \\
  docker run cr.yandex/crp1/c:v1>/dev/null
IMAGE=cr.yandex/crp1/d
(docker run `echo cr.yandex/crp1/e:v1`) | docker run $HOST/crp1/f:v2|cat
"""

TEXTS: dict[str, tuple[str, set[str]]] = {
    "YAML, block and flow": (
        COMPOSE,
        {
            "crp1/team-a/app:v1",
            "crp1/quoted:v2",
            "crp1/flow:v3",
            f"crp1/single@{DIGEST}",
            DIGEST,
            "crp1/plain",
            "crp1/first:1",
            "crp1/second:2",
        },
    ),
    "JSON with its escapes": (JSON, {"crp1/app:v1", "crp1/job:v2"}),
    "a shell script": (
        SCRIPT,
        {"crp1/app:$", "crp1/b:$", "crp1/c:v1", "crp1/d:*", "crp1/e:v1", "crp1/f:v2"},
    ),
    "a template": ("image: cr.yandex/crp1/app:{{ tag }}", {"crp1/app:$"}),
    "a port and a mirror's path": (
        "m.net:5000/cache/crp1/app:v1 cr.yandex:443/crp1/app:v2",
        {"crp1/app:v1", "crp1/app:v2"},
    ),
    "the second registry": ("cr.yandex/crp2/app:v1", {"crp2/app:v1"}),
    "a registry in a variable": ("REGISTRY=cr.yandex/crp1\nrun $REGISTRY/app", {"crp1/", "crp1/app:*"}),
    "a quoted registry": ('registry: "cr.yandex/crp1"', {"crp1/"}),
    "a registry with a quoted variable": ('run cr.yandex/crp1/"$NAME"', {"crp1/"}),
    "an id in a variable that is used": ("A=crp1\nrun cr.yandex/$A/app:v1", {"crp1/app:v1"}),
    "an id in a variable that is not used": ("A=crp1 app", {"crp1/A:*", "crp1/app:*"}),
    "a variable with two values": (
        "T=v1\n[ $1 ] && T=v2\nrun cr.yandex/crp1/app:$T",
        {"crp1/app:v1", "crp1/app:v2"},
    ),
    "a variable of a variable": ("A=crp1;B=cr.yandex/$A;\nrun $B/app:v1", {"crp1/", "crp1/app:v1"}),
    "a variable that refers to itself": ('T="${T:-v1}"\nrun cr.yandex/crp1/a:$T', {"crp1/a:v1", "crp1/a:$"}),
    "a variable that may be set elsewhere": (
        "T=v1\n. /etc/app\nrun cr.yandex/crp1/a:$T",
        {"crp1/a:v1", "crp1/a:$"},
    ),
    "another program's variable": ("run -e T=v1 cr.yandex/crp1/a:$T", {"crp1/a:v1", "crp1/a:$"}),
    "a full stop after it": ("Runs cr.yandex/crp1/app:v1.", {"crp1/app:v1", "crp1/app:v1."}),
    "an alias": ("cr.yandex/company/app:v1", {"*/app:v1"}),
    "an alias in a variable": ("registry.yandexcloud.net/$R/app:v1", {"*/app:v1"}),
    "an address that is all variables": ("cr.yandex/$A/$B", {"*/"}),
    "an id of another registry": (f"cr.yandex/crp{'a1' * 8}b/app:v1", set()),
    "a registry of another host": ("m.net/crp3/app:v1 m.net/crp11/app:v1 m.net/xcrp1/a:1", set()),
    "a mere mention of the registry": ("registry-id: crp1", {"crp1/registry-id:*"}),
    "no text": ("", set()),
}


def named(text: str) -> set[str]:
    """What the text names: references, digests, and as ``*/...`` what may be of any registry."""
    uses = search([("vm", text)], ["crp1", "crp2"])
    return {
        use.digest or (f"*/{use.reference.partition('/')[2]}" if use.alias else use.reference) for use in uses
    }


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_references_are_found_in_a_text(text: str, expected: set[str]) -> None:
    assert named(text) == expected


HARD = [
    "$",
    "${",
    "{{",
    "\\",
    "%",
    "=",
    "-",
    "a=",
    "a:",
    "'a=",
    '"',
    "crp1",
    "crp1/",
    "cr.yandex/",
    "$(a",
    "{a",
    "tag",
    "{{a}}",
    "%A%",
    "$A",
    "$A$B",
    "${A:-",
    "QUJD",
    "for|",
    "a='",
    "A=$A;",
    "=3D",
    "\\u002f",
    "cr.yandex/$A/",
    "A=crp1;cr.yandex/$A/b:$T|",
    "image:|cr.yandex/crp1|",
    "tag:",
    "A=$A$A\n",
    "name: a\n",
    "\n",
    f"{HEX} ",
    "a: b\n",
    "REG=crp1; run cr.yandex/$REG/app:$TAG -e A=b\n",
]


@pytest.mark.parametrize("size", [16 << 10, 1 << 20])
@pytest.mark.parametrize("piece", HARD, ids=repr)
def test_a_hard_text_is_searched_in_a_moment(piece: str, size: int) -> None:
    text = (piece.replace("|", " ") * (size // len(piece)))[:size]
    begun = time.process_time()
    named(f"{text} cr.yandex/crp1/app:v1")
    assert time.process_time() - begun < max(0.5, size / (100 << 10))  # 100 KB a second at the least


def test_packed_rubbish_is_searched_in_a_moment() -> None:
    blob = random.Random(1).randbytes(750_000)
    begun = time.process_time()
    for packed in (base64.b64encode(blob), base64.encodebytes(blob)):
        assert named(f"{packed.decode()}\ncr.yandex/crp1/app:v1") == {"crp1/app:v1"}
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("bomb", ["gzip", "nested"])
def test_what_unpacks_to_too_much_is_not_searched(bomb: str) -> None:
    text = "cr.yandex/crp1/app:v1 " * 3
    for _ in range(10 if bomb == "nested" else 0):
        text = base64.b64encode(text.encode()).decode()
    if bomb == "gzip":
        text = base64.b64encode(gzip.compress(b" " * (64 << 20))).decode()
    with pytest.raises(Unreadable):
        named(text)


_WRAPPINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "wrapped base64": lambda text: base64.encodebytes(text.encode()).decode(),
    "indented base64": lambda text: (
        "content: |\n" + textwrap.indent(base64.encodebytes(text.encode()).decode(), "  ")
    ),
    "gzip": lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
    "json": json.dumps,
    "escaped json": lambda text: json.dumps(text).replace("/", r"\u002f"),
    "url": lambda text: quote(text, safe=""),
}


@given(st.lists(st.sampled_from(sorted(_WRAPPINGS)), max_size=3))
def test_whatever_the_wrappings_a_reference_is_found(wrappings: list[str]) -> None:
    text = "#!/bin/sh\n# Запускает приложение\ndocker run -d cr.yandex/crp1/team-a/app:v1\n"
    for wrapping in wrappings:
        text = _WRAPPINGS[wrapping](text)
    assert "crp1/team-a/app:v1" in named(text)


@given(st.text())
def test_no_text_breaks_the_search(text: str) -> None:
    named(text)


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


_TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
_PATH = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?(/[a-z0-9]{1,8}){0,3}", fullmatch=True)
_HOST = st.sampled_from(["", "cr.yandex/", "cr.yandex:443/", "localhost:5000/", "mirror.net/cache/"])


@given(_HOST, _PATH, _TAG, st.booleans())
def test_whatever_the_spelling_an_image_that_is_named_is_in_use(
    host: str, path: str, tag: str, by_digest: bool
) -> None:
    name = f"crp1/{path}"
    text = f"{host}{name}@{DIGEST}" if by_digest else f"{host}{name}:{tag}"
    usage = Usage(search([("vm", f'image: "{text}" # here')], ["crp1"]))
    assert usage.where(name, image(DIGEST, tag)) == "vm"
    assert by_digest or usage.where(f"{name}x", image(DIGEST, tag)) is None
