"""The emulator over gRPC: the same cloud, the same refusals and the same faults as over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from yandex.cloud.containerregistry.v1 import image_service_pb2 as service
from yandex.cloud.containerregistry.v1.image_service_pb2_grpc import ImageServiceStub
from yandex.cloud.operation.operation_service_pb2 import GetOperationRequest
from yandex.cloud.operation.operation_service_pb2_grpc import OperationServiceStub

from tests.conftest import images
from tests.emulator.client import RunningEmulator, emulator, service_account

SIGNED_IN = (("authorization", "Bearer t1.test"),)
DELETE = "/yandex.cloud.containerregistry.v1.ImageService/Delete"


@pytest.fixture(scope="module")
def started() -> Iterator[RunningEmulator]:
    with emulator(None, "--grpc") as running:
        yield running


@pytest.fixture
def cloud(started: RunningEmulator) -> RunningEmulator:
    account, _ = service_account()
    repository = {"name": "app", "images": images("new", "old", "older")}
    started.seed(
        {
            "service_accounts": [account],
            "tokens": [{"token": "t1.test", "service_account_id": account["id"]}],
            "registries": [{"id": "crp1", "folder_id": "b1gfolder", "repositories": [repository]}],
        }
    )
    return started


@pytest.fixture
def channel(cloud: RunningEmulator) -> Iterator[Any]:
    with grpc.insecure_channel(cloud.grpc) as opened:
        yield opened


def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value.code().name, refused.value.details()


def delete(channel: Any, image_id: str) -> Any:
    return ImageServiceStub(channel).Delete(
        service.DeleteImageRequest(image_id=image_id), metadata=SIGNED_IN, timeout=10
    )


def test_a_list_comes_in_pages(channel: Any) -> None:
    request = service.ListImagesRequest(repository_name="crp1/app", page_size=2)
    stub = ImageServiceStub(channel)
    first = stub.List(request, metadata=SIGNED_IN)
    request.page_token = first.next_page_token
    second = stub.List(request, metadata=SIGNED_IN)

    assert [image.id for page in (first, second) for image in page.images] == ["new", "old", "older"]
    assert first.images[0].layers[0].size > 0


def test_a_delete_takes_effect_and_its_operation_can_be_asked_for(
    cloud: RunningEmulator, channel: Any
) -> None:
    operation = delete(channel, "old")
    found = OperationServiceStub(channel).Get(
        GetOperationRequest(operation_id=operation.id), metadata=SIGNED_IN
    )

    assert found.done
    assert cloud.image_ids() == {"new", "older"}
    assert cloud.call_counts() == {
        f"GRPC {DELETE}": 1,
        "GRPC /yandex.cloud.operation.OperationService/Get": 1,
    }


def test_refusals_have_the_codes_of_the_cloud(channel: Any) -> None:
    stub = ImageServiceStub(channel)
    assert refusal(lambda: stub.List(service.ListImagesRequest()))[0] == "UNAUTHENTICATED"
    assert refusal(lambda: delete(channel, "none")) == ("NOT_FOUND", "Image none not found")
    assert refusal(lambda: delete(channel, ""))[0] == "INVALID_ARGUMENT"


def test_faults_and_latency_are_met(cloud: RunningEmulator, channel: Any) -> None:
    cloud.behaviour(
        latency_ms=50,
        faults=[
            {"match": f"GRPC {DELETE}", "times": 1, "status": 429, "code": 8, "message": "slower"},
            {"match": "GRPC *", "times": 1, "cut": "after"},
        ],
    )

    started_at = time.monotonic()
    assert refusal(lambda: delete(channel, "old")) == ("RESOURCE_EXHAUSTED", "slower")
    assert time.monotonic() - started_at >= 0.05
    assert refusal(lambda: delete(channel, "old"))[0] == "UNAVAILABLE"
    assert cloud.image_ids() == {"new", "older"}
