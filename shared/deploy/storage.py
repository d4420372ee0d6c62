"""Objects of a bucket, over the S3 API, which takes an IAM token as bearer.

``GET https://storage.yandexcloud.net/<bucket>?list-type=2&prefix=&delimiter=`` lists keys, 1,000 at a time,
in XML; ``GET`` and ``DELETE .../<bucket>/<key>`` are for one object. (Yandex Cloud's documentation:
storage/api-ref/authentication, storage/s3/api-ref.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote, urlencode

from shared.auth.environment import Access
from shared.cloud.client import Cloud, check
from shared.cloud.parallel import for_each
from shared.errors import FAILED_PRECONDITION, CallError

ENDPOINT, SERVICE = "https://storage.yandexcloud.net", "storage"
VIEWER, EDITOR = "storage.viewer on the bucket", "storage.editor on the bucket"
ATTEMPTS = 3
KEY = re.compile(r"<Key>([^<]+)</Key>")
FOLDER = re.compile(r"<CommonPrefixes>\s*<Prefix>([^<]+)</Prefix>")
MORE = re.compile(r"<NextContinuationToken>([^<]+)</NextContinuationToken>")


def reached(cloud: Cloud, access: Access) -> Cloud:
    """Where the objects are. Raises CallError if YC_API_ENDPOINT is set without YC_STORAGE_ENDPOINT."""
    if access.api_endpoint and not access.storage_endpoint:
        raise CallError(
            "objects cannot be reached: YC_API_ENDPOINT is set, and YC_STORAGE_ENDPOINT is not",
            service=SERVICE,
            call="connect",
            code=FAILED_PRECONDITION,
        )
    return cloud.at(access.storage_endpoint or ENDPOINT, attempts=ATTEMPTS)


def folders(storage: Cloud, bucket: str, prefix: str, after: str) -> Iterator[str]:
    """The folders right below ``prefix`` that come after that one, as prefixes."""
    query = {"list-type": "2", "prefix": prefix, "delimiter": "/", "start-after": after}
    return _listed(storage, bucket, query, FOLDER)


def read(storage: Cloud, bucket: str, key: str) -> bytes:
    return _ask(storage, "GET", f"/{bucket}/{quote(key)}", VIEWER)


def empty(storage: Cloud, bucket: str) -> None:
    """Deletes every object."""

    def delete(key: str) -> None:
        _ask(storage, "DELETE", f"/{bucket}/{quote(key)}", EDITOR)

    for_each(list(_listed(storage, bucket, {"list-type": "2"}, KEY)), delete, storage.concurrency)


def _listed(storage: Cloud, bucket: str, query: dict[str, str], wanted: re.Pattern[str]) -> Iterator[str]:
    while True:
        listed = _ask(storage, "GET", f"/{bucket}?{urlencode(query)}", VIEWER).decode(errors="replace")
        yield from map(unescape, wanted.findall(listed))
        more = MORE.search(listed)
        if not more:
            return
        query = {**query, "continuation-token": unescape(more[1])}


def _ask(storage: Cloud, method: str, path: str, role: str) -> bytes:
    call = f"{method} {path.partition('?')[0]}"

    def attempt(header: str) -> bytes:
        raw = storage.send(method, SERVICE, path, None, header, "*/*")
        if raw.status != 204:
            check(raw, SERVICE, call, role, (header,))
        return raw.body

    return storage.persist(attempt, storage.credentials)
