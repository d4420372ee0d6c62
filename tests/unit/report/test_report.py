"""The report as JSON: every version's can be read, and its keys come in the order of the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from shared.errors import JanitorError
from shared.report import report as reports
from shared.report.contract import Report
from shared.retention.records import Outcome
from shared.state import journal, plans
from shared.state.directory import StateDir
from shared.state.journal import Begin, Entry, Intent, Row
from tests.support import pages
from tests.support.channels import report

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
HEADING = reports.Heading("the-run", "apply", NOW)
KEYS = [
    *(
        "run_id",
        "plan_id",
        "mode",
        "status",
        "started_at",
        "finished_at",
        "totals",
        "repositories",
        "policies",
    ),
    *("images", "images_truncated", "warnings", "errors"),
]
BEFORE_SERVICES = pages.image(1)


def test_the_keys_come_in_order_and_what_is_not_known_is_left_out() -> None:
    document = reports.as_json(report(images=[pages.image(1)], retries=2))

    assert list(document) == [*KEYS, "retries"]
    assert list(document["images"][0])[:2] == ["service", "image_id"]
    assert document["images"][0]["tags"] == ["build-1"]
    assert document["images"][0]["kept_by"] is None
    assert list(reports.as_json(reports.empty(HEADING, NOW))) == KEYS


def test_a_report_of_an_error_tells_it_without_secrets() -> None:
    made = reports.of_error(HEADING, JanitorError("It failed.", where="FOLDER_ID"), NOW)

    assert (made.status, made.started_at) == ("failed", "2026-11-25T03:00:00Z")
    assert [(problem.where, problem.message) for problem in made.errors] == [("FOLDER_ID", "It failed.")]


def test_a_report_that_was_stored_before_there_were_services_is_of_container_registry(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    written = journal.Journal(state, Begin("the-run", "apply", "2026-11-25T03:00:00Z"))
    document = reports.as_json(report(images=[BEFORE_SERVICES], policies=[pages.policy("app")]))
    for row in (*document["images"], *document["policies"]):
        del row["service"]
    (tmp_path / "runs" / written.run_id / "report.json").write_bytes(msgspec.json.encode(document))

    kept = reports.kept(state, "the-run")

    assert kept.images[0].service == kept.policies[0].service == "container-registry"


def test_a_plan_that_was_made_before_there_were_services_is_read() -> None:
    row = {**BEFORE_SERVICES, "reasons": ["policy old"]}
    head = {"status": "ok", "mode": "plan", "totals": {}, "policies": [], "warnings": [], "errors": []}
    file = msgspec.json.encode(
        {"created_at": "2026-11-25T03:00:00Z", "takers": {}, "report": head, "images": [row]}
    )

    shown = plans.report("p1", file, Report)

    assert (shown.plan_id, shown.images[0].service, shown.images_truncated) == (
        "p1",
        "container-registry",
        False,
    )
    assert plans.read("p1", file).images["crp1/team-a/app"][row["image_id"]].reasons == ("policy old",)


def test_a_run_that_was_cut_off_is_told_from_its_journal() -> None:
    rows = [Row(name, "sha256:1", ("t",), "", 5, "policy old") for name in "abc"]
    settled = {1: {"a": Outcome("deleted"), "b": Outcome("protected", "grace", "young")}}
    entry = Entry(
        Begin("the-run", "apply", "2026-11-25T03:00:00Z"),
        False,
        [
            Intent(1, "crp1", "app", "crp1/app", rows),
            Intent(2, "crp1", "web", "crp1/web", rows, "cloud-registry"),
        ],
        settled,
    )

    made = reports.of_journal(entry, rows=4)

    assert (made.status, made.finished_at, made.images_truncated) == ("unfinished", None, True)
    totals = made.totals
    assert (totals.candidates, totals.deleted, totals.protected, totals.remaining) == (6, 1, 1, 4)
    assert totals.candidate_bytes == 30
    assert [row.service for row in made.images] == ["container-registry"] * 3 + ["cloud-registry"]
    assert [row.kept_by for row in made.images] == [None, "young", None, None]
    assert [warning.code for warning in made.warnings] == ["run-cut-off"]


def test_an_image_of_a_further_batch_is_counted_once() -> None:
    rows = [Row(name, "sha256:1", ("t",), "", 5, "policy old") for name in "abc"]
    intents = [Intent(1, "crp1", "app", "crp1/app", rows), Intent(2, "crp1", "app", "crp1/app", rows[1:])]
    began = Begin("the-run", "apply", "2026-11-25T03:00:00Z")
    entry = Entry(began, False, intents, {1: {"a": Outcome("deleted")}})

    totals = reports.of_journal(entry).totals

    assert (totals.candidates, totals.deleted, totals.remaining) == (3, 1, 2)
    assert totals.candidate_bytes == 15


def test_the_schema_asks_for_every_key_that_a_report_always_has() -> None:
    schema = reports.schema()["$defs"]

    assert schema["Report"]["required"] == KEYS
    assert "service" in schema["ImageRow"]["required"]
    assert all(definition["description"] for definition in schema.values())
