"""Lists of the Kubernetes API, page by page (``limit``, ``continue``), with nothing missing.

A list whose continuation ran out (410) is read again from its beginning (kubernetes.io: API concepts,
retrieving large results sets in chunks); so is one that is empty or odd, once. Of several readings each shows
all that it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from shared.cloud.client import Cloud
from shared.cloud.workloads.asking import ASKED, doubtful
from shared.cloud.workloads.kubernetes_objects import ConfigMaps, CronJobs, Others, Pods, Workloads
from shared.errors import CallError

SERVICE, ROLE = "kubernetes", "k8s.cluster-api.viewer"
PAGE_SIZE = 1000
GONE, RESTARTS = 410, 3

Page = TypeVar("Page", Pods, Workloads, CronJobs, ConfigMaps, Others)


class _Odd(Exception):
    """What is odd about a list."""


class _Empty(Exception):
    """The list is empty."""


def pages(
    master: Cloud, path: str, answer: type[Page], kind: str, cluster: str, *, size: int = PAGE_SIZE
) -> Iterator[Page]:
    """Every page of a list; ``kind`` is that of the list, or "" for any. Raises CallError."""
    expired, empty, odd = 0, 0, 0
    while True:
        try:
            yield from _read(master, path, answer, kind, size)
            return
        except _Empty:
            empty += 1
            if empty == ASKED:
                return
        except _Odd as oddity:
            odd += 1
            if odd == ASKED:
                raise doubtful(
                    f"the cluster {cluster} answers oddly, each time that it was asked: {oddity}; run it"
                    " again later",
                    SERVICE,
                    f"GET {path}",
                ) from None
        except CallError as error:
            expired += 1
            if error.status != GONE or expired > RESTARTS:
                raise


def _read(master: Cloud, path: str, answer: type[Page], kind: str, size: int) -> Iterator[Page]:
    """The pages of one reading. Raises _Odd or _Empty."""
    params: dict[str, Any] = {"limit": size}
    tokens = {""}
    while True:
        page = master.call("GET", SERVICE, path, answer, params=params, role=ROLE)
        token = page.metadata.token
        if page.kind != kind and not (not kind and page.kind.endswith("List")):
            raise _Odd(f"a {page.kind or 'thing of no kind'} instead of a {kind or 'list'}")
        if page.items is None:
            raise _Odd("a list without items")
        if page.metadata.remaining_item_count and not token:
            raise _Odd("a list that ends before its end")
        if not page.items and (token or "continue" in params):
            raise _Odd("an empty page within a list")
        if token in tokens - {""}:
            raise _Odd("the same page twice")
        if not page.items:
            raise _Empty
        yield page
        if not token:
            return
        tokens.add(token)
        params["continue"] = token
