"""Cloud Registry's own API: registries, artifacts, lifecycle policies and their dry runs.

Facts from yandex/cloud/cloudregistry/v1/*.proto: an artifact's path is ``/<repository>/<tag>``, so that an
image is all artifacts of one repository with the same ``manifestDigest``; a policy is a registry's; a dry run
names artifacts, each with the rule that affects it. An image's id, which this API does not know, is
``<registry id>/<repository>@<digest>``. How an image without a tag is named is not documented: a name that
cannot be a tag counts as none.

``DELETE`` of a folder's id would delete all that is in it, so that nothing but what the API itself calls an
ARTIFACT is ever deleted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from shared.cloud import operations
from shared.cloud.artifacts import Artifact, Artifacts, Nodes, image_of, order, together
from shared.cloud.client import Cloud, part
from shared.cloud.docker_host import DockerHost
from shared.cloud.listing import Known, Listing
from shared.cloud.operations import Operation, wait
from shared.cloud.slices import in_slices
from shared.errors import INTERNAL, INVALID_ARGUMENT, NOT_FOUND, CallError
from shared.retention import rule_words
from shared.retention.policies import definition
from shared.retention.records import DryRun, Image, Policy, Registry, Repository, Service, Sighting

SERVICE, TITLE = "registry", "Cloud Registry"
NAME: Service = "cloud-registry"
ROOT = "/cloud-registry/v1"
VIEWER, PULLER = "cloud-registry.viewer", "cloud-registry.artifacts.puller"
PUSHER = "cloud-registry.artifacts.pusher"
DRY_RUN_ROLE = f"{PUSHER} on the registry or, if it has that already, cloud-registry.editor"
DELETE_ROLE = f"{PUSHER} on the registry or, if it has that already, cloud-registry.admin"
DOCKER = DockerHost(
    "https://registry.yandexcloud.net", "registry.yandexcloud.net", PULLER, "YC_CLOUD_REGISTRY_ENDPOINT"
)
LAST_WRITTEN = "50"
READ_ONLY_CODES: frozenset[int] = frozenset[int]()
DRY_RUN_WAIT = 300.0
DRY_RUN_IMAGES: int | None = None


class _Registry(msgspec.Struct, rename="camel"):
    id: str
    folder_id: str = ""
    name: str = ""
    kind: str = ""
    type: str = ""
    status: str = ""


class _Registries(msgspec.Struct, rename="camel"):
    registries: list[_Registry] | None = None
    next_page_token: str = ""


class _Policy(msgspec.Struct, rename="camel"):
    id: str
    name: str = ""
    state: str = ""
    rules: list[Any] | None = None


class _Policies(msgspec.Struct, rename="camel"):
    policies: list[_Policy] | None = None
    next_page_token: str = ""


class _LastWritten(msgspec.Struct):
    artifacts: list[Artifact] | None = None


class _DryRun(msgspec.Struct, rename="camel"):
    dry_run_id: str = ""
    run_at: str = ""


class _AffectedBy(msgspec.Struct, rename="camel"):
    rule_type: str = ""
    rule_index: int = 0


class _AffectedArtifact(msgspec.Struct, rename="camel"):
    artifact_id: str = ""
    affected_by: _AffectedBy | None = None


class _AffectedArtifacts(msgspec.Struct, rename="camel"):
    artifacts: list[_AffectedArtifact] | None = None
    next_page_token: str = ""


_DRY_RUN = msgspec.json.Decoder(_DryRun)
_ARTIFACTS = Listing(
    SERVICE,
    VIEWER,
    msgspec.json.Decoder(Artifacts, strict=False),
    msgspec.json.Decoder(Artifact, strict=False),
)
TAKEN_BY = ("SOFT_DELETE", "HARD_DELETE")


def registry(cloud: Cloud, registry_id: str) -> Registry:
    path = f"{ROOT}/registries/{part(registry_id)}"
    return _registry(
        cloud.call("GET", SERVICE, path, _Registry, role=f"{VIEWER} on the registry {registry_id}")
    )


def registries(cloud: Cloud, folder_id: str) -> Iterator[Registry]:
    for page in cloud.pages(
        SERVICE,
        f"{ROOT}/registries",
        _Registries,
        role=f"{VIEWER} on the folder {folder_id}, if there is such a folder",
        params={"folderId": folder_id, "kind": "DOCKER", "status": "ACTIVE"},
    ):
        for item in page.registries or ():
            if item.kind == "DOCKER":
                yield _registry(item)


def _registry(item: _Registry) -> Registry:
    left = ""
    if item.kind != "DOCKER":
        left = f"it holds artifacts of the kind {item.kind or 'unknown'}, not container images"
    elif item.type not in ("LOCAL", "TRANSITIONAL"):
        left = f"it is {item.type or 'of an unknown type'} and holds no images of its own"
    elif item.status != "ACTIVE":
        left = f"its status is {item.status or 'unknown'}"
    return Registry(item.id, item.folder_id, item.name, NAME, left)


def repositories(cloud: Cloud, registry_id: str) -> Iterator[Repository]:
    """The repositories that hold an artifact, from all artifacts of the registry, listed in slices of
    time.
    """
    params = {"registryId": registry_id, "kind": "ARTIFACT", "status": "ACTIVE", "orderBy": "created_at"}
    paths: set[str] = set()

    def note(page: Nodes) -> list[str]:
        nodes = [node for node in page.artifacts or () if node.kind == "ARTIFACT"]
        paths.update(node.path.rpartition("/")[0] for node in nodes)
        return [node.created_at for node in nodes]

    in_slices(cloud, SERVICE, f"{ROOT}/artifacts", Nodes, note, params=params, role=VIEWER)
    for path in sorted(paths - {""}):
        yield Repository(path, registry_id, f"{registry_id}/{path.strip('/')}", NAME)


def images(cloud: Cloud, repository: Repository, known: Known | None = None) -> Iterator[Image]:
    """Every image of the repository, with all its tags."""
    path = f"{ROOT}/registries/{part(repository.registry_id)}:listArtifacts"
    params = {"path": repository.repository_id or f"/{repository.name}"}
    return together(_ARTIFACTS.read(cloud, path, params, partial(image_of, repository), known))


def repository_of(cloud: Cloud, image_id: str) -> str:  # noqa: ARG001 - the id tells it
    """The full name of the image's repository, which its id begins with."""
    full_name, at, _ = image_id.partition("@")
    if at and "/" in full_name:
        return full_name
    raise CallError("that is no image's id", service=SERVICE, call=f"GET {image_id}", code=INVALID_ARGUMENT)


def is_there(cloud: Cloud, repository: Repository, image: Sighting) -> bool:
    """Whether the registry knows an artifact of the image. Raises CallError."""
    digest = image.image_id.rpartition("@")[2]
    paths = [f"{ROOT}/artifacts/{part(artifact_id)}" for artifact_id in image.parts]
    if not paths:
        place = f"{ROOT}/registries/{part(repository.registry_id)}/artifacts:getByPath?path="
        folder = repository.repository_id or f"/{repository.name}"
        paths = [f"{place}{part(f'{folder}/{name}')}" for name in image.tags or (digest,)]
    return any(_has(cloud, path, digest) for path in paths)


def _has(cloud: Cloud, path: str, digest: str) -> bool:
    """Whether there is an artifact of that digest. Raises CallError, also when it is no artifact."""
    try:
        found = cloud.call("GET", SERVICE, path, Artifact, role=VIEWER)
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        return False
    if found.kind != "ARTIFACT":
        raise CallError(
            f"what was listed as an artifact is a {found.kind or 'node of no kind'}; it is never deleted",
            service=SERVICE,
            call=f"GET {path.partition('?')[0]}",
            code=INTERNAL,
        )
    return found.status != "DELETED" and found.digest == digest


def policies(cloud: Cloud, registry_id: str) -> Iterator[Policy]:
    """The lifecycle policies of the registry, each of which is about all of its repositories."""
    params = {"registryId": registry_id}
    for page in cloud.pages(SERVICE, f"{ROOT}/lifecyclePolicies", _Policies, role=VIEWER, params=params):
        for policy in page.policies or ():
            status = {"ENABLED": "ACTIVE"}.get(policy.state, policy.state)
            ranks = not policy.rules or any(map(_ranks, policy.rules))
            says = tuple(map(rule_words.of_cloud, policy.rules or ()))
            made = definition(policy.id, policy.rules)
            yield Policy(policy.id, policy.name, "", status, made, ranks, says)


def policies_of(cloud: Cloud, repository: Repository) -> Iterator[Policy]:
    return policies(cloud, repository.registry_id)


def _ranks(rule: Any) -> bool:
    """Whether what the rule takes depends on which others there are, as far as can be seen."""
    if not isinstance(rule, dict) or "keepByVersion" in rule:
        return True
    deletes = rule.get("delete")
    if deletes is None:
        return "keepByAge" not in rule
    return not isinstance(deletes, dict) or not ({"olderThanDays", "always"} & deletes.keys())


def dry_run(cloud: Cloud, policy_id: str) -> DryRun:
    """Runs the policy dry. Returns the artifacts that it deletes, each with the rule that does. Raises
    CallError.
    """
    path = f"{ROOT}/lifecyclePolicies/{part(policy_id)}:dryRun"
    operation = cloud.call("POST", SERVICE, path, Operation, body={}, role=DRY_RUN_ROLE)
    operation = wait(cloud, operation, f"POST {path}", at_most=DRY_RUN_WAIT)
    result = _DRY_RUN.decode(operation.response)
    if not result.dry_run_id or not math.isfinite(order(result.run_at)):
        fault = "the dry run does not say when it ran" if result.dry_run_id else "the dry run names no result"
        raise CallError(fault, service=SERVICE, call=f"POST {path}", code=INTERNAL)
    taken: dict[str, str] = {}
    path = f"{ROOT}/lifecyclePolicyDryRunResults/{part(result.dry_run_id)}:artifacts"
    for page in cloud.pages(SERVICE, path, _AffectedArtifacts, role=VIEWER):
        for artifact in page.artifacts or ():
            by = artifact.affected_by or _AffectedBy()
            kind = by.rule_type.removeprefix("LIFECYCLE_RULE_TYPE_")
            if kind in TAKEN_BY and artifact.artifact_id:
                taken[artifact.artifact_id] = f" (rule {by.rule_index + 1}, {kind})"
    return DryRun(result.dry_run_id, parts=taken, run_at=result.run_at)


def taken(dry_run: DryRun, images: Callable[[], Iterable[Image]]) -> Iterator[tuple[Image, str]]:
    """The ``images`` all of whose artifacts the dry run deletes, each with the rule of its first.

    What was written after the dry run is another image than the one that it has looked at.
    """
    for image in images() if dry_run.parts else ():
        by = [dry_run.parts.get(artifact_id, "") for artifact_id in image.parts]
        if by and all(by) and order(image.created_at) <= order(dry_run.run_at):
            yield image, by[0]


def written(cloud: Cloud, repository: Repository, seen: Mapping[str, str]) -> set[str]:
    """The digests from or to which tags have moved, and those of new indexes' children, among the artifacts
    of the registry that were written last.

    ``orderBy`` takes ``modified_at desc`` (REST reference of Artifact.List). That a tag which moves changes
    ``modifiedAt`` is not documented.
    """
    path = repository.repository_id or f"/{repository.name}"
    params = {"registryId": repository.registry_id, "kind": "ARTIFACT", "status": "ACTIVE"}
    params |= {"orderBy": "modified_at desc", "pageSize": LAST_WRITTEN}
    page = cloud.call("GET", SERVICE, f"{ROOT}/artifacts", _LastWritten, params=params, role=VIEWER)
    digests: set[str] = set()
    for artifact in page.artifacts or ():
        if artifact.path.rpartition("/")[0] == path and seen.get(artifact.id) != artifact.digest:
            now = image_of(repository, artifact)
            digests |= {seen.get(artifact.id, ""), artifact.digest, *(now.children if now else ())}
    return digests - {""}


def deletion(image_id: str) -> str:
    """The calls that delete the image, for messages."""
    return f"DELETE {ROOT}/artifacts of {image_id}"


def delete_image(
    cloud: Cloud, image: Image, before: Callable[[], None] | None = None, *, closely: bool = False
) -> Operation:
    """Asks for the deletion of the image's artifacts one after another, with ``before`` called just before
    each attempt is sent.

    When it has several, or ``closely`` is asked for, each is looked at just before: one that has another
    digest by now stays. Raises CallError; what was deleted until then is gone.
    """
    asked: list[Operation] = []
    for artifact_id in image.parts:
        path = f"{ROOT}/artifacts/{part(artifact_id)}"
        if (closely or len(image.parts) > 1) and not _has(cloud, path, image.digest):
            continue
        try:
            asked.append(cloud.call("DELETE", SERVICE, path, Operation, role=DELETE_ROLE, before=before))
        except CallError as error:
            if error.code != NOT_FOUND or error.ambiguous or len(image.parts) == 1:
                raise
    if not asked:
        raise CallError(
            "the image has no artifact any more",
            service=SERVICE,
            call=deletion(image.image_id),
            code=NOT_FOUND,
        )
    return operations.together(asked)
