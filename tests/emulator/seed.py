"""The seed: what the emulated cloud holds at the start, as one YAML or JSON document.

    now: 2026-11-24T00:00:00Z      # the time at the start, from where it runs on; absent: the real time
    folders: [b1gfolder]           # if given, registries of any other folder aren't found
    service_accounts:              # roles are those on the account's folder; absent: every role everywhere
      - {id: ajesa1, name: cleaner, folder_id: b1gfolder, roles: [container-registry.editor],
         keys: [{id: ajekey1, public_key: "-----BEGIN PUBLIC KEY-----..."}]}
    tokens: [{token: t1.test, service_account_id: ajesa1}]
    metadata_service: {service_account_id: ajesa1}
    secrets: [{id: e6qsecret, name: key, folder_id: b1gfolder, entries: {key: "text"}}]
    buckets: [{name: state, folder_id: b1gfolder, objects: {"runs/last": "text"}}]
    registries:
      - id: crp1
        folder_id: b1gfolder
        name: main
        labels: {team: a}
        repositories:
          - name: team-a/app       # without the registry's id
            id: crprepo1
            policies:              # status: DISABLED unless given; expire_period in h, d or s
              - {id: pol1, name: old-builds, description: "", status: ACTIVE, age: 90d, rules: [{
                  description: "", tag_regexp: "v.*", untagged: false, expire_period: 720h, retained_top: 5}]}
            images: [...]
    cloud_registries: [...]        # `seed_cloud_registries.py`
    registry_upstream: "http://127.0.0.1:5000"    # V2 calls are answered from that registry (`upstream.py`)
    containers:
      - {id: bba1, folder_id: b1gfolder, name: web, status: ACTIVE, age: 1d, revisions: [
          {id: rev1, status: ACTIVE, age: 3d, image: "cr.yandex/crp1/app:v1", digest: "sha256:..",
           environment: {A: b}, command: [run], args: [fast]}]}
    instances:
      - {id: fhm1, folder_id: b1gfolder, name: vm1, status: RUNNING, age: 1d, labels: {a: b},
         metadata: {docker-compose: "..."}}
    instance_groups: [{id: cl1, folder_id: b1gfolder, name: g, status: ACTIVE, age: 1d, metadata: {..}}]
    clusters:
      - id: cat1
        folder_id: b1gfolder
        name: production
        status: RUNNING            # STOPPED: nothing listens at its endpoint
        age: 1d
        endpoint: external         # or internal: then it has no external one
        bearer_needed: true        # false: the Kubernetes API asks for no token
        objects: [{kind: Deployment, metadata: {name: web}, spec: {..}}]    # as in Kubernetes' own YAML
        series: [{kind: Pod, count: 5000, image: "cr.yandex/crp1/app:v{n}", image_id: "", name: pod,
                  namespace: default}]
        custom: [{group: argoproj.io, version: v1alpha1, resource: rollouts, kind: Rollout, listable: true,
                  objects: [{metadata: {name: web}, spec: {..}}]}]     # not listable: 403

A cluster that is seeded without a pod has one of its own (coredns), as every real one has.

An image is one of two. A single one, all of whose keys are optional (`created_at` may stand for `age`, and
`layers` may be a number or a list of blobs):

    {id: img1, tags: [v1], age: 40d, size: 300MB, digest: "sha256:..", layers: [{digest: "..", size: 10}]}

or a series: n = 1, 2, .. of images, each `step` older than the one before; `{n}` in a tag stands for n:

    {series: 1200, tags: ["build-{n}"], newest: 1h, step: 1h, layers: 8, shared_layers: 5, size: 300MB}

The `shared_layers` first layers are common to the images of one series, and to no other. Sizes are bytes or
KB, MB, GB (powers of 1024); the layers' sizes add up to the image's. An image whose `layers` are listed is as
large as they are. What isn't given is made up, always the same for the same document: ids and digests are
hashes of the names of registry and repository and of the place in the document.

An image's digest is that of its manifest (`manifests.py`). With a `digest` of its own it has no manifest
unless one of these keys gives it one. They refer to images of the same repository, by id (earlier or later in
the list; not those of a series) or by digest:

    index: [img1, img2]           an index over these, in order; it has no config, layers or size
    platforms: [linux/amd64, ..]  theirs; absent: linux/amd64, linux/arm64, linux/arm/v7, ..
    subject: img1                 an artifact (or an index) that says something of img1
    referrers_tag_of: img1        the tag `sha256-<img1's digest>`, OCI's fallback for the referrers API
    signature_of: img1            the tag `sha256-<..>.sig`, as cosign names it;
    attestation_of, sbom_of       .att and .sbom
    manifest: {..}                the manifest itself, a mapping or its very text
    media_type: ".."              of the manifest; absent: OCI's
"""

from typing import Any

from google.protobuf import json_format
from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy
from yandex.cloud.iam.v1.service_account_pb2 import ServiceAccount
from yandex.cloud.lockbox.v1.payload_pb2 import Payload
from yandex.cloud.lockbox.v1.secret_pb2 import Secret as SecretMessage
from yandex.cloud.lockbox.v1.secret_pb2 import Version as SecretVersionMessage
from yandex.cloud.storage.v1.bucket_pb2 import Bucket

from tests.emulator.access import Binding
from tests.emulator.accounts import AuthorizedKey
from tests.emulator.clock import Clock, moment, span_seconds, timestamp
from tests.emulator.documents import DEFAULT_FOLDER, DocumentError, checked, listed
from tests.emulator.errors import ApiError
from tests.emulator.images import cloud_id
from tests.emulator.seed_cloud_registries import add_cloud_registry
from tests.emulator.seed_images import images_of
from tests.emulator.seed_manifests import in_order_of_reference
from tests.emulator.seed_policies import policy_of
from tests.emulator.seed_workloads import add_workloads
from tests.emulator.state import Registry, Repository, Secret, SecretVersion, State
from tests.emulator.upstream import RegistryUpstream


def state_from(document: dict[str, Any], registry_upstream: str = "") -> State:
    """The cloud of the document; `registry_upstream` is for one that names none."""
    try:
        return _state_from(document, registry_upstream)
    except (ApiError, json_format.ParseError) as error:
        raise DocumentError(f"seed: {error}") from None


def _state_from(document: dict[str, Any], registry_upstream: str) -> State:
    checked(
        document,
        "seed",
        optional="now folders service_accounts tokens metadata_service secrets buckets registries"
        " cloud_registries registry_upstream containers instances instance_groups clusters",
    )
    state = State(Clock(moment(document["now"]) if document.get("now") else None))
    state.folders = set(document.get("folders") or ())
    for where, account in listed(document.get("service_accounts"), "service_accounts"):
        _add_account(state, where, account)
    for where, token in listed(document.get("tokens"), "tokens"):
        checked(token, where, required="token service_account_id")
        state.accounts.issue_token(_known_account(state, where, token), token["token"])
    if document.get("metadata_service"):
        metadata = checked(document["metadata_service"], "metadata_service", required="service_account_id")
        state.metadata_account = _known_account(state, "metadata_service", metadata)
    for where, secret in listed(document.get("secrets"), "secrets"):
        checked(secret, where, optional="name folder_id", required="id entries")
        _add_secret(state, secret)
    for where, bucket in listed(document.get("buckets"), "buckets"):
        checked(bucket, where, optional="folder_id objects", required="name")
        _add_bucket(state, bucket)
    if upstream := document.get("registry_upstream") or registry_upstream:
        state.registry_upstream = RegistryUpstream(upstream)
    for where, registry in listed(document.get("registries"), "registries"):
        _add_registry(state, where, registry)
    for where, registry in listed(document.get("cloud_registries"), "cloud_registries"):
        add_cloud_registry(state, where, registry)
    add_workloads(state, document)
    return state


def _add_account(state: State, where: str, document: dict[str, Any]) -> None:
    checked(document, where, optional="name folder_id roles keys", required="id")
    account = ServiceAccount(
        id=document["id"],
        name=document.get("name", ""),
        folder_id=document.get("folder_id", DEFAULT_FOLDER),
        created_at=timestamp(state.clock.now() // 1 - span_seconds("365d")),
        status=ServiceAccount.Status.ACTIVE,
    )
    state.accounts.service_accounts[account.id] = account
    if document.get("roles") is None:
        state.access.unlimited.add(account.id)
    for role in document.get("roles") or ():
        state.access.bind(account.folder_id, Binding(role, "serviceAccount", account.id))
    for key_where, key in listed(document.get("keys"), f"{where}.keys"):
        checked(key, key_where, required="id public_key")
        state.accounts.keys[key["id"]] = AuthorizedKey(key["id"], account.id, key["public_key"])


def _known_account(state: State, where: str, document: dict[str, Any]) -> str:
    account_id: str = document["service_account_id"]
    if account_id not in state.accounts.service_accounts:
        raise DocumentError(f"{where}: no service account {account_id}")
    return account_id


def _add_secret(state: State, document: dict[str, Any]) -> None:
    secret_id = document["id"]
    entries = {key: Payload.Entry(key=key, text_value=text) for key, text in document["entries"].items()}
    version = SecretVersionMessage(
        id=cloud_id("e6q", f"version of {secret_id}"), secret_id=secret_id, payload_entry_keys=sorted(entries)
    )
    secret = Secret(
        SecretMessage(
            id=secret_id,
            name=document.get("name", ""),
            folder_id=document.get("folder_id", DEFAULT_FOLDER),
            status=SecretMessage.Status.ACTIVE,
        )
    )
    secret.add_version(SecretVersion(version, entries))
    state.secrets[secret_id] = secret


def _add_bucket(state: State, document: dict[str, Any]) -> None:
    name = document["name"]
    state.buckets[name] = Bucket(
        id=name,
        name=name,
        folder_id=document.get("folder_id", DEFAULT_FOLDER),
        default_storage_class="STANDARD",
    )
    for path, text in (document.get("objects") or {}).items():
        file = state.disk.bucket(name) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _add_registry(state: State, where: str, document: dict[str, Any]) -> None:
    checked(document, where, optional="folder_id name labels repositories", required="id")
    registry = Registry(
        id=document["id"],
        folder_id=document.get("folder_id", DEFAULT_FOLDER),
        name=document.get("name", ""),
        created_at=state.clock.now() // 1 - span_seconds("365d"),
        labels=document.get("labels") or {},
    )
    state.registries[registry.id] = registry
    for repository_where, repository in listed(document.get("repositories"), f"{where}.repositories"):
        _add_repository(state, repository_where, registry, repository)


def _add_repository(state: State, where: str, registry: Registry, document: dict[str, Any]) -> None:
    checked(document, where, optional="id policies images", required="name")
    name = f"{registry.id}/{document['name']}"
    repository = Repository(document.get("id") or cloud_id("crp", f"repository {name}"), name, registry)
    state.add_repository(repository)
    for policy_where, policy in listed(document.get("policies"), f"{where}.policies"):
        state.add_policy(policy_of(state, policy_where, repository, policy))
    if sum(policy.status == LifecyclePolicy.Status.ACTIVE for policy in repository.policies.values()) > 1:
        raise DocumentError(f"{where}.policies: only one policy of a repository may be ACTIVE")
    for image_where, image in in_order_of_reference(list(listed(document.get("images"), f"{where}.images"))):
        for made in images_of(state, image, image_where, repository):
            if made.id in state.images:
                raise DocumentError(f"{image_where}: there is an image {made.id} already")
            if made.digest in repository.owner_of_digest:
                raise DocumentError(f"{image_where}: another image has the digest {made.digest} already")
            if taken := repository.owner_of_tag.keys() & set(made.tags):
                raise DocumentError(f"{image_where}: tag {min(taken)} is on another image already")
            state.put_image(made)
