"""The Docker Registry HTTP API V2 of both registry services: manifests by tag or digest, for those who may
pull.

The two hosts are told apart by the path (`docker_hosts.py`). `GET /v2/` and `GET|HEAD /v2/<registry
id>/<repository>/manifests/<tag or digest>`; a manifest is given only to a client that accepts its media type,
as by the distribution registry. `GET /v2/<registry id>/<repository>/tags/list`, with `n` and `last`, names
the next page in `Link`. With a `registry_upstream`, whatever is read below /v2/ is read there, for Container
Registry. Signing in, by the behaviour's `v2_auth`:

    bearer   401, WWW-Authenticate: Bearer
             realm="<url>/v2-token",service="cr.yandex",scope="repository:R:pull";
             GET <realm>?service=..&scope=.. with Basic authorization -> {"token": "..", "expires_in": 300};
             then Authorization: Bearer <that token>, which is good for repository R alone
    basic    401, WWW-Authenticate: Basic realm="cr.yandex"; then Basic authorization with every call
    none     nobody is asked

Basic authorization is the user `iam` with an IAM token as password. Errors: {"errors": [{"code",
"message"}]}. (distribution.github.io: HTTP API V2, Token authentication. That Container Registry's own token
endpoint is like this isn't documented.)
"""

import asyncio
import base64
import json
import re
from urllib.parse import parse_qs, unquote, urlencode

from aiohttp import web
from multidict import CIMultiDictProxy
from yandex.cloud.iam.v1.service_account_pb2 import ServiceAccount

from tests.emulator.accounts import REGISTRY_TOKEN_SECONDS
from tests.emulator.behaviour import Fault
from tests.emulator.calls import Call
from tests.emulator.errors import HTTP_STATUS, ApiError
from tests.emulator.responses import json_response
from tests.emulator.services.docker_hosts import (
    TOKEN_PATH,
    Host,
    answers_from_cloud,
    contents_of,
    image_of,
    pullers,
)
from tests.emulator.state import State

FORWARDED = ("Content-Type", "Content-Length", "Content-Range", "Docker-Content-Digest", "ETag", "Link")

_THING = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|tags)/(?P<reference>[^/]+)")
_CODE_OF_STATUS = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 429: "TOOMANYREQUESTS"}


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, challenge: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.challenge = status, code, challenge


class DockerRegistryApi:
    """`url` is where clients see the emulator."""

    has_rate_limit = False

    def __init__(self, state: State, v2_auth: str, url: str, host: Host) -> None:
        self._state = state
        self._v2_auth = v2_auth
        self._url = url
        self._host = host

    def route_of(self, call: Call) -> str:
        path = self._host.path_of(call.path)
        thing = _THING.fullmatch(path)
        if thing:
            return f"{self._host.base}/v2/{{name}}/{thing['kind']}/{{reference}}"
        return call.path if path in ("/v2", "/v2/", TOKEN_PATH) else ""

    def is_for_container_registry(self, call: Call) -> bool:
        """Whether the call is for what Cloud Registry doesn't answer for."""
        thing = _THING.fullmatch(unquote(self._host.path_of(call.path)))
        return thing is not None and not answers_from_cloud(self._state, self._host, thing["name"])

    async def answer(
        self, call: Call, headers: CIMultiDictProxy[str], body: bytes, fault: Fault | None
    ) -> web.Response:
        try:
            path = self._host.path_of(call.path)
            if path == TOKEN_PATH:
                return self._token(call.query, headers)
            thing = _THING.fullmatch(unquote(path))
            self._check_puller(headers.get("Authorization", ""), thing["name"] if thing else None)
            if call.method not in ("GET", "HEAD"):
                raise Refusal(405, "UNSUPPORTED", "the emulator has nothing but GET and HEAD here")
            if thing is None:
                if path in ("/v2", "/v2/"):
                    return json_response(200, "{}")
                raise Refusal(404, "UNSUPPORTED", f"no such path: {call.path}")
            if self._state.registry_upstream and not answers_from_cloud(
                self._state, self._host, thing["name"]
            ):
                return await self._from_upstream(call, headers)
            if (thing["kind"], thing["reference"]) == ("tags", "list"):
                return self._tags(call.path, thing["name"], parse_qs(call.query))
            if thing["kind"] != "manifests":
                raise Refusal(404, "BLOB_UNKNOWN", "the emulator has no blobs")
            return self._manifest(thing["name"], thing["reference"], _accept(headers))
        except Refusal as refusal:
            return _error_response(refusal.status, refusal.code, str(refusal), refusal.challenge)
        except ApiError as error:
            return self.error(error.code, error.message)

    def error(self, code: int, message: str, status: int | None = None) -> web.Response:
        status = status or HTTP_STATUS[code]
        return _error_response(status, _CODE_OF_STATUS.get(status, "UNKNOWN"), message)

    def _token(self, query: str, headers: CIMultiDictProxy[str]) -> web.Response:
        account = self._known_by_password(headers.get("Authorization", ""))
        if account is None:
            raise Refusal(401, "UNAUTHORIZED", "the user must be iam, and the password a valid IAM token")
        parameters = parse_qs(query)
        if parameters.get("service") != [self._host.service]:
            raise Refusal(400, "UNSUPPORTED", f"service must be {self._host.service}")
        names = set()
        for scope in parameters.get("scope", []):
            kind, _, name_and_actions = scope.partition(":")
            name, _, actions = name_and_actions.rpartition(":")
            if kind == "repository" and "pull" in actions.split(","):
                names.add(name)
        token = self._state.accounts.issue_registry_token(account, frozenset(names))
        return json_response(200, json.dumps({"token": token, "expires_in": REGISTRY_TOKEN_SECONDS}))

    def _check_puller(self, authorization: str, repository: str | None) -> None:
        if self._v2_auth == "none":
            return
        if self._v2_auth == "basic":
            account = self._known_by_password(authorization)
        else:
            account = self._state.accounts.pulling_with(authorization.removeprefix("Bearer "), repository)
        if account is None:
            raise Refusal(401, "UNAUTHORIZED", "authentication required", self._challenge(repository))
        if repository is not None:
            place, roles = pullers(self._state, self._host, repository)
            if not any(self._state.access.allows(account.id, role, place) for role in roles):
                raise Refusal(403, "DENIED", "requested access to the resource is denied")

    def _known_by_password(self, authorization: str) -> ServiceAccount | None:
        try:
            user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            return self._state.accounts.signed_in(f"Bearer {password}") if user == "iam" else None
        except (ValueError, ApiError):
            return None

    def _challenge(self, repository: str | None) -> str:
        if self._v2_auth == "basic":
            return f'Basic realm="{self._host.service}"'
        scope = f',scope="repository:{repository}:pull"' if repository else ""
        return (
            f'Bearer realm="{self._url}{self._host.base}{TOKEN_PATH}",service="{self._host.service}"{scope}'
        )

    def _manifest(self, name: str, reference: str, accept: str) -> web.Response:
        if contents_of(self._state, self._host, name) is None:
            raise Refusal(404, "NAME_UNKNOWN", f"repository {name} not known to registry")
        image = image_of(self._state, self._host, name, reference)
        text = image.manifest() if image else None
        if image is None or text is None:
            raise Refusal(404, "MANIFEST_UNKNOWN", f"manifest unknown: {reference}")
        if image.media_type not in re.split(r"[,;\s]+", accept):
            raise Refusal(404, "MANIFEST_UNKNOWN", f"{image.media_type} found, but Accept doesn't name it")
        return web.Response(
            body=text.encode(),
            headers={"Content-Type": image.media_type, "Docker-Content-Digest": image.digest},
        )

    def _tags(self, path: str, name: str, asked: dict[str, list[str]]) -> web.Response:
        contents = contents_of(self._state, self._host, name)
        if contents is None:
            raise Refusal(404, "NAME_UNKNOWN", f"repository {name} not known to registry")
        last = asked.get("last", [""])[0]
        tags = sorted(tag for tag in contents.tag_names() if tag > last)
        size = int(asked.get("n", [len(tags)])[0])
        response = json_response(200, json.dumps({"name": name, "tags": tags[:size]}))
        if tags[size:]:
            response.headers["Link"] = (
                f'<{path}?{urlencode({"last": tags[size - 1], "n": size})}>; rel="next"'
            )
        return response

    async def _from_upstream(self, call: Call, headers: CIMultiDictProxy[str]) -> web.Response:
        assert self._state.registry_upstream is not None
        path = f"{call.path}?{call.query}" if call.query else call.path
        asked = {"Accept": _accept(headers)}
        if "Range" in headers:
            asked["Range"] = headers["Range"]
        answer = await asyncio.to_thread(self._state.registry_upstream.fetch, call.method, path, asked)
        told = {name: answer.headers[name] for name in FORWARDED if name in answer.headers}
        return web.Response(status=answer.status_code, body=answer.content, headers=told)


def _accept(headers: CIMultiDictProxy[str]) -> str:
    """The media types that a client takes; it may name each in a header of its own."""
    return ", ".join(headers.getall("Accept", ["*/*"]))


def _error_response(status: int, code: str, message: str, challenge: str = "") -> web.Response:
    response = json_response(status, json.dumps({"errors": [{"code": code, "message": message}]}))
    if challenge:
        response.headers["WWW-Authenticate"] = challenge
    return response
