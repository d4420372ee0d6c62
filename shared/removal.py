"""Deleting what the job found, repository by repository: list again, guard again, journal, delete, look again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from shared import choose, guards, protect, registry, rules, whole
from shared.delete import ALREADY_GONE, DELETED, Deletion, delete
from shared.errors import CallError, LeaseLost, OutOfTime, SettingsError, StateError
from shared.http import Cloud
from shared.layers import layer_keys
from shared.parallel import Progress, for_each
from shared.records import Image, Problem
from shared.run import REMAINING, Run, Survey

REPOSITORIES_AT_ONCE = 4
SETTLING = 3.0


def delete_all(run: Run, cloud: Cloud, progress: Progress) -> None:
    surveys = [survey for survey in run.surveys if survey.going_count]
    total = sum(survey.going_count for survey in surveys)
    done = iter(range(1, total + 1))

    def deleted() -> None:
        progress("deletions", next(done, total), total)

    progress("deletions", 0, total)
    width = min(REPOSITORIES_AT_ONCE, cloud.concurrency)
    for_each(surveys, partial(open_and_delete_in, run, cloud, deleted), width)


def open_and_delete_in(run: Run, cloud: Cloud, deleted: Callable[[], None], survey: Survey) -> None:
    with survey.opened():
        delete_in(run, cloud, deleted, survey)


def delete_in(run: Run, cloud: Cloud, deleted: Callable[[], None], survey: Survey) -> None:
    """Lists the repository again, deletes those candidates that are unchanged and unguarded, and looks again."""
    started_at = cloud.pace.clock()
    try:
        images = list(survey.known(registry.images(cloud, survey.repository)))
        leave_changed(run, survey, images)
    except (CallError, SettingsError) as error:
        run.problem(error)
        run.leave(survey)
        return
    reserve = SETTLING + 2 * (cloud.pace.clock() - started_at)

    def before_each() -> None:
        cloud.need(reserve, "the rest is left to the next run")
        if run.leases:
            run.leases.check()
        deleted()

    manifests = protect.guard_candidates(run, cloud, survey, images)
    for wave in guards.waves([candidate.image for candidate in survey.going().values()], manifests):
        going = [image for image in wave if image.image_id not in survey.outcomes]
        deletion = delete_journaled(run, cloud, survey, going, before_each)
        if deletion is None or deletion.listed is None or len(deletion.outcomes) < len(going):
            return
        images = deletion.listed
        protect.keep_bound(run, survey, images, manifests)
    whole.check(run, cloud, survey, images)


def delete_journaled(
    run: Run, cloud: Cloud, survey: Survey, going: list[Image], before_each: Callable[[], None]
) -> Deletion | None:
    """Deletes ``going`` once they are in the journal, and puts there what came of it."""
    number = 0
    try:
        if run.journal:
            reasons = survey.candidates
            number = run.journal.intend(
                survey.repository, ((image, reasons[image.image_id].reasons) for image in going)
            )
        deletion = delete(cloud, survey.repository, going, cloud.concurrency, before_each)
        record(run, survey, deletion)
        if run.journal:
            run.journal.settle(number, deletion.outcomes)
    except StateError as error:
        run.refuse("journal", str(error))
        run.leave(survey)
        return None
    stopped = deletion.stopped
    if isinstance(stopped, LeaseLost):
        run.refuse("lease-lost", str(stopped))
    elif stopped and not isinstance(stopped, OutOfTime):
        run.problem(stopped)
    return deletion


def leave_changed(run: Run, survey: Survey, images: list[Image]) -> None:
    """Settles the candidates that are gone since they were taken, that have gained a tag, or that no rule takes now."""
    now = {image.image_id: image for image in images}
    changed = {image_id: choose.changed(candidate, now) for image_id, candidate in survey.going().items()}
    outcome = {"gone": ALREADY_GONE, "gained a tag": REMAINING}
    survey.outcomes |= {image_id: outcome[change] for image_id, change in changed.items() if change}
    tagged = [
        survey.candidates[image_id].image for image_id, change in changed.items() if change == "gained a tag"
    ]
    if tagged:
        run.warn(
            "tagged-since-dry-run",
            f"{survey.repository.full_name}: {len(tagged)} images have gained a tag since their dry run and stay,"
            f" such as {guards.described(now[tagged[0].image_id])}.",
        )

    if survey.rules:
        decision = rules.decide(survey.rules, images, run.started_at)
        survey.kept = decision.kept
        spared = choose.spared(survey.going().values(), survey.rules, decision.taken)
        survey.outcomes |= {image.image_id: REMAINING for image in spared}
        if spared:
            run.warn(
                "no-longer-taken",
                f"{survey.repository.full_name}: {len(spared)} images stay because, now that others are gone, no rule"
                f" takes them any more, such as {guards.described(spared[0])}.",
            )


def record(run: Run, survey: Survey, deletion: Deletion) -> None:
    survey.outcomes |= deletion.outcomes
    gone = [
        survey.candidates[image_id].image for image_id, one in deletion.outcomes.items() if one == DELETED
    ]
    failed = {image_id: one for image_id, one in deletion.outcomes.items() if one.outcome == "failed"}
    keys = layer_keys(deletion.listed or ())
    with run.lock:
        layers = run.layers[survey.registry.registry_id]
        layers.goes(gone)
        layers.stays(keys)
        run.errors += [
            Problem(f"DELETE {registry.image_path(image_id)}", one.code, one.message, image_id)
            for image_id, one in failed.items()
        ]
