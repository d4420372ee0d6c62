"""Reading the documents that tests write: an unknown key or a missing one is refused by its name."""

from collections.abc import Iterable
from typing import Any

DEFAULT_FOLDER = "b1gfolder"  # where a seed names none


class DocumentError(ValueError):
    """A seed, behaviour or change that cannot be read; the text says where and why."""


def checked(document: Any, where: str, optional: str = "", required: str = "") -> dict[str, Any]:
    """The mapping itself, once its keys are known to be among the (space-separated) expected ones."""
    if not isinstance(document, dict):
        raise DocumentError(f"{where}: expected a mapping, got {document!r}")
    expected = {*optional.split(), *required.split()}
    for key in document:
        if key not in expected:
            raise DocumentError(f"{where}: unknown key {key!r} (known: {', '.join(sorted(expected))})")
    for key in required.split():
        if document.get(key) is None:
            raise DocumentError(f"{where}: {key!r} is required")
    return document


def listed(document: Any, where: str) -> Iterable[tuple[str, Any]]:
    """The elements of a list, each with its place in words."""
    if document is None:
        return
    if not isinstance(document, list):
        raise DocumentError(f"{where}: expected a list, got {document!r}")
    for index, element in enumerate(document):
        yield f"{where}[{index}]", element
