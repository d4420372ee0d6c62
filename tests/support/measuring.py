"""What a child process needs in its environment for its coverage to be measured (``tests/run coverage``)."""

from __future__ import annotations

import os


def measured() -> dict[str, str]:
    """The variables by which coverage starts itself in a child process; none in a usual run."""
    return {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_PROCESS_")}
