"""A folder is asked for by its id, whatever letters somebody has put there."""

from __future__ import annotations

import pytest

from shared.cloud.resource_manager import look_at_folder
from shared.errors import NOT_FOUND, CallError
from tests.support.json_server import Clock, json_server


def test_a_folder_is_asked_for_and_its_absence_is_the_calls_error() -> None:
    with json_server() as server:
        server.answer("GET /resource-manager/v1/folders/b1g", {"id": "b1g"})
        look_at_folder(server.cloud(Clock()), "b1g")
        with pytest.raises(CallError) as caught:
            look_at_folder(server.cloud(Clock()), "b1g/../other")

        assert caught.value.code == NOT_FOUND
        assert server.calls() == [
            "GET /resource-manager/v1/folders/b1g",
            "GET /resource-manager/v1/folders/b1g%2F..%2Fother",
        ]
