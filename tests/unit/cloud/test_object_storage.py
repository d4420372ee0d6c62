"""Object Storage's answers are understood as far as they can be right, and no further."""

from __future__ import annotations

import io

import pytest

from shared.cloud import object_storage
from shared.cloud.client import Cloud
from shared.cloud.pace import Pace
from shared.errors import INTERNAL, NOT_FOUND, CallError
from tests.conftest import BUCKET
from tests.emulator.client import RunningEmulator
from tests.support.object_storage import TOKEN, seed_bucket


class Credentials:
    def header(self) -> str:
        return f"Bearer {TOKEN}"

    def renewed(self, refused: str) -> str:
        return refused


@pytest.fixture
def storage(running_emulator: RunningEmulator) -> Cloud:
    seed_bucket(running_emulator)
    cloud = Cloud(running_emulator.url, Pace(4))
    cloud.credentials = Credentials()
    return cloud.at(f"{running_emulator.url}/s3", attempts=2)


def test_an_object_is_written_where_its_condition_holds_and_keeps_its_writer(storage: Cloud) -> None:
    def put(text: bytes, **condition: str) -> str | None:
        headers = {name.replace("_", "-"): value for name, value in condition.items()}
        headers |= {"Content-Length": str(len(text)), object_storage.WRITER: text.decode()}
        return object_storage.put(storage, BUCKET, "a/b", io.BytesIO(text), headers)

    assert object_storage.head(storage, BUCKET, "a/b") is None
    assert put(b"0", If_Match='"0"') is None
    first = put(b"1", If_None_Match="*")
    assert first
    assert put(b"2", If_None_Match="*") is None
    second = put(b"2", If_Match=first)
    assert second
    assert put(b"3", If_Match=first) is None
    assert object_storage.read(storage, BUCKET, "a/b") == (b"2", object_storage.Head(second, "2"))
    assert object_storage.head(storage, BUCKET, "a/b") == object_storage.Head(second, "2")


LISTS = {
    "no XML": "garbage",
    "another document": "<Error/>",
    "an entity": '<!DOCTYPE x [<!ENTITY a "runs/1">]><ListBucketResult><Contents><Key>&a;</Key></Contents>'
    "</ListBucketResult>",
    "a key of elsewhere": "<ListBucketResult><Contents><Key>elsewhere</Key></Contents></ListBucketResult>",
    "no way on": "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    "the same page for ever": "<ListBucketResult><IsTruncated>true</IsTruncated>"
    "<NextContinuationToken>a</NextContinuationToken></ListBucketResult>",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_a_list_that_cannot_be_right_is_a_fault(
    running_emulator: RunningEmulator, storage: Cloud, text: str
) -> None:
    running_emulator.behaviour(faults=[{"match": "GET /s3/*", "body": text}])
    with pytest.raises(CallError) as error:
        list(object_storage.keys(storage, BUCKET, "runs/"))
    assert error.value.code == INTERNAL


ERRORS = {
    "a page of HTML": ({"html": 404}, NOT_FOUND, "HTTP 404 with text/html"),
    "an error with an entity": (
        {"status": 404, "body": '<!DOCTYPE x [<!ENTITY a "b">]><Error><Code>&a;</Code></Error>'},
        NOT_FOUND,
        "HTTP 404 with application/json",
    ),
}


@pytest.mark.parametrize(("fault", "code", "told"), ERRORS.values(), ids=ERRORS)
def test_an_error_that_cannot_be_read_is_told_by_its_status_and_says_nothing_of_an_object(
    running_emulator: RunningEmulator, storage: Cloud, fault: dict[str, object], code: int, told: str
) -> None:
    running_emulator.behaviour(faults=[{"match": "GET /s3/*", **fault}])
    with pytest.raises(CallError, match=told) as error:
        object_storage.read(storage, BUCKET, "a")
    assert error.value.code == code
