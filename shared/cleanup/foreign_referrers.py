"""Signatures and other referrers that are kept in another repository than their image, as cosign's
COSIGN_REPOSITORY does.

Such a referrer stays as long as any repository lists its image, also in the other registries of the folder.
It does not go together with its image: once that is gone, a rule or policy may take it in a later run.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from shared.cleanup import registries
from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.cloud.registry_services import service_of
from shared.errors import CallError
from shared.retention.records import Image, Outcome, blob_key


def keys_of(images: Iterable[Image]) -> array[int]:
    """The keys of the images' digests, and of those that their indexes name."""
    return array("Q", [blob_key(digest) for image in images for digest in (image.digest, *image.children)])


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
    except CallError as error:
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

    Raises CallError.
    """
    there: set[int] = set()
    for keys in run.digests.values():
        there |= wanted.intersection(keys)
    if there == wanted:
        return there
    folders = sorted({survey.registry.folder_id for survey in run.surveys if survey.registry.folder_id})
    for folder_id in folders:
        for registry in registries.all_of_folder(cloud, run.settings.services, folder_id):
            for repository in service_of(registry).repositories(cloud, registry.registry_id):
                if repository.full_name not in run.digests:
                    keys = keys_of(service_of(repository).images(cloud, repository))
                    run.note_digests(repository.full_name, keys)
                    there |= wanted.intersection(keys)
    return there
