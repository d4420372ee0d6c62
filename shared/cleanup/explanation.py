"""What every policy, rule and guard says about one image, and what runs it. Deletes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from shared.cleanup import job, protection, scope
from shared.cleanup.run import Run, Survey
from shared.cloud import registry
from shared.cloud.client import Cloud
from shared.errors import INVALID_ARGUMENT, NOT_FOUND, CallError, SettingsError
from shared.retention import guards, policies, rules
from shared.retention.records import Candidate, Image, Manifest, Policy
from shared.retention.references import parse
from shared.retention.rule import Rule


def explain(run: Run, cloud: Cloud, wanted: str) -> list[dict[str, Any]]:
    """The explanations of the images that ``wanted`` names: an id, a digest, or ``repository:tag``.

    Raises SettingsError when there is none.
    """
    scope.find(run, cloud)
    found = list(_found(run, cloud, wanted))
    if not found:
        raise SettingsError(
            f"There is no image {wanted} in the registries that the settings name.", where="IMAGE"
        )
    run.surveys = [survey for survey in run.surveys if any(survey is one for one, _, _ in found)]
    taken = {survey.repository.full_name: _taken(run, cloud, survey) for survey in run.surveys}
    protection.look_in_use(run, cloud, run.surveys)
    for survey, images, _ in found:
        job.take_by_rules(run, survey, images)
    for unseen in run.unseen:
        run.hold_back("guard-unavailable", str(unseen))
    return [
        _explained(run, cloud, survey, images, image, taken[survey.repository.full_name])
        for survey, images, image in found
    ]


def _taken(run: Run, cloud: Cloud, survey: Survey) -> list[tuple[Policy, bool, set[str]]]:
    """Each policy of the repository, whether it is applied, and the ids of the images that it takes."""
    apply = run.settings.lifecycle_policies.apply
    taken = [
        (
            policy,
            policies.applies(policy, apply),
            list(registry.affected_images(cloud, registry.dry_run(cloud, policy.policy_id))),
        )
        for policy in survey.policies
    ]
    survey.candidates = policies.union((policy.label, images) for policy, applied, images in taken if applied)
    return [(policy, applied, {image.image_id for image in images}) for policy, applied, images in taken]


def _found(run: Run, cloud: Cloud, wanted: str) -> Iterator[tuple[Survey, list[Image], Image]]:
    """The images named, each with its repository's survey and all images of that."""
    surveys, by_digest = run.surveys, wanted.startswith("sha256:")
    reference = None if by_digest or not (":" in wanted or "/" in wanted) else parse(wanted)
    if reference:
        hosted = parse(f"localhost/{wanted}")  # the repository's name may begin as a host's does
        surveys = [
            one
            for one in surveys
            if (hosted and hosted.path == one.repository.name)
            or f"/{reference.path}".endswith(f"/{one.repository.full_name}")
        ]
    elif not by_digest:
        surveys = [one for one in surveys if one.repository.full_name == _repository_of(cloud, wanted)]
    for survey in surveys:
        images = list(registry.images(cloud, survey.repository))
        for image in images:
            named = reference and (reference.tag in image.tags or reference.digest == image.digest)
            if named or wanted in (image.image_id, image.digest):
                yield survey, images, image


def _repository_of(cloud: Cloud, image_id: str) -> str:
    try:
        return registry.image(cloud, image_id)[0]
    except CallError as error:
        if error.code not in (NOT_FOUND, INVALID_ARGUMENT):
            raise
        return ""


def _explained(
    run: Run,
    cloud: Cloud,
    survey: Survey,
    images: list[Image],
    image: Image,
    taken: list[tuple[Policy, bool, set[str]]],
) -> dict[str, Any]:
    manifests = protection.needed_manifests(run, cloud, survey.repository, images)
    found = list(_guards(run, survey, images, image, manifests))
    candidates, _ = protection.guarded(run, survey, images, survey.candidates, manifests)
    candidate = image.image_id in candidates
    return {
        "image_id": image.image_id,
        "registry_id": survey.registry.registry_id,
        "repository": survey.repository.name,
        "digest": image.digest,
        "tags": list(image.tags),
        "created_at": image.created_at,
        "size_bytes": image.size_bytes,
        "outcome": ("protected" if found else "would-delete") if candidate else "not-taken",
        "policies": [
            {
                "policy_id": policy.policy_id,
                "policy_name": policy.name,
                "status": policy.status,
                "applied": applied,
                "takes": image.image_id in ids,
            }
            for policy, applied, ids in taken
        ],
        "rules": [_rule(rule, images, image, run.started_at) for rule in survey.rules],
        "guards": [{"guard": one.guard, "kept_by": one.by} for one in found],
        "used_by": run.usage.where(survey.repository.full_name, image),
    }


def _rule(rule: Rule, images: list[Image], image: Image, now: datetime) -> dict[str, str]:
    """What a rule says of the image by itself: ``takes``, ``keeps``, ``leaves``, ``undated`` or
    ``does-not-match``.
    """
    decision = rules.decide([rule], images, now)
    says = "does-not-match"
    if image.image_id in decision.taken:
        says = "takes"
    elif image.image_id in decision.kept:
        says = "keeps"
    elif image.image_id in decision.undated:
        says = "undated"
    elif rules.matches(rule, image.tags):
        says = "leaves"
    return {"rule": rule.name, "action": rule.action, "says": says}


def _guards(
    run: Run, survey: Survey, images: list[Image], image: Image, manifests: dict[str, Manifest]
) -> Iterator[guards.Kept]:
    """Every guard that keeps the image, or would if a policy took it."""
    yield from protection.each_own_guard(run, survey, image)
    candidates = {**survey.candidates, image.image_id: Candidate(image, ())}
    kept = protection.own_guards(run, survey, candidates)
    kept.pop(image.image_id, None)
    bound = protection.bound(run, images, candidates, manifests, kept).get(image.image_id)
    if bound:
        yield bound
