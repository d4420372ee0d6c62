"""Object Storage's buckets. Names are unique in the whole cloud; a bucket that holds objects cannot be
deleted.

Objects are put and read through a function's mount, and with the S3 API (`object_storage.py`). Tags, access
lists and the like are shown by Get with `view=VIEW_FULL` alone.
"""

import re
from typing import Any, Final

from yandex.cloud.operation.operation_pb2 import Operation
from yandex.cloud.storage.v1 import bucket_service_pb2 as service
from yandex.cloud.storage.v1.bucket_pb2 import Bucket

from tests.emulator.access import Place
from tests.emulator.clock import timestamp
from tests.emulator.errors import FAILED_PRECONDITION, ApiError, invalid
from tests.emulator.labelled import Labelled
from tests.emulator.listing import check_folder, check_name_is_free, folder_asked, in_folder, page_of
from tests.emulator.methods import method
from tests.emulator.services.access_bindings import bindable
from tests.emulator.state import State
from tests.emulator.updating import updated

SERVICES = (service.DESCRIPTOR.services_by_name["BucketService"],)

API = "yandex.cloud.storage.v1.BucketService"
VIEWER = "storage.viewer"
EDITOR = "storage.editor"
STORAGE_CLASSES = ("", "STANDARD", "COLD", "STANDARD_IA", "NEARLINE", "ICE", "GLACIER")
SHOWN_IN_FULL_ALONE: Final = ("policy", "acl", "cors", "website_settings", "lifecycle_rules", "tags")

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def place_of_bucket(state: State, name: str) -> Place:
    bucket = state.buckets.get(name)
    return (bucket.id, bucket.folder_id) if bucket else ()


def place_of(state: State, request: Any) -> Place:
    return place_of_bucket(state, request.name)


bindable(API, "Bucket", place_of_bucket, viewer=VIEWER, admin="storage.admin")


BUCKETS: Labelled[Bucket] = Labelled("Bucket", service, API, "name", lambda state: state.buckets)
bucket_by_name = BUCKETS.by_id


@method(f"{API}/Get", role=VIEWER, place_of=place_of)
def get_bucket(state: State, request: service.GetBucketRequest) -> Bucket:
    bucket = bucket_by_name(state, request.name)
    return bucket if request.view == service.GetBucketRequest.View.VIEW_FULL else _in_brief(bucket)


def _in_brief(bucket: Bucket) -> Bucket:
    shown = Bucket()
    shown.CopyFrom(bucket)
    for name in SHOWN_IN_FULL_ALONE:
        shown.ClearField(name)
    return shown


@method(f"{API}/List", role=VIEWER, place_of=folder_asked)
def list_buckets(state: State, request: service.ListBucketsRequest) -> service.ListBucketsResponse:
    buckets = in_folder(state, request.folder_id, state.buckets.values())
    page, next_token = page_of(state, request, buckets, ())
    return service.ListBucketsResponse(
        buckets=[_in_brief(bucket) for bucket in page], next_page_token=next_token
    )


@method(f"{API}/Create", role=EDITOR, place_of=folder_asked)
def create_bucket(state: State, request: service.CreateBucketRequest) -> Operation:
    check_folder(state, request.folder_id)
    _check_name(request.name)
    _check_settings(request)
    bucket = Bucket(
        id=request.name,
        name=request.name,
        folder_id=request.folder_id,
        created_at=timestamp(state.clock.now()),
        default_storage_class=request.default_storage_class or "STANDARD",
        max_size=request.max_size,
        anonymous_access_flags=request.anonymous_access_flags,
        acl=request.acl,
        tags=request.tags,
        versioning=request.versioning,
        lifecycle_rules=request.lifecycle_rules,
    )

    return BUCKETS.create(state, bucket, _check_name_is_free)


def _check_name_is_free(state: State, bucket: Bucket) -> None:
    check_name_is_free("Bucket", bucket.name, state.buckets.values())


def _check_name(name: str) -> None:
    if not 3 <= len(name) <= 63:
        raise invalid("name: length must be 3-63")
    if not _NAME.fullmatch(name) or _ADDRESS.fullmatch(name):
        raise invalid(
            "name: must be of lowercase letters, digits, hyphens and periods, each part beginning and ending"
            " with a letter or digit, and not an IP address"
        )


def _check_settings(request: Any) -> None:
    if request.default_storage_class not in STORAGE_CLASSES:
        raise invalid(f"default_storage_class: there is no class {request.default_storage_class}")
    if request.max_size < 0:
        raise invalid("max_size: must not be negative")


@method(f"{API}/Update", role=EDITOR, place_of=place_of)
def update_bucket(state: State, request: service.UpdateBucketRequest) -> Operation:
    bucket = bucket_by_name(state, request.name)
    _check_settings(request)
    changed = updated(bucket, request)
    return BUCKETS.update(state, request.name, changed)


@method(f"{API}/Delete", role=EDITOR, place_of=place_of)
def delete_bucket(state: State, request: service.DeleteBucketRequest) -> Operation:
    name = bucket_by_name(state, request.name).name
    _check_empty(state, name)

    return BUCKETS.delete(state, name, _empty)


def _empty(state: State, name: str) -> None:
    _check_empty(state, name)
    state.disk.remove_bucket(name)


def _check_empty(state: State, name: str) -> None:
    if state.disk.objects(name):
        raise ApiError(FAILED_PRECONDITION, f"Bucket {name} is not empty")
