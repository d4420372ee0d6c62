"""``python -m shared.deploy``: says what Python and which packages are missing before it loads the rest."""

from __future__ import annotations

import os
import sys

OLDEST = (3, 11)
CLOSED_PIPE = 141  # what a shell has for a command that SIGPIPE ended

if sys.version_info < OLDEST:
    sys.exit(f"Python 3.11 or later is needed; {sys.executable} is {sys.version.split()[0]}.")
try:
    from shared.deploy.command_line import main
except ModuleNotFoundError as error:
    if (error.name or "").startswith("shared"):
        raise
    sys.exit(
        f"The package {error.name} is not installed for {sys.executable}; run ./deploy.sh, which installs it."
    )


def run() -> int:
    """The exit status. A reader who has closed the pipe, as ``head`` does, has read what was wanted."""
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        print("Interrupted; the next time goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
