"""Whether what took a candidate takes it still: asked again just before its deletion, on the repository as it
is listed then.

A policy takes an image only while it exists, is applied and is defined as at its dry run. One that keeps so
many of the newest images is run dry again before the first deletion, and whenever an image or a tag has
vanished since the last look.
"""

from __future__ import annotations

from collections.abc import Collection

from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.cloud.registry_services import service_of
from shared.retention import guards, policies, rules
from shared.retention.records import ALREADY_GONE, REMAINING, Image, Outcome, Policy, PolicyResult

UNTAKEN = Outcome("remaining", kept_by="no policy and no rule takes it any more")


def leave_changed(run: Run, survey: Survey, images: list[Image]) -> None:
    """Settles the candidates that are gone since they were taken, or that have gained a tag."""
    now = {image.image_id: image for image in images}
    changed = {image_id: policies.changed(candidate, now) for image_id, candidate in survey.going().items()}
    outcome = {"gone": ALREADY_GONE, "gained a tag": REMAINING}
    survey.settle({image_id: outcome[change] for image_id, change in changed.items() if change})
    tagged = [image_id for image_id, change in changed.items() if change == "gained a tag"]
    if tagged:
        run.warn(
            "tagged-since-dry-run",
            f"{survey.repository.full_name}: {len(tagged)} images have gained a tag since their dry run and"
            f" stay, such as {guards.described(now[tagged[0]])}.",
        )


def leave_untaken(
    run: Run, cloud: Cloud, survey: Survey, images: list[Image], *, lost: Collection[str], first: bool
) -> None:
    """Settles the candidates that no policy and no rule takes any more. Raises CallError, SettingsError.

    ``lost`` are the ids of images that are gone or have lost a tag since the last look, ``first`` says that
    it is the first look before a deletion.
    """
    going = survey.going()
    if not going:
        return
    taken: dict[str, Collection[str] | None] = {}
    if any(result.applied for result in survey.results):
        changed_tags = bool(going.keys() & lost)
        taken |= _taken_by_policies(cloud, survey, rank=first or bool(lost), again=changed_tags)
    taken |= _taken_by_rules(run, survey, images)
    spared = [
        candidate.image
        for image_id, candidate in going.items()
        if not any(_takes(taken, reason, image_id) for reason in candidate.reasons)
    ]
    survey.settle({image.image_id: UNTAKEN for image in spared})
    if spared:
        run.warn(
            "no-longer-taken",
            f"{survey.repository.full_name}: {len(spared)} images stay because no policy and no rule takes"
            f" them any more, such as {guards.described(spared[0])}.",
        )


def _takes(taken: dict[str, Collection[str] | None], reason: str, image_id: str) -> bool:
    """Whether ``reason`` still takes the image; what goes with its image is the guards' business."""
    if reason.endswith(guards.FOLLOWS):
        return True
    ids = taken.get(reason, ())
    return ids is None or image_id in ids


def _taken_by_policies(
    cloud: Cloud, survey: Survey, *, rank: bool, again: bool
) -> dict[str, Collection[str] | None]:
    """By its reason, what each unchanged policy takes: the ids, or None for whatever it took at its dry run.

    ``rank``: policies that keep the newest are run dry again; ``again``: all of them are.
    """
    service = service_of(survey.repository)
    now = {policy.policy_id: policy for policy in service.policies_of(cloud, survey.repository)}
    by_reason: dict[str, list[PolicyResult]] = {}
    for result in survey.results:
        if result.applied:
            by_reason.setdefault(f"policy {result.policy.label}", []).append(result)
    taken: dict[str, Collection[str] | None] = {}
    for reason, results in by_reason.items():
        if not all(_is_unchanged(result, now) for result in results):
            continue
        if again or (rank and any(result.policy.ranks for result in results)):
            taken[reason] = {
                image.image_id
                for result in results
                for image in service.affected_images(cloud, service.dry_run(cloud, result.policy.policy_id))
            }
        else:
            taken[reason] = None
    return taken


def _is_unchanged(result: PolicyResult, now: dict[str, Policy]) -> bool:
    policy = now.get(result.policy.policy_id)
    return policy is not None and (policy.status, policy.definition) == (
        result.policy.status,
        result.policy.definition,
    )


def _taken_by_rules(run: Run, survey: Survey, images: list[Image]) -> dict[str, Collection[str] | None]:
    """By its reason, the ids that each delete rule takes now; notes what the keep rules keep now."""
    if not survey.rules:
        return {}
    decision = rules.decide(survey.rules, images, run.started_at)
    survey.keep(decision.kept)
    taken: dict[str, set[str]] = {}
    for image_id, reasons in decision.taken.items():
        for reason in reasons:
            taken.setdefault(reason, set()).add(image_id)
    return dict(taken)
