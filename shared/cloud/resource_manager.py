"""Folders, as the resource manager knows them (yandex/cloud/resourcemanager/v1/folder_service.proto)."""

from __future__ import annotations

import msgspec

from shared.cloud.client import Cloud, part

SERVICE, FOLDERS = "resource-manager", "/resource-manager/v1/folders"


def look_at_folder(cloud: Cloud, folder_id: str) -> None:
    """Raises CallError; its code is NOT_FOUND or PERMISSION_DENIED when the folder cannot be seen."""
    cloud.call("GET", SERVICE, f"{FOLDERS}/{part(folder_id)}", msgspec.Raw)
