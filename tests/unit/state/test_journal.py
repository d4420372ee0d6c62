"""The journal of a run: what is on disk, and what a later run reads of it, wherever writing broke off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared.errors import StateError
from shared.retention.records import ALREADY_GONE, DELETED, Image, Outcome, Repository
from shared.state import journal
from shared.state.directory import StateDir
from shared.state.journal import Begin, Entry, Intent, Journal, Row

REPOSITORY = Repository("repository-id", "crp1", "crp1/team/app")
IMAGE = Image("a", "sha256:1", ("x", "y"), "2026-01-01T00:00:00Z", 7, b"")
BEGIN = Begin("run", "delete", "2026-11-25T12:00:00Z")


class Report(msgspec.Struct):
    status: str
    images: list[Row]


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path))


@pytest.fixture
def run(state: StateDir) -> Journal:
    return Journal(state, BEGIN)


def files(state: StateDir) -> list[str]:
    return journal.runs(state).get("run", [])


def entry(state: StateDir) -> Entry | None:
    return journal.entry(state, "run", files(state))


def read(state: StateDir) -> Entry:
    run_entry = entry(state)
    assert run_entry is not None
    return run_entry


def test_an_intent_is_on_disk_with_all_that_a_later_run_needs(run: Journal, state: StateDir) -> None:
    number = run.intend(REPOSITORY, [(IMAGE, ("policy p", "rule r"))], "cloud-registry")

    row = Row("a", "sha256:1", ("x", "y"), "2026-01-01T00:00:00Z", 7, "policy p, rule r")
    intent = Intent(number, "crp1", "team/app", "crp1/team/app", [row], "cloud-registry")
    assert read(state) == Entry(BEGIN, False, [intent], {})


def test_an_intent_is_open_until_it_is_settled(run: Journal, state: StateDir) -> None:
    numbers = [run.intend(REPOSITORY, [(IMAGE, ())]) for _ in range(3)]
    assert numbers == [1, 2, 3]

    outcomes = {"a": DELETED, "b": Outcome("failed", message="no", code=14)}
    run.settle(2, outcomes)

    assert [intent.number for intent in read(state).open()] == [1, 3]
    assert read(state).outcomes == {2: outcomes}


def test_more_than_nine_intents_are_read_in_their_order(run: Journal, state: StateDir) -> None:
    for _ in range(11):
        run.intend(REPOSITORY, [])
    assert [intent.number for intent in read(state).intents] == list(range(1, 12))


def test_a_later_run_settles_what_is_open_and_closes_the_run(run: Journal, state: StateDir) -> None:
    run.intend(REPOSITORY, [(IMAGE, ())])
    (intent,) = read(state).open()

    journal.settle_for(state, "run", intent, {"a": ALREADY_GONE}, by="later")
    assert (read(state).open(), read(state).ended) == ([], False)
    assert read(state).outcomes == {1: {"a": ALREADY_GONE}}

    journal.close_for(state, "run", by="later")
    assert read(state).ended


def test_a_report_ends_a_run(run: Journal, state: StateDir) -> None:
    assert not journal.ended(files(state))
    assert journal.written_report(state, "run", Report) is None

    row = Row("a", "sha256:1", (), "", 7, "")
    run.finish({"status": "ok"}, [row])

    assert journal.ended(files(state))
    assert journal.written_report(state, "run", Report) == Report("ok", [row])


def test_a_run_that_has_not_begun_has_no_entry(state: StateDir, tmp_path: Path) -> None:
    assert journal.runs(state) == {}
    assert entry(state) is None
    (tmp_path / "runs" / "run").mkdir(parents=True)
    assert entry(state) is None


def test_a_run_id_serves_once(run: Journal, state: StateDir) -> None:
    with pytest.raises(StateError):
        Journal(state, BEGIN)
    assert journal.runs(state) == {"run": ["begin.json"]}


@pytest.mark.parametrize(
    ("name", "intents", "open_intents", "ended"),
    [
        ("1.intent.json", [], [], False),
        ("1.outcome.json", [1], [1], False),
        ("1.settled.later.json", [1], [1], False),
        ("report.json", [1], [], True),
    ],
)
def test_a_file_that_was_cut_off_counts_as_not_written(  # noqa: PLR0913 - a row of the table and two fixtures
    run: Journal,
    state: StateDir,
    tmp_path: Path,
    name: str,
    intents: list[int],
    open_intents: list[int],
    ended: bool,
) -> None:
    run.intend(REPOSITORY, [(IMAGE, ())])
    if "settled" in name:
        journal.settle_for(state, "run", read(state).intents[0], {"a": DELETED}, by="later")
    else:
        run.settle(1, {"a": DELETED})
    if ended:
        run.finish({"status": "ok"}, [])
    file = tmp_path / "runs" / "run" / name
    file.write_bytes(file.read_bytes()[:-9])

    assert [intent.number for intent in read(state).intents] == intents
    assert [intent.number for intent in read(state).open()] == open_intents
    assert read(state).ended is ended
    assert journal.written_report(state, "run", Report) is None


def test_an_intent_whose_images_cannot_all_be_read_is_written_nowhere(run: Journal, state: StateDir) -> None:
    def images() -> Iterator[tuple[Image, tuple[str, ...]]]:
        yield IMAGE, ()
        raise OSError(28, "No space left on device")

    with pytest.raises(StateError, match="No space left"):
        run.intend(REPOSITORY, images())
    assert state.names("") == ["runs/run/begin.json"]


INTENT, OUTCOME, SETTLED = "1.intent.json", "1.outcome.json", "1.settled.later.json"
CLOSED: dict[str, tuple[list[str], list[list[str]]]] = {
    "nothing intended": (["report.json"], [[], ["begin.json"], ["report.json"]]),
    "all settled": (
        [INTENT, OUTCOME, "report.json"],
        [[INTENT], [OUTCOME, "begin.json"], ["report.json"]],
    ),
    "settled and ended by a later run": (
        [INTENT, SETTLED, "settled.later.json"],
        [[INTENT], [SETTLED, "begin.json"], ["settled.later.json"]],
    ),
    "an intent is open": ([INTENT, "report.json"], []),
    "another intent is open": ([INTENT, OUTCOME, "2.intent.json", "report.json"], []),
    "not ended": ([INTENT, OUTCOME], []),
    "settled but not ended": ([INTENT, SETTLED], []),
}


@pytest.mark.parametrize(("names", "stages"), CLOSED.values(), ids=CLOSED)
def test_only_the_files_of_a_closed_run_may_go(
    run: Journal, state: StateDir, names: list[str], stages: list[list[str]]
) -> None:
    for name in names:
        state.create(f"runs/run/{name}", [b"{}"])
    assert journal.closed_files("run", files(state)) == [
        [f"runs/run/{name}" for name in stage] for stage in stages
    ]


def test_wherever_deleting_breaks_off_the_run_shows_as_closed(run: Journal, state: StateDir) -> None:
    for _ in range(2):
        run.settle(run.intend(REPOSITORY, [(IMAGE, ())]), {"a": DELETED})
    run.finish({}, [])
    for name in [name for stage in journal.closed_files("run", files(state)) for name in stage][:-1]:
        state.delete(name)
        assert journal.ended(files(state))
        assert journal.closed_files("run", files(state))
        run_entry = entry(state)
        assert run_entry is None or run_entry.open() == []
