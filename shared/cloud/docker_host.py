"""Where a registry service answers the Docker Registry HTTP API V2."""

from __future__ import annotations

import msgspec


class DockerHost(msgspec.Struct, frozen=True):
    """``endpoint`` is its URL, ``name`` how people call it, ``role`` what reading takes, ``setting`` the
    variable that names another URL.
    """

    endpoint: str
    name: str
    role: str
    setting: str
