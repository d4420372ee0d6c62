"""The page of a plan or of any report: one HTML file that asks nobody for anything, neither a server nor a
network.

The texts in a report come from strangers: Jinja escapes it, `words.visible` shows the characters that would
hide or turn text around, and the script makes text nodes only. The one script and the one style sheet are
named by their hashes in the Content-Security-Policy (W3C CSP Level 3), so that nothing else runs or is
loaded.

A plan that waits for an answer has two forms. Both POST ``plan``, ``action`` (``approve`` or ``reject``) and
``token`` to the address that they are given, as ``application/x-www-form-urlencoded``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.report import migration
from shared.report.contract import Report
from shared.report.migration import MigrationReport
from shared.report.page import pictures, words
from shared.report.page.rows import FIRST, pack
from shared.report.summary import size
from shared.state.history import Row

HERE = Path(__file__).parent
MOST_BYTES = 3_300_000  # Cloud Functions answers 413 when a response, as JSON, has more than 3.5 MB
LISTED = 100


def plan_page(
    report: Report, *, plan: Mapping[str, Any], approve: Mapping[str, Any] | None, trend: Iterable[Row]
) -> str:
    """The page of a plan, small enough for a function's response.

    ``plan`` has ``plan_id`` and ``valid_until`` (RFC 3339), and may say in ``state`` why it is not open any
    more. ``approve`` has the ``action`` that both forms are sent to, ``plan_id``, ``approve_token``,
    ``reject_token`` and ``expires_at``; None when there is nothing to decide. ``trend`` are the last runs.
    """
    return _page(report, plan, approve, trend, MOST_BYTES)


def report_page(report: Report, trend: Iterable[Row], *, most_bytes: int | None = None) -> str:
    """The page of a report, of at most ``most_bytes`` as JSON if that is given.

    It has its own Content-Security-Policy.
    """
    return _page(report, None, None, trend, most_bytes)


def migration_page(report: MigrationReport) -> str:
    """The page of a migration. It has its own Content-Security-Policy."""
    texts = {registry.registry_id: migration.texts(registry) for registry in report.registries}
    template = _environment().get_template("migration.html")
    return template.render(report=report, texts=texts, said=migration, most=FIRST)


def message_page(title: str, text: str, status: int) -> str:
    """A small page for what came of a request; ``status`` is the HTTP status that it is sent with."""
    return _environment().get_template("message.html").render(title=title, text=text, status=status)


@cache
def content_security_policy() -> str:
    """The header for every page of this module: its own script and style alone, its own forms, in no
    frame.
    """
    return f"{_sources()}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def _page(
    report: Report,
    plan: Mapping[str, Any] | None,
    approve: Mapping[str, Any] | None,
    trend: Iterable[Row],
    most_bytes: int | None,
) -> str:
    template = _environment().get_template("page.html")
    shown = {
        "report": report,
        "plan": plan,
        "approve": approve,
        "headline": words.headline(report, asks=approve is not None),
        "status": words.status(report),
        "numbers": words.numbers(report),
        "repositories": pictures.repositories(report),
        "trend": pictures.trend(trend),
    }
    room = None
    if most_bytes is not None:
        room = most_bytes - len(json.dumps(template.render(shown, rows=pack(report, 0))))
    return template.render(shown, rows=pack(report, room))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: words.visible(value) if type(value) is str else value,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    made.filters |= {"size": size, "moment": words.moment, "number": words.number, "many": words.many}
    made.filters["short"] = words.short
    made.globals |= {
        "style": Markup(_source("page.css")),  # noqa: S704 our own file
        "script": Markup(_source("page.js")),  # noqa: S704
        "policy": f"{_sources()}; form-action 'none'; base-uri 'none'",
        "first": FIRST,
        "listed": LISTED,
        "words": words,
    }
    return made


def _source(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


@cache
def _sources() -> str:
    script, style = (
        base64.b64encode(hashlib.sha256(_source(name).encode()).digest()).decode()
        for name in ("page.js", "page.css")
    )
    return f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'"
