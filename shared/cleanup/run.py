"""What a run learns, gathered as it goes, so that its report can be told also when it breaks off."""

from __future__ import annotations

import threading
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec

from shared.cloud import log
from shared.cloud.client import Cloud
from shared.cloud.workloads import sources
from shared.errors import JanitorError
from shared.retention.layers import LayerCount
from shared.retention.plan import Plan
from shared.retention.records import (
    Candidate,
    Image,
    Notice,
    Outcome,
    Policy,
    PolicyResult,
    Problem,
    Registry,
    Repository,
    RepositoryName,
)
from shared.retention.references import Usage
from shared.retention.rule import Rule
from shared.settings.overrides import Narrowed
from shared.settings.settings import Settings
from shared.state.journal import Journal
from shared.state.leases import Leases

PACKED_AT_ONCE = 500


class Survey(msgspec.Struct):
    """One repository as the run finds it.

    Its candidates are there while it is `opened`, and packed otherwise: a run may have hundreds of thousands.
    ``taken_by_active`` names the images that Yandex Cloud itself will delete, applied or not. ``kept`` are
    those that keep rules keep, by id, as last listed. ``images`` counts all, and is None until they were
    listed; ``size_bytes`` adds up their sizes; ``going_count`` and ``candidate_count`` are as of the last
    packing.
    """

    registry: Registry
    repository: Repository
    policies: list[Policy]
    rules: list[Rule] = []
    results: list[PolicyResult] = []
    candidates: dict[str, Candidate] = {}
    outcomes: dict[str, Outcome] = {}
    taken_by_active: list[tuple[Policy, set[str]]] = []
    kept: dict[str, str] = {}
    images: int | None = None
    size_bytes: int = 0
    candidate_count: int = 0
    going_count: int = 0
    packed: list[bytes] = []
    open: bool = False
    unclear: set[str] = set()
    foreign: dict[str, frozenset[str]] = {}
    _tags: bytes = b""

    @contextmanager
    def opened(self) -> Iterator[Survey]:
        """The survey with its candidates, unpacked; whoever unpacked them packs them again.

        Both go piece by piece, so that there is never room for all of them twice.
        """
        if self.open:
            yield self
            return
        self._unpack()
        self.open = True
        try:
            yield self
        finally:
            self.open = False
            self._pack()
            self.candidates, self.kept = {}, {}

    def _pack(self) -> None:
        self.candidate_count, self.going_count = len(self.candidates), len(self.going())
        self.packed = []
        while self.candidates:
            some = [self.candidates.popitem()[1] for _ in range(min(PACKED_AT_ONCE, len(self.candidates)))]
            self.packed.append(zlib.compress(msgspec.msgpack.encode(some), level=1))

    def _unpack(self) -> None:
        shared: dict[tuple[str, ...], tuple[str, ...]] = {}
        while self.packed:
            for image, reasons in reversed(_PACKED.decode(zlib.decompress(self.packed.pop()))):
                self.candidates[image.image_id] = Candidate(image, shared.setdefault(reasons, reasons))

    def note_tags(self, images: Iterable[Image]) -> None:
        """Notes the tags of all images as they are listed first, for `take_tags`."""
        tags = [(image.image_id, image.tags) for image in images]
        self._tags = zlib.compress(msgspec.msgpack.encode(tags), level=1)

    def take_tags(self) -> dict[str, tuple[str, ...]]:
        """The noted tags, by image id; they are forgotten."""
        packed, self._tags = self._tags, b""
        return dict(_TAGS.decode(zlib.decompress(packed))) if packed else {}

    def each(self) -> Iterator[Candidate]:
        """Every candidate, one at a time, without unpacking them all."""
        if self.open:
            yield from self.candidates.values()
            return
        for some in reversed(self.packed):
            for image, reasons in reversed(_PACKED.decode(zlib.decompress(some))):
                yield Candidate(image, reasons)

    def known(self, images: Iterable[Image]) -> Iterator[Image]:
        """``images``, but candidates that are as they were found as the same objects: 50,000 are held only
        once.
        """
        for image in images:
            candidate = self.candidates.get(image.image_id)
            yield candidate.image if candidate and candidate.image == image else image

    def going(self) -> dict[str, Candidate]:
        """The candidates that nothing keeps from being deleted so far, by id."""
        return {image_id: one for image_id, one in self.candidates.items() if image_id not in self.outcomes}


_PACKED = msgspec.msgpack.Decoder(list[tuple[Image, tuple[str, ...]]])
_TAGS = msgspec.msgpack.Decoder(list[tuple[str, tuple[str, ...]]])


class Run(msgspec.Struct):
    """A run: its settings, what it found, and what went wrong.

    ``unseen`` is where what runs could not be looked up; ``matched`` counts images by a rule's name;
    ``undated`` are a repository's full name, the number of its images whose creation time a rule cannot
    believe, and one of them. ``layers`` counts by registry id, ``digests`` are the keys of a repository's
    digests, by its full name. ``plan`` is what a person said yes to, if the run is to carry that out.
    ``link`` leads people to the page of what the run found; whoever has it may look, so that only
    notifications tell it.
    """

    narrowed: Narrowed
    pushed: frozenset[RepositoryName] | None = None
    run_id: str = ""
    started_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    registry_endpoint: str = ""
    journal: Journal | None = None
    leases: Leases | None = None
    cloud: Cloud | None = None
    plan: Plan | None = None
    plan_begun: bool = False
    link: str = ""
    surveys: list[Survey] = []
    usage: Usage = msgspec.field(default_factory=Usage)
    unseen: list[sources.Unavailable] = []
    unseen_told: list[sources.Unavailable] = []
    looked_in_use_at: float = float("-inf")
    looking: threading.Lock = msgspec.field(default_factory=threading.Lock)
    matched: Counter[str] = msgspec.field(default_factory=Counter)
    undated: list[tuple[str, int, Image]] = []
    layers: dict[str, LayerCount] = {}
    digests: dict[str, array[int]] = {}
    warnings: list[Notice] = []
    errors: list[Problem] = []
    refused: bool = False
    held_back: bool = False
    guard_errors: int = 0
    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    @property
    def settings(self) -> Settings:
        return self.narrowed.settings

    def warn(self, code: str, message: str) -> None:
        with self.lock:
            self.warnings.append(Notice(code, message))
        log.warn(message, code=code)

    def refuse(self, code: str, message: str) -> None:
        """Notes that a limit stops the whole run."""
        self.refused = True
        self.warn(code, message)

    def hold_back(self, code: str, message: str) -> None:
        """Notes that a limit, a guard or another run stops the deletions of one repository or registry."""
        self.held_back = True
        self.warn(code, message)

    def problem(self, error: JanitorError, image_id: str = "") -> None:
        self.failed(Problem(error.where, error.code, str(error), image_id))

    def guard_problem(self, error: JanitorError) -> None:
        """Notes why a guard cannot be evaluated. It holds deletions back, but none of them has failed."""
        with self.lock:
            self.guard_errors += 1
        self.problem(error)

    def failed(self, problem: Problem) -> None:
        with self.lock:
            self.errors.append(problem)
        log.error(problem.message, where=problem.where)

    def leave(self, survey: Survey, why: str) -> None:
        """Leaves what would go of the repository; ``why`` names the limit or the guard that keeps it."""
        with survey.opened():
            survey.outcomes |= dict.fromkeys(survey.going(), Outcome("remaining", kept_by=why))
