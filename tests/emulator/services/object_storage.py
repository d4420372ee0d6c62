"""Object Storage's S3 API, as far as an IAM token opens it: objects of a bucket are listed, read, put and
deleted.

    GET    /s3/<bucket>?list-type=2&prefix=&delimiter=/&start-after=&continuation-token=&max-keys=1000
    GET    /s3/<bucket>/<key>        HEAD, PUT and DELETE likewise

A PUT may have the condition `If-None-Match: *` or `If-Match: <ETag>`; one that does not hold is answered with
412, and `If-Match` where there is no object with 404. An ETag is the MD5 of the bytes; `x-amz-meta-*` headers
are kept with an object.

`/s3` stands for the host `storage.yandexcloud.net`. Answers and errors are XML. Signatures with static keys
aren't known here. (Yandex Cloud: storage/s3/api-ref.)
"""

import hashlib
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from aiohttp import web
from multidict import CIMultiDictProxy

from tests.emulator.behaviour import Fault
from tests.emulator.calls import Call
from tests.emulator.errors import HTTP_STATUS, ApiError
from tests.emulator.services.buckets import EDITOR, VIEWER, place_of_bucket
from tests.emulator.state import State

PREFIX = "/s3/"
UPLOADER = "storage.uploader"
META = "x-amz-meta-"
MOST_KEYS = 1000

_ROLES = {"GET": VIEWER, "HEAD": VIEWER, "PUT": UPLOADER, "DELETE": EDITOR}
_CODES = {
    401: "InvalidToken",
    403: "AccessDenied",
    404: "NoSuchKey",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    429: "SlowDown",
    501: "NotImplemented",
    503: "SlowDown",
}


class Refusal(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class ObjectStorageApi:
    has_rate_limit = False

    def __init__(self, state: State) -> None:
        self._state = state

    @staticmethod
    def is_for(path: str) -> bool:
        return path.startswith(PREFIX)

    def route_of(self, call: Call) -> str:
        return (
            f"{PREFIX}{{bucket}}/{{key}}" if "/" in call.path.removeprefix(PREFIX) else f"{PREFIX}{{bucket}}"
        )

    async def answer(
        self, call: Call, headers: CIMultiDictProxy[str], body: bytes, fault: Fault | None
    ) -> web.Response:
        bucket, _, key = unquote(call.path.removeprefix(PREFIX)).partition("/")
        try:
            account = self._state.accounts.signed_in(headers.get("Authorization", ""))
            if bucket not in self._state.buckets:
                raise Refusal(404, "NoSuchBucket")
            if call.method not in _ROLES:
                raise Refusal(405, "MethodNotAllowed")
            self._state.access.require(account.id, _ROLES[call.method], place_of_bucket(self._state, bucket))
            if not key:
                return self._listed(bucket, call)
            if ".." in key.split("/"):
                raise Refusal(400, "InvalidArgument")
            return self._object(call.method, bucket, key, headers, body)
        except Refusal as refusal:
            return _error(refusal.status, refusal.code)
        except ApiError as error:
            return self.error(error.code, error.message)

    def error(self, code: int, message: str, status: int | None = None) -> web.Response:
        status = status or HTTP_STATUS[code]
        return _error(status, _CODES.get(status, "InternalError"), message)

    def _object(
        self, method: str, bucket: str, key: str, headers: CIMultiDictProxy[str], body: bytes
    ) -> web.Response:
        file = self._state.disk.bucket(bucket) / key
        if method == "PUT":
            _check_condition(headers, _etag(file.read_bytes()) if file.is_file() else None)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            kept = {name.lower(): text for name, text in headers.items() if name.lower().startswith(META)}
            self._state.object_metadata[bucket, key] = (_etag(body), kept)
            return web.Response(status=200, headers={"ETag": _etag(body)})
        if method == "DELETE":
            file.unlink(missing_ok=True)
            return web.Response(status=204)
        if not file.is_file():
            raise Refusal(404, "NoSuchKey")
        return self._read(method, bucket, key, file.read_bytes())

    def _read(self, method: str, bucket: str, key: str, body: bytes) -> web.Response:
        of_etag, kept = self._state.object_metadata.get((bucket, key), ("", {}))
        if of_etag != _etag(body):  # it was written through a mount
            kept = {}
        headers = {"ETag": _etag(body), **kept}
        shown = b"" if method == "HEAD" else body
        return web.Response(body=shown, content_type="binary/octet-stream", headers=headers)

    def _listed(self, bucket: str, call: Call) -> web.Response:
        asked = {name: values[-1] for name, values in parse_qs(call.query).items()}
        if call.method != "GET" or asked.get("list-type") != "2":
            raise Refusal(501, "NotImplemented")
        after = max(asked.get("start-after", ""), asked.get("continuation-token", ""))
        most = min(int(asked.get("max-keys", MOST_KEYS)), MOST_KEYS)
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        directory = self._state.disk.bucket(bucket)
        keys = [file.relative_to(directory).as_posix() for file in self._state.disk.objects(bucket)]
        found = sorted({_shown(key, prefix, delimiter) for key in keys if key.startswith(prefix)})
        page = [name for name in found if name > after][: most + 1]
        return _xml(200, "ListBucketResult", _list_elements(bucket, page[:most], delimiter, len(page) > most))


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _check_condition(headers: CIMultiDictProxy[str], etag: str | None) -> None:
    """Whether an object with that ETag, or none, may be written over."""
    if headers.get("If-None-Match", "*") != "*":
        raise Refusal(501, "NotImplemented")
    if "If-Match" in headers and etag is None:
        raise Refusal(404, "NoSuchKey")
    if ("If-None-Match" in headers and etag is not None) or headers.get("If-Match", etag) != etag:
        raise Refusal(412, "PreconditionFailed")


def _shown(key: str, prefix: str, delimiter: str) -> str:
    """The key, or what it has in common with the others of its directory."""
    rest = key.removeprefix(prefix)
    if delimiter and delimiter in rest:
        return prefix + rest.partition(delimiter)[0] + delimiter
    return key


def _list_elements(bucket: str, page: list[str], delimiter: str, is_cut: bool) -> Iterable[str]:
    yield f"<Name>{escape(bucket)}</Name><KeyCount>{len(page)}</KeyCount>"
    yield f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>"
    for name in page:
        if delimiter and name.endswith(delimiter):
            yield f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
        else:
            yield f"<Contents><Key>{escape(name)}</Key></Contents>"
    if is_cut:
        yield f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"


def _error(status: int, code: str, message: str = "") -> web.Response:
    return _xml(status, "Error", (f"<Code>{code}</Code><Message>{escape(message or code)}</Message>",))


def _xml(status: int, root: str, elements: Iterable[str]) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{"".join(elements)}</{root}>'
    return web.Response(status=status, body=text.encode(), content_type="application/xml")
