"""Why an image must stay and what takes it, by plain definitions: at one moment of a world, whoever looks."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from typing import Any

from yandex.cloud.cloudregistry.v1.lifecycle_policy_pb2 import ENABLED
from yandex.cloud.cloudregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy as CloudPolicy

from tests.emulator import cloud_lifecycle
from tests.emulator.clock import span_seconds
from tests.emulator.images import Image
from tests.emulator.lifecycle import affected_images
from tests.support.world_replay import Snapshot

Document = dict[str, Any]

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REFERRER_TAG = re.compile(r"sha256-([0-9a-f]{64})(\.sig|\.att|\.sbom)?")
BELIEVED_SINCE = 1_356_998_400  # 2013


def needed(snapshot: Snapshot, end: Snapshot, image: Image, settings: Document) -> dict[str, str]:
    """Why the image must stay, and what kind of reason that is; `end` is the cloud after the run."""
    now = snapshot.images.get(image.id)
    if now is None:
        return {}
    reasons = _needed_by_others(snapshot, end, now)
    for tag in now.tags:
        if any(re.fullmatch(pattern, tag) for pattern in settings["guards"]["keep_tags"]):
            reasons[f"it has the kept tag {tag}"] = "kept tag"
    grace = span_seconds(settings["guards"]["grace"])
    if now.created_at > time.time() - grace + 60:
        reasons["it is young"] = "grace"
    for rule in settings["rules"]:
        if rule.get("action") == "keep" and keeps(rule, snapshot, now):
            reasons[f"the rule {rule['name']} keeps it"] = "keep rule"
    return reasons


def _needed_by_others(snapshot: Snapshot, end: Snapshot, now: Image) -> dict[str, str]:
    """The indexes that hold the image and the images that it refers to, and what kind of reason each is."""
    reasons = {}
    for other in snapshot.of_repository(now.name):
        if other.id != now.id and now.digest in all_held(snapshot, other):
            kind = "child of an index" if _well_formed(other) else "child of a bad index"
            reasons[f"the index {named(other)} holds it"] = kind
    for other in snapshot.images.values():
        if other.digest in subjects_of(now) and other.id != now.id and are_together(other, now):
            if other.name == now.name:
                reasons[f"it refers to {named(other)}"] = "refers to an image"
            elif other.id in end.images:  # repositories are cleaned side by side
                reasons[f"it refers to {named(other)} of {other.name}"] = "refers to an image elsewhere"
    return reasons


def are_together(image: Image, referrer: Image) -> bool:
    """Whether a referrer where it is can be one of the image: in its repository, or by a tag in its
    registry.
    """
    same_registry = image.name.partition("/")[0] == referrer.name.partition("/")[0]
    return image.name == referrer.name or (same_registry and image.digest in _subjects_by_tag(referrer))


def held_by(image: Image) -> set[str]:
    """The digests that an index names, however badly it is written."""
    text = image.manifest() or ""
    try:
        document = json.loads(text)
    except ValueError:
        return set(DIGEST.findall(text))
    return set(DIGEST.findall(json.dumps(document.get("manifests"))))


def _well_formed(index: Image) -> bool:
    """Whether every entry says of what type it is, as those of the indexes do that are made by the book."""
    try:
        document = json.loads(index.manifest() or "")
        entries = [
            (entry["mediaType"] + entry["digest"], entry["size"] + 1) for entry in document["manifests"]
        ]
        return bool(entries) and isinstance(document.get("subject", {}), dict)
    except (ValueError, TypeError, KeyError):
        return False


def all_held(snapshot: Snapshot, image: Image) -> set[str]:
    """What an index holds, through the indexes in it that exist."""
    held, waiting = set[str](), [image]
    while waiting:
        for digest in held_by(waiting.pop()) - held:
            held.add(digest)
            child = snapshot.by_digest(image.name, digest)
            waiting += [child] if child else []
    return held


def subjects_of(image: Image) -> set[str]:
    """The digests of what a signature or the like is about."""
    text = image.manifest() or "{}"
    try:
        subject = json.loads(text).get("subject")
    except ValueError:
        subject = None
    named = {subject["digest"]} if isinstance(subject, dict) and subject.get("digest") else set()
    return named | _subjects_by_tag(image)


def _subjects_by_tag(image: Image) -> set[str]:
    return {f"sha256:{match[1]}" for match in map(REFERRER_TAG.fullmatch, image.tags) if match}


def taken_by_policy(snapshot: Snapshot, image: Image, settings: Document) -> bool:
    """Whether an applied policy takes the image now, or would if what was taken before were there still: a
    policy ranks what it takes together.
    """
    apply = settings["lifecycle_policies"]["apply"]
    registry_id = image.name.partition("/")[0]
    if registry_id in snapshot.cloud_policies:
        return any(
            _takes_every_artifact(policy, snapshot, image, registry_id)
            for policy in snapshot.cloud_policies[registry_id]
            if policy.state == ENABLED or policy.name in apply
        )
    there = snapshot.of_repository(image.name)
    before = [other for other in snapshot.removed_images if other.name == image.name]
    return any(
        image in affected_images(policy.rules, sorted(images, key=lambda other: other.id), time.time())
        for policy in snapshot.policies[image.name]
        if policy.status == policy.ACTIVE or policy.name in apply
        for images in (there, there + before)
    )


def _takes_every_artifact(policy: CloudPolicy, snapshot: Snapshot, image: Image, registry_id: str) -> bool:
    listed, removed = snapshot.listed[registry_id], snapshot.removed.get(registry_id, [])
    for artifacts in (listed, [*listed, *removed]):
        verdicts = cloud_lifecycle.verdicts(policy.rules, artifacts, time.time())
        taken = {row.artifact.id for row in verdicts if row.rule_type != cloud_lifecycle.RETAIN}
        if set(snapshot.parts[image.id]) <= taken:
            return True
    return False


def covers(rule: Document, image: Image) -> bool:
    name = image.name.partition("/")[2]
    covered = False
    for pattern in rule["repositories"]:
        body = pattern.removeprefix("!")
        if body in ("**", name) or (body.endswith("/**") and name.startswith(body[:-2])):
            covered = not pattern.startswith("!")
    return covered


def groups(rule: Document, image: Image) -> set[str]:
    """Those of the groups that the rule counts in, of which there is one alone without `group_by`."""
    if "group_by" not in rule:
        return {""}
    return {match["group"] for tag in image.tags if (match := re.fullmatch(rule["group_by"], tag))}


def matched(rule: Document, images: list[Image]) -> list[Image]:
    every = any if rule.get("action") == "keep" else all
    matching = []
    for image in images:
        if not covers(rule, image) or not groups(rule, image):
            continue
        by_tag = bool(image.tags and rule.get("tags")) and every(
            bool(re.fullmatch(rule["tags"], tag)) for tag in image.tags
        )
        if by_tag or (not image.tags and rule.get("untagged")):
            matching.append(image)
    return matching


def newest(rule: Document, matching: list[Image]) -> set[str]:
    """The ids of the newest that the rule leaves, in each of its groups."""
    staying: set[str] = set()
    for group in {group for image in matching for group in groups(rule, image)}:
        dated = [image for image in matching if group in groups(rule, image) and believed(image)]
        dated.sort(key=lambda image: (-image.created_at, image.id))
        staying |= {image.id for image in dated[: rule.get("keep_newest", 0)]}
    return staying


def believed(image: Image) -> bool:
    return image.created_at > BELIEVED_SINCE


def keeps(rule: Document, snapshot: Snapshot, image: Image) -> bool:
    matching = matched(rule, snapshot.of_repository(image.name))
    if image not in matching:
        return False
    return "keep_newest" not in rule or not believed(image) or image.id in newest(rule, matching)


def taken_by_rules(snapshot: Snapshot, image: Image, settings: Document) -> bool:
    """Whether a delete rule matches the image, and all that do say delete.

    What keep rules keep is not counted.
    """
    keep = [rule for rule in settings["rules"] if rule.get("action") == "keep"]
    of_repository = snapshot.of_repository(image.name)
    countable = [other for other in of_repository if not any(keeps(rule, snapshot, other) for rule in keep)]
    said = []
    for rule in settings["rules"]:
        matching = matched(rule, countable)
        if rule.get("action") != "keep" and image in matching:
            old = image.created_at < time.time() - _seconds(rule.get("older_than", "0h"))
            said.append(believed(image) and old and image.id not in newest(rule, matching))
    return bool(said) and all(said)


def _seconds(text: str) -> float:
    units = {"h": "hours", "d": "days", "w": "weeks"}
    return timedelta(**{units[text[-1]]: int(text[:-1])}).total_seconds()


def tags_of(snapshot: Snapshot, image: Image) -> set[str]:
    now = snapshot.images.get(image.id)
    return set(now.tags) if now else set()


def named(image: Image) -> str:
    return f"{image.id} ({', '.join(image.tags) or 'untagged'})"
