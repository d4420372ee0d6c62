"""A write to a bucket is settled whatever becomes of its answer; a fault is one sentence with a remedy."""

from __future__ import annotations

import time
from typing import Any

import pytest

from shared.errors import StateError
from shared.state.store import Store, Stored, body
from tests.conftest import BUCKET
from tests.emulator.client import RunningEmulator
from tests.support.object_storage import emulated_bucket, seed_bucket

PUT, GET, HEAD = (f"{method} /s3/{BUCKET}*" for method in ("PUT", "GET", "HEAD"))


@pytest.fixture
def emulator(running_emulator: RunningEmulator) -> RunningEmulator:
    seed_bucket(running_emulator)
    return running_emulator


@pytest.fixture
def bucket(emulator: RunningEmulator) -> Store:
    return emulated_bucket(emulator)


TROUBLE: dict[str, list[dict[str, Any]]] = {
    "its answer is lost": [{"match": PUT, "cut": "after", "times": 1}],
    "half of its answer is lost": [{"match": PUT, "cut": "body", "times": 1}],
    "the answers of all its attempts are lost": [{"match": PUT, "cut": "after", "times": 6}],
    "it never comes, and then its answer is lost": [
        {"match": PUT, "cut": "before", "times": 1},
        {"match": PUT, "cut": "after", "times": 1},
    ],
    "the server is busy": [{"match": PUT, "status": 503, "times": 2}],
    "the server is busy, and then its answer is lost": [
        {"match": PUT, "status": 503, "times": 1},
        {"match": PUT, "cut": "after", "times": 1},
    ],
    "the server fails": [{"match": PUT, "status": 500, "times": 2}],
    "another write is under way": [{"match": PUT, "status": 409, "times": 2}],
    "it is refused as it has been carried out": [
        {"match": PUT, "cut": "after", "times": 1},
        {"match": PUT, "status": 412, "times": 1},
    ],
    "the token has run out": [{"match": PUT, "status": 401, "times": 1}],
    "reading back fails at first": [
        {"match": PUT, "cut": "after", "times": 1},
        {"match": HEAD, "cut": "before", "times": 2},
    ],
    "it is slow": [{"match": PUT, "delay_ms": 300, "times": 1}],
    "a proxy answers": [{"match": PUT, "html": 502, "times": 1}],
}


@pytest.mark.parametrize("faults", TROUBLE.values(), ids=TROUBLE)
def test_a_write_succeeds_once_although(
    emulator: RunningEmulator, bucket: Store, faults: list[dict[str, Any]]
) -> None:
    emulator.behaviour(faults=faults)
    version = bucket.create("lease", [b"1"])
    assert version
    emulator.behaviour(faults=faults)
    second = bucket.replace("lease", [b"2"], version)
    assert second
    emulator.behaviour()
    assert bucket.read("lease") == Stored(b"2", second)
    assert bucket.replace("lease", [b"3"], version) is None


@pytest.mark.parametrize("faults", TROUBLE.values(), ids=TROUBLE)
def test_a_write_that_comes_too_late_fails_although(
    emulator: RunningEmulator, bucket: Store, faults: list[dict[str, Any]]
) -> None:
    """The same bytes, too: who wrote them is told apart."""
    other = emulated_bucket(emulator)
    version = bucket.create("lease", [b"1"])
    assert version
    assert other.replace("lease", [b"2"], version)
    emulator.behaviour(faults=faults)
    assert bucket.create("lease", [b"2"]) is None
    emulator.behaviour(faults=faults)
    assert bucket.replace("lease", [b"2"], version) is None


@pytest.mark.parametrize(
    "faults",
    [
        [{"match": PUT, "cut": "before"}],
        [{"match": PUT, "cut": "after"}, {"match": HEAD, "cut": "before"}],
        [{"match": PUT, "status": 500}],
    ],
    ids=["it never comes", "nothing can be read back", "the server fails"],
)
def test_a_write_of_which_nobody_knows_is_a_fault(
    emulator: RunningEmulator, bucket: Store, faults: list[dict[str, Any]]
) -> None:
    emulator.behaviour(faults=faults)
    with pytest.raises(StateError, match=rf"STATE_BUCKET \({BUCKET}\): lease: storage: "):
        bucket.create("lease", [b"1"])


def test_bytes_that_are_sent_again_are_all_of_them(emulator: RunningEmulator, bucket: Store) -> None:
    big = [b"%07d" % number for number in range(10**6)]
    emulator.behaviour(faults=[{"match": PUT, "cut": "before", "times": 1}])
    assert bucket.create("big", iter(big))
    assert body(bucket.read("big")) == b"".join(big)


def test_an_object_that_somebody_put_there_by_hand_is_read_and_replaced(emulator: RunningEmulator) -> None:
    emulator.seed(
        {
            "service_accounts": [{"id": "ajestate"}],
            "tokens": [{"token": "t1.state-of-tests", "service_account_id": "ajestate"}],
            "buckets": [{"name": BUCKET, "objects": {"plans/a": "text", "other/b": ""}}],
        }
    )
    bucket = emulated_bucket(emulator)
    stored = bucket.read("plans/a")
    assert stored
    assert stored.body == b"text"
    assert bucket.create("plans/a", [b"text"]) is None
    assert bucket.replace("plans/a", [b"new"], stored.version)
    assert bucket.names("plans/") == ["plans/a"]


VERBS: dict[str, Any] = {
    "read": lambda bucket: bucket.read("lease"),
    "create": lambda bucket: bucket.create("lease", [b"1"]),
    "replace": lambda bucket: bucket.replace("lease", [b"1"], '"0"'),
    "names": lambda bucket: bucket.names("lease"),
    "delete": lambda bucket: bucket.delete("lease"),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_without_the_role_the_fault_names_the_bucket_the_object_and_the_role(
    running_emulator: RunningEmulator, verb: Any
) -> None:
    seed_bucket(running_emulator, roles=[])
    with pytest.raises(StateError) as error:
        verb(emulated_bucket(running_emulator))
    told = str(error.value)
    assert told.startswith(f"STATE_BUCKET ({BUCKET}): lease: ")
    assert told.endswith(f"give the service account the role storage.editor on the bucket {BUCKET}.")


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_bucket_that_is_not_there_is_named(emulator: RunningEmulator, verb: Any) -> None:
    with pytest.raises(StateError) as error:
        verb(emulated_bucket(emulator, "another-bucket/a"))
    told = str(error.value)
    assert told.startswith("STATE_BUCKET (another-bucket/a): there is no such bucket; ")
    assert "create the bucket, or name another by STATE_BUCKET." in told


def test_a_fault_shows_no_token(emulator: RunningEmulator, bucket: Store) -> None:
    emulator.behaviour(faults=[{"match": GET, "status": 400, "message": "bad Bearer t1.state-of-tests"}])
    with pytest.raises(StateError) as error:
        bucket.read("lease")
    assert "state-of-tests" not in str(error.value)


def test_once_the_time_is_over_nothing_is_written(emulator: RunningEmulator) -> None:
    bucket = emulated_bucket(emulator, ends_at=time.monotonic())
    with pytest.raises(StateError, match="lease: the time of this invocation is over"):
        bucket.create("lease", [b"1"])
    assert emulated_bucket(emulator).read("lease") is None
