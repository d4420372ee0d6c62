"""Searches texts of any format, such as YAML, a script, a chart's values or user-data, for uses of images.
Pure.

A doubtful name counts as a use. A repository without a tag stands for all of its tags. A registry alone
stands for all that is in it. A text that mentions a registry's bare id uses every repository whose name it
holds. An address of Yandex Cloud's registry whose first part is no registry's id may be an alias of any
registry.
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from shared.cloud.workloads.unpacking import readable
from shared.cloud.workloads.variables import UNKNOWN, Filled, Variables
from shared.retention.references import ANY_TAG, Use, parse

HOSTS = r"(?i:cr\.yandex|registry\.yandexcloud\.net)(?::\d{1,5})?"
ALIAS = "alias"
MOST_WORDS = 3000
CONTEXT, KEY = 300, 40

_REST = r"/[^\s\"'`,;<>()|\\\]}]*"
_REGISTRY_ID = re.compile(r"crp[a-z0-9]{17}")
_BEFORE = f"{string.ascii_letters}{string.digits}_.:/-"
_IMAGE_KEY = re.compile(r"(?:^|[\s\"'{,-])image[\"']?[ \t]*:[ \t]*[\"']?$")
_KEY = re.compile(r"([A-Za-z_][\w-]{0,30})[\"']?[ \t]*[:=][ \t]*[\"']?$")
_TAG_KEY = re.compile(
    r"(?:^|[\s\"'{,])[\w.-]{0,60}(?:tag|version|digest)[\w-]{0,60}[\"']?"
    r"[ \t]{0,20}[:=](?![ \t]{0,20}[\"']?[23](?:\.\d)?[\"']?\s)",
    re.IGNORECASE,
)
_DIGEST = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{64}(?![0-9A-Za-z])")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}(?:\$)?")
_ADDRESS = re.compile(rf"(?<![\w.-]){HOSTS}(?P<path>{_REST})")


class _Spot(msgspec.Struct, frozen=True):
    """What one place of a text names: a reference, or only a registry's id (``ALIAS``: another name)."""

    reference: str = ""
    alias: bool = False
    mentioned: str = ""


def search(
    texts: Sequence[tuple[str, str]], registry_ids: Iterable[str], *, covers_registry: bool = True
) -> Iterator[Use]:
    """The uses in texts that belong together, each with its place. Raises Unreadable.

    ``covers_registry``: an address of a registry alone stands for all that is in it; otherwise for the
    repositories whose names the texts hold.
    """
    known = frozenset(registry_ids)
    named = _pattern(known)
    plain = [(where, part) for where, text in texts for part in readable(text)]
    if not any(_of_interest(part, named) for _, part in plain):
        return
    filled = list(Variables(part for _, part in plain).filled(named))
    seen: set[Use] = set()
    for use in _uses(filled, [where for where, _ in plain], known, covers_registry):
        bare = msgspec.structs.replace(use, where="")
        if bare not in seen:
            seen.add(bare)
            yield use


def _uses(
    filled: list[Filled], places: list[str], known: frozenset[str], covers_registry: bool
) -> Iterator[Use]:
    named = _pattern(known)
    mentioned: dict[str, str] = {}
    vague = ""
    for where, text in zip(places, filled, strict=True):
        for digest in _DIGEST.findall(text.text):
            yield Use(where, "", f"sha256:{digest.lower()}")
        for spot in (*_by_id(text, named, covers_registry), *_by_host(text.text, known)):
            if spot.mentioned:
                mentioned.setdefault(spot.mentioned, where)
            elif spot.reference == UNKNOWN:
                vague = vague or where
            else:
                yield Use(where, spot.reference, alias=spot.alias)
    if vague and covers_registry:
        yield from _all_of(mentioned or {ALIAS: vague})
    elif mentioned:
        yield from _words_of(filled, mentioned, named)


def _pattern(registry_ids: frozenset[str]) -> re.Pattern[str]:
    ids = "|".join(map(re.escape, sorted(registry_ids))) or r"(?!)"
    return re.compile(rf"(?<!\w)(?P<id>{ids})(?:{_REST}|(?![\w/-]))")


def _of_interest(text: str, named: re.Pattern[str]) -> bool:
    return bool(named.search(text) or _ADDRESS.search(text) or _DIGEST.search(text) or re.search(HOSTS, text))


def _by_id(filled: Filled, named: re.Pattern[str], covers_registry: bool) -> Iterator[_Spot]:
    """The spots that name one of the registries by its id."""
    text = filled.text
    tags_apart = bool(_TAG_KEY.search(text))
    for match in named.finditer(text):
        before = text[max(0, match.start() - CONTEXT) : match.start()]
        registry_id, path = match["id"], match[0]
        if "/" in path.rstrip("/"):
            is_field = not tags_apart and bool(_IMAGE_KEY.search(before.rstrip(_BEFORE)[-KEY:]))
            yield from (_Spot(reference) for reference in _spellings(path, is_field))
        elif "/" in path or (len(before) > 1 and before.endswith("/")):
            is_cut = UNKNOWN in text[match.end() : match.end() + 3]
            yield _Spot(f"{registry_id}/") if covers_registry or is_cut else _Spot(mentioned=registry_id)
        else:
            key = _KEY.search(before[-KEY:])
            if not key or key[1] not in filled.names:
                yield _Spot(mentioned=registry_id)


def alias(image: str, registry_ids: Collection[str]) -> list[str]:
    """The references that an image's field is, if it names a registry by what may be an alias."""
    return [spot.reference for spot in _by_host(image, registry_ids, is_field=True) if spot.alias]


def _by_host(text: str, registry_ids: Collection[str], *, is_field: bool = False) -> Iterator[_Spot]:
    """The addresses in Yandex Cloud's registry whose first part is no registry's id."""
    for match in _ADDRESS.finditer(text):
        first, _, rest = match["path"][1:].partition("/")
        if first in registry_ids or _REGISTRY_ID.fullmatch(first) or not first:
            continue
        if UNKNOWN in first and (not rest or rest.startswith(UNKNOWN)):
            yield _Spot(UNKNOWN)
        elif not rest:
            yield _Spot(mentioned=ALIAS)
        else:
            yield from (_Spot(reference, alias=True) for reference in _spellings(f"{ALIAS}/{rest}", is_field))


def _spellings(text: str, is_field: bool) -> list[str]:
    """A reference as a text has it, and without the full stop that may follow it.

    Without a tag it may have any, unless it ``is_field`` of its own for an image.
    """
    ended = text.rstrip(".:-") or text
    _, mark, _ = ended.rpartition("/")[2].partition(":")
    if mark or "@" in ended:
        return list(dict.fromkeys((text, ended)))
    return [ended] if is_field and text == ended else [f"{ended}:{ANY_TAG}"]


def _all_of(registries: dict[str, str]) -> Iterator[Use]:
    for registry_id, where in registries.items():
        yield Use(where, f"{registry_id}/", alias=registry_id == ALIAS)


def _words_of(filled: list[Filled], registries: dict[str, str], named: re.Pattern[str]) -> Iterator[Use]:
    """The repositories of those registries that any word of the texts may name."""
    words = list(islice(dict.fromkeys(_words(filled, named)), MOST_WORDS + 1))
    if len(words) > MOST_WORDS:
        yield from _all_of(registries)
        return
    for registry_id, where in registries.items():
        for word in words:
            yield Use(where, f"{registry_id}/{word}", alias=registry_id == ALIAS)


def _words(filled: list[Filled], named: re.Pattern[str]) -> Iterator[str]:
    for text in filled:
        rest = _ADDRESS.sub(" ", named.sub(" ", text.text))
        for match in _WORD.finditer(rest):
            word = match[0].rstrip("./-_")
            if word.endswith(UNKNOWN):
                if "/" in word:
                    yield word
            elif parse(f"{ALIAS}/{word}"):
                yield f"{word}:{ANY_TAG}"
