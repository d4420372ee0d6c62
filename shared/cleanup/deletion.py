"""Deleting what the job found, repository by repository, in batches. Before each batch the repository is
looked at again: what is listed, what rules, policies and guards say of it now, and what runs. A batch goes on
until that look is old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from shared.cleanup import integrity, protection, read_only, retaking
from shared.cleanup.run import Run, Survey
from shared.cloud import relisting
from shared.cloud.client import Cloud
from shared.cloud.image_deletion import Batch, Deletion, delete
from shared.cloud.parallel import Progress, for_each, meanwhile
from shared.cloud.registry_services import service_of
from shared.cloud.relisting import Look, Seen, Sightings
from shared.errors import (
    AllRefused,
    CallError,
    Doubtful,
    JanitorError,
    LeaseLost,
    OutOfTime,
    SettingsError,
    Stale,
    StateError,
)
from shared.retention import guards
from shared.retention.layers import layer_keys
from shared.retention.records import DELETED, Image, Manifest, Problem

REPOSITORIES_AT_ONCE = 4
SETTLING = 3.0
FRESH = 9.5
LOOKS_AT_MOST, LEAST_SECONDS = 4, 2.0
BATCH = 8_000


def delete_all(run: Run, cloud: Cloud, progress: Progress) -> None:
    surveys = [survey for survey in run.surveys if survey.going_count]
    total = sum(survey.going_count for survey in surveys)
    done = iter(range(1, total + 1))

    def deleted() -> None:
        progress("deletions", next(done, total), total)

    progress("deletions", 0, total)
    width = min(REPOSITORIES_AT_ONCE, cloud.concurrency)
    for_each(surveys, partial(open_and_delete_in, run, cloud, deleted), width)
    read_only.settle_refused(run)


def open_and_delete_in(run: Run, cloud: Cloud, deleted: Callable[[], None], survey: Survey) -> None:
    try:
        began_at = cloud.pace.clock()
        look = _first_look(run, cloud, survey)
        reserve = SETTLING + 2 * (cloud.pace.clock() - began_at)
        with survey.opened(look.images):
            delete_in(run, cloud, partial(_delete_batch, run, cloud, survey, reserve, deleted), survey, look)
    except Doubtful as error:
        run.hold_back("guard-unavailable", str(error))
        survey.leave("guard-unavailable")
    except (CallError, SettingsError) as error:
        run.problem(error)
        survey.leave("it could not be looked at again")
    except LeaseLost as error:
        run.hold_back("lease-lost", str(error))
        survey.leave("lease-lost")
    except StateError as error:
        run.hold_back("journal", str(error))
        survey.leave("journal")


def _first_look(run: Run, cloud: Cloud, survey: Survey) -> Look:
    """The repository as it is now, looked at while its policies run dry. Raises CallError, Doubtful."""
    with meanwhile(partial(retaking.begin_dry_runs, run, cloud, survey)):
        look = relisting.look(cloud, survey.repository)
        return protection.with_all_tags(run, cloud, survey.repository, look)


class Guarded(msgspec.Struct, frozen=True):
    """What the guards have decided on last: these images, what ran at that time (monotonic), and so many
    outcomes of images that are not gone; with the images' manifests.
    """

    images: list[Image]
    looked_in_use_at: float
    staying: int
    manifests: dict[str, Manifest]


NEVER = Guarded([], 0.0, -1, {})


def delete_in(
    run: Run, cloud: Cloud, delete_batch: Callable[[Batch], Deletion], survey: Survey, look: Look
) -> None:
    """Deletes the candidates that are unchanged and unguarded, looking again before each batch of them."""
    parted: dict[str, str] = {}
    try:
        last = _delete_batches(run, cloud, delete_batch, survey, look, parted)
        if last:
            run.stays(survey.registry.registry_id, layer_keys(last.images))
            integrity.check(run, cloud, survey, last.images)
    finally:
        _tell_of_parts(run, survey, parted)


def _tell_of_parts(run: Run, survey: Survey, parted: Mapping[str, str]) -> None:
    """Warns of the images that have lost some of their tags to a deletion that was not carried on."""
    for image_id in parted.keys() - survey.gone():
        image = guards.described(survey.candidates[image_id].image)
        run.hold_back(
            "partly-deleted",
            f"{survey.repository.full_name}: the deletion of {image} was begun and not carried on:"
            f" {parted[image_id]}.",
        )


def _delete_batches(
    run: Run,
    cloud: Cloud,
    delete_batch: Callable[[Batch], Deletion],
    survey: Survey,
    look: Look,
    parted: dict[str, str],
) -> Look | None:
    """The last look, if no deletion stops the others.

    Notes in ``parted`` the images whose deletion was given up in between.
    """
    before: Sequence[Seen] = survey.take_sightings(look.images)
    guarded = NEVER
    while True:
        batch, guarded = _next_batch(run, cloud, survey, look, before, guarded)
        look = batch.look
        if not batch.images:
            return look
        before = look.images
        deletion = delete_batch(batch)
        parted |= deletion.parted
        if _stops(run, survey, deletion) or deletion.look is None:
            return None
        look = deletion.look


def _next_batch(
    run: Run, cloud: Cloud, survey: Survey, look: Look, before: Sequence[Seen], guarded: Guarded
) -> tuple[Batch, Guarded]:
    """What may be deleted now, by a look that is still fresh once everything was asked again.

    Reading manifests, asking policies and looking at what runs may take long; the repository is then listed
    again, and there is less to ask the next time, and nothing for the guards if it is listed as before. Where
    even thinking about a fresh look takes long, a batch of two seconds is left.
    """
    first = guarded is NEVER
    for _ in range(LOOKS_AT_MOST):
        look = relisting.settled(cloud, survey.repository, look, _expected(survey, before))
        _ask_again(run, cloud, survey, look, before, first=first)
        before, first = look.images, False
        guarded = _guard(run, cloud, survey, look.images, guarded)
        images = _first_wave(survey, look.images, guarded.manifests)
        until = look.at + FRESH
        if not images or cloud.pace.clock() < until - LEAST_SECONDS:
            break
        look = relisting.look(cloud, survey.repository, look)
    vital = guards.needed_by_others(images, look.images, guarded.manifests)
    until = max(until, cloud.pace.clock() + LEAST_SECONDS)
    return Batch(look, images, vital, until), guarded


def _expected(survey: Survey, before: Iterable[Seen]) -> Sightings:
    """The images that a listing must have, unless somebody else has deleted them."""
    expected: dict[str, Seen] = {image_id: one.image for image_id, one in survey.going().items()}
    expected.update((one.image_id, one) for one in before)
    for image_id in survey.gone():
        expected.pop(image_id, None)
    return expected


def _ask_again(
    run: Run, cloud: Cloud, survey: Survey, look: Look, before: Sequence[Seen], *, first: bool
) -> None:
    """Settles the candidates that have changed, that nothing takes any more, or that may run unseen."""
    vanished = relisting.missing(look.images, {one.image_id for one in before}) - survey.gone()
    changed = relisting.retagged(relisting.sightings(before), look.images) | vanished
    retaking.leave_changed(run, survey, look.images)
    retaking.leave_untaken(run, cloud, survey, look.images, changed=changed, first=first)
    protection.look_again_in_use(run, cloud)
    protection.leave_unseen(run, survey)


def _guard(run: Run, cloud: Cloud, survey: Survey, images: list[Image], before: Guarded) -> Guarded:
    """Settles the candidates that a guard keeps now, unless the guards would say what they said ``before``.

    They would when what they let go is gone and all else is as it was: it held nothing that stays, and what
    it held or what refers to it was let go as well. Where children may go before their index, that is not so.
    """
    looked_at, gone, wanted = run.looked_in_use_at, survey.gone(), run.settings.guards
    staying = len(survey.outcomes) - len(gone)
    left = [image for image in before.images if image.image_id not in gone]
    as_before = (before.looked_in_use_at, before.staying) == (looked_at, staying) and left == images
    closed = wanted.index_children or len(left) == len(before.images)
    manifests = before.manifests
    reads = wanted.index_children or wanted.referrers
    if as_before and closed and not (reads and any(image.digest not in manifests for image in images)):
        return Guarded(images, looked_at, staying, manifests)
    every = [*images, *_not_deleted(survey, images)]
    manifests = protection.guard_candidates(run, cloud, survey, every)
    return Guarded(images, looked_at, len(survey.outcomes) - len(gone), manifests)


def _not_deleted(survey: Survey, images: list[Image]) -> list[Image]:
    """The images whose deletion has failed and that the listing lacks: they may be there, and need what they
    hold.
    """
    failed = [image_id for image_id, outcome in survey.outcomes.items() if outcome.outcome == "failed"]
    unlisted = relisting.missing(images, failed)
    return [survey.candidates[image_id].image for image_id in unlisted]


def _first_wave(survey: Survey, images: list[Image], manifests: dict[str, Manifest]) -> list[Image]:
    """The images to delete next, as they were just listed."""
    wanted = survey.going()
    going = [image for image in images if image.image_id in wanted]
    return next(iter(guards.waves(going, manifests)), [])[:BATCH]


def _delete_batch(
    run: Run, cloud: Cloud, survey: Survey, reserve: float, deleted: Callable[[], None], batch: Batch
) -> Deletion:
    """Deletes the batch once it is in the journal, and puts there what came of it. Raises StateError."""

    def before_each() -> None:
        cloud.need(reserve, "the rest is left to the next run")
        if run.leases:
            run.leases.check()
        if cloud.pace.clock() > batch.until:
            raise Stale(f"The last look at {survey.repository.full_name} is too old.")

    number = 0
    if run.journal:
        rows = ((image, survey.candidates[image.image_id].reasons) for image in batch.images)
        number = run.journal.intend(survey.repository, rows, survey.registry.service)
    deletion = delete(cloud, survey.repository, batch, before_each, deleted)
    record(run, survey, deletion)
    if run.journal:
        run.journal.settle(number, deletion.outcomes)
    return deletion


def _stops(run: Run, survey: Survey, deletion: Deletion) -> bool:
    """Whether no further batch may begin. Raises LeaseLost."""
    stopped: JanitorError | None = deletion.stopped
    if isinstance(stopped, LeaseLost):
        raise stopped
    if stopped is None or isinstance(stopped, Stale):
        return False
    if isinstance(stopped, AllRefused):
        survey.leave(read_only.UNASKED.kept_by)
    elif not isinstance(stopped, OutOfTime):
        run.problem(stopped)
    return True


def record(run: Run, survey: Survey, deletion: Deletion) -> None:
    survey.settle(deletion.outcomes)
    gone = [
        survey.candidates[image_id].image
        for image_id, outcome in deletion.outcomes.items()
        if outcome == DELETED
    ]
    run.goes(survey.registry.registry_id, gone)
    for image_id, outcome in deletion.outcomes.items():
        if outcome.outcome == "failed":
            call = service_of(survey.repository).deletion(image_id)
            run.not_deleted(survey, Problem(call, outcome.code, outcome.message, image_id))
