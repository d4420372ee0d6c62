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
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.report import migration
from shared.report.contract import Report
from shared.report.legend import Legend
from shared.report.migration import MigrationReport
from shared.report.page import pictures, words
from shared.report.page.rows import FIRST, pack
from shared.report.sentence import service_title
from shared.report.summary import size
from shared.state.history import Row

HERE = Path(__file__).parent
MOST_BYTES = 3_300_000  # Cloud Functions answers 413 when a response, as JSON, has more than 3.5 MB
LISTED = 100


def plan_page(
    report: Report,
    *,
    plan: Mapping[str, Any],
    approve: Mapping[str, Any] | None,
    trend: Iterable[Row],
    legend: Legend | None = None,
    planned: Report | None = None,
) -> str:
    """The page of a plan, small enough for a function's response.

    ``plan`` has ``plan_id`` and ``valid_until`` (RFC 3339), and may say in ``state`` why it is not open any
    more. ``approve`` has the ``action`` that both forms are sent to, ``plan_id``, ``approve_token``,
    ``reject_token`` and ``expires_at``; None when there is nothing to decide. ``trend`` are the last runs.
    ``report`` is the plan's, or that of the run that carries it out: then ``planned`` is the plan's.
    """
    shown = _shown(report, trend, legend, planned)
    return _page({**shown, "plan": plan, "approve": approve}, MOST_BYTES)


def report_page(
    report: Report,
    trend: Iterable[Row],
    *,
    legend: Legend | None = None,
    most_bytes: int | None = None,
) -> str:
    """The page of a report, of at most ``most_bytes`` as JSON if that is given.

    It has its own Content-Security-Policy.
    """
    return _page({**_shown(report, trend, legend, None), "plan": None, "approve": None}, most_bytes)


def migration_page(report: MigrationReport) -> str:
    """The page of a migration. It has its own Content-Security-Policy."""
    texts = {registry.registry_id: migration.texts(registry) for registry in report.registries}
    template = _environment().get_template("migration.html")
    return template.render(report=report, texts=texts, said=migration, most=FIRST)


def plans_page(open_ones: Sequence[object]) -> str:
    """The page of all open plans, each with ``says``, ``valid_until``, ``plan_id`` and ``link``."""
    return _environment().get_template("plans.html").render(plans=open_ones)


def message_page(title: str, text: str, status: int) -> str:
    """A small page for what came of a request; ``status`` is the HTTP status that it is sent with."""
    return _environment().get_template("message.html").render(title=title, text=text, status=status)


@cache
def content_security_policy() -> str:
    """The header for every page of this module: its own script and style alone, its own forms, in no
    frame.
    """
    return f"{_sources()}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def _shown(
    report: Report, trend: Iterable[Row], legend: Legend | None, planned: Report | None
) -> dict[str, Any]:
    return {
        "report": report,
        "legend": legend,
        "numbers": words.numbers(report, planned),
        "repositories": pictures.repositories(report),
        "trend": pictures.trend(trend),
    }


def _page(shown: Mapping[str, Any], most_bytes: int | None) -> str:
    template = _environment().get_template("page.html")
    report, legend = shown["report"], shown["legend"]
    says = legend.says if legend else {}
    shown = {
        **shown,
        "says": says,
        "headline": words.headline(report, asks=shown["approve"] is not None, legend=legend),
    }
    room = None
    if most_bytes is not None:
        room = most_bytes - len(json.dumps(template.render(shown, rows=pack(report, 0, says))))
    return template.render(shown, rows=pack(report, room, says))


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
    made.filters["digests"] = _digests
    made.globals |= {
        "style": Markup(_source("page.css")),  # noqa: S704 our own file
        "script": Markup(_source("page.js")),  # noqa: S704
        "policy": f"{_sources()}; form-action 'none'; base-uri 'none'",
        "first": FIRST,
        "listed": LISTED,
        "words": words,
        "service_title": service_title,
    }
    return made


def _digests(text: str) -> Markup:
    """The text with each digest in an element of its own, which shows its beginning and copies whole."""
    parts = re.split(r"(sha256:[0-9a-f]{64})", words.visible(text))
    return Markup("").join(
        Markup('<span class="digest">{}</span>').format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def _source(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


@cache
def _sources() -> str:
    script, style = (
        base64.b64encode(hashlib.sha256(_source(name).encode()).digest()).decode()
        for name in ("page.js", "page.css")
    )
    return f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'"
