"""Which artifacts a policy of Cloud Registry takes, as the documentation has it.

KEEP rules come before deletes, whatever their place; of the deletes the first that takes an artifact is told.
Rules that count do so in each package, which is a repository, by creation date, the newest first. A tag is a
version. What is left open, and is chosen here: a prefix is of the path without its first slash, and a `.*` at
its end, which the examples have though the text says "no regular expressions", stands for nothing;
`versionRegexp` matches the whole version; an image without a tag has its digest for a version, and a child of
an index counts as one.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from yandex.cloud.cloudregistry.v1 import lifecycle_policy_pb2 as messages
from yandex.cloud.cloudregistry.v1.lifecycle_policy_pb2 import DockerFilters, LifecycleRule

from tests.emulator.cloud_artifacts import Artifact
from tests.emulator.errors import invalid

MOST_RULES = 10
DAY_SECONDS = 86_400

HARD = messages.LIFECYCLE_RULE_TYPE_HARD_DELETE
SOFT = messages.LIFECYCLE_RULE_TYPE_SOFT_DELETE
RETAIN = messages.LIFECYCLE_RULE_TYPE_RETAIN

_TYPE_OF_DELETE = {messages.HARD_DELETE: HARD, messages.SOFT_DELETE: SOFT}


class Verdict(NamedTuple):
    artifact: Artifact
    rule_type: int
    rule_index: int


def check_rules(rules: Sequence[LifecycleRule]) -> None:
    """Refuse what the cloud refuses beyond the limits of single fields."""
    if len(rules) > MOST_RULES:
        raise invalid(f"rules: the number of elements must be <={MOST_RULES}")
    for index, rule in enumerate(rules):
        where = f"rules[{index}]"
        if rule.WhichOneof("kind") is None:
            raise invalid(f"{where}.kind: one of keep_by_age, keep_by_version, delete must be set")
        if rule.HasField("delete"):
            if rule.delete.type not in _TYPE_OF_DELETE:
                raise invalid(f"{where}.delete.type: must be HARD_DELETE or SOFT_DELETE")
            if rule.delete.WhichOneof("condition") is None:
                raise invalid(f"{where}.delete.condition: must be set")
        if rule.HasField("maven_filters"):
            raise invalid(f"{where}.maven_filters: the registry isn't of kind MAVEN")
        try:
            re.compile(rule.version_regexp)
        except re.error as error:
            raise invalid(f"{where}.version_regexp: {error}") from None


def verdicts(rules: Sequence[LifecycleRule], artifacts: Iterable[Artifact], now: float) -> list[Verdict]:
    """What the rules do with the artifacts that any of them touches."""
    packages: dict[str, list[Artifact]] = {}
    for artifact in artifacts:
        packages.setdefault(artifact.parent, []).append(artifact)
    decided: dict[str, Verdict] = {}
    keeping_first = sorted(enumerate(rules), key=lambda numbered: numbered[1].HasField("delete"))
    for index, rule in keeping_first:
        rule_type = _TYPE_OF_DELETE[rule.delete.type] if rule.HasField("delete") else RETAIN
        matches = _matcher(rule)
        for package in packages.values():
            newest_first = sorted(
                filter(matches, package), key=lambda artifact: (-artifact.created_at, artifact.id)
            )
            for artifact in _touched(rule, newest_first, now):
                decided.setdefault(artifact.id, Verdict(artifact, rule_type, index))
    return list(decided.values())


def _matcher(rule: LifecycleRule) -> Callable[[Artifact], bool]:
    prefixes = tuple(prefix.strip().removesuffix(".*").lstrip("/") for prefix in rule.path_prefix.split(","))
    whole_version = re.compile(rule.version_regexp or ".*").fullmatch
    tag_status = rule.docker_filters.tag_status

    def matches(artifact: Artifact) -> bool:
        return (
            artifact.path[1:].startswith(prefixes)
            and whole_version(artifact.name) is not None
            and not (tag_status == DockerFilters.TAGGED and not artifact.has_tag)
            and not (tag_status == DockerFilters.UNTAGGED and artifact.has_tag)
        )

    return matches


def _touched(rule: LifecycleRule, newest_first: list[Artifact], now: float) -> list[Artifact]:
    if rule.HasField("keep_by_age"):
        kept_from = now - rule.keep_by_age.younger_than_days * DAY_SECONDS
        return [artifact for artifact in newest_first if artifact.created_at > kept_from]
    if rule.HasField("keep_by_version"):
        return newest_first[: rule.keep_by_version.keep_versions_count]
    match rule.delete.WhichOneof("condition"):
        case "older_than_days":
            deleted_to = now - rule.delete.older_than_days * DAY_SECONDS
            return [artifact for artifact in newest_first if artifact.created_at < deleted_to]
        case "version_condition":
            return newest_first[rule.delete.version_condition.versions_count_greater_than :]
    return newest_first if rule.delete.always else []
