"""A plan is shown first and carried out later: exactly its images go, and of those only what is as it was."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PlanRefused
from shared.retention import plan
from shared.retention.records import Candidate, Image
from shared.state import plans
from shared.state.directory import StateDir
from shared.state.plans import Decision
from tests.support.plans import VALID

WAS = plan.Planned(
    image_id="i",
    registry_id="crp1",
    repository="app",
    digest="sha256:1",
    tags=("a", "b"),
    created_at="",
    size_bytes=1,
    outcome="would-delete",
    reasons=("policy p", "rule r"),
)


def test_whoever_decides_first_has_decided(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    state, won = StateDir(str(tmp_path)), []

    def decide(number: int) -> None:
        try:
            plans.decide(state, "plan", Decision(by=str(number)))
        except PlanRefused:
            return
        won.append(str(number))

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    decided = plans.decision(state, "plan")
    assert decided
    assert won == [decided.by]


def test_a_plan_lasts_as_long_as_the_settings_say(tmp_path: Path) -> None:
    state, now = StateDir(str(tmp_path)), datetime.now(UTC)
    plan_id = plans.save(state, {"takers": {}, "report": {}}, list, now, VALID)

    plans.check_open(state, plan_id, now + timedelta(hours=1), timedelta(hours=2))
    with pytest.raises(PlanRefused, match=r"plans\.valid_for"):
        plans.check_open(state, plan_id, now + timedelta(hours=2), timedelta(hours=2))


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), tag=st.text())
def test_whatever_byte_of_a_plan_is_changed_its_id_fits_no_longer(position: int, byte: int, tag: str) -> None:
    now, row = datetime(2026, 11, 25, 3, 0, 0, 5, UTC), msgspec.structs.replace(WAS, tags=(tag,))
    rest = list(plans.rest({"takers": {}, "report": {"status": "ok"}}, [row, row]))
    plan_id, text = plans.identify(now, rest), b"".join(chain([plans.beginning(now)], rest))
    position %= len(text)
    changed = text[:position] + bytes([byte]) + text[position + 1 :]

    assert plans.is_unchanged(plan_id, text)
    assert msgspec.convert(json.loads(text)["images"], list[plan.Planned]) == [row, row]
    assert plans.is_unchanged(plan_id, changed) is (changed == text)
    assert not plans.is_unchanged(plan_id, text + b" ")


TAKERS = {"policy p": "1", "rule r": "2", "rule other": "3"}
SINCE = {
    "nothing": ("sha256:1", ("b", "a"), ("policy p", "rule r"), {}, ""),
    "a tag was lost": ("sha256:1", ("a",), ("policy p", "rule r"), {}, ""),
    "another rule takes it too": ("sha256:1", ("a",), ("policy p", "rule other", "rule r"), {}, ""),
    "a rule that takes it not was changed": ("sha256:1", ("a",), ("policy p", "rule r"), {"rule other": "4"}, ""),
    "a tag was gained": ("sha256:1", ("a", "c"), ("policy p", "rule r"), {}, "it has gained a tag"),
    "the digest": ("sha256:2", ("a",), ("policy p", "rule r"), {}, "it has another digest"),
    "only one of both takes it": ("sha256:1", ("a",), ("rule r",), {}, "what took it does so no longer"),
    "the policy": (
        "sha256:1", ("a",), ("policy p", "rule r"), {"policy p": "9"}, "what takes it has been changed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("digest", "tags", "reasons", "changed", "why"), SINCE.values(), ids=SINCE)
def test_what_has_changed_about_a_planned_image(
    digest: str, tags: tuple[str, ...], reasons: tuple[str, ...], changed: dict[str, str], why: str
) -> None:
    now = Candidate(Image("i", digest, tags, "", 1, b""), reasons)

    assert plan.change(WAS, now, TAKERS, TAKERS | changed) == why
    assert plan.change(WAS, None, TAKERS, TAKERS) == "what took it does so no longer"
