"""Variables and templates in texts: what they are set to there, and what a text says with them filled in.
Pure.

What only the outside knows is written ``$``, which no reference may contain. A shell's assignment is taken
for certain; a field that merely has the variable's name (YAML, JSON, the environment of another program) may
be its value, and so may something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice, product

import msgspec

UNKNOWN = "$"
DEEPEST, MOST, LONGEST = 5, 16, 2000
FIRST, LAST = 0xE000, 0xF8FF  # private characters, each of which stands for a placeholder

_MARK = re.compile(f"[{chr(FIRST)}-{chr(LAST)}]")
_TOKEN = re.compile(r"[^\s\"'`,;<>|]+")
_PLACEHOLDER = re.compile(
    r"\$?\{\{(?P<template>[^{}]{0,300})\}\}"
    r"|\$\{(?P<braced>[A-Za-z_][\w.]{0,100})(?:(?P<op>[^\w{}\s])(?P<rest>[^{}\n]{0,300}))?\}"
    r"|\$\{(?P<other>[^{}\n]{0,300})\}"
    r"|\$\((?P<kubernetes>[A-Za-z_]\w{0,100})\)"
    r"|\$\((?P<command>[^()\n]{0,300})\)"
    r"|\$(?P<plain>[A-Za-z_]\w{0,100})"
    r"|\$[\d@*#?!-]"
    r"|%(?P<windows>[A-Za-z_]\w{0,100})%"
    r"|(?<=[\w/:@=.\"'-])\{(?P<python>[A-Za-z_]?[\w.]{0,100})\}"
    r"|(?<=[/:@])%(?:\((?P<printf>\w{1,100})\))?[sdv]"
)
_VALUE = r"(?P<value>(?:\"[^\"\n]{0,2000}\"|'[^'\n]{0,2000}'|[^\s;&|<>\"'`]{1,2000}){0,20})"
_SET = re.compile(
    r"(?:^|[;&|({\"'])[ \t-]*(?:(?:export|local|readonly|declare|typeset|set|then|do|else)[ \t]+)?"
    rf"(?P<name>[A-Za-z_]\w{{0,100}})=(?!=){_VALUE}",
    re.MULTILINE,
)
_FIELD = re.compile(
    r"(?<![\w$.-])[\"']?(?P<name>[A-Za-z_][\w.-]{0,100})[\"']?[ \t]{0,20}(?:[:+?]?=|:)[ \t]{0,20}" + _VALUE
)
_PAIR = re.compile(
    r"\bname[\"']?[ \t]{0,20}:[ \t]{0,20}[\"']?(?P<name>[A-Za-z_]\w{0,100})[\"']?\s{0,50},?\s{0,50}"
    rf"[\"']?value[\"']?[ \t]{{0,20}}:[ \t]{{0,20}}{_VALUE}"
)
_ELSEWHERE = re.compile(r"(?:^|[;&|({])[ \t]*(?:\.|source)[ \t]+\S", re.MULTILINE)
_LOOP = re.compile(r"\b(?:for|read|getopts|printf[ \t]+-v)[ \t]+(?:-\w+[ \t]+)*(?P<name>[A-Za-z_]\w{0,100})")


class _Placeholder(msgspec.Struct, frozen=True):
    """``defaults`` are what else it may stand for; ``of_shell``: an assignment settles it."""

    name: str = ""
    of_shell: bool = False
    defaults: tuple[str, ...] = ()


class Filled(msgspec.Struct, frozen=True):
    """A text with its placeholders filled in, and the names of those that ended up in a word that
    ``tells``.
    """

    text: str
    names: frozenset[str]


class Variables:
    """The variables of texts that belong together, such as the metadata of one machine."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._placeholders: list[_Placeholder] = []
        self._numbers: dict[_Placeholder, int] = {}
        self._set: dict[str, set[str]] = {}
        self._fields: dict[str, set[str]] = {}
        self._words: dict[str, tuple[list[str], set[str]]] = {}
        self._marked = [self._mark(text) for text in texts]
        if self._placeholders:
            for text in self._marked:
                self._learn(text)

    def filled(self, tells: re.Pattern[str]) -> Iterator[Filled]:
        """Each text with its placeholders filled in, in every way that they may be."""
        for text in self._marked:
            if not _MARK.search(text):
                yield Filled(text, frozenset())
                continue
            names: set[str] = set()
            done: dict[str, str] = {}

            def fill(token: re.Match[str], names: set[str] = names, done: dict[str, str] = done) -> str:
                if not _MARK.search(token[0]):
                    return token[0]
                if token[0] in done:
                    return done[token[0]]
                names_used: set[str] = set()
                words = self._fill(token[0], 0, names_used)
                if any(tells.search(word) for word in words):
                    names |= names_used
                done[token[0]] = " ".join(words)
                return done[token[0]]

            yield Filled(_TOKEN.sub(fill, text), frozenset(names))

    def _mark(self, text: str) -> str:
        """The text with a private character for each placeholder; what a placeholder says follows at the
        end.
        """
        text = _MARK.sub(" ", text)
        contents: list[str] = []
        for _ in range(DEEPEST):
            before, text = text, _PLACEHOLDER.sub(lambda match: self._character(match, contents), text)
            if before == text:
                break
        return "\n".join([text, *contents])

    def _character(self, match: re.Match[str], contents: list[str]) -> str:
        kind = match.lastgroup or ""
        if kind in ("template", "command", "other"):
            contents.append(match[kind])
        number = self._number(_placeholder(match))
        return UNKNOWN if number > LAST else chr(number)

    def _number(self, placeholder: _Placeholder) -> int:
        number = self._numbers.get(placeholder)
        if number is None:
            number = self._numbers[placeholder] = FIRST + len(self._numbers)
            self._placeholders.append(placeholder)
        return number

    def _learn(self, text: str) -> None:
        outside = bool(_ELSEWHERE.search(text))
        for pattern, values in ((_SET, self._set), (_PAIR, self._set), (_FIELD, self._fields)):
            for match in pattern.finditer(text):
                name = match["name"].rpartition(".")[2]
                known = values.setdefault(name, set())
                known.add(re.sub("[\"']", "", match["value"]))
                if outside:
                    known.add(UNKNOWN)
        for match in _LOOP.finditer(text):
            self._set.setdefault(match["name"], set()).add(UNKNOWN)

    def _fill(self, token: str, depth: int, names: set[str]) -> list[str]:
        """What a word with placeholders may be."""
        marks = _MARK.findall(token)
        unknown = [_MARK.sub(UNKNOWN, token)]
        if depth > DEEPEST or len(marks) > MOST or len(token) > LONGEST:
            return unknown
        choices = [self._choices(mark, depth, names) for mark in marks]
        pieces = _MARK.split(token)
        words = [
            "".join(part for pair in zip(pieces, (*combination, ""), strict=True) for part in pair)
            for combination in islice(product(*choices), MOST + 1)
        ]
        if len(words) > MOST or any(len(word) > LONGEST for word in words):
            return unknown
        return list(dict.fromkeys(words))

    def _choices(self, mark: str, depth: int, names: set[str]) -> list[str]:
        key = f"{mark}{depth}"
        if key not in self._words:
            placeholder = self._placeholders[ord(mark) - FIRST]
            inner = {placeholder.name}
            certain = self._set.get(placeholder.name, set())
            values = {*placeholder.defaults, *certain}
            if not (placeholder.of_shell and certain):
                values |= {UNKNOWN, *self._fields.get(placeholder.name, ())}
            if len(values) > MOST:
                values = {UNKNOWN}
            words = [word for value in sorted(values) for word in self._fill(value, depth + 1, inner)]
            self._words[key] = list(dict.fromkeys(words)), inner
        words, inner = self._words[key]
        names |= inner
        return words


def _placeholder(match: re.Match[str]) -> _Placeholder:
    if match["template"] is not None:
        return _template(match["template"])
    if match["braced"] is not None:
        name = match["braced"].rpartition(".")[2]
        op, rest = match["op"], match["rest"] or ""
        if op is None:
            return _Placeholder(name, of_shell=True)
        if op in "-=?+" or (op == ":" and rest[:1] in "-=?+"):
            value = rest[1:] if op == ":" else rest
            kind = rest[:1] if op == ":" else op
            return _Placeholder(name, of_shell=True, defaults=() if kind == "?" else (value,))
        return _Placeholder()
    name = match["kubernetes"] or match["plain"] or match["windows"]
    if name:
        return _Placeholder(name, of_shell=True)
    return _Placeholder((match["python"] or match["printf"] or "").rpartition(".")[2])


def _template(text: str) -> _Placeholder:
    """Of Go, Helm or Jinja, such as ``{{ .Values.tag | default "v1" }}``."""
    names = re.findall(r"[A-Za-z_]\w*", text.partition("|")[0])
    defaults = re.findall(r"[\"']([^\"'\n]{1,200})[\"']", text)
    return _Placeholder(names[-1] if names else "", defaults=tuple(defaults))
