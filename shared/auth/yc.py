"""Whoever works by hand is signed in as ``yc`` is, where nothing else is set."""

from __future__ import annotations

import shutil
import subprocess
from functools import cached_property

from shared.errors import CredentialsError, without_secrets

COMMAND = "yc iam create-token"
SECONDS = 60


class SignedIn:
    """Stands where a function has its context: its token is that of ``yc``, if there is one, got when it is
    needed.
    """

    @cached_property
    def token(self) -> dict[str, str] | None:
        """Raises CredentialsError."""
        return {"access_token": _created()} if shutil.which("yc") else None


def _created() -> str:
    try:
        ended = subprocess.run(  # noqa: S603 - a fixed command
            COMMAND.split(), capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        raise CredentialsError(f"{COMMAND} cannot be run, or does not end.", where=COMMAND) from None
    token = ended.stdout.strip()
    if ended.returncode != 0 or not token or " " in token:
        complaint = without_secrets(ended.stderr.strip().partition("\n")[0])[:200]
        raise CredentialsError(
            f"{COMMAND} gives no token ({complaint or 'no reason given'}); sign in with yc init, or set"
            " IAM_TOKEN or SA_KEY_FILE.",
            where=COMMAND,
        )
    return token
