"""The seed: what the emulated cloud holds at the start, as one YAML or JSON document.

    now: 2026-11-24T00:00:00Z      # the time at the start, from where it runs on; absent: the real time
    folders: [b1gfolder]           # if given, registries of any other folder aren't found
    service_accounts:              # roles are those on the account's folder; absent: every role everywhere
      - {id: ajesa1, name: cleaner, folder_id: b1gfolder, roles: [container-registry.editor],
         keys: [{id: ajekey1, public_key: "-----BEGIN PUBLIC KEY-----..."}]}
    tokens: [{token: t1.test, service_account_id: ajesa1}]
    metadata_service: {service_account_id: ajesa1}
    secrets: [{id: e6qsecret, folder_id: b1gfolder, entries: {key: "text"}}]
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

An image is one of two. A single one, all of whose keys are optional (`created_at` may stand for `age`, and
`layers` may be a number or a list of blobs):

    {id: img1, tags: [v1], age: 40d, size: 300MB, digest: "sha256:..", layers: [{digest: "..", size: 10}]}

or a series: n = 1, 2, .. of images, each `step` older than the one before; `{n}` in a tag stands for n:

    {series: 1200, tags: ["build-{n}"], newest: 1h, step: 1h, layers: 8, shared_layers: 5, size: 300MB}

The `shared_layers` first layers are common to the images of one series, and to no other. Sizes are bytes or
KB, MB, GB (powers of 1024); the layers' sizes add up to the image's. An image whose `layers` are listed is as
large as they are. What isn't given is made up, always the same for the same document: ids and digests are
hashes of the names of registry and repository and of the place in the document.
"""

from typing import Any

from google.protobuf import json_format
from yandex.cloud.containerregistry.v1.lifecycle_policy_pb2 import LifecyclePolicy

from tests.emulator.accounts import AuthorizedKey, ServiceAccount, with_included
from tests.emulator.clock import Clock, moment, span_seconds, timestamp
from tests.emulator.documents import DocumentError, checked, listed
from tests.emulator.errors import ApiError
from tests.emulator.images import cloud_id
from tests.emulator.lifecycle import check_rules
from tests.emulator.seed_images import images_of
from tests.emulator.state import Registry, Repository, Secret, State
from tests.emulator.validation import validate

DEFAULT_FOLDER = "b1gfolder"


def state_from(document: dict[str, Any]) -> State:
    try:
        return _state_from(document)
    except (ApiError, json_format.ParseError) as error:
        raise DocumentError(f"seed: {error}") from None


def _state_from(document: dict[str, Any]) -> State:
    checked(
        document,
        "seed",
        optional="now folders service_accounts tokens metadata_service secrets registries",
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
        checked(secret, where, optional="folder_id", required="id entries")
        state.secrets[secret["id"]] = Secret(secret["id"], secret.get("folder_id", ""), secret["entries"])
    for where, registry in listed(document.get("registries"), "registries"):
        _add_registry(state, where, registry)
    return state


def _add_account(state: State, where: str, document: dict[str, Any]) -> None:
    checked(document, where, optional="name folder_id roles keys", required="id")
    roles = document.get("roles")
    account = ServiceAccount(
        id=document["id"],
        name=document.get("name", ""),
        folder_id=document.get("folder_id", DEFAULT_FOLDER),
        roles=None if roles is None else with_included(roles),
    )
    state.accounts.service_accounts[account.id] = account
    for key_where, key in listed(document.get("keys"), f"{where}.keys"):
        checked(key, key_where, required="id public_key")
        state.accounts.keys[key["id"]] = AuthorizedKey(key["id"], account.id, key["public_key"])


def _known_account(state: State, where: str, document: dict[str, Any]) -> str:
    account_id: str = document["service_account_id"]
    if account_id not in state.accounts.service_accounts:
        raise DocumentError(f"{where}: no service account {account_id}")
    return account_id


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
        state.add_policy(_policy(state, policy_where, repository, policy))
    if sum(policy.status == LifecyclePolicy.Status.ACTIVE for policy in repository.policies.values()) > 1:
        raise DocumentError(f"{where}.policies: only one policy of a repository may be ACTIVE")
    for image_where, image in listed(document.get("images"), f"{where}.images"):
        for made in images_of(image, image_where, name, state.clock.now()):
            if made.id in state.images:
                raise DocumentError(f"{image_where}: there is an image {made.id} already")
            if taken := repository.owner_of_tag.keys() & set(made.tags):
                raise DocumentError(f"{image_where}: tag {min(taken)} is on another image already")
            state.put_image(made)


def _policy(state: State, where: str, repository: Repository, document: dict[str, Any]) -> LifecyclePolicy:
    checked(document, where, optional="id name description status age rules")
    policy = LifecyclePolicy(
        id=document.get("id") or cloud_id("crp", f"{where} of {repository.name}"),
        name=document.get("name", ""),
        repository_id=repository.id,
        description=document.get("description", ""),
        status=document.get("status", "DISABLED"),
        created_at=timestamp(state.clock.now() // 1 - span_seconds(document.get("age", "90d"))),
    )
    for rule_where, rule in listed(document.get("rules"), f"{where}.rules"):
        checked(rule, rule_where, optional="description tag_regexp untagged expire_period retained_top")
        fields = dict(rule)
        if "expire_period" in rule:
            fields["expire_period"] = f"{span_seconds(rule['expire_period']):.0f}s"
        json_format.ParseDict(fields, policy.rules.add())
    validate(policy, f"{where}.")
    check_rules(policy.rules)
    return policy
