"""What `test_page_in_a_browser` and `unit.report.test_page` share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from playwright.sync_api import Page

from shared.report.contract import Report
from shared.report.page import page as pages
from shared.retention.records import Totals
from shared.state.history import Row
from tests.support.browser import Watched

STARTED = datetime(2026, 11, 24, 3, tzinfo=UTC)
APPROVE = {
    "action": "?plan=the-plan",
    "plan_id": "the-plan",
    "approve_token": "approve-it",
    "reject_token": "reject-it",
    "expires_at": "2026-12-01T03:00:00Z",
}
PLAN = {"plan_id": "the-plan", "valid_until": "2026-12-01T03:00:00Z"}
ADDRESS = "http://janitor.test/function"
Open = Callable[..., Watched]
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "</template></noscript><svg onload=alert(3)>",
    "javascript:alert(4)",
    '" onmouseover="alert(5)" \'',
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; ${alert(6)} \\u003cb>",
    "]]>\\",
)


def image(number: int, repository: str = "team-a/app", **more: Any) -> dict[str, Any]:
    return {
        "image_id": f"crp{number:017}",
        "registry_id": "crp1",
        "repository": repository,
        "digest": f"sha256:{number:064x}",
        "tags": [f"build-{number}"],
        "created_at": (STARTED - timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "size_bytes": (number + 1) * 2**20,
        "outcome": "would-delete",
        "reason": "policy old-builds",
        "guard": None,
        "kept_by": None,
        **more,
    }


def report(images: list[dict[str, Any]], **more: Any) -> Report:
    """A report of these images, of 10 more in each repository, and of one repository where nothing goes."""
    outcomes = [one["outcome"] for one in images]
    names = dict.fromkeys(one["repository"] for one in images)
    whole = {
        "run_id": "the-run",
        "plan_id": "the-plan",
        "mode": "plan",
        "status": "ok",
        "started_at": "2026-11-24T03:00:00Z",
        "finished_at": "2026-11-24T03:01:00Z",
        "totals": {
            "images": len(images) + 10 * len(names) + 7,
            "candidates": len(images),
            **{name: outcomes.count(name) for name in ("protected", "deleted", "failed", "remaining")},
            "already_gone": outcomes.count("already-gone"),
            "candidate_bytes": 2**40,
            "reclaimed_bytes": 3 * 2**30,
        },
        "repositories": [
            {
                "registry_id": "crp1",
                "repository": name,
                "images": sum(one["repository"] == name for one in images) + 10,
                "size_bytes": sum(one["size_bytes"] for one in images if one["repository"] == name) + 2**30,
            }
            for name in names
        ]
        + [{"registry_id": "crp1", "repository": "quiet", "images": 7, "size_bytes": 2**30}],
        "policies": [policy(name) for name in names],
        "images": images,
        "images_truncated": False,
        "warnings": [],
        "errors": [],
    }
    return msgspec.convert({**whole, **more}, Report)


def policy(repository: str, name: str = "old-builds", candidates: int = 3) -> dict[str, Any]:
    return {
        "policy_id": "pol",
        "policy_name": name,
        "registry_id": "crp1",
        "repository": repository,
        "status": "ACTIVE",
        "applied": True,
        "dry_run_result_id": "result",
        "candidates": candidates,
    }


def runs(count: int) -> list[Row]:
    """Rows of the history, oldest first; the first of them ended badly."""
    return [
        Row(
            run_id=f"run-{number}",
            mode="apply",
            status="ok" if number else "partial",
            started_at=(STARTED - timedelta(days=count - number)).isoformat(),
            finished_at=(STARTED - timedelta(days=count - number)).isoformat(),
            totals=Totals(
                images=1000 - number, candidates=12, protected=2, deleted=10, reclaimed_bytes=2**30
            ),
            all_repositories=True,
        )
        for number in range(count)
    ]


def kinds() -> list[dict[str, Any]]:
    """An image of each outcome."""
    return [
        image(1),
        image(2, tags=[]),
        image(3, "team-b/web", outcome="protected", guard="in-use", kept_by="serverless container web"),
        image(4, "team-b/web", tags=["a", "b"], size_bytes=5),
        image(5, outcome="failed"),
        image(6, outcome="remaining", kept_by="it has gained a tag"),
    ]


def plan(images: list[dict[str, Any]], **more: Any) -> str:
    return pages.plan_page(report(images, **more), plan=PLAN, approve=APPROVE, trend=runs(90))


def count(page: Page) -> str:
    return page.locator("#count").inner_text()


HIDDEN = {
    "a\u202egnp.exe": "a⟨U+202E⟩gnp.exe",
    "a\x00b\x1b[31m": "a⟨U+0000⟩b⟨U+001B⟩[31m",
    "two\nlines\u2028more": "two⟨U+000A⟩lines⟨U+2028⟩more",
    "zero\u200bwidth\ufeff": "zero⟨U+200B⟩width⟨U+FEFF⟩",
    "o\u0300\u0301": "o⟨U+0300⟩⟨U+0301⟩",
    "a\u00a0b\ud800": "a⟨U+00A0⟩b⟨U+D800⟩",
}


def rows(page: Page) -> list[str]:
    """The images that the table shows, by their numbers."""
    ids = page.locator("table.images tbody [data-field=image_id]").all_text_contents()
    return [one.removeprefix("crp").lstrip("0") or "0" for one in ids]
