"""``python -m functions COMMAND``: the manual way in, with the same settings as the functions.

Exit status: 0 done, 1 finished with failures, 2 bad usage or settings, 3 refused by a guard or a limit,
4 unfinished.
"""

from __future__ import annotations

import os
import sys

from shared.invocation.command_line import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
