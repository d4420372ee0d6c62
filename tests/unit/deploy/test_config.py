"""What a deployment is told: its settings come to the function, and its roles follow from them."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from shared.deploy import config, roles
from shared.deploy.roles import Target
from shared.errors import SettingsError
from shared.retention.records import Registry
from shared.settings import settings

NOW = datetime(2026, 11, 25, tzinfo=UTC)
FOLDER = 'folder_id = "b1gfolder"\n'


def loaded(directory: Path, text: str, **environment: str) -> config.Config:
    file = directory / "janitor.toml"
    file.write_text(text)
    return config.load(str(file), environment, NOW)


def test_an_empty_file_lacks_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FOLDER_ID"):
        loaded(tmp_path, "")
    with pytest.raises(SettingsError, match=r"deploy\.folder_id"):
        loaded(tmp_path, 'registries = ["crp1"]')
    assert loaded(tmp_path, 'registries = ["crp1"]\n[deploy]\nfolder_id = "b1g"').folder_id == "b1g"


def test_the_function_gets_the_settings_as_they_are_but_for_the_state_and_the_deployment(
    tmp_path: Path,
) -> None:
    text = """
        folder_id = "b1gfolder"
        registries = ["crp1", "crp2"]
        mode = "apply"
        lifecycle_policies.apply = ["old", "pol2"]
        state_dir = "/home/me/state"
        allow_overrides = ["mode"]
        limits = {max_deletions = 5, max_share = 0.25}
        guards = {in_use = "none", keep_tags = ['v\\d+', "ключ"], grace = "36h"}
        price = {per_gb_month = 2.5}
        [deploy]
        state_bucket = "bucket"
        schedule = "0 4 ? * * *"
    """
    found = loaded(tmp_path, text, MAX_DELETIONS="7")
    (tmp_path / "packed.toml").write_bytes(config.function_settings(found))

    got = settings.load({"JANITOR_CONFIG": str(tmp_path / "packed.toml")})

    assert got.limits.max_deletions == 7, "the environment comes first"
    assert (got.state_dir, got.state_bucket) == (None, None), "the function's environment says where"
    assert got == msgspec.structs.replace(found.settings, state_dir=None)
    assert "deploy" not in tomllib.loads((tmp_path / "packed.toml").read_text())


def test_a_changed_deployment_leaves_the_functions_settings_as_they_were(tmp_path: Path) -> None:
    one, other = loaded(tmp_path, FOLDER), loaded(tmp_path, FOLDER + '[deploy]\nschedule = "1 3 ? * * *"\n')

    assert config.function_settings(one) == config.function_settings(other)


def test_settings_beside_the_code_are_found_whatever_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "janitor.toml").write_text(FOLDER)
    monkeypatch.setattr(settings, "BUNDLE", tmp_path / "code")

    assert settings.load({"JANITOR_CONFIG": "janitor.toml"}).folder_id == "b1gfolder"


@pytest.mark.parametrize(
    ("text", "place", "bucket"),
    [
        (FOLDER, None, ""),
        (FOLDER + '[deploy]\nstate_bucket = "one"', "one", "one"),
        (FOLDER + '[deploy]\nstate_bucket = "one/janitor/a"', "one/janitor/a", "one"),
        (FOLDER + 'state_bucket = "one/janitor"', "one/janitor", "one"),
        (FOLDER + 'state_bucket = "one"\n[deploy]\nstate_bucket = "one"', "one", "one"),
        (FOLDER + 'state_dir = "/home/me"\n[deploy]\nstate_bucket = "one"', "one", "one"),
    ],
)
def test_either_key_says_where_the_state_is(
    tmp_path: Path, text: str, place: str | None, bucket: str
) -> None:
    found = loaded(tmp_path, text, STATE_DIR="/tmp/of-runs-by-hand", STATE_BUCKET="mine")

    assert (found.deploy.state_bucket, found.bucket) == (place, bucket)
    assert found.variables == ()
    given = granted(tmp_path, text, {})
    assert {target.name for role, target in given if role == "storage.editor"} == {bucket} - {""}


def test_two_places_for_the_state_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"state_bucket and deploy\.state_bucket in .* name two places"):
        loaded(tmp_path, FOLDER + 'state_bucket = "one"\n[deploy]\nstate_bucket = "two"')


def granted(directory: Path, text: str, registries: dict[str, str]) -> set[tuple[str, Target]]:
    known = [Registry(registry_id, folder_id, "") for registry_id, folder_id in registries.items()]
    return {(grant.role, grant.target) for grant in roles.grants(loaded(directory, text), known)}


@pytest.mark.parametrize(
    ("text", "deletes"),
    [
        ("", False),
        ('mode = "apply"', True),
        ('allow_overrides = ["mode"]', True),
        ('allow_overrides = ["limits.max_share"]', False),
    ],
)
def test_the_role_that_deletes_is_bound_only_where_something_may_be_deleted(
    tmp_path: Path, text: str, deletes: bool
) -> None:
    found = granted(tmp_path, FOLDER + text, {"crp1": "b1gfolder"})

    assert (("container-registry.images.pusher", Target("registry", "crp1")) in found) is deletes


def test_guards_look_into_the_folders_of_the_registries_and_into_those_that_are_named(tmp_path: Path) -> None:
    text = 'registries = ["crp1"]\nguards = {in_use = ["compute"], folders = ["b1gmore"]}\n'
    found = granted(tmp_path, text + '[deploy]\nfolder_id = "b1gdeploy"', {"crp1": "b1gelse"})

    assert {target.name for role, target in found if role == "compute.viewer"} == {"b1gelse", "b1gmore"}
    assert not [role for role, _ in found if role.startswith(("k8s", "serverless-containers"))]
    assert not [role for role, target in found if target == Target("folder", "b1gdeploy")]


def test_secrets_may_be_read_only_where_they_are_used(tmp_path: Path) -> None:
    text = (
        FOLDER
        + '[deploy]\nsecrets = {A = "e6q1/a", B = "e6q1/b"}\nenvironment = {SA_KEY_SECRET_ID = "e6q2"}\n'
    )
    found = granted(tmp_path, text, {})

    assert {target for role, target in found if role == "lockbox.payloadViewer"} == {
        Target("given secret", "e6q1"),
        Target("given secret", "e6q2"),
    }
