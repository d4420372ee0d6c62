"""The same seeds in either registry service, and what is left there by the ids that reports have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.conftest import FOLDER, Cloud

Document = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A registry service: ``api`` is the path of its API, ``calls`` one of each kind that a clean-up makes,
    ``lists`` those of a repository, of which there are ``looks`` before its first delete; ``viewer`` and
    ``pusher`` the roles that refusals name, ``registries`` where a seed has its registries.
    """

    api: str
    calls: tuple[str, ...]
    lists: str
    looks: int
    viewer: str
    pusher: str
    registries: str

    def seed(self, cloud: Cloud, *repositories: Document) -> None:
        """One registry with these repositories, told of as those of Container Registry are."""
        in_service: Document = {"registries": [], self.registries: [self.registry("crp1", *repositories)]}
        cloud.emulator.seed({"service_accounts": [cloud.account], **in_service})

    def registry(self, registry_id: str, *repositories: Document) -> Document:
        """It has the policies of its repositories itself, if they are a registry's."""
        registry = {"id": registry_id, "folder_id": FOLDER, "name": "main", "repositories": [*repositories]}
        if self is CONTAINER:
            return registry
        registry["repositories"] = [
            {name: value for name, value in repository.items() if name != "policies"}
            for repository in repositories
        ]
        rules = [rule for repository in repositories for rule in _rules(repository)]
        policy = {"id": f"pol-{registry_id}", "name": "old", "state": "ENABLED", "rules": rules}
        return registry | {"policies": [policy] if rules else []}

    def delete(self, name: str) -> str:
        """The delete of the image of that id, which has it for a tag too."""
        return f"DELETE */images/{name}" if self is CONTAINER else f"DELETE */artifacts/{name}.{name}"

    def names_left(self, cloud: Cloud) -> set[str]:
        """The images left, by their ids in the seed."""
        return cloud.left() if self is CONTAINER else cloud.emulator.cloud_image_ids()


CONTAINER = Kind(
    "/container-registry/v1",
    (
        "GET /container-registry/v1/registries",
        "GET /container-registry/v1/lifecyclePolicies",
        "GET /container-registry/v1/repositories",
        "POST /container-registry/v1/dryRunLifecyclePolicy/*",
        "GET /container-registry/v1/dryRunLifecyclePolicyResults/*",
        "GET /container-registry/v1/images",
        "DELETE /container-registry/v1/images/*",
    ),
    "GET /container-registry/v1/images",
    2,
    "container-registry.viewer",
    "container-registry.images.pusher",
    "registries",
)
CLOUD = Kind(
    "/cloud-registry/v1",
    (
        "GET /cloud-registry/v1/registries",
        "GET /cloud-registry/v1/lifecyclePolicies",
        "GET /cloud-registry/v1/artifacts",
        "POST /cloud-registry/v1/lifecyclePolicies/*:dryRun",
        "GET /cloud-registry/v1/lifecyclePolicyDryRunResults/*",
        "GET /cloud-registry/v1/registries/*:listArtifacts",
        "GET /cloud-registry/v1/artifacts/*",
        "DELETE /cloud-registry/v1/artifacts/*",
    ),
    "GET /cloud-registry/v1/registries/*:listArtifacts",
    3,
    "cloud-registry.viewer",
    "cloud-registry.artifacts.pusher",
    "cloud_registries",
)
KINDS = {"container-registry": CONTAINER, "cloud-registry": CLOUD}


def _rules(repository: Document) -> list[Document]:
    """What a policy that keeps the newest tags of a repository says in Cloud Registry."""
    of = [
        {"pathPrefix": repository["name"], "versionRegexp": rule["tag_regexp"]}
        | {"keepByVersion": {"keepVersionsCount": rule["retained_top"]}}
        for policy in repository.get("policies", ())
        for rule in policy["rules"]
    ]
    taken: Document = {"delete": {"type": "HARD_DELETE", "always": True}}
    return [*of, *({"pathPrefix": rule["pathPrefix"], **taken} for rule in of)]


def left(cloud: Cloud, repository: str | None = None) -> set[str]:
    """The images left in both services, of all repositories or of those of that name, by their ids in
    reports.
    """
    in_cloud_registry = {
        f"{registry_id}/{name}@{image['digest']}"
        for registry_id, registry in cloud.emulator.state()["cloud_registries"].items()
        for name, contents in registry["repositories"].items()
        if repository in (None, name)
        for image in contents["images"]
    }
    return cloud.left(repository) | in_cloud_registry


def outcomes_by_tag(report: Document) -> dict[str, str]:
    return {tag: row["outcome"] for row in report["images"] for tag in row["tags"]}
