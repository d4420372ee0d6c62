"""Rules of age or rank mean nothing on a registry whose images all have the time of its migration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FOLDER, Cloud, assert_adds_up, assert_complains, outcomes

RULE = '[[rules]]\nname = "newest"\ntags = ".*"\nkeep_newest = 10\n'
ALLOWED = "allow_new_creation_times = true\n"
COPIED_AT = "2026-11-20T10:00:00Z"


def seed(cloud: Cloud, *, count: int = 30, migrated_at: str | None = COPIED_AT, more: int = 0) -> None:
    """The registry ``crp1``, migrated, and one of the other service that is as old as it says."""
    old = {"name": "app", "images": [{"series": count, "tags": ["t{n}"], "step": "1d", "newest": "30d"}]}
    target: dict[str, Any] = {"id": "crp1", "folder_id": FOLDER, "migrated": True}
    if migrated_at:
        target["migrated_at"] = migrated_at
    if more:
        pushed = {"series": more, "tags": ["new{n}"], "step": "1h", "newest": "1h"}
        target["repositories"] = [{"name": "since", "images": [pushed]}]
    cloud.seed(old, cloud_registries=[target])


def with_rules(folder: Path, text: str) -> str:
    (folder / "janitor.toml").write_text(text)
    return str(folder / "janitor.toml")


def codes(report: dict[str, Any]) -> list[str]:
    return [row["code"] for row in report["warnings"]]


@pytest.mark.parametrize("mode", ["dry-run", "apply"])
def test_the_run_is_refused_and_says_what_to_set(cloud: Cloud, tmp_path: Path, mode: str) -> None:
    seed(cloud)
    before = cloud.emulator.artifact_ids()

    report = cloud.clean(JANITOR_CONFIG=with_rules(tmp_path, RULE), CLEANUP_MODE=mode)

    assert_complains(report, "refused", "allow_new_creation_times = true", "2026-11-20", "newest")
    assert_adds_up(report)
    assert set(outcomes(report).values()) == {"remaining"}
    assert {row["kept_by"] for row in report["images"]} == {"allow_new_creation_times"}
    assert cloud.emulator.artifact_ids() == before


def test_what_was_pushed_since_does_not_hide_it(cloud: Cloud, tmp_path: Path) -> None:
    seed(cloud, more=15)

    report = cloud.clean(JANITOR_CONFIG=with_rules(tmp_path, RULE))

    assert report["status"] == "refused"


def test_it_is_carried_out_when_that_is_allowed(cloud: Cloud, tmp_path: Path) -> None:
    seed(cloud)

    report = cloud.clean(JANITOR_CONFIG=with_rules(tmp_path, ALLOWED + RULE))

    assert "new-creation-times" not in codes(report)
    assert report["totals"]["deleted"] == 20
    assert len(cloud.emulator.artifact_ids()) == 10


UNTROUBLED: dict[str, tuple[dict[str, Any], str]] = {
    "the times were kept": ({"migrated_at": None}, RULE),
    "too few images to tell": ({"count": 19}, RULE),
    "rules that need no times": ({}, '[[rules]]\nname = "all"\naction = "keep"\ntags = ".*"\n'),
    "no rules": ({}, ""),
}


@pytest.mark.parametrize(("seeded", "text"), UNTROUBLED.values(), ids=UNTROUBLED)
def test_other_registries_are_cleaned(
    cloud: Cloud, tmp_path: Path, seeded: dict[str, Any], text: str
) -> None:
    seed(cloud, **seeded)

    report = cloud.clean(JANITOR_CONFIG=with_rules(tmp_path, text))

    assert report["status"] == "ok"
    assert "new-creation-times" not in codes(report)


def test_container_registry_is_no_copy(cloud: Cloud, tmp_path: Path) -> None:
    cloud.seed({"name": "app", "images": [{"series": 30, "tags": ["t{n}"], "step": "1m"}]})

    report = cloud.clean(JANITOR_CONFIG=with_rules(tmp_path, RULE))

    assert (report["status"], report["totals"]["deleted"]) == ("ok", 20)


def test_an_event_cannot_allow_it(cloud: Cloud, tmp_path: Path) -> None:
    seed(cloud)
    config = with_rules(tmp_path, RULE)

    report = cloud.clean({"allow_new_creation_times": True}, JANITOR_CONFIG=config)

    assert_complains(report, "refused", "allow_new_creation_times beyond what the settings allow")
    assert len(cloud.emulator.artifact_ids()) == 30
