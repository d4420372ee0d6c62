"""What a process remembers of manifests is what it was told, and no more than there is room for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.manifests import Memory
from shared.retention.records import PLAIN, Manifest

NIBBLES = st.text("0f", min_size=1, max_size=2).map(lambda text: f"sha256:{(text * 64)[:64]}")
DIGESTS = NIBBLES | st.integers(0, 5).map(lambda number: f"sha512:{number:0128x}") | st.just("none")
MANIFESTS = st.sampled_from([PLAIN, Manifest(holds=("sha256:1",)), Manifest(unclear="why")])


@given(st.dictionaries(DIGESTS, MANIFESTS), st.sets(DIGESTS))
def test_what_is_kept_is_recalled_and_nothing_else(kept: dict[str, Manifest], others: set[str]) -> None:
    memory = Memory()
    for digest, manifest in kept.items():
        memory.keep(digest, manifest)
        memory.keep(digest, manifest)

    assert memory.recall(kept) == kept
    assert memory.recall(others) == {digest: kept[digest] for digest in others & kept.keys()}


def test_the_end_of_a_digest_and_the_beginning_of_the_next_are_no_third_one() -> None:
    side_by_side = "000000" + "1" * 58 + "000222" + "2" * 58
    memory = Memory()
    memory.keep(f"sha256:{side_by_side[:64]}", PLAIN)
    memory.keep(f"sha256:{side_by_side[64:]}", PLAIN)

    assert memory.recall([f"sha256:{side_by_side[2:66]}"]) == {}


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=200), st.integers(1, 30))
def test_there_are_never_more_than_there_is_room_for(kept: list[tuple[int, bool]], most: int) -> None:
    memory = Memory(most)
    digests = [f"sha256:{number:064x}" if low else f"sha256:{number:03x}{0:061x}" for number, low in kept]
    for digest, (number, _) in zip(digests, kept, strict=True):
        memory.keep(digest, PLAIN if number % 3 else Manifest(holds=(digest,)))
        assert digest in memory.recall([digest])

    assert len(memory.recall(digests)) <= most
