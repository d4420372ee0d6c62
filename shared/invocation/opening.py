"""What a run opens before its work, and how long it has: its journal and leases, the cloud, the time that is
left.
"""

from __future__ import annotations

import time

from shared.auth import sources
from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.cloud.reach import Reach
from shared.errors import StateError
from shared.invocation.task import Invocation
from shared.retention import moments
from shared.settings.settings import Settings
from shared.state.journal import Begin, Journal
from shared.state.leases import Leases
from shared.state.manifest_memory import ManifestMemory

TELLING, TELLING_SHARE = 3.0, 0.1
WRITING = 1.0
PATIENCE_BY_HAND = 6.0


def open_journal(run: Run, invocation: Invocation) -> None:
    """Begins the run's journal, if there is a place for it; without it nothing is deleted.

    Raises StateError.
    """
    begin = Begin(run.run_id, run.settings.mode, moments.timestamp(run.started_at))
    try:
        state = invocation.store(run.settings)
        if state is None:
            return
        leases = Leases(state, run.run_id) if run.settings.mode == "apply" else None
        run.keep_journal(Journal(state, begin), leases)
        run.keep_memory(ManifestMemory(state))
        if leases:
            leases.start()
    except StateError as error:
        if run.settings.mode != "dry-run":
            raise
        run.warn("state-dir", str(error))


def open_cloud(run: Run, invocation: Invocation) -> Cloud:
    """The cloud, signed in to; the run has it even if that fails.

    Raises SettingsError or CredentialsError.
    """
    pace = Pace(run.settings.limits.concurrency, works_until(invocation.ends_at, run.settings))
    if invocation.ends_at == float("inf"):  # no function: somebody waits for it
        pace.reach = Reach(pace.clock, PATIENCE_BY_HAND)
    cloud = Cloud(invocation.access.api_endpoint, pace)
    run.ask(cloud)
    sources.sign_in(cloud, invocation.access, invocation.context)
    return cloud


def works_until(ends_at: float, settings: Settings) -> float:
    """The monotonic time at which the work ends, so that there is time left to announce it where that is
    wanted, and to write to a bucket what came of it.
    """
    ends_at -= WRITING if settings.state_bucket else 0.0
    if not settings.notify and not settings.metrics.folder_id:
        return ends_at
    return ends_at - min(TELLING, max(0.0, ends_at - time.monotonic()) * TELLING_SHARE)
