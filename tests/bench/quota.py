"""A share of a core, as a function has it: a control group whose processes may compute so long in each tenth
of a second. Version 1 and 2 of control groups; whoever may not make a group there is told so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 100_000


class Unlimited(Exception):
    """Why no share of a core can be set here."""


@contextmanager
def share_of_a_core(share: float) -> Iterator[Path]:
    """The file that a process writes its id to, to have no more than that share; the group ends with the
    block. Raises Unlimited.
    """
    first = (GROUPS / "cpu/cpu.cfs_quota_us").exists()
    group = (GROUPS / "cpu" if first else GROUPS) / f"janitor-bench-{os.getpid()}-{round(1000 * share)}"
    try:
        group.mkdir(exist_ok=True)
    except OSError as error:
        raise Unlimited(f"no control group can be made: {error}") from None
    try:
        _limit(group, round(share * PERIOD_US), first=first)
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def _limit(group: Path, quota_us: int, *, first: bool) -> None:
    try:
        if first:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
    except OSError as error:
        raise Unlimited(f"the share of a core cannot be limited: {error}") from None


def way() -> str:
    """How a share is set here, or why it is not."""
    try:
        with share_of_a_core(0.125) as entry:
            return "cpu.max" if (entry.parent / "cpu.max").exists() else "cpu.cfs_quota_us"
    except Unlimited as error:
        return f"not measured: {error}"
