"""References to images are found in texts of every kind, and at once."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.workloads.search import search
from shared.retention.references import Usage
from tests.support.references import DIGEST, HEX, image, named

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
    "a port and a mirror's path": (
        "m.net:5000/cache/crp1/app:v1 cr.yandex:443/crp1/app:v2",
        {"crp1/app:v1", "crp1/app:v2"},
    ),
    "the second registry": ("cr.yandex/crp2/app:v1", {"crp2/app:v1"}),
    "a quoted registry": ('registry: "cr.yandex/crp1"', {"crp1/"}),
    "a full stop after it": ("Runs cr.yandex/crp1/app:v1.", {"crp1/app:v1", "crp1/app:v1."}),
    "an alias": ("cr.yandex/company/app:v1", {"*/app:v1"}),
    "an id of another registry": (f"cr.yandex/crp{'a1' * 8}b/app:v1", set()),
    "a registry of another host": ("m.net/crp3/app:v1 m.net/crp11/app:v1 m.net/xcrp1/a:1", set()),
    "a mere mention of the registry": ("registry-id: crp1", {"crp1/registry-id:*"}),
    "no text": ("", set()),
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


@given(st.text())
def test_no_text_breaks_the_search(text: str) -> None:
    named(text)


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
