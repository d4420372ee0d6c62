"""What happens to a clean-up in a world: changes that others make while it works, faults, and answers that
lie.
"""

from __future__ import annotations

import json
import random
from typing import Any

from tests.emulator.images import Image
from tests.support.world_services import Scene

Document = dict[str, Any]

SOURCES = ("/containers/v1/revisions", "/compute/v1/instances", "/compute/v1/instanceGroups")
SLOW_MS = 800  # at the speed of the tests' clock, as long as 16 seconds


def trouble_in(dice: random.Random, scene: Scene) -> tuple[list[Document], list[Document]]:
    """The changes that others make, and the faults."""
    changes, faults = _plot(dice, scene) if dice.random() < 0.35 else ([], [])
    for number in range(dice.choice((0, 1, 1, 2, 2, 3, 5))):
        changes.append({**_moment(dice, scene), "do": _change(dice, number, scene)})
    faults += [_fault(dice, scene) for _ in range(dice.choice((0, 0, 1, 1, 2, 3)))]
    return changes, [fault for fault in faults if not _hides(fault, scene)]


def _hides(fault: Document, scene: Scene) -> bool:
    """Whether the fault hides for good what a manifest holds that no list shows either: nobody can know."""
    untold = {image.digest for image in scene.images if not scene.begin.tells_of(image.id)}
    missing = fault.get("status") == 404 and "times" not in fault
    return missing and fault["match"].rpartition("/")[2] in untold


def _plot(dice: random.Random, scene: Scene) -> tuple[list[Document], list[Document]]:
    """Trouble that goes together."""
    index, skip, deletes = scene.an_index(dice), dice.randint(0, 2), f"{scene.calls(dice).deletes}*"
    if dice.random() < 0.05:  # the look at what runs becomes more than a minute old
        late = {"match": deletes, "times": 5, "delay_ms": SLOW_MS}
        runs = {"after": deletes, "do": {"run": _deployed(dice, 9, scene.some(dice))}}
        return [runs], [late]
    if dice.random() < 0.5:  # the index stays, and a list does not show it
        stays: Document = dice.choice(
            ({"status": 403, "code": 7}, {"operation_error": {"code": 9, "message": "it is locked"}})
        )
        lie: Document = dice.choice(({"status": 200, "body": "{}"}, {"omit": scene.ids(index)}))
        return [], [
            {"match": scene.deleting(dice, index), **stays},
            {**scene.listing(index), "skip": dice.choice((1, 2, 2, 3)), "times": 1, **lie},
        ]
    late = {"match": deletes, "skip": skip, "times": 1, "delay_ms": SLOW_MS}
    moment = {"after": deletes, "skip": max(0, skip - dice.randint(0, 1))}
    return [{**moment, "do": _change(dice, number, scene)} for number in (7, 8)], [late]


def _moment(dice: random.Random, scene: Scene) -> Document:
    calls = scene.calls(dice)
    after = dice.choice(
        (
            calls.lists,
            calls.lists,
            f"{calls.deletes}*",
            f"{calls.deletes}*",
            f"{calls.manifests}*/manifests/*",
            calls.dry_runs,
            calls.policies,
        )
    )
    if dice.random() < 0.4:
        return {"before_call": dice.randint(3, 90)}
    return {"after": after, "skip": dice.choice((0, 0, 1, 1, 2, 3, 5))}


def _change(dice: random.Random, number: int, scene: Scene) -> Document:
    image = scene.some(dice)
    stem, image_id = image.name.partition("/")[0].rstrip("0"), scene.begin.made_as.get(image.id, image.id)
    pushed = {"id": f"{stem}n{number}".ljust(20, "0"), "age": f"{50 + number}m"}
    policies = scene.policies_of(image)
    kind = dice.choice(
        ("tag", "tag", "move", "hold", "hold", "sign", "run", "run", "delete", "policy", "push")
    )
    if kind == "policy" and policies:
        policy = dice.choice(policies)
        if dice.random() < 0.5:
            return scene.without_policy(image, policy)
        return scene.with_policy_changed(dice, image, policy)
    if kind == "move":
        named = [tag for other in scene.beside(image) for tag in other.tags if not tag.startswith("sha256-")]
        return scene.tagged(image, dice.choice(named or ["moved"]))
    if kind == "hold":
        tags = {"tags": [f"multi-{number}"]} if dice.random() < 0.8 else {}
        return scene.pushed(image, {**pushed, **tags, "index": [image_id]})
    if kind == "sign":
        key = dice.choice(("subject", "signature_of"))
        return scene.pushed(image, {**pushed, key: image_id, "layers": 1})
    if kind == "push":
        return scene.pushed(image, {**pushed, "tags": [f"v{number + 20}"], "layers": 1})
    if kind == "delete":
        staying = [other for other in scene.beside(image) if other not in scene.likely]
        return scene.deleted(dice, dice.choice(staying or [image]))
    if kind == "run":
        return {"run": _deployed(dice, number, image)}
    return scene.tagged(image, dice.choice(("important", f"v{number + 30}")))


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
        return _listing_fault(dice, scene)
    if kind < 0.87:
        return _manifest_fault(dice, scene)
    return _source_fault(dice, scene.cloud)


def _delete_fault(dice: random.Random, scene: Scene) -> Document:
    image = scene.an_index(dice) if dice.random() < 0.5 else scene.some(dice)
    skip, own, every = dice.randint(0, 4), scene.deleting(dice, image), f"{scene.calls_of(image).deletes}*"
    return dice.choice(
        (
            {"match": own, "status": 403, "code": 7},
            {"match": own, "status": 403, "code": 7},
            {"match": own, "operation_error": {"code": 9, "message": "it is locked"}},
            {"match": every, "skip": skip, "times": 2, "status": 500, "code": 13},
            {"match": every, "skip": skip, "times": 1, "status": 429, "code": 8},
            {"match": every, "skip": skip, "times": 1, "cut": "after"},
            {"match": every, "skip": skip, "times": 1, "cut": "before"},
            {"match": every, "skip": skip, "times": 1, "cut": "body"},
            {"match": own, "status": 404, "code": 5},
            {"match": every, "skip": skip, "times": 1, "delay_ms": SLOW_MS},
        )
    )


def _listing_fault(dice: random.Random, scene: Scene) -> Document:
    """An empty or partial list that says 200, once; or a tagged image that no list shows."""
    images = scene.images
    image = dice.choice(images)
    skip = dice.choice((0, 1, 1, 2, 2, 3))
    of_repository = {**scene.listing(image), "skip": skip}
    tagged = [other for other in images if other.tags]
    tagged_indexes = [other for other in tagged if other.config is None]
    hidden = dice.choice(tagged_indexes or tagged or images)
    if hidden.tags and dice.random() < 0.3:
        return {**scene.listing(hidden), "omit": scene.ids(hidden)}
    some = [other for other in images if other.name == image.name and dice.random() < 0.5]
    return dice.choice(
        (
            {**of_repository, "times": 1, "status": 200, "body": "{}"},
            {**of_repository, "times": 1, "omit": scene.ids(*(some or [image]))},
            {**of_repository, "times": 1, "omit": scene.ids(image)},
            {**of_repository, "times": 2, "status": 503, "code": 14},
        )
    )


def _manifest_fault(dice: random.Random, scene: Scene) -> Document:
    indexes = [image for image in scene.images if image.config is None]
    image = dice.choice(indexes if indexes and dice.random() < 0.7 else scene.images)
    one = {"match": f"{scene.calls_of(image).manifests}{image.name}/manifests/{image.digest}"}
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
