"""Takes over what earlier runs left: their registries, and the images whose fate their journals leave
open.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import service_of
from shared.errors import NOT_FOUND, CallError
from shared.retention.records import DELETED, REMAINING, Outcome, Repository
from shared.state import journal
from shared.state.leases import Leases
from shared.state.store import Store

CLAIMED_AT_ONCE = 64


def take_over(run: Run, cloud: Cloud) -> None:
    """Takes the leases of the registries, leaves those that another run has, and settles what was cut off."""
    if run.leases is None or run.journal is None:
        return
    for registry_id, other in _claim(run.leases, cloud, list(run.layers)).items():
        run.hold_back(
            "another-run", f"The run {other} is at work on the registry {registry_id}; it is left alone."
        )
        run.drop(registry_id)
    settle_cut_off(run, cloud, run.journal.state, run.leases, run.layers)


def _claim(leases: Leases, cloud: Cloud, registry_ids: list[str]) -> dict[str, str]:
    """Claims all the registries at once. Returns those that other runs have, each with its run."""
    others: dict[str, str] = {}
    pause = partial(cloud.pause, why="another run's lease would have to be watched")

    def claim(registry_id: str) -> None:
        other = leases.claim(registry_id, pause)
        if other is not None:
            others[registry_id] = other

    for_each(registry_ids, claim, CLAIMED_AT_ONCE)
    return dict(sorted(others.items()))


def settle_cut_off(run: Run, cloud: Cloud, state: Store, leases: Leases, registry_ids: Iterable[str]) -> None:
    """Settles what earlier runs left open in ``registry_ids``, on which this run holds the ``leases``.

    Whoever has an intent there had the lease before, and will never delete again.
    """
    held = set(registry_ids)
    for run_id, files in journal.runs(state).items():
        if run_id == run.run_id or journal.ended(files):
            continue
        entry = journal.entry(state, run_id, files)
        if leases.lost():
            return  # what was read may be of the run that has them now
        if entry is None:
            continue
        settled = _settle(run, cloud, state, entry, held)
        is_dead = run_id in leases.superseded or any(intent.registry_id in held for intent in entry.intents)
        if is_dead and not entry.open():
            journal.close_for(state, run_id, by=run.run_id)
        if settled:
            _tell(run, run_id, settled)


def _settle(
    run: Run, cloud: Cloud, state: Store, entry: journal.Entry, held: set[str]
) -> list[dict[str, Outcome]]:
    """What came of the run's open intents in the registries that are ``held``."""
    settled = []
    for intent in [intent for intent in entry.open() if intent.registry_id in held]:
        try:
            outcomes = _outcomes(cloud, intent)
        except CallError as error:
            run.problem(error)  # it stays open for the next run
            continue
        journal.settle_for(state, entry.begin.run_id, intent, outcomes, by=run.run_id)
        entry.outcomes[intent.number] = outcomes
        settled.append(outcomes)
    return settled


def _outcomes(cloud: Cloud, intent: journal.Intent) -> dict[str, Outcome]:
    there = _there(cloud, intent)
    return {row.image_id: REMAINING if row.image_id in there else DELETED for row in intent.images}


def _there(cloud: Cloud, intent: journal.Intent) -> set[str]:
    repository = Repository("", intent.registry_id, intent.full_name, intent.service)
    try:
        return {image.image_id for image in service_of(repository).images(cloud, repository)}
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        return set()


def _tell(run: Run, run_id: str, settled: list[dict[str, Outcome]]) -> None:
    outcomes = [outcome for outcomes in settled for outcome in outcomes.values()]
    gone = outcomes.count(DELETED)
    run.warn(
        "run-cut-off",
        f"The run {run_id} was cut off. Of {len(outcomes)} images whose fate it did not tell, {gone} are gone"
        f" and {len(outcomes) - gone} are still there.",
    )
