"""Whether repositories are whole: every index has its children, every referrer its image. Deletes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial

from shared import guards, registry, scope
from shared.errors import CallError
from shared.http import Cloud
from shared.manifests import Manifests
from shared.parallel import for_each
from shared.protect import read_manifests
from shared.records import Image
from shared.run import Run, Survey

SAID = {
    "broken-index": "The index {image} has lost all of its images",
    "partial-index": "The index {image} has lost some of its images",
    "orphaned-referrer": "{image} refers to an image that is gone",
}


def validate(run: Run, cloud: Cloud) -> None:
    """Checks every repository that the run is about."""
    scope.find(run, cloud)
    for_each(run.surveys, partial(_validate_one, run, cloud), cloud.concurrency)


def _validate_one(run: Run, cloud: Cloud, survey: Survey) -> None:
    try:
        images = list(registry.images(cloud, survey.repository))
    except CallError as error:
        run.problem(error)
        return
    survey.images = len(images)
    check(run, cloud, survey, images)


def check(run: Run, cloud: Cloud, survey: Survey, images: Iterable[Image]) -> None:
    """Warns of what is not whole among a repository's ``images``."""
    wanted = run.settings.guards
    if not wanted.index_children and not wanted.referrers:
        return
    images = list(images)
    reader = Manifests(cloud, run.registry_endpoint, survey.repository.full_name)
    try:
        manifests = read_manifests(run, cloud, survey.repository, images)
        found = guards.damage(images, manifests, cache(reader.exists))
    except CallError as error:
        run.problem(error)
        return
    for one in found:
        image = SAID[one.code].format(image=guards.described(one.image))
        run.warn(one.code, f"{survey.repository.full_name}: {image}: {', '.join(one.missing)}.")
