"""A token goes to the cloud's own servers and to nobody else, whatever an answer or a setting says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shared.cloud import address
from tests.conftest import Cloud, assert_complains, policy

TOKEN = "t1.9euelZqVmZKUkpKVz5CLj5SXlu3rnpWa-of-a-test"
URL_ANSWER = tuple[int, dict[str, str], bytes]


@dataclass
class Recorded:
    """A server that remembers what it is sent: the path, and whether a secret was with it."""

    port: int = 0
    seen: list[tuple[str, str]] = field(default_factory=list)
    answer: Callable[[str, str], URL_ANSWER] = lambda path, authorization: (200, {}, b"{}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def secrets(self) -> list[str]:
        return [path for path, authorization in self.seen if authorization]


@contextmanager
def recording_server() -> Iterator[Recorded]:
    recorded = Recorded()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            recorded.seen.append((self.path, authorization))
            status, headers, body = recorded.answer(self.path, authorization)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    recorded.port = server.server_port
    try:
        yield recorded
    finally:
        server.shutdown()
        server.server_close()


# --- the realm of a registry ---

# {own} is the registry's host and port, {foreign} those of a stranger on this machine.
FOREIGN_REALMS = {
    "another host": "http://localhost:{foreign}/t",
    "another port": "http://127.0.0.1:{foreign}/t",
    "a backslash": "http://localhost:{foreign}\\@{own}/t",
    "a backslash and no user": "http://localhost:{foreign}\\.{own}/t",
    "backslashes for slashes": "http:\\\\localhost:{foreign}/t",
    "a user": "http://{own}@localhost:{foreign}/t",
    "a user on the registry's own host": "http://me@{own}/t",
    "a user and a password": "http://a:b@localhost:{foreign}/t",
    "a fragment": "http://localhost:{foreign}#@{own}/t",
    "a fragment behind": "http://{own}/t#x",
    "a query at once": "http://localhost:{foreign}?@{own}/t",
    "a tab": "http://localhost:{foreign}\t@{own}/t",
    "a space": "http://localhost:{foreign} @{own}/t",
    "no scheme": "//localhost:{foreign}/t",
    "three slashes": "http:///localhost:{foreign}/t",
    "another way to write the address": "http://127.1:{foreign}/t",
    "the address in hexadecimal digits": "http://0x7f000001:{foreign}/t",
    "an address of version 6": "http://[::ffff:127.0.0.1]:{foreign}/t",
    "capitals": "HTTP://LOCALHOST:{foreign}/t",
    "an escape in the host": "http://localhos%74:{foreign}/t",
    "another scheme": "ftp://{own}/t",
    "a port that is none": "http://127.0.0.1:99999/t",
    "no port": "http://127.0.0.1:/t",
    "no host": "http://:{foreign}/t",
    "a function of a customer": "https://functions.yandexcloud.net/d4e0000000000000000/t",
    "a website of a customer": "https://evil.website.yandexcloud.net/t",
    "a gateway of a customer": "https://d5d0000000000000000.apigw.yandexcloud.net/t",
    "a bucket of a customer": "https://storage.yandexcloud.net/evil/t",
    "a look-alike": "https://cr.yandex.evil.example/t",
    "another ending": "https://evil-cr.yandex/t",
    "the cloud, not encrypted": "http://cr.yandex/t",
    "the cloud at another port": "https://cr.yandex:8443/t",
    "the cloud with a dot behind": "https://cr.yandex./t",
    "a letter that looks alike": "https://\u0441r.yandex/t",
    "the same in ASCII": "https://xn--r-0tb.yandex/t",
    "a path alone": "/t",
}
OWN_REALMS = {
    "its own": "http://{own}/t",
    "with a query": "http://{own}/t?a=b",
    "with a slash behind": "http://{own}/t/",
    "no path": "http://{own}",
    "capitals": "HTTP://{own}/T",
    "an escape in the path": "http://{own}/%74",
}


def sign_in_everywhere(cloud: Cloud, realms: list[str]) -> tuple[dict[str, Any], Recorded, Recorded]:
    """A clean-up of as many repositories as there are realms; the registry names another one each time."""
    with recording_server() as own, recording_server() as foreign:
        waiting = [
            realm.format(own=f"127.0.0.1:{own.port}", foreign=foreign.port).encode().decode("latin-1")
            for realm in realms
        ]

        def answer(path: str, authorization: str) -> URL_ANSWER:
            if path == "/v2/":
                challenge = f'Bearer realm="{waiting.pop()}",service="cr.yandex"'
                return 401, {"WWW-Authenticate": challenge}, b""
            return (
                (403 if "/manifests/" in path else 200),
                {},
                json.dumps({"token": "of-the-registry"}).encode(),
            )

        own.answer = answer
        repositories = [
            {
                "name": f"r{number}",
                "policies": [policy(f"p{number}", status="DISABLED", untagged=True, expire_period="24h")],
                "images": [{"id": f"i{number}", "age": "9d"}],
            }
            for number in range(len(realms))
        ]
        cloud.seed(*repositories, tokens=[{"token": TOKEN, "service_account_id": cloud.account["id"]}])
        report = cloud.clean(
            YC_REGISTRY_ENDPOINT=own.url,
            IAM_TOKEN=TOKEN,
            SA_KEY="",
            APPLY_POLICIES=",".join(f"p{number}" for number in range(len(realms))),
            GUARDS_IN_USE="none",
        )
        assert waiting == [], "every realm has been tried"
    assert len(cloud.left()) == len(realms)
    return report, own, foreign


def test_no_token_is_sent_to_a_realm_that_is_not_the_registrys_own(cloud: Cloud) -> None:
    report, own, foreign = sign_in_everywhere(cloud, list(FOREIGN_REALMS.values()))

    assert foreign.seen == []
    assert own.secrets == []
    assert_complains(report, report["status"], "no token is sent there", "cr.yandex.evil.example")
    told = [row["message"] for row in report["errors"]]
    assert len(told) == len(FOREIGN_REALMS)
    assert all("no token is sent there" in message for message in told)
    assert TOKEN not in json.dumps(report)


def test_a_token_is_asked_for_at_the_registrys_own_realm(cloud: Cloud) -> None:
    _, own, foreign = sign_in_everywhere(cloud, list(OWN_REALMS.values()))

    assert foreign.seen == []
    asked = [path for path, authorization in own.seen if authorization.startswith("Basic ")]
    assert sorted(path.partition("service=")[0] for path in asked) == sorted(
        ["/t?", "/t?a=b&", "/t/?", "/?", "/T?", "/%74?"]
    )
    assert ["Bearer of-the-registry"] * len(OWN_REALMS) == [
        authorization for path, authorization in own.seen if "/manifests/" in path
    ]


CHALLENGES = {
    "two realms": 'Bearer realm="http://{own}/t",realm="{foreign}/t"',
    "a token with a line break": 'Bearer realm="http://{own}/broken"',
    "no token": 'Bearer realm="http://{own}/empty"',
    "a token that is too large": 'Bearer realm="http://{own}/large"',
}
TOKENS = {"/broken": "a\r\nHost: evil.example", "/empty": "", "/large": "t" * 100_000}


@pytest.mark.parametrize("challenge", CHALLENGES.values(), ids=CHALLENGES)
def test_a_challenge_or_a_token_that_cannot_be_right_stops_the_repository(
    cloud: Cloud, challenge: str
) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy("p", status="DISABLED", untagged=True, expire_period="24h")],
            "images": [{"id": "spare", "age": "9d"}],
        }
    )
    with recording_server() as own, recording_server() as foreign:
        said = challenge.format(own=f"127.0.0.1:{own.port}", foreign=foreign.url)

        def answer(path: str, authorization: str) -> URL_ANSWER:
            if path == "/v2/":
                return 401, {"WWW-Authenticate": said}, b""
            return 200, {}, json.dumps({"token": TOKENS[path.partition("?")[0]]}).encode()

        own.answer = answer
        report = cloud.clean(YC_REGISTRY_ENDPOINT=own.url, APPLY_POLICIES="p")

        assert foreign.seen == []
        assert not any("/manifests/" in path for path, _ in own.seen)
    assert cloud.left() == {"spare"}
    assert_complains(report, report["status"], "crp1/app")


# --- redirects ---


def redirecting(to: Recorded, when: Callable[[str], bool]) -> Callable[[str, str], URL_ANSWER]:
    def answer(path: str, authorization: str) -> URL_ANSWER:
        if when(path):
            return 307, {"Location": to.url + path}, b""
        if path.startswith("/t?"):
            return 200, {}, b'{"token": "of-the-registry"}'
        return 401, {"WWW-Authenticate": f'Bearer realm="{at[0]}/t",service="cr.yandex"'}, b""

    at: list[str] = []
    answer.at = at  # type: ignore[attr-defined]
    return answer


@pytest.mark.parametrize("place", ["/v2/", "/t?", "/v2/crp1/"])
def test_a_registry_that_redirects_is_not_followed(cloud: Cloud, place: str) -> None:
    cloud.seed(
        {
            "name": "app",
            "policies": [policy("p", status="DISABLED", untagged=True, expire_period="24h")],
            "images": [{"id": "spare", "age": "9d"}],
        }
    )
    with recording_server() as own, recording_server() as foreign:
        own.answer = redirecting(
            foreign, lambda path: path == place if place == "/v2/" else path.startswith(place)
        )
        own.answer.at.append(own.url)  # type: ignore[attr-defined]
        report = cloud.clean(YC_REGISTRY_ENDPOINT=own.url, APPLY_POLICIES="p")

        assert foreign.seen == []
    assert cloud.left() == {"spare"}
    assert_complains(report, report["status"], "redirect (HTTP 307), which is not followed")


def test_an_api_and_a_metadata_service_that_redirect_are_not_followed(cloud: Cloud) -> None:
    with recording_server() as own, recording_server() as foreign:
        own.answer = lambda path, authorization: (302, {"Location": foreign.url + path}, b"")

        by_api = cloud.clean(YC_API_ENDPOINT=own.url, IAM_TOKEN=TOKEN, SA_KEY="")
        by_key = cloud.clean(YC_API_ENDPOINT=own.url)
        by_metadata = cloud.clean(YC_METADATA_ADDR=f"127.0.0.1:{own.port}", SA_KEY="")

        assert foreign.seen == []
    assert_complains(by_api, "failed", "redirect (HTTP 302)")
    assert_complains(by_key, "failed", "redirect (HTTP 302)")
    assert_complains(by_metadata, "failed", "metadata service gives no token")


def test_the_metadata_service_is_asked_without_a_proxy(cloud: Cloud) -> None:
    with recording_server() as metadata, recording_server() as proxy:
        metadata.answer = lambda path, authorization: (200, {}, b'{"access_token": "t1.any"}')

        cloud.clean(YC_METADATA_ADDR=f"127.0.0.1:{metadata.port}", SA_KEY="", http_proxy=proxy.url)

        assert [path for path, _ in metadata.seen if "service-accounts" in path]
        assert not any("service-accounts" in path for path, _ in proxy.seen)


# --- one grammar ---

URLS: dict[str, tuple[str, str]] = {
    "https": ("https://api.example.net", "https://api.example.net"),
    "a port": ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    "the usual port": ("https://h:443/a/b", "https://h"),
    "capitals": ("HTTPS://Api.Example.NET/Path", "https://api.example.net"),
    "an address of version 6": ("http://[::1]:80/", "http://[::1]"),
    "a name with an underscore": ("http://a_b:1", "http://a_b:1"),
    "a query": ("https://h/a?b=c&d=/e?f", "https://h"),
    "a colon and an at sign in the path": ("https://h/bot1:A-b/@x", "https://h"),
}


@pytest.mark.parametrize(("url", "origin"), URLS.values(), ids=URLS)
def test_a_plain_url_is_read(url: str, origin: str) -> None:
    assert address.read(url).origin == origin


NO_URLS = {
    **{
        name: realm.format(own="127.0.0.1:5000", foreign=6000)
        for name, realm in FOREIGN_REALMS.items()
        if name != "a query at once"
        and any(
            sign in realm
            for sign in ("\\", "@", "#", "\t", " ", "ftp", "///", "99999", "/:", "%74:", "\u0441")
        )
    },
    "nothing": "",
    "a line break behind": "https://h\n",
    "a line break within": "https://h/a\r\nHost: x",
    "a control character": "https://h/\x00",
    "port 0": "https://h:0/",
    "digits beyond ASCII": "https://h:\u0661/",
    "a dot at the beginning": "https://.h/",
    "two dots": "https://a..b/",
    "a broken address": "http://[::1",
    "an address that is none": "http://[1:2]/",
    "a zone": "http://[fe80::1%25eth0]/",
    "a broken escape": "https://h/%4",
    "too long": "https://h/" + "a" * 5000,
}


@pytest.mark.parametrize("url", NO_URLS.values(), ids=NO_URLS)
def test_what_can_be_read_in_two_ways_is_no_url(url: str) -> None:
    with pytest.raises(ValueError):
        address.read(url)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost\\@127.0.0.1:1",
        "http://me@127.0.0.1:1",
        "http://127.0.0.1:0",
        "http://h/#a",
        "http://a b",
    ],
)
@pytest.mark.parametrize("name", ["YC_API_ENDPOINT", "YC_REGISTRY_ENDPOINT", "YC_STORAGE_ENDPOINT"])
def test_an_endpoint_that_can_be_read_in_two_ways_is_a_wrong_setting(
    cloud: Cloud, name: str, endpoint: str
) -> None:
    report = cloud.clean(**{name: endpoint})

    assert_complains(report, "failed", name)
    assert cloud.emulator.calls() == [] or report["errors"][0]["where"] == name
