"""Doing the same for many things at once, without a future for each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]


def for_each(items: Collection[Item], work: Callable[[Item], None], width: int) -> None:
    """``work(item)`` for every item, ``width`` at once.

    The first exception ends it, once what runs has ended.
    """
    if not items:
        return
    waiting, lock = iter(items), threading.Lock()
    stop = threading.Event()

    def drain() -> None:
        while not stop.is_set():
            with lock:
                item = next(waiting, _NONE)
            if item is _NONE:
                return
            try:
                work(item)  # type: ignore[arg-type]
            except BaseException:
                stop.set()
                raise

    threads = min(width, len(items))
    with ThreadPoolExecutor(threads) as pool:
        try:
            endings = [pool.submit(drain) for _ in range(threads)]
            wait(endings)
        except BaseException:  # Ctrl-C: what runs goes to its end, nothing new begins
            stop.set()
            raise
    for ending in endings:
        ending.result()


@contextmanager
def meanwhile(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Begins ``work`` beside what follows. Gives a function that waits for its result, or raises what it
    raised.
    """
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work).result


_NONE = object()
