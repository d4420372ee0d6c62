"""A server that cannot be reached is known to be down soon, is named, and holds nobody up; one that hiccups
is waited for.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.cloud.reach import LONG_PATIENCE, PATIENCE, PROBE_EVERY, SHORT_PATIENCE, Reach
from tests.conftest import Cloud, assert_complains, policy
from tests.emulator.client import RunningEmulator, emulator
from tests.support.cloud import Invocation
from tests.support.receivers import HOST, closed_port, dripping_receiver

REPOSITORIES = 6


def seed(cloud: Cloud) -> None:
    cloud.seed(
        *(
            {
                "name": f"app{number}",
                "policies": [policy(f"p{number}", untagged=True, expire_period="24h")],
                "images": [{"id": f"i{number}-{place}", "age": "9d"} for place in range(9)],
            }
            for number in range(REPOSITORIES)
        )
    )


@contextmanager
def refusing() -> Iterator[str]:
    yield f"http://{HOST}:{closed_port()}"


@contextmanager
def nameless() -> Iterator[str]:
    yield "http://registry.invalid"


@contextmanager
def silent() -> Iterator[str]:
    with dripping_receiver() as port:
        yield f"http://{HOST}:{port}"


UNREACHABLE: dict[str, tuple[str, Callable[[], Any]]] = {
    f"{what}, {setting}": (setting, server)
    for setting in ("YC_REGISTRY_ENDPOINT", "YC_API_ENDPOINT")
    for what, server in (("refuses", refusing), ("has no name", nameless), ("says nothing", silent))
}


def lines(invocation: Invocation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in invocation.log.splitlines() if line.startswith('{"')]


@pytest.mark.slow
def test_a_run_without_its_server_ends_soon_and_names_it(bundle: Path, subtests: pytest.Subtests) -> None:
    """All of them at once, for each takes a quarter of a minute."""

    def one(name: str, running: RunningEmulator) -> tuple[float, str, Invocation, set[str]]:
        setting, server = UNREACHABLE[name]
        cloud = Cloud(running, bundle)
        seed(cloud)
        with server() as url:
            started = time.monotonic()
            ended = cloud.call("cleanup", CLEANUP_MODE="apply", CONCURRENCY="16", **{setting: url})
            return time.monotonic() - started, url, ended, cloud.left()

    with ExitStack() as started, ThreadPoolExecutor(len(UNREACHABLE)) as pool:
        emulators = [started.enter_context(emulator()) for _ in UNREACHABLE]
        for name, (took, url, ended, left) in zip(
            UNREACHABLE, pool.map(one, UNREACHABLE, emulators), strict=True
        ):
            with subtests.test(server=name):
                setting, _ = UNREACHABLE[name]
                report = ended.results[0]
                assert took < 30
                assert len(left) == REPOSITORIES * 9
                assert_complains(report, report["status"], url, setting)
                assert report["status"] in ("held-back", "failed")
                warnings = [
                    line["message"] for line in lines(ended) if "has given no answer" in line["message"]
                ]
                (warning,) = warnings
                assert url in warning
                seconds = re.search(r"for (\d+) s", warning)
                assert seconds and 5 <= int(seconds[1]) <= 7


@pytest.mark.slow
@pytest.mark.parametrize("after", [6, 11])
def test_a_registry_that_comes_up_late_is_waited_for(cloud: Cloud, after: float) -> None:
    seed(cloud)
    port = closed_port()

    class Relay(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {k: v for k, v in self.headers.items() if k != "Accept-Encoding"}
            answer = requests.get(cloud.emulator.url + self.path, headers=headers, timeout=30)
            self.send_response(answer.status_code)
            for name in ("WWW-Authenticate", "Content-Type"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *arguments: Any) -> None:
            pass

    def serve() -> None:
        time.sleep(after)
        servers.append(ThreadingHTTPServer((HOST, port), Relay))
        servers[0].serve_forever(0.02)

    servers: list[ThreadingHTTPServer] = []
    threading.Thread(target=serve, daemon=True).start()

    report = cloud.clean(YC_REGISTRY_ENDPOINT=f"http://{HOST}:{port}", MAX_SHARE="1")

    servers[0].shutdown()
    servers[0].server_close()
    assert (report["status"], cloud.left()) == ("ok", set())


# --- what one call finds out counts for all ---


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_server_that_never_answers_is_down_when_its_time_is_over(clock: Clock) -> None:
    server = Reach(clock).of("https://h")
    assert server.may_be_asked()
    clock.now += PATIENCE - 1
    server.is_silent("no connection can be made")
    assert not server.down
    assert server.may_be_asked()
    assert server.patience() == 1

    clock.now += 1
    server.is_silent("no connection can be made")

    assert server.down
    assert not server.may_be_asked()
    clock.now += 3600
    assert not server.may_be_asked()


def test_an_answer_ends_the_silence(clock: Clock) -> None:
    server = Reach(clock).of("https://h")
    for _ in range(10):
        assert server.may_be_asked()
        clock.now += PATIENCE - 1
        server.is_silent("no answer in time")
        server.answers()

    assert not server.down
    assert server.patience() == float("inf")


def test_a_server_that_falls_silent_is_asked_now_and_then(clock: Clock) -> None:
    server = Reach(clock).of("https://h")
    assert server.may_be_asked()
    server.answers()
    server.is_silent("no answer in time")
    clock.now += LONG_PATIENCE - 1
    server.is_silent("no answer in time")
    assert not server.down

    clock.now += 1
    server.is_silent("no answer in time")

    assert server.down
    assert [server.may_be_asked() for _ in range(3)] == [True, False, False]
    clock.now += PROBE_EVERY
    assert server.may_be_asked()
    server.answers()
    assert [server.may_be_asked() for _ in range(3)] == [True, True, True]


def test_when_all_other_servers_are_down_a_new_one_is_not_waited_for_as_long(clock: Clock) -> None:
    reach = Reach(clock)
    first = reach.of("https://first")
    assert first.may_be_asked()
    clock.now += PATIENCE
    first.is_silent("no connection can be made")

    second = reach.of("https://second")
    assert second.may_be_asked()
    clock.now += SHORT_PATIENCE
    second.is_silent("no connection can be made")

    assert second.down
