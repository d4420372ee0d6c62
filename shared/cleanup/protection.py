"""Finds out what the guards need to know, and applies them to a repository's candidates.

What cannot be found out stops the deletions that it might have prevented: of the registries of a folder for
what runs there, of one repository for its manifests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING

from shared.cleanup.reading import needed_manifests
from shared.cleanup.run import Run, Survey
from shared.cloud import relisting
from shared.cloud.client import Cloud
from shared.cloud.manifests import Manifests
from shared.cloud.relisting import Look
from shared.errors import CallError, Doubtful, OutOfTime
from shared.retention import guards
from shared.retention.guards import Guarding
from shared.retention.moments import duration
from shared.retention.patterns import whole_tag
from shared.retention.records import PLAIN, Image, Manifest, Outcome, Repository

if TYPE_CHECKING:
    from shared.cloud.workloads.sources import Unavailable

LOOK_AGAIN_AFTER = 50.0
BOUND = "index-child, referrer"


def look_in_use(run: Run, cloud: Cloud, surveys: list[Survey]) -> None:
    """Looks up what runs of the ``surveys``' registries.

    What an earlier look of the run has shown still counts.
    """
    if run.settings.guards.in_use == "none" or not surveys:
        return
    from shared.cloud.workloads.sources import look  # imported here: many calls end before they look

    folders = {survey.registry.folder_id for survey in surveys} | _elsewhere(run)
    registry_ids = frozenset(survey.registry.registry_id for survey in run.surveys)
    began_at = cloud.pace.clock()
    shown = look(cloud, sorted(filter(None, folders)), run.settings.guards.in_use, registry_ids)
    run.saw_in_use(shown, began_at)
    for doubt in shown.doubts:
        run.warn("nothing-in-use", doubt)
    for blind in shown.blind:
        run.guard_problem(blind.error)


def look_again_in_use(run: Run, cloud: Cloud) -> None:
    """Looks again at what runs when the last look is so old that it would be over a minute at the end of a
    batch.
    """
    with run.looking:
        if cloud.pace.clock() - run.looked_in_use_at > LOOK_AGAIN_AFTER:
            look_in_use(run, cloud, [survey for survey in run.surveys if survey.candidate_count])


def leave_unseen(run: Run, survey: Survey) -> None:
    """Leaves the repository's candidates if what may use them could not be looked at."""
    blind = unseen(run, survey)
    if not blind or not survey.going():
        return
    for source in run.news_of(blind):
        run.hold_back("guard-unavailable", str(source))
    survey.leave(f"in-use: {', '.join(sorted({source.source for source in blind}))}")


def unseen(run: Run, survey: Survey) -> list[Unavailable]:
    """What could not be looked at, and may use the repository's images."""
    folders = {survey.registry.folder_id} | _elsewhere(run)
    return [blind for blind in run.unseen if blind.folder_id in folders]


def _elsewhere(run: Run) -> set[str]:
    """The folders that may use any of the registries, beside those that they are in."""
    settings = run.settings
    return {*settings.guards.folders, *([settings.folder_id] if settings.folder_id else [])}


def tags_beside(run: Run, cloud: Cloud, repository: Repository, listed: Set[str]) -> set[str]:
    """The repository's tags beside those ``listed``, if a guard needs to know them. Raises CallError.

    What keeps other images may be missing from every listing of a run; the tags come from another service.
    """
    wanted = run.settings.guards
    if not wanted.index_children and not wanted.referrers:
        return set()
    return set(Manifests(cloud, run.docker_endpoints, repository).tags(listed) or ())


def with_all_tags(run: Run, cloud: Cloud, repository: Repository, look: Look) -> Look:
    """``look``, or a newer one, with an image for each tag that the repository has. Raises CallError,
    Doubtful.
    """
    listed = _tags(look.images)
    unlisted = tags_beside(run, cloud, repository, listed)
    if unlisted:  # pushed or deleted meanwhile?
        look = relisting.again(cloud, repository, look, {})
        listed = _tags(look.images)
        unlisted -= listed
    if unlisted and not unlisted.isdisjoint(tags_beside(run, cloud, repository, listed)):
        raise Doubtful(
            f"The listing of {repository.full_name} lacks the image of the tag {min(unlisted)}, which the"
            " registry has, so nothing is deleted there: the next run looks again.",
            where=repository.full_name,
        )
    return look


def _tags(images: Iterable[Image]) -> set[str]:
    return {tag for image in images for tag in image.tags}


def guard_candidates(run: Run, cloud: Cloud, survey: Survey, images: list[Image]) -> dict[str, Manifest]:
    """Settles the candidates that a guard keeps, and adds the referrers that go with theirs.

    Returns the manifests of ``images``. Without them, nothing of the repository is deleted.
    """
    going = survey.going()
    try:
        manifests = needed_manifests(run, cloud, survey.repository, images) if going else {}
    except CallError as error:
        run.guard_problem(error)
        run.hold_back(
            "guard-unavailable",
            f"What the images of {survey.repository.full_name} hold and refer to cannot be read, so nothing"
            f" is deleted there: {error}. To go without looking, set guards.index_children and"
            " guards.referrers to false.",
        )
        return _leave_bound(run, survey, BOUND)
    _leave_unclear(run, survey, images, manifests)
    by = guarding(run, survey)
    signed = guards.newly_signed(images, survey.going(), manifests, by)
    survey.settle(dict.fromkeys(signed, Outcome("remaining", kept_by="it has been signed, or the like")))
    guarded = guards.guarded(images, survey.going(), manifests, by)
    survey.take(guarded.candidates)
    settle(survey, guarded.kept)
    _tell_of_unclear(run, survey, images, manifests, {kept.by for kept in guarded.kept.values()})
    return manifests


def leave_unread(run: Run, survey: Survey, error: OutOfTime) -> dict[str, Manifest]:
    """Leaves the repository's candidates to the next run, since not all of its manifests are known.

    Returns those that this run may go by, which are none.
    """
    survey.note_unread()
    next_run = (
        "what is known is kept, and the next run goes on from there"
        if run.memory.works
        else "the next run begins anew, for no STATE_BUCKET or STATE_DIR keeps what is known"
    )
    run.warn("manifests-unread", f"{error} Nothing of that repository is deleted yet; {next_run}.")
    return _leave_bound(run, survey, f"{BOUND}: not all manifests are known yet")


def _leave_bound(run: Run, survey: Survey, why: str) -> dict[str, Manifest]:
    """Leaves the candidates that no guard keeps which they have by themselves."""
    settle(survey, guards.own(survey.going(), guarding(run, survey)))
    survey.leave(why)
    return {}


def _leave_unclear(run: Run, survey: Survey, images: list[Image], manifests: dict[str, Manifest]) -> None:
    """Leaves the candidates whose manifests are not understood, and all if one may be an index of any of
    them.
    """
    going = survey.going()
    if not going:
        return
    unclear = guards.unclear(images, manifests)
    survey.settle(
        {
            image_id: Outcome("remaining", kept_by=f"{BOUND}: its manifest is not understood: {why}")
            for image_id, why in unclear.items()
            if image_id in going
        }
    )
    hidden = guards.hides_its_images(images, manifests)
    if hidden and survey.going():
        run.hold_back(
            "guard-unavailable",
            f"{survey.repository.full_name}: the image {hidden.image_id} ({guards.described(hidden)}) may be"
            f" an index, and its manifest cannot be read ({unclear[hidden.image_id]}), so nothing is deleted"
            " there. Push that image again or delete it by hand; to go without looking, set"
            " guards.index_children and guards.referrers to false.",
        )
        settle(survey, guards.own(survey.going(), guarding(run, survey)))
        survey.leave(f"index-child: {guards.described(hidden)}")


def _tell_of_unclear(
    run: Run, survey: Survey, images: list[Image], manifests: dict[str, Manifest], kept_by: set[str]
) -> None:
    """Warns once of each image whose manifest is not understood; what it keeps is held back."""
    for image in images:
        manifest = manifests.get(image.digest, PLAIN)
        if not manifest.unclear or not survey.is_news_that_unclear(image.image_id):
            continue
        message = (
            f"{survey.repository.full_name}: the manifest of the image {image.image_id}"
            f" ({guards.described(image)}) is not understood: {manifest.unclear}. The image stays, and so"
            " does all that its manifest names."
        )
        holds_back = image.image_id in survey.outcomes or any(guards.described(image) in by for by in kept_by)
        (run.hold_back if holds_back else run.warn)("manifest-not-understood", message)


def guarding(run: Run, survey: Survey) -> Guarding:
    """What decides on the repository's images, as it is known now."""
    wanted, plan, name = run.settings.guards, run.plan, survey.repository.full_name
    return Guarding(
        full_name=name,
        usage=run.usage,
        now=run.started_at,
        kept_by_rules=survey.kept,
        keep_tags=tuple(whole_tag(text) for text in wanted.keep_tags),
        grace=duration(wanted.grace),
        index_children=wanted.index_children,
        referrers=wanted.referrers,
        may_follow=(lambda image: plan.has(name, image)) if plan else (lambda _: True),
    )


def settle(survey: Survey, kept: Mapping[str, guards.Kept]) -> None:
    """Notes the guards that keep candidates."""
    survey.settle({image_id: Outcome("protected", guard.guard, guard.by) for image_id, guard in kept.items()})
