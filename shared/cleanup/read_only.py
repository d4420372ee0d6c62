"""A service that is read-only refuses every delete alike: that is one warning for the run, not an error for
every image.

With which code it refuses is not documented, and a role that is missing looks the same.
"""

from __future__ import annotations

from shared.cleanup.run import Run, Survey
from shared.cloud.registry_services import SERVICES
from shared.retention.records import ALREADY_GONE, DELETED, Outcome, Problem, Service

KEPT = Outcome("remaining", kept_by="read-only")
UNASKED = Outcome("remaining", kept_by="every delete is refused")
REMEDY = (
    "Since 2026-11-10 it is read-only, and it ends on 2026-12-14: move its registries to Cloud Registry (yc"
    " cloud-registry v1 migration start-folder FOLDER_ID), and this clean-up goes on there."
)


def settle_refused(run: Run) -> None:
    """Tells of the deletions that have failed: all of a service in one warning, if it refused them alike."""
    refusals: dict[Service, list[tuple[Survey, Problem]]] = {}
    for survey, problem in run.take_refusals():
        refusals.setdefault(survey.repository.service, []).append((survey, problem))
    for name, rows in refusals.items():
        codes = {problem.code for _, problem in rows}
        if len(codes) == 1 and codes <= SERVICES[name].READ_ONLY_CODES and not _has_deleted(run, name):
            for survey, problem in rows:
                survey.reconsider({problem.image_id: KEPT})
            _reconsider_unasked(run, name)
            title, message = SERVICES[name].TITLE, rows[0][1].message
            run.hold_back("read-only", f"{title} refuses every delete of this run ({message}). {REMEDY}")
        else:
            for _, problem in rows:
                run.failed(problem)


def _reconsider_unasked(run: Run, name: Service) -> None:
    """Says of the images too that were not asked for any more why they stay."""
    for survey in run.surveys:
        if survey.repository.service == name:
            unasked = [image_id for image_id, outcome in survey.outcomes.items() if outcome == UNASKED]
            survey.reconsider(dict.fromkeys(unasked, KEPT))


def _has_deleted(run: Run, name: Service) -> bool:
    return any(
        outcome in (DELETED, ALREADY_GONE)
        for survey in run.surveys
        if survey.repository.service == name
        for outcome in survey.outcomes.values()
    )
