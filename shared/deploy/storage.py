"""Where the objects of buckets are for whoever deploys."""

from __future__ import annotations

from shared.auth.environment import Access
from shared.cloud import object_storage
from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each
from shared.errors import FAILED_PRECONDITION, CallError
from shared.state.bucket import Bucket
from shared.state.stores import ENDPOINT

ATTEMPTS = 3


def state(cloud: Cloud, access: Access, place: str) -> Bucket:
    """The state in ``place``, a bucket and perhaps a prefix. Raises CallError as `empty` does."""
    _check(access)
    return Bucket(cloud, access.storage_endpoint or ENDPOINT, place)


def empty(cloud: Cloud, access: Access, bucket: str) -> None:
    """Deletes every object. Raises CallError, also if YC_API_ENDPOINT is set without YC_STORAGE_ENDPOINT."""
    _check(access)
    storage = cloud.at(access.storage_endpoint or ENDPOINT, attempts=ATTEMPTS)
    keys = list(object_storage.keys(storage, bucket, ""))
    for_each(keys, lambda key: object_storage.delete(storage, bucket, key), storage.concurrency)


def _check(access: Access) -> None:
    if access.api_endpoint and not access.storage_endpoint:
        raise CallError(
            "objects cannot be reached: YC_API_ENDPOINT is set, and YC_STORAGE_ENDPOINT is not",
            service=object_storage.SERVICE,
            call="connect",
            code=FAILED_PRECONDITION,
        )
