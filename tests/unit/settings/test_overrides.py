"""What an event may change of the settings: it may narrow them, and widens them only where they allow it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import EventError, OverrideRefused
from shared.settings.overrides import narrow
from shared.settings.settings import KEYS, LifecyclePolicies, Limits, Settings
from tests.conftest import FOLDER
from tests.support.event_forms import JSON

CONFIGURED = Settings(
    registries=["crp1", "crp2"],
    mode="apply",
    lifecycle_policies=LifecyclePolicies(apply=["active", "drafts"]),
    limits=Limits(max_deletions=100, max_share=0.5, concurrency=8),
)

NARROWING: dict[str, dict[str, Any]] = {
    "a dry run": {"mode": "dry-run"},
    "the same mode": {"mode": "apply"},
    "one of the registries": {"registries": ["crp2"]},
    "one of the policies": {"lifecycle_policies": {"apply": ["drafts"]}},
    "the active policies alone": {"lifecycle_policies": {"apply": "active"}},
    "the active policies alone, as a list": {"lifecycle_policies": {"apply": ["active"]}},
    "no policy": {"lifecycle_policies": {"apply": []}},
    "lower limits": {"limits": {"max_deletions": 5, "max_share": 0.1, "concurrency": 1}},
    "a limit by its dotted name": {"limits.max_deletions": 5},
}


@pytest.mark.parametrize("overrides", NARROWING.values(), ids=NARROWING)
def test_an_event_may_narrow(overrides: dict[str, Any]) -> None:
    narrow(CONFIGURED, overrides)


def test_a_narrowed_setting_is_the_one_that_counts() -> None:
    narrowed = narrow(CONFIGURED, {"mode": "dry-run", "limits": {"max_deletions": 5}, "registries": ["crp2"]})

    assert narrowed.settings.mode == "dry-run"
    assert narrowed.settings.registries == ["crp2"]
    assert narrowed.settings.limits == Limits(max_deletions=5, max_share=0.5, concurrency=8)
    assert narrowed.settings.lifecycle_policies == CONFIGURED.lifecycle_policies


WIDENING: dict[str, tuple[dict[str, Any], str]] = {
    "another registry": ({"registries": ["crp1", "crp9"]}, "registries"),
    "every registry": ({"registries": []}, "registries"),
    "a folder": ({"folder_id": "b1gother"}, "folder_id"),
    "more deletions": ({"limits": {"max_deletions": 101}}, "limits.max_deletions"),
    "more deletions by the dotted name": ({"limits.max_deletions": 101}, "limits.max_deletions"),
    "a larger share": ({"limits": {"max_share": 0.51}}, "limits.max_share"),
    "more requests at once": ({"limits": {"concurrency": 9}}, "limits.concurrency"),
    "its own permission": ({"allow_overrides": ["mode"]}, "allow_overrides"),
    "another place for the state": ({"state_dir": "/tmp"}, "state_dir"),
    "a bucket for the state": ({"state_bucket": "others"}, "state_bucket"),
    "a credential": ({"sa_key_file": "/tmp/key.json"}, "sa_key_file"),
    "an endpoint": ({"YC_API_ENDPOINT": "http://evil.example"}, "YC_API_ENDPOINT"),
    "a key that there isn't": ({"limits": {"max_deletoins": 5}}, "limits.max_deletoins"),
    "one thing that narrows and one that doesn't": (
        {"mode": "dry-run", "limits": {"max_deletions": 101}},
        "limits.max_deletions",
    ),
}


@pytest.mark.parametrize(("overrides", "key"), WIDENING.values(), ids=WIDENING)
def test_an_event_that_widens_is_refused_by_the_name_of_the_key(overrides: dict[str, Any], key: str) -> None:
    with pytest.raises(OverrideRefused, match=key):
        narrow(CONFIGURED, overrides)


def test_an_event_does_not_turn_a_dry_run_into_deletions() -> None:
    with pytest.raises(OverrideRefused, match="mode"):
        narrow(Settings(folder_id=FOLDER), {"mode": "apply"})


WRONG_TYPES: dict[str, dict[str, Any]] = {
    "registries": {"registries": "crp1"},
    "mode": {"mode": "delete"},
    "limits.max_deletions": {"limits": {"max_deletions": "5"}},
    "limits.max_share": {"limits": {"max_share": -1}},
    "limits.concurrency": {"limits": {"concurrency": 0}},
    "lifecycle_policies.apply": {"lifecycle_policies": {"apply": 5}},
    "limits.max_deletions as true": {"limits": {"max_deletions": True}},
    "folder_id": {"folder_id": 5},
}


@pytest.mark.parametrize("overrides", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_an_override_of_the_wrong_type_is_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises((EventError, OverrideRefused)) as caught:
        narrow(CONFIGURED, overrides)
    assert next(iter(overrides)) in str(caught.value)


def test_what_allow_overrides_lists_may_be_widened_and_nothing_else() -> None:
    lenient = Settings(folder_id=FOLDER, allow_overrides=["mode"])

    assert narrow(lenient, {"mode": "apply"}).settings.mode == "apply"
    with pytest.raises(OverrideRefused, match=r"limits\.max_deletions"):
        narrow(lenient, {"mode": "apply", "limits": {"max_deletions": 20_000}})


OVERRIDES = st.dictionaries(
    st.sampled_from(sorted({*KEYS, "limits", "lifecycle_policies", "guards", "price"})) | st.text(max_size=8),
    JSON | st.sampled_from(["active", "apply", "dry-run", ["crp1"], ["drafts"], {"apply": ["drafts"]}]),
    max_size=3,
)


@given(OVERRIDES)
def test_any_overrides_leave_the_settings_within_what_is_configured_or_are_refused(
    overrides: dict[str, Any],
) -> None:
    try:
        settings = narrow(CONFIGURED, overrides).settings
    except (EventError, OverrideRefused) as error:
        assert str(error)
    else:
        assert settings.registries
        assert set(settings.registries) <= {"crp1", "crp2"}
        assert settings.limits.max_deletions <= 100
        assert settings.limits.max_share <= 0.5
        assert settings.limits.concurrency <= 8


LIMITS = st.builds(
    Limits,
    max_deletions=st.integers(0, 50),
    max_share=st.floats(0, 1),
    concurrency=st.integers(1, 256),
)


@given(LIMITS, LIMITS)
def test_no_event_raises_a_limit(configured: Limits, asked: Limits) -> None:
    overrides = {
        "limits": {
            "max_deletions": asked.max_deletions,
            "max_share": asked.max_share,
            "concurrency": asked.concurrency,
        }
    }
    lower = (
        asked.max_deletions <= configured.max_deletions
        and asked.max_share <= configured.max_share
        and asked.concurrency <= configured.concurrency
    )
    try:
        narrow(Settings(folder_id=FOLDER, limits=configured), overrides)
    except OverrideRefused:
        assert not lower
    else:
        assert lower
