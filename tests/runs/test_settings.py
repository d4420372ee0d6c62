"""What the settings may say.

Everything wrong is one sentence that names the variable or the key, before any call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cloud, assert_complains, images, policy
from tests.support.cloud import http


@pytest.mark.parametrize(
    "text",
    ["[limits]\nmax_share = 1.5", "mode = 'delete'", "[deploy]\nshedule = 'x'", "[deploy]\nschedule = 'x'"],
)
def test_a_run_with_a_bad_file_makes_no_call_though_the_environment_hides_it(
    cloud: Cloud, tmp_path: Path, text: str
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})
    (tmp_path / "janitor.toml").write_text(text)

    report = cloud.clean(JANITOR_CONFIG=str(tmp_path / "janitor.toml"), MAX_SHARE="0.5")

    assert cloud.emulator.calls() == []
    assert cloud.left() == {"new", "old"}
    assert_complains(report, "failed", "janitor.toml")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({"MAX_SHARE": "2"}, ["MAX_SHARE", "2", "0 to 1"], id="a variable"),
        pytest.param({"FOLDER_ID": ""}, ["FOLDER_ID", "REGISTRY_IDS"], id="nothing to clean"),
        pytest.param({"LOG_LEVEL": "LOUD"}, ["LOG_LEVEL", "LOUD", "TRACE"], id="a level"),
        pytest.param({"YC_API_ENDPOINT": "localhost"}, ["YC_API_ENDPOINT"], id="an endpoint"),
        pytest.param({"YC_API_ENDPOINT": "http://[::1"}, ["YC_API_ENDPOINT"], id="a broken endpoint"),
        pytest.param({"JANITOR_CONFIG": "/nowhere.toml"}, ["JANITOR_CONFIG", "/nowhere.toml"], id="a file"),
        pytest.param({"MAX_DELETONS": "5"}, ["MAX_DELETONS", "MAX_DELETIONS"], id="a misspelt variable"),
    ],
)
def test_a_run_with_bad_settings_makes_no_call_and_says_why(
    cloud: Cloud, settings: dict[str, Any], named: list[str]
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old")})

    bare, answer = cloud.call("cleanup", {}, http(), **{"CLEANUP_MODE": "apply", **settings}).results

    assert cloud.emulator.calls() == []
    assert cloud.left() == {"new", "old"}
    assert_complains(bare, "failed", *named)
    assert answer["statusCode"] == 500
