"""Judges what a clean-up deleted and what it says of it, by the promises alone and by nothing of the
product's code.

An image must stay if something needed it from the moment when the product had to look, until the image was
deleted. The product has to look at a repository again before each batch of deletes, and again when that look
is ten seconds old; and at what runs when that look is a minute old. A policy or rule must take the image at
some moment since then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.conftest import assert_adds_up
from tests.emulator.images import Image
from tests.support.world_needs import (
    REFERRER_TAG,
    are_together,
    needed,
    subjects_of,
    tags_of,
    taken_by_policy,
    taken_by_rules,
)
from tests.support.world_replay import SOURCES, Removal, Replay, Snapshot

Document = dict[str, Any]

LISTING_SECONDS, RUNNING_SECONDS = 10.0, 60.0
SLACK_SECONDS = 0.25  # real ones, between a look at the clock and the call that follows it
IMAGES = "/container-registry/v1/images"
ARTIFACTS = "/cloud-registry/v1/registries/{registry_id}:listArtifacts"
POLICIES = (
    "/container-registry/v1/lifecyclePolicies",
    "/container-registry/v1/dryRunLifecyclePolicy/",
    "/cloud-registry/v1/lifecyclePolicies",
)
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
        shown = next(listed, window[:1])
        if removal.image.id in window[0].parts:  # listed for a policy's dry run first, and then for the rules
            shown = shown + [
                later
                for later in next(listed, [])
                if removal.image.id in later.images
                and taken_by_rules(later, later.images[removal.image.id], self._settings)
            ]
        known = {tag for snapshot in shown for tag in tags_of(snapshot, removal.image)}
        lasting = set.intersection(*(tags_of(snapshot, removal.image) for snapshot in window))
        return {f"it has gained the tag {tag}": "gained a tag" for tag in lasting - known}

    def _looked(self, removal: Removal, looks: list[int], seconds: float, *, at_least: int) -> int:
        """The place in the history of the look that the product had to heed.

        That is its last one, or one just before the delete if the last is too old by then or there are too
        few.
        """
        before = [place for place in looks if place < removal.asked]
        if len(before) < at_least:
            return removal.asked
        answered = min(self._answered(before[-1]), len(self._history) - 1)
        age = self._history[removal.asked]["at"] - self._history[answered]["at"]
        return before[-1] if age <= seconds / self._speed + SLACK_SECONDS else removal.asked

    def _policies_looked_at(self, removal: Removal, listed: int) -> int:
        """The product's first look at policies since its last delete in the repository, or since it first
        listed it.
        """
        lists = self._lists(removal.image.name)
        deletes = [other.asked for other in self._replay.removals if other.image.name == removal.image.name]
        batch_before = [place for place in deletes if place < listed]
        since = batch_before[-1] if batch_before else self._answered(lists[0]) if lists else 0
        looks = [place for path in POLICIES for place in self._asked(path, longer=True)]
        return min((place for place in looks if since < place < removal.asked), default=listed)

    def _lists(self, repository: str) -> list[int]:
        """Where lists of the repository began that came to an end."""
        registry_id, _, name = repository.partition("/")
        wanted = {f"repositoryName={repository}", f"registryId={registry_id}", f"path=/{name}"}
        return [
            place
            for place in self._asked(IMAGES) + self._asked(ARTIFACTS.format(registry_id=registry_id))
            if self._status.get(self._history[place]["number"]) == 200
            and wanted & set(unquote(self._history[place]["query"]).split("&"))
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
            there = {other.digest for other in snapshot.images.values() if are_together(other, now)}
            if known - there:
                return True
        return taken_by_policy(snapshot, now, self._settings) or taken_by_rules(snapshot, now, self._settings)


def faults_of_report(report: Document, replay: Replay) -> list[Fault]:
    """What the report says that is not so."""
    faults, there = [], replay.end.images
    failed = bool(report["errors"])
    for row in report["images"]:
        outcome, image_id = row["outcome"], row["image_id"]
        failed = failed or outcome == "failed"
        is_there = image_id in there and replay.end.tells_of(image_id)
        if outcome in GONE and is_there and not replay.came_back(image_id):
            faults.append(Fault(f"told as {outcome}, but there", f"{image_id} is still there"))
        if outcome not in GONE and image_id not in there and image_id not in replay.by_others:
            faults.append(Fault(f"told as {outcome}, but gone", f"{image_id} is gone: {json.dumps(row)}"))
    told = {row["image_id"] for row in report["images"] if row["outcome"] in (*GONE, "failed")}
    parted = " ".join(row["message"] for row in report["warnings"] if row["code"] == "partly-deleted")
    for removal in replay.removals:
        untold = removal.image.id not in told and removal.image.digest not in parted
        if untold and replay.was_its_own(removal):
            faults.append(Fault("deleted and not told", f"{removal.image.id} is not told of as deleted"))
    codes = {row["code"] for row in report["warnings"]}
    codes |= {row.get("kept_by") or "" for row in report["images"] if row["outcome"] == "remaining"}
    held_back = codes & {"guard-unavailable", "max-share", "max-deletions", "MAX_SHARE"}
    if report["status"] == "ok" and (failed or held_back):
        faults.append(Fault("ok, though it is not", f"status ok with {held_back or report['errors']}"))
    try:
        assert_adds_up(report)
    except AssertionError:
        faults.append(Fault("it does not add up", json.dumps(report["totals"])))
    if "Traceback" in json.dumps(report) or "has a fault" in json.dumps(report):
        faults.append(Fault("a fault of its own", json.dumps(report["errors"])))
    return faults
