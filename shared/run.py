"""What a run learns, gathered as it goes, so that its report can be told also when it breaks off."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from shared import log
from shared.errors import JanitorError
from shared.events import Pushed
from shared.http import Cloud
from shared.in_use.references import Usage
from shared.journal import Journal
from shared.layers import LayerCount
from shared.lease import Leases
from shared.overrides import Narrowed
from shared.records import (
    Candidate,
    Image,
    Notice,
    Outcome,
    Policy,
    PolicyResult,
    Problem,
    Registry,
    Repository,
)
from shared.settings import Settings

REMAINING = Outcome("remaining")


class Survey(msgspec.Struct):
    """One repository as the run finds it.

    ``taken_by_active`` is what Yandex Cloud itself will delete, applied or not. ``images`` counts all, and is None
    until they were listed; ``size_bytes`` adds up their sizes.
    """

    registry: Registry
    repository: Repository
    policies: list[Policy]
    results: list[PolicyResult] = []
    candidates: dict[str, Candidate] = {}
    taken_by_active: list[tuple[Policy, list[Image]]] = []
    images: int | None = None
    size_bytes: int = 0
    outcomes: dict[str, Outcome] = {}

    def known(self, images: Iterable[Image]) -> Iterator[Image]:
        """``images``, but candidates that are as they were found as the same objects: 50,000 are held only once."""
        for image in images:
            candidate = self.candidates.get(image.image_id)
            yield candidate.image if candidate and candidate.image == image else image

    def going(self) -> dict[str, Candidate]:
        """The candidates that nothing keeps from being deleted so far, by id."""
        return {image_id: one for image_id, one in self.candidates.items() if image_id not in self.outcomes}


class Run(msgspec.Struct):
    """A run: its settings, what it found, and what went wrong.

    ``layers`` counts by registry id. ``link`` leads people to the page of what the run found; whoever has it may look,
    so that only notifications tell it.
    """

    narrowed: Narrowed
    pushed: frozenset[Pushed] | None = None
    run_id: str = ""
    started_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    registry_endpoint: str = ""
    journal: Journal | None = None
    leases: Leases | None = None
    cloud: Cloud | None = None
    link: str = ""
    surveys: list[Survey] = []
    usage: Usage = msgspec.field(default_factory=Usage)
    layers: dict[str, LayerCount] = {}
    warnings: list[Notice] = []
    errors: list[Problem] = []
    refused: bool = False
    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    @property
    def settings(self) -> Settings:
        return self.narrowed.settings

    def warn(self, code: str, message: str) -> None:
        with self.lock:
            self.warnings.append(Notice(code, message))
        log.warn(message, code=code)

    def refuse(self, code: str, message: str) -> None:
        self.refused = True
        self.warn(code, message)

    def problem(self, error: JanitorError, image_id: str = "") -> None:
        with self.lock:
            self.errors.append(Problem(error.where, error.code, str(error), image_id))
        log.error(str(error), where=error.where)

    def leave(self, survey: Survey) -> None:
        """Leaves what would go of the repository; where nothing is deleted there is nothing to leave."""
        if self.settings.mode == "apply":
            survey.outcomes |= dict.fromkeys(survey.going(), REMAINING)
