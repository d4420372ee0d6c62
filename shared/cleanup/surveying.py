"""One repository as the run surveys it: its policies run dry, its images listed, what rules take and what
guards keep.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from shared.cleanup import (
    active_policies,
    approved_plan,
    protection,
)
from shared.cleanup.run import Run, Survey
from shared.cloud import relisting
from shared.cloud.client import Cloud
from shared.cloud.registry_services import service_of
from shared.errors import CallError, Doubtful, OutOfTime
from shared.retention import guards, policies, rules
from shared.retention.creation_times import HOUR
from shared.retention.layers import layer_keys
from shared.retention.records import Image, PolicyResult, blob_key


def dry_run(run: Run, cloud: Cloud, survey: Survey) -> None:
    """Runs the repository's policies dry; those that may be applied give its candidates."""
    taken: dict[str, list[Image]] = {}
    service = service_of(survey.repository)
    listed = cache(lambda: list(service.images(cloud, survey.repository)))
    for policy in survey.policies:
        try:
            result = run.dry_runs.of(cloud, survey.repository, policy, since=float("-inf"))
            images = list(service.taken(result, listed))
        except CallError as error:
            run.problem(error)
            continue
        by_reason: dict[str, list[Image]] = {}
        for image, by in images:
            by_reason.setdefault(f"policy {policy.label}{by}", []).append(image)
        applied = policies.applies(policy, run.settings.lifecycle_policies.apply)
        survey.ran_dry(
            PolicyResult(
                policy,
                survey.registry.registry_id,
                survey.repository.name if policy.repository_id else "",
                applied,
                result.result_id,
                len(images),
                frozenset(by_reason),
            ),
            {image.image_id for image, _ in images},
        )
        if applied:
            taken |= {reason: taken.get(reason, []) + more for reason, more in by_reason.items()}
    survey.restock(policies.union(taken.items()))


def may_lose(survey: Survey) -> bool:
    """Whether the repository may have candidates, as far as is known before it is listed."""
    return bool(survey.candidate_count or survey.taken_by_active) or any(
        rule.action == "delete" for rule in survey.rules
    )


def look(run: Run, cloud: Cloud, survey: Survey, looked_in_use: Callable[[], None] = lambda: None) -> None:
    """Lists the repository, asks the rules, guards the candidates, and counts the layers that stay whatever
    is deleted.

    ``looked_in_use`` waits until it is known what runs.
    """
    listed: dict[str, int] = {}
    digests = array("Q")
    created: Counter[str] = Counter()
    believed, tags = True, 0

    def staying(images: Iterable[Image]) -> Iterator[Image]:
        nonlocal tags
        for image in images:
            tags += len(image.tags)
            listed[image.image_id] = image.size_bytes
            digests.extend(map(blob_key, (image.digest, *image.children)))
            created[image.created_at[:HOUR]] += 1
            if image.image_id not in survey.candidates:
                yield image

    survey.begin_listing(cloud.pace.clock())
    try:
        images: Iterable[Image] = survey.sharing(
            service_of(survey.repository).images(cloud, survey.repository)
        )
        if survey.candidates or survey.taken_by_active or survey.rules or run.plan:
            images = list(images)
            looked_in_use()
            believed = decide(run, cloud, survey, images)
        keys = layer_keys(staying(images))
    except CallError as error:
        run.problem(error)
        survey.restock({})
        return
    if believed:
        run.note_listed(survey.repository.full_name, digests, tags)
    run.note_created(survey.registry.registry_id, created)
    survey.count(len(listed), sum(listed.values()))
    run.stays(survey.registry.registry_id, keys)
    most = service_of(survey.repository).DRY_RUN_IMAGES
    if most and len(listed) > most and survey.policies:
        run.warn(
            "dry-run-limit",
            f"{survey.repository.full_name} has {len(listed)} images; a dry run looks at"
            f" {most} at most, but an ACTIVE policy deletes whatever it matches.",
        )


def decide(run: Run, cloud: Cloud, survey: Survey, images: list[Image]) -> bool:
    """Adds what the rules take of the repository's ``images``, and settles what a guard keeps.

    Returns whether the listing lacks none that is there, as far as is known. Raises CallError.
    """
    take_by_rules(run, survey, images)
    taken, believed = survey.candidates, True
    approved_plan.restock(run.plan, survey, images)
    try:
        relisting.check_understood(survey.repository, images)
        unlisted = approved_plan.unlisted(run.plan, survey, images)
        missing = relisting.missing(images, taken)
        unlisted |= {image_id: taken[image_id].image.sighting() for image_id in missing}
        relisting.check_gone(cloud, survey.repository, unlisted.values())
    except Doubtful as error:
        run.hold_back("guard-unavailable", str(error))
        survey.leave("guard-unavailable")
        believed = False
    approved_plan.leave_changed(run.plan, survey, taken, images)
    protection.leave_unseen(run, survey)
    try:
        manifests = protection.guard_candidates(run, cloud, survey, images)
    except OutOfTime as error:
        manifests = protection.leave_unread(run, survey, error)
    approved_plan.add_referrers(run.plan, survey, images)
    if run.settings.guards.referrers:
        survey.note_foreign(guards.foreign_subjects(images, survey.going().values(), manifests))
    if run.settings.mode == "apply" and survey.going():
        survey.note_sightings(images)
    active_policies.warn_of_active_policies(run, cloud, survey, images)
    return believed


def take_by_rules(run: Run, survey: Survey, images: list[Image]) -> None:
    """Adds what the delete rules take to the candidates, and notes what the keep rules keep."""
    if not survey.rules:
        return
    decision = rules.decide(survey.rules, images, run.started_at)
    survey.keep(decision.kept)
    survey.take(policies.also_taken(survey.candidates, images, decision.taken))
    run.note_rules(survey, decision)
