"""What settings write as text: durations, regular expressions, patterns of repositories, base URLs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from shared import address
from shared.errors import SettingsError

DURATION = r"^[0-9]{1,7}[hdw]$(?!\n)"
LONGEST_DURATION = timedelta(days=36_525)
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
TAG_SECONDS = 0.5
REPETITIONS = re.compile(r"[*+{]")
UNBOUNDED = re.compile(r"\)[*+?{]|\\[1-9gK]|\(\?(?![:=!]|<[=!]|P<)")


@cache
def duration(text: str) -> timedelta:
    """The time that a duration such as ``36h``, ``7d`` or ``2w`` stands for."""
    return int(text[:-1]) * UNITS[text[-1]]


@cache
def pattern(text: str) -> Any:
    """The compiled regular expression of a setting, of the regex package. Raises ValueError."""
    import regex  # imported here: most settings have no pattern

    try:
        return regex.compile(text)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error) or "it is too deep") from None


@cache
def whole_tag(text: str) -> Callable[[str], Any]:
    """What matches a whole tag with the regular expression ``text``; raises SettingsError on one that takes too long.

    The time limit costs more than most matches, so it is left out where a tag (128 characters at most, by the OCI
    distribution specification) cannot take long: at most three repetitions, none of them of a group.
    """
    match: Callable[..., Any] = pattern(text).fullmatch
    if len(REPETITIONS.findall(text)) <= 3 and not UNBOUNDED.search(text):
        return match

    def limited(tag: str) -> Any:
        try:
            return match(tag, timeout=TAG_SECONDS)
        except TimeoutError:
            raise SettingsError(
                f'The regular expression "{text[:60]}" took more than {TAG_SECONDS} s on one tag; write it without'
                " repetitions inside repetitions, such as (a+)+.",
                where="tags",
            ) from None

    return limited


@cache
def repository_matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """What tells whether gitignore-style ``patterns`` cover a repository's name. Raises ValueError."""
    from pathspec import GitIgnoreSpec  # imported here: it is needed only with rules

    for text in patterns:
        try:
            if any(one.include is None for one in GitIgnoreSpec.from_lines([text]).patterns):
                raise ValueError
        except (ValueError, re.error):
            raise ValueError(text) from None
    spec = GitIgnoreSpec.from_lines(patterns)
    if not any(one.include for one in spec.patterns):
        raise ValueError(patterns[0])
    match: Callable[[str], bool] = spec.match_file
    return match


def is_base_url(url: str) -> bool:
    """Whether paths can be put behind ``url``."""
    try:
        return not address.read(url).query and "?" not in url
    except ValueError:
        return False
