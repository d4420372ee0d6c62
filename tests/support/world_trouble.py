"""What happens to a clean-up in a world: changes that others make while it works, faults, and answers that
lie.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from tests.emulator.images import Image

Document = dict[str, Any]

LIST, DELETE = "GET /container-registry/v1/images", "DELETE /container-registry/v1/images/"
SOURCES = ("/containers/v1/revisions", "/compute/v1/instances", "/compute/v1/instanceGroups")
SLOW_MS = 800  # at the speed of the tests' clock, as long as 16 seconds


@dataclass(frozen=True)
class Scene:
    """What a world holds; `likely` are the images that a clean-up would delete if nothing happened."""

    registries: list[Document]
    images: list[Image]
    likely: list[Image]
    workloads: Document

    def some(self, dice: random.Random) -> Image:
        return dice.choice(self.likely if self.likely and dice.random() < 0.75 else self.images)

    def beside(self, image: Image) -> list[Image]:
        return [other for other in self.images if other.name == image.name and other.id != image.id]

    def an_index(self, dice: random.Random) -> Image:
        going = [image for image in self.likely if image.config is None]
        indexes = [image for image in self.images if image.config is None]
        return dice.choice(going or indexes or self.images)


def trouble_in(dice: random.Random, scene: Scene) -> tuple[list[Document], list[Document]]:
    """The changes that others make, and the faults."""
    changes, faults = _plot(dice, scene) if dice.random() < 0.35 else ([], [])
    for number in range(dice.choice((0, 1, 1, 2, 2, 3, 5))):
        changes.append({**_moment(dice), "do": _change(dice, number, scene)})
    faults += [_fault(dice, scene) for _ in range(dice.choice((0, 0, 1, 1, 2, 3)))]
    return changes, faults


def _plot(dice: random.Random, scene: Scene) -> tuple[list[Document], list[Document]]:
    """Trouble that goes together."""
    index, skip = scene.an_index(dice), dice.randint(0, 2)
    if dice.random() < 0.05:  # the look at what runs becomes more than a minute old
        late = {"match": f"{DELETE}*", "times": 5, "delay_ms": SLOW_MS}
        runs = {"after": f"{DELETE}*", "do": {"run": _deployed(dice, 9, scene.some(dice))}}
        return [runs], [late]
    if dice.random() < 0.5:  # the index stays, and a list does not show it
        stays: Document = dice.choice(
            ({"status": 403, "code": 7}, {"operation_error": {"code": 9, "message": "it is locked"}})
        )
        lie: Document = dice.choice(({"status": 200, "body": "{}"}, {"omit": [index.id]}))
        of_repository = {"match": LIST, "query": f"repositoryName={index.name}"}
        return [], [
            {"match": f"{DELETE}{index.id}", **stays},
            {**of_repository, "skip": dice.choice((1, 2, 2, 3)), "times": 1, **lie},
        ]
    late = {"match": f"{DELETE}*", "skip": skip, "times": 1, "delay_ms": SLOW_MS}
    moment = {"after": f"{DELETE}*", "skip": max(0, skip - dice.randint(0, 1))}
    return [{**moment, "do": _change(dice, number, scene)} for number in (7, 8)], [late]


def _moment(dice: random.Random) -> Document:
    after = dice.choice(
        (
            LIST,
            LIST,
            f"{DELETE}*",
            f"{DELETE}*",
            "GET /v2/*/manifests/*",
            "POST /container-registry/v1/dryRunLifecyclePolicy/*",
            "GET /container-registry/v1/lifecyclePolicies",
        )
    )
    if dice.random() < 0.4:
        return {"before_call": dice.randint(3, 90)}
    return {"after": after, "skip": dice.choice((0, 0, 1, 1, 2, 3, 5))}


def _change(dice: random.Random, number: int, scene: Scene) -> Document:
    image = scene.some(dice)
    registry_id, _, repository = image.name.partition("/")
    place = {"registry_id": registry_id, "repository": repository}
    pushed = {"id": f"{registry_id.rstrip('0')}n{number}".ljust(20, "0"), "age": f"{50 + number}m"}
    policies = _policies_at(scene.registries, registry_id, repository)
    kind = dice.choice(
        ("tag", "tag", "move", "hold", "hold", "sign", "run", "run", "delete", "policy", "push")
    )
    if kind == "policy" and policies:
        policy = dice.choice(policies)
        if dice.random() < 0.5:
            return {"delete_policy": {"policy_id": policy["id"]}}
        rules = [{"tag_regexp": "nothing-.*", "retained_top": 9}]
        change = {"status": "DISABLED"} if dice.random() < 0.4 else {"rules": rules}
        return {"put_policy": {**place, "policy": {**policy, **change}}}
    if kind == "move":
        named = [tag for other in scene.beside(image) for tag in other.tags if not tag.startswith("sha256-")]
        tag = dice.choice(named or ["moved"])
        return {"add_tag": {"image_id": image.id, "tag": tag}}
    if kind == "hold":
        tags = {"tags": [f"multi-{number}"]} if dice.random() < 0.8 else {}
        return {"add_image": {**place, "image": {**pushed, **tags, "index": [image.id]}}}
    if kind == "sign":
        key = dice.choice(("subject", "signature_of"))
        return {"add_image": {**place, "image": {**pushed, key: image.id, "layers": 1}}}
    if kind == "push":
        return {"add_image": {**place, "image": {**pushed, "tags": [f"v{number + 20}"], "layers": 1}}}
    if kind == "delete":
        staying = [other for other in scene.beside(image) if other not in scene.likely]
        return {"delete_image": {"image_id": dice.choice(staying or [image]).id}}
    if kind == "run":
        return {"run": _deployed(dice, number, image)}
    return {"add_tag": {"image_id": image.id, "tag": dice.choice(("important", f"v{number + 30}"))}}


def _policies_at(registries: list[Document], registry_id: str, repository: str) -> list[Document]:
    return [
        policy
        for registry in registries
        if registry["id"] == registry_id
        for contents in registry["repositories"]
        if contents["name"] == repository
        for policy in contents["policies"]
    ]


def _deployed(dice: random.Random, number: int, image: Image) -> Document:
    reference = f"cr.yandex/{image.name}@{image.digest}"
    if image.tags and dice.random() < 0.5:
        reference = f"cr.yandex/{image.name}:{image.tags[0]}"
    if dice.random() < 0.3:
        metadata = {"user-data": f"docker run {reference}"}
        return {"instances": [{"id": f"fhmnew{number}", "name": f"new-{number}", "metadata": metadata}]}
    revision = {"id": f"bbanewrev{number}", "image": reference, "age": "1s"}
    return {"containers": [{"id": f"bbanew{number}", "name": f"new-{number}", "revisions": [revision]}]}


def forbidden_source(dice: random.Random) -> Document:
    """Something that runs images may not be looked at, ever."""
    return {"match": f"GET {dice.choice(SOURCES)}", "status": 403, "code": 7}


def _fault(dice: random.Random, scene: Scene) -> Document:
    kind = dice.random()
    if kind < 0.45:
        return _delete_fault(dice, scene)
    if kind < 0.7:
        return _listing_fault(dice, scene.images)
    if kind < 0.87:
        return _manifest_fault(dice, scene.images)
    return _source_fault(dice, scene.workloads)


def _delete_fault(dice: random.Random, scene: Scene) -> Document:
    image = scene.an_index(dice) if dice.random() < 0.5 else scene.some(dice)
    skip = dice.randint(0, 4)
    return dice.choice(
        (
            {"match": f"{DELETE}{image.id}", "status": 403, "code": 7},
            {"match": f"{DELETE}{image.id}", "status": 403, "code": 7},
            {"match": f"{DELETE}{image.id}", "operation_error": {"code": 9, "message": "it is locked"}},
            {"match": f"{DELETE}*", "skip": skip, "times": 2, "status": 500, "code": 13},
            {"match": f"{DELETE}*", "skip": skip, "times": 1, "status": 429, "code": 8},
            {"match": f"{DELETE}*", "skip": skip, "times": 1, "cut": "after"},
            {"match": f"{DELETE}*", "skip": skip, "times": 1, "cut": "before"},
            {"match": f"{DELETE}*", "skip": skip, "times": 1, "cut": "body"},
            {"match": f"{DELETE}{image.id}", "status": 404, "code": 5},
            {"match": f"{DELETE}*", "skip": skip, "times": 1, "delay_ms": SLOW_MS},
        )
    )


def _listing_fault(dice: random.Random, images: list[Image]) -> Document:
    """An empty or partial list that says 200, once; or a tagged image that no list shows."""
    image = dice.choice(images)
    skip = dice.choice((0, 1, 1, 2, 2, 3))
    of_repository = {"match": LIST, "query": f"repositoryName={image.name}", "skip": skip}
    tagged = [other for other in images if other.tags]
    tagged_indexes = [other for other in tagged if other.config is None]
    hidden = dice.choice(tagged_indexes or tagged or images)
    if hidden.tags and dice.random() < 0.3:
        return {"match": LIST, "query": f"repositoryName={hidden.name}", "omit": [hidden.id]}
    some = [other.id for other in images if other.name == image.name and dice.random() < 0.5]
    return dice.choice(
        (
            {**of_repository, "times": 1, "status": 200, "body": "{}"},
            {**of_repository, "times": 1, "omit": some or [image.id]},
            {**of_repository, "times": 1, "omit": [image.id]},
            {**of_repository, "times": 2, "status": 503, "code": 14},
        )
    )


def _manifest_fault(dice: random.Random, images: list[Image]) -> Document:
    indexes = [image for image in images if image.config is None]
    image = dice.choice(indexes if indexes and dice.random() < 0.7 else images)
    one = {"match": f"GET /v2/{image.name}/manifests/{image.digest}"}
    return dice.choice(
        (
            {**one, "status": 404, "code": 5},
            {**one, "times": 1, "status": 404, "code": 5},
            {**one, "times": 2, "status": 500, "code": 13},
            {**one, "status": 403, "code": 7},
            {**one, "times": 1, "status": 200, "body": "{}"},
            {**one, "times": 1, "status": 200, "body": "garbage"},
            {**one, "times": 1, "cut": "body"},
        )
    )


def _source_fault(dice: random.Random, workloads: Document) -> Document:
    machines = workloads["instances"]
    if machines and dice.random() < 0.6:
        machine = dice.choice(machines)
        path = f"GET /compute/v1/instances/{machine['id']}"
        bare = json.dumps({"id": machine["id"], "name": machine["name"], "status": "RUNNING"})
        times: Document = dice.choice(({}, {"times": 1}))
        return dice.choice(
            (
                {"match": path, **times, "status": 404, "code": 5},
                {"match": path, **times, "status": 200, "body": bare},
            )
        )
    if workloads["containers"] and dice.random() < 0.5:
        return {"match": "GET /containers/v1/revisions", "status": 200, "body": "{}"}
    return {"match": f"GET {dice.choice(SOURCES)}", "times": 2, "status": 503, "code": 14}
