"""Whether anything is missing in repositories: every index has its children, every referrer its image.

Deletes nothing.
"""

from __future__ import annotations

from functools import cache

from shared.cleanup import foreign_referrers, scope
from shared.cleanup.reading import read_manifests
from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.cloud.manifests import Manifests
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import service_of
from shared.errors import CallError, Doubtful
from shared.retention import guards
from shared.retention.damage import Damage
from shared.retention.damage import damage as damage_among
from shared.retention.records import Image, blob_key

SAID = {
    "broken-index": "The index {image} has lost all of its images",
    "partial-index": "The index {image} has lost some of its images",
    "orphaned-referrer": "{image} refers to an image that is gone",
}


def validate(run: Run, cloud: Cloud) -> None:
    """Checks every repository that the run is about."""
    scope.find(run, cloud)
    damaged: list[tuple[str, Damage]] = []

    def validate_one(survey: Survey) -> None:
        try:
            images = list(service_of(survey.repository).images(cloud, survey.repository))
        except CallError as error:
            run.problem(error)
            return
        survey.count(len(images), sum(image.size_bytes for image in images))
        foreign_referrers.note(run, survey.repository, images)
        damaged.extend(damage(run, cloud, survey, images))

    for_each(run.surveys, validate_one, cloud.concurrency)
    tell(run, cloud, damaged)


def check(run: Run, cloud: Cloud, survey: Survey, images: list[Image]) -> None:
    """Warns of what is not whole among a repository's ``images``."""
    tell(run, cloud, damage(run, cloud, survey, images))


def damage(run: Run, cloud: Cloud, survey: Survey, images: list[Image]) -> list[tuple[str, Damage]]:
    """What is not whole among a repository's ``images``, each with the repository's full name."""
    wanted = run.settings.guards
    if not wanted.index_children and not wanted.referrers:
        return []
    reader = Manifests(cloud, run.docker_endpoints, survey.repository)
    try:
        manifests = read_manifests(run, cloud, survey.repository, images)
        damages = damage_among(images, manifests, cache(reader.exists))
    except CallError as error:
        run.problem(error)
        return []
    return [(survey.repository.full_name, row) for row in damages]


def tell(run: Run, cloud: Cloud, damaged: list[tuple[str, Damage]]) -> None:
    """Warns of what is damaged, but for referrers whose image another repository has."""
    subjects = {
        digest for _, damage in damaged if damage.code == "orphaned-referrer" for digest in damage.missing
    }
    try:
        elsewhere = foreign_referrers.listed(run, cloud, set(map(blob_key, subjects))) if subjects else set()
    except (CallError, Doubtful) as error:
        run.problem(error)
        elsewhere = set()
    for full_name, damage in damaged:
        if damage.code == "orphaned-referrer" and not elsewhere.isdisjoint(map(blob_key, damage.missing)):
            continue
        image = SAID[damage.code].format(image=guards.described(damage.image))
        run.warn(damage.code, f"{full_name}: {image}: {', '.join(damage.missing)}.")
