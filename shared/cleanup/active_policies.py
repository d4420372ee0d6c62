"""Warnings of what Yandex Cloud's own ACTIVE policies will delete although a guard keeps it here."""

from __future__ import annotations

from shared.cleanup.protection import guarding
from shared.cleanup.reading import needed_manifests
from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.errors import CallError, many
from shared.retention import guards, policies
from shared.retention.records import Candidate, Image, Policy, Repository

NAMED = 20
KEPT_BY = {
    "index-child": "belonging to images which stay, such as {image} of {by}",
    "referrer": "belonging to images which stay, such as {image} of {by}",
    "keep-rule": "that keep rules keep, such as {image} by the {by}",
}


def warn_of_active_policies(run: Run, cloud: Cloud, survey: Survey, images: list[Image]) -> None:
    """Warns of what Yandex Cloud's own ACTIVE policy will delete although a guard keeps it here."""
    for policy, taken in survey.taken_by_active:
        candidates = policies.union([(policy.label, [image for image in images if image.image_id in taken])])
        try:
            manifests = {} if survey.unread else needed_manifests(run, cloud, survey.repository, images)
        except CallError:
            manifests = {}  # guard_candidates has said so
        guarded = guards.guarded(images, candidates, manifests, guarding(run, survey))
        _warn_of(run, policy, survey.repository, candidates, guarded.kept)


def _warn_of(
    run: Run,
    policy: Policy,
    repository: Repository,
    candidates: dict[str, Candidate],
    kept: dict[str, guards.Kept],
) -> None:
    named = f"The ACTIVE policy {policy.label} of {repository.full_name}"
    deletes = f"{named}, which Yandex Cloud itself carries out, takes"
    running = {image_id: guard for image_id, guard in kept.items() if guard.guard == "in-use"}
    for image_id, guard in list(running.items())[:NAMED]:
        image = candidates[image_id].image
        run.warn(
            "active-policy-takes-image-in-use",
            f"{deletes} the image {guards.described(image)}, which is in use: {guard.by}.",
        )
    if len(running) > NAMED:
        run.warn(
            "active-policy-takes-image-in-use",
            f"{deletes} {many(len(running) - NAMED, 'more image')} in use.",
        )
    for name, why in KEPT_BY.items():
        bound = [(image_id, guard) for image_id, guard in kept.items() if guard.guard == name]
        if bound:
            image_id, guard = bound[0]
            described = guards.described(candidates[image_id].image)
            run.warn(
                f"active-policy-takes-{name}",
                f"{deletes} {many(len(bound), 'image')} {why.format(image=described, by=guard.by)}.",
            )
