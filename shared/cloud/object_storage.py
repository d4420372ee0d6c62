"""Objects of a bucket of Object Storage, over its S3 API, which takes an IAM token as bearer.

``PUT /<bucket>/<key>`` with ``If-None-Match: *`` writes only where there is no object, and with ``If-Match:
<ETag>`` only where it is the same still; else the answer is 412, or 404 where there is none, or 409
ConditionalRequestConflict while another write is under way. ``x-amz-meta-writer`` is kept with the object and
says who wrote it. ``GET /<bucket>?list-type=2&prefix=`` lists keys, 1,000 a page, in XML; errors are XML too:
``<Error><Code/><Message/></Error>``. (Yandex Cloud's documentation: storage/api-ref/authentication,
storage/s3/api-ref/object/upload, storage/s3/api-ref/bucket/listobjects.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import msgspec

from shared.cloud.client import CODE_OF_STATUS, PAGE, RETRYABLE_STATUS, Cloud
from shared.cloud.reading import Raw
from shared.errors import (
    FAILED_PRECONDITION,
    INTERNAL,
    UNAUTHENTICATED,
    UNKNOWN,
    CallError,
    printable,
    without_secrets,
)

SERVICE = "storage"
WRITER = "x-amz-meta-writer"
PAGE_KEYS = 1000
LARGEST = 512 * 1024**2
REFUSED_TOKEN = frozenset({"InvalidToken", "ExpiredToken", "TokenRefreshRequired"})
UNDER_WAY = frozenset({"ConditionalRequestConflict", "OperationAborted"})


class Head(msgspec.Struct, frozen=True):
    """What is kept with an object: its ETag, in its quotes, and who wrote it."""

    etag: str
    writer: str


def read(storage: Cloud, bucket: str, key: str) -> tuple[bytes, Head] | None:
    """The object, or None when there is none. Raises CallError."""
    raw = _ask(storage, "GET", bucket, key, most=LARGEST)
    return (raw.body, _head(raw, f"GET /{bucket}/{key}")) if raw.status == 200 else None


def head(storage: Cloud, bucket: str, key: str) -> Head | None:
    """What is kept with the object, or None when there is none. Raises CallError."""
    raw = _ask(storage, "HEAD", bucket, key)
    return _head(raw, f"HEAD /{bucket}/{key}") if raw.status == 200 else None


def put(storage: Cloud, bucket: str, key: str, content: BinaryIO, headers: dict[str, str]) -> str | None:
    """Writes the object on the condition in ``headers``; returns its ETag, or None when that does not hold.

    ``content`` is sent from its start to its end. Raises CallError.
    """
    raw = _ask(storage, "PUT", bucket, key, content=content, headers=headers)
    return _head(raw, f"PUT /{bucket}/{key}").etag if raw.status == 200 else None


def delete(storage: Cloud, bucket: str, key: str) -> None:
    """Deletes the object; there may be none. Raises CallError."""
    _ask(storage, "DELETE", bucket, key)


def keys(storage: Cloud, bucket: str, prefix: str) -> Iterator[str]:
    """The keys that begin with ``prefix``, of all pages. Raises CallError while it is read."""
    call = f"GET /{bucket}?prefix={prefix}"
    query = {"list-type": "2", "prefix": prefix, "max-keys": str(PAGE_KEYS)}
    seen: set[str] = set()
    while True:
        page = _document(_ask(storage, "GET", bucket, query=query, most=PAGE).body, "ListBucketResult")
        if page is None:
            raise _nonsense("the answer is no list of keys", call)
        for element in page.iterfind("{*}Contents/{*}Key"):
            key = element.text or ""
            if not key.startswith(prefix):
                raise _nonsense("the list has a key that was not asked for", call)
            yield key
        if page.findtext("{*}IsTruncated") != "true":
            return
        token = page.findtext("{*}NextContinuationToken") or ""
        if not token or token in seen:
            raise _nonsense("the list does not say where it goes on", call)
        seen.add(token)
        query = {**query, "continuation-token": token}


def _ask(  # noqa: PLR0913 - all that a request is made of
    storage: Cloud,
    method: str,
    bucket: str,
    key: str = "",
    *,
    query: dict[str, str] | None = None,
    content: BinaryIO | None = None,
    headers: dict[str, str] | None = None,
    most: int | None = None,
) -> Raw:
    """The answer; 404 says that there is no such object, 412 that a condition does not hold."""
    path = f"/{bucket}/{quote(key)}" if key else f"/{bucket}"
    if query:
        path = f"{path}?{urlencode(query)}"

    def attempt(authorization: str) -> Raw:
        raw = storage.send(method, SERVICE, path, content, authorization, "*/*", headers=headers, most=most)
        _check(raw, method, f"/{bucket}/{key}", authorization)
        return raw

    return storage.persist(attempt, storage.credentials)


def _head(raw: Raw, call: str) -> Head:
    etag = raw.headers.get("etag", "")
    if not etag:
        raise _nonsense("the answer has no ETag", call)
    return Head(etag, raw.headers.get(WRITER, ""))


def _check(raw: Raw, method: str, place: str, secret: str) -> None:
    """Raises the CallError that an answer stands for, unless it only says that there is no such object."""
    if raw.status in (200, 204, 412):
        return
    error = _document(raw.body, "Error")
    code = "" if error is None else error.findtext("{*}Code") or ""
    if raw.status == 404 and (code == "NoSuchKey" or method == "HEAD"):  # which has no body
        return
    message = f"{code}: {error.findtext('{*}Message') or code}" if error is not None and code else ""
    kind = raw.headers.get("content-type", "no content type")
    message = message or f"HTTP {raw.status} with {kind} instead of an error in XML"
    number = FAILED_PRECONDITION if code == "NoSuchBucket" else CODE_OF_STATUS.get(raw.status, UNKNOWN)
    raise CallError(
        printable(without_secrets(message, secret)[:300]),
        service=SERVICE,
        call=printable(f"{method} {place}"),
        code=UNAUTHENTICATED if code in REFUSED_TOKEN else number,
        status=raw.status,
        request_id=printable(raw.headers.get("x-amz-request-id", "")[:100]),
        retryable=raw.status in RETRYABLE_STATUS or code in UNDER_WAY,
        ambiguous=raw.status >= 500,
    )


def _document(text: bytes, kind: str) -> ElementTree.Element | None:
    """The XML document of that kind, unless it declares entities, which none of these has."""
    if b"<!" in text:
        return None
    try:
        document = ElementTree.fromstring(text)  # noqa: S314 - without a DOCTYPE there are no entities
    except ElementTree.ParseError:
        return None
    return document if document.tag.rpartition("}")[2] == kind else None


def _nonsense(message: str, call: str) -> CallError:
    return CallError(
        message, service=SERVICE, call=printable(call), code=INTERNAL, status=200, ambiguous=True
    )
