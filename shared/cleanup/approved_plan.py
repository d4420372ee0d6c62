"""Carrying out a plan: the same job, but of what it finds only the plan's images go, as far as nothing has
changed.

Each other image of the plan is a row of the report too, with what keeps it, and `tell` sums them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from shared.cleanup.run import Run, Survey
from shared.retention import guards, moments, plan
from shared.retention.plan import Plan
from shared.retention.records import (
    ALREADY_GONE,
    REMAINING,
    Candidate,
    Image,
    Outcome,
    Registry,
    Repository,
    Service,
    Sighting,
)
from shared.state import plans
from shared.state.plans import CARRIED_OUT, Decision

EXAMPLES = 3
UNSEEN = "it could not be looked at"


def stays(why: str) -> Outcome:
    return Outcome("remaining", kept_by=why)


def restock(planned: Plan | None, survey: Survey, images: Iterable[Image]) -> None:
    """Leaves of the repository's candidates those of the plan; ``images`` are all that the repository has.

    Referrers come later, with their images: see `add_referrers`.
    """
    if planned is None:
        return
    listed = {image.image_id: image for image in images}
    survey.restock(
        {
            image_id: survey.candidates.get(image_id) or planned_image.candidate(listed.get(image_id))
            for image_id, planned_image in planned.images.get(survey.repository.full_name, {}).items()
            if not planned_image.follows
        }
    )


def unlisted(planned: Plan | None, survey: Survey, images: Iterable[Image]) -> dict[str, Sighting]:
    """The plan's images that the repository does not list, by id."""
    wanted = planned.images.get(survey.repository.full_name, {}) if planned else {}
    listed = {image.image_id for image in images}
    return {
        row.image_id: Sighting(row.image_id, row.tags)
        for row in wanted.values()
        if row.image_id not in listed
    }


def leave_changed(
    planned: Plan | None, survey: Survey, taken: Mapping[str, Candidate], images: Iterable[Image]
) -> None:
    """Settles the plan's images that have changed since, or are gone; ``taken`` are the candidates of
    today.
    """
    if planned is None:
        return
    name = survey.repository.full_name
    were, are = planned.takers.get(name, {}), plan.takers(survey.results, survey.rules)
    all_ran = len(survey.results) == len(survey.policies)
    gone = unlisted(planned, survey, images)
    for image_id, planned_image in planned.images.get(name, {}).items():
        why = "" if planned_image.follows else plan.change(planned_image, taken.get(image_id), were, are)
        if image_id in gone and not planned_image.follows:
            survey.settle({image_id: ALREADY_GONE})
        elif why:
            survey.settle({image_id: stays(why if all_ran else "a policy could not be run dry")})


def add_referrers(planned: Plan | None, survey: Survey, images: Iterable[Image]) -> None:
    """Settles the plan's referrers that do not go with their images now."""
    if planned is None:
        return
    listed = {image.image_id: image for image in images}
    for image_id, planned_image in planned.images.get(survey.repository.full_name, {}).items():
        if image_id not in survey.candidates:
            survey.take({image_id: planned_image.candidate(listed.get(image_id))})
            gone = image_id not in listed
            survey.settle({image_id: ALREADY_GONE if gone else stays("its image stays, or is gone already")})


def begin(run: Run) -> None:
    """Notes that the plan is being carried out, before the first delete. Raises PlanRefused, StateError."""
    if run.plan is None or run.journal is None:
        return
    state, plan_id = run.journal.state, run.plan.plan_id
    if not any(survey.going_count for survey in run.surveys):
        plans.check_undecided(state, plan_id)  # perhaps another run was quicker
        return
    now = moments.timestamp(datetime.now(UTC))
    plans.decide(state, plan_id, Decision(CARRIED_OUT, now, run.run_id))
    run.begin_plan()


def account(run: Run) -> None:
    """Makes the plan's images the run's only candidates, wherever it broke off, and warns of those kept."""
    surveys = {survey.repository.full_name: survey for survey in run.surveys}
    listed = frozenset(run.layers)
    for name, images in run.plan.images.items() if run.plan else ():
        survey = surveys.get(name) or _missing(run, name, next(iter(images.values())).service)
        gone = name not in surveys and survey.registry.registry_id in listed
        with survey.opened():
            known = survey.candidates
            survey.restock(
                {
                    image_id: known.get(image_id) or planned_image.candidate(None)
                    for image_id, planned_image in images.items()
                }
            )
            outcome = ALREADY_GONE if gone else stays(UNSEEN)
            survey.settle(dict.fromkeys(images.keys() - known.keys(), outcome))
    tell(run)


def _missing(run: Run, full_name: str, service: Service) -> Survey:
    """A repository that the run did not find."""
    registry_id = full_name.partition("/")[0]
    registry = Registry(registry_id, "", "", service)
    survey = Survey(registry, Repository("", registry_id, full_name, service), [])
    run.add(registry, [survey])
    return survey


def tell(run: Run) -> None:
    """Adds a warning for every reason why planned images were kept, and one if time ran out."""
    left_out: dict[str, list[str]] = {}
    rest = 0
    for survey in run.surveys:
        for candidate in survey.each():
            why = _why(survey.outcomes.get(candidate.image.image_id, REMAINING))
            if why:
                left_out.setdefault(why, []).append(
                    f"{survey.repository.full_name}@{guards.described(candidate.image)}"
                )
            rest += why == ""
    for why, images in sorted(left_out.items()):
        examples = ", ".join(images[:EXAMPLES])
        run.warn("plan-changed", f"{len(images)} of the plan's images left out, as {why}: {examples}.")
    if rest and run.plan_begun:
        run.warn(
            "plan-unfinished",
            f"{rest} of the plan's images are left, and a plan runs once; make a new plan for them.",
        )


def _why(outcome: Outcome) -> str | None:
    """Why an image was left out; "" if nothing was wrong with it, None if it was not left out."""
    if outcome.outcome == "already-gone":
        return "it was gone before"
    if outcome.outcome == "protected":
        return f"the guard {outcome.guard} keeps it now"
    return outcome.kept_by if outcome.outcome == "remaining" else None
