"""The links to plans of a deployed function: after a rollback they reach the version that is live."""

from __future__ import annotations

import base64
import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from shared.auth import plan_links
from shared.errors import SettingsError
from shared.settings import settings
from tests.conftest import Cloud, images, policy
from tests.emulator.client import RunningEmulator
from tests.runs.test_webhook import Hook, get, token
from tests.support.deployments import FOLDER, Folder

WEBHOOK = "registry-janitor-webhook"
PLANNING = f"""
folder_id = "{FOLDER}"
mode = "plan"

[deploy]
state_bucket = "janitor-state"
webhook = true
"""


@pytest.fixture
def folder(running_emulator: RunningEmulator, tmp_path: Path) -> Folder:
    return Folder(running_emulator, tmp_path)


def apply(folder: Folder, settings: str, *more: str) -> None:
    folder.settings(settings)
    ended = folder.run("apply", "--yes", *more)
    assert ended.status == 0, ended.out + ended.err


def live(folder: Folder) -> dict[str, Any]:
    (version,) = [one for one in folder.versions(WEBHOOK) if "live" in one.get("tags", ())]
    return version


def link(folder: Folder, plan_id: str) -> str:
    """The plan's link, as the live version has it, to the emulated cloud."""
    url = urlsplit(live(folder)["environment"]["WEBHOOK_URL"])
    secret_id = folder.named("secrets")["registry-janitor-webhook-secret"]["id"]
    secret = folder.cloud.resources()["payloads"][secret_id]["WEBHOOK_SECRET"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    base = f"{folder.cloud.url}{url.path}?{url.query}".rstrip("?")
    return plan_links.link(base, key, plan_id, datetime.now(UTC) + timedelta(days=1))


def called(folder: Folder) -> set[str]:
    """The versions of the webhook that were called."""
    own = {one["id"] for one in folder.versions(WEBHOOK)}
    return {one["version_id"] for one in folder.cloud.invocations() if one["version_id"] in own}


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_after_a_rollback_a_plan_is_shown_and_answered_by_the_version_before(
    folder: Folder, answer: str
) -> None:
    apply(folder, PLANNING)
    apply(folder, PLANNING + 'environment.A = "b"\n')
    apply(folder, PLANNING + 'environment.A = "b"\n', "--rollback")
    old = folder.versions(WEBHOOK)[0]
    assert live(folder) == old
    (planned,) = folder.cloud.wind()
    address = link(folder, planned["result"]["plan_id"])

    page = requests.get(address, timeout=60)
    assert page.status_code == 200, page.text
    (action,) = set(re.findall(r'<form method="post" action="([^"]*)"', page.text))
    fields = re.findall(
        rf'name="action" value="{answer}"><input type="hidden" name="token" value="([^"]+)"', page.text
    )
    ended = requests.post(
        urljoin(address, html.unescape(action)),
        data={"plan": planned["result"]["plan_id"], "action": answer, "token": fields[0]},
        timeout=60,
    )

    assert ended.status_code == 200, ended.text
    assert folder.cloud.image_ids() == ({"new"} if answer == "approve" else {"new", "old"})
    assert called(folder) == {old["id"]}


def test_status_says_where_the_live_version_is(folder: Folder) -> None:
    apply(folder, PLANNING)

    url = live(folder)["environment"]["WEBHOOK_URL"]

    assert url.endswith("?tag=live")
    assert url in folder.run("status").out


LINKS = {
    "https://functions.example/d4e": {},
    "https://functions.example/d4e?tag=live": {"tag": ["live"]},
    "https://functions.example:8443/a/b?tag=v1_2-3": {"tag": ["v1_2-3"]},
}


@pytest.mark.parametrize("url", LINKS)
def test_a_link_keeps_the_address_and_its_tag(url: str) -> None:
    made = urlsplit(plan_links.link(url, bytes(32), "20261125T030000000000Z-" + "0" * 32, datetime.now(UTC)))

    query = parse_qs(made.query, strict_parsing=True)
    assert f"{made.scheme}://{made.netloc}{made.path}" == url.partition("?")[0]
    assert query.keys() == {"plan", "token", *LINKS[url]}
    assert query.items() >= LINKS[url].items()


@pytest.mark.parametrize("url", LINKS)
def test_an_address_with_a_tag_is_a_setting(url: str) -> None:
    assert settings.load({"FOLDER_ID": FOLDER, "WEBHOOK_URL": url}).webhook_url == url


@pytest.mark.parametrize(
    "query", ["?tag=", "?tag=LIVE", "?tag=live&x=1", "?x=1", "?tag=a?tag=b", "?tag=live#x", "?", "?Tag=live"]
)
def test_an_address_with_any_other_query_is_refused(query: str) -> None:
    with pytest.raises(SettingsError, match=r"WEBHOOK_URL is .*tag=live"):
        settings.load({"FOLDER_ID": FOLDER, "WEBHOOK_URL": f"https://functions.example/d4e{query}"})


def test_the_webhooks_own_address_in_the_settings_gets_the_tag(folder: Folder) -> None:
    apply(folder, PLANNING)
    own = folder.named("functions")[WEBHOOK]["httpInvokeUrl"]

    for given, deployed in ((own, f"{own}?tag=live"), ("https://hook.example/x", None)):
        apply(folder, f'webhook_url = "{given}"\n{PLANNING}')
        assert live(folder)["environment"].get("WEBHOOK_URL") == deployed


@pytest.mark.parametrize(
    ("configured", "called_with", "kept"),
    [
        ("", {}, []),
        ("?tag=live", {}, ["live"]),
        ("", {"tag": "live"}, ["live"]),
        ("?tag=live", {"tag": "previous"}, ["previous"]),
        ("", {"tag": '"><script>&x=1'}, ['"><script>&x=1']),
    ],
)
def test_the_forms_go_to_the_version_that_shows_them(
    cloud: Cloud, tmp_path: Path, configured: str, called_with: dict[str, str], kept: list[str]
) -> None:
    cloud.seed({"name": "app", "policies": [policy()], "images": images("new", "old1", "old2")})
    hook = Hook(cloud, tmp_path)
    plan_id = hook.plan()
    event = get(plan_id, token(plan_id, "view"))
    event["queryStringParameters"] |= called_with

    page = hook.answer(event, WEBHOOK_URL=f"https://functions.example/hook{configured}")["body"]

    (action,) = set(re.findall(r'<form method="post" action="([^"]*)"', page))
    query = parse_qs(urlsplit(html.unescape(action)).query, strict_parsing=True)
    assert query == {"plan": [plan_id], **({"tag": kept} if kept else {})}
