"""What must stay: the decisions themselves, on small repositories told in letters and on random ones."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retention.guards import (
    Kept,
    close,
    following,
    foreign_subjects,
    grace,
    keep_tag,
    referred_to,
    waves,
)
from shared.retention.patterns import whole_tag
from shared.retention.records import Image, Manifest
from tests.support.lettered_images import (
    DEEP,
    EACH_SIGNED,
    HELD,
    INDEX_SIGNED,
    NESTED,
    PLATFORMS,
    SHARED,
    SHARING,
    SIGNED,
    SIGNED_TWICE,
    SIGNING,
    STAMPED,
    about,
    binding,
    candidates,
    digest,
    image,
    index,
    stays_with,
    tag_of,
)

UNLISTED = [image("index", "v1"), image("sig", tag_of("arm", ".sig"))]
NOW = datetime(2026, 11, 24, tzinfo=UTC)


CLOSE: dict[str, tuple[list[Image], str, dict[str, Manifest], str, dict[str, str]]] = {
    "nothing is bound to anything": ([image("a"), image("b")], "a", {}, "", {}),
    "no candidates": (PLATFORMS, "", HELD, "", {}),
    "the children of an index that stays": (
        PLATFORMS,
        "amd arm",
        HELD,
        "",
        {"amd": "index-child", "arm": "index-child"},
    ),
    "one child of an index that stays": (PLATFORMS, "amd", HELD, "", {"amd": "index-child"}),
    "the signature of a child that is not listed": (
        UNLISTED,
        "sig",
        binding(index=index("amd", "arm")),
        "",
        {"sig": "referrer"},
    ),
    "the signature of a child that is not listed, which goes with its index": (
        UNLISTED,
        "index sig",
        binding(index=index("amd", "arm")),
        "",
        {},
    ),
    "an index that goes with its children": (PLATFORMS, "index amd arm", HELD, "", {}),
    "an index in use keeps its children": (
        PLATFORMS,
        "index amd arm",
        HELD,
        "index",
        {"index": "in-use", "amd": "index-child", "arm": "index-child"},
    ),
    "a child in use does not keep its index": (PLATFORMS, "index amd arm", HELD, "amd", {"amd": "in-use"}),
    "a nested index and what it holds": (
        NESTED,
        "middle leaf other",
        DEEP,
        "",
        {"middle": "index-child", "leaf": "index-child"},
    ),
    "a leaf that only a nested index holds": (NESTED, "leaf", DEEP, "", {"leaf": "index-child"}),
    "a nested index that stays while the top goes": (
        NESTED,
        "top leaf",
        DEEP,
        "",
        {"leaf": "index-child"},
    ),
    "a child that another index that stays has too": (
        SHARED,
        "old both own",
        SHARING,
        "",
        {"both": "index-child"},
    ),
    "a child of two indexes that go": (SHARED, "new old both own", SHARING, "", {}),
    "a nested index that the repository does not list": (
        [image("top", "v1"), image("leaf")],
        "leaf",
        binding(top=index("ghost"), ghost=index("leaf")),
        "",
        {"leaf": "index-child"},
    ),
    "everything that refers to what stays": (
        SIGNED,
        "sig att sbom fallback artifact",
        SIGNING,
        "",
        dict.fromkeys(["sig", "att", "sbom", "fallback", "artifact"], "referrer"),
    ),
    "signatures whose image goes": (SIGNED, "app sig att sbom fallback artifact", SIGNING, "", {}),
    "what refers to a signature that stays": (SIGNED_TWICE, "stamp", STAMPED, "", {"stamp": "referrer"}),
    "what refers to a signature that stays because of its image": (
        SIGNED_TWICE,
        "sig stamp",
        STAMPED,
        "",
        {"sig": "referrer", "stamp": "referrer"},
    ),
    "signatures of an index and of its child": (
        INDEX_SIGNED,
        "amd arm of_index of_arm",
        EACH_SIGNED,
        "",
        {"amd": "index-child", "arm": "index-child", "of_index": "referrer", "of_arm": "referrer"},
    ),
    "indexes that hold each other": (
        [image("a"), image("b")],
        "a b",
        binding(a=index("b"), b=index("a")),
        "a",
        {"a": "in-use", "b": "index-child"},
    ),
    "an index that holds itself": ([image("a")], "a", binding(a=index("a")), "", {}),
}


@pytest.mark.parametrize(("images", "taken", "manifests", "kept", "expected"), CLOSE.values(), ids=CLOSE)
def test_what_stays_keeps(
    images: list[Image], taken: str, manifests: dict[str, Manifest], kept: str, expected: dict[str, str]
) -> None:
    found = stays_with(images, taken, manifests, kept)
    # what two guards keep may be told by either of them
    assert found.keys() == expected.keys()
    if "fallback" not in expected:
        assert found == expected


@pytest.mark.parametrize(
    ("index_children", "referrers", "expected"),
    [
        (False, True, {"of_index": "referrer"}),
        (True, False, {"amd": "index-child", "arm": "index-child"}),
        (False, False, {}),
    ],
)
def test_a_guard_that_is_off_keeps_nothing(
    index_children: bool, referrers: bool, expected: dict[str, str]
) -> None:
    found = stays_with(
        INDEX_SIGNED,
        "amd arm of_index of_arm",
        EACH_SIGNED,
        index_children=index_children,
        referrers=referrers,
    )
    assert found == expected


def test_what_is_kept_for_another_names_it_with_its_tags() -> None:
    found = close(PLATFORMS, candidates(PLATFORMS, "amd"), HELD, {}, index_children=True, referrers=True)
    assert found == {"amd": Kept("index-child", f"{digest('index')} (v1)")}


# --- following ---

FOLLOWING: dict[str, tuple[list[Image], str, dict[str, Manifest], str, set[str]]] = {
    "all that refers to an image that goes": (
        SIGNED,
        "app",
        SIGNING,
        "",
        {"sig", "att", "sbom", "fallback", "artifact"},
    ),
    "nothing of an image that is kept": (SIGNED, "app", SIGNING, "app", set()),
    "nothing of an image that no policy takes": (SIGNED, "sig", SIGNING, "", set()),
    "the signature of a signature": (SIGNED_TWICE, "app", STAMPED, "", {"sig", "stamp"}),
    "not one that has a name of its own": (
        [image("app", "v1"), image("chart", "chart-1")],
        "app",
        binding(chart=about("app")),
        "",
        set(),
    ),
    "not one that has a name of its own beside cosign's": (
        [image("app", "v1"), image("sig", tag_of("app", ".sig"), "keep-me")],
        "app",
        {},
        "",
        set(),
    ),
    "not one that a policy takes itself": (SIGNED_TWICE, "app sig", STAMPED, "", {"stamp"}),
    "not the children of an index": (PLATFORMS, "index", HELD, "", set()),
}


@pytest.mark.parametrize(
    ("images", "taken", "manifests", "kept", "expected"), FOLLOWING.values(), ids=FOLLOWING
)
def test_with_an_image_go(
    images: list[Image], taken: str, manifests: dict[str, Manifest], kept: str, expected: set[str]
) -> None:
    already = {name: Kept("in-use", "a pod") for name in kept.split()}
    found = following(images, candidates(images, taken), already, manifests)
    assert found.keys() == expected
    assert all(one.reasons[0].startswith("policy old, with its image") for one in found.values())


REFERRING: dict[str, tuple[Image, Manifest, set[str]]] = {
    "a plain image": (image("a", "v1"), Manifest(), set()),
    "a signature's tag": (image("a", tag_of("b", ".sig")), Manifest(), {"b"}),
    "the fallback tag": (image("a", tag_of("b")), Manifest(), {"b"}),
    "a subject": (image("a"), about("b"), {"b"}),
    "a subject and another's tag": (image("a", tag_of("c", ".att")), about("b"), {"b", "c"}),
    "an ending that cosign has not": (image("a", tag_of("b", ".png")), Manifest(), set()),
    "a digest that is cut": (image("a", tag_of("b")[:-1]), Manifest(), set()),
    "another algorithm": (image("a", "sha512-" + "0" * 64), Manifest(), set()),
}


@pytest.mark.parametrize(("one", "manifest", "expected"), REFERRING.values(), ids=REFERRING)
def test_an_image_refers_to(one: Image, manifest: Manifest, expected: set[str]) -> None:
    assert referred_to(one, manifest) == {digest(name) for name in expected}


# --- waves ---

WAVES: dict[str, tuple[list[Image], dict[str, Manifest], list[set[str]]]] = {
    "nothing": ([], {}, []),
    "images that are not bound": ([image("a"), image("b")], {}, [{"a", "b"}]),
    "an index, then its children": (PLATFORMS, HELD, [{"index"}, {"amd", "arm"}]),
    "an index in an index": (NESTED, DEEP, [{"top", "other"}, {"middle"}, {"leaf"}]),
    "a leaf whose middle stays": ([NESTED[0], NESTED[2]], DEEP, [{"top"}, {"leaf"}]),
    "an image, then what refers to it": (
        SIGNED,
        SIGNING,
        [{"app"}, {"sig", "att", "sbom", "fallback"}, {"artifact"}],
    ),
    "an index, then the signature of a child that is not listed": (
        UNLISTED,
        binding(index=index("amd", "arm")),
        [{"index"}, {"sig"}],
    ),
    "the children alone": (PLATFORMS[1:], HELD, [{"amd", "arm"}]),
    "an index that says something of what it holds": (
        [image("a"), image("b"), image("c")],
        binding(c=Manifest((digest("b"),), (), digest("b")), b=index("a")),
        [{"c"}, {"b"}, {"a"}],
    ),
    "a circle goes at once": ([image("a"), image("b")], binding(a=index("b"), b=index("a")), [{"a", "b"}]),
}


@pytest.mark.parametrize(("going", "manifests", "expected"), WAVES.values(), ids=WAVES)
def test_deletions_come_in_waves(
    going: list[Image], manifests: dict[str, Manifest], expected: list[set[str]]
) -> None:
    assert [{one.image_id for one in wave} for wave in waves(going, manifests)] == expected


def test_a_signature_of_what_an_index_here_holds_is_not_one_of_another_repository() -> None:
    images = [*UNLISTED, image("other", tag_of("far", ".sig"))]

    foreign = foreign_subjects(
        images, candidates(images, "sig other").values(), binding(index=index("amd", "arm"))
    )

    assert foreign == {"other": {digest("far")}}


# --- keep-tag and grace ---

KEEP_TAG: dict[str, tuple[list[str], list[str], str | None]] = {
    "no tag": (["latest"], [], None),
    "no pattern": ([], ["latest"], None),
    "the tag": (["latest"], ["latest"], "tag latest"),
    "any of its tags": (["v.*"], ["a", "v1"], "tag v1"),
    "any of the patterns": (["latest", "v.*"], ["v1"], "tag v1"),
    "a part of the tag": (["v1"], ["v10", "xv1"], None),
    "in other letters": (["latest"], ["Latest"], None),
    "an alternative counts whole": (["a|b.*"], ["ax"], None),
}


@pytest.mark.parametrize(("patterns", "tags", "expected"), KEEP_TAG.values(), ids=KEEP_TAG)
def test_a_tag_keeps_its_image(patterns: list[str], tags: list[str], expected: str | None) -> None:
    found = keep_tag(image("a", *tags), [whole_tag(text) for text in patterns])
    assert found == (Kept("keep-tag", expected) if expected else None)


GRACE: dict[str, tuple[str, timedelta, bool]] = {
    "an hour old": ("2026-11-23T23:00:00Z", timedelta(hours=2), True),
    "as old as the span": ("2026-11-23T22:00:00Z", timedelta(hours=2), False),
    "a moment younger": ("2026-11-23T22:00:00.000001Z", timedelta(hours=2), True),
    "in nanoseconds": ("2026-11-23T23:00:00.123456789Z", timedelta(hours=2), True),
    "in another zone": ("2026-11-24T02:30:00+03:00", timedelta(hours=2), True),
    "from the future": ("2027-01-01T00:00:00Z", timedelta(hours=2), True),
    "no span": ("2026-11-24T00:00:00Z", timedelta(0), False),
    "no time": ("", timedelta(hours=2), True),
    "nonsense for a time": ("yesterday", timedelta(hours=2), True),
    "a time without zone": ("2026-01-01T00:00:00", timedelta(hours=2), True),
    "no time and no span": ("", timedelta(0), False),
}


@pytest.mark.parametrize(("created_at", "span", "expected"), GRACE.values(), ids=GRACE)
def test_what_is_young_stays(created_at: str, span: timedelta, expected: bool) -> None:
    found = grace(image("a", created_at=created_at), span, NOW)
    assert (found.guard if found else None) == ("grace" if expected else None)


# --- on random repositories ---


class Shelf:
    """A random repository, what is taken of it, and what is kept by itself."""

    def __init__(self, seed: int) -> None:
        dice = random.Random(seed)
        self.names = [f"i{place}" for place in range(dice.randint(1, 14))]
        self.manifests: dict[str, Manifest] = {}
        self.images: list[Image] = []
        for place, name in enumerate(self.names):
            before, tags = self.names[:place], []
            kind = dice.choice(["plain", "index", "index", "subject", "signature", "both"])
            if before and kind in ("index", "both"):
                held = dice.sample(before, dice.randint(1, min(3, len(before))))
                subject = digest(dice.choice(before)) if kind == "both" else ""
                self.manifests[digest(name)] = Manifest(tuple(map(digest, held)), (), subject)
            elif before and kind == "subject":
                self.manifests[digest(name)] = about(dice.choice(before))
            elif before and kind == "signature":
                tags.append(tag_of(dice.choice(before), dice.choice(["", ".sig", ".att", ".sbom"])))
            if dice.random() < 0.4:
                tags.append(f"tag-{name}")
            self.images.append(image(name, *tags))
        self.taken = {name for name in self.names if dice.random() < 0.7}
        self.kept = {name for name in self.taken if dice.random() < 0.2}
        self.dice = dice
        self.by_digest = {one.digest: one for one in self.images}

    def goes(self, kept: set[str] | None = None, images: list[Image] | None = None) -> set[str]:
        """What is deleted: candidates that nothing keeps."""
        images = images or self.images
        already = {name: Kept("in-use", "a pod") for name in (self.kept if kept is None else kept)}
        found = close(
            images,
            candidates(images, " ".join(self.taken)),
            self.manifests,
            already,
            index_children=True,
            referrers=True,
        )
        return self.taken - found.keys()

    def held(self, name: str) -> set[str]:
        """The names of all that an index holds, deep."""
        held: set[str] = set()
        waiting = [digest(name)]
        while waiting:
            for child in self.manifests.get(waiting.pop(), Manifest()).holds:
                if child not in held:
                    held.add(child)
                    waiting.append(child)
        return {self.by_digest[one].image_id for one in held}

    def subjects(self, name: str) -> set[str]:
        one = self.by_digest[digest(name)]
        found = referred_to(one, self.manifests.get(one.digest, Manifest()))
        return {self.by_digest[subject].image_id for subject in found}

    def assert_whole_without(self, gone: set[str]) -> None:
        for name in set(self.names) - gone:
            assert not self.held(name) & gone, f"{name} has lost a child"


shelves = st.integers(0, 2**32).map(Shelf)


@given(shelves)
def test_no_child_of_what_stays_goes(shelf: Shelf) -> None:
    shelf.assert_whole_without(shelf.goes())


@given(shelves)
def test_no_referrer_of_what_stays_goes(shelf: Shelf) -> None:
    goes = shelf.goes()
    assert all(shelf.subjects(name) <= goes for name in goes)


@given(shelves)
def test_what_is_kept_by_itself_stays_and_nothing_goes_that_is_not_taken(shelf: Shelf) -> None:
    assert shelf.goes() <= shelf.taken - shelf.kept


@given(shelves)
def test_one_more_image_that_is_kept_never_lets_another_go(shelf: Shelf) -> None:
    more = shelf.kept | {name for name in shelf.taken if shelf.dice.random() < 0.3}
    assert shelf.goes(more) <= shelf.goes()


@given(shelves)
def test_what_stays_is_kept_for_a_reason(shelf: Shelf) -> None:
    stays = set(shelf.names) - shelf.goes()
    for name in shelf.taken & stays - shelf.kept:
        holders = {other for other in stays - {name} if name in shelf.held(other)}
        assert holders or shelf.subjects(name) & (stays - {name}), f"nothing keeps {name}"


@given(shelves)
def test_the_order_of_the_images_never_matters(shelf: Shelf) -> None:
    shuffled = shelf.dice.sample(shelf.images, len(shelf.images))
    assert shelf.goes(images=shuffled) == shelf.goes()


@given(shelves)
def test_deletions_may_break_off_anywhere_and_every_index_that_is_left_is_whole(shelf: Shelf) -> None:
    goes = shelf.goes()
    in_waves = waves([one for one in shelf.images if one.image_id in goes], shelf.manifests)
    assert sorted(one.image_id for wave in in_waves for one in wave) == sorted(goes)
    gone: set[str] = set()
    for wave in in_waves:
        for one in shelf.dice.sample(wave, len(wave)):  # within a wave in any order
            gone.add(one.image_id)
            shelf.assert_whole_without(gone)


@given(shelves)
def test_followers_refer_to_what_goes_and_have_no_name_of_their_own(shelf: Shelf) -> None:
    taken = candidates(shelf.images, " ".join(shelf.taken))
    kept = {name: Kept("in-use", "a pod") for name in shelf.taken - shelf.goes()}
    found = following(shelf.images, taken, kept, shelf.manifests)
    goes = shelf.goes() | found.keys()
    for name, one in found.items():
        assert shelf.subjects(name) & goes
        assert f"tag-{name}" not in one.image.tags
        assert name not in shelf.taken


def test_the_work_grows_as_the_repository_does() -> None:
    def seconds(size: int) -> float:
        images = [image(f"i{number}", f"v{number}") for number in range(size)]
        taken = candidates(images, " ".join(f"i{number}" for number in range(0, size, 10)))
        manifests = {one.digest: index("amd", "arm") for one in images[::3]}
        began = time.thread_time()
        close(images, taken, manifests, {}, index_children=True, referrers=True)
        return time.thread_time() - began

    assert seconds(16_000) < 80 * min(seconds(1000) for _ in range(3))
