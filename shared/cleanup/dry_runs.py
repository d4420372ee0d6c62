"""The dry runs of lifecycle policies in one run. A policy of a whole registry is run dry once for all of its
repositories, and again when a newer result is needed; the result for one repository is asked for once.
"""

from __future__ import annotations

import threading

from shared.cloud.client import Cloud
from shared.cloud.registry_services import service_of
from shared.errors import CallError
from shared.retention.records import DryRun, Policy, Repository


class _Kept:
    """The last dry run of a policy, or its failure, and since when (monotonic) it holds."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.since = float("-inf")
        self.result: DryRun | CallError | None = None


class DryRuns:
    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def of(self, cloud: Cloud, repository: Repository, policy: Policy, since: float) -> DryRun:
        """A result of a dry run that began at ``since`` (monotonic) or later. Raises CallError."""
        result = self.begun(cloud, repository, policy, since)
        if policy.repository_id:
            with self._lock:
                self._kept.pop(policy.policy_id, None)
        if isinstance(result, CallError):
            raise result
        return result

    def begun(self, cloud: Cloud, repository: Repository, policy: Policy, since: float) -> DryRun | CallError:
        """What `of` is going to give or to raise, kept until then."""
        with self._lock:
            kept = self._kept.setdefault(policy.policy_id, _Kept())
        with kept.lock:
            if kept.result is None or kept.since < since:
                began_at = cloud.pace.clock()
                try:
                    kept.result = service_of(repository).dry_run(cloud, policy.policy_id)
                except CallError as error:
                    kept.result = error
                kept.since = began_at
            return kept.result
