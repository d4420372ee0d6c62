"""The page of a plan and of a report, in a real browser: whatever is in it, it is read, searched and answered
safely.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, Route, expect

from shared.auth import plan_links
from shared.report.page import page as pages
from tests.conftest import Cloud
from tests.conftest import images as images_seed
from tests.conftest import policy as policy_seed
from tests.support.browser import Watched
from tests.support.function_server import serve
from tests.support.pages import ADDRESS, HOSTILE, Open, image, kinds, plan, rows


def posted(opened: Open, html: str, **options: Any) -> tuple[Watched, list[dict[str, list[str]]]]:
    """The page, and what its forms send; the answer to them is a small page."""
    watched = opened(html, **options)
    sent: list[dict[str, list[str]]] = []

    def answer(route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
            return
        assert route.request.url == f"{ADDRESS}?plan=the-plan"
        sent.append(parse_qs(route.request.post_data or ""))
        route.fulfill(body=pages.message_page("Done", "It was done.", 200), content_type="text/html")

    watched.page.route("**/*", answer)
    return watched, sent


def press(page: Page, key: str, until: str) -> None:
    """Presses ``key`` until the element that has the focus has such a text or name."""
    focused = "document.activeElement.textContent.trim() || document.activeElement.labels?.[0]?.textContent"
    for _ in range(60):
        page.keyboard.press(key)
        if until in (page.evaluate(focused) or ""):
            return
    raise AssertionError(f"{until} is not reached by {key}")


def test_a_plan_is_approved_by_keyboard_alone_and_only_on_purpose(opened: Open) -> None:
    watched, sent = posted(opened, plan([image(n) for n in range(300)]))
    page = watched.page

    press(page, "Tab", "Skip to the images")
    expect(page.locator(":focus")).to_be_in_viewport()
    press(page, "Tab", "Skip to the decision")
    page.keyboard.press("Enter")
    press(page, "Tab", "I have looked at what goes")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert sent == []
    expect(page.get_by_role("checkbox")).to_be_focused()
    page.keyboard.press("Space")
    press(page, "Tab", "Approve: delete 300 images")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading")).to_have_text("Done")
    assert sent == [{"plan": ["the-plan"], "action": ["approve"], "token": ["approve-it"]}]


def test_a_plan_is_rejected_at_once(opened: Open) -> None:
    watched, sent = posted(opened, plan(kinds()))

    watched.page.get_by_role("button", name="Reject").click()

    expect(watched.page.get_by_role("heading")).to_have_text("Done")
    assert sent == [{"plan": ["the-plan"], "action": ["reject"], "token": ["reject-it"]}]


def test_an_answer_is_given_only_once(opened: Open) -> None:
    page = opened(plan(kinds())).page
    page.evaluate(
        "addEventListener('submit', (event) => { event.preventDefault(); window.submitted = (window.submitted"
        " || 0) + 1; })"
    )

    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Approve").dblclick()

    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.get_by_role("button", name="Reject")).to_be_disabled()
    expect(page.get_by_text("Sent.")).to_be_visible()
    assert page.evaluate("window.submitted") == 1
    with page.expect_navigation():  # back from the answer: the plan may not be open any more
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()


SECRET_KEY = bytes(range(32))


class Served:
    """A plan that was really made, and the webhook that serves it."""

    def __init__(self, cloud: Cloud, state: Path, url: str, plan_id: str) -> None:
        self.cloud, self.state, self.url, self.plan_id = cloud, state, url, plan_id

    def token(self, action: str, *, lasts: float = 600, plan_id: str = "") -> str:
        ends_at = datetime.now(UTC) + timedelta(seconds=lasts)
        return plan_links.token(SECRET_KEY, plan_id or self.plan_id, action, ends_at)

    def link(self, token: str = "", plan_id: str = "") -> str:
        return f"{self.url}?plan={plan_id or self.plan_id}&token={token or self.token('view')}"

    def deletes(self) -> int:
        return sum(n for call, n in self.cloud.emulator.call_counts().items() if call.startswith("DELETE"))


@contextmanager
def served(cloud: Cloud, state: Path, **settings: str) -> Iterator[Served]:
    secret = "whsec_" + base64.b64encode(SECRET_KEY).decode()
    settings = {
        "STATE_DIR": str(state),
        "WEBHOOK_SECRET": secret,
        "MAX_SHARE": "1",
        "LOG_LEVEL": "WARN",
        **settings,
    }
    plan_id = cloud.clean(CLEANUP_MODE="plan", **settings)["plan_id"]
    environment = {**cloud.environment, "CLEANUP_MODE": "apply", **settings}
    with serve(cloud.bundle, "webhook.handler", environment) as url:
        yield Served(cloud, state, url, plan_id)


def approve(page: Page) -> None:
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Approve").click(timeout=90_000)  # it waits for the answer


@pytest.mark.slow  # five thousand images are really deleted
def test_a_plan_of_five_thousand_images_is_looked_at_and_carried_out_once(
    cloud: Cloud, watched: Watched, tmp_path: Path
) -> None:
    hostile = [{"id": f"hostile{n}", "tags": [name], "age": "9d"} for n, name in enumerate(HOSTILE)]
    cloud.seed(
        {"name": "big", "policies": [policy_seed("big")], "images": [{"series": 5000, "tags": ["b-{n}"]}]},
        {"name": "app", "policies": [policy_seed("app")], "images": [*images_seed("new"), *hostile]},
    )
    page, count_before = watched.page, len(cloud.left())
    going = 4999 + len(HOSTILE)
    with served(cloud, tmp_path) as plan:
        page.goto(plan.link())
        expect(page.get_by_role("heading", level=1)).to_have_text(
            f"Delete {going:,} of {count_before:,} images in registry main?"
        )
        page.get_by_role("searchbox").fill("onerror=")
        assert page.locator(".tags code").all_text_contents() == [HOSTILE[0]]
        page.get_by_label("Repository").select_option("app")
        page.get_by_role("searchbox").fill("")
        page.get_by_role("columnheader", name="Created").get_by_role("button").click()
        assert len(rows(page)) == len(HOSTILE)
        watched.assert_quiet()
        other = page.context.new_page()
        other.goto(plan.link())
        assert plan.deletes() == 0

        approve(page)

        expect(page.get_by_role("heading", level=1)).to_contain_text("deleted", timeout=60_000)
        assert (
            page.get_by_role("heading", level=1).inner_text()
            == f"{going:,} of the plan's {going:,} images deleted in registry main"
        )
        assert len(cloud.left()) == 2
        deletes = plan.deletes()
        approve(other)
        expect(other.get_by_role("heading")).to_have_text("Not carried out")
        expect(other.locator("main")).to_contain_text("was carried out at")
        other.goto(plan.link())
        expect(other.get_by_text("This plan was carried out.")).to_be_visible()
        assert other.locator("form").count() == 0
        assert plan.deletes() == deletes
    watched.assert_quiet(requests=2)


def test_nothing_but_the_pages_own_button_approves_and_it_is_said_why(
    cloud: Cloud, watched: Watched, tmp_path: Path
) -> None:
    cloud.seed({"name": "app", "policies": [policy_seed()], "images": images_seed("new", "old1", "old2")})
    page = watched.page
    with served(cloud, tmp_path) as plan:
        other = plan.plan_id[:-1] + ("0" if plan.plan_id[-1] != "0" else "1")

        def says(title: str, text: str) -> None:
            expect(page.get_by_role("heading")).to_have_text(title)
            expect(page.locator("main")).to_contain_text(text)
            assert cloud.left() == {"new", "old1", "old2"}

        def sent_with(token: str) -> None:
            page.goto(plan.link())
            page.locator("form:has(.approve) [name=token]").evaluate(
                "(field, token) => { field.value = token; }", token
            )
            approve(page)

        for address, title, text in (
            (plan.link(plan.token("view", lasts=-1)), "Too late", "has run out"),
            (plan.link(plan_id=other), "Not allowed", "not valid for this plan"),
            (plan.link(plan.token("approve")), "Not allowed", "not valid for this plan"),
            (plan.link(plan.token("approve")) + "&action=approve", "Not found", "nothing at this address"),
        ):
            page.goto(address)
            says(title, text)
        for token, title, text in (
            (plan.token("approve", lasts=-1), "Too late", "has run out"),
            (plan.token("view"), "Not allowed", "not valid for this plan"),
            (plan.token("approve", plan_id=other), "Not allowed", "not valid for this plan"),
            (plan.token("approve")[:-1] + "~", "Not allowed", "not valid for this plan"),
        ):
            sent_with(token)
            says(title, text)

        page.goto(plan.link())
        approve(page)
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "2 of the plan's 2 images deleted in registry main"
        )
        assert cloud.left() == {"new"}


def test_what_is_rejected_stays(cloud: Cloud, watched: Watched, tmp_path: Path) -> None:
    cloud.seed({"name": "app", "policies": [policy_seed()], "images": images_seed("new", "old")})
    page = watched.page
    with served(cloud, tmp_path) as plan:
        page.goto(plan.link())
        page.get_by_role("button", name="Reject").click()
        expect(page.locator("main")).to_contain_text("You have rejected the plan")
        page.go_back()
        expect(page.get_by_text("This plan was rejected on ")).to_be_visible()
        expect(page.locator(".state")).to_contain_text(" UTC.")
    assert cloud.left() == {"new", "old"}
