"""Container Registry's own API: registries, repositories, images, lifecycle policies and their dry runs.

Facts from yandex/cloud/containerregistry/v1/*.proto: an image's ``name`` is ``<registry id>/<repository>``;
``lifecyclePolicies`` takes exactly one of ``registryId`` and ``repositoryId``; a dry run is ``POST
/container-registry/v1/dryRunLifecyclePolicy/{id}`` and its result id comes in the operation's response and in
its metadata; deleting an image takes all of its tags with it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from shared.cloud.client import Cloud, part
from shared.cloud.docker_host import DockerHost
from shared.cloud.listing import Known, Listing
from shared.cloud.operations import Operation, wait
from shared.errors import (
    FAILED_PRECONDITION,
    INTERNAL,
    NOT_FOUND,
    PERMISSION_DENIED,
    UNIMPLEMENTED,
    CallError,
)
from shared.retention import rule_words
from shared.retention.policies import definition
from shared.retention.records import (
    DryRun,
    Image,
    NativeRule,
    Policy,
    Registry,
    Repository,
    Sighting,
    blob_key,
)

SERVICE, TITLE = "container-registry", "Container Registry"
ROOT = "/container-registry/v1"
VIEWER, EDITOR = "container-registry.viewer", "container-registry.editor"
PUSHER = "container-registry.images.pusher"
DOCKER = DockerHost(
    "https://cr.yandex", "cr.yandex", "container-registry.images.puller", "YC_REGISTRY_ENDPOINT"
)
READ_ONLY_CODES: frozenset[int] = frozenset({PERMISSION_DENIED, FAILED_PRECONDITION, UNIMPLEMENTED})
DRY_RUN_WAIT = 300.0
DRY_RUN_IMAGES: int | None = 50_000


class _Registry(msgspec.Struct, rename="camel"):
    id: str
    folder_id: str = ""
    name: str = ""


class _Registries(msgspec.Struct, rename="camel"):
    registries: list[_Registry] | None = None
    next_page_token: str = ""


class _Repository(msgspec.Struct):
    id: str
    name: str


class _Repositories(msgspec.Struct, rename="camel"):
    repositories: list[_Repository] | None = None
    next_page_token: str = ""


class _Policy(msgspec.Struct, rename="camel"):
    id: str
    repository_id: str
    name: str = ""
    status: str = ""


class _ListedPolicy(_Policy, rename="camel"):
    rules: list[Any] | None = None


class _Rule(msgspec.Struct, rename="camel"):
    expire_period: str = "0s"
    tag_regexp: str = ""
    untagged: bool = False
    retained_top: int = 0


class _WholePolicy(_Policy, rename="camel"):
    rules: list[_Rule] | None = None


class _WholePolicies(msgspec.Struct, rename="camel"):
    lifecycle_policies: list[_WholePolicy] | None = None
    next_page_token: str = ""


class _Policies(msgspec.Struct, rename="camel"):
    lifecycle_policies: list[_ListedPolicy] | None = None
    next_page_token: str = ""


class _Blob(msgspec.Struct, gc=False):
    digest: str = ""
    size: int = 0


class _Image(msgspec.Struct, rename="camel", gc=False):
    id: str
    name: str = ""
    digest: str = ""
    compressed_size: int = 0
    config: _Blob | None = None
    layers: list[_Blob] | None = None
    tags: list[str] | None = None
    created_at: str = ""


class _Images(msgspec.Struct, rename="camel"):
    items: list[msgspec.Raw] | None = msgspec.field(default=None, name="images")
    next_page_token: str = ""


class _AffectedImages(msgspec.Struct, rename="camel"):
    affected_images: list[_Image] | None = None
    next_page_token: str = ""


class _DryRun(msgspec.Struct, rename="camel"):
    dry_run_lifecycle_policy_result_id: str = ""


_DRY_RUN = msgspec.json.Decoder(_DryRun)
_IMAGES = Listing(
    SERVICE,
    VIEWER,
    msgspec.json.Decoder(_Images, strict=False),
    msgspec.json.Decoder(_Image, strict=False),
)


def registry(cloud: Cloud, registry_id: str) -> Registry:
    item = cloud.call(
        "GET",
        SERVICE,
        f"{ROOT}/registries/{part(registry_id)}",
        _Registry,
        role=f"{VIEWER} on the registry {registry_id}",
    )
    return Registry(item.id, item.folder_id, item.name)


def registries(cloud: Cloud, folder_id: str) -> Iterator[Registry]:
    for page in cloud.pages(
        SERVICE,
        f"{ROOT}/registries",
        _Registries,
        role=f"{VIEWER} on the folder {folder_id}, if there is such a folder",
        params={"folderId": folder_id},
    ):
        for item in page.registries or ():
            yield Registry(item.id, item.folder_id, item.name)


def repositories(cloud: Cloud, registry_id: str) -> Iterator[Repository]:
    for page in cloud.pages(
        SERVICE, f"{ROOT}/repositories", _Repositories, role=VIEWER, params={"registryId": registry_id}
    ):
        for item in page.repositories or ():
            yield Repository(item.id, registry_id, item.name)


def policies(cloud: Cloud, registry_id: str) -> Iterator[Policy]:
    """The lifecycle policies of every repository of the registry."""
    return _policies(cloud, {"registryId": registry_id})


def policies_of(cloud: Cloud, repository: Repository) -> Iterator[Policy]:
    """The lifecycle policies of one repository."""
    return _policies(cloud, {"repositoryId": repository.repository_id})


def _policies(cloud: Cloud, place: dict[str, str]) -> Iterator[Policy]:
    for page in cloud.pages(SERVICE, f"{ROOT}/lifecyclePolicies", _Policies, role=VIEWER, params=place):
        for policy in page.lifecycle_policies or ():
            ranks = not policy.rules or any(
                not isinstance(rule, dict) or "retainedTop" in rule for rule in policy.rules
            )
            says = tuple(map(_words, policy.rules or ()))
            made = definition(policy.id, policy.rules)
            yield Policy(policy.id, policy.name, policy.repository_id, policy.status, made, ranks, says)


def _words(rule: Any) -> str:
    """What a rule of a policy says, "" if it is not understood."""
    try:
        return rule_words.of_native(_native(msgspec.convert(rule, _Rule, strict=False)))
    except (msgspec.ValidationError, CallError, ValueError, OverflowError):
        return ""


def native_policies(cloud: Cloud, registry_id: str) -> Iterator[tuple[Policy, tuple[NativeRule, ...]]]:
    """The lifecycle policies of every repository of the registry, with their rules."""
    params = {"registryId": registry_id}
    for page in cloud.pages(SERVICE, f"{ROOT}/lifecyclePolicies", _WholePolicies, role=VIEWER, params=params):
        for policy in page.lifecycle_policies or ():
            yield (
                Policy(policy.id, policy.name, policy.repository_id, policy.status),
                tuple(map(_native, policy.rules or ())),
            )


def _native(rule: _Rule) -> NativeRule:
    return NativeRule(rule.tag_regexp, rule.untagged, _seconds(rule.expire_period), rule.retained_top)


def native_policy(cloud: Cloud, policy_id: str) -> tuple[Policy, list[NativeRule], str]:
    """A policy, its rules, and the full name of its repository."""
    policy = cloud.call(
        "GET", SERVICE, f"{ROOT}/lifecyclePolicies/{part(policy_id)}", _WholePolicy, role=VIEWER
    )
    repository = cloud.call(
        "GET", SERVICE, f"{ROOT}/repositories/{part(policy.repository_id)}", _Repository, role=VIEWER
    )
    native = list(map(_native, policy.rules or ()))
    return Policy(policy.id, policy.name, policy.repository_id, policy.status), native, repository.name


def _seconds(text: str) -> float:
    """A protobuf duration in its JSON form, such as ``172800s``."""
    try:
        return float(text.removesuffix("s"))
    except ValueError:
        raise CallError(
            f'an expire period of "{text[:20]}"',
            service=SERVICE,
            call="GET a lifecycle policy",
            code=INTERNAL,
        ) from None


def images(cloud: Cloud, repository: Repository, known: Known | None = None) -> Iterator[Image]:
    """Every image of the repository. Its order is the server's."""
    return _IMAGES.read(cloud, f"{ROOT}/images", {"repositoryName": repository.full_name}, _image, known)


def listed(document: Any) -> tuple[str, Image]:
    """The full name of the repository and the image that one entry of a listing is of.

    Raises msgspec.ValidationError.
    """
    item = msgspec.convert(document, _Image, strict=False)
    return item.name, _image(item)


def repository_of(cloud: Cloud, image_id: str) -> str:
    """The full name of the image's repository."""
    return cloud.call("GET", SERVICE, _path(image_id), _Image, role=VIEWER).name


def is_there(cloud: Cloud, repository: Repository, image: Sighting) -> bool:  # noqa: ARG001 - its id is enough
    """Whether the registry knows the image. Raises CallError."""
    try:
        repository_of(cloud, image.image_id)
    except CallError as error:
        if error.code != NOT_FOUND:
            raise
        return False
    return True


def dry_run(cloud: Cloud, policy_id: str) -> DryRun:
    """Runs the policy dry. Returns the images that it takes.

    Needs ``container-registry.editor``. Raises CallError.
    """
    path = f"{ROOT}/dryRunLifecyclePolicy/{part(policy_id)}"
    operation = cloud.call("POST", SERVICE, path, Operation, body={}, role=EDITOR)
    operation = wait(cloud, operation, f"POST {path}", at_most=DRY_RUN_WAIT)
    answers = (operation.response, operation.metadata)
    named = (_DRY_RUN.decode(answer).dry_run_lifecycle_policy_result_id for answer in answers)
    result_id = next(filter(None, named), "")
    if not result_id:
        raise CallError("the dry run names no result", service=SERVICE, call=f"POST {path}", code=INTERNAL)
    path = f"{ROOT}/dryRunLifecyclePolicyResults/{part(result_id)}:affectedImages"
    pages = cloud.pages(SERVICE, path, _AffectedImages, role=VIEWER)
    return DryRun(result_id, tuple(_image(item) for page in pages for item in page.affected_images or ()))


def taken(dry_run: DryRun, images: Callable[[], Iterable[Image]]) -> Iterator[tuple[Image, str]]:  # noqa: ARG001
    """The images that the dry run takes, as it has listed them itself."""
    return ((image, "") for image in dry_run.images)


def _path(image_id: str) -> str:
    return f"{ROOT}/images/{part(image_id)}"


def deletion(image_id: str) -> str:
    """The call that deletes the image, for messages."""
    return f"DELETE {_path(image_id)}"


def delete_image(
    cloud: Cloud,
    image: Image,
    before: Callable[[], None] | None = None,
    *,
    closely: bool = False,  # noqa: ARG001 - an id is of one digest for ever
) -> Operation:
    """Asks for the image's deletion, with ``before`` called just before each attempt is sent.

    The operation may be done later, and may still fail.
    """
    return cloud.call("DELETE", SERVICE, _path(image.image_id), Operation, role=PUSHER, before=before)


def written(cloud: Cloud, repository: Repository, seen: Mapping[str, str]) -> set[str]:  # noqa: ARG001
    """None that could be told: an image has no parts, and its id is of one digest for ever."""
    return set()


def _image(item: _Image) -> Image:
    keys_and_sizes = [
        number
        for layer in item.layers or ()
        for number in (blob_key(layer.digest), layer.size if layer.size > 0 else 0)
    ]
    return Image(
        item.id,
        item.digest.lower(),
        tuple(item.tags or ()),
        item.created_at,
        max(item.compressed_size, 0),
        array("Q", keys_and_sizes).tobytes(),
        blob_key(item.config.digest) if item.config and item.config.digest else 0,
    )
