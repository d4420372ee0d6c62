"""How a deployment signs in: as the functions do, and where nothing is set, as whom ``yc`` is signed in."""

from __future__ import annotations

import shutil
import subprocess

import msgspec

from shared.auth import sources
from shared.auth.environment import Access
from shared.cloud.client import Cloud
from shared.errors import CredentialsError, without_secrets

COMMAND = "yc iam create-token"
SECONDS = 60


def sign_in(cloud: Cloud, access: Access) -> None:
    """Gives ``cloud`` its tokens. Raises SettingsError or CredentialsError."""
    given = access.iam_token or access.sa_key or access.sa_key_file or access.sa_key_secret_id
    if not given and shutil.which("yc"):
        access = msgspec.structs.replace(access, iam_token=_of_yc())
    sources.sign_in(cloud, access, None)


def _of_yc() -> str:
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
