"""Monitoring: writing metrics. Protobuf describes its dashboards alone, so this follows the documentation of
`write`.

`POST /monitoring/v2/data/write?folderId=..&service=custom` with `{"ts", "labels", "metrics": [{"name",
"labels", "type", "ts", "value"}]}` is answered with `writtenMetricsCount`. A name of a metric or label begins
with a letter, has at most 32 characters, and no `-`; a metric has at most 16 labels with the service's own
three and its name.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qs

from tests.emulator.errors import invalid
from tests.emulator.state import State

PATH = "/monitoring/v2/data/write"
ROLE = "monitoring.editor"
TYPES = ("DGAUGE", "IGAUGE", "COUNTER", "RATE")
MOST_METRICS, MOST_LABELS, OWN_LABELS = 10_000, 16, 4
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._]{0,31}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def write_metrics(state: State, authorization: str, query: str, body: bytes) -> str:
    """The answer's JSON text; the metrics are kept in the state, each with its folder, time and labels."""
    account = state.accounts.signed_in(authorization)
    folder_id, service = (parse_qs(query).get(name, [""])[-1] for name in ("folderId", "service"))
    if not 0 < len(folder_id) <= 50 or service != "custom":
        raise invalid("folderId and service=custom are required")
    state.access.require(account.id, ROLE, (folder_id,))
    document = _object(body)
    common, metrics = document.get("labels", {}), document.get("metrics")
    if not isinstance(metrics, list) or not 0 < len(metrics) <= MOST_METRICS:
        raise invalid(f"metrics: must be a list of 1 to {MOST_METRICS}")
    written = [_metric(metric, common, document.get("ts", "")) for metric in metrics]
    state.metrics += [{"folder_id": folder_id, **metric} for metric in written]
    return json.dumps({"writtenMetricsCount": str(len(written))})


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise invalid(f"body is not JSON: {error}") from None
    if not isinstance(document, dict) or document.keys() - {"ts", "labels", "metrics"}:
        raise invalid("body must be an object of ts, labels and metrics")
    return document


def _metric(metric: dict[str, Any], common: dict[str, str], at: str) -> dict[str, Any]:
    name, value, kind = metric.get("name"), metric.get("value"), metric.get("type", "DGAUGE")
    labels, at = {**common, **metric.get("labels", {})}, metric.get("ts", at)
    if any(not isinstance(text, str) or not _NAME.fullmatch(text) for text in (name, *labels)):
        raise invalid(f"metric {name}: a name must match {_NAME.pattern}")
    if len(labels) > MOST_LABELS - OWN_LABELS or not all(text and text.isascii() for text in labels.values()):
        raise invalid(f"metric {name}: too many labels, or one that is empty or not Latin")
    if isinstance(value, bool) or not isinstance(value, int | float) or kind not in TYPES:
        raise invalid(f"metric {name}: value must be a number, type one of {', '.join(TYPES)}")
    if at and not _TIME.fullmatch(at):
        raise invalid(f"metric {name}: ts must be a time of RFC 3339")
    return {"name": name, "labels": labels, "type": kind, "ts": at, "value": value}
