"""Tries the patterns of the settings on tags that are hard for them, as ``check`` does.

A backtracking matcher is slow on what nearly matches. So a tag is grown letter by letter, each time by one
with which it may still come to match (the regex package tells of partial matches), and then spoilt at its
end; and a letter of the pattern is repeated between what the pattern says before and after it. That finds the
usual faults, and proves nothing: a run has limits of its own (`shared.retention.matching`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise, product

from shared.errors import short
from shared.retention.matching import LONGEST_TAG, Subject, few_ways, timed, too_slow
from shared.retention.patterns import pattern, pattern_subject, repository_matcher
from shared.settings.settings import Settings

TAG_SECONDS, ALL_SECONDS = 0.1, 2.0
MOST_LETTERS, MOST_PLACES = 10, 12
LONGEST_NAME = 255
WRITTEN = re.compile(r"\\(.)|\(\?[^:)>]*[:)>]?|\{[0-9,]*\}|([A-Za-z0-9_./-])|([\[(.])", re.DOTALL)
WORD = re.compile(r"[A-Za-z0-9_-]{2,16}")
STANDS_FOR = {"d": "0", "w": "a", "W": "-", "S": "a", "D": "a", ".": "a"}


def try_out(settings: Settings) -> None:
    """Raises SettingsError for a pattern that takes long on one of its hard tags."""
    for text in settings.guards.keep_tags:
        _try_expression(text, pattern_subject(text))
    for rule in settings.rules:
        for key, expression in (("tags", rule.tags), ("group_by", rule.group_by)):
            if expression:
                _try_expression(expression, pattern_subject(expression, rule.name, key))
        for text in rule.repositories:
            covers = repository_matcher((text.removeprefix("!"),), rule.name)
            for name in _repeated(text, LONGEST_NAME):
                covers(name)


def _try_expression(text: str, subject: Subject) -> None:
    if few_ways(text):
        return
    match, spent = pattern(text).fullmatch, 0.0
    for tag in hard_tags(text):
        _, seconds = timed(match, tag, TAG_SECONDS)
        spent += seconds
        if seconds > TAG_SECONDS:
            raise too_slow(subject, TAG_SECONDS, f"for one tag, such as {short(tag)}")
        if spent > ALL_SECONDS:
            raise too_slow(subject, ALL_SECONDS, f"for tags such as {short(tag)}")


def hard_tags(text: str) -> Iterator[str]:
    """Tags that are hard for the regular expression ``text``."""
    yield from _repeated(text, LONGEST_TAG)
    letters, spoilt = _letters(_written(text)), _foreign(text)
    for first in letters:
        grown = _grown(text, [first, *letters])
        for length, end, last in product((len(grown), 100, 64, 32), ("", *letters), (spoilt, "")):
            yield (grown[: min(length, LONGEST_TAG - 2)] + end + last)[:LONGEST_TAG]


def _written(text: str) -> str:
    """The characters that the pattern writes, and one for each class that it names."""
    parts = []
    for match in WRITTEN.finditer(text):
        escaped, plain, opening = match.groups()
        if escaped:
            parts.append(STANDS_FOR.get(escaped, "" if escaped.isalnum() else escaped))
        parts.append(plain or STANDS_FOR.get(opening or "", ""))
    return "".join(parts)


def _letters(written: str) -> list[str]:
    return list(dict.fromkeys((*written, "a", "0", "-")))[:MOST_LETTERS]


def _foreign(text: str) -> str:
    """A character that the pattern does not write."""
    return next((sign for sign in "!~%" if sign not in text), "\n")


def _repeated(text: str, length: int) -> Iterator[str]:
    """What the pattern writes, with a piece of it repeated at each of some places, and spoilt at the end."""
    written, spoilt = _written(text), _foreign(text)
    letters = _letters(written)
    pairs = (f"{first}{second}" for first, second in pairwise(letters))
    units = dict.fromkeys((*letters, *pairs, *WORD.findall(text)[:MOST_LETTERS]))
    places = range(0, len(written) + 1, len(written) // MOST_PLACES + 1)
    for place, unit, end in product(places, units, ("", written[-1:], "all")):
        before, after = written[:place][:length], written[place:] if end == "all" else end
        room = max(0, length - len(before) - len(after) - 1)
        yield (before + unit * (room // len(unit)) + after)[: length - 1] + spoilt


def _grown(text: str, letters: list[str]) -> str:
    """The longest tag that the first of these letters, whenever one fits, leads to.

    Where it takes long to tell what fits, the place is hard enough: its last letter is repeated.
    """
    fits = partial(pattern(text).fullmatch, partial=True)
    grown = ""
    while len(grown) < LONGEST_TAG - 2:
        for letter in letters:
            fitting, seconds = timed(fits, grown + letter, TAG_SECONDS / 10)
            if seconds > TAG_SECONDS / 10:
                return grown.ljust(LONGEST_TAG - 2, grown[-1:] or letters[0])
            if fitting:
                grown += letter
                break
        else:
            break
    return grown
