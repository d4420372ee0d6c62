"""Makes a world from a number: a cloud, settings, what others change while a clean-up works, and what goes
wrong.

The same number makes the same world. Ages are odd hours and policies count whole days, so that nothing
depends on the second at which a world is made. Ids and digests differ between worlds, for a warm process
remembers digests.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.conftest import FOLDER
from tests.emulator.images import Image
from tests.emulator.manifests import OCI_INDEX, OCI_MANIFEST
from tests.emulator.seed import state_from
from tests.support.world_needs import needed, taken_by_policy, taken_by_rules
from tests.support.world_replay import Replay
from tests.support.world_trouble import Scene, forbidden_source, trouble_in

Document = dict[str, Any]

REPOSITORIES = ("app", "team/web", "team/base", "signatures")
TAGS = (*(f"v{n}" for n in range(1, 10)), *(f"build-{n}" for n in range(1, 9)), "feature-a-1", "feature-a-2")
TAGS += ("feature-b-1", "stable", "latest", "prod")
DELETE_TAGS = (".*", "v.*", "build-.*", "feature-.*", "(v|build-).*")
KEEP_TAGS = ("v[12]", "stable|prod", "build-[37]", "latest")
GROUP = "feature-(?P<group>[^-]+)-.*"
ABSURD = "1970-01-01T00:00:00Z"
CACHE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DEEPEST = 3


@dataclass(frozen=True)
class World:
    """`blind`: something that runs images can never be looked at, so nothing may be deleted at all."""

    seed: int
    cloud: Document
    settings: Document
    behaviour: Document
    blind: bool = False


def world(seed: int) -> World:
    dice = random.Random(f"world {seed}")
    registries = [_registry(dice, seed, number) for number in range(dice.choice((1, 1, 1, 2)))]
    images = list(state_from({"registries": registries}).images.values())
    for registry in registries:
        _add_malformed(dice, registry, images)
        _add_signatures_elsewhere(dice, registry, images)
    images = list(state_from({"registries": registries}).images.values())
    workloads, settings = _workloads(dice, images), _settings(dice)
    cloud = {"registries": registries, **workloads}
    scene = Scene(registries, images, _likely_to_go(cloud, settings), workloads)
    changes, faults = trouble_in(dice, scene)
    blind = dice.random() < 0.02
    behaviour: Document = {
        "changes": changes,
        "faults": [forbidden_source(dice), *faults] if blind else faults,
        "operation_ms": dice.choice((0, 0, 0, 40)),
        "v2_auth": dice.choice(("bearer", "basic", "none")),
    }
    return World(seed, cloud, settings, behaviour, blind)


def _likely_to_go(cloud: Document, settings: Document) -> list[Image]:
    """What a clean-up would delete if nothing happened, at which others and the cloud's faults aim."""
    now = Replay(cloud, []).end
    return [
        image
        for image in now.images.values()
        if (taken_by_policy(now, image, settings) or taken_by_rules(now, image, settings))
        and not needed(now, now, image, settings)
        and not any(use.is_of(image) for use in now.uses)
    ]


def _registry(dice: random.Random, seed: int, number: int) -> Document:
    stem = f"crp{seed:06}{'ab'[number]}"
    names = dice.sample(REPOSITORIES, dice.choice((1, 1, 2, 3, 4)) if number == 0 else 1)
    repositories = [
        {
            "name": name,
            "id": f"{stem}r{place}".ljust(20, "0"),
            "policies": _policies(dice, f"{stem}p{place}"),
            "images": _images(dice, f"{stem}i{place}"),
        }
        for place, name in enumerate(names)
    ]
    return {
        "id": stem.ljust(20, "0"),
        "folder_id": FOLDER,
        "name": f"registry-{number}",
        "repositories": repositories,
    }


def _policies(dice: random.Random, stem: str) -> list[Document]:
    statuses = dice.choice((["ACTIVE"], ["ACTIVE"], ["ACTIVE", "DISABLED"], ["DISABLED"], []))
    return [
        {
            "id": f"{stem}{place}".ljust(20, "0"),
            "name": f"policy-{status.lower()}",
            "status": status,
            "rules": [policy_rule(dice) for _ in range(dice.choice((1, 1, 2)))],
        }
        for place, status in enumerate(statuses)
    ]


def policy_rule(dice: random.Random) -> Document:
    rule: Document = {}
    if dice.random() < 0.7:
        rule["tag_regexp"] = dice.choice((*DELETE_TAGS, "sha256-.*"))
    if not rule or dice.random() < 0.6:
        rule["untagged"] = True
    if dice.random() < 0.6:
        rule["expire_period"] = dice.choice(("24h", "168h", "336h"))
    if "expire_period" not in rule or dice.random() < 0.4:
        rule["retained_top"] = dice.randint(1, 4)
    return rule


def age(dice: random.Random, most_days: int = 40) -> str:
    return f"{dice.randrange(most_days) * 24 + dice.randint(1, 22)}h"


def _images(dice: random.Random, stem: str) -> list[Document]:
    free_tags, images = list(TAGS), list[Document]()
    dice.shuffle(free_tags)

    def add(**more: Any) -> Document:
        image: Document = {"id": f"{stem}{len(images):02}".ljust(20, "0"), "age": age(dice), **more}
        if dice.random() < 0.02:
            image["created_at"] = ABSURD
            del image["age"]
        images.append(image)
        return image

    for _ in range(dice.randint(3, 9)):
        count = dice.choice((0, 0, 1, 1, 1, 2))
        add(layers=1, **({"tags": [free_tags.pop() for _ in range(count)]} if count else {}))
    _add_indexes(dice, images, free_tags, add)
    _add_referrers(dice, images, add)
    return images


def _add_indexes(dice: random.Random, images: list[Document], free_tags: list[str], add: Any) -> None:
    depth = {image["id"]: 0 for image in images}
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        possible = [name for name in depth if depth[name] < DEEPEST]
        nested = [name for name in possible if depth[name]]
        children = set(dice.sample(possible, min(len(possible), dice.randint(1, 3))))
        if nested and dice.random() < 0.6:
            children.add(dice.choice(nested))
        if any(image.get("index") == sorted(children) for image in images):
            continue  # it would be the same image
        tags = {"tags": [free_tags.pop()]} if dice.random() < 0.6 else {}
        made = add(index=sorted(children), **tags)
        depth[made["id"]] = 1 + max(depth[child] for child in children)


def _add_referrers(dice: random.Random, images: list[Document], add: Any) -> None:
    kinds = ("subject", "signature_of", "attestation_of", "sbom_of", "referrers_tag_of")
    pairs = [(kind, image["id"]) for kind in kinds for image in images]
    for kind, subject in dice.sample(pairs, min(len(pairs), dice.choice((0, 1, 2, 4)))):
        if kind == "referrers_tag_of":
            artifact = add(subject=subject, layers=1)
            add(index=[artifact["id"]], referrers_tag_of=subject)
        else:
            add(**{kind: subject}, layers=1)


def _add_malformed(dice: random.Random, registry: Document, images: list[Image]) -> None:
    """Indexes that a strict reader refuses, or that hold what is no image."""
    for place, repository in enumerate(registry["repositories"]):
        own = [image for image in images if image.name == f"{registry['id']}/{repository['name']}"]
        if dice.random() < 0.35:
            child = dice.choice([image for image in own if not image.tags] or own)
            manifest = malformed(dice, child.digest, dice.choice(own).digest)
            stem = registry["id"].rstrip("0")
            tags = {"tags": ["multi"]} if dice.random() < 0.8 else {}
            repository["images"].append(
                {"id": f"{stem}m{place}".ljust(20, "0"), "age": age(dice), "media_type": OCI_INDEX, **tags}
                | {"manifest": manifest}
            )


def malformed(dice: random.Random, child: str, other: str) -> Any:
    entry: Document = {"mediaType": OCI_MANIFEST, "digest": child, "size": 500}
    layers = {"mediaType": CACHE, "digest": "sha256:" + f"{dice.getrandbits(256):064x}", "size": 7}
    config = {**layers, "mediaType": "application/vnd.buildkit.cacheconfig.v0"}
    return dice.choice(
        (
            {"schemaVersion": 2, "manifests": [{"mediaType": None, "digest": child}]},
            {"schemaVersion": 2, "manifests": [{"digest": child}, {"digest": other}]},
            {"schemaVersion": 2, "manifests": [entry], "subject": "text"},
            {"schemaVersion": 2, "manifests": [None, entry]},
            {"schemaVersion": 2, "manifests": [{**entry, "size": "big", "platform": 5}]},
            {"schemaVersion": "2", "manifests": [{**entry, "mediaType": 7}]},
            {"manifests": [{**entry, "annotations": ["a"]}], "annotations": None, "subject": None},
            f'{{"schemaVersion": 2, "manifests": [{{"digest": "{child}"}}]}} and more',
            f'{{"schemaVersion": 2, "manifests": {{"amd64": {{"digest": "{child}"}}}}}}',
            {"schemaVersion": 2, "manifests": [layers, config], "mediaType": OCI_INDEX},
        )
    )


def _add_signatures_elsewhere(dice: random.Random, registry: Document, images: list[Image]) -> None:
    repositories = registry["repositories"]
    if len(repositories) < 2 or dice.random() < 0.4:
        return
    target = dice.choice(repositories)
    target_name = f"{registry['id']}/{target['name']}"
    signed = [
        image for image in images if image.name != target_name and image.name.startswith(registry["id"])
    ]
    stem = registry["id"].rstrip("0")
    for number, image in enumerate(dice.sample(signed, min(len(signed), dice.randint(1, 3)))):
        ending = dice.choice((".sig", ".att", ".sbom"))
        target["images"].append(
            {"id": f"{stem}s{number}".ljust(20, "0"), "age": age(dice), "layers": 1}
            | {"tags": [image.digest.replace(":", "-") + ending]}
        )


def reference_to(dice: random.Random, image: Image) -> tuple[str, str]:
    """A reference to the image as a workload would have it, and the digest that it was resolved to, if that
    is known.
    """
    path = f"cr.yandex/{image.name}"
    if not image.tags or dice.random() < 0.25:
        return f"{path}@{image.digest}", ""
    return f"{path}:{dice.choice(image.tags)}", dice.choice(("", image.digest))


def _workloads(dice: random.Random, images: list[Image]) -> Document:
    used = dice.sample(images, min(len(images), dice.choice((0, 1, 2, 3, 5))))
    made: Document = {"containers": [], "instances": [], "instance_groups": [], "clusters": []}
    for number, image in enumerate(used):
        reference, digest = reference_to(dice, image)
        metadata = dice.choice(
            (
                {"docker-compose": f"services:\n  web:\n    image: {reference}\n"},
                {"user-data": f"#cloud-config\nruncmd:\n  - docker run -d {reference}\n"},
                {
                    "docker-container-declaration": f"spec:\n  containers:\n  - image: {reference}\n    name:"
                    " m\n"
                },
            )
        )
        kind = dice.choice(("containers", "containers", "instances", "instance_groups", "clusters"))
        if kind == "containers":
            status = dice.choice(("ACTIVE", "ACTIVE", "CREATING", "OBSOLETE"))
            revision = {"id": f"bbarev{number}", "image": reference, "digest": digest, "status": status}
            made[kind].append({"id": f"bba{number}", "name": f"web-{number}", "revisions": [revision]})
        elif kind != "clusters":
            made[kind].append({"id": f"fhm{number}", "name": f"machine-{number}", "metadata": metadata})
        elif not made[kind] and dice.random() < 0.3:
            pod = {"containers": [{"name": "main", "image": reference}]}
            deployment = {"kind": "Deployment", "metadata": {"name": "web"}}
            made[kind].append(
                {"id": "cat1", "name": "production", "objects": [deployment]}
                | {"objects": [{**deployment, "spec": {"template": {"spec": pod}}}]}
            )
    return made


def _settings(dice: random.Random) -> Document:
    return {
        "folder_id": FOLDER,
        "mode": "apply",
        "lifecycle_policies": {"apply": dice.choice(("active", "active", ["active", "policy-disabled"]))},
        "limits": {"max_share": dice.choice((1.0, 1.0, 1.0, 0.5)), "concurrency": dice.choice((1, 1, 4))},
        "guards": {
            "keep_tags": dice.choice(([], [], ["prod"], ["stable", "latest"])),
            "grace": dice.choice(("0h", "0h", "0h", "36h")),
        },
        "rules": [_rule(dice, number) for number in range(dice.choice((0, 0, 1, 1, 2, 3)))],
    }


def _rule(dice: random.Random, number: int) -> Document:
    repositories = dice.choice((["**"], ["**"], ["team/**"], ["app"], ["**", "!team/base"]))
    rule: Document = {"name": f"rule-{number}", "repositories": repositories}
    if dice.random() < 0.25:
        rule |= {"action": "keep", "tags": dice.choice(KEEP_TAGS)}
        return rule | ({"keep_newest": dice.randint(1, 2)} if dice.random() < 0.3 else {})
    if dice.random() < 0.2:
        return rule | {"tags": "feature-.*", "group_by": GROUP, "keep_newest": 1}
    if dice.random() < 0.7:
        rule["tags"] = dice.choice(DELETE_TAGS)
    if "tags" not in rule or dice.random() < 0.6:
        rule["untagged"] = True
    if dice.random() < 0.7:
        rule["older_than"] = dice.choice(("1d", "5d", "2w"))
    if "older_than" not in rule or dice.random() < 0.4:
        rule["keep_newest"] = dice.randint(1, 4)
    return rule
