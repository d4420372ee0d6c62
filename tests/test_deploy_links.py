"""The links to plans of a deployed function: after a rollback they reach the version that is live."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from shared import links
from tests.deployments import FOLDER, Folder
from tests.emulator.client import RunningEmulator

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
    (version,) = [one for one in folder.versions(WEBHOOK) if "live" in one["tags"]]
    return version


def link(folder: Folder, plan_id: str) -> str:
    """The plan's link, as the live version has it, to the emulated cloud."""
    url = urlsplit(live(folder)["environment"]["WEBHOOK_URL"])
    secret_id = folder.named("secrets")["registry-janitor-webhook-secret"]["id"]
    secret = folder.cloud.resources()["payloads"][secret_id]["WEBHOOK_SECRET"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    base = f"{folder.cloud.url}{url.path}?{url.query}".rstrip("?")
    return links.link(base, key, plan_id, datetime.now(UTC) + timedelta(days=1))


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
        urljoin(address, action.replace("&amp;", "&")),
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
    made = urlsplit(links.link(url, bytes(32), "20261125T030000000000Z-" + "0" * 32, datetime.now(UTC)))

    query = parse_qs(made.query, strict_parsing=True)
    assert f"{made.scheme}://{made.netloc}{made.path}" == url.partition("?")[0]
    assert query.keys() == {"plan", "token", *LINKS[url]}
    assert query.items() >= LINKS[url].items()
