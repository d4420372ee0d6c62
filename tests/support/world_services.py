"""The two registry services as worlds see them: how each is asked, and how others change what it holds.

A world is made of registries of both. Those of Cloud Registry have their policies themselves, and an image
there goes artifact by artifact.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.emulator.images import Image
from tests.support.world_replay import Snapshot

Document = dict[str, Any]


@dataclass(frozen=True)
class Calls:
    """What the emulator's faults and changes match: lists of a repository, deletes, manifests, dry runs."""

    lists: str
    query: str
    deletes: str
    manifests: str
    dry_runs: str
    policies: str


CONTAINER = Calls(
    lists="GET /container-registry/v1/images",
    query="repositoryName={registry_id}/{repository}",
    deletes="DELETE /container-registry/v1/images/",
    manifests="GET /v2/",
    dry_runs="POST /container-registry/v1/dryRunLifecyclePolicy/*",
    policies="GET /container-registry/v1/lifecyclePolicies",
)
CLOUD = Calls(
    lists="GET /cloud-registry/v1/registries/*:listArtifacts",
    query="path=/{repository}",
    deletes="DELETE /cloud-registry/v1/artifacts/",
    manifests="GET */v2/",
    dry_runs="POST /cloud-registry/v1/lifecyclePolicies/*:dryRun",
    policies="GET /cloud-registry/v1/lifecyclePolicies",
)


@dataclass(frozen=True)
class Scene:
    """What a world holds; `likely` are the images that a clean-up would delete if nothing happened."""

    cloud: Document
    begin: Snapshot
    likely: list[Image]

    @property
    def images(self) -> list[Image]:
        return list(self.begin.images.values())

    def some(self, dice: random.Random) -> Image:
        return dice.choice(self.likely if self.likely and dice.random() < 0.75 else self.images)

    def beside(self, image: Image) -> list[Image]:
        return [other for other in self.images if other.name == image.name and other.id != image.id]

    def an_index(self, dice: random.Random) -> Image:
        going = [image for image in self.likely if image.config is None]
        indexes = [image for image in self.images if image.config is None]
        return dice.choice(going or indexes or self.images)

    def calls(self, dice: random.Random) -> Calls:
        """Those of one of the services that have a registry here."""
        services = [CONTAINER] * bool(self.cloud["registries"]) + [CLOUD] * bool(
            self.cloud["cloud_registries"]
        )
        return services[0] if len(services) == 1 else dice.choice(services)

    def calls_of(self, image: Image) -> Calls:
        return CLOUD if image.id in self.begin.parts else CONTAINER

    def deleting(self, dice: random.Random, image: Image) -> str:
        """The delete of the image, or of one of its artifacts."""
        parts = self.begin.parts.get(image.id, [image.id])
        return self.calls_of(image).deletes + (parts[0] if len(parts) == 1 else dice.choice(parts))

    def listing(self, image: Image) -> Document:
        """Lists of the image's repository."""
        calls, (registry_id, _, repository) = self.calls_of(image), image.name.partition("/")
        query = calls.query.format(registry_id=registry_id, repository=repository)
        return {"match": calls.lists.replace("*", registry_id), "query": query}

    def ids(self, *images: Image) -> list[str]:
        """What a list must lack to lack these images."""
        return [part for image in images for part in self.begin.parts.get(image.id, [image.id])]

    def policies_of(self, image: Image) -> list[Document]:
        registry_id, _, repository = image.name.partition("/")
        of_registry = self.cloud["cloud_registries"] if self.calls_of(image) is CLOUD else []
        own = [registry["policies"] for registry in of_registry if registry["id"] == registry_id]
        own += [
            contents["policies"]
            for registry in self.cloud["registries"]
            for contents in registry["repositories"]
            if (registry["id"], contents["name"]) == (registry_id, repository)
        ]
        return [policy for policies in own for policy in policies]

    def tagged(self, image: Image, tag: str) -> Document:
        """The image gets the tag, whatever had it before."""
        if self.calls_of(image) is CONTAINER:
            return {"add_tag": {"image_id": image.id, "tag": tag}}
        return {"put_tag": {**_place(image), "digest": image.digest, "tag": tag}}

    def pushed(self, beside: Image, document: Document) -> Document:
        """An image is pushed to the repository of another."""
        verb = "add_image" if self.calls_of(beside) is CONTAINER else "push_artifact"
        return {verb: {**_place(beside), "image": document}}

    def deleted(self, dice: random.Random, image: Image) -> Document:
        """The image is deleted, or one of its artifacts."""
        if self.calls_of(image) is CONTAINER:
            return {"delete_image": {"image_id": image.id}}
        return {"delete_artifact": {"artifact_id": dice.choice(self.begin.parts[image.id])}}

    def without_policy(self, image: Image, policy: Document) -> Document:
        verb = "delete_policy" if self.calls_of(image) is CONTAINER else "delete_cloud_policy"
        return {verb: {"policy_id": policy["id"]}}

    def with_policy_changed(self, dice: random.Random, image: Image, policy: Document) -> Document:
        """The policy is disabled, or takes other images."""
        disabled = dice.random() < 0.4
        if self.calls_of(image) is CONTAINER:
            rules = [{"tag_regexp": "nothing-.*", "retained_top": 9}]
            change = {"status": "DISABLED"} if disabled else {"rules": rules}
            return {"put_policy": {**_place(image), "policy": {**policy, **change}}}
        rules = [{"versionRegexp": "nothing-.*", "delete": {"type": "HARD_DELETE", "always": True}}]
        change = {"state": "DISABLED"} if disabled else {"rules": rules}
        registry_id = image.name.partition("/")[0]
        return {"put_cloud_policy": {"registry_id": registry_id, "policy": {**policy, **change}}}


def _place(image: Image) -> Document:
    registry_id, _, repository = image.name.partition("/")
    return {"registry_id": registry_id, "repository": repository}
