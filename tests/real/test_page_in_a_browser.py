"""The page of a plan and of a report, in a real browser: whatever is in it, it is read, searched and answered
safely.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from shared.report.page import page as pages
from shared.report.summary import size
from tests.conftest import Cloud
from tests.conftest import images as images_seed
from tests.conftest import policy as policy_seed
from tests.emulator.client import PROJECT_ROOT
from tests.support.browser import Watched
from tests.support.pages import (
    ADDRESS,
    APPROVE,
    HIDDEN,
    HOSTILE,
    PLAN,
    Open,
    count,
    image,
    kinds,
    plan,
    policy,
    report,
    rows,
    runs,
)

# --- what it says ---


def test_a_plan_tells_what_goes_what_is_kept_and_how_long_it_is_valid(opened: Open) -> None:
    told = report(
        kinds(),
        warnings=[{"code": "some-warning", "message": "Something is odd."}],
        errors=[{"where": "DELETE x", "code": 7, "message": "It was not allowed.", "image_id": ""}],
        price={"currency": "RUB", "reclaimed_per_month": 1234.5},
    )

    watched = opened(pages.plan_page(told, plan=PLAN, approve=APPROVE, trend=runs(90)))

    page = watched.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 4 of 33 images in registry crp1?")
    main = page.locator("main").inner_text()
    assert "Plan" in page.locator("header").inner_text()
    for text in ("the-plan", "24 November 2026, 03:00 UTC", "1 December 2026, 03:00 UTC"):
        assert text in main
    for text in ("Something is odd.", "It was not allowed.", "3.0 GB", "1,234.50", "RUB a month"):
        assert text in main
    assert main.index("3.0 GB") < main.index("It was not allowed.") < main.index("Something is odd.")
    kept = page.get_by_role("row").filter(has_text="protected").inner_text()
    assert "in use" in kept
    assert "serverless container web" in kept
    assert "policy old-builds" in kept
    assert page.get_by_role("heading", level=3).all_inner_texts() == ["team-a/app", "team-b/web"]
    assert "In one other repository nothing changes." in main
    assert "900 images deleted, 90.0 GB freed" in main
    assert "from 1,000 to 911 images" in main
    watched.assert_quiet()


def test_a_failure_is_told_in_its_row(opened: Open) -> None:
    error = {"where": "DELETE x", "code": 7, "message": "PERMISSION_DENIED", "image_id": image(5)["image_id"]}

    page = opened(pages.report_page(report(kinds(), mode="apply", errors=[error]), [])).page

    assert "PERMISSION_DENIED" in page.get_by_role("row").filter(has_text="failed").inner_text()


# --- thousands of images ---


@pytest.fixture(scope="module")
def thousands() -> str:
    """5,000 images in 50 repositories, of which every hundredth is kept."""
    kept = {"outcome": "protected", "guard": "keep-tag", "kept_by": "tag stable"}
    return plan([image(n, f"team/app-{n % 50}", **(kept if n % 100 == 0 else {})) for n in range(5000)])


def test_five_thousand_images_are_shown_a_page_at_a_time(opened: Open, thousands: str) -> None:
    watched = opened(thousands)

    page = watched.page
    assert count(page) == "1 to 25 of 5,000 images"
    assert len(rows(page)) == 25
    onward = page.get_by_role("button", name="Next")
    onward.focus()
    for _ in range(2):
        page.keyboard.press("Enter")
    expect(onward).to_be_focused()
    assert count(page) == "51 to 75 of 5,000 images"
    page.get_by_role("button", name="Previous").click()
    assert count(page) == "26 to 50 of 5,000 images"
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    assert loaded < 3000
    watched.assert_quiet()


def test_a_search_finds_by_every_word_at_once_and_says_how_many(opened: Open, thousands: str) -> None:
    page = opened(thousands).page
    find = page.get_by_role("searchbox", name="Search")

    find.fill("build-4321")
    assert rows(page) == ["4321"]
    assert count(page) == "1 image, of 5,000"
    find.fill(image(77)["digest"])
    assert rows(page) == ["77"]
    find.fill("APP-7 stable kept")
    assert count(page) == "0 images, of 5,000"
    expect(page.get_by_text("No image is like that.")).to_be_visible()
    page.get_by_role("button", name="Show all images").click()
    assert count(page) == "1 to 25 of 5,000 images"
    expect(find).to_be_focused()


def test_columns_sort_both_ways_and_tell_it(opened: Open, thousands: str) -> None:
    page = opened(thousands).page

    for column, first, last in (("Size", "0", "4999"), ("Created", "4999", "0"), ("Image", "0", "4999")):
        header = page.get_by_role("columnheader", name=column)
        header.get_by_role("button").click()
        expect(header).to_have_attribute("aria-sort", "ascending")
        assert rows(page)[0] == first
        header.get_by_role("button").click()
        expect(header).to_have_attribute("aria-sort", "descending")
        assert rows(page)[0] == last
    assert page.locator("[aria-sort]").count() == 1
    page.get_by_role("columnheader", name="Outcome").get_by_role("button").click()
    assert rows(page)[0] == "0"
    page.get_by_role("columnheader", name="Why").get_by_role("button").click()
    assert rows(page)[0] == "50", "the newest that goes of the first repository"


def test_the_filters_narrow_the_search(opened: Open, thousands: str) -> None:
    page = opened(thousands).page

    page.get_by_label("Outcome").select_option("protected")
    assert count(page) == "1 to 25 of 50 images, of 5,000"
    page.get_by_label("Repository").select_option("team/app-0")
    assert count(page) == "1 to 25 of 50 images, of 5,000"
    page.get_by_role("searchbox").fill("build-1200")
    assert rows(page) == ["1200"]
    page.get_by_label("Repository").select_option("team/app-1")
    assert rows(page) == []


def test_paper_shows_all_that_was_found(opened: Open) -> None:
    page = opened(plan([image(n) for n in range(60)])).page

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(rows(page)) == 60
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(rows(page)) == 25


def test_without_scripts_the_first_images_can_be_read_and_the_plan_answered(opened: Open) -> None:
    page = opened(plan([image(n) for n in range(300)]), java_script_enabled=False).page

    assert len(rows(page)) == 100
    assert count(page) == "The first 100 of 300 images"
    assert page.get_by_role("searchbox").is_hidden()
    page.get_by_role("checkbox").check()
    with page.expect_request(lambda request: request.method == "POST"):
        page.get_by_role("button", name="Approve").click()


def test_the_script_writes_rows_as_the_server_does(browser: Browser, opened: Open) -> None:
    images = [*kinds(), image(7, size_bytes=2**41 + 2**39, tags=["x"] * 3, digest="odd")]
    html = plan(images)

    with_script = opened(html).page.locator("table.images tbody").inner_text()

    assert (
        with_script == opened(html, java_script_enabled=False).page.locator("table.images tbody").inner_text()
    )


def test_a_page_that_would_be_too_big_is_cut_and_says_so(opened: Open) -> None:
    told = report([image(n, "r" * 150, tags=[f"{n:0500}"]) for n in range(6000)])

    html = pages.plan_page(told, plan=PLAN, approve=APPROVE, trend=runs(90))

    assert 3_000_000 < len(json.dumps({"statusCode": 200, "headers": {}, "body": html})) < 3_500_000
    whole = pages.report_page(told, [])
    assert "This page has room for" not in whole
    page = opened(html).page
    shown = len(json.loads(page.locator("#rows").text_content() or "")["rows"])
    assert f"This page has room for {shown:,} of 6,000 images" in page.locator("main").inner_text()
    assert 4000 < shown < 6000


# --- strangers' names ---


@pytest.mark.parametrize("asks", [True, False], ids=["a plan", "a report"])
def test_no_name_of_a_stranger_runs_or_hides(opened: Open, asks: bool) -> None:
    names = (*HOSTILE, *HIDDEN)
    images = [
        image(
            n,
            name,
            tags=[name, "plain"],
            digest=name,
            image_id=name,
            reason=f"policy {name}",
            created_at=name,
        )
        for n, name in enumerate(names)
    ] + [
        image(n, "app", outcome="protected", guard="in-use", kept_by=name)
        for n, name in enumerate(names, 100)
    ]
    told = report(
        images,
        run_id=HOSTILE[0],
        policies=[policy(name, name) for name in names],
        warnings=[{"code": name, "message": name} for name in names],
        errors=[{"where": name, "code": 7, "message": name, "image_id": name} for name in names],
        price={"currency": HOSTILE[0], "reclaimed_per_month": 1},
    )
    history = [msgspec.structs.replace(run, mode=HOSTILE[0], run_id=HOSTILE[1]) for run in runs(3)]
    html = (
        pages.plan_page(told, plan={**PLAN, "state": HOSTILE[1]}, approve=APPROVE, trend=history)
        if asks
        else pages.report_page(told, history)
    )

    watched = opened(html)

    page = watched.page
    shown = {HIDDEN.get(name, name) for name in names}
    while True:
        shown -= set(page.locator("[data-field=repository]").all_text_contents())
        page.locator("table.images tbody tr").first.hover()
        onward = page.get_by_role("button", name="Next")
        if onward.is_hidden() or onward.get_attribute("aria-disabled") == "true":
            break
        onward.click()
    assert shown == set()
    page.get_by_role("searchbox").fill("onerror=alert(1)")
    assert count(page) == "2 images, of 30"
    page.get_by_label("Repository").select_option(HOSTILE[0])
    assert count(page) == "1 image, of 30"
    page.get_by_role("columnheader", name="Image").get_by_role("button").click()
    assert page.locator("main img, main script:not([type]), [onload], [onmouseover], [onerror]").count() == 0
    assert page.locator("main a[href^='javascript']").count() == 0
    assert "49" not in page.locator("h3").all_inner_texts()
    watched.assert_quiet()


def test_a_strangers_text_in_a_message_stays_text(opened: Open) -> None:
    watched = opened(pages.message_page(HOSTILE[0], HOSTILE[1], 409))

    assert watched.page.get_by_role("heading").inner_text() == HOSTILE[0]
    watched.assert_quiet()


def test_the_policy_lets_no_other_script_or_style_run(opened: Open) -> None:
    html = plan(kinds()).replace(
        "</main>", "<script>window.ran = 1</script><p style='color: red'></p></main>"
    )

    page = opened(html).page

    assert page.evaluate("window.ran") is None
    assert page.evaluate("window.violations") == ["style-src-attr", "script-src-elem"][::-1]
    assert count(page) == "6 images"


def test_the_page_is_shown_in_no_frame_and_sends_to_nobody_else(opened: Open) -> None:
    watched = opened(plan(kinds()).replace('action="?plan=the-plan"', 'action="http://elsewhere.test/"'))
    page = watched.page

    with page.expect_console_message(lambda message: "form-action" in message.text):
        page.evaluate("document.querySelector('form:has(.reject)').requestSubmit()")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('base'), { href: 'http://elsewhere.test/'"
        " }))"
    )

    assert page.evaluate("document.baseURI") == ADDRESS
    assert not any("elsewhere" in address for address in watched.requests)
    assert "frame-ancestors 'none'" in pages.content_security_policy()


# --- for everybody ---


def test_the_table_stays_a_table_on_a_phone(opened: Open) -> None:
    page = opened(plan(kinds()), viewport={"width": 320, "height": 640}).page

    assert page.get_by_role("table", name="Images").get_by_role("row").count() == 7
    assert page.get_by_role("rowheader").count() >= 6
    assert page.get_by_role("columnheader").all_inner_texts()[:5] == [
        "Image",
        "Created",
        "Size",
        "Outcome",
        "Why",
    ]


def test_nothing_moves_for_those_who_mind(opened: Open) -> None:
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"

    assert opened(plan(kinds())).page.evaluate(behaviour) == "smooth"
    assert opened(plan(kinds()), reduced_motion="reduce").page.evaluate(behaviour) == "auto"


# --- pictures ---


def test_sizes_are_written_alike(opened: Open) -> None:
    sizes = [0, 1023, 1024, 2**20 - 1, 5 * 2**30, 2**40, 2**50]
    page = opened(plan([image(n, size_bytes=one) for n, one in enumerate(sizes)])).page

    assert page.locator("tbody [data-field=size]").all_inner_texts() == [size(one) for one in sizes]


# --- from the command line ---


def test_any_report_is_written_as_a_page(cloud: Cloud, watched: Watched, tmp_path: Path) -> None:
    cloud.seed({"name": "app", "policies": [policy_seed()], "images": images_seed("new", "old1", "old2")})
    cloud.clean(STATE_DIR=str(tmp_path))
    file = tmp_path / "report.html"

    ended = command(cloud, "report", "--html", str(file), STATE_DIR=str(tmp_path))

    assert (ended.returncode, ended.stderr) == (0, "")
    assert str(file) in ended.stdout
    page = watched.page
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("2 of 3 images deleted in registry crp1")
    assert "The last 1 run" in page.locator("main").inner_text()
    page.get_by_role("searchbox").fill("old2")
    assert count(page) == "1 image, of 2"
    watched.assert_quiet()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--html", "nowhere/report.html"], "nowhere/report.html cannot be written"),
        (["no-such-run", "--html", "report.html"], "no-such-run"),
        (["--html", "report.html", "--json"], "not allowed with"),
    ],
)
def test_a_page_that_cannot_be_written_is_told(
    cloud: Cloud, tmp_path: Path, arguments: list[str], named: str
) -> None:
    cloud.seed({"name": "app", "policies": [policy_seed()], "images": images_seed("new", "old")})
    cloud.dry_run(STATE_DIR=str(tmp_path))

    ended = command(cloud, "report", *arguments, STATE_DIR=str(tmp_path))

    assert ended.returncode == 2
    assert named in ended.stderr
    assert ended.stdout == ""


def command(cloud: Cloud, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "functions", *arguments],
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], **cloud.environment, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
