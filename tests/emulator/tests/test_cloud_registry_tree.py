"""Whatever happens in Cloud Registry, its indexes agree and no digest is there without a name."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from yandex.cloud.cloudregistry.v1.registry_pb2 import Registry

from tests.emulator.cloud_artifacts import ARTIFACT
from tests.emulator.cloud_registries import CloudRegistries, CloudRegistry
from tests.emulator.history import History
from tests.emulator.images import Blob, Image
from tests.emulator.manifests import digest_of
from tests.emulator.switches import CloudRegistrySwitches

DIGESTS = [digest_of(name) for name in "abcd"]
TAGS = ["v1", "v2", "latest"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.sampled_from("abcd"), st.sets(st.sampled_from(TAGS))),
        st.tuples(st.just("tag"), st.sampled_from("abcd"), st.sampled_from(TAGS)),
        st.tuples(st.just("delete"), st.sampled_from([*TAGS, *DIGESTS]), st.booleans()),
    ),
    max_size=12,
)


def image(name: str, tags: set[str]) -> Image:
    config = Blob(digest_of(f"config {name}"), 1)
    return Image(name, "crp1/app", digest_of(name), 1, config, (), tuple(sorted(tags)), 0.0, 0.0)


@given(STEPS, st.booleans())
def test_every_image_has_a_name_and_every_name_an_image(steps: list[Any], keeps_id: bool) -> None:
    registries = CloudRegistries(History())
    registries.switches = CloudRegistrySwitches(retag_keeps_id=keeps_id)
    registry = CloudRegistry(Registry(id="crp1"))
    registries.add(registry)
    repository = registries.upsert_repository(registry, "app", 0.0)
    owner: dict[str, str] = {}  # what each tag names, by the letter
    bare: set[str] = set()
    for number, (verb, subject, argument) in enumerate(steps):
        held = set(owner.values()) | bare
        if verb == "push":
            registries.push(registry, repository, image(subject, argument), number)
            moved = argument
        elif verb == "tag" and subject in held:
            known = repository.image_of(digest_of(subject))
            assert known is not None
            registries.put_tag(registry, repository, argument, known, number)
            moved = {argument}
        elif verb == "delete" and subject in repository.artifacts:
            registries.remove(repository.artifacts[subject].id, with_history=argument)
            owner.pop(subject, None)
            bare = {letter for letter in bare if digest_of(letter) != subject}
            moved = None
        else:
            continue
        if moved is not None:
            owner |= dict.fromkeys(moved, subject)
            bare = (held | {subject}) - set(owner.values())
        expected = {tag: digest_of(letter) for tag, letter in owner.items()}
        expected |= {digest_of(letter): digest_of(letter) for letter in bare}
        assert {
            name: node.image.digest for name, node in repository.artifacts.items() if node.image
        } == expected
        assert set(repository.owner_of_digest) == set(expected.values())
        assert {item.digest for item in repository.images.all()} == set(expected.values())
        nodes = [node for node in registry.by_path.values() if node.kind == ARTIFACT]
        assert {node.id: node for node in nodes} == {
            key: node for key, node in registries.nodes.items() if node.kind == ARTIFACT
        }
        assert len(nodes) == len(expected)
