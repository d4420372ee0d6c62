"""What the settings may say.

Everything wrong is one sentence that names the variable or the key, before any call.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.environment import LOG_LEVELS, read_access
from shared.errors import SettingsError
from shared.settings.settings import Limits, load
from tests.conftest import FOLDER

BAD_VARIABLES = {
    "a mode that there isn't": ("CLEANUP_MODE", "delete", ["delete", "dry-run", "apply"]),
    "a mode in capitals": ("CLEANUP_MODE", "APPLY", ["APPLY", "apply"]),
    "a webhook that is no URL": (
        "WEBHOOK_URL",
        "functions.example/x",
        ["functions.example/x", "https://"],
    ),
    "no number of deletions": ("MAX_DELETIONS", "many", ["many", "whole number"]),
    "a broken number of deletions": ("MAX_DELETIONS", "1e3", ["1e3"]),
    "less than no deletions": ("MAX_DELETIONS", "-1", ["-1", "0 or more"]),
    "more than all": ("MAX_SHARE", "1.1", ["1.1", "0 to 1"]),
    "a share in percent": ("MAX_SHARE", "90%", ["90%"]),
    "a share that is no number": ("MAX_SHARE", "nan", ["nan"]),
    "less than nothing": ("MAX_SHARE", "-0.1", ["-0.1"]),
    "no request at all": ("CONCURRENCY", "0", ["0", "1 to 256"]),
    "too many requests": ("CONCURRENCY", "257", ["257", "1 to 256"]),
    "half a request": ("CONCURRENCY", "1.5", ["1.5"]),
    "a registry's path": ("REGISTRY_IDS", "crp1,cr.yandex/crp2", ["cr.yandex/crp2"]),
    "a folder with a space": ("FOLDER_ID", "b1g folder", ["b1g folder"]),
    "a folder with a line break": ("FOLDER_ID", "b1g\nfolder", ["folder"]),
    "commas without registries": ("REGISTRY_IDS", ",", []),
    "no policy": ("APPLY_POLICIES", " ", ["active"]),
    "a negative price": ("PRICE_PER_GB_MONTH", "-1", ["-1"]),
    "an endless price": ("PRICE_PER_GB_MONTH", "inf", ["inf"]),
    "a price with its currency": ("PRICE_PER_GB_MONTH", "3 RUB", ["3 RUB"]),
    "a long currency": ("CURRENCY", "roubles and kopecks", ["roubles"]),
}


@pytest.mark.parametrize(("variable", "value", "named"), BAD_VARIABLES.values(), ids=BAD_VARIABLES)
def test_a_bad_variable_is_named_with_its_value_and_what_would_be_accepted(
    variable: str, value: str, named: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"FOLDER_ID": FOLDER, variable: value})
    for text in (variable, *named):
        assert text in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["nomad", "none,compute", "Compute"])
def test_a_source_of_uses_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"GUARDS_IN_USE is .*; give some of .*compute.*, or none"):
        load({"FOLDER_ID": FOLDER, "GUARDS_IN_USE": text})


BAD_FILES = {
    "an unknown key": ("flder_id = 'b1g'", ["flder_id", "folder_id"]),
    "an unknown key of a table": (
        "[limits]\nmax_deletion = 5",
        ["limits.max_deletion", "limits.max_deletions"],
    ),
    "an unknown table": ("[limit]\nmax_deletions = 5", ["limit", "limits"]),
    "a key that resembles none": ("zzz = 1", ["zzz", "registries"]),
    "a number in quotes": (
        "[limits]\nmax_deletions = '5'",
        ["limits.max_deletions", "give 5, without quotes"],
    ),
    "a fraction for a whole number": ("[limits]\nconcurrency = 1.5", ["limits.concurrency", "1 to 256"]),
    "true for a number": ("[limits]\nmax_deletions = true", ["limits.max_deletions"]),
    "a share that is no number": ("[limits]\nmax_share = nan", ["limits.max_share"]),
    "a value for a table": ("limits = 5", ["limits"]),
    "a table for a value": ("[mode]\napply = true", ["mode", "dry-run"]),
    "a registry without a list": ("registries = 'crp1'", ["registries", 'give a list, as in ["crp1"]']),
    "a number among registries": ("registries = ['crp1', 5]", ["registries"]),
    "a folder that ends with a line break": ('folder_id = "b1g\\n"', ["folder_id"]),
    "a mode that there isn't": ("mode = 'delete'", ["mode", "delete", "dry-run"]),
    "a policy without a name": ("[lifecycle_policies]\napply = ['']", ["lifecycle_policies.apply"]),
    "text that is not TOML": ("mode: apply", ["TOML", "line 1"]),
    "an override of a key that there isn't": (
        "allow_overrides = ['mod']",
        ["allow_overrides", "mod", "mode"],
    ),
    "an override of the permission itself": ("allow_overrides = ['allow_overrides']", ["allow_overrides"]),
    "thousands of brackets": ("a = " + "[" * 5_000, ["TOML"]),
}


@pytest.mark.parametrize(("text", "named"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named_with_the_key_and_what_would_be_accepted(
    tmp_path: Path, text: str, named: list[str]
) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        load({"JANITOR_CONFIG": str(file)})
    for expected in (str(file), *named):
        assert expected in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes("# é".encode("latin-1"))

    for file in (tmp_path / "missing.toml", tmp_path, latin):
        with pytest.raises(SettingsError, match=str(file)):
            load({"FOLDER_ID": FOLDER, "JANITOR_CONFIG": str(file)})


HIDDEN = {
    "a share": ("[limits]\nmax_share = 1.5", "MAX_SHARE", "0.5", ["limits.max_share", "1.5", "0 to 1"]),
    "a source": ("[guards]\nin_use = ['kubernets']", "GUARDS_IN_USE", "none", ["guards.in_use", "kubernets"]),
    "a mode": ("mode = 'delete'", "CLEANUP_MODE", "apply", ["mode", "delete", "dry-run"]),
    "a folder": ("folder_id = 'b1g folder'", "FOLDER_ID", FOLDER, ["folder_id", "b1g folder"]),
    "registries": ("registries = 'crp1'", "REGISTRY_IDS", "crp1", ["registries"]),
    "a limit": ("[limits]\nmax_deletions = -1", "MAX_DELETIONS", "5", ["limits.max_deletions", "-1"]),
    "a table": ("limits = 5", "MAX_DELETIONS", "5", ["limits", "table"]),
    "policies": ("[lifecycle_policies]\napply = ['']", "APPLY_POLICIES", "a", ["lifecycle_policies.apply"]),
    "a price": ("[price]\nper_gb_month = 'x'", "PRICE_PER_GB_MONTH", "3", ["price.per_gb_month"]),
    "a URL": ("webhook_url = 'nowhere'", "WEBHOOK_URL", "https://example.net", ["webhook_url", "nowhere"]),
    "a directory": ("state_dir = ''", "STATE_DIR", "/tmp/state", ["state_dir"]),
    "a bucket": ("state_bucket = 'A'", "STATE_BUCKET", "state", ["state_bucket", '"A"', "bucket/prefix"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "variable", "value", "named"), HIDDEN.values(), ids=HIDDEN)
def test_what_the_environment_hides_in_the_file_must_be_right_too(
    tmp_path: Path, text: str, variable: str, value: str, named: list[str]
) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        load({"FOLDER_ID": FOLDER, "JANITOR_CONFIG": str(file), variable: value})
    for expected in (str(file), *named):
        assert expected in str(caught.value)


BAD_DEPLOYMENTS = {
    "an unknown key": ('shedule = "x"', ["deploy.shedule", "did you mean schedule?"]),
    "a wrong type": ("webhook = 1", ["deploy.webhook", "true or false"]),
    "an impossible value": ("memory_mb = 200", ["deploy.memory_mb", "multiple of 128"]),
    "a schedule of five fields": ('schedule = "0 3 * * *"', ["deploy.schedule", "six"]),
    "a setting as a variable": ('environment.MAX_SHARE = "1"', ["MAX_SHARE", "limits.max_share"]),
    "a secret as a variable": ('environment.SA_KEY = "{}"', ["SA_KEY", "Lockbox"]),
    "a misspelt variable": ('environment.SA_KEY_SECRET_IDS = "e6q"', ["did you mean SA_KEY_SECRET_ID?"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "named"), BAD_DEPLOYMENTS.values(), ids=BAD_DEPLOYMENTS)
def test_the_table_of_the_deployment_is_checked_by_a_run_too(
    tmp_path: Path, text: str, named: list[str]
) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(f"[deploy]\n{text}\n")

    with pytest.raises(SettingsError) as caught:
        load({"FOLDER_ID": FOLDER, "JANITOR_CONFIG": str(file)})
    for expected in (str(file), *named):
        assert expected in str(caught.value)


MISSPELT = {
    "MAX_DELETONS": "MAX_DELETIONS", "MAX_DELETION": "MAX_DELETIONS", "MAX_DELTEIONS": "MAX_DELETIONS",
    "max_deletions": "MAX_DELETIONS", "MAXDELETIONS": "MAX_DELETIONS", "CLEANUP_MOD": "CLEANUP_MODE",
    "CLEAN_UP_MODE": "CLEANUP_MODE", "GUARD_IN_USE": "GUARDS_IN_USE", "REGISTRY_ID": "REGISTRY_IDS",
    "FOLDER_IDS": "FOLDER_ID", "MAX_SHARES": "MAX_SHARE", "CONCURENCY": "CONCURRENCY",
    "APPLY_POLICES": "APPLY_POLICIES", "WEBHOOK_SECERT": "WEBHOOK_SECRET",
    "YC_API_ENPOINT": "YC_API_ENDPOINT", "SA_KEYFILE": "SA_KEY_FILE",
    "PRICE_PER_GB_MONTHS": "PRICE_PER_GB_MONTH", "LOG_LEVEL_": "LOG_LEVEL", "STATEDIR": "STATE_DIR",
    "IAM_TOKENS": "IAM_TOKEN", "JANITOR_CONFG": "JANITOR_CONFIG", "CURRENCYS": "CURRENCY",
}  # fmt: skip
FOREIGN = [
    "PATH", "HOME", "LANG", "PWD", "LOG_LEVELS_X", "LOGLEVEL", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_LAMBDA_RUNTIME_API",
    "YC_TOKEN", "YC_CLOUD_ID", "YC_FOLDER_ID", "YC_IAM_TOKEN", "YC_STORAGE_ENDPOINT_URL", "YC_S3_ENDPOINT", "YC_ZONE",
    "WEB_CONCURRENCY", "SERVICE", "STATE_DIRECTORY", "XDG_STATE_HOME", "MODE", "S3_KEY",
    "SLACK_WEBHOOK_URL", "WEBHOOK_URL_2", "TELEGRAM_TOKEN", "API_TOKEN", "VAULT_TOKEN", "CONFIG", "CI_REGISTRY",
    "CI_REGISTRY_IMAGE", "DOCKER_CONFIG", "KUBECONFIG", "LC_ALL", "PYTHONPATH", "_HANDLER", "FUNCTION_NAME",
    "YC_FUNCTIONS_ENDPOINT", "MAX_WORKERS", "MAX_MEMORY", "USER_ID", "CURRENT",
]  # fmt: skip


@pytest.mark.parametrize("name", MISSPELT)
def test_a_variable_that_is_nearly_ours_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name}.*did you mean {MISSPELT[name]}\?"):
        load({"FOLDER_ID": FOLDER, name: "5"})


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_variable_is_none_of_our_business(name: str) -> None:
    assert load({"FOLDER_ID": FOLDER, name: "5"}).folder_id == FOLDER


def test_a_variable_without_a_value_or_named_by_the_file_is_no_slip(tmp_path: Path) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text("[[notify]]\nkind = 'slack'\nurl_env = 'WEBHOOK_URLS'\n")
    spoken = {"FOLDER_ID": FOLDER, "WEBHOOK_URLS": "https://hooks.example.net/1"}

    assert load({**spoken, "JANITOR_CONFIG": str(file), "MAX_DELETONS": " "}).notify
    with pytest.raises(SettingsError, match="WEBHOOK_URLS"):
        load(spoken)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "janitor.toml"
    file.write_bytes(b"\xef\xbb\xbf" + f"folder_id = '{FOLDER}'\r\nmode = 'apply'\r\n".encode())

    assert load({"JANITOR_CONFIG": str(file)}).mode == "apply"


def test_a_missing_file_is_told_with_the_places_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        load({"FOLDER_ID": FOLDER, "JANITOR_CONFIG": "nowhere.toml"})
    for place in (tmp_path / "nowhere.toml", Path(__file__).parents[3] / "nowhere.toml", "JANITOR_CONFIG"):
        assert str(place) in str(caught.value)


BAD_ACCESS = {
    "a level that there isn't": ("LOG_LEVEL", "LOUD", "LOUD"),
    "Python's name of a level": ("LOG_LEVEL", "WARNING", "WARN"),
    "an endpoint without a scheme": ("YC_API_ENDPOINT", "api.example.net", "base URL"),
    "an endpoint of another scheme": ("YC_API_ENDPOINT", "ftp://api.example.net", "base URL"),
    "an endpoint with a password": ("YC_API_ENDPOINT", "https://me:secret@api.example.net", "base URL"),
    "an endpoint that is broken": ("YC_API_ENDPOINT", "http://[::1", "base URL"),
    "an endpoint with a port that is none": ("YC_API_ENDPOINT", "http://localhost:port", "base URL"),
    "a metadata service by its URL": ("YC_METADATA_ADDR", "http://169.254.169.254/", "host"),
}


@pytest.mark.parametrize(("variable", "value", "named"), BAD_ACCESS.values(), ids=BAD_ACCESS)
def test_a_bad_variable_of_access_is_named(variable: str, value: str, named: str) -> None:
    with pytest.raises(SettingsError, match=variable) as caught:
        read_access({variable: value})
    assert named in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_levels_are_those_of_the_clouds_logs_in_any_case() -> None:
    assert {read_access({"LOG_LEVEL": level.lower()}).log_level for level in LOG_LEVELS} == set(LOG_LEVELS)


def test_without_anything_to_clean_both_variables_are_named() -> None:
    with pytest.raises(SettingsError, match=r"FOLDER_ID.*REGISTRY_IDS"):
        load({"FOLDER_ID": " "})


def test_the_defaults_delete_nothing_by_themselves() -> None:
    settings = load({"FOLDER_ID": FOLDER})

    assert (settings.mode, settings.lifecycle_policies.apply, settings.allow_overrides) == (
        "dry-run",
        "active",
        [],
    )
    assert settings.limits == Limits(max_deletions=10_000, max_share=0.9, concurrency=16)


def test_the_environment_goes_before_the_file_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(
        'registries = ["crp1"]\nmode = "apply"\n'
        "[limits]\nmax_deletions = 5\nmax_share = 0.25\n"
        '[lifecycle_policies]\napply = ["old"]\n[price]\nper_gb_month = 3\n'
    )

    settings = load(
        {
            "JANITOR_CONFIG": str(file),
            "CLEANUP_MODE": "dry-run",
            "MAX_DELETIONS": "7",
            "APPLY_POLICIES": "a, b",
            "CURRENCY": "KZT",
            "CONCURRENCY": "",
        }
    )

    assert (settings.registries, settings.mode) == (["crp1"], "dry-run")
    assert settings.limits == Limits(max_deletions=7, max_share=0.25, concurrency=16)
    assert settings.lifecycle_policies.apply == ["a", "b"]
    assert (settings.price.per_gb_month, settings.price.currency) == (3.0, "KZT")


@pytest.mark.parametrize("apply", ["active", ["active"]])
def test_active_means_the_same_alone_and_in_a_list(tmp_path: Path, apply: str | list[str]) -> None:
    file = tmp_path / "janitor.toml"
    file.write_text(f"folder_id = '{FOLDER}'\n[lifecycle_policies]\napply = {apply!r}\n")

    assert load({"JANITOR_CONFIG": str(file)}).lifecycle_policies.apply == "active"
    assert load({"FOLDER_ID": FOLDER, "APPLY_POLICIES": "active"}).lifecycle_policies.apply == "active"


@given(
    st.dictionaries(
        st.sampled_from(
            ["CLEANUP_MODE", "MAX_DELETIONS", "MAX_SHARE", "CONCURRENCY", "REGISTRY_IDS", "CURRENCY"]
        ),
        st.text(st.characters(exclude_characters="\0"), max_size=12),
    )
)
def test_any_environment_is_either_settings_within_their_bounds_or_a_settings_error(
    environment: dict[str, str],
) -> None:
    try:
        settings = load({"FOLDER_ID": FOLDER, **environment})
    except SettingsError as error:
        assert any(variable in str(error) for variable in environment)
    else:
        assert settings.mode in ("dry-run", "apply")
        assert settings.limits.max_deletions >= 0
        assert 0 <= settings.limits.max_share <= 1
        assert 1 <= settings.limits.concurrency <= 256


BUCKETS = {
    True: [
        "abc",
        "state",
        "a.b-c1",
        "a" * 63,
        "state/janitor",
        "state/team-a/run_1",
        "state/.hidden",
        "state/a=b",
    ],
    False: [
        *(
            "ab",
            "a" * 64,
            "State",
            "-abc",
            "abc-",
            "a_b",
            "state/",
            "/state",
            "state//a",
            "state/a/",
            "s3://state",
        ),
        *("state/..", "state/../a", "state/.", "state/a b", "state/a?b", "state\na", "state/" + "a" * 101),
    ],
}


@pytest.mark.parametrize(
    ("is_one", "place"), [(is_one, place) for is_one, places in BUCKETS.items() for place in places]
)
def test_a_place_for_the_state_is_a_bucket_and_perhaps_a_prefix(is_one: bool, place: str) -> None:
    environment = {"FOLDER_ID": FOLDER, "STATE_BUCKET": place}
    if is_one:
        assert load(environment).state_bucket == place
    else:
        with pytest.raises(SettingsError, match=r"STATE_BUCKET is .*; give the name of a bucket"):
            load(environment)


def test_the_state_is_kept_in_one_place() -> None:
    with pytest.raises(SettingsError, match=r"^STATE_BUCKET and STATE_DIR are both set; [^.]*\.$"):
        load({"FOLDER_ID": FOLDER, "STATE_BUCKET": "state", "STATE_DIR": "/tmp/state"})
