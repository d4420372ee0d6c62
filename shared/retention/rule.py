"""A ``[[rules]]`` table of the settings file, as a record. `shared.settings.rules` checks a list of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.retention.moments import DURATION

NAME = r"^[^\x00-\x1f\x7f-\x9f]{1,100}$(?!\n)"
LONGEST_PATTERN = 1_000
EVERYWHERE = ["**"]
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_PATTERN)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One ``[[rules]]`` table."""

    name: Annotated[str, Meta(pattern=NAME, description="The reason that the report gives; unique.")]
    action: Annotated[
        Literal["delete", "keep"], Meta(description="A keep rule wins over every delete rule and policy.")
    ] = "delete"
    repositories: Annotated[
        list[Text],
        Meta(min_length=1, description="gitignore-style patterns on names without the registry's id."),
    ] = msgspec.field(default_factory=lambda: list(EVERYWHERE))
    tags: Annotated[
        Text | None,
        Meta(
            description="A regular expression for whole tags: a delete rule is about images all of whose tags"
            " match, a keep rule about those with any that does."
        ),
    ] = None
    untagged: Annotated[bool, Meta(description="The rule is (also) about images without tags.")] = False
    older_than: Annotated[
        Annotated[str, Meta(pattern=DURATION)] | None,
        Meta(description="Take what was created that long ago: 36h, 7d, 2w."),
    ] = None
    keep_newest: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None,
        Meta(description="Leave that many of the newest images of a repository that the rule matches."),
    ] = None
    group_by: Annotated[
        Text | None,
        Meta(
            description="A regular expression with (?P<group>...): keep_newest counts for each value of it."
        ),
    ] = None
