"""How long patterns may take: those that cannot take long run freely, all others under two limits.

A tag has 128 characters at most (OCI distribution specification). `few_ways` proves of a regular expression
that a match tries no more than eight ways for each character of a tag, and goes each of them once along the
tag: a millisecond at the very most. Everything else may take 0.5 s for one text, and 5 s for all texts of a
run.

Both are computing time of the thread that matches, not time on the wall, for a function may have an eighth of
a core and many threads. The timeout of the regex package counts the computing time of the whole process, so
that with 16 threads it comes 16 times too early: then the match is tried again with more. What took long is
remembered, so that the looks at the same tags later in a run cost nothing, and a run that got past its first
look gets past the others too.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from shared.errors import SettingsError

LONGEST_TAG = 128
TEXT_SECONDS = 0.5
RUN_SECONDS = 5.0
NOTED_SECONDS = 0.0001
MOST_WAYS = 8 * (LONGEST_TAG + 1)
REMEDIES = {
    "tag": "write it without repetitions inside repetitions, such as (a+)+, without repeated alternatives"
    " that begin alike, such as (a|aa)+, and with fewer wildcards",
    "repository": "write it with fewer wildcards",
}

TOKEN = re.compile(
    r"(?P<open>\((?:\?:|\?P<\w+>)?(?!\?))"
    r"|(?P<close>\)(?:\?\??)?(?![*+?{]))"
    r"|(?P<bar>\|)"
    r"|(?P<edge>[\^$](?![*+?{]))"
    r"|(?P<atom>\\[dDwWsS]|\\[^A-Za-z0-9]|\[\^?(?:\\[dDwWsS]|\\[^A-Za-z0-9]|[^\\\[\]&|~^])+\]|[^\\\[\](){}*+?|^$])"
    r"(?:(?P<sign>[*+?])|\{(?P<least>[0-9]{1,4})(?P<comma>,)?(?P<most>[0-9]{1,4})?\})?\??(?![*+?{])",
    re.ASCII | re.DOTALL,
)


def few_ways(text: str) -> bool:
    """Whether the regular expression ``text`` surely tries few ways on a tag. False is no proof of the
    contrary.

    It must be a sequence of characters, classes, groups and alternatives, in which only single characters are
    repeated. A repetition multiplies the ways by its counts, unless what follows fixes where it ends: a
    character that it cannot take, or the end of the pattern. ``)?`` and each ``|`` double them.
    """
    tokens: list[re.Match[str]] = []
    place = 0
    while place < len(text):
        token = TOKEN.match(text, place)
        if token is None:
            return False
        tokens.append(token)
        place = token.end()
    ways = 1
    for number, token in enumerate(tokens):
        ways *= _ways(token, tokens[number + 1 :])
        if ways > MOST_WAYS:
            return False
    return True


def _ways(token: re.Match[str], after: list[re.Match[str]]) -> int:
    if token["bar"] or (token["close"] and token["close"] != ")"):
        return 2
    least, most = _counts(token)
    if most == least or (most - least > 1 and _ends_there(token["atom"], after)):
        return 1
    return min(most, LONGEST_TAG) - min(least, LONGEST_TAG) + 1


def _counts(token: re.Match[str]) -> tuple[int, int]:
    """How often the token's character may come, at least and at most."""
    if token["sign"]:
        return (1 if token["sign"] == "+" else 0), (1 if token["sign"] == "?" else LONGEST_TAG)
    if not token["least"]:
        return 1, 1
    least = int(token["least"])
    most = int(token["most"]) if token["most"] else LONGEST_TAG if token["comma"] else least
    return least, most


def _ends_there(atom: str, after: list[re.Match[str]]) -> bool:
    """Whether what follows leaves a repetition of ``atom`` a single place to end."""
    import regex  # imported here: most settings have no pattern

    following = next((token for token in after if not token["close"]), None)
    if following is None:
        return True
    character = (following["atom"] or "").removeprefix("\\")
    fixed = len(character) == 1 and character.isascii() and following["atom"] != "." and _counts(following)[0]
    if not fixed or (character.isalnum() and following["atom"] != character):
        return False
    return not regex.fullmatch(atom, character, regex.DOTALL)


class Subject(NamedTuple):
    """What is matched: a kind of text, and the beginning of the sentence that refuses the pattern."""

    kind: Literal["tag", "repository"]
    text: str


class Patience:
    """What the slow matches of a run have taken, and what came of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.renew()

    def renew(self) -> None:
        """A run begins."""
        self.known: dict[tuple[Subject, str], Any] = {}
        self.seconds = 0.0
        self._each: Counter[Subject] = Counter()

    def note(self, subject: Subject, text: str, result: Any, seconds: float) -> None:
        with self._lock:
            self.known[subject, text] = result
            self.seconds += seconds
            self._each[subject] += seconds  # type: ignore[assignment]  # a Counter of seconds

    def worst(self) -> Subject:
        """What has taken the most."""
        with self._lock:
            return self._each.most_common(1)[0][0]


_patience = Patience()
renew = _patience.renew


def limited(match: Callable[..., Any], subject: Subject) -> Callable[[str], Any]:
    """``match``, of the regex package, under both limits, past which it raises SettingsError."""

    def matched(text: str) -> Any:
        if (subject, text) in _patience.known:
            return _patience.known[subject, text]
        if _patience.seconds > RUN_SECONDS:
            raise too_slow(_patience.worst(), RUN_SECONDS, "in this run, with the other patterns")
        result, seconds = timed(match, text, TEXT_SECONDS)
        if seconds > TEXT_SECONDS:
            raise too_slow(subject, TEXT_SECONDS, f"for one {subject.kind}")
        if seconds > NOTED_SECONDS:
            _patience.note(subject, text, result, seconds)
        return result

    return matched


def timed(match: Callable[..., Any], text: str, limit: float) -> tuple[Any, float]:
    """The result of ``match(text)``, and the seconds that this thread computed it; more than ``limit``: no
    result.
    """
    began, timeout = time.thread_time(), limit
    while True:
        try:
            return match(text, timeout=timeout), min(time.thread_time() - began, limit)
        except TimeoutError:
            seconds = time.thread_time() - began
            if seconds > limit * 0.9:
                return None, limit + seconds
            timeout *= 2


def too_slow(subject: Subject, seconds: float, for_what: str) -> SettingsError:
    return SettingsError(
        f"{subject.text} takes more than {seconds:g} s of computing time {for_what};"
        f" {REMEDIES[subject.kind]}.",
        where=subject.text.partition(" is refused")[0],
    )
