"""Which images a lifecycle policy takes, as the documentation has it.

A rule matches an image without tags when `untagged` is set, and an image with tags when `tag_regexp` matches
every one of them whole. Of the images it matches, a rule deletes those whose `expire_period` has passed since
creation and that are not among its `retained_top` newest; a condition that is absent doesn't hold any back.
An image goes when at least one rule matches it and every rule that matches it deletes it.
What the documentation leaves open, and is chosen here: several tags (all must match), "top" (the newest, ties
by id), and which 50,000 images of a larger repository are looked at (the first by id).
"""

import re
from collections.abc import Iterable, Sequence

from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecycleRule

from tests.emulator.errors import invalid
from tests.emulator.images import Image

MAX_IMAGES_LOOKED_AT = 50_000
DAY_SECONDS = 86_400


def check_rules(rules: Iterable[LifecycleRule]) -> None:
    """Refuse what the cloud refuses beyond the limits of single fields."""
    for index, rule in enumerate(rules):
        where = f"rules[{index}]"
        if not rule.tag_regexp and not rule.untagged:
            raise invalid(f"{where}: needs tag_regexp or untagged")
        if not rule.HasField("expire_period") and not rule.retained_top:
            raise invalid(f"{where}: needs expire_period or retained_top")
        if rule.HasField("expire_period") and not _whole_days(rule):
            raise invalid(f"{where}.expire_period: must be at least 24h and a multiple of 24h")
        try:
            re.compile(rule.tag_regexp)
        except re.error as error:
            raise invalid(f"{where}.tag_regexp: {error}") from None


def _whole_days(rule: LifecycleRule) -> bool:
    days, rest = divmod(rule.expire_period.ToNanoseconds(), DAY_SECONDS * 10**9)
    return days >= 1 and not rest


def affected_images(rules: Iterable[LifecycleRule], images: Sequence[Image], now: float) -> list[Image]:
    matched: set[str] = set()
    kept: set[str] = set()
    for rule in rules:
        matching = _matching(rule, images)
        matched.update(image.id for image in matching)
        kept.update(image.id for image in _kept(rule, matching, now))
    return [image for image in images if image.id in matched and image.id not in kept]


def _matching(rule: LifecycleRule, images: Sequence[Image]) -> list[Image]:
    whole_tag = re.compile(rule.tag_regexp).fullmatch if rule.tag_regexp else None
    matching = []
    for image in images:
        if image.tags:
            if whole_tag is not None and all(whole_tag(tag) for tag in image.tags):
                matching.append(image)
        elif rule.untagged:
            matching.append(image)
    return matching


def _kept(rule: LifecycleRule, matching: list[Image], now: float) -> list[Image]:
    kept = []
    if rule.HasField("expire_period"):
        born_before = now - rule.expire_period.ToSeconds()
        kept += [image for image in matching if image.created_at > born_before]
    if rule.retained_top:
        newest_first = sorted(matching, key=lambda image: (-image.created_at, image.id))
        kept += newest_first[: rule.retained_top]
    return kept
