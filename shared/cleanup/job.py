"""The job in order: find the repositories, run their policies dry, see what runs, list, decide, guard,
delete, look again.

Nothing here decides or knows HTTP: `policies`, `rules` and `guards` decide, `registry` asks, `deletion`
deletes. What a run learns is gathered in a `Run`, from which `report` tells it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from shared.cleanup import (
    approved_plan,
    deletion,
    foreign_referrers,
    layer_counting,
    limits,
    migration_notice,
    protection,
    reading,
    recovery,
    scope,
    surveying,
)
from shared.cleanup.run import Run, Survey
from shared.cloud.client import Cloud
from shared.cloud.parallel import Progress, for_each, meanwhile


def untold(what: str, done: int, total: int) -> None:
    """The progress of a run that nobody watches."""


def clean_up(run: Run, cloud: Cloud, progress: Progress = untold) -> None:
    """Carries the run out.

    Raises what ends it as a whole; one repository's trouble ends up in ``run.errors``.
    """
    scope.find(run, cloud)
    migration_notice.tell(run, cloud)
    recovery.take_over(run, cloud)
    in_parallel(run, progress, "dry runs", partial(surveying.dry_run, run, cloud))
    losing = [survey for survey in run.surveys if surveying.may_lose(survey)]
    with meanwhile(partial(protection.look_in_use, run, cloud, losing)) as looked_in_use:
        reading.share_time(run, cloud)
        look = partial(surveying.look, run, cloud, looked_in_use=looked_in_use)
        in_parallel(run, progress, "repositories", look)
        looked_in_use()
    run.read_until(float("inf"))
    foreign_referrers.keep_referrers(run, cloud)
    limits.tell_of_rules(run)
    limits.check_creation_times(run)
    limits.check_limits(run)
    migration_notice.foresee_refusals(run)
    if run.settings.mode == "apply":
        approved_plan.begin(run)
        deletion.delete_all(run, cloud, progress)
    if run.only is not None and any(survey.candidate_count for survey in run.surveys):
        layer_counting.count_other_repositories(run, cloud)
    reading.forget_the_gone(run)
    reading.go_on(run, cloud)


def carry_out_plan(run: Run, cloud: Cloud, progress: Progress = untold) -> None:
    """Deletes what is left of the run's plan. Raises what `clean_up` does, and PlanRefused."""
    try:
        clean_up(run, cloud, progress)
    finally:
        approved_plan.account(run)


def in_parallel(run: Run, progress: Progress, what: str, work: Callable[[Survey], None]) -> None:
    """``work`` for every repository, telling ``progress`` after each."""
    done = iter(range(1, len(run.surveys) + 1))

    def one(survey: Survey) -> None:
        with survey.opened():
            work(survey)
        progress(what, next(done), len(run.surveys))

    progress(what, 0, len(run.surveys))
    for_each(run.surveys, one, run.settings.limits.concurrency)
