"""Indexes keep their images and images their signatures; what cannot be read stops its repository."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cloud, assert_adds_up, assert_complains, outcomes, policy
from tests.emulator.client import RunningEmulator, emulator, service_account
from tests.support.command_line import run

REPOSITORY = "app"
MANIFESTS = f"GET /v2/crp1/{REPOSITORY}/manifests/"
LOST = "sha256:" + "a" * 64
OTHER_LOST = "sha256:" + "b" * 64


def untagged(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "age": "9d"} for name in names]


def index(name: str, *held: str, tag: str = "") -> dict[str, Any]:
    return {"id": name, "age": "9d", "index": list(held), **({"tags": [tag]} if tag else {})}


def repository(*contents: dict[str, Any], name: str = REPOSITORY, **rule: Any) -> dict[str, Any]:
    """One whose policy takes what has no tag, unless another rule is given."""
    taken = rule or {"untagged": True, "expire_period": "24h"}
    return {"name": name, "policies": [policy(name, **taken)], "images": list(contents)}


def digest_of(cloud: Cloud, image_id: str) -> str:
    repositories = cloud.emulator.state()["registries"]["crp1"]["repositories"].values()
    return next(
        str(image["digest"])
        for contents in repositories
        for image in contents["images"]
        if image["id"] == image_id
    )


def guards(report: dict[str, Any]) -> dict[str, str]:
    return {row["image_id"]: row["guard"] for row in report["images"] if row["guard"]}


def codes(report: dict[str, Any]) -> list[str]:
    return sorted(row["code"] for row in report["warnings"])


# --- what is bound stays together ---


@pytest.mark.parametrize("v2_auth", ["bearer", "basic", "none"])
def test_a_clean_up_of_untagged_images_leaves_every_index_whole(cloud: Cloud, v2_auth: str) -> None:
    cloud.seed(
        repository(
            index("multi", "amd", "arm", tag="v1"),
            index("nesting", "inner", tag="v2"),
            index("inner", "leaf"),
            *untagged("amd", "arm", "leaf", "spare1", "spare2"),
        )
    )
    cloud.emulator.behaviour(v2_auth=v2_auth)

    report = cloud.clean()

    assert cloud.left() == {"multi", "amd", "arm", "nesting", "inner", "leaf"}
    assert guards(report) == dict.fromkeys(["amd", "arm", "inner", "leaf"], "index-child")
    assert report["status"] == "ok"
    kept_by = {row["image_id"]: row["kept_by"] for row in report["images"] if row["guard"]}
    assert kept_by["amd"] == f"{digest_of(cloud, 'multi')} (v1)"
    assert_adds_up(report)


def test_signatures_stay_with_their_image_and_go_with_it(cloud: Cloud) -> None:
    def attached(to: str) -> list[dict[str, Any]]:
        return [
            {"id": f"{to}-sig", "age": "9d", "signature_of": to},
            {"id": f"{to}-att", "age": "9d", "attestation_of": to},
            {"id": f"{to}-sbom", "age": "9d", "sbom_of": to},
            {"id": f"{to}-subject", "age": "9d", "subject": to},
            {"id": f"{to}-refs", "age": "9d", "index": [f"{to}-subject"], "referrers_tag_of": to},
            {"id": f"{to}-stamp", "age": "9d", "subject": f"{to}-sig"},
        ]

    cloud.seed(
        repository(
            {"id": "new", "tags": ["v2"], "age": "1d"},
            {"id": "old", "tags": ["v1"], "age": "9d"},
            *attached("new"),
            *attached("old"),
            tag_regexp="v.*",
            retained_top=1,
        )
    )

    report = cloud.clean(MAX_SHARE="1")

    assert cloud.left() == {"new", *(image["id"] for image in attached("new"))}
    assert outcomes(report) == dict.fromkeys(["old", *(image["id"] for image in attached("old"))], "deleted")
    assert report["warnings"] == []
    reasons = {row["image_id"]: row["reason"] for row in report["images"]}
    assert reasons["old-sig"] == "policy app, with its image"
    assert_adds_up(report)


def test_signatures_that_a_policy_takes_stay_with_their_image(cloud: Cloud) -> None:
    cloud.seed(
        repository(
            {"id": "new", "tags": ["v1"], "age": "1d"},
            {"id": "sig", "age": "9d", "signature_of": "new"},
            {"id": "artifact", "age": "9d", "subject": "new"},
            tag_regexp="sha256-.*",
            expire_period="24h",
        )
    )

    report = cloud.clean(APPLY_POLICIES="app")

    assert cloud.left() == {"new", "sig", "artifact"}
    assert guards(report) == {"sig": "referrer"}
    assert codes(report) == ["active-policy-takes-referrer"]


@pytest.mark.parametrize("guard", ["index_children", "referrers"])
def test_a_guard_that_is_off_keeps_nothing(cloud: Cloud, tmp_path: Path, guard: str) -> None:
    settings = tmp_path / "janitor.toml"
    settings.write_text(f"[guards]\n{guard} = false\n")
    cloud.seed(
        repository(
            index("multi", "amd", tag="v1"), *untagged("amd"), {"id": "att", "age": "9d", "subject": "multi"}
        )
    )

    cloud.clean(JANITOR_CONFIG=str(settings))

    assert cloud.left() == {"multi", "att" if guard == "index_children" else "amd"}


def test_without_guards_that_need_them_no_manifest_is_read(cloud: Cloud, tmp_path: Path) -> None:
    settings = tmp_path / "janitor.toml"
    settings.write_text("[guards]\nindex_children = false\nreferrers = false\n")
    cloud.seed(repository(*untagged("spare")))

    cloud.clean(JANITOR_CONFIG=str(settings))

    assert cloud.left() == set()
    assert not any(call["path"].startswith("/v2") for call in cloud.emulator.calls())


def test_where_nothing_goes_no_manifest_is_read(cloud: Cloud) -> None:
    cloud.seed(repository({"id": "a", "tags": ["v1"]}))

    cloud.clean()

    assert not any(call["path"].startswith("/v2") for call in cloud.emulator.calls())


def test_each_manifest_is_read_once(cloud: Cloud) -> None:
    cloud.seed(repository(index("multi", "amd", tag="v1"), *untagged("amd", "spare1", "spare2")))

    cloud.clean()

    read = [call["path"] for call in cloud.emulator.calls() if "/manifests/" in call["path"]]
    assert len(read) == len(set(read)) == 4


# --- half-way ---


def test_when_an_index_cannot_be_deleted_its_images_stay(cloud: Cloud) -> None:
    cloud.seed(repository(index("multi", "inner"), index("inner", "leaf"), *untagged("leaf", "spare")))
    cloud.emulator.behaviour(faults=[{"match": "DELETE */images/multi", "status": 403, "code": 7}])

    report = cloud.clean()

    assert cloud.left() == {"multi", "inner", "leaf"}
    assert outcomes(report) == {
        "multi": "failed",
        "inner": "protected",
        "leaf": "protected",
        "spare": "deleted",
    }
    assert report["status"] == "partial"
    assert_adds_up(report)


def test_when_an_image_cannot_be_deleted_its_signature_stays(cloud: Cloud) -> None:
    cloud.seed(
        repository(
            {"id": "new", "tags": ["v2"], "age": "1d"},
            {"id": "old", "tags": ["v1"], "age": "9d"},
            {"id": "sig", "age": "9d", "signature_of": "old"},
            tag_regexp="v.*",
            retained_top=1,
        )
    )
    cloud.emulator.behaviour(
        faults=[{"match": "DELETE */images/old", "operation_error": {"code": 13, "message": "broken"}}]
    )

    report = cloud.clean()

    assert cloud.left() == {"new", "old", "sig"}
    assert outcomes(report) == {"old": "failed", "sig": "protected"}


def test_an_image_that_another_index_still_has_stays_when_its_index_goes(cloud: Cloud) -> None:
    cloud.seed(
        repository(
            index("kept", "shared", "own1", tag="v1"),
            index("goes", "shared", "own2"),
            *untagged("shared", "own1", "own2"),
        )
    )

    report = cloud.clean()

    assert cloud.left() == {"kept", "shared", "own1"}
    assert outcomes(report) == {
        "goes": "deleted",
        "own2": "deleted",
        "shared": "protected",
        "own1": "protected",
    }
    deletes = [
        call["path"].rpartition("/")[2] for call in cloud.emulator.calls() if call["method"] == "DELETE"
    ]
    assert deletes == ["goes", "own2"]


def test_an_index_that_is_pushed_meanwhile_keeps_its_images(cloud: Cloud) -> None:
    cloud.seed(repository(*untagged("amd", "spare")))
    pushed = {"registry_id": "crp1", "repository": REPOSITORY, "image": index("late", "amd", tag="v1")}
    cloud.emulator.behaviour(
        changes=[
            {
                "after": "GET /container-registry/v1/dryRunLifecyclePolicyResults/*",
                "do": {"add_image": pushed},
            }
        ]
    )

    report = cloud.clean()

    assert cloud.left() == {"late", "amd"}
    assert guards(report) == {"amd": "index-child"}


# --- whole or not ---


def seed_damage(cloud: Cloud, *more: dict[str, Any]) -> None:
    cloud.seed(
        repository(
            index("whole", "amd", tag="whole"),
            index("partial", "amd", LOST, tag="partial"),
            index("broken", LOST, OTHER_LOST, tag="broken"),
            {"id": "orphan", "age": "9d", "signature_of": LOST},
            {"id": "signed", "age": "9d", "signature_of": "whole"},
            *untagged("amd"),
            *more,
        )
    )


DAMAGE = ["broken-index", "orphaned-referrer", "partial-index"]


def test_validate_tells_of_what_is_not_whole_and_deletes_nothing(cloud: Cloud) -> None:
    seed_damage(cloud, *untagged("spare"))
    before = cloud.left()

    ended = run(cloud, "validate", "--json", CLEANUP_MODE="apply")

    report = json.loads(ended.stdout)
    assert (ended.returncode, report["status"]) == (0, "ok")
    assert codes(report) == DAMAGE
    told = {row["code"]: row["message"] for row in report["warnings"]}
    assert digest_of(cloud, "broken") in told["broken-index"]
    assert LOST in told["broken-index"]
    assert OTHER_LOST in told["broken-index"]
    assert digest_of(cloud, "partial") in told["partial-index"]
    assert LOST in told["partial-index"]
    assert LOST in told["orphaned-referrer"]
    assert cloud.left() == before
    assert not any(call["method"] == "DELETE" for call in cloud.emulator.calls())


def test_validate_of_what_is_whole_has_nothing_to_tell(cloud: Cloud) -> None:
    cloud.seed(repository(index("multi", "amd", tag="v1"), *untagged("amd", "spare")))

    ended = run(cloud, "validate")

    assert ended.returncode == 0
    assert "warning" not in ended.stdout


def test_validate_says_what_it_cannot_read(cloud: Cloud) -> None:
    cloud.seed(repository(index("multi", "amd", tag="v1"), *untagged("amd")))
    cloud.emulator.behaviour(faults=[{"match": f"{MANIFESTS}*", "status": 403, "code": 7}])

    ended = run(cloud, "validate")

    assert ended.returncode == 1
    assert "container-registry.images.puller" in ended.stdout.replace("\n", " ")


def test_a_clean_up_tells_of_what_is_not_whole_and_leaves_it(cloud: Cloud) -> None:
    seed_damage(cloud, *untagged("spare"))

    report = cloud.clean()

    assert cloud.left() == {"whole", "partial", "broken", "orphan", "signed", "amd"}
    assert [code for code in codes(report) if not code.startswith("active")] == DAMAGE
    assert report["status"] == "ok"


# --- what cannot be read ---


def seed_two_repositories(cloud: Cloud, status: str = "ACTIVE") -> None:
    one = repository(index("multi", "amd", tag="v1"), *untagged("amd", "spare"))
    other = repository(*untagged("other"), name="other")
    for contents in (one, other):
        contents["policies"][0]["status"] = status
    cloud.seed(one, other)


def assert_left_alone(cloud: Cloud, report: dict[str, Any], *named: str) -> None:
    """The repository that could not be read is as it was, the other one is clean."""
    assert cloud.left() == {"multi", "amd", "spare"}
    assert_complains(report, "held-back", "crp1/app", "guards.index_children", *named)
    assert outcomes(report) == {"amd": "remaining", "spare": "remaining", "other": "deleted"}
    assert_adds_up(report)


def test_a_manifest_that_is_refused_stops_its_repository_and_names_the_role(cloud: Cloud) -> None:
    seed_two_repositories(cloud)
    cloud.emulator.behaviour(faults=[{"match": f"{MANIFESTS}*", "status": 403, "code": 7}])

    assert_left_alone(cloud, cloud.clean(), "container-registry.images.puller")


def test_an_account_that_may_not_pull_deletes_nothing(cloud: Cloud) -> None:
    cloud.account, key = service_account(roles=["container-registry.editor"])
    cloud.environment["SA_KEY"] = json.dumps(key)
    seed_two_repositories(cloud)

    report = cloud.clean(GUARDS_IN_USE="none")

    assert cloud.left() == {"multi", "amd", "spare", "other"}
    assert_complains(report, "held-back", "container-registry.images.puller")


def test_a_manifest_that_is_missing_of_an_image_that_is_there_stops_its_repository(cloud: Cloud) -> None:
    seed_two_repositories(cloud)
    digest = digest_of(cloud, "multi")
    cloud.emulator.behaviour(faults=[{"match": f"{MANIFESTS}{digest}", "status": 404, "code": 5}])

    assert_left_alone(cloud, cloud.clean(), digest)


def test_an_image_that_is_deleted_while_manifests_are_read_stops_nothing(cloud: Cloud) -> None:
    seed_two_repositories(cloud)
    cloud.emulator.behaviour(
        changes=[
            {
                "after": "GET /container-registry/v1/images",
                "do": {"delete_image": {"image_id": "spare"}},
            }
        ]
    )

    report = cloud.clean(CONCURRENCY="1")

    assert cloud.left() == {"multi", "amd"}
    assert report["status"] == "ok"
    assert outcomes(report)["spare"] == "already-gone"


def test_the_registry_token_is_renewed_when_it_expires(cloud: Cloud) -> None:
    cloud.seed(repository(index("multi", "amd", tag="v1"), *untagged("amd", *(f"s{n}" for n in range(9)))))
    cloud.emulator.behaviour(
        faults=[{"match": f"{MANIFESTS}*", "skip": 3, "times": 1, "status": 401, "code": 16}]
    )

    assert cloud.clean()["status"] == "ok"
    assert cloud.left() == {"multi", "amd"}


LASTING: dict[str, dict[str, Any]] = {
    "500": {"status": 500, "code": 13},
    "nothing": {"cut": "before"},
    "HTML": {"html": 200},
    "half an answer": {"cut": "body"},
    "the manifest of another": {"body": '{"schemaVersion": 2}'},
    "an empty answer": {"body": ""},
}


@pytest.mark.slow
def test_garbage_in_place_of_a_manifest_stops_its_repository(bundle: Path, subtests: pytest.Subtests) -> None:
    """With each lasting fault; all of them run at once, for each is tried again for half a minute."""

    def one(fault: str, running: RunningEmulator) -> tuple[Cloud, dict[str, Any]]:
        cloud = Cloud(running, bundle)
        seed_two_repositories(cloud, "DISABLED")
        digest = digest_of(cloud, "multi")
        running.behaviour(faults=[{"match": f"{MANIFESTS}{digest}", **LASTING[fault]}])
        return cloud, cloud.clean(APPLY_POLICIES="app,other")

    with ExitStack() as started, ThreadPoolExecutor(len(LASTING)) as pool:
        emulators = [started.enter_context(emulator()) for _ in LASTING]
        for fault, (cloud, report) in zip(LASTING, pool.map(one, LASTING, emulators), strict=True):
            with subtests.test(fault=fault):
                assert_left_alone(cloud, report)


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_garbage_that_passes_is_asked_again(cloud: Cloud, fault: dict[str, Any]) -> None:
    seed_two_repositories(cloud)
    cloud.emulator.behaviour(faults=[{"match": f"{MANIFESTS}*", "times": 2, **fault}])

    assert cloud.clean()["status"] == "ok"
    assert cloud.left() == {"multi", "amd"}


CHILD = "{child}"
UNCLEAR: dict[str, Any] = {
    "a media type that is null": {"manifests": [{"mediaType": None, "digest": CHILD}]},
    "a subject that is text": {"manifests": [{"digest": CHILD}], "subject": "text"},
    "a null among the descriptors": {"manifests": [None, {"digest": CHILD}]},
    "another case": {"Manifests": [{"Digest": CHILD}]},
    "no JSON": '{"manifests": [{"digest": "{child}"}',
}


@pytest.mark.parametrize("document", UNCLEAR.values(), ids=UNCLEAR)
def test_an_index_that_is_not_understood_loses_nothing_and_is_named(cloud: Cloud, document: Any) -> None:
    cloud.seed(repository(*untagged("child")))
    child = digest_of(cloud, "child")
    text = document if isinstance(document, str) else json.dumps(document)
    stable = {"id": "stable", "tags": ["stable"], "manifest": text.replace(CHILD, child)}
    cloud.seed(repository(*untagged("child"), stable))

    report = cloud.clean()

    assert cloud.left() == {"stable", "child"}
    assert_complains(report, report["status"], digest_of(cloud, "stable"))


def test_a_registry_cache_is_whole(cloud: Cloud) -> None:
    kinds = ["application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.buildkit.cacheconfig.v0"]
    entries = [
        {"mediaType": kind, "digest": lost} for kind, lost in zip(kinds, (LOST, OTHER_LOST), strict=True)
    ]
    cache = {"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    cloud.seed(repository({"id": "cache", "tags": ["cache"], "manifest": cache}, *untagged("spare")))

    report = cloud.clean(APPLY_POLICIES="app")

    assert cloud.left() == {"cache"}
    assert (report["status"], codes(report)) == ("ok", [])
    assert not any(LOST in call["path"] for call in cloud.emulator.calls())


# --- signing in ---


class _Registry(BaseHTTPRequestHandler):
    """Asks for a token of a realm of the test's choice."""

    challenge = ""

    def do_GET(self) -> None:
        self.send_response(401)
        if self.challenge:
            self.send_header("WWW-Authenticate", self.challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def registry_that_says(challenge: str) -> Iterator[str]:
    handler = type("Handler", (_Registry,), {"challenge": challenge})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_no_token_is_sent_to_a_realm_on_a_foreign_host(cloud: Cloud) -> None:
    cloud.seed(repository(*untagged("spare")))
    with emulator({}) as foreign:
        realm = foreign.url.replace("127.0.0.1", "localhost") + "/v2-token"
        with registry_that_says(f'Bearer realm="{realm}",service="cr.yandex"') as url:
            report = cloud.clean(YC_REGISTRY_ENDPOINT=url)

        assert foreign.calls() == []
    assert cloud.left() == {"spare"}
    assert_complains(report, "held-back", "localhost", "no token")


@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param("", id="nothing"),
        pytest.param('Bearer service="cr.yandex"', id="no realm"),
        pytest.param('Bearer realm="http://[",service="a"', id="a realm that is no URL"),
        pytest.param('Bearer realm="/token",service="a"', id="a realm without a host"),
        pytest.param('Bearer realm="ftp://127.0.0.1/token",service="a"', id="a realm of another scheme"),
        pytest.param('Bearer realm="https://cr.yandex.evil.example/t"', id="a realm of a look-alike"),
        pytest.param('Bearer realm="http://cr.yandex/t"', id="a realm that is not encrypted"),
        pytest.param('Bearer realm="http://127.0.0.1:99999/t"', id="a realm of an impossible port"),
        pytest.param('Digest realm="a"', id="a scheme that we do not know"),
    ],
)
def test_a_registry_that_does_not_say_how_to_sign_in_stops_its_repositories(
    cloud: Cloud, challenge: str
) -> None:
    cloud.seed(repository(*untagged("spare")))
    with registry_that_says(challenge) as url:
        report = cloud.clean(YC_REGISTRY_ENDPOINT=url)

    assert cloud.left() == {"spare"}
    assert_complains(report, "held-back", "crp1/app")
