"""What manifests say is remembered in parts; a part that is damaged, or of another version, is forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StateError
from shared.retention.records import PLAIN, Manifest, Repository
from shared.state.directory import StateDir
from shared.state.manifest_memory import STAMP, ManifestMemory, packed, unpacked
from shared.state.store import Store, Stored

APP = Repository("id", "crp1", "crp1/team/app")
FEW, MANY = 100, 9000


def digest(number: object) -> str:
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


def digests(count: int) -> list[str]:
    return [digest(number) for number in range(count)]


def learn(store: Store, known: Iterable[str], repository: Repository = APP) -> None:
    """A run that reads the manifests of all images, which say nothing of others."""
    for part in ManifestMemory(store).parts(repository, set(known)):
        part.recall()
        part.keep(dict.fromkeys(part.digests, PLAIN), whole=True)


def recalled(store: Store, listed: Iterable[str], repository: Repository = APP) -> dict[str, Manifest]:
    known: dict[str, Manifest] = {}
    for part in ManifestMemory(store).parts(repository, set(listed)):
        known |= part.recall()
    return known


def objects(store: Store) -> dict[str, Stored | None]:
    return {name: store.read(name) for name in store.names("manifests/")}


# --- the form ---

DIGESTS = st.integers(0, 40).map(digest) | st.sampled_from(["sha512:" + "0" * 128, "none", ""])
SEVERAL = st.lists(DIGESTS, max_size=3).map(tuple)
MANIFESTS = st.just(PLAIN) | st.builds(
    Manifest, holds=SEVERAL, nested=SEVERAL, refers_to=DIGESTS, platforms=SEVERAL
)


@given(st.dictionaries(DIGESTS, MANIFESTS))
def test_what_is_packed_is_unpacked_as_it_was(manifests: dict[str, Manifest]) -> None:
    assert unpacked(packed(manifests), manifests) == manifests


@given(st.dictionaries(DIGESTS, MANIFESTS), st.data())
def test_bytes_that_differ_anywhere_tell_nothing(manifests: dict[str, Manifest], data: st.DataObject) -> None:
    body = bytearray(packed(manifests))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))

    assert unpacked(bytes(body), manifests) == {}


@given(st.dictionaries(DIGESTS, MANIFESTS), st.data())
def test_bytes_that_are_cut_off_tell_nothing(manifests: dict[str, Manifest], data: st.DataObject) -> None:
    body = packed(manifests)

    assert unpacked(body[: data.draw(st.integers(0, len(body) - 1))], manifests) == {}


def test_another_version_is_forgotten_though_its_checksum_holds() -> None:
    body = packed({digest(1): PLAIN})

    assert unpacked(body.replace(STAMP, STAMP.replace(b" 1.", b" 0.")), ()) == {}


def test_a_manifest_that_says_nothing_of_others_takes_32_bytes() -> None:
    many = dict.fromkeys(digests(1000), PLAIN)

    assert len(packed(many)) <= 32 * 1000 + 200


# --- parts ---


def test_what_was_learnt_is_recalled_by_the_next_run_and_by_no_other_repository(store: Store) -> None:
    learn(store, digests(FEW))

    assert recalled(store, digests(FEW)) == dict.fromkeys(digests(FEW), PLAIN)
    assert recalled(store, digests(FEW), Repository("id", "crp1", "crp1/team/app2")) == {}


def test_a_new_image_among_many_rewrites_one_part_of_several(store: Store) -> None:
    learn(store, digests(MANY))
    before = objects(store)

    learn(store, digests(MANY + 1))

    changed = {name for name, body in objects(store).items() if before.get(name) != body}
    assert (len(before), len(changed)) == (4, 1)


@pytest.mark.parametrize(("first", "then"), [(FEW, MANY), (MANY, FEW), (0, FEW)])
def test_a_repository_that_grows_or_shrinks_is_divided_anew_and_forgets_nothing(
    store: Store, first: int, then: int
) -> None:
    learn(store, digests(first))
    wanted = dict.fromkeys(digests(min(first, then)), PLAIN)

    assert recalled(store, digests(then)).items() >= wanted.items()
    learn(store, digests(then))

    assert recalled(store, digests(then)) == dict.fromkeys(digests(then), PLAIN)
    assert len(objects(store)) == (4 if then == MANY else 1)


def test_dividing_that_was_cut_off_forgets_nothing(store: Store) -> None:
    learn(store, digests(FEW))
    first, *_ = ManifestMemory(store).parts(APP, set(digests(MANY)))
    first.recall()
    first.keep(dict.fromkeys(first.digests, PLAIN), whole=True)

    assert len(objects(store)) == 2
    assert recalled(store, digests(MANY)).keys() >= {*digests(FEW), *first.digests}


def test_what_a_few_lost_images_said_is_forgotten_when_it_is_worth_a_write(store: Store) -> None:
    learn(store, digests(FEW))
    before = objects(store)

    learn(store, digests(FEW - 10))
    assert objects(store) == before
    learn(store, digests(FEW - 50))
    assert recalled(store, digests(FEW)) == dict.fromkeys(digests(FEW - 50), PLAIN)


def test_what_was_read_in_part_is_added_to_what_was_known(store: Store) -> None:
    learn(store, digests(20))
    (part,) = ManifestMemory(store).parts(APP, set(digests(40)))
    part.recall()
    part.keep(dict.fromkeys(digests(40)[20:30], PLAIN), whole=False)

    assert recalled(store, digests(40)) == dict.fromkeys(digests(30), PLAIN)


def test_a_run_that_looks_twice_knows_what_it_has_kept_itself(store: Store) -> None:
    memory = ManifestMemory(store)
    for count in (20, 30):
        (part,) = memory.parts(APP, set(digests(40)))
        assert len(part.recall()) == (0 if count == 20 else 20)
        part.keep(dict.fromkeys(digests(count), PLAIN), whole=False)

    assert recalled(store, digests(40)) == dict.fromkeys(digests(30), PLAIN)


def test_what_is_not_understood_or_lost_is_not_remembered(store: Store) -> None:
    (part,) = ManifestMemory(store).parts(APP, set(digests(3)))
    part.recall()
    odd = {digest(0): PLAIN, digest(1): Manifest(unclear="odd"), digest(2): Manifest(lost=True)}
    part.keep(odd, whole=True)

    assert recalled(store, digests(3)) == {digest(0): PLAIN}


def test_what_another_run_has_written_meanwhile_is_not_overwritten(store: Store) -> None:
    learn(store, digests(10))
    (part,) = ManifestMemory(store).parts(APP, set(digests(20)))
    part.recall()
    learn(store, digests(30))
    part.keep(dict.fromkeys(digests(20), PLAIN), whole=True)

    assert recalled(store, digests(30)) == dict.fromkeys(digests(30), PLAIN)


def test_a_damaged_part_is_forgotten_and_written_anew(store: Store) -> None:
    learn(store, digests(FEW))
    ((name, whole),) = objects(store).items()
    assert whole is not None
    store.replace(name, [whole.body[:-1]], whole.version)

    assert recalled(store, digests(FEW)) == {}
    learn(store, digests(FEW))
    assert recalled(store, digests(FEW)) == dict.fromkeys(digests(FEW), PLAIN)


def test_repositories_that_are_gone_are_forgotten(store: Store) -> None:
    gone = Repository("id", "crp1", "crp1/gone")
    learn(store, digests(FEW))
    learn(store, digests(MANY), gone)
    memory = ManifestMemory(store)
    list(memory.parts(APP, set()))

    memory.forget_others("crp1", [APP.full_name])

    assert recalled(store, digests(FEW)) == dict.fromkeys(digests(FEW), PLAIN)
    assert recalled(store, digests(MANY), gone) == {}


def test_a_store_that_fails_is_not_asked_again(tmp_path: Path) -> None:
    class Failing(StateDir):
        asked = 0

        def names(self, prefix: str) -> list[str]:
            self.asked += 1
            raise StateError("The store fails.")

    store = Failing(str(tmp_path))
    memory = ManifestMemory(store)
    for _ in range(3):
        for part in memory.parts(APP, set(digests(FEW))):
            part.recall()
            part.keep(dict.fromkeys(part.digests, PLAIN), whole=True)

    assert (store.asked, memory.works) == (1, False)


def test_a_run_without_a_store_reads_in_one_part_and_keeps_nothing() -> None:
    memory = ManifestMemory()
    (part,) = memory.parts(APP, set(digests(FEW)))

    assert (part.digests, part.recall()) == (set(digests(FEW)), {})
    part.keep(dict.fromkeys(part.digests, PLAIN), whole=True)
    assert not memory.works
