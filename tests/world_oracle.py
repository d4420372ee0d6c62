"""Judges what a clean-up deleted and what it says of it, by the promises alone and by nothing of the product's code.

An image must stay if something needed it from the moment when the product had to look, until the image was deleted.
The product has to look at a repository again before each batch of deletes, and again when that look is ten seconds
old; and at what runs when that look is a minute old. A policy or rule must take the image at some moment since then.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from tests.conftest import assert_adds_up
from tests.emulator.clock import span_seconds
from tests.emulator.images import Image
from tests.emulator.lifecycle import affected_images
from tests.world_replay import SOURCES, Removal, Replay, Snapshot

Document = dict[str, Any]

LISTING_SECONDS, RUNNING_SECONDS = 10.0, 60.0
SLACK_SECONDS = 0.25  # real ones, between a look at the clock and the call that follows it
IMAGES = "/container-registry/v1/images"
POLICIES = ("/container-registry/v1/lifecyclePolicies", "/container-registry/v1/dryRunLifecyclePolicy/")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REFERRER_TAG = re.compile(r"sha256-([0-9a-f]{64})(\.sig|\.att|\.sbom)?")
BELIEVED_SINCE = 1_356_998_400  # 2013
GONE = ("deleted", "already-gone")


@dataclass(frozen=True)
class Fault:
    """`kind` in few words, the same for all faults of a kind; `story` what is wrong."""

    kind: str
    story: str


def judge(replay: Replay, settings: Document, blind: bool, report: Document, speed: float) -> list[Fault]:
    watch = Watch(replay, settings, speed)
    faults = [fault for removal in replay.removals for fault in watch.faults_of(removal)]
    if blind and replay.removals:
        told = f"{replay.removals[0].image.id} was deleted, though what runs could not be looked at"
        faults.append(Fault("deleted without a look at what runs", told))
    return faults + faults_of_report(report, replay)


class Watch:
    """Judges the removals of one run."""

    def __init__(self, replay: Replay, settings: Document, speed: float) -> None:
        self._replay, self._settings, self._speed = replay, settings, speed
        self._history = replay.history
        self._status = {row["number"]: row["status"] for row in self._history if row["kind"] == "answer"}

    def faults_of(self, removal: Removal) -> list[Fault]:
        image = removal.image
        looked = self._looked(removal, self._lists(image.name), LISTING_SECONDS, at_least=2)
        window = self._replay.between(looked, removal.place)
        needs = [needed(snapshot, self._replay.end, image, self._settings) for snapshot in window]
        lasting = {
            reason: kind for reason, kind in needs[0].items() if all(reason in others for others in needs)
        }
        lasting |= self._in_use(removal, looked)
        lasting |= self._gained(removal, window)
        faults = [Fault(kind, f"{image.id} was deleted: {reason}") for reason, kind in lasting.items()]
        takes_since = min(looked, self._policies_looked_at(removal, looked))
        since = self._replay.between(takes_since, removal.place)
        if not any(self._may_go(snapshot, image) for snapshot in since):
            faults.append(Fault("nothing takes it", f"{image.id} was deleted: no policy or rule takes it"))
        return faults

    def _in_use(self, removal: Removal, listed: int) -> dict[str, str]:
        lasting = {}
        for source, path in SOURCES.items():
            looks = [place for place in self._asked(path) if place < removal.asked]
            looked = min(listed, self._looked(removal, looks, RUNNING_SECONDS, at_least=1))
            window = self._replay.between(looked, removal.place)
            for use in window[0].uses:
                if use.source == source and all(
                    use.is_of(snapshot.images[removal.image.id])
                    for snapshot in window
                    if removal.image.id in snapshot.images
                ):
                    how = use.digest or f"tag {use.tag}"
                    lasting[f"{source} {use.name} runs it by {how}"] = f"in use ({source})"
        return lasting

    def _gained(self, removal: Removal, window: list[Snapshot]) -> dict[str, str]:
        """Tags that the image has gained since the first list that can have shown it."""
        lists = (
            self._replay.between(place, self._answered(place)) for place in self._lists(removal.image.name)
        )
        listed = (shown for shown in lists if any(removal.image.id in snapshot.images for snapshot in shown))
        known = {tag for snapshot in next(listed, window[:1]) for tag in _tags(snapshot, removal.image)}
        lasting = set.intersection(*(_tags(snapshot, removal.image) for snapshot in window))
        return {f"it has gained the tag {tag}": "gained a tag" for tag in lasting - known}

    def _looked(self, removal: Removal, looks: list[int], seconds: float, *, at_least: int) -> int:
        """The place in the history of the look that the product had to heed.

        That is its last one, or one just before the delete if the last is too old by then or there are too few.
        """
        before = [place for place in looks if place < removal.asked]
        if len(before) < at_least:
            return removal.asked
        answered = min(self._answered(before[-1]), len(self._history) - 1)
        age = self._history[removal.asked]["at"] - self._history[answered]["at"]
        return before[-1] if age <= seconds / self._speed + SLACK_SECONDS else removal.asked

    def _policies_looked_at(self, removal: Removal, listed: int) -> int:
        """The product's first look at policies since its last delete in the repository, or since it first listed it."""
        lists = self._lists(removal.image.name)
        deletes = [other.asked for other in self._replay.removals if other.image.name == removal.image.name]
        batch_before = [place for place in deletes if place < listed]
        since = batch_before[-1] if batch_before else self._answered(lists[0]) if lists else 0
        looks = [place for path in POLICIES for place in self._asked(path, longer=True)]
        return min((place for place in looks if since < place < removal.asked), default=listed)

    def _lists(self, repository: str) -> list[int]:
        """Where lists of the repository began that came to an end."""
        registry_id = repository.partition("/")[0]
        return [
            place
            for place in self._asked(IMAGES)
            if self._status.get(self._history[place]["number"]) == 200
            and {f"repositoryName={repository}", f"registryId={registry_id}"}
            & set(unquote(self._history[place]["query"]).split("&"))
            and "pageToken" not in self._history[place]["query"]
        ]

    def _asked(self, path: str, *, longer: bool = False) -> list[int]:
        return [
            place
            for place, row in enumerate(self._history)
            if row["kind"] == "call"
            and row["method"] in ("GET", "POST")
            and (row["path"] == path or (longer and row["path"].startswith(path)))
        ]

    def _answered(self, asked: int) -> int:
        number = self._history[asked]["number"]
        answers = (
            place
            for place, row in enumerate(self._history)
            if row["kind"] == "answer" and row["number"] == number
        )
        return next(answers, len(self._history))

    def _may_go(self, snapshot: Snapshot, image: Image) -> bool:
        """Whether a policy or a rule takes the image, or it is a referrer whose image is gone."""
        if image.id not in snapshot.images:
            return True
        now = snapshot.images[image.id]
        if all(REFERRER_TAG.fullmatch(tag) for tag in now.tags):
            before = self._replay.snapshots[0].images.values()
            known = {other.digest for other in before} & subjects_of(now)
            there = {other.digest for other in snapshot.images.values() if _together(other, now)}
            if known - there:
                return True
        return taken_by_policy(snapshot, now, self._settings) or taken_by_rules(snapshot, now, self._settings)


def needed(snapshot: Snapshot, end: Snapshot, image: Image, settings: Document) -> dict[str, str]:
    """Why the image must stay, and what kind of reason that is; `end` is the cloud after the run."""
    now = snapshot.images.get(image.id)
    if now is None:
        return {}
    reasons = {}
    for other in snapshot.of_repository(now.name):
        if other.id != now.id and now.digest in all_held(snapshot, other):
            kind = "child of an index" if _well_formed(other) else "child of a bad index"
            reasons[f"the index {_named(other)} holds it"] = kind
    for other in snapshot.images.values():
        if other.digest in subjects_of(now) and other.id != now.id and _together(other, now):
            if other.name == now.name:
                reasons[f"it refers to {_named(other)}"] = "refers to an image"
            elif other.id in end.images:  # repositories are cleaned side by side
                reasons[f"it refers to {_named(other)} of {other.name}"] = "refers to an image elsewhere"
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


def _together(image: Image, referrer: Image) -> bool:
    """Whether a referrer where it is can be one of the image: in its repository, or by a tag in its registry."""
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
    apply = settings["lifecycle_policies"]["apply"]
    images = sorted(snapshot.of_repository(image.name), key=lambda other: other.id)
    return any(
        image in affected_images(policy.rules, images, time.time())
        for policy in snapshot.policies[image.name]
        if policy.status == policy.ACTIVE or policy.name in apply
    )


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
    """Whether a delete rule matches the image, and all that do say delete. What keep rules keep is not counted."""
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


def _tags(snapshot: Snapshot, image: Image) -> set[str]:
    now = snapshot.images.get(image.id)
    return set(now.tags) if now else set()


def _named(image: Image) -> str:
    return f"{image.id} ({', '.join(image.tags) or 'untagged'})"


def faults_of_report(report: Document, replay: Replay) -> list[Fault]:
    """What the report says that is not so."""
    faults, there = [], replay.end.images
    failed = bool(report["errors"])
    for row in report["images"]:
        outcome, image_id = row["outcome"], row["image_id"]
        failed = failed or outcome == "failed"
        if outcome in GONE and image_id in there:
            faults.append(Fault(f"told as {outcome}, but there", f"{image_id} is still there"))
        if outcome not in GONE and image_id not in there and image_id not in replay.by_others:
            faults.append(Fault(f"told as {outcome}, but gone", f"{image_id} is gone: {json.dumps(row)}"))
    told = {row["image_id"] for row in report["images"] if row["outcome"] in (*GONE, "failed")}
    for removal in replay.removals:
        if removal.image.id not in told:
            faults.append(Fault("deleted and not told", f"{removal.image.id} is not told of as deleted"))
    codes = {row["code"] for row in report["warnings"]}
    codes |= {row.get("kept_by") or "" for row in report["images"] if row["outcome"] == "remaining"}
    held_back = codes & {"guard-unavailable", "max-share", "max-deletions"}
    if report["status"] == "ok" and (failed or held_back):
        faults.append(Fault("ok, though it is not", f"status ok with {held_back or report['errors']}"))
    try:
        assert_adds_up(report)
    except AssertionError:
        faults.append(Fault("it does not add up", json.dumps(report["totals"])))
    if "Traceback" in json.dumps(report) or "has a fault" in json.dumps(report):
        faults.append(Fault("a fault of its own", json.dumps(report["errors"])))
    return faults
