"""Says in a dry run how far the migration is, as far as a few calls show it, and in a plan what the service
that is left will refuse.
"""

from __future__ import annotations

from datetime import UTC, datetime

from shared.cleanup import places, read_only
from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.registry_services import SERVICES, SOURCE, TARGET
from shared.errors import CallError

COMMAND = "registry-janitor migration"
READ_ONLY_SINCE = datetime(2026, 11, 10, tzinfo=UTC)


def tell(run: Run, cloud: Cloud) -> None:
    """Warns of registries and repositories that have not been migrated, once some have and as long as both
    services answer.
    """
    if run.settings.mode != "dry-run" or run.only is not None or len(run.settings.services) < len(SERVICES):
        return
    found = places.find(run.settings, cloud)
    to_move = [registry_id for registry_id, place in sorted(found.places.items()) if not place.target]
    moved = [place for _, place in sorted(found.places.items()) if place.source and place.target]
    if found.failures or not moved:
        return
    try:
        missing = [name for place in moved for name in _missing(run, cloud, place)]
    except CallError:
        return  # whoever runs the command hears of it
    old, new = SERVICES[SOURCE].TITLE, SERVICES[TARGET].TITLE
    said = [f"{len(moved)} of the {len(moved) + len(to_move)} registries of {old} are in {new} too."]
    if to_move:
        said.append(f"{len(to_move)} are not, such as {to_move[0]}.")
    if missing:
        said.append(f"{len(missing)} repositories are not there, or are empty, such as {missing[0]}.")
    run.warn("migration", f"{' '.join(said)} {COMMAND} compares their images and translates the policies.")


def foresee_refusals(run: Run) -> None:
    """Warns in a plan of deletions that a read-only service is expected to refuse; whether it does so, only
    trying shows.
    """
    if run.settings.mode != "plan" or run.started_at < READ_ONLY_SINCE:
        return
    count = sum(survey.going_count for survey in run.surveys if survey.repository.service == SOURCE)
    if count:
        title = SERVICES[SOURCE].TITLE
        said = f"{count:,} of these images are in {title}, which is expected to refuse their deletion."
        run.warn("read-only", f"{said} {read_only.REMEDY}")


def _missing(run: Run, cloud: Cloud, place: places.Place) -> list[str]:
    """The repositories of a migrated registry that the run does not find in the target. Raises CallError."""
    there = {survey.repository.full_name for survey in run.surveys}
    names = {repository.full_name for repository in places.repositories_of(cloud, place.source).values()}
    return sorted(names - there)
