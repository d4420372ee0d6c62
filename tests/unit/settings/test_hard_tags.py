"""A pattern that can take for ever is named before any tag is seen; an ordinary one is not."""

from __future__ import annotations

import pytest

from shared.errors import SettingsError
from shared.retention.rule import Rule
from shared.settings.hard_tags import try_out
from shared.settings.settings import Guards, Settings
from tests.support.patterns import BAD, ORDINARY

pytestmark = pytest.mark.usefixtures("new_run")


@pytest.mark.parametrize("text", [text for text, _ in BAD.values()], ids=BAD)
@pytest.mark.parametrize("key", ["tags", "group_by", "guards.keep_tags"])
def test_check_finds_it_without_any_tag(text: str, key: str) -> None:
    if key == "group_by" and "(?i)" in text:
        pytest.skip("flags begin a pattern")
    grouped = text if "(?P<group>" in text else f"(?P<group>{text})"
    rules = {
        "tags": Rule("slow", tags=text, older_than="1d"),
        "group_by": Rule("slow", tags=".*", keep_newest=1, group_by=grouped),
        "guards.keep_tags": Rule("quick", tags=".*", keep_newest=1),
    }
    guards = Guards(keep_tags=[text] if key == "guards.keep_tags" else [])
    with pytest.raises(SettingsError) as caught:
        try_out(Settings(rules=[rules[key]], guards=guards))
    assert key in str(caught.value)
    assert key == "guards.keep_tags" or 'The rule "slow"' in str(caught.value)


@pytest.mark.parametrize("text", [text for text, _, _ in ORDINARY.values()], ids=ORDINARY)
def test_check_takes_an_ordinary_pattern(text: str) -> None:
    try_out(Settings(guards=Guards(keep_tags=[text])))
