"""Signatures and other referrers that are kept in another repository than their image, as cosign's
COSIGN_REPOSITORY does.

Such a referrer stays as long as any repository lists its image, also in the other registries of the folder.
It does not go together with its image: once that is gone, a rule or policy may take it in a later run.

That no repository lists the image is believed where a repository's listing has as many tags as the Docker
registry tells.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from functools import partial

from shared.cleanup import protection, registries
from shared.cleanup.run import Run, Survey
from shared.cloud import relisting
from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import service_of
from shared.errors import CallError, Doubtful
from shared.retention.records import Image, Outcome, Repository, blob_key


def note(run: Run, repository: Repository, images: Collection[Image]) -> None:
    """Notes the digests of a repository's ``images``, with those that their indexes name."""
    digests = (digest for image in images for digest in (image.digest, *image.children))
    tags = sum(len(image.tags) for image in images)
    run.note_listed(repository.full_name, array("Q", map(blob_key, digests)), tags)


def keep_referrers(run: Run, cloud: Cloud) -> None:
    """Settles the candidates that refer to an image of another repository, if that is there or cannot be
    looked for.
    """
    surveys = [survey for survey in run.surveys if survey.foreign]
    if not surveys:
        return
    wanted = {
        blob_key(digest) for survey in surveys for digests in survey.foreign.values() for digest in digests
    }
    try:
        there = listed(run, cloud, wanted)
    except (CallError, Doubtful) as error:
        if isinstance(error, CallError):
            run.guard_problem(error)
        run.hold_back(
            "guard-unavailable",
            "It is not known whether the images of"
            f" {sum(len(survey.foreign) for survey in surveys)} signatures or the like are in other"
            f" repositories, so these signatures stay: {error}",
        )
        there = None
    for survey in surveys:
        with survey.opened():
            for image_id in survey.foreign.keys() - survey.outcomes.keys():
                _settle(survey, image_id, there)


def _settle(survey: Survey, image_id: str, there: set[int] | None) -> None:
    digests = survey.foreign[image_id]
    if there is None:
        survey.settle({image_id: Outcome("remaining", kept_by="referrer: its image cannot be looked for")})
        return
    subject = next((digest for digest in sorted(digests) if blob_key(digest) in there), None)
    if subject:
        survey.settle({image_id: Outcome("protected", "referrer", f"{subject} of another repository")})


def listed(run: Run, cloud: Cloud, wanted: set[int]) -> set[int]:
    """Those of the ``wanted`` keys of digests that any repository of the registries' folders lists.

    Raises CallError, Doubtful.
    """
    names = set(run.digests)
    if _noted(run, wanted) != wanted:
        known = [survey.repository for survey in run.surveys if survey.repository.full_name in names]
        for_each(known, partial(_look_again, run, cloud), cloud.concurrency)
    if _noted(run, wanted) != wanted:
        for repository in _others(run, cloud, names):
            _look(run, cloud, repository)
    return _noted(run, wanted)


def _noted(run: Run, wanted: set[int]) -> set[int]:
    return set().union(*(wanted.intersection(keys) for keys in run.digests.values()))


def _others(run: Run, cloud: Cloud, names: Collection[str]) -> Iterator[Repository]:
    """The repositories of the registries' folders but those with these full names."""
    folders = sorted({survey.registry.folder_id for survey in run.surveys if survey.registry.folder_id})
    for folder_id in folders:
        for registry in registries.all_of_folder(cloud, run.settings.services, folder_id):
            for repository in service_of(registry).repositories(cloud, registry.registry_id):
                if repository.full_name not in names:
                    yield repository


def _look_again(run: Run, cloud: Cloud, repository: Repository) -> None:
    """Lists a repository anew that has more tags than were listed."""
    if len(protection.tags_beside(run, cloud, repository, set())) > run.tags[repository.full_name]:
        _look(run, cloud, repository)


def _look(run: Run, cloud: Cloud, repository: Repository) -> None:
    look = protection.with_all_tags(run, cloud, repository, relisting.look(cloud, repository))
    note(run, repository, look.images)
