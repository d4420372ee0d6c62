"""The job in order: find the repositories, run their policies dry, list, decide, delete.

Nothing here decides or knows HTTP: `choose` decides, `registry` asks, `delete` deletes. What a run learns is
gathered in a `Run`, from which `report` tells it, also when the run breaks off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec

from shared import choose, log, registry
from shared.delete import ALREADY_GONE, DELETED, Deletion, delete
from shared.errors import NOT_FOUND, CallError, OverrideRefused, SettingsError
from shared.events import Pushed
from shared.http import Cloud
from shared.layers import LayerCount, layer_keys
from shared.overrides import Narrowed
from shared.parallel import for_each
from shared.records import (
    Candidate,
    Image,
    Notice,
    Outcome,
    Policy,
    PolicyResult,
    Problem,
    Registry,
    Repository,
)

REPOSITORIES_AT_ONCE = 4
REMAINING = Outcome("remaining")

Progress = Callable[[str, int, int], None]


class Survey(msgspec.Struct):
    """One repository as the run finds it. ``images`` is None until it was listed."""

    registry: Registry
    repository: Repository
    policies: list[Policy]
    results: list[PolicyResult] = []
    candidates: dict[str, Candidate] = {}
    images: int | None = None
    outcomes: dict[str, Outcome] = {}

    def going(self) -> list[Candidate]:
        """The candidates that nothing keeps from being deleted so far."""
        return [candidate for image_id, candidate in self.candidates.items() if image_id not in self.outcomes]


class Run(msgspec.Struct):
    """What a run learns. ``layers`` counts by registry id."""

    narrowed: Narrowed
    pushed: frozenset[Pushed] | None = None
    surveys: list[Survey] = []
    layers: dict[str, LayerCount] = {}
    warnings: list[Notice] = []
    errors: list[Problem] = []
    refused: bool = False
    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    def warn(self, code: str, message: str) -> None:
        with self.lock:
            self.warnings.append(Notice(code, message))
        log.warn(message, code=code)

    def refuse(self, code: str, message: str) -> None:
        self.refused = True
        self.warn(code, message)

    def problem(self, error: CallError, image_id: str = "") -> None:
        with self.lock:
            self.errors.append(Problem(error.where, error.code, str(error), image_id))
        log.error(str(error), where=error.where)


def clean_up(run: Run, cloud: Cloud, progress: Progress) -> None:
    """Carries the run out. Raises what ends it as a whole; one repository's trouble ends up in ``run.errors``."""
    settings = run.narrowed.settings
    width = settings.limits.concurrency
    registries = find_registries(run, cloud)
    for_each(registries, partial(find_repositories, run, cloud), width)
    run.surveys.sort(key=lambda survey: survey.repository.full_name)
    check_policies(run)
    for_each(run.surveys, counted(progress, "dry runs", run.surveys, partial(dry_run, run, cloud)), width)
    for_each(run.surveys, counted(progress, "repositories", run.surveys, partial(look, run, cloud)), width)
    check_limits(run)
    if settings.mode == "apply":
        delete_all(run, cloud, progress)
    if run.pushed is not None and any(survey.candidates for survey in run.surveys):
        count_other_repositories(run, cloud)


def counted(
    progress: Progress, what: str, surveys: list[Survey], work: Callable[[Survey], None]
) -> Callable[[Survey], None]:
    """``work``, telling ``progress`` after each survey."""
    done = iter(range(1, len(surveys) + 1))

    def one(survey: Survey) -> None:
        work(survey)
        progress(what, next(done), len(surveys))

    progress(what, 0, len(surveys))
    return one


def find_registries(run: Run, cloud: Cloud) -> list[Registry]:
    """The registries to clean. Raises SettingsError for one that there isn't, OverrideRefused for one not allowed."""
    settings, permitted = run.narrowed.settings, run.narrowed.permitted
    if settings.registries:
        registries = [_registry(cloud, registry_id) for registry_id in dict.fromkeys(settings.registries)]
    else:
        registries = list(registry.registries(cloud, settings.folder_id or ""))
        if not registries:
            run.warn(
                "no-registries", f"The service account sees no registry in the folder {settings.folder_id}."
            )
    for found in registries:
        if not permitted.registries and found.folder_id != permitted.folder_id:
            raise OverrideRefused(
                f"The event names the registry {found.registry_id}, which is not in the folder {permitted.folder_id}.",
                where="event",
            )
    if run.pushed is None:
        return registries
    pushed = {repository.registry_id for repository in run.pushed}
    foreign = pushed - {found.registry_id for found in registries}
    if foreign:
        raise OverrideRefused(
            f"The event comes from the registry {min(foreign)}, which the settings do not name.",
            where="event",
        )
    return [found for found in registries if found.registry_id in pushed]


def _registry(cloud: Cloud, registry_id: str) -> Registry:
    try:
        return registry.registry(cloud, registry_id)
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        raise SettingsError(
            f"REGISTRY_IDS names {registry_id}, which does not exist, or which the service account cannot see.",
            where="REGISTRY_IDS",
        ) from None


def find_repositories(run: Run, cloud: Cloud, found: Registry) -> None:
    """Adds a survey for every repository of the registry, or for those pushed to."""
    policies: dict[str, list[Policy]] = {}
    for policy in registry.policies(cloud, found.registry_id):
        policies.setdefault(policy.repository_id, []).append(policy)
    wanted = None if run.pushed is None else {pushed.full_name for pushed in run.pushed}
    surveys = [
        Survey(found, repository, policies.get(repository.repository_id, []))
        for repository in registry.repositories(cloud, found.registry_id)
        if wanted is None or repository.full_name in wanted
    ]
    with run.lock:
        run.layers[found.registry_id] = LayerCount()
        run.surveys.extend(surveys)


def check_policies(run: Run) -> None:
    """Warns of names that no policy has. Raises OverrideRefused when an event names a policy that it must not."""
    settings, permitted = run.narrowed.settings, run.narrowed.permitted
    apply, allowed = settings.lifecycle_policies.apply, permitted.lifecycle_policies.apply
    policies = [policy for survey in run.surveys for policy in survey.policies]
    for policy in policies:
        if choose.applies(policy, apply) and not choose.applies(policy, allowed):
            raise OverrideRefused(
                f"The event names the policy {policy.label}, which the settings do not let it apply.",
                where="event",
            )
    if isinstance(apply, list):
        known = {"active"} | {policy.policy_id for policy in policies} | {policy.name for policy in policies}
        for name in apply:
            if name not in known and run.pushed is None:
                run.warn("unknown-policy", f"APPLY_POLICIES names {name}, but no policy has that id or name.")


def dry_run(run: Run, cloud: Cloud, survey: Survey) -> None:
    """Runs the repository's policies dry; those that may be applied give its candidates."""
    apply = run.narrowed.settings.lifecycle_policies.apply
    taken: list[tuple[str, Iterable[Image]]] = []
    for policy in survey.policies:
        try:
            result_id = registry.dry_run(cloud, policy.policy_id)
            images = list(registry.affected_images(cloud, result_id))
        except CallError as error:
            run.problem(error)
            continue
        applied = choose.applies(policy, apply)
        survey.results.append(
            PolicyResult(
                policy, survey.registry.registry_id, survey.repository.name, applied, result_id, len(images)
            )
        )
        if applied:
            taken.append((f"policy {policy.label}", images))
    survey.candidates = choose.union(taken)


def look(run: Run, cloud: Cloud, survey: Survey) -> None:
    """Lists the repository: how many images it has, and the layers that stay whatever is deleted."""
    listed: set[str] = set()

    def staying() -> Iterator[Image]:
        for image in registry.images(cloud, survey.repository):
            listed.add(image.image_id)
            if image.image_id not in survey.candidates:
                yield image

    try:
        keys = layer_keys(staying())
    except CallError as error:
        run.problem(error)
        survey.candidates = {}
        return
    survey.images = count = len(listed)
    with run.lock:
        run.layers[survey.registry.registry_id].stays(keys)
    if count > registry.DRY_RUN_IMAGES and survey.policies:
        run.warn(
            "dry-run-limit",
            f"{survey.repository.full_name} has {count} images; a dry run looks at {registry.DRY_RUN_IMAGES} at most,"
            " but an ACTIVE policy deletes whatever it matches.",
        )


def check_limits(run: Run) -> None:
    """Refuses what is over ``MAX_SHARE`` in its repository, and everything when it is over ``MAX_DELETIONS``."""
    limits = run.narrowed.settings.limits
    for survey in run.surveys:
        going = len(survey.going())
        if choose.over_share(going, survey.images or 0, limits.max_share):
            run.refuse(
                "max-share",
                f"{survey.repository.full_name}: {going} of its {survey.images} images would be deleted, which is more"
                f" than MAX_SHARE ({limits.max_share:g}) allows; nothing is deleted there. Raise MAX_SHARE if it is meant.",
            )
            refuse_repository(run, survey)
    going = sum(len(survey.going()) for survey in run.surveys)
    if going > limits.max_deletions:
        run.refuse(
            "max-deletions",
            f"{going} images would be deleted, which is more than MAX_DELETIONS ({limits.max_deletions}) allows;"
            " nothing is deleted. Raise MAX_DELETIONS if it is meant.",
        )
        for survey in run.surveys:
            refuse_repository(run, survey)


def refuse_repository(run: Run, survey: Survey) -> None:
    """Leaves what would go of the repository; without deletes there is nothing to leave."""
    if run.narrowed.settings.mode == "apply":
        survey.outcomes |= {candidate.image.image_id: REMAINING for candidate in survey.going()}


def delete_all(run: Run, cloud: Cloud, progress: Progress) -> None:
    surveys = [survey for survey in run.surveys if survey.going()]
    total = sum(len(survey.going()) for survey in surveys)
    done = iter(range(1, total + 1))

    def deleted() -> None:
        progress("deletions", next(done, total), total)

    progress("deletions", 0, total)
    for_each(surveys, partial(delete_in, run, cloud, deleted), min(REPOSITORIES_AT_ONCE, cloud.concurrency))


def delete_in(run: Run, cloud: Cloud, deleted: Callable[[], None], survey: Survey) -> None:
    """Lists the repository again and deletes those candidates that are unchanged."""
    try:
        now = {image.image_id: image for image in registry.images(cloud, survey.repository)}
    except CallError as error:
        run.problem(error)
        survey.outcomes |= {candidate.image.image_id: REMAINING for candidate in survey.going()}
        return
    going: list[Image] = []
    for candidate in survey.going():
        change = choose.changed(candidate, now)
        if change is None:
            going.append(candidate.image)
        else:
            survey.outcomes[candidate.image.image_id] = ALREADY_GONE if change == "gone" else REMAINING
    del now
    deletion = delete(cloud, survey.repository, going, cloud.concurrency, deleted)
    record(run, survey, deletion)


def record(run: Run, survey: Survey, deletion: Deletion) -> None:
    survey.outcomes |= deletion.outcomes
    gone = [
        survey.candidates[image_id].image
        for image_id, outcome in deletion.outcomes.items()
        if outcome == DELETED
    ]
    with run.lock:
        layers = run.layers[survey.registry.registry_id]
        layers.goes(gone)
        layers.stays(layer_keys(deletion.listed or ()))
    for image_id, outcome in deletion.outcomes.items():
        if outcome.outcome == "failed":
            with run.lock:
                run.errors.append(
                    Problem(
                        f"DELETE {registry.image_path(image_id)}", outcome.code, outcome.message, image_id
                    )
                )


def count_layers(run: Run) -> None:
    """Counts the candidates that would go, where nothing is deleted, and those that stay after all."""
    for survey in run.surveys:
        layers = run.layers[survey.registry.registry_id]
        if run.narrowed.settings.mode != "apply":
            layers.goes(candidate.image for candidate in survey.going())
        layers.stays(
            layer_keys(
                candidate.image
                for image_id, candidate in survey.candidates.items()
                if stays(survey.outcomes.get(image_id), run.narrowed.settings.mode)
            )
        )


def stays(outcome: Outcome | None, mode: str) -> bool:
    return mode == "apply" if outcome is None else outcome not in (DELETED, ALREADY_GONE)


def count_other_repositories(run: Run, cloud: Cloud) -> None:
    """After a push only some repositories were looked at, but their layers may serve all of the registry."""
    looked_at = {survey.repository.full_name for survey in run.surveys}
    for registry_id, layers in run.layers.items():
        for repository in registry.repositories(cloud, registry_id):
            if repository.full_name not in looked_at:
                layers.stays(layer_keys(registry.images(cloud, repository)))
