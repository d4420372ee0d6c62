"""Buckets for tests: the emulator's, and those of moto, whose server others have written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from shared.auth.environment import Access
from shared.settings.settings import Settings
from shared.state.store import Store
from shared.state.stores import store_of
from tests.conftest import BUCKET
from tests.emulator.client import RunningEmulator

TOKEN = "t1.state-of-tests"
ACCOUNT = {"id": "ajestate", "folder_id": "b1gfolder"}


def seed_bucket(emulator: RunningEmulator, roles: list[str] | None = None) -> None:
    account = {**ACCOUNT, "roles": roles} if roles is not None else ACCOUNT
    emulator.seed(
        {
            "service_accounts": [account],
            "tokens": [{"token": TOKEN, "service_account_id": ACCOUNT["id"]}],
            "buckets": [{"name": BUCKET, "folder_id": "b1gfolder"}],
        }
    )


def bucket_at(api: str, storage: str, place: str = BUCKET, ends_at: float = float("inf")) -> Store:
    access = Access(iam_token=TOKEN, api_endpoint=api, storage_endpoint=storage)
    store = store_of(Settings(state_bucket=place), access, None, ends_at)
    assert store
    return store


def emulated_bucket(emulator: RunningEmulator, place: str = BUCKET, ends_at: float = float("inf")) -> Store:
    return bucket_at(emulator.url, f"{emulator.url}/s3", place, ends_at)


@contextmanager
def foreign_server() -> Iterator[str]:
    """The URL of moto's S3 server; it has one bucket, ``BUCKET``."""
    from moto.server import ThreadedMotoServer  # imported here: it takes two seconds

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def empty_foreign_bucket(url: str) -> None:
    assert requests.post(f"{url}/moto-api/reset", timeout=10).status_code == 200
    assert requests.put(f"{url}/{BUCKET}", timeout=10).status_code == 200
