"""The file's rules are checked as a whole: what is wrong is named, with its rule and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.retention.rule import Rule
from shared.settings.rules import ACCEPTS, check_rules
from shared.settings.settings import load

GOOD = 'name = "r"\ntags = ".*"\nolder_than = "30d"'
KEEP = 'name = "k"\naction = "keep"'

BAD_RULES = {
    "no name": ('tags = ".*"\nolder_than = "1d"', ["rules[1].name", "missing"]),
    "an empty name": ('name = ""\ntags = ".*"\nolder_than = "1d"', ["rules[1].name", "1 to 100"]),
    "a blank name": ('name = "  "\ntags = ".*"\nolder_than = "1d"', ["rules[1].name", "blank"]),
    "a name with a line break": ('name = "a\\nb"\ntags = ".*"\nolder_than = "1d"', ["rules[1].name"]),
    "a very long name": (f'name = "{"n" * 5000}"\ntags = ".*"\nolder_than = "1d"', ["rules[1].name", "…"]),
    "a number for a name": ('name = 5\ntags = ".*"\nolder_than = "1d"', ["rules[1].name"]),
    "an unknown key": (f"{GOOD}\nkeep_newset = 3", ["rules[1].keep_newset", "keep_newest"]),
    "a native policy's key": (f"{GOOD}\nretained_top = 3", ["rules[1].retained_top", "older_than"]),
    "an action that there isn't": (f'{GOOD}\naction = "remove"', ["action", "remove", "delete or keep"]),
    "a duration in words": (
        'name = "r"\ntags = "x"\nolder_than = "30 days"',
        ["older_than", "30 days", "36h"],
    ),
    "a duration in minutes": ('name = "r"\ntags = "x"\nolder_than = "30m"', ["older_than", "30m"]),
    "a fraction of a day": ('name = "r"\ntags = "x"\nolder_than = "1.5d"', ["older_than", "1.5d"]),
    "a number for a duration": ('name = "r"\ntags = "x"\nolder_than = 30', ["older_than", "30"]),
    "less than no time": ('name = "r"\ntags = "x"\nolder_than = "-1d"', ["older_than", "-1d"]),
    "no time": ('name = "r"\ntags = "x"\nolder_than = "0h"', ["older_than", "more than none"]),
    "101 years": ('name = "r"\ntags = "x"\nolder_than = "36866d"', ["older_than", "100 years"]),
    "a huge duration": (f'name = "r"\ntags = "x"\nolder_than = "{"9" * 400}d"', ["older_than", "…"]),
    "a duration with a line break": ('name = "r"\ntags = "x"\nolder_than = "3d\\n"', ["older_than"]),
    "other digits": ('name = "r"\ntags = "x"\nolder_than = "٣d"', ["older_than"]),
    "to keep none": ('name = "r"\ntags = "x"\nkeep_newest = 0', ["keep_newest", "from 1"]),
    "to keep less": ('name = "r"\ntags = "x"\nkeep_newest = -5', ["keep_newest", "-5"]),
    "to keep a fraction": ('name = "r"\ntags = "x"\nkeep_newest = 1.5', ["keep_newest", "1.5"]),
    "to keep true": ('name = "r"\ntags = "x"\nkeep_newest = true', ["keep_newest"]),
    "to keep more than there can be": (
        'name = "r"\ntags = "x"\nkeep_newest = 9223372036854775807',
        ["keep_newest"],
    ),
    "a number in quotes": (
        'name = "r"\ntags = "x"\nkeep_newest = "5"',
        ["keep_newest", "give 5, without quotes"],
    ),
    "untagged in quotes": ('name = "r"\nuntagged = "yes"\nkeep_newest = 5', ["untagged", "true or false"]),
    "a list of tags": ('name = "r"\ntags = ["x"]\nkeep_newest = 5', ["tags", "regular expression"]),
    "an empty pattern": ('name = "r"\ntags = ""\nkeep_newest = 5', ["tags", "regular expression"]),
    "a broken pattern": ('name = "r"\ntags = "feature-("\nkeep_newest = 5', ["tags", "feature-("]),
    "a shell pattern": ('name = "r"\ntags = "*-dev"\nkeep_newest = 5', ["tags", "*-dev"]),
    "a huge pattern": (f'name = "r"\ntags = "{"x" * 2000}"\nkeep_newest = 5', ["tags"]),
    "a pattern too deep": (f'name = "r"\ntags = "{"(" * 400}{")" * 400}"\nkeep_newest = 0', ["keep_newest"]),
    "no group": (f'{GOOD}\nkeep_newest = 1\ngroup_by = "f-.*"', ["group_by", "(?P<group>"]),
    "another group": (f'{GOOD}\nkeep_newest = 1\ngroup_by = "f-(?P<branch>.*)"', ["group_by", "(?P<group>"]),
    "a broken group": (
        f'{GOOD}\nkeep_newest = 1\ngroup_by = "(?P<group>"',
        ["group_by", "regular expression"],
    ),
    "groups of what is not counted": (f'{GOOD}\ngroup_by = "(?P<group>.*)"', ["group_by", "keep_newest"]),
    "groups without tags": (
        'name = "r"\nuntagged = true\nkeep_newest = 1\ngroup_by = "(?P<group>.*)"',
        ["group_by", "add tags"],
    ),
    "repositories in no list": (f'{GOOD}\nrepositories = "team-a/**"', ["repositories", "team-a/**"]),
    "no repositories": (f"{GOOD}\nrepositories = []", ["repositories"]),
    "an empty repository": (f'{GOOD}\nrepositories = [""]', ["repositories"]),
    "a comment for a repository": (f'{GOOD}\nrepositories = ["# all"]', ["repositories", "# all"]),
    "a broken repository": (f'{GOOD}\nrepositories = ["!"]', ["repositories"]),
    "only exceptions": (f'{GOOD}\nrepositories = ["!team-a/base"]', ["repositories", "!team-a/base"]),
    "no filter": ('name = "r"\nolder_than = "1d"', ["tags", "untagged", 'rule "r"']),
    "a filter that is off": ('name = "r"\nuntagged = false\nolder_than = "1d"', ["tags", "untagged"]),
    "no condition": ('name = "r"\ntags = ".*"', ["older_than", "keep_newest"]),
    "an age for a keep rule": (f'{KEEP}\ntags = "v.*"\nolder_than = "1d"', ["older_than", "keep rule"]),
    "a number for a keep rule without tags": (f"{KEEP}\nkeep_newest = 5", ["keep_newest", "add tags"]),
    "a name twice": (f"{GOOD}\n[[rules]]\n{GOOD}", ["rules[2].name", '"r"']),
    "covered by a rule that keeps all": (f"{KEEP}\n[[rules]]\n{GOOD}", ["rules[2].action", '"k"']),
    "covered by the same tags": (
        f'{KEEP}\ntags = ".*"\n[[rules]]\n{GOOD}\nrepositories = ["team-a/**"]',
        ["rules[2].action", '"k"'],
    ),
    "covered in its repositories": (
        f'{KEEP}\nrepositories = ["a/**"]\n[[rules]]\n{GOOD}\nrepositories = ["a/**"]',
        ["rules[2].action"],
    ),
}
BAD_LISTS = {
    "one table": ('[rules]\nname = "r"', ["rules", "[[rules]]"]),
    "a list of names": ('rules = ["old"]', ["rules[1]", "[[rules]]"]),
    "text": ('rules = "all"', ["rules", "[[rules]]"]),
    "another name for the table": (f"[[rule]]\n{GOOD}", ["rule", "rules"]),
}


@pytest.mark.parametrize(("rules", "named"), BAD_RULES.values(), ids=BAD_RULES)
def test_a_bad_rule_is_named_with_its_key_and_the_remedy(
    rules: str, named: list[str], tmp_path: Path
) -> None:
    assert_refused(f"[[rules]]\n{rules}\n", named, tmp_path)


@pytest.mark.parametrize(("document", "named"), BAD_LISTS.values(), ids=BAD_LISTS)
def test_rules_are_tables(document: str, named: list[str], tmp_path: Path) -> None:
    assert_refused(document, named, tmp_path)


def assert_refused(document: str, named: list[str], folder: Path) -> None:
    file = folder / "janitor.toml"
    file.write_text(document)
    with pytest.raises(SettingsError) as caught:
        load({"FOLDER_ID": "b1gfolder", "JANITOR_CONFIG": str(file)})
    for text in (*named, str(file)):
        assert text in str(caught.value)
    assert str(caught.value).endswith((".", "?"))
    assert len(str(caught.value)) < 450 + len(str(file))


GOOD_RULES = {
    "the contract's": {
        "name": "feature branches",
        "action": "delete",
        "repositories": ["team-a/**", "!team-a/base"],
        "tags": "feature-.*",
        "untagged": False,
        "older_than": "30d",
        "keep_newest": 5,
        "group_by": "feature-(?P<group>[^-]+)-.*",
    },
    "100 years": {"name": "r", "tags": ".*", "older_than": "36525d"},
    "tags, untagged and groups": {
        "name": "r", "tags": ".*", "untagged": True, "keep_newest": 1, "group_by": "(?P<group>.).*"
    },
    "a keep rule for all": {"name": "r", "action": "keep", "repositories": ["base"]},
    "the newest of each branch kept": {
        "name": "r", "action": "keep", "tags": "f-.*", "keep_newest": 1, "group_by": "f-(?P<group>.*)"
    },
}  # fmt: skip


@pytest.mark.parametrize("table", GOOD_RULES.values(), ids=GOOD_RULES)
def test_a_good_rule_is_taken_as_it_is_written(table: dict[str, Any]) -> None:
    (rule,) = check_rules([table], lambda key: key)

    assert {name: getattr(rule, name) for name in table} == table


@pytest.mark.parametrize(
    "keep",
    [
        {"tags": "v.*"},
        {"tags": ".*", "keep_newest": 5},
        {"untagged": True},
        {"repositories": ["base"]},
        {"tags": ".*", "repositories": ["team-b/**"]},
    ],
)
def test_a_keep_rule_that_leaves_something_to_take_is_no_fault(keep: dict[str, Any]) -> None:
    delete = {"name": "r", "tags": ".*", "older_than": "1d"}

    assert len(check_rules([{"name": "k", "action": "keep", **keep}, delete], lambda key: key)) == 2


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["3d", ".*", "keep"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
TABLES = st.dictionaries(st.sampled_from([*ACCEPTS, "tag", "Name", ""]), ANYTHING, max_size=6)


@given(st.lists(TABLES, max_size=3) | ANYTHING)
def test_whatever_is_written_gives_rules_or_one_sentence(tables: Any) -> None:
    try:
        rules = check_rules(tables, lambda key: f"{key} in the file")
    except SettingsError as error:
        assert "rules" in str(error)
        assert "\n" not in str(error)
    else:
        assert all(isinstance(rule, Rule) for rule in rules)
