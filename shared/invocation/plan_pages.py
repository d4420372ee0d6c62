"""A plan in a browser: ``GET ?plan=ID&token=...`` shows it, a form's ``POST ?plan=ID`` approves or rejects
it.

The token of a link shows the plan and no more. Those that approve and reject are in the page's forms alone,
for an hour each, so that nothing that follows links, as crawlers and previews do, ever approves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from shared.auth import plan_links
from shared.errors import PlanRefused, RequestRefused
from shared.invocation import carried_out, http_call, task
from shared.invocation.answer import http_status
from shared.invocation.carry_out import carry_out
from shared.invocation.http_call import Call
from shared.invocation.task import Invocation
from shared.report.contract import Report
from shared.report.legend import Legend
from shared.retention.moments import duration, timestamp
from shared.state import history, plans
from shared.state.plans import ID, REJECTED, Decision

FORM = "application/x-www-form-urlencoded"
ANSWER_WITHIN = timedelta(hours=1)
TITLES = {
    403: "Not allowed",
    404: "Not found",
    405: "Not served",
    409: "Not carried out",
    410: "Too late",
}


def serve(call: Call, invocation: Invocation, key: bytes) -> dict[str, Any]:
    """The response to a call about a plan. Raises JanitorError."""
    plan_id, now = call.query["plan"], datetime.now(UTC)
    if not ID.fullmatch(plan_id):
        raise PlanRefused("There is no such plan; use the link as it was sent, whole.", http_status=404)
    if call.method == "POST":
        form = _form(call)
        action = form.get("action", "")
        if action not in ("approve", "reject"):
            raise RequestRefused(
                422, "The form says neither approve nor reject; send it from the plan's page."
            )
        plan_links.check(key, form.get("token", ""), plan_id, action, now)
        answer = _approve if action == "approve" else _reject
        return answer(plan_id, invocation)
    if call.method not in ("GET", "HEAD"):
        raise RequestRefused(
            405, "A plan's page is read by GET and answered by POST.", {"Allow": "GET, HEAD, POST"}
        )
    plan_links.check(key, call.query.get("token", ""), plan_id, "view", now)
    return _page(call, invocation, key, now)


def _page(call: Call, invocation: Invocation, key: bytes, now: datetime) -> dict[str, Any]:
    settings, plan_id = invocation.settings, call.query["plan"]
    state = plans.kept_in(invocation.store(settings))
    file = plans.text(state, plan_id)
    planned, legend = plans.report(plan_id, file, Report), plans.legend(file, Legend)
    ends_at = plans.ends_at(plan_id, duration(settings.plans.valid_for))
    decided = plans.decision(state, plan_id)
    done = carried_out.report(state, planned, decided) if decided else None
    state_text = _decided(decided, done) if decided else ""
    if not state_text and now >= ends_at:
        state_text = "This plan has run out."
    if not state_text and settings.mode == "dry-run":
        state_text = "CLEANUP_MODE is dry-run: no plan can be approved."
    answer_by = min(now + ANSWER_WITHIN, ends_at)
    approve = {
        "action": _form_address(call, settings.webhook_url or ""),
        "plan_id": plan_id,
        "approve_token": plan_links.token(key, plan_id, "approve", answer_by),
        "reject_token": plan_links.token(key, plan_id, "reject", answer_by),
        "expires_at": timestamp(answer_by),
    }
    about = _about(plan_id, ends_at, state_text)
    return _html(
        200,
        _pages().plan_page(
            done or planned,
            plan=about,
            approve=None if state_text else approve,
            trend=history.trend(state),
            legend=legend,
            planned=planned if done else None,
        ),
    )


def _decided(decided: Decision, done: Report | None) -> str:
    if done and not done.finished_at:
        return "The run that carries this plan out has not ended; load the page again to see more."
    if done:
        return f"This plan was {decided.what}."  # the report says when, and by which run
    at = f" on {_pages().words.moment(decided.at)}" if decided.at else ""
    return f"This plan was {decided.what}{at}."


def _form_address(call: Call, webhook_url: str) -> str:
    """Where the page's forms go: to the version that showed the page, or else to the one that ``WEBHOOK_URL``
    names.
    """
    configured = dict(parse_qsl(urlsplit(webhook_url).query))
    tag = call.query.get("tag") or configured.get("tag", "")
    return "?" + urlencode({"plan": call.query["plan"], **({"tag": tag} if tag else {})})


def _approve(plan_id: str, invocation: Invocation) -> dict[str, Any]:
    report, error = carry_out(task.apply(invocation, plan_id, all_rows=True))
    status = http_status(report, error)
    if error and status >= 400:
        return message(status, str(error), {})
    settings = invocation.settings
    state = plans.kept_in(invocation.store(settings))
    file = plans.text(state, plan_id)
    ends_at = plans.ends_at(plan_id, duration(settings.plans.valid_for))
    page = _pages().plan_page(
        report,
        plan=_about(plan_id, ends_at, "You have approved this plan; here is what came of it."),
        approve=None,
        trend=history.trend(state),
        legend=plans.legend(file, Legend),
        planned=plans.report(plan_id, file, Report),
    )
    return _html(status, page)


def _reject(plan_id: str, invocation: Invocation) -> dict[str, Any]:
    settings, now = invocation.settings, datetime.now(UTC)
    state = plans.kept_in(invocation.store(settings))
    plans.text(state, plan_id)
    plans.check_open(state, plan_id, now, duration(settings.plans.valid_for))
    plans.decide(state, plan_id, Decision(REJECTED, timestamp(now)))
    return message(
        200, f"You have rejected the plan {plan_id}. Nothing was deleted, and it cannot be carried out.", {}
    )


def _form(call: Call) -> dict[str, str]:
    if http_call.media_type(call) != FORM:
        raise RequestRefused(415, f"The form is not {FORM}; send it from the plan's page.")
    try:
        return dict(parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=8))
    except ValueError:
        raise RequestRefused(400, "The form cannot be read; send it from the plan's page.") from None


def message(status: int, text: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """A small page that says what came of a call."""
    title = "Done" if status < 400 else TITLES.get(status, "Not served")
    return _html(status, _pages().message_page(title, text, status), headers)


def listed(open_ones: Sequence[object]) -> dict[str, Any]:
    """The page of all open plans."""
    return _html(200, _pages().plans_page(open_ones))


def _html(status: int, page: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    policy = {"Content-Security-Policy": _pages().content_security_policy()}
    return http_call.response(status, "text/html; charset=utf-8", page, {**policy, **(headers or {})})


def _pages() -> Any:
    from shared.report.page import page  # imported here: Jinja is for pages alone, and takes a while

    return page


def _about(plan_id: str, ends_at: datetime, state_text: str) -> dict[str, str]:
    return {"plan_id": plan_id, "valid_until": timestamp(ends_at), "state": state_text}
