"""The journal of a run, ``runs/<run id>/`` in the state.

``begin.json``         when the run began, and in what mode
``<n>.intent.json``    images of one repository that are about to be deleted, kept before the first delete
``<n>.outcome.json``   what came of them
``report.json``        the report with every image, which ends the run
``<n>.settled.<run id>.json``, ``settled.<run id>.json``   the same two, of a later run for one that was
                       cut off; that may be cut off itself, so each later run has names of its own

An intent without an outcome is open: some of its images may be gone. The next run on that registry looks
which.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from shared.retention.records import Image, Outcome, Repository, Service
from shared.state import json_file
from shared.state.store import Store, Stored, body, write_once

RUNS = "runs/"
BEGIN, REPORT, SETTLED = "begin.json", "report.json", "settled."

Report = TypeVar("Report", bound=msgspec.Struct)


class Begin(msgspec.Struct, frozen=True):
    run_id: str
    mode: str
    started_at: str


class Row(msgspec.Struct, frozen=True, gc=False):
    """An image of an intent."""

    image_id: str
    digest: str
    tags: tuple[str, ...]
    created_at: str
    size_bytes: int
    reason: str


class Intent(msgspec.Struct, frozen=True):
    number: int
    registry_id: str
    repository: str
    full_name: str
    images: list[Row]
    service: Service = "container-registry"


class Settled(msgspec.Struct, frozen=True):
    """What came of an intent's images, by id; those that are missing were left."""

    outcomes: dict[str, Outcome]


class Journal:
    """Writes one run's journal. Raises StateError when it cannot."""

    def __init__(self, state: Store, begin: Begin) -> None:
        self.state, self.run_id = state, begin.run_id
        self._folder = f"{RUNS}{begin.run_id}"
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        write_once(state, f"{self._folder}/{BEGIN}", [msgspec.json.encode(begin)])

    def intend(
        self,
        repository: Repository,
        images: Iterable[tuple[Image, tuple[str, ...]]],
        service: Service = "container-registry",
    ) -> int:
        """Puts on disk which images, each with its reasons, will be deleted. Returns the intent's number."""
        with self._lock:
            number = next(self._numbers)
        head = {
            "number": number,
            "registry_id": repository.registry_id,
            "repository": repository.name,
            "full_name": repository.full_name,
            "service": service,
        }
        rows = (
            Row(
                image.image_id,
                image.digest,
                image.tags,
                image.created_at,
                image.size_bytes,
                ", ".join(reasons),
            )
            for image, reasons in images
        )
        write_once(
            self.state,
            f"{self._folder}/{number}.intent.json",
            json_file.chunks(json.dumps(head), "images", map(msgspec.json.encode, rows)),
        )
        return number

    def settle(self, number: int, outcomes: Mapping[str, Outcome]) -> None:
        """Puts on disk what came of an intent."""
        settled = msgspec.json.encode(Settled(dict(outcomes)))
        write_once(self.state, f"{self._folder}/{number}.outcome.json", [settled])

    def finish(self, head: Mapping[str, Any], rows: Iterable[msgspec.Struct]) -> None:
        """Puts the report on disk: ``head`` is all of it but its images, ``rows`` are these, all of them."""
        text = json.dumps({**head, "images_truncated": False})
        write_once(
            self.state,
            f"{self._folder}/{REPORT}",
            json_file.chunks(text, "images", map(msgspec.json.encode, rows)),
        )


class Entry(msgspec.Struct):
    """A run as its journal tells it. ``outcomes`` holds an intent's by its number."""

    begin: Begin
    ended: bool
    intents: list[Intent] = []
    outcomes: dict[int, dict[str, Outcome]] = {}

    def open(self) -> list[Intent]:
        return [intent for intent in self.intents if intent.number not in self.outcomes]


def runs(state: Store) -> dict[str, list[str]]:
    """The ids of the runs, oldest first, each with the names of its files. Raises StateError."""
    files: dict[str, list[str]] = {}
    for name in state.names(RUNS):
        run_id, _, file = name.removeprefix(RUNS).partition("/")
        files.setdefault(run_id, []).append(file)
    return files


def ended(files: Collection[str]) -> bool:
    """Whether a run with these files has ended."""
    return REPORT in files or any(name.startswith(SETTLED) for name in files)


def entry(state: Store, run_id: str, files: Collection[str]) -> Entry | None:
    """A run's journal, which has these files, or None when it had not begun. Raises StateError.

    A file that cannot be understood counts as not written.
    """
    folder = f"{RUNS}{run_id}"
    begin = _decoded(state.read(f"{folder}/{BEGIN}"), Begin)
    if begin is None:
        return None
    run_entry = Entry(begin, ended(files))
    for name in files:
        number, _, kind = name.partition(".")
        if kind == "intent.json":
            intent = _decoded(state.read(f"{folder}/{name}"), Intent)
            if intent:
                run_entry.intents.append(intent)
        elif kind.startswith(("outcome.", SETTLED)) and number.isdigit():
            settled = _decoded(state.read(f"{folder}/{name}"), Settled)
            if settled:
                run_entry.outcomes[int(number)] = settled.outcomes
    run_entry.intents.sort(key=lambda intent: intent.number)
    return run_entry


def written_report(state: Store, run_id: str, kind: type[Report]) -> Report | None:
    """The report that ended the run, as a ``kind``, if the run got that far."""
    report: Report | None = _decoded(state.read(f"{RUNS}{run_id}/{REPORT}"), kind)
    return report


def settle_for(
    state: Store, run_id: str, intent: Intent, outcomes: Mapping[str, Outcome], *, by: str
) -> None:
    """What a later run found out about an open intent of a run that was cut off."""
    settled = msgspec.json.encode(Settled(dict(outcomes)))
    write_once(state, f"{RUNS}{run_id}/{intent.number}.{SETTLED}{by}.json", [settled])


def close_for(state: Store, run_id: str, *, by: str) -> None:
    """Ends a run that was cut off: nothing of it is open any more."""
    write_once(state, f"{RUNS}{run_id}/{SETTLED}{by}.json", [b"{}\n"])


def closed_files(run_id: str, names: Collection[str]) -> list[list[str]]:
    """The objects of a run that has ended with no intent open; none of any other run.

    Delete each list before the next; the run's end is in the last. Wherever deleting breaks off, the files
    that are left still show a run that has ended with no intent open.
    """
    ends = [name for name in names if name == REPORT or name.startswith(SETTLED)]
    intents = [name for name in names if name.endswith(".intent.json")]
    others = [name for name in names if name not in ends and name not in intents]
    known = {name.partition(".")[0] for name in others}
    if not ends or any(name.partition(".")[0] not in known for name in intents):
        return []
    return [[f"{RUNS}{run_id}/{name}" for name in stage] for stage in (intents, others, ends)]


def _decoded(stored: Stored | None, kind: Any) -> Any:
    text = body(stored)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        return None
