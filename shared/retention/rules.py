"""The rules: images of one repository in, decisions with reasons out. No I/O, no clock, no environment.

What keep rules keep is found first, and is neither counted nor taken by any delete rule. An image goes when
at least one delete rule matches it and every one that does says delete, as with native policies.

An image whose creation time cannot be believed (missing, before 2013, which had no registries of images, or
in the future: reproducible builds say 1970 or 1980) is never taken, and never counted among the newest that a
delete rule leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice

import msgspec

from shared.retention.moments import duration
from shared.retention.patterns import repository_matcher, whole_tag
from shared.retention.records import Image
from shared.retention.rule import Rule as Rule

FIRST_MOMENT = datetime(2013, 1, 1, tzinfo=UTC)
EVERY: dict[str, Callable[[Iterable[object]], bool]] = {"delete": all, "keep": any}

Created = dict[str, datetime | None]
ByGroup = dict[str, list[Image]]


class Decision(msgspec.Struct):
    """What the rules say of a repository's images.

    ``taken`` gives the reasons by image id, ``kept`` the keep rule, ``matched`` the number of images by a
    rule's name. ``undated`` are images that a delete rule matches, but whose creation time cannot be
    believed.
    """

    taken: dict[str, tuple[str, ...]] = {}
    kept: dict[str, str] = {}
    matched: dict[str, int] = {}
    undated: dict[str, Image] = {}


class Judged(msgspec.Struct, frozen=True):
    """The images that rules have judged, and by its reason the ids that each delete rule takes of them."""

    images: Sequence[Image] = ()
    taken: Mapping[str, Collection[str]] = {}

    def holds(self, images: Sequence[Image], gone: Collection[str]) -> bool:
        """Whether the rules would say the same of ``images``, which lack some that are ``gone``.

        What a rule takes is none of the newest that it or another rule counts, so that these stay the same
        without it.
        """
        if len(images) == len(self.images):
            return images == self.images
        left = [image for image in self.images if image.image_id not in gone]
        lacking = [image.image_id for image in self.images if image.image_id in gone]
        return left == images and all(any(i in ids for ids in self.taken.values()) for i in lacking)


def covering(rules: Iterable[Rule], repository: str) -> list[Rule]:
    """The rules that are about the repository, which is named without its registry's id."""
    return [rule for rule in rules if repository_matcher(tuple(rule.repositories), rule.name)(repository)]


def decide(rules: Sequence[Rule], images: Sequence[Image], now: datetime) -> Decision:
    """What ``rules``, all of which cover the repository, say of all of its ``images`` at the time ``now``.

    Raises SettingsError for a rule whose regular expression takes too long.
    """
    decision = Decision()
    created = _created(images, now)
    for rule in rules:
        if rule.action == "keep":
            by_group = _matching(rule, images, decision)
            for image_id in _kept(rule, by_group, created):
                decision.kept.setdefault(image_id, rule.name)
    countable = [image for image in images if image.image_id not in decision.kept]
    staying: set[str] = set()
    for rule in rules:
        if rule.action == "delete":
            by_group = _matching(rule, countable, decision)
            _take(rule, by_group, created, now, decision, staying)
    decision.taken = {
        image_id: reasons for image_id, reasons in decision.taken.items() if image_id not in staying
    }
    return decision


def _created(images: Sequence[Image], now: datetime) -> Created:
    try:
        moments = map(datetime.fromisoformat, [image.created_at for image in images])
        return {
            image.image_id: born if FIRST_MOMENT <= born <= now else None
            for image, born in zip(images, moments, strict=True)
        }
    except (ValueError, TypeError):  # one of them is no moment
        return {image.image_id: moment(image.created_at, now) for image in images}


def moment(created_at: str, now: datetime) -> datetime | None:
    """When an image was created (RFC 3339), or None if that cannot be believed."""
    try:
        created = datetime.fromisoformat(created_at)
        return created if FIRST_MOMENT <= created <= now else None
    except (ValueError, TypeError):  # TypeError: it has no time zone
        return None


def label(rule: Rule) -> str:
    return f"rule {rule.name}"


def matches(rule: Rule, tags: Sequence[str]) -> bool:
    """Whether the rule is about an image with these tags: all of them for a delete rule, any for a keep
    rule.
    """
    return matcher(rule)(tags) and (not rule.group_by or bool(groups(rule, tags)))


def matcher(rule: Rule) -> Callable[[Sequence[str]], bool]:
    """A function that decides whether the rule concerns an image with these tags, groups aside.

    It looks up the rule's pattern once for many images.
    """
    without_filter = rule.tags is None and not rule.untagged and rule.action == "keep"
    untagged = rule.untagged or without_filter
    if rule.tags is None:
        return lambda tags: without_filter if tags else untagged
    matches, every = whole_tag(rule.tags, rule.name), EVERY[rule.action]
    return lambda tags: every(map(matches, tags)) if tags else untagged


def groups(rule: Rule, tags: Iterable[str]) -> set[str]:
    """The values that the tags have of the rule's ``group_by``."""
    matches = filter(None, map(whole_tag(rule.group_by or "", rule.name, "group_by"), tags))
    return {match["group"] for match in matches if match["group"] is not None}


def _matching(rule: Rule, images: Sequence[Image], decision: Decision) -> ByGroup:
    is_about = matcher(rule)
    matching = [image for image in images if is_about(image.tags)]
    by_group = _grouped(rule, matching) if rule.group_by else {"": matching}
    decision.matched[rule.name] = len(_members(by_group))
    return by_group


def _grouped(rule: Rule, matching: list[Image]) -> ByGroup:
    by_group: ByGroup = {}
    for image in matching:
        for group in groups(rule, image.tags):
            by_group.setdefault(group, []).append(image)
    return by_group


def _members(by_group: ByGroup) -> Collection[Image]:
    """The images of all groups, each once."""
    if len(by_group) == 1:
        return next(iter(by_group.values()))
    return {image.image_id: image for images in by_group.values() for image in images}.values()


def _kept(rule: Rule, by_group: ByGroup, created: Created) -> Iterator[str]:
    for image in _members(by_group):
        if not rule.keep_newest or created[image.image_id] is None:
            yield image.image_id
    if rule.keep_newest:
        yield from _newest(rule.keep_newest, by_group, created)


def _take(
    rule: Rule, by_group: ByGroup, created: Created, now: datetime, decision: Decision, staying: set[str]
) -> None:
    reason = (label(rule),)
    if rule.keep_newest:
        staying.update(_newest(rule.keep_newest, by_group, created))
    born_by = now - duration(rule.older_than) if rule.older_than else now
    for image in _members(by_group):
        image_id = image.image_id
        born = created[image_id]
        if born is None:
            decision.undated[image_id] = image
        elif born > born_by or image_id in staying:
            staying.add(image_id)
        else:
            decision.taken[image_id] = decision.taken.get(image_id, ()) + reason


def _newest(count: int, by_group: ByGroup, created: Created) -> Iterator[str]:
    """The ids of the ``count`` newest images of each group; ties by id."""
    for images in by_group.values():
        ordered = sorted(image.image_id for image in images if created[image.image_id] is not None)
        ordered.sort(key=created.__getitem__, reverse=True)  # type: ignore[arg-type]
        yield from islice((image_id for image_id, _ in groupby(ordered)), count)
