"""Finds out what the guards need to know, and applies them to a repository's candidates.

What cannot be found out stops the deletions that it might have prevented: of the registries of a folder for what
runs there, of one repository for its manifests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared import choose, guards, in_use, registry
from shared.errors import INTERNAL, NOT_FOUND, CallError
from shared.http import Cloud
from shared.in_use.references import Usage
from shared.manifests import SERVICE, Manifests
from shared.notation import duration, whole_tag
from shared.plan import Plan
from shared.records import PLAIN, Candidate, Image, Manifest, Outcome, Policy, Repository
from shared.run import Run, Survey

NAMED = 20
KEPT_BY = {
    "index-child": "that belong to images which stay, such as {image} of {by}",
    "referrer": "that belong to images which stay, such as {image} of {by}",
    "keep-rule": "that keep rules keep, such as {image} by the {by}",
}


def look_in_use(run: Run, cloud: Cloud, surveys: list[Survey]) -> None:
    """Looks up what runs of the ``surveys``' registries."""
    sources = [source for source in run.settings.guards.in_use if source in in_use.SOURCES]
    if not sources or not surveys:
        return
    folders = {survey.registry.folder_id for survey in surveys} | _elsewhere(run)
    registry_ids = frozenset(survey.registry.registry_id for survey in surveys)
    found = in_use.look(cloud, sorted(filter(None, folders)), sources, registry_ids)
    run.usage = Usage(found.uses)
    for doubt in found.doubts:
        run.warn("nothing-in-use", doubt)
    run.unseen = found.blind
    for blind in found.blind:
        run.problem(blind.error)


def unseen(run: Run, survey: Survey) -> list[in_use.Blind]:
    """What could not be looked at, and may use the repository's images."""
    folders = {survey.registry.folder_id} | _elsewhere(run)
    return [blind for blind in run.unseen if blind.folder_id in folders]


def refuse_unseen(run: Run) -> None:
    """Says what could not be looked at, if there is a candidate that it may use."""
    for blind in run.unseen:
        if any(survey.candidate_count and blind in unseen(run, survey) for survey in run.surveys):
            run.refuse("guard-unavailable", str(blind))


def _elsewhere(run: Run) -> set[str]:
    """The folders that may use any of the registries, beside those that they are in."""
    settings = run.settings
    return {*settings.guards.folders, *([settings.folder_id] if settings.folder_id else [])}


def guard_candidates(run: Run, cloud: Cloud, survey: Survey, images: list[Image]) -> dict[str, Manifest]:
    """Settles the candidates that a guard keeps, and adds the referrers that go with theirs.

    Returns the manifests of ``images``. Without them, nothing of the repository is deleted.
    """
    going = survey.going()
    try:
        manifests = needed_manifests(run, cloud, survey.repository, images) if going else {}
    except CallError as error:
        run.problem(error)
        run.refuse(
            "guard-unavailable",
            f"What the images of {survey.repository.full_name} hold and refer to cannot be read, so nothing is"
            f" deleted there: {error}. To go without looking, set guards.index_children and guards.referrers to"
            " false.",
        )
        settle(survey, own_guards(run, survey, going))
        run.leave(survey)
        return {}
    if run.plan:
        going = _leave_newly_signed(run, run.plan, survey, images, manifests)
    candidates, kept = guarded(run, survey, images, going, manifests)
    survey.candidates |= candidates
    settle(survey, kept)
    return manifests


def _leave_newly_signed(
    run: Run, plan: Plan, survey: Survey, images: list[Image], manifests: dict[str, Manifest]
) -> dict[str, Candidate]:
    """Settles the candidates with referrers that would go with them, but that the plan has not. Returns the others."""
    if run.settings.guards.referrers:
        followers = guards.following(images, survey.going(), {}, manifests)
        guarded_ones = own_guards(run, survey, followers)
        digests = {
            digest
            for image_id, one in followers.items()
            if image_id not in guarded_ones and not plan.has(survey.repository.full_name, one.image)
            for digest in guards.referred_to(one.image, manifests.get(one.image.digest, PLAIN))
        }
        signed = [image_id for image_id, one in survey.going().items() if one.image.digest in digests]
        survey.outcomes |= dict.fromkeys(
            signed, Outcome("remaining", kept_by="it has been signed, or the like")
        )
    return survey.going()


def keep_bound(run: Run, survey: Survey, images: list[Image], manifests: dict[str, Manifest]) -> None:
    """Keeps what is bound to an image whose deletion failed: it is still there."""
    settle(survey, bound(run, images, survey.going(), manifests, {}))


def warn_of_active_policies(run: Run, cloud: Cloud, survey: Survey, images: list[Image]) -> None:
    """Warns of what Yandex Cloud's own ACTIVE policy will delete although a guard keeps it here."""
    for policy, taken in survey.taken_by_active:
        candidates = choose.union([(policy.label, [image for image in images if image.image_id in taken])])
        try:
            manifests = needed_manifests(run, cloud, survey.repository, images)
        except CallError:
            manifests = {}  # guard_candidates has told of it
        _, kept = guarded(run, survey, images, candidates, manifests)
        _warn_of(run, policy, survey.repository, candidates, kept)


def _warn_of(
    run: Run,
    policy: Policy,
    repository: Repository,
    candidates: dict[str, Candidate],
    kept: dict[str, guards.Kept],
) -> None:
    deletes = f"The ACTIVE policy {policy.label} of {repository.full_name}, which Yandex Cloud itself carries out, takes"
    running = {image_id: one for image_id, one in kept.items() if one.guard == "in-use"}
    for image_id, one in list(running.items())[:NAMED]:
        image = candidates[image_id].image
        run.warn(
            "active-policy-takes-image-in-use",
            f"{deletes} the image {guards.described(image)}, which is in use: {one.by}.",
        )
    if len(running) > NAMED:
        run.warn("active-policy-takes-image-in-use", f"{deletes} {len(running) - NAMED} more images in use.")
    for name, why in KEPT_BY.items():
        bound = [(image_id, one) for image_id, one in kept.items() if one.guard == name]
        if bound:
            image_id, one = bound[0]
            described = guards.described(candidates[image_id].image)
            run.warn(
                f"active-policy-takes-{name}",
                f"{deletes} {len(bound)} images {why.format(image=described, by=one.by)}.",
            )


def guarded(
    run: Run,
    survey: Survey,
    images: list[Image],
    candidates: dict[str, Candidate],
    manifests: dict[str, Manifest],
) -> tuple[dict[str, Candidate], dict[str, guards.Kept]]:
    """``candidates`` with the referrers that go with theirs, and those of them that a guard keeps."""
    wanted = run.settings.guards
    found = dict(candidates)
    while True:
        kept = bound(run, images, found, manifests, own_guards(run, survey, found))
        followers = guards.following(images, found, kept, manifests) if wanted.referrers else {}
        followers = {
            image_id: one
            for image_id, one in followers.items()
            if image_id not in own_guards(run, survey, followers)
            and (run.plan is None or run.plan.has(survey.repository.full_name, one.image))
        }
        if not followers:
            staying = {image_id for image_id in kept if image_id not in candidates}
            return (
                {image_id: one for image_id, one in found.items() if image_id not in staying},
                {image_id: one for image_id, one in kept.items() if image_id not in staying},
            )
        found |= followers


def own_guards(run: Run, survey: Survey, candidates: dict[str, Candidate]) -> dict[str, guards.Kept]:
    """The guards that images have by themselves, whatever else their repository holds."""
    kept: dict[str, guards.Kept] = {}
    for image_id, candidate in candidates.items():
        one = next(each_own_guard(run, survey, candidate.image), None)
        if one:
            kept[image_id] = one
    return kept


def each_own_guard(run: Run, survey: Survey, image: Image) -> Iterator[guards.Kept]:
    """In use, by a keep rule, by a tag of its own, by its age."""
    wanted = run.settings.guards
    where = run.usage.where(survey.repository.full_name, image)
    if where:
        yield guards.in_use(where)
    by_rule = survey.kept.get(image.image_id)
    if by_rule:
        yield guards.keep_rule(by_rule)
    by_tag = guards.keep_tag(image, [whole_tag(text) for text in wanted.keep_tags])
    if by_tag:
        yield by_tag
    by_age = guards.grace(image, duration(wanted.grace), run.started_at)
    if by_age:
        yield by_age


def bound(
    run: Run,
    images: list[Image],
    candidates: dict[str, Candidate],
    manifests: dict[str, Manifest],
    kept: dict[str, guards.Kept],
) -> dict[str, guards.Kept]:
    """``kept`` and the candidates that are bound to what stays, by the guards that are on."""
    wanted = run.settings.guards
    return guards.close(
        images, candidates, manifests, kept, index_children=wanted.index_children, referrers=wanted.referrers
    )


def settle(survey: Survey, kept: dict[str, guards.Kept]) -> None:
    """Notes the guards that keep candidates."""
    survey.outcomes |= {image_id: Outcome("protected", one.guard, one.by) for image_id, one in kept.items()}


def needed_manifests(
    run: Run, cloud: Cloud, repository: Repository, images: list[Image]
) -> dict[str, Manifest]:
    wanted = run.settings.guards
    return read_manifests(run, cloud, repository, images) if wanted.index_children or wanted.referrers else {}


def read_manifests(
    run: Run, cloud: Cloud, repository: Repository, images: Iterable[Image]
) -> dict[str, Manifest]:
    """The manifests of ``images``. One that is missing is left out if its image is gone by now.

    Raises CallError, also for one that is not understood.
    """
    by_digest = {image.digest: image.image_id for image in images}

    def gone(digest: str) -> bool:
        try:
            registry.image(cloud, by_digest[digest])
        except CallError as error:
            return error.code == NOT_FOUND
        return False

    found = Manifests(cloud, run.registry_endpoint, repository.full_name).read(by_digest, gone)
    for digest, manifest in found.items():
        if manifest.unclear:
            raise CallError(
                manifest.unclear, service=SERVICE, call=f"GET the manifest {digest}", code=INTERNAL
            )
    return found
