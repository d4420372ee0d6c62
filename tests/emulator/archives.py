"""The archive of a version: a zip of the code, `requirements.txt` in its root."""

import io
import zipfile
from pathlib import PurePosixPath

from tests.emulator.errors import ApiError, invalid

MOST_DIRECT_BYTES = 3_670_016  # 3.5 MB
MOST_BUCKET_BYTES = 128 * 1024**2
MOST_UNPACKED_BYTES = 680 * 1024**2


def check_archive(content: bytes, most_bytes: int) -> None:
    """Refuse what isn't a zip, is too large, or would be unpacked outside of its directory."""
    if len(content) > most_bytes:
        raise invalid(f"the archive has {len(content)} bytes; at most {most_bytes} are accepted this way")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            broken, members = archive.testzip(), archive.infolist()
    except zipfile.BadZipFile:
        raise _not_a_zip() from None
    if broken:
        raise _not_a_zip()
    if sum(member.file_size for member in members) > MOST_UNPACKED_BYTES:
        raise invalid(f"the archive has more than {MOST_UNPACKED_BYTES} bytes when unpacked")
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts:
            raise invalid(f"the archive has a member outside of its root: {member.filename}")


def _not_a_zip() -> ApiError:
    return invalid("the content is not a zip archive")


def requirements_in(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        return archive.read("requirements.txt").decode() if "requirements.txt" in names else ""
