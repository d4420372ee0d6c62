"""Every kind of page on a phone and on a desk, light and dark: nobody is kept out, nothing scrolls sideways,
and the numbers that a decision needs are seen at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pytest
from playwright.sync_api import Page

from shared.invocation.open_plans import OpenPlan
from shared.report.legend import Legend
from shared.report.page import page as pages
from tests.support import migrations
from tests.support.browser import barriers
from tests.support.pages import APPROVE, PLAN, Open, image, kinds, policy, report, runs

PHONES = [(390, 844), (320, 568)]
SCREENS: list[tuple[int, int, Literal["light", "dark"] | None]] = [
    (320, 568, "light"),
    (1280, 800, "dark"),
    (390, 844, None),
]
LEGEND = Legend(
    folder_id="b1g00000000000000000",
    registries={"crp1": "company", f"crp{100:017}": "another-company-of-ours"},
    says={"policy old-builds": "tags build-.*, older than 30 days, all but the newest 50"},
)
PROBLEMS: dict[str, Any] = {
    "warnings": [{"code": "max-share", "message": f"{'team/ci' * 30}: 120 of its 121 images would go."}],
    "errors": [{"where": "DELETE x", "code": 7, "message": "It was not allowed.", "image_id": ""}],
    "price": {"currency": "RUB", "reclaimed_per_month": 1234.5},
}
GOES_ON = "The run that carries this plan out has not ended; load the page again to see more."
LONG = [image(n, "b" * 120, tags=["t" * 128], registry_id=f"crp{n:017}") for n in range(100, 103)]
DONE = [{**each, "outcome": "deleted"} for each in kinds()[:2]]
MOVED = msgspec.structs.replace(migrations.FULL, differences=migrations.rows(3))
OTHER = msgspec.structs.replace(MOVED, registry_id="crp2", name="other")


def plan_page(images: list[dict[str, Any]], state: str = "", planned: Any = None, **more: Any) -> str:
    told = report(images, **{"policies": [policy("team-a/app")], **more})
    about = {**PLAN, "state": state}
    asked = None if state else APPROVE
    return pages.plan_page(told, plan=about, approve=asked, trend=runs(3), legend=LEGEND, planned=planned)


def carried_out(state: str = "This plan was carried out.", **more: Any) -> str:
    return plan_page([*DONE, *kinds()[2:]], state, report(kinds()), mode="apply", **more)


def open_ones(count: int) -> str:
    says = "Would delete 2,338 of 3,874 images in registry company (crp1), which would free 243.2 GB"
    until = PLAN["valid_until"]
    return pages.plans_page([OpenPlan(f"plan-{n}" * 8, until, says, "?plan=x") for n in range(count)])


def report_page(**more: Any) -> str:
    return pages.report_page(report([*kinds(), *LONG], **(PROBLEMS | more)), runs(2), legend=LEGEND)


def migration_page(*registries: Any) -> str:
    return pages.migration_page(migrations.report(*registries))


EVERY: dict[str, Callable[[], str]] = {
    "plan_page: open": lambda: plan_page(kinds()),
    "plan_page: open, with problems and long names": lambda: plan_page([*kinds(), *LONG], **PROBLEMS),
    "plan_page: open, of many": lambda: plan_page([image(n, f"app-{n % 9}") for n in range(120)]),
    "plan_page: rejected": lambda: plan_page(kinds(), "This plan was rejected on 26 November 2026, 21:29 UTC."),
    "plan_page: run out": lambda: plan_page(kinds(), "This plan has run out."),
    "plan_page: in progress": lambda: carried_out(GOES_ON, status="unfinished", finished_at=None),
    "plan_page: carried out": lambda: carried_out(),
    "plan_page: carried out, with problems": lambda: carried_out(status="partial", **PROBLEMS),
    "report_page: a dry run": lambda: report_page(mode="dry-run"),
    "report_page: a clean-up that was refused": lambda: report_page(mode="apply", status="refused"),
    "report_page: of nothing": lambda: pages.report_page(report([], policies=[], repositories=[]), []),
    "plans_page: none": lambda: open_ones(0),
    "plans_page: one": lambda: open_ones(1),
    "plans_page: several": lambda: open_ones(5),
    "message_page: done": lambda: pages.message_page("Done", "You have rejected the plan p.", 200),
    "message_page: too late": lambda: pages.message_page("Too late", f"The link {'x' * 200} is old.", 410),
    "migration_page: two registries": lambda: migration_page(MOVED, OTHER),
    "migration_page: none": lambda: migration_page(),
}  # fmt: skip


@pytest.mark.parametrize("made", EVERY.values(), ids=EVERY)
def test_nobody_is_kept_out(opened: Open, made: Callable[[], str]) -> None:
    watched = opened(made(), reduced_motion="reduce")
    page = watched.page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    for header in page.get_by_role("columnheader", name="Size").get_by_role("button").all():
        header.click()

    for width, height, scheme in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if scheme:
            page.emulate_media(color_scheme=scheme)
            assert barriers(page) == [], (width, scheme)
    watched.assert_quiet()


def test_every_page_that_there_is_was_looked_at() -> None:
    made = {name for name in vars(pages) if name.endswith("_page") and not name.startswith("_")}

    assert made == {name.partition(":")[0] for name in EVERY}


DECIDED = ("To delete", "Would be freed", "Protected", "Held back")
CAME_OF_IT = ("Deleted", "Freed", "Protected", "Failed", "Held back")


def seen_at_once(page: Page, height: int) -> set[str]:
    """The names of the numbers that are wholly in the first screen."""
    return {
        one.locator("dt").inner_text()
        for one in page.locator(".numbers > div").all()
        if (box := one.bounding_box()) and box["y"] + box["height"] <= height
    }


@pytest.mark.parametrize("size", PHONES, ids=str)
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("plan_page: open", DECIDED),
        ("plan_page: open, with problems and long names", DECIDED),
        ("plan_page: in progress", (*CAME_OF_IT[:4], "Still to go")),
        ("plan_page: carried out", CAME_OF_IT),
        ("plan_page: carried out, with problems", CAME_OF_IT),
    ],
)
def test_a_phone_shows_the_numbers_of_a_decision_without_scrolling(
    opened: Open, name: str, wanted: tuple[str, ...], size: tuple[int, int]
) -> None:
    width, height = size
    page = opened(EVERY[name](), viewport={"width": width, "height": height}).page

    headline = page.locator("h1").bounding_box()
    assert headline
    assert headline["y"] >= 0
    assert seen_at_once(page, height) >= set(wanted)
    assert page.evaluate("scrollY") == 0
