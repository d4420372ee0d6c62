"""Whether the folders that the settings name can be seen: the first thing that is asked of the cloud."""

from __future__ import annotations

from shared.cloud.client import Cloud
from shared.cloud.resource_manager import look_at_folder
from shared.deploy.config import Config
from shared.errors import (
    NOT_FOUND,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    CallError,
    CredentialsError,
    SettingsError,
)


def check_folders(cloud: Cloud, config: Config, *, all_of_them: bool) -> None:
    """Looks at the folder to deploy to, or at ``all_of_them`` that the settings name.

    Raises SettingsError for one that cannot be seen, CredentialsError for a token that is refused, CallError.
    """
    settings = config.settings
    named = {config.folder_id: "deploy.folder_id" if config.deploy.folder_id else "folder_id"}
    if all_of_them:
        named.setdefault(settings.folder_id or config.folder_id, "folder_id")
        named.setdefault(settings.metrics.folder_id or config.folder_id, "metrics.folder_id")
        named |= {each: "guards.folders" for each in settings.guards.folders if each not in named}
    for folder_id, key in named.items():
        check_folder(cloud, folder_id, f"named by {key}")


def check_folder(cloud: Cloud, folder_id: str, why: str) -> None:
    """``why`` says what makes the folder matter. Raises SettingsError, CredentialsError or CallError."""
    try:
        look_at_folder(cloud, folder_id)
    except CallError as error:
        if error.code == UNAUTHENTICATED:
            raise CredentialsError(
                f"The cloud refuses the token ({error.message.rstrip('.')}); get a new one, as in"
                " IAM_TOKEN=$(yc iam create-token), or leave IAM_TOKEN out where yc is signed in.",
                where=error.where,
            ) from None
        if error.code not in (NOT_FOUND, PERMISSION_DENIED):
            raise
        raise SettingsError(
            f"The folder {folder_id}, {why}, does not exist, or you have no rights in it; yc resource-manager"
            " folder list shows yours.",
            where="folder_id",
        ) from None
