"""The page of a plan, from the packaged webhook: what it promises is what an approval does."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from shared.auth import plan_links
from tests.conftest import FOLDER, Cloud, images, policy
from tests.support import html
from tests.support.cloud import http
from tests.support.command_line import run
from tests.support.html import Element
from tests.support.log import lines_of
from tests.support.signing import KEY, SECRET

OLD = tuple(f"old{number}" for number in range(6))


class Hook:
    """The packaged webhook with a state, and a plan to look at."""

    def __init__(self, cloud: Cloud, state: Path) -> None:
        self.cloud, self.state = cloud, state
        self.settings: dict[str, Any] = {
            "CLEANUP_MODE": "plan",
            "STATE_DIR": str(state),
            "WEBHOOK_SECRET": SECRET,
            "WEBHOOK_URL": "https://functions.example/hook",
        }
        self.report = cloud.clean(**self.settings)
        self.plan_id = str(self.report["plan_id"])

    def get(self) -> Element:
        token = plan_links.token(KEY, self.plan_id, "view", datetime.now(UTC) + timedelta(hours=1))
        query = {"plan": self.plan_id, "token": token}
        return self.answer(http(method="GET") | {"body": "", "queryStringParameters": query})

    def approve(self, page: Element) -> Element:
        [form] = [form for form in page.all("form") if form.all("button", _class="approve")]
        sent = {
            field.attributes["name"]: field.attributes["value"]
            for field in form.all("input")
            if "name" in field.attributes
        }
        body = base64.b64encode(urlencode(sent).encode()).decode()
        return self.answer(
            http(body, base64_encoded=True)
            | {
                "headers": {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"},
                "queryStringParameters": {"plan": self.plan_id},
            }
        )

    def answer(self, event: dict[str, Any]) -> Element:
        answer = self.cloud.call("webhook", event, **self.settings).results[-1]
        assert answer["statusCode"] == 200, answer
        return html.read(answer["body"])


@pytest.fixture
def hook(cloud: Cloud, tmp_path: Path) -> Hook:
    """A registry with a repository of which a limit keeps all, and another of which one image is in use."""
    cloud.seed(
        {"name": "app", "policies": [policy("old", tag_regexp="old.*", retained_top=1)], "images": images("new", *OLD)},
        {
            "name": "ci",
            "policies": [policy("untagged", untagged=True, expire_period="24h")],
            "images": [{"series": 19, "newest": "30h", "step": "1h"}, *images("latest")],
        },
        containers=[
            {
                "id": "bba1",
                "name": "web",
                "folder_id": FOLDER,
                "revisions": [{"id": "bbar1", "status": "ACTIVE", "image": "cr.yandex/crp1/app:old3"}],
            }
        ],
    )  # fmt: skip
    return Hook(cloud, tmp_path)


def numbers(page: Element) -> dict[str, str]:
    """What the page's first numbers say, by their names."""
    [list_of] = page.all("dl", _class="numbers")
    return {one.one("dt").text: one.one("dd").text for one in list_of.all("div")}


def promised(page: Element) -> int:
    [button] = page.all("button", _class="approve")
    return int(re.findall(r"[\d,]+", button.text)[0].replace(",", ""))


def test_an_approval_promises_what_it_does_and_names_what_it_leaves(hook: Hook) -> None:
    page = hook.get()

    assert page.one("h1").text == "Delete 4 of 27 images in registry main?"
    assert (numbers(page)["To delete"], promised(page)) == ("4 of 27 images looked at", 4)
    assert numbers(page)["Held back"] == "19 MAX_SHARE 19"
    assert numbers(page)["Protected"] == "1 in use 1"
    assert "19 in ci: MAX_SHARE" in page.one("section", id="decision").text
    assert "A guard or a limit would hold something back" in page.one("p", _class="status").text
    bars = {item.one("h3").text: item for item in page.one("ul", _class="repositories").all("li")}
    assert [rect.attributes["class"] for rect in bars["ci"].all("rect")] == ["stay", "kept"] * 2
    assert "nothing goes · 19 held back" in bars["ci"].text

    before = hook.cloud.left()
    done = hook.approve(page)

    assert len(before) - len(hook.cloud.left()) == promised(page)
    assert done.one("h1").text == "4 of the plan's 4 images deleted in registry main"
    assert numbers(done)["Deleted"] == "4 of 4 planned"
    assert numbers(done)["Freed"].endswith(
        f"of {numbers(page)['Would be freed'].partition(' really')[0]} planned"
    )
    assert done.all("form") == []
    assert hook.get().one("h1").text == done.one("h1").text
    assert numbers(hook.get()) == numbers(done)


def test_what_has_changed_since_is_said_beside_what_was_planned(hook: Hook) -> None:
    page = hook.get()
    hook.cloud.emulator.change(delete_image={"image_id": "old1"})
    hook.cloud.emulator.change(add_tag={"image_id": "old5", "tag": "wanted"})

    done = hook.approve(page)

    assert done.one("h1").text == "2 of the plan's 4 images deleted in registry main"
    assert numbers(done)["Deleted"] == "2 of 4 planned"
    assert numbers(done)["Already gone"].startswith("1 ")
    assert numbers(done)["Held back"].startswith("1 ")


def test_a_run_that_has_not_ended_shows_how_far_it_is(hook: Hook) -> None:
    hook.approve(hook.get())
    for report in hook.state.glob("runs/*/report.json"):
        report.unlink()

    page = hook.get()

    assert page.one("h1").text == "4 of the plan's 4 images deleted in registry main so far"
    assert "has not ended" in page.one("p", _class="state").text
    assert page.one("p", _class="status").text == "At work, or cut off"


def test_the_page_says_where_and_why_in_words_with_numbers_first(hook: Hook) -> None:
    page = hook.get()

    assert page.one("p", _class="where").text == f"registry main (crp1) · folder {FOLDER}"
    titles = [heading.text for heading in page.all("h2")]
    assert titles.index("The numbers") < next(n for n, title in enumerate(titles) if "Warnings" in title)
    table = page.one("table", _class="images")
    rows = [row.one("td", data_cell="why").text for row in table.all("tr", data_outcome="would-delete")]
    assert rows == ["policy old: tags old.*, all but the newest 1"] * 4
    [kept] = table.all("tr", data_outcome="protected")
    assert kept.one("td", data_cell="why").text.startswith("in use serverless container web")
    outcomes = [row.attributes["data-outcome"] for row in table.all("tr") if "data-outcome" in row.attributes]
    assert outcomes == ["would-delete"] * 4 + ["remaining"] * 19 + ["protected"], "what goes comes first"
    created = [cell.text for cell in table.all("td", data_cell="created")]
    for group in (created[:4], created[4:23]):
        assert group == sorted(group, reverse=True)
    digests = [cell.text for cell in table.all("span", _class="digest")]
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in digests), "the whole one, to copy"


def test_each_landmark_has_a_name_of_its_own(hook: Hook) -> None:
    for page in (hook.get(), hook.approve(hook.get())):
        named = html.landmarks(page)
        assert len(named) == len(set(named)) > 5


def test_the_log_says_where_a_plan_waits_and_nothing_that_opens_it(hook: Hook) -> None:
    lines = lines_of(hook.cloud.call("cleanup", **hook.settings).log)

    [waits] = [line for line in lines if "waits for a decision" in line["message"]]
    assert waits["plan_id"] == hook.plan_id
    assert "https://functions.example/hook" in waits["message"]
    assert "token=" not in str(lines)


def test_whoever_opens_the_webhooks_address_without_a_link_hears_where_there_is_one(hook: Hook) -> None:
    event = http(method="GET") | {"body": "", "headers": {"accept": "text/html"}}

    answer = hook.cloud.call("webhook", event, **hook.settings).results[-1]

    assert answer["statusCode"] == 405
    assert "the command plans prints" in html.read(answer["body"]).one("main").text


def test_the_open_plans_are_listed_at_the_webhooks_own_address(hook: Hook) -> None:
    by_hand = run(hook.cloud, "plans", **hook.settings).stdout
    assert f"python -m functions apply {hook.plan_id}" in by_hand
    link = by_hand.split()[-1]
    assert link.startswith("https://functions.example/hook?token=")

    def listed() -> Element:
        event = http(method="GET") | {
            "body": "",
            "queryStringParameters": dict(parse_qsl(urlsplit(link).query)),
        }
        return hook.answer(event)

    page = listed()

    assert page.one("h1").text == "One plan waits for a decision"
    entry = page.one("li")
    assert entry.text.startswith("Would delete 4 of 27 images in registry main (crp1), which would free ")
    address = urlsplit(entry.one("a").attributes["href"])
    shown = hook.answer(
        http(method="GET") | {"body": "", "queryStringParameters": dict(parse_qsl(address.query))}
    )
    assert promised(shown) == 4
    hook.approve(shown)
    assert listed().one("h1").text == "No plan waits for a decision"
    assert "No plan waits" in run(hook.cloud, "plans", **hook.settings).stdout
