"""What a clean-up would take of registries that have not been migrated, and that need not move. Deletes
nothing.
"""

from __future__ import annotations

from collections import Counter

from shared.cleanup import foreign_referrers, surveying
from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each
from shared.retention.migration import LeftBehind


def survey(run: Run, cloud: Cloud, surveys: list[Survey]) -> None:
    """Finds out what a clean-up would take of repositories that have not moved yet."""

    def one(survey: Survey) -> None:
        with survey.opened():
            surveying.dry_run(run, cloud, survey)
            surveying.look(run, cloud, survey)

    for_each(surveys, one, cloud.concurrency)
    foreign_referrers.keep_referrers(run, cloud)


def rows(run: Run, registry_id: str) -> list[LeftBehind]:
    """What a clean-up of the registry would take, by policy and rule."""
    counted: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for survey in run.surveys:
        if survey.registry.registry_id == registry_id:
            with survey.opened():
                for candidate in survey.going().values():
                    counted.update(candidate.reasons)
                    sizes.update(dict.fromkeys(candidate.reasons, candidate.image.size_bytes))
    return [
        LeftBehind(reason=reason, images=count, size_bytes=sizes[reason])
        for reason, count in counted.most_common()
    ]
