"""A deployment's table with a fault is refused with a sentence before any call."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.__main__ import main
from shared.errors import SettingsError
from shared.settings.deploy_table import Deploy, check_given


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        (
            '[deploy]\nschedule = "0 3 * * * *"',
            ["deploy.schedule", "exactly one of day of month and day of week"],
        ),
        ('[deploy]\nschedule = "0 3 ? * *"', ["deploy.schedule", "has 5 fields; give six"]),
        ('[deploy]\nschedule = "0 3 31 2 ? *"', ["deploy.schedule", "never comes again"]),
        ("[deploy]\nschedule = 3", ["deploy.schedule", "give a cron expression"]),
        ("[deploy]\nmemory_mb = 200", ["deploy.memory_mb", "is 200", "multiple of 128"]),
        ('[deploy]\ntimeout = "10m"', ["deploy.timeout", "1s"]),
        ('[deploy]\ntimeout = "3601s"', ["deploy.timeout", "3600s"]),
        ('[deploy]\nname = "Janitor"', ["deploy.name", "lowercase"]),
        ('[deploy]\nstate_bucket = "A_B"', ["deploy.state_bucket", "name of a bucket"]),
        ("[deploy]\nretries = 6", ["deploy.retries", "0 to 5"]),
        ('[deploy]\nlog_level = "WARNING"', ["deploy.log_level", "WARN"]),
        ("[deploy]\nshedule = 1", ["deploy.shedule", "did you mean schedule?"]),
        ("[deploy]\nzzz = 1", ["deploy.zzz", "the keys are name,"]),
        ("deploy = 3", ["deploy", "table"]),
        ('[deploy]\nsecrets.A = "e6q"', ["deploy.secrets", "Lockbox"]),
        ("[deploy.environment]\nLONG = '" + "x" * 4100 + "'", ["deploy.environment", "4096"]),
        ('[deploy]\nenvironment.CLEANUP_MODE = "apply"', ["CLEANUP_MODE", "say mode in"]),
        ('[deploy]\nenvironment.PATH = "/"', ["PATH", "leave it out"]),
        ('[deploy]\nenvironment.IAM_TOKEN = "t1.x"', ["IAM_TOKEN", "Lockbox"]),
        ('[deploy]\nenvironment.WEBHOOK_SECRET = "x"', ["WEBHOOK_SECRET", "Lockbox"]),
        ('[deploy]\nsecrets.JANITOR_CONFIG = "e6q/k"', ["JANITOR_CONFIG", "leave it out"]),
        ('mode = "aply"', ["mode", "apply"]),
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence_before_any_call(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    complaints: list[str],
) -> None:
    (tmp_path / "janitor.toml").write_text(f'folder_id = "b1gfolder"\n{text}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YC_API_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there

    assert main(["deploy", "apply", "--yes"]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    for complaint in complaints:
        assert complaint in told.err


def test_a_variable_that_the_settings_name_must_be_given_to_the_functions() -> None:
    named = {"notify": [{"kind": "slack", "url_env": "SLACK_URL"}]}

    with pytest.raises(SettingsError, match="SLACK_URL") as refused:
        check_given(Deploy(), named, "janitor.toml")
    assert "deploy.secrets.SLACK_URL" in str(refused.value)
    check_given(Deploy(secrets={"SLACK_URL": "e6q/url"}), named, "janitor.toml")
