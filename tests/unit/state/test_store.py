"""Every store answers alike: the table that a directory, a bucket and a foreign server of buckets pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import StateError
from shared.state.store import Store, Stored, body, write_once


def test_an_object_is_created_once(store: Store) -> None:
    version = store.create("runs/1/begin.json", [b"fir", b"st"])
    assert version
    assert store.create("runs/1/begin.json", [b"second"]) is None
    assert store.read("runs/1/begin.json") == Stored(b"first", version)


def test_an_object_is_replaced_at_its_version_alone(store: Store) -> None:
    first = store.create("lease", [b"1"])
    assert first
    second = store.replace("lease", [b"2"], first)
    assert second not in (None, first)
    assert store.replace("lease", [b"3"], first) is None
    assert store.read("lease") == Stored(b"2", second or "")


def test_what_is_not_there_is_neither_read_nor_replaced(store: Store) -> None:
    version = store.create("a", [b"1"])
    assert version
    assert store.read("b") is None
    assert store.replace("b", [b"2"], version) is None
    assert store.names("") == ["a"]


def test_a_deleted_object_is_gone_and_may_be_created_anew(store: Store) -> None:
    version = store.create("folder/a", [b"1"])
    assert version
    store.delete("folder/a")
    store.delete("folder/a")
    assert (store.read("folder/a"), store.names("")) == (None, [])
    assert store.replace("folder/a", [b"2"], version) is None
    assert store.create("folder/a", [b"3"])


def test_names_are_those_that_begin_so_and_sorted(store: Store) -> None:
    names = ["runs/2/a", "runs/10/b", "runs/10/a", "run", "runs.old/a", "calls/a"]
    for name in names:
        store.create(name, [b""])

    assert store.names("") == sorted(names)
    assert store.names("run") == ["run", "runs.old/a", "runs/10/a", "runs/10/b", "runs/2/a"]
    assert store.names("runs/") == ["runs/10/a", "runs/10/b", "runs/2/a"]
    assert store.names("runs/1") == ["runs/10/a", "runs/10/b"]
    assert store.names("nothing/") == store.names("runs/3") == []


def test_all_names_are_listed_however_many(store: Store) -> None:
    names = [f"many/{number:04}" for number in range(25)]
    for name in names:
        store.create(name, [b"x"])
    assert store.names("many/") == names


ODD_NAMES = ["a b", "a+b", "a%2Fb", "a&b<c>", "ä/ö", "a?b#c", "a=b,c;d", "[a]'\"", "." * 3 + "a"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_may_have_odd_letters(store: Store, name: str) -> None:
    version = store.create(f"odd/{name}", [b"1"])
    assert version
    assert store.names("odd/") == [f"odd/{name}"]
    assert store.read(f"odd/{name}") == Stored(b"1", version)
    store.delete(f"odd/{name}")
    assert store.names("odd/") == []


@pytest.mark.parametrize("size", [0, 1, 70_000, 5 * 1024**2], ids=str)
def test_bytes_come_back_as_they_were(store: Store, size: int) -> None:
    bytes_ = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    version = store.create("big", iter([bytes_[: size // 2], bytes_[size // 2 :]]))
    assert version
    assert store.read("big") == Stored(bytes_, version)
    changed = store.replace("big", iter([bytes_, b"!"]), version)
    assert changed
    assert body(store.read("big")) == bytes_ + b"!"


def test_what_nobody_else_writes_is_there_once(store: Store) -> None:
    write_once(store, "a", [b"1"])
    with pytest.raises(StateError, match="a is there already"):
        write_once(store, "a", [b"2"])
    assert store.where in _message(lambda: write_once(store, "a", [b"2"]))


def _message(work: Callable[[], None]) -> str:
    with pytest.raises(StateError) as error:
        work()
    return str(error.value)
