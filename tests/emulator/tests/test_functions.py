"""A deployed version runs as in the cloud: in a fresh process, with its environment and account, on HTTP
calls and triggers.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.deploy.package import package
from tests.conftest import images, policy
from tests.emulator.client import RunningEmulator, emulator, service_account
from tests.support.rest import (
    ACCOUNTS,
    BUCKETS,
    FOLDER,
    FOLDERS,
    FUNCTIONS,
    REGISTRIES,
    SECRETS,
    TOKEN,
    TRIGGERS,
    VERSIONS,
    Rest,
    archive,
    registry_rule,
    timer,
    version,
)

OWNER, _ = service_account(folder_id=FOLDER)
INVOKER = "functions.functionInvoker"
QUEUE = "yrn:yc:ymq:ru-central1:b1gfolder:dead"

ECHO = "def handler(event, context): return {'body': __import__('json').dumps(event)}"


class Deployed(Rest):
    """The cloud with a function, ``function_id``, that runs as ``account_id``."""

    def __init__(self, running: RunningEmulator) -> None:
        super().__init__(running)
        self.account_id = self.made(ACCOUNTS, name="runner")
        self.function_id = self.made(FUNCTIONS, name="cleaner")

    def deploy(self, code: str, **more: Any) -> str:
        asked = version(self.function_id, code, serviceAccountId=self.account_id, **more)
        return str(self.done("POST", VERSIONS, asked)["id"])

    def raw(self, event: Any = None) -> Any:
        """What the handler returns for the event."""
        answer = self.call("POST", f"/{self.function_id}?integration=raw", event)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def trigger(self, rule: dict[str, Any], name: str = "nightly") -> str:
        """A trigger that may call the function."""
        self.bind(f"{FUNCTIONS}/{self.function_id}", INVOKER, self.account_id)
        action = next(found for found in next(iter(rule.values())).values() if "functionId" in found)
        action["serviceAccountId"] = self.account_id
        return self.made(TRIGGERS, name=name, rule=rule)


@pytest.fixture
def cloud(running_emulator: RunningEmulator) -> Deployed:
    running_emulator.behaviour()
    running_emulator.seed(
        {
            "now": "2026-11-25T14:30:00Z",
            "service_accounts": [OWNER, {"id": "ajeother", "name": "other", "roles": []}],
            "tokens": [
                {"token": TOKEN, "service_account_id": OWNER["id"]},
                {"token": "t1.other", "service_account_id": "ajeother"},
            ],
            "registries": [
                {
                    "id": "crp1",
                    "folder_id": FOLDER,
                    "repositories": [{"name": "app", "images": images("v2", "v1"), "policies": [policy()]}],
                }
            ],
            "secrets": [{"id": "e6qold", "name": "old", "folder_id": FOLDER, "entries": {"key": "hush"}}],
            "buckets": [{"name": "state", "folder_id": FOLDER, "objects": {"runs/last": "before"}}],
        }
    )
    return Deployed(running_emulator)


# --- the process ---


def test_a_handler_gets_its_event_context_and_environment(cloud: Deployed) -> None:
    code = """
import os, time

def handler(event, context):
    return {"event": event, "context": {k: v for k, v in vars(context).items() if k[0] != "_"},
            "left": context.get_remaining_time_in_millis(), "environment": dict(os.environ), "directory": os.listdir()}
"""
    version_id = cloud.deploy(code, environment={"A": "b"}, executionTimeout="20s")
    told = cloud.raw({"mode": "dry-run"})
    assert told["event"] == {"mode": "dry-run"}
    context = told["context"]
    assert (context["function_name"], context["function_version"]) == (cloud.function_id, version_id)
    assert context["memory_limit_in_mb"] == 128
    assert (context["token"]["token_type"], context["token"]["expires_in"] // 10) == ("Bearer", 4319)
    assert 15_000 < told["left"] <= 20_000
    environment = told["environment"]
    assert (environment["A"], environment["_HANDLER"]) == ("b", "index.handler")
    assert environment["YC_API_ENDPOINT"] == cloud.running.url
    assert "HYPOTHESIS" not in str(environment).upper()
    assert told["directory"] == ["index.py"]
    call = cloud.running.invocations()[-1]
    assert (call["status"], call["request_id"]) == ("ok", context["request_id"])
    assert call["peak_kb"] > 1000


def test_every_call_has_a_process_of_its_own(cloud: Deployed) -> None:
    cloud.deploy(
        "import os\ncalls = []\ndef handler(event, context): calls.append(1); return [os.getpid(),"
        " len(calls)]"
    )
    first, second = cloud.raw(), cloud.raw()
    assert first[0] != second[0]
    assert first[1] == second[1] == 1


def test_only_what_is_required_can_be_imported(cloud: Deployed) -> None:
    code = """
def handler(event, context):
    found = []
    for name in ("json", "msgspec", "urllib3", "requests", "yaml", "tests", "pytest"):
        try:
            found.append(__import__(name).__name__)
        except ImportError:
            pass
    return found
"""
    cloud.deploy(code)
    assert cloud.raw() == ["json"]
    required = archive(
        index__py=code, requirements__txt="# comment\nmsgspec>=0.19,<1\nrequests>=2.32,<3  # HTTP\n"
    )
    cloud.deploy(code, content=required)
    assert cloud.raw() == ["json", "msgspec", "urllib3", "requests"]


def test_an_asynchronous_handler_is_awaited(cloud: Deployed) -> None:
    cloud.deploy("import asyncio\nasync def handler(event, context): await asyncio.sleep(0); return [event]")
    assert cloud.raw("text") == ["text"]


def test_secrets_are_variables_as_long_as_the_account_may_read_them(cloud: Deployed) -> None:
    cloud.bind(f"{SECRETS}/e6qold", "lockbox.payloadViewer", cloud.account_id)
    secret = {"id": "e6qold", "key": "key", "environmentVariable": "KEY"}
    cloud.deploy("import os\ndef handler(event, context): return os.environ['KEY']", secrets=[secret])
    assert cloud.call("POST", f"/{cloud.function_id}?integration=raw").text == "hush"
    cloud.done("POST", f"{SECRETS}/e6qold:setAccessBindings", {})
    refused = cloud.call("POST", f"/{cloud.function_id}?integration=raw")
    assert refused.status_code == 502
    assert "lockbox.payloadViewer" in refused.json()["errorMessage"]


def test_a_bucket_is_a_directory(cloud: Deployed) -> None:
    cloud.bind(f"{BUCKETS}/state", "storage.editor", cloud.account_id)
    code = """
import os, pathlib, tomllib

def handler(event, context):
    directory = pathlib.Path(os.environ["STATE_DIR"])
    (directory / "runs" / "next").write_text("after")
    stated = tomllib.loads(pathlib.Path(os.environ["JANITOR_CONFIG"]).read_text())["state_dir"]
    narrower = pathlib.Path(os.environ["RUNS"], "last").read_text()
    return [(directory / "runs" / "last").read_text(), str(directory) == stated, narrower]
"""
    mounts: list[dict[str, Any]] = [
        {"name": "state", "mode": "READ_WRITE", "objectStorage": {"bucketId": "state"}},
        {"name": "state-runs", "mode": "READ_ONLY", "objectStorage": {"bucketId": "state", "prefix": "runs"}},
    ]
    cloud.deploy(
        code,
        content=archive(index__py=code, janitor__toml='state_dir = "/function/storage/state"\n'),
        mounts=mounts,
        environment={
            "STATE_DIR": "/function/storage/state",
            "RUNS": "/function/storage/state-runs",
            "JANITOR_CONFIG": "/function/code/janitor.toml",
        },
    )
    assert cloud.raw() == ["before", True, "before"]
    assert cloud.running.resources()["objects"] == {"state": {"runs/last": "before", "runs/next": "after"}}
    assert cloud.refusal("DELETE", f"{BUCKETS}/state")[:2] == (400, 9)


def test_an_account_may_do_what_is_bound_to_it_and_no_more(cloud: Deployed) -> None:
    code = """
import os, urllib.error, urllib.request

def handler(event, context):
    token = context.token["access_token"]
    url = os.environ["YC_API_ENDPOINT"] + event["path"]
    asked = urllib.request.Request(url, method=event["method"], headers={"Authorization": "Bearer " + token})
    try:
        return urllib.request.urlopen(asked).status
    except urllib.error.HTTPError as error:
        return error.code
"""
    cloud.deploy(code)
    listing = {"method": "GET", "path": "/container-registry/v1/images?registryId=crp1"}
    deleting = {"method": "DELETE", "path": "/container-registry/v1/images/v1"}
    assert (cloud.raw(listing), cloud.raw(deleting)) == (403, 403)
    cloud.bind(f"{REGISTRIES}/crp1", "container-registry.viewer", cloud.account_id)
    assert (cloud.raw(listing), cloud.raw(deleting)) == (200, 403)
    cloud.bind(f"{REGISTRIES}/crp1", "container-registry.images.pusher", cloud.account_id)
    assert cloud.raw(deleting) == 200
    assert cloud.running.image_ids() == {"v2"}


def test_without_an_account_there_is_no_token(cloud: Deployed) -> None:
    asked = version(cloud.function_id, "def handler(event, context): return context.token")
    cloud.done("POST", VERSIONS, asked)
    assert cloud.raw() is None


def test_what_is_printed_is_the_log(cloud: Deployed) -> None:
    code = """
import json, sys

def handler(event, context):
    print("plain")
    print(json.dumps({"level": "DEBUG", "message": "fine"}))
    print(json.dumps({"level": "ERROR", "msg": "bad", "image": "v1"}), file=sys.stderr)
"""
    cloud.deploy(code, logOptions={"minLevel": "INFO"})
    cloud.raw()
    log = cloud.running.invocations()[-1]["log"]
    assert [(line["level"], line["message"]) for line in log] == [("", "plain"), ("ERROR", "bad")]
    assert log[1]["fields"] == {"image": "v1"}
    cloud.deploy(code, logOptions={"disabled": True})
    cloud.raw()
    assert cloud.running.invocations()[-1]["log"] == []


# --- over HTTP ---


def test_an_http_call_is_an_event(cloud: Deployed) -> None:
    cloud.deploy(ECHO)
    answer = requests.post(
        f"{cloud.running.url}/{cloud.function_id}?a=1&a=2&b=",
        data="hello, world!",
        headers={
            "Authorization": f"Bearer {TOKEN}",
            "Cookie": "a=b",
            "x-custom-header": "c",
            "Content-Type": "text/plain",
            "User-Agent": "curl/7.58.0",
            "X-Forwarded-For": "203.0.113.1",
        },
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    event = answer.json()
    assert event["httpMethod"] == event["requestContext"]["httpMethod"] == "POST"
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"hello, world!", True)
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    headers = event["headers"]
    assert (headers["X-Custom-Header"], headers["X-Forwarded-For"]) == ("c", "203.0.113.1, 127.0.0.1")
    assert not {"Authorization", "Cookie", "Connection"} & headers.keys()
    assert event["multiValueHeaders"]["X-Custom-Header"] == ["c"]
    assert event["requestContext"]["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "curl/7.58.0"}
    assert event["requestContext"]["requestTime"].startswith("25/Nov/2026:14:3")
    assert event["requestContext"]["requestId"] == headers["X-Request-Id"]


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_body_of_json_is_left_as_it_is(cloud: Deployed, content_type: str) -> None:
    cloud.deploy(ECHO)
    event = cloud.call(
        "POST", f"/{cloud.function_id}", {"mode": "dry-run"}, **{"Content-Type": content_type}
    ).json()
    assert (json.loads(event["body"]), event["isBase64Encoded"]) == ({"mode": "dry-run"}, False)


@pytest.mark.parametrize(
    ("token", "bound_to", "status"),
    [
        pytest.param("", "", 403, id="nobody"),
        pytest.param("t1.other", "", 403, id="somebody without the role"),
        pytest.param("t1.other", "ajeother", 200, id="somebody with the role"),
        pytest.param("", "ajeother", 403, id="nobody, though somebody may"),
        pytest.param("t1.other", "allAuthenticatedUsers", 200, id="everybody with a token"),
        pytest.param("t1.wrong", "allAuthenticatedUsers", 403, id="a token that isn't good"),
        pytest.param("", "allUsers", 200, id="everybody"),
    ],
)
def test_a_function_is_private_unless_it_is_made_public(
    cloud: Deployed, token: str, bound_to: str, status: int
) -> None:
    cloud.deploy(ECHO)
    if bound_to:
        kind = "system" if bound_to.startswith("all") else "serviceAccount"
        cloud.bind(f"{FUNCTIONS}/{cloud.function_id}", INVOKER, bound_to, kind)
    answer = Rest(cloud.running, token).call("GET", f"/{cloud.function_id}")
    assert answer.status_code == status, answer.text
    assert len(cloud.running.invocations()) == (status == 200)


def test_a_tag_chooses_the_version(cloud: Deployed) -> None:
    cloud.deploy("def handler(event, context): return 1", tag=["stable"])
    cloud.deploy("def handler(event, context): return 2")
    path = f"/{cloud.function_id}?integration=raw"
    answers = [cloud.call("POST", f"{path}{tag}").text for tag in ("", "&tag=stable", "&tag=$latest")]
    assert answers == ["2", "1", "2"]
    assert cloud.call("POST", f"{path}&tag=none").status_code == 404
    assert cloud.call("POST", "/d4e00000000000000000").status_code == 404


@pytest.mark.parametrize(
    ("code", "status", "error", "message"),
    [
        pytest.param(
            "def handler(event, context): 1 / 0", 502, "ZeroDivisionError", "division", id="it raises"
        ),
        pytest.param("raise OSError('no')", 502, "OSError", "no", id="it cannot be loaded"),
        pytest.param("def other(event, context): pass", 502, "AttributeError", "handler", id="no handler"),
        pytest.param("import none", 502, "ModuleNotFoundError", "none", id="it needs what isn't there"),
        pytest.param("def handler(event, context): return {1}", 502, "TypeError", "JSON", id="not JSON"),
        pytest.param("import os\ndef handler(*a): os._exit(3)", 502, "ProcessExited", "3", id="it exits"),
        pytest.param(
            "def handler(*a): return 'text'", 502, "ProxyIntegrationError", "Malformed", id="a text"
        ),
        pytest.param(
            "def handler(*a): return {'body': {}}", 502, "ProxyIntegrationError", "Malformed", id="no text"
        ),
        pytest.param(
            "def handler(*a): return {'headers': {'Via': 'a'}}",
            502,
            "ProxyIntegrationError",
            "Malformed",
            id="header",
        ),
    ],
)
def test_a_function_that_fails(cloud: Deployed, code: str, status: int, error: str, message: str) -> None:
    cloud.deploy(code)
    answer = cloud.call("POST", f"/{cloud.function_id}")
    assert (answer.status_code, answer.headers["X-Function-Error"]) == (status, "true")
    assert answer.json()["errorType"] == error
    assert message in answer.json()["errorMessage"]


def test_a_function_that_takes_too_long_is_killed_with_its_children(cloud: Deployed) -> None:
    code = """
import os, subprocess, sys, time

def handler(event, context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(os.getpid(), child.pid, flush=True)
    time.sleep(600)
"""
    cloud.deploy(code, executionTimeout="1.5s")
    began = time.monotonic()
    answer = cloud.call("POST", f"/{cloud.function_id}")
    assert answer.status_code == 504
    assert time.monotonic() - began < 30
    call = cloud.running.invocations()[-1]
    assert call["status"] == "timeout"
    for pid in call["log"][0]["message"].split():
        assert ends(int(pid))


def ends(pid: int) -> bool:
    """Whether the process is no more, now or within five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_what_the_handler_answers_is_the_http_answer(cloud: Deployed) -> None:
    answered = {
        "statusCode": 418,
        "headers": {"Content-Type": "text/plain", "X-One": "1", "Date": "now", "Cookie": "a"},
        "multiValueHeaders": {"X-Two": ["2", "3"], "X-One": ["4"]},
        "body": base64.b64encode(b"\x00\x01").decode(),
        "isBase64Encoded": True,
    }
    cloud.deploy(f"def handler(event, context): return {answered!r}")
    answer = cloud.call("GET", f"/{cloud.function_id}")
    assert (answer.status_code, answer.content) == (418, b"\x00\x01")
    headers = answer.headers
    assert (headers["X-One"], headers["X-Two"], headers["Content-Type"]) == ("4", "2, 3", "text/plain")
    assert headers["X-Yf-Remapped-Date"] == "now"
    assert "Cookie" not in headers


def test_a_large_request_is_refused(cloud: Deployed) -> None:
    cloud.deploy(ECHO)
    assert cloud.call("POST", f"/{cloud.function_id}", "a" * 3_700_000).status_code == 413
    assert cloud.running.invocations() == []


def test_an_asynchronous_call_is_not_waited_for(cloud: Deployed) -> None:
    cloud.deploy(
        "import time\ndef handler(event, context): time.sleep(event); return event", executionTimeout="30s"
    )
    path = f"/{cloud.function_id}?integration=async"
    assert cloud.call("POST", path, 0).status_code == 202
    while not (calls := cloud.running.invocations()) or calls[0]["status"] != "ok":
        time.sleep(0.02)
    assert (calls[0]["event"], calls[0]["result"]) == (0, 0)
    for _ in range(10):
        assert cloud.call("POST", path, 20).status_code == 202
    assert cloud.call("POST", f"/{cloud.function_id}?integration=raw", 0).status_code == 429


# --- triggers ---


def test_a_timer_fires_when_the_clock_is_wound(cloud: Deployed) -> None:
    cloud.deploy("def handler(event, context): return event")
    trigger_id = cloud.trigger(timer(cloud.function_id, "0 3 ? * * *", '{"mode": "dry-run"}'))
    cloud.trigger(timer(cloud.function_id, "0 4 ? * MON *"), "weekly")
    [call] = cloud.running.wind()
    assert (call["status"], call["trigger_id"]) == ("ok", trigger_id)
    [message] = call["result"]["messages"]
    assert message["details"] == {"trigger_id": trigger_id, "payload": '{"mode": "dry-run"}'}
    metadata = message["event_metadata"]
    assert metadata["event_type"] == "yandex.cloud.events.serverless.triggers.TimerMessage"
    assert (metadata["created_at"], metadata["folder_id"]) == ("2026-11-26T03:00:00Z", FOLDER)
    assert cloud.running.state()["now"].startswith("2026-11-26T03:00:0")
    assert cloud.running.wind(by="1h") == []
    assert [call["trigger_id"] for call in cloud.running.wind(by="24h")] == [trigger_id]
    cloud.done("POST", f"{TRIGGERS}/{trigger_id}:pause", {})
    [weekly] = cloud.running.wind(to="2026-12-01T00:00:00Z")
    assert weekly["started_at"].startswith("2026-11-30T04:00:0")
    assert cloud.get(f"{FUNCTIONS}/{cloud.function_id}")  # the token has not expired


def test_a_timer_that_is_left_alone_or_gone_does_not_fire(cloud: Deployed) -> None:
    cloud.deploy("def handler(event, context): return event")
    with pytest.raises(ValueError, match="no timer"):
        cloud.running.wind()
    trigger_id = cloud.trigger(timer(cloud.function_id))
    cloud.done("DELETE", f"{TRIGGERS}/{trigger_id}")
    assert cloud.running.wind(by="48h") == []


@pytest.mark.parametrize(
    ("given_to", "status"),
    [
        pytest.param("", "error", id="nobody"),
        pytest.param("function", "ok", id="on the function"),
        pytest.param("folder", "ok", id="on the folder"),
    ],
)
def test_a_trigger_needs_the_role_to_call(cloud: Deployed, given_to: str, status: str) -> None:
    cloud.deploy("def handler(event, context): return event")
    cloud.made(TRIGGERS, name="nightly", rule=timer(cloud.function_id, serviceAccountId="ajeother"))
    places = {"function": f"{FUNCTIONS}/{cloud.function_id}", "folder": f"{FOLDERS}/{FOLDER}"}
    if given_to:
        cloud.bind(places[given_to], INVOKER, "ajeother")
    [call] = cloud.running.wind()
    assert (call["status"], "ajeother may not call" in str(call["error"])) == (status, status == "error")


def test_a_call_that_fails_is_made_again_and_then_kept_as_a_dead_letter(cloud: Deployed) -> None:
    cloud.deploy("def handler(event, context): raise OSError('no')")
    action: dict[str, Any] = {
        "retrySettings": {"retryAttempts": "2", "interval": "60s"},
        "deadLetterQueue": {"queueId": QUEUE, "serviceAccountId": cloud.account_id},
    }
    cloud.trigger(timer(cloud.function_id, payload="lost", **action))
    calls = cloud.running.wind()
    times = [call["started_at"][:16] for call in calls]
    assert times == ["2026-11-26T03:00", "2026-11-26T03:01", "2026-11-26T03:02"]
    assert cloud.running.dead_letters() == {}
    cloud.bind(f"{FOLDERS}/{FOLDER}", "ymq.writer", cloud.account_id)
    assert len(cloud.running.wind()) == 3
    [message] = cloud.running.dead_letters()[QUEUE]
    assert message["details"]["payload"] == "lost"


def test_a_push_calls_the_function(cloud: Deployed) -> None:
    cloud.deploy("def handler(event, context): return event")
    rule = registry_rule(
        cloud.function_id, "CREATE_IMAGE", "CREATE_IMAGE_TAG", batchSettings={"size": "2", "cutoff": "1s"}
    )
    trigger_id = cloud.trigger(rule)
    pushed = {"registry_id": "crp1", "repository": "app", "image": {"id": "v3", "tags": ["v3", "latest"]}}
    cloud.running.change(add_image=pushed)
    first, second = cloud.running.deliver()
    assert first["trigger_id"] == trigger_id
    messages = first["event"]["messages"] + second["event"]["messages"]
    kinds = [message["event_metadata"]["event_type"].rpartition(".")[2] for message in messages]
    assert kinds == ["CreateImage", "CreateImageTag", "CreateImageTag"]
    details = messages[0]["details"]
    assert details.pop("image_digest").startswith("sha256:")
    assert details == {"registry_id": "crp1", "repository_name": "crp1/app", "image_id": "v3", "tag": "v3"}
    assert sorted(message["details"]["tag"] for message in messages[1:]) == ["latest", "v3"]
    assert cloud.running.deliver() == []


@pytest.mark.parametrize(
    ("events", "filters", "expected"),
    [
        pytest.param(["DELETE_IMAGE"], {}, [("DeleteImage", "")], id="a deleted image"),
        pytest.param(
            ["DELETE_IMAGE_TAG"], {}, [("DeleteImageTag", "moving"), ("DeleteImageTag", "v1")], id="its tags"
        ),
        pytest.param(
            ["CREATE_IMAGE_TAG"], {}, [("CreateImageTag", "moving"), ("CreateImageTag", "new")], id="new tags"
        ),
        pytest.param(["CREATE_IMAGE_TAG"], {"tag": "new"}, [("CreateImageTag", "new")], id="one tag"),
        pytest.param(["CREATE_IMAGE"], {}, [], id="no new image"),
        pytest.param(
            ["CREATE_IMAGE_TAG", "DELETE_IMAGE"], {"imageName": "other"}, [], id="another repository"
        ),
    ],
)
def test_a_trigger_has_the_events_that_it_wants(
    cloud: Deployed, events: list[str], filters: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    cloud.running.change(add_tag={"image_id": "v1", "tag": "moving"})
    cloud.deploy("def handler(event, context): return event")
    batch = {"size": "100", "cutoff": "1s"}
    cloud.trigger(registry_rule(cloud.function_id, *events, batchSettings=batch, **filters))
    cloud.running.change(add_tag={"image_id": "v2", "tag": "moving"})
    cloud.running.change(add_tag={"image_id": "v2", "tag": "new"})
    cloud.done("DELETE", "/container-registry/v1/images/v1")
    messages = [message for call in cloud.running.deliver() for message in call["event"]["messages"]]
    told = [
        (message["event_metadata"]["event_type"].rpartition(".")[2], message["details"]["tag"])
        for message in messages
    ]
    assert sorted(told) == sorted(expected)


# --- the bundle itself ---


def test_the_bundle_cleans_up_on_its_timer(cloud: Deployed, tmp_path: Path) -> None:
    package(tmp_path / "janitor.zip")
    cloud.bind(f"{REGISTRIES}/crp1", "container-registry.editor", cloud.account_id)
    cloud.bind(f"{REGISTRIES}/crp1", "container-registry.images.puller", cloud.account_id)
    cloud.deploy(
        "",
        content=base64.b64encode((tmp_path / "janitor.zip").read_bytes()).decode(),
        entrypoint="cleanup.handler",
        resources={"memory": str(256 * 1024**2)},
        environment={"REGISTRY_IDS": "crp1", "GUARDS_IN_USE": "none", "CLEANUP_MODE": "apply"},
    )
    cloud.trigger(timer(cloud.function_id))
    [refused] = cloud.running.wind()
    assert refused["result"]["status"] == "held-back"
    assert "container-registry.images.pusher" in json.dumps(refused["result"]["warnings"])
    assert cloud.running.image_ids() == {"v1", "v2"}
    cloud.bind(f"{REGISTRIES}/crp1", "container-registry.images.pusher", cloud.account_id)
    [cleaned] = cloud.running.wind()
    assert cleaned["result"]["status"] == "ok", cleaned
    assert cleaned["result"]["totals"]["deleted"] == 1
    assert cloud.running.image_ids() == {"v2"}
    assert all(line["level"] for line in cleaned["log"])


def test_files_and_processes_end_with_the_emulator() -> None:
    code = """
import os, pathlib, time

def handler(event, context):
    pathlib.Path(os.environ["STATE_DIR"], "pid").write_text(f"{os.getpid()} {os.getcwd()}")
    time.sleep(60)
"""
    token = [{"token": TOKEN, "service_account_id": OWNER["id"]}]
    with emulator() as running:
        running.seed(
            {
                "service_accounts": [OWNER],
                "tokens": token,
                "buckets": [{"name": "state", "folder_id": FOLDER}],
            }
        )
        cloud = Deployed(running)
        cloud.bind(f"{BUCKETS}/state", "storage.editor", cloud.account_id)
        cloud.deploy(
            code,
            executionTimeout="60s",
            mounts=[{"name": "state", "objectStorage": {"bucketId": "state"}}],
            environment={"STATE_DIR": "/function/storage/state"},
        )
        assert cloud.call("POST", f"/{cloud.function_id}?integration=async").status_code == 202
        while not (pid := running.resources()["objects"]["state"].get("pid")):
            time.sleep(0.02)
    number, directory = pid.split()
    assert ends(int(number))
    assert not Path(directory).exists()
