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
from tests.support.world_needs import needed, taken_by_policy, taken_by_rules
from tests.support.world_replay import Replay, Snapshot
from tests.support.world_services import CLOUD, Scene
from tests.support.world_trouble import forbidden_source, trouble_in

Document = dict[str, Any]

REPOSITORIES = ("app", "team/web", "team/base", "signatures")
TAGS = (*(f"v{n}" for n in range(1, 10)), *(f"build-{n}" for n in range(1, 9)), "feature-a-1", "feature-a-2")
TAGS += ("feature-b-1", "stable", "latest", "prod")
DELETE_TAGS = (".*", "v.*", "build-.*", "feature-.*", "(v|build-).*")
KEEP_TAGS = ("v[12]", "stable|prod", "build-[37]", "latest")
GROUP = "feature-(?P<group>[^-]+)-.*"
HOSTS = ("cr.yandex", "registry.yandexcloud.net")
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
    count = dice.choice((1, 1, 1, 2))
    kinds = _kinds(seed, count)
    registries = [_registry(dice, seed, number, kind) for number, kind in enumerate(kinds)]
    cloud: Document = {"registries": [], "cloud_registries": []}
    for kind, registry in zip(kinds, registries, strict=True):
        cloud[kind].append(registry)
    switches = _switches(seed)
    images = _images_in(cloud, switches)
    single = [image for image in images if image.config]  # nobody looks for an index where none is said to be
    for registry in registries:
        _add_malformed(dice, registry, images if switches["children_listed"] else single)
        _add_signatures_elsewhere(dice, registry, images)
    images = _images_in(cloud, switches)
    cloud |= _workloads(dice, images, {registry["id"] for registry in cloud["cloud_registries"]})
    settings = _settings(dice)
    begin = Replay(cloud, [], switches).end
    likely = _likely_to_go(begin, settings)
    changes, faults = trouble_in(dice, Scene(cloud, begin, likely))
    changes += _pushed_again(random.Random(f"pushed again in world {seed}"), cloud, begin, likely)
    blind = dice.random() < 0.02
    behaviour: Document = {
        "changes": changes,
        "faults": [forbidden_source(dice), *faults] if blind else faults,
        "operation_ms": dice.choice((0, 0, 0, 40)),
        "v2_auth": dice.choice(("bearer", "basic", "none")),
        "cloud_registry": switches,
    }
    return World(seed, cloud, settings, behaviour, blind)


def _kinds(seed: int, count: int) -> list[str]:
    """In which service each registry is: of a third of the worlds all are in Cloud Registry, or one is."""
    dice = random.Random(f"services of world {seed}")
    if count == 2 and dice.random() < 0.4:
        return ["registries", "cloud_registries"]
    return [dice.choice(("registries", "registries", "cloud_registries"))] * count


def _switches(seed: int) -> Document:
    """What nobody knows of Cloud Registry yet, one way or the other."""
    dice = random.Random(f"switches of world {seed}")
    names = ("children_listed", "untagged_kept", "deleted_listed", "retag_keeps_id", "retag_keeps_created_at")
    return {name: dice.random() < 0.5 for name in (*names, "retained_in_dry_run", "registry_id_told")}


def _images_in(cloud: Document, switches: Document) -> list[Image]:
    return list(Replay(cloud, [], switches).end.images.values())


def _likely_to_go(now: Snapshot, settings: Document) -> list[Image]:
    """What a clean-up would delete if nothing happened, at which others and the cloud's faults aim."""
    return [
        image
        for image in now.images.values()
        if (taken_by_policy(now, image, settings) or taken_by_rules(now, image, settings))
        and not needed(now, now, image, settings)
        and not any(use.is_of(image) for use in now.uses)
    ]


def _pushed_again(
    dice: random.Random, cloud: Document, begin: Snapshot, likely: list[Image]
) -> list[Document]:
    """The manifest of an image that goes is pushed anew amid the deletes, as builds do that always make the
    same.
    """
    going = {begin.made_as.get(image.id) for image in likely}
    documents = [
        {"registry_id": registry["id"], "repository": repository["name"], "image": image}
        for registry in cloud["cloud_registries"]
        for repository in registry["repositories"]
        for image in repository["images"]
        if image["id"] in going and "created_at" not in image
    ]
    if not documents or dice.random() < 0.6:
        return []
    indexes = [document for document in documents if "index" in document["image"]]
    chosen = dice.choice(indexes if indexes and dice.random() < 0.7 else documents)
    image = {**chosen["image"], "age": "3m"}
    if dice.random() < 0.5:
        image["tags"] = ["again"]
    moment = {"after": f"{CLOUD.deletes}*", "skip": dice.choice((0, 0, 1, 2, 4))}
    return [{**moment, "do": {"push_artifact": {**chosen, "image": image}}}]


def _registry(dice: random.Random, seed: int, number: int, kind: str) -> Document:
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
    registry: Document = {
        "id": stem.ljust(20, "0"),
        "folder_id": FOLDER,
        "name": f"registry-{number}",
        "repositories": repositories,
    }
    if kind == "cloud_registries":
        registry["policies"] = _registry_policies(random.Random(f"policies of {stem}"), stem)
        for repository in repositories:
            del repository["id"], repository["policies"]
    return registry


def _registry_policies(dice: random.Random, stem: str) -> list[Document]:
    """Those of a registry in Cloud Registry."""
    states = dice.choice((["ENABLED"], ["ENABLED"], ["ENABLED", "DISABLED"], ["DISABLED"], []))
    return [
        {
            "id": f"{stem}p{place}".ljust(20, "0"),
            "name": f"policy-{ {'ENABLED': 'active'}.get(state, 'disabled') }",
            "state": state,
            "rules": [_registry_rule(dice) for _ in range(dice.choice((1, 1, 2, 3)))],
        }
        for place, state in enumerate(states)
    ]


def _registry_rule(dice: random.Random) -> Document:
    rule: Document = {}
    if dice.random() < 0.4:
        rule["versionRegexp"] = dice.choice((*DELETE_TAGS, "sha256-.*"))
    if dice.random() < 0.3:
        rule["pathPrefix"] = dice.choice(("team", "app"))
    if dice.random() < 0.3:
        rule["dockerFilters"] = {"tagStatus": dice.choice(("TAGGED", "UNTAGGED"))}
    if dice.random() < 0.3:
        keep: Document = {"keepByVersion": {"keepVersionsCount": dice.randint(1, 4)}}
        return rule | dice.choice((keep, {"keepByAge": {"youngerThanDays": dice.choice((1, 7, 14))}}))
    condition: Document = dice.choice(
        (
            {"olderThanDays": dice.choice((1, 7, 14))},
            {"olderThanDays": dice.choice((1, 7, 14))},
            {"versionCondition": {"versionsCountGreaterThan": dice.randint(1, 4)}},
            {"always": True},
        )
    )
    kind = dice.choice(("HARD_DELETE", "SOFT_DELETE"))
    return rule | {"delete": {"type": kind, **condition}}


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
        if dice.random() < 0.35 and own:
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


def reference_to(dice: random.Random, image: Image, host: str = HOSTS[0]) -> tuple[str, str]:
    """A reference to the image as a workload would have it, and the digest that it was resolved to, if that
    is known.
    """
    path = f"{host}/{image.name}"
    if not image.tags or dice.random() < 0.25:
        return f"{path}@{image.digest}", ""
    return f"{path}:{dice.choice(image.tags)}", dice.choice(("", image.digest))


def _workloads(dice: random.Random, images: list[Image], in_cloud_registry: set[str]) -> Document:
    used = dice.sample(images, min(len(images), dice.choice((0, 1, 2, 3, 5))))
    made: Document = {"containers": [], "instances": [], "instance_groups": [], "clusters": []}
    for number, image in enumerate(used):
        hosts = HOSTS if image.name.partition("/")[0] in in_cloud_registry else HOSTS[:1]
        reference, digest = reference_to(dice, image, hosts[number % len(hosts)])
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
