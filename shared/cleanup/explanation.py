"""What every policy, rule and guard says about one image, and what runs it. Deletes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache

import msgspec

from shared.cleanup import protection, reading, scope, surveying
from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.cloud.registry_services import SERVICES, service_of
from shared.errors import INVALID_ARGUMENT, NOT_FOUND, CallError, SettingsError
from shared.retention import guards, policies, rules
from shared.retention.records import Candidate, Image, ImageFacts, Manifest, Policy
from shared.retention.references import parse
from shared.retention.rule import Rule


class PolicySays(msgspec.Struct, frozen=True):
    """Whether a native policy takes the image, and whether images may be deleted in its name here."""

    policy_id: str
    policy_name: str
    status: str
    applied: bool
    takes: bool


class RuleSays(msgspec.Struct, frozen=True):
    """``says`` is ``takes``, ``keeps``, ``leaves``, ``undated`` or ``does-not-match``."""

    rule: str
    action: str
    says: str


class GuardSays(msgspec.Struct, frozen=True):
    """A guard that keeps the image, and what the guard found."""

    guard: str
    kept_by: str


class Explained(ImageFacts, frozen=True, kw_only=True):
    """``outcome`` is ``protected``, ``would-delete`` or ``not-taken``; ``used_by`` names what runs the image,
    if anything does.
    """

    outcome: str
    policies: list[PolicySays]
    rules: list[RuleSays]
    guards: list[GuardSays]
    used_by: str | None


def explain(run: Run, cloud: Cloud, wanted: str) -> list[Explained]:
    """The explanations of the images that ``wanted`` names: an id, a digest, or ``repository:tag``.

    Raises SettingsError when there is none.
    """
    scope.find(run, cloud)
    named = list(_found(run, cloud, wanted))
    if not named:
        raise SettingsError(
            f"There is no image {wanted} in the registries that the settings name.", where="IMAGE"
        )
    surveys = {survey.repository.full_name: survey for survey, _, _ in named}
    taken = {name: _taken(run, cloud, survey) for name, survey in surveys.items()}
    protection.look_in_use(run, cloud, list(surveys.values()))
    for survey, images, _ in named:
        surveying.take_by_rules(run, survey, images)
    for unseen in run.unseen:
        run.hold_back("guard-unavailable", str(unseen))
    return [
        _explained(run, cloud, survey, images, image, taken[survey.repository.full_name])
        for survey, images, image in named
    ]


def _taken(run: Run, cloud: Cloud, survey: Survey) -> list[tuple[Policy, bool, set[str]]]:
    """Each policy of the repository, whether it is applied, and the ids of the images that it takes."""
    apply, service = run.settings.lifecycle_policies.apply, service_of(survey.repository)
    listed = cache(lambda: list(service.images(cloud, survey.repository)))
    taken = []
    for policy in survey.policies:
        dry_run = run.dry_runs.of(cloud, survey.repository, policy, since=float("-inf"))
        images = [image for image, _ in service.taken(dry_run, listed)]
        taken.append((policy, policies.applies(policy, apply), images))
    survey.restock(policies.union((policy.label, images) for policy, applied, images in taken if applied))
    return [(policy, applied, {image.image_id for image in images}) for policy, applied, images in taken]


def _found(run: Run, cloud: Cloud, wanted: str) -> Iterator[tuple[Survey, list[Image], Image]]:
    """The images named, each with its repository's survey and all images of that."""
    surveys, by_digest = run.surveys, wanted.startswith("sha256:")
    reference = None if by_digest or not (":" in wanted or "/" in wanted) else parse(wanted)
    if reference:
        hosted = parse(f"localhost/{wanted}")  # the repository's name may begin as a host's does
        surveys = [
            survey
            for survey in surveys
            if (hosted and hosted.path == survey.repository.name)
            or f"/{reference.path}".endswith(f"/{survey.repository.full_name}")
        ]
    elif not by_digest:
        surveys = [
            survey for survey in surveys if survey.repository.full_name == _repository_of(cloud, wanted)
        ]
    for survey in surveys:
        images = list(service_of(survey.repository).images(cloud, survey.repository))
        for image in images:
            named = reference and (reference.tag in image.tags or reference.digest == image.digest)
            if named or wanted in (image.image_id, image.digest):
                yield survey, images, image


def _repository_of(cloud: Cloud, image_id: str) -> str:
    """The full name of the image's repository, "" if no service knows the image. Raises CallError."""
    for service in SERVICES.values():
        try:
            return service.repository_of(cloud, image_id)
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
) -> Explained:
    manifests = reading.needed_manifests(run, cloud, survey.repository, images)
    kept = list(_guards(run, survey, images, image, manifests))
    by = protection.guarding(run, survey)
    candidate = image.image_id in guards.guarded(images, survey.candidates, manifests, by).candidates
    return Explained(
        service=survey.registry.service,
        image_id=image.image_id,
        registry_id=survey.registry.registry_id,
        repository=survey.repository.name,
        digest=image.digest,
        tags=image.tags,
        created_at=image.created_at,
        size_bytes=image.size_bytes,
        outcome=("protected" if kept else "would-delete") if candidate else "not-taken",
        policies=[
            PolicySays(policy.policy_id, policy.name, policy.status, applied, image.image_id in ids)
            for policy, applied, ids in taken
        ],
        rules=[_rule(rule, images, image, run.started_at) for rule in survey.rules],
        guards=[GuardSays(guard.guard, guard.by) for guard in kept],
        used_by=run.usage.where(survey.repository.full_name, image),
    )


def _rule(rule: Rule, images: list[Image], image: Image, now: datetime) -> RuleSays:
    """What a rule says of the image by itself."""
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
    return RuleSays(rule.name, rule.action, says)


def _guards(
    run: Run, survey: Survey, images: list[Image], image: Image, manifests: dict[str, Manifest]
) -> Iterator[guards.Kept]:
    """Every guard that keeps the image, or would if a policy took it."""
    by = protection.guarding(run, survey)
    yield from guards.each_own(image, by)
    candidates = {**survey.candidates, image.image_id: Candidate(image, ())}
    kept = guards.own(candidates, by)
    kept.pop(image.image_id, None)
    bound = guards.bound(images, candidates, manifests, kept, by).get(image.image_id)
    if bound:
        yield bound
