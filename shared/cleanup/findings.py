"""What goes wrong in a run and what holds it back: added and never changed, and logged as it is added."""

from __future__ import annotations

import threading

import msgspec

from shared.cloud import log
from shared.errors import JanitorError
from shared.retention.records import Notice, Problem


class Findings(msgspec.Struct):
    """The warnings and errors of a run.

    ``refused``: a limit or an override stops the whole run; ``held_back``: a guard, a limit or another run
    stops a part of it. ``guard_errors`` counts the errors that say why a guard cannot be evaluated: for them
    no deletion has failed.
    """

    warnings: list[Notice] = []
    errors: list[Problem] = []
    refused: bool = False
    held_back: bool = False
    guard_errors: int = 0
    _lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    def warn(self, code: str, message: str) -> None:
        with self._lock:
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
        """Notes an error, once however many repositories it concerns."""
        with self._lock:
            if error.noted:
                return
            error.noted = True
        self.failed(Problem(error.where, error.code, str(error), image_id))

    def guard_problem(self, error: JanitorError) -> None:
        """Notes why a guard cannot be evaluated. It holds deletions back, but none of them has failed."""
        with self._lock:
            self.guard_errors += 1
        self.problem(error)

    def failed(self, problem: Problem) -> None:
        with self._lock:
            self.errors.append(problem)
        log.error(problem.message, where=problem.where)
