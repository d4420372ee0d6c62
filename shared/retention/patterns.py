"""Regular expressions of tags and patterns of repositories, as settings write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from shared.errors import printable
from shared.retention.matching import LONGEST_TAG, Subject, few_ways, limited

MOST_COMPILED = 100_000
CALLS_ITSELF = re.compile(r"\(\?(?:R|[0-9]|&|P>)")
FIXED_COUNT = re.compile(r"(?P<nested>[)}*+?\s]?)\{\s*(?P<least>[0-9]+)")


@cache
def pattern(text: str) -> Any:
    """The compiled regular expression of a setting, of the regex package. Raises ValueError.

    What could fill the memory, which no time limit prevents, is refused: counts of counts when it is
    compiled, and a pattern that calls itself when it is matched.
    """
    import regex  # imported here: most settings have no pattern

    if CALLS_ITSELF.search(text):
        raise ValueError("it calls itself or one of its groups, which has no bound; write out what is meant")
    if _repeated(text) * len(text) > MOST_COMPILED:
        raise ValueError(f"its counts come to too much; a tag has {LONGEST_TAG} characters at most")
    try:
        return regex.compile(text)
    except (regex.error, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(f"{error or 'it is too deep'}{_meant(text)}") from None


def _meant(text: str) -> str:
    """What somebody may have meant who writes ``*`` as a shell takes it."""
    if not text.startswith("*"):
        return ""
    meant = text.replace("*", ".*")
    try:
        pattern(meant)
    except ValueError:
        return ""
    return f'; did you mean "{printable(meant[:60])}"?'


def _repeated(text: str) -> int:
    """The most that fixed counts may come to: of one character, times those of groups, which may be
    nested.
    """
    of_groups, of_characters = 1, 1
    for count in FIXED_COUNT.finditer(text):
        least = max(1, int(count["least"][:9]))
        if count["nested"]:
            of_groups = min(of_groups * least, 10**9)
        else:
            of_characters = max(of_characters, least)
    return of_groups * of_characters


@cache
def whole_tag(text: str, rule: str = "", key: str = "tags") -> Callable[[str], Any]:
    """What matches a whole tag with the regular expression ``text``, of that key of a rule or else of
    keep_tags.

    It raises SettingsError when that takes too long.
    """
    match = pattern(text).fullmatch
    slow = limited(match, pattern_subject(text, rule, key))
    if not few_ways(text):
        return slow
    return lambda tag: match(tag) if len(tag) <= LONGEST_TAG else slow(tag)


def pattern_subject(text: str, rule: str = "", key: str = "tags") -> Subject:
    expression = f'regular expression "{printable(text[:60])}"'
    if rule:
        return Subject("tag", f'The rule "{rule}" is refused: the {expression} of its {key}')
    return Subject("tag", f"guards.keep_tags is refused: its {expression}")


@cache
def repository_matcher(patterns: tuple[str, ...], rule: str = "") -> Callable[[str], bool]:
    """What tells whether gitignore-style ``patterns`` of that rule cover a repository's name. Raises
    ValueError.

    It raises SettingsError when that takes too long.
    """
    from pathspec import GitIgnoreSpec  # imported here: it is needed only with rules
    from pathspec.pattern import RegexPattern

    bounded: list[Any] = []
    for text in patterns:
        try:
            (pattern,) = GitIgnoreSpec.from_lines([text]).patterns
            if pattern.include is None or not isinstance(pattern, RegexPattern) or pattern.regex is None:
                raise ValueError
            bounded.append(RegexPattern(_bounded(text, str(pattern.regex.pattern), rule), pattern.include))
        except (ValueError, re.error):
            raise ValueError(text) from None
    spec = GitIgnoreSpec(bounded)
    if not any(pattern.include for pattern in bounded):
        raise ValueError(patterns[0])
    match: Callable[[str], bool] = spec.match_file
    return match


def _bounded(text: str, translated: str, rule: str) -> Any:
    """In the stead of the compiled pattern that pathspec makes of ``text``: the same under the limits."""
    compiled = pattern(translated)
    shown = f'The rule "{rule}" is refused: the pattern "{printable(text[:60])}" of its repositories'
    subject = Subject("repository", shown)
    return SimpleNamespace(match=limited(compiled.match, subject), search=limited(compiled.search, subject))
