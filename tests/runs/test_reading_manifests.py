"""Reading a repository's manifests and tags: what can never be had, what may pass, and what is remembered."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shared.cloud.client import Cloud as Asked
from shared.cloud.manifests import LARGEST, Manifests, Memory
from shared.cloud.pace import Pace
from shared.errors import CallError
from shared.retention.records import PLAIN, Repository
from tests.conftest import Cloud
from tests.support.docker_registry import docker_registry, is_installed, push_image

NAME = "crp1/app"
REPOSITORY = Repository("", "crp1", NAME)
MANIFESTS = f"GET /v2/{NAME}/manifests/"


def reader(cloud: Cloud, memory: Memory | None = None, threads: int = 8) -> Manifests:
    asked = Asked(cloud.emulator.url, Pace(threads))
    return Manifests(
        asked, {"container-registry": cloud.emulator.url}, REPOSITORY, Memory() if memory is None else memory
    )


def seeded(cloud: Cloud, *images: dict[str, Any], **behaviour: Any) -> dict[str, str]:
    """The digests of the images by their ids."""
    cloud.seed({"name": "app", "images": list(images)})
    cloud.emulator.behaviour(v2_auth="none", **behaviour)
    listed = cloud.emulator.state()["registries"]["crp1"]["repositories"]["app"]["images"]
    return {image["id"]: image["digest"] for image in listed}


def reads(cloud: Cloud) -> int:
    return sum("/manifests/" in call["path"] for call in cloud.emulator.calls())


def never(digest: str) -> bool:
    return False


# --- what can never be had, and what may pass ---

FOR_GOOD: dict[str, dict[str, Any]] = {
    "404": {"status": 404},
    "400": {"status": 400},
    "406": {"status": 406},
    "410": {"status": 410},
    "415": {"status": 415},
    "451": {"status": 451},
    "an answer without end": {"body": " " * (LARGEST + 1)},
}


@pytest.mark.parametrize("fault", FOR_GOOD.values(), ids=FOR_GOOD)
def test_an_image_that_can_never_be_read_is_lost_and_the_others_are_read(
    cloud: Cloud, fault: dict[str, Any]
) -> None:
    digests = seeded(cloud, {"id": "a"}, {"id": "b"}, {"id": "multi", "index": ["a"]})
    cloud.emulator.behaviour(v2_auth="none", faults=[{"match": f"{MANIFESTS}{digests['b']}", **fault}])
    manifests = reader(cloud)

    found = manifests.read(digests.values(), never)

    assert found[digests["a"]] == PLAIN
    assert found[digests["multi"]].platforms == (digests["a"],)
    assert found[digests["b"]].lost
    assert found[digests["b"]].unclear
    assert found[digests["b"]].holds == ()

    cloud.emulator.behaviour(v2_auth="none")
    assert manifests.read(digests.values(), never)[digests["b"]] == PLAIN


@pytest.mark.slow
def test_an_image_whose_answer_is_always_another_manifest_is_lost(cloud: Cloud) -> None:
    digests = seeded(cloud, {"id": "a"}, {"id": "b"})
    cloud.emulator.behaviour(
        v2_auth="none", faults=[{"match": f"{MANIFESTS}{digests['b']}", "body": '{"schemaVersion": 2}'}]
    )

    found = reader(cloud).read(digests.values(), never)

    assert (found[digests["a"]], found[digests["b"]].lost) == (PLAIN, True)


@pytest.mark.parametrize(
    "digest",
    ["", "latest", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha256:" + "a" * 64 + "/../x", "md5:1"],
)
def test_a_digest_that_is_none_is_lost_and_not_asked_for(cloud: Cloud, digest: str) -> None:
    digests = seeded(cloud, {"id": "a"})

    found = reader(cloud).read([digest, digests["a"]], never)

    assert (found[digest].lost, found[digests["a"]]) == (True, PLAIN)
    assert reads(cloud) == 1


@pytest.mark.parametrize("status", [401, 403, 501])
def test_what_concerns_more_than_one_manifest_is_an_error(cloud: Cloud, status: int) -> None:
    digests = seeded(cloud, {"id": "a"}, {"id": "b"})
    cloud.emulator.behaviour(
        v2_auth="none", faults=[{"match": f"{MANIFESTS}{digests['b']}", "status": status}]
    )

    with pytest.raises(CallError, match="fault") as raised:
        reader(cloud).read(digests.values(), never)
    assert raised.value.status == status


def test_a_manifest_that_is_missing_for_a_moment_is_asked_for_again(cloud: Cloud) -> None:
    digests = seeded(cloud, {"id": "a"})
    cloud.emulator.behaviour(v2_auth="none", faults=[{"match": f"{MANIFESTS}*", "status": 404, "times": 1}])

    assert reader(cloud).read(digests.values(), never) == {digests["a"]: PLAIN}


def test_an_image_that_is_gone_is_left_out(cloud: Cloud) -> None:
    digests = seeded(cloud, {"id": "a"})
    gone = "sha256:" + "e" * 64

    assert reader(cloud).read([gone, digests["a"]], lambda digest: digest == gone).keys() == {digests["a"]}


def test_an_index_that_is_not_listed_is_read_for_what_it_holds(cloud: Cloud) -> None:
    digests = seeded(cloud, {"id": "a"}, {"id": "inner", "index": ["a"]}, {"id": "outer", "index": ["inner"]})

    found = reader(cloud).read([digests["outer"], digests["a"]], never)

    assert found[digests["inner"]].holds == (digests["a"],)


# --- what is remembered ---


def many(count: int) -> list[dict[str, Any]]:
    return [{"id": f"i{number}", "age": "1d"} for number in range(count)]


def test_what_is_remembered_is_not_read_again_and_does_not_count_again(cloud: Cloud) -> None:
    digests = seeded(cloud, *many(60))
    memory = Memory(most=60)

    for _ in range(3):
        assert len(reader(cloud, memory).read(digests.values(), never)) == 60

    assert reads(cloud) == 60


def test_a_repository_that_is_larger_than_the_memory_is_not_read_anew_each_time(cloud: Cloud) -> None:
    digests = seeded(cloud, *many(100))
    memory = Memory(most=80)
    reader(cloud, memory).read(digests.values(), never)
    cloud.emulator.clear_calls()

    for _ in range(4):
        assert len(reader(cloud, memory).read(digests.values(), never)) == 100

    assert reads(cloud) < 4 * 70


def test_what_an_earlier_run_knew_is_not_read_however_small_the_memory(cloud: Cloud) -> None:
    digests = seeded(cloud, *many(58), {"id": "multi", "index": ["inner"]}, {"id": "inner", "index": ["i1"]})
    known = reader(cloud).read([digests["multi"], *list(digests.values())[:58]], never)
    cloud.emulator.clear_calls()

    again = reader(cloud, Memory(most=10)).read([digests["multi"]], never, known=known)

    assert (again, reads(cloud)) == ({name: known[name] for name in again}, 0)
    assert again.keys() == {digests["multi"], digests["inner"]}


def test_threads_that_share_a_memory_that_is_too_small_lose_nothing(cloud: Cloud) -> None:
    digests = list(seeded(cloud, *many(60)).values())
    memory = Memory(most=10)
    faults: list[object] = []

    def one(place: int) -> None:
        wanted = set(digests[place * 10 : place * 10 + 25])
        try:
            for _ in range(6):
                found = reader(cloud, memory, threads=2).read(wanted, never)
                if found != dict.fromkeys(wanted, PLAIN):
                    faults.append(found)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=one, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert len(memory.recall(digests)) <= 10


# --- tags ---


@contextmanager
def tag_server(answer: Callable[[str], tuple[int, dict[str, str], Any]]) -> Iterator[tuple[str, list[str]]]:
    """A registry without sign-in, whose lists of tags ``answer`` gives; its URL, and the paths that it was
    asked.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = (200, {}, {}) if self.path == "/v2/" else answer(self.path)
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def tags_at(url: str) -> list[str] | None:
    return Manifests(Asked(url, Pace(2)), {"container-registry": url}, REPOSITORY).tags()


@pytest.mark.parametrize("v2_auth", ["none", "basic", "bearer"])
def test_every_tag_of_the_repository_is_listed(cloud: Cloud, v2_auth: str) -> None:
    expected = sorted(f"t{number}" for number in range(2500))
    cloud.seed(
        {"name": "app", "images": [{"id": "a", "tags": expected}, {"id": "b"}]},
        tokens=[{"token": "t1.ready", "service_account_id": cloud.account["id"]}],
    )
    cloud.emulator.behaviour(v2_auth=v2_auth)
    asked = Asked(cloud.emulator.url, Pace(2))
    asked.credentials = Ready()

    manifests = Manifests(asked, {"container-registry": cloud.emulator.url}, REPOSITORY)
    assert manifests.tags() == expected
    assert sum("/tags/list" in call["path"] for call in cloud.emulator.calls()) == 3
    assert manifests.tags({*expected[:1200], *expected[1300:], "gone"}) == expected[1200:1300]


class Ready:
    def header(self) -> str:
        return "Bearer t1.ready"

    def renewed(self, refused: str) -> str:
        return refused


CANNOT_TELL: dict[str, tuple[int, Any]] = {
    "405": (405, {}),
    "501": (501, {}),
    "an unknown name": (404, {"errors": [{"code": "NAME_UNKNOWN"}]}),
    "not supported": (404, {"errors": [{"code": "UNSUPPORTED"}]}),
    "not supported either": (400, {"errors": [{"code": "UNSUPPORTED", "message": "no"}]}),
}


@pytest.mark.parametrize(("status", "body"), CANNOT_TELL.values(), ids=CANNOT_TELL)
def test_a_registry_that_cannot_list_tags_says_nothing(status: int, body: Any) -> None:
    with tag_server(lambda path: (status, {}, body)) as (url, _):
        assert tags_at(url) is None


def test_a_repository_without_tags_has_none() -> None:
    with tag_server(lambda path: (200, {}, {"name": NAME, "tags": None})) as (url, _):
        assert tags_at(url) == []


ELSEWHERE = [
    "http://localhost:1/v2/crp1/app/tags/list?last=a",
    "//localhost/v2/crp1/app/tags/list?last=a",
    "/v2/crp1/other/tags/list?last=a",
    "/v2/crp1/app/tags/list/../../x?last=a",
    "/token?last=a",
    "last=a",
    "/v2/crp1/app/tags/list",
    "/v2/crp1/app/tags/list?last=a#b",
]


@pytest.mark.parametrize("link", ELSEWHERE)
def test_a_next_page_elsewhere_is_not_asked_for(link: str) -> None:
    def answer(path: str) -> tuple[int, dict[str, str], Any]:
        return 200, {"Link": f'<{link}>; rel="next"'}, {"tags": ["a"]}

    with tag_server(answer) as (url, asked), pytest.raises(CallError, match="elsewhere"):
        tags_at(url)

    assert asked == ["/v2/", "/v2/crp1/app/tags/list?n=1000"]


@pytest.mark.parametrize(
    "link", ["?last=a", "/v2/crp1/app/tags/list?last=a", "{url}/v2/crp1/app/tags/list?last=a"]
)
def test_a_next_page_of_the_same_list_is_asked_for(link: str) -> None:
    def answer(path: str) -> tuple[int, dict[str, str], Any]:
        if "last" in path:
            return 200, {}, {"tags": ["b"]}
        return 200, {"Link": f'<{link.format(url=at[0])}>; rel="next"'}, {"tags": ["a"]}

    at: list[str] = []
    with tag_server(answer) as (url, asked):
        at.append(url)
        assert tags_at(url) == ["a", "b"]
    assert asked[-1] == "/v2/crp1/app/tags/list?last=a"


@pytest.mark.parametrize("queries", [["a", "a"], ["a", "b", "a"], [str(number) for number in range(50)]])
def test_pages_that_come_again_are_an_error(queries: list[str]) -> None:
    waiting = iter(queries)

    def answer(path: str) -> tuple[int, dict[str, str], Any]:
        return 200, {"Link": f"<?last={next(waiting)}>; rel=next"}, {"tags": ["a"]}

    with tag_server(answer) as (url, asked), pytest.raises(CallError, match="page"):
        tags_at(url)
    assert len(asked) <= 5


@pytest.mark.skipif(not is_installed(), reason="docker-registry must be installed")
def test_the_tags_of_a_real_registry_are_listed() -> None:
    with docker_registry() as registry:
        for tag in ("v1", "v2", "old"):
            push_image(registry.url, NAME, tag, [tag.encode()])

        assert sorted(tags_at(registry.url) or ()) == ["old", "v1", "v2"]
        assert (
            Manifests(
                Asked(registry.url, Pace(2)),
                {"container-registry": registry.url},
                Repository("", "crp1", "crp1/none"),
            ).tags()
            is None
        )
