"""The last runs, as the state bucket tells them.

``GET https://storage.yandexcloud.net/<bucket>?list-type=2&prefix=runs/&delimiter=/`` lists the folders of the runs in XML,
``GET .../<bucket>/runs/<run id>/report.json`` is a run's report; both take an IAM token as bearer. (Yandex Cloud's
documentation: storage/api-ref/authentication, storage/s3/api-ref/bucket/listobjects.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from shared.deploy.deployment import Deployment
from shared.deploy.names import Names
from shared.errors import NOT_FOUND, CallError
from shared.http import Cloud, check
from shared.terminal import summary

ENDPOINT, SERVICE, ROLE = "https://storage.yandexcloud.net", "storage", "storage.viewer on the bucket"
SHOWN = 3
LOOKED_BACK = timedelta(days=35)
FOLDER = re.compile(r"<Prefix>runs/([0-9TZ]{10,40}-[0-9a-f]{1,20})/</Prefix>")
MORE = re.compile(r"<NextContinuationToken>([^<]+)</NextContinuationToken>")


def told(deployment: Deployment, now: datetime) -> str:
    """A sentence, or a line for each run."""
    bucket, access = deployment.config.deploy.state_bucket, deployment.access
    name = Names(deployment.config.deploy.name).cleanup
    if not bucket:
        return f"no deploy.state_bucket keeps them; yc serverless function logs {name} shows what they said"
    if access.api_endpoint and not access.storage_endpoint:
        return "not looked at: YC_API_ENDPOINT is set, and YC_STORAGE_ENDPOINT is not"
    storage = deployment.cloud.at(access.storage_endpoint or ENDPOINT, attempts=3)
    try:
        run_ids = sorted(_run_ids(storage, bucket, now))[-SHOWN:]
        lines = [f"\n      {run_id}: {_outcome(storage, bucket, run_id)}" for run_id in reversed(run_ids)]
    except CallError as error:
        return f"they cannot be looked at. {error}"
    return "".join(lines) or f"none in the last {LOOKED_BACK.days} days"


def _run_ids(storage: Cloud, bucket: str, now: datetime) -> Iterator[str]:
    asked = {"list-type": "2", "delimiter": "/", "prefix": "runs/"}
    asked["start-after"] = f"runs/{now - LOOKED_BACK:%Y%m%dT}"
    while True:
        listed = _fetched(storage, f"/{bucket}?{urlencode(asked)}").decode(errors="replace")
        yield from FOLDER.findall(listed)
        more = MORE.search(listed)
        if not more:
            return
        asked["continuation-token"] = more[1]


def _outcome(storage: Cloud, bucket: str, run_id: str) -> str:
    try:
        report: dict[str, Any] = msgspec.json.decode(
            _fetched(storage, f"/{bucket}/runs/{run_id}/report.json")
        )
        return f"{report['mode']}, {report['status']}: {summary(report)}"
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        return "has no report: it is under way, or was cut off"
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return "has a report that cannot be read"


def _fetched(storage: Cloud, path: str) -> bytes:
    call = f"GET {path.partition('?')[0]}"

    def attempt(header: str) -> bytes:
        raw = storage.send("GET", SERVICE, path, None, header, "*/*")
        check(raw, SERVICE, call, ROLE, (header,))
        return raw.body

    return storage.persist(attempt, storage.credentials)
