"""Whether what took a candidate takes it still: asked again just before its deletion, on the repository as it
is listed then.

A policy takes an image only while it exists, is applied and is defined as at its dry run. One that keeps so
many of the newest images is run dry again before the first deletion, and whenever an image has vanished or
has other tags since the last look: with a tag that no rule takes it may count no more among the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial

from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.cloud.registry_services import service_of
from shared.retention import guards, policies, rules
from shared.retention.records import ALREADY_GONE, REMAINING, DryRun, Image, Outcome, Policy, PolicyResult
from shared.retention.rules import Judged

UNTAKEN = Outcome("remaining", kept_by="no policy and no rule takes it any more")


def begin_dry_runs(run: Run, cloud: Cloud, survey: Survey) -> None:
    """Runs those policies dry that `leave_untaken` asks for before the first deletion."""
    for result in survey.results:
        if result.applied and result.policy.ranks:
            run.dry_runs.begun(cloud, survey.repository, result.policy, since=survey.listed_at)


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
    run: Run, cloud: Cloud, survey: Survey, images: list[Image], *, changed: Collection[str], first: bool
) -> None:
    """Settles the candidates that no policy and no rule takes any more. Raises CallError, SettingsError.

    ``changed`` are the ids of images that are gone or have other tags since the last look; ``first`` says
    that it is the first look before a deletion.
    """
    going = survey.going()
    if not going:
        return
    taken: dict[str, Collection[str] | None] = {}
    if any(result.applied for result in survey.results):
        since = cloud.pace.clock() if changed else survey.listed_at
        again = _to_run_again(survey, rank=first or bool(changed), every=bool(going.keys() & changed))
        dry_run = partial(run.dry_runs.of, cloud, survey.repository, since=since)
        taken |= _taken_by_policies(cloud, survey, again, dry_run, images)
    taken |= _taken_by_rules(run, survey, images)
    unnamed = {
        image.image_id
        for image in images
        if image.image_id in going and set(going[image.image_id].image.tags) - set(image.tags)
    }
    spared = [
        candidate.image
        for image_id, candidate in going.items()
        if not any(_takes(taken, reason, image_id, unnamed) for reason in candidate.reasons)
    ]
    survey.settle({image.image_id: UNTAKEN for image in spared})
    if spared:
        run.warn(
            "no-longer-taken",
            f"{survey.repository.full_name}: {len(spared)} images stay because no policy and no rule takes"
            f" them any more, such as {guards.described(spared[0])}.",
        )


def _takes(
    taken: dict[str, Collection[str] | None], reason: str, image_id: str, unnamed: Collection[str]
) -> bool:
    """Whether ``reason`` still takes the image; what goes with its image is the guards' business, unless it
    has lost a tag, which may be what referred to its image.
    """
    if reason.endswith(guards.FOLLOWS):
        return image_id not in unnamed
    ids = taken.get(reason, ())
    return ids is None or image_id in ids


def _to_run_again(survey: Survey, *, rank: bool, every: bool) -> set[str]:
    """The ids of the applied policies to run dry again: ``every`` one, or those that keep the newest."""
    return {
        result.policy.policy_id
        for result in survey.results
        if result.applied and (every or (rank and result.policy.ranks))
    }


def _taken_by_policies(
    cloud: Cloud, survey: Survey, again: set[str], dry_run: Callable[[Policy], DryRun], images: list[Image]
) -> dict[str, Collection[str] | None]:
    """By its reason, what each unchanged policy takes of the ``images``: the ids, or None for whatever it
    took at its dry run. Those to run ``again`` are run dry.
    """
    service = service_of(survey.repository)
    now = {policy.policy_id: policy for policy in service.policies_of(cloud, survey.repository)}
    by_reason: dict[str, list[PolicyResult]] = {}
    for result in survey.results:
        for reason in result.reasons if result.applied else ():
            by_reason.setdefault(reason, []).append(result)

    @cache
    def ids_of(policy: Policy) -> frozenset[str]:
        return frozenset(image.image_id for image, _ in service.taken(dry_run(policy), lambda: images))

    taken: dict[str, Collection[str] | None] = {}
    for reason, results in by_reason.items():
        if not all(_is_unchanged(result, now) for result in results):
            continue
        runs_again = any(result.policy.policy_id in again for result in results)
        ids = frozenset().union(*(ids_of(result.policy) for result in results)) if runs_again else None
        taken[reason] = ids
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
    if survey.judged.holds(images, survey.gone()):
        return dict(survey.judged.taken)
    decision = rules.decide(survey.rules, images, run.started_at)
    survey.keep(decision.kept)
    taken: dict[str, set[str]] = {}
    for image_id, reasons in decision.taken.items():
        for reason in reasons:
            taken.setdefault(reason, set()).add(image_id)
    survey.note_judged(Judged(images, taken))
    return dict(taken)
