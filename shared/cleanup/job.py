"""The job in order: find the repositories, run their policies dry, see what runs, list, decide, guard,
delete, look again.

Nothing here decides or knows HTTP: `policies`, `rules` and `guards` decide, `registry` asks, `deletion`
deletes. What a run learns is gathered in a `Run`, from which `report` tells it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from shared.cleanup import (
    active_policies,
    approved_plan,
    deletion,
    foreign_referrers,
    protection,
    recovery,
    scope,
)
from shared.cleanup.run import Run, Survey
from shared.cloud import registry, relisting
from shared.cloud.client import Cloud
from shared.cloud.parallel import Progress, for_each
from shared.errors import CallError, Doubtful, OutOfTime
from shared.retention import guards, policies, rules
from shared.retention.layers import layer_keys
from shared.retention.records import ALREADY_GONE, DELETED, Image, Outcome, PolicyResult, blob_key
from shared.state.leases import Leases

CLAIMED_AT_ONCE = 64


def untold(what: str, done: int, total: int) -> None:
    """The progress of a run that nobody watches."""


def clean_up(run: Run, cloud: Cloud, progress: Progress = untold) -> None:
    """Carries the run out.

    Raises what ends it as a whole; one repository's trouble ends up in ``run.errors``.
    """
    scope.find(run, cloud)
    take_over(run, cloud)
    in_parallel(run, progress, "dry runs", partial(dry_run, run, cloud))
    protection.look_in_use(run, cloud, [survey for survey in run.surveys if may_lose(survey)])
    in_parallel(run, progress, "repositories", partial(look, run, cloud))
    foreign_referrers.keep_referrers(run, cloud)
    tell_of_rules(run)
    check_limits(run)
    if run.settings.mode == "apply":
        approved_plan.begin(run)
        deletion.delete_all(run, cloud, progress)
    if run.pushed is not None and any(survey.candidate_count for survey in run.surveys):
        count_other_repositories(run, cloud)


def carry_out_plan(run: Run, cloud: Cloud, progress: Progress = untold) -> None:
    """Deletes what is left of the run's plan. Raises what `clean_up` does, and PlanRefused."""
    try:
        clean_up(run, cloud, progress)
    finally:
        approved_plan.account(run)


def take_over(run: Run, cloud: Cloud) -> None:
    """Takes the leases of the registries, leaves those that another run has, and settles what was cut off."""
    if run.leases is None or run.journal is None:
        return
    for registry_id, other in _claim(run.leases, cloud, list(run.layers)).items():
        run.hold_back(
            "another-run", f"The run {other} is at work on the registry {registry_id}; it is left alone."
        )
        run.surveys = [one for one in run.surveys if one.registry.registry_id != registry_id]
        del run.layers[registry_id]
    recovery.settle_cut_off(run, cloud, run.journal.state, run.leases, run.layers)


def _claim(leases: Leases, cloud: Cloud, registry_ids: list[str]) -> dict[str, str]:
    """Claims all the registries at once. Returns those that other runs have, each with its run."""
    others: dict[str, str] = {}
    pause = partial(cloud.pause, why="another run's lease would have to be watched")

    def claim(registry_id: str) -> None:
        other = leases.claim(registry_id, pause)
        if other is not None:
            others[registry_id] = other

    for_each(registry_ids, claim, CLAIMED_AT_ONCE)
    return dict(sorted(others.items()))


def in_parallel(run: Run, progress: Progress, what: str, work: Callable[[Survey], None]) -> None:
    """``work`` for every repository, telling ``progress`` after each."""
    done = iter(range(1, len(run.surveys) + 1))

    def one(survey: Survey) -> None:
        with survey.opened():
            work(survey)
        progress(what, next(done), len(run.surveys))

    progress(what, 0, len(run.surveys))
    for_each(run.surveys, one, run.settings.limits.concurrency)


def dry_run(run: Run, cloud: Cloud, survey: Survey) -> None:
    """Runs the repository's policies dry; those that may be applied give its candidates."""
    taken: list[tuple[str, Iterable[Image]]] = []
    for policy in survey.policies:
        try:
            result_id = registry.dry_run(cloud, policy.policy_id)
            images = list(registry.affected_images(cloud, result_id))
        except CallError as error:
            run.problem(error)
            continue
        applied = policies.applies(policy, run.settings.lifecycle_policies.apply)
        survey.results.append(
            PolicyResult(
                policy,
                survey.registry.registry_id,
                survey.repository.name,
                applied,
                result_id,
                len(images),
            )
        )
        if applied:
            taken.append((f"policy {policy.label}", images))
        if policy.status == "ACTIVE" and images:
            survey.taken_by_active.append((policy, {image.image_id for image in images}))
    survey.candidates = policies.union(taken)


def may_lose(survey: Survey) -> bool:
    """Whether the repository may have candidates, as far as is known before it is listed."""
    return bool(survey.candidate_count or survey.taken_by_active) or any(
        rule.action == "delete" for rule in survey.rules
    )


def look(run: Run, cloud: Cloud, survey: Survey) -> None:
    """Lists the repository, asks the rules, guards the candidates, and counts the layers that stay whatever
    is deleted.
    """
    listed: dict[str, int] = {}
    digests = array("Q")

    def staying(images: Iterable[Image]) -> Iterator[Image]:
        for image in images:
            listed[image.image_id] = image.size_bytes
            digests.append(blob_key(image.digest))
            if image.image_id not in survey.candidates:
                yield image

    try:
        images: Iterable[Image] = survey.known(registry.images(cloud, survey.repository))
        if survey.candidates or survey.taken_by_active or survey.rules or run.plan:
            images = list(images)
            decide(run, cloud, survey, images)
        keys = layer_keys(staying(images))
    except CallError as error:
        run.problem(error)
        survey.candidates = {}
        return
    run.digests[survey.repository.full_name] = digests
    survey.images, survey.size_bytes = len(listed), sum(listed.values())
    survey.taken_by_active = []
    with run.lock:
        run.layers[survey.registry.registry_id].stays(keys)
    if survey.images > registry.DRY_RUN_IMAGES and survey.policies:
        run.warn(
            "dry-run-limit",
            f"{survey.repository.full_name} has {survey.images} images; a dry run looks at"
            f" {registry.DRY_RUN_IMAGES} at most, but an ACTIVE policy deletes whatever it matches.",
        )


def decide(run: Run, cloud: Cloud, survey: Survey, images: list[Image]) -> None:
    """Adds what the rules take of the repository's ``images``, and settles what a guard keeps.

    Raises CallError.
    """
    take_by_rules(run, survey, images)
    approved_plan.restrict(run.plan, survey, images)
    try:
        relisting.check_understood(survey.repository, images)
        gone = [image_id for image_id, outcome in survey.outcomes.items() if outcome == ALREADY_GONE]
        relisting.check_gone(cloud, survey.repository, gone)
    except Doubtful as error:
        survey.outcomes.clear()
        run.hold_back("guard-unavailable", str(error))
        run.leave(survey, "guard-unavailable")
    protection.leave_unseen(run, survey)
    manifests = protection.guard_candidates(run, cloud, survey, images)
    approved_plan.add_referrers(run.plan, survey, images)
    if run.settings.guards.referrers:
        survey.foreign = guards.foreign_subjects(images, survey.going().values(), manifests)
    if run.settings.mode == "apply" and survey.going():
        survey.note_tags(images)
    active_policies.warn_of_active_policies(run, cloud, survey, images)


def take_by_rules(run: Run, survey: Survey, images: list[Image]) -> None:
    """Adds what the delete rules take to the candidates, and notes what the keep rules keep."""
    if not survey.rules:
        return
    decision = rules.decide(survey.rules, images, run.started_at)
    survey.kept = decision.kept
    survey.candidates |= policies.also_taken(survey.candidates, images, decision.taken)
    with run.lock:
        run.matched.update(decision.matched)
        if decision.undated:
            example = next(iter(decision.undated.values()))
            run.undated.append((survey.repository.full_name, len(decision.undated), example))


def tell_of_rules(run: Run) -> None:
    """Warns of images that no rule can judge, and in a dry run of rules that match nothing."""
    if run.undated:
        name, _, image = min(run.undated, key=lambda one: one[0])
        count = sum(number for _, number, _ in run.undated)
        run.warn(
            "absurd-creation-time",
            f"{count} images in {len(run.undated)} repositories have a creation time that cannot be believed,"
            f" such as {guards.described(image)} of {name} ({image.created_at or 'none'}); no rule takes them"
            " by age or rank.",
        )
    if run.settings.mode == "apply" or run.pushed is not None or run.errors:
        return
    for rule in run.settings.rules:
        if not any(rule in survey.rules for survey in run.surveys):
            run.warn("rule-matches-no-repository", f'The rule "{rule.name}" matches no repository.')
        elif not run.matched[rule.name]:
            run.warn("rule-matches-no-image", f'The rule "{rule.name}" matches no image.')


def check_limits(run: Run) -> None:
    """Refuses what is over ``MAX_SHARE`` in its repository, and everything when it is over
    ``MAX_DELETIONS``.
    """
    limits = run.settings.limits
    for survey in run.surveys:
        going = survey.going_count
        if policies.over_share(going, survey.images or 0, limits.max_share):
            run.hold_back(
                "max-share",
                f"{survey.repository.full_name}: {going} of its {survey.images} images would be deleted,"
                f" which is more than MAX_SHARE ({limits.max_share:g}) allows; nothing is deleted there."
                " Raise MAX_SHARE if it is meant.",
            )
            run.leave(survey, "MAX_SHARE")
    going = sum(survey.going_count for survey in run.surveys)
    if going > limits.max_deletions:
        run.refuse(
            "max-deletions",
            f"{going} images would be deleted, which is more than MAX_DELETIONS ({limits.max_deletions})"
            " allows; nothing is deleted. Raise MAX_DELETIONS if it is meant.",
        )
        for survey in run.surveys:
            run.leave(survey, "MAX_DELETIONS")


def count_layers(run: Run) -> None:
    """Counts the candidates that would go, where nothing is deleted, and those that stay after all."""
    apply = run.settings.mode == "apply"
    for survey in run.surveys:
        layers = run.layers[survey.registry.registry_id]
        if not apply:
            layers.goes(one.image for one in survey.each() if one.image.image_id not in survey.outcomes)
        layers.stays(
            layer_keys(
                one.image for one in survey.each() if stays(survey.outcomes.get(one.image.image_id), apply)
            )
        )


def stays(outcome: Outcome | None, apply: bool) -> bool:
    return apply if outcome is None else outcome not in (DELETED, ALREADY_GONE)


def count_other_repositories(run: Run, cloud: Cloud) -> None:
    """After a push only some repositories were looked at, but their layers may serve all of the registry."""
    looked_at = {survey.repository.full_name for survey in run.surveys}
    try:
        for registry_id, layers in run.layers.items():
            for repository in registry.repositories(cloud, registry_id):
                if repository.full_name not in looked_at:
                    layers.stays(layer_keys(registry.images(cloud, repository)))
    except (CallError, OutOfTime) as error:
        run.problem(error)
