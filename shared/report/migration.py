"""What `cleanup.migration` has found, as JSON leaves the bundle and in sentences."""

from __future__ import annotations

import json

import msgspec

from shared.report.contract import Report, Status
from shared.report.summary import size
from shared.retention.migration import RegistryMigration
from shared.retention.records import Notice, Problem

OLD, NEW = "Container Registry", "Cloud Registry"
READ_ONLY, SHUT = "2026-11-10", "2026-12-14"
LACKING = {
    "repository": "repositories",
    "tag": "tags",
    "other-digest": "tags that name another digest",
    "digest": "untagged images",
    "index-child": "parts of multi-platform images",
    "signature": "signatures or the like",
}
ONE = {
    "repository": "repository",
    "tag": "tag",
    "other-digest": "tag that names another digest",
    "digest": "untagged image",
    "index-child": "part of a multi-platform image",
    "signature": "signature or the like",
}


class MigrationReport(msgspec.Struct, frozen=True, kw_only=True):
    """``status``, ``warnings`` and ``errors`` as a report has them.

    ``reclaimed_bytes`` is what a clean-up would free before the migration, a layer counted once.
    """

    status: Status
    registries: list[RegistryMigration]
    reclaimed_bytes: int
    warnings: list[Notice]
    errors: list[Problem]


def migration_report(report: Report, registries: list[RegistryMigration]) -> MigrationReport:
    return MigrationReport(
        status=report.status,
        registries=registries,
        reclaimed_bytes=report.totals.reclaimed_bytes,
        warnings=report.warnings,
        errors=report.errors,
    )


def headline(registry: RegistryMigration) -> str:
    """The most important thing to know of a registry."""
    if registry.state == "to-move":
        return f"It has not been migrated: {NEW} does not have it."
    if registry.state == "target-only":
        return f"{NEW} alone has it, so that there is nothing to compare."
    if registry.differences:
        return f"Not everything is in {NEW}: {lacking(registry)} are missing or differ."
    if registry.arrived is None:
        return "Whether everything has arrived is not known: something could not be read."
    return f"Everything that {OLD} has is in {NEW}, too."


def lacking(registry: RegistryMigration) -> str:
    """What is missing, counted, as in ``37 tags, 1 signature or the like``."""
    counted = {kind: count for kind, count in registry.missing.items() if count}
    return ", ".join(f"{count:,} {(ONE if count == 1 else LACKING)[kind]}" for kind, count in counted.items())


def sentences(registry: RegistryMigration) -> list[str]:
    """What else there is to know of a registry, each a sentence."""
    return [
        *_of_differences(registry),
        *_of_use(registry),
        *_of_times(registry),
        *_of_policies(registry),
    ]


def _of_differences(registry: RegistryMigration) -> list[str]:
    if registry.state == "to-move" and registry.source:
        source = registry.source
        return [
            f"{source.repositories:,} repositories with {source.images:,} images, {source.tags:,} tags and"
            f" {size(source.size_bytes)} would move; {OLD} closes on {SHUT}.",
            f"{OLD} is read-only since {READ_ONLY}: what nobody needs moves too, and is deleted in {NEW}.",
        ]
    said = []
    if registry.missing["digest"] or registry.missing["index-child"]:
        said.append(
            "That a migration takes images without a tag is not documented; an untagged image that no index"
            " holds may be one that nobody needs."
        )
    if registry.missing["tag"]:
        said.append(f"What was deleted in {NEW} since the migration counts as missing here.")
    if registry.newer_tags:
        said.append(f"{registry.newer_tags:,} tags are in {NEW} alone: they were pushed since.")
    return said


def _of_use(registry: RegistryMigration) -> list[str]:
    if registry.state != "moved":
        return []
    used = registry.in_use
    said = ["None of its images is seen to run."]
    if used.images:
        said = [f"{used.arrived:,} of the {used.images:,} images that are seen to run have arrived."]
    if not used.known:
        said.append("Not everything that may run them could be looked at, so that more may run.")
    return said


def _of_times(registry: RegistryMigration) -> list[str]:
    if registry.state == "to-move":
        return []
    if registry.creation_times == "kept":
        return ["The creation times were kept."]
    day = registry.created_on
    if day:
        return [
            f"Nearly all images in {NEW} seem to have been created on {day}: all of them look young, and"
            " rules and policies of age or rank mean nothing. A clean-up by such rules is refused until"
            " allow_new_creation_times = true is set."
        ]
    if registry.creation_times == "changed":
        return [f"Most creation times in {NEW} are others than in {OLD}: look at rules of age or rank again."]
    return []


def _of_policies(registry: RegistryMigration) -> list[str]:
    lost = [policy for policy in registry.policies if policy.no_policy]
    if not lost:
        return []
    return [
        f"{len(lost):,} of the {len(registry.policies):,} lifecycle policies cannot be one of {NEW}:"
        " the table of policies says why."
    ]


def doubts(registry: RegistryMigration) -> list[str]:
    """What is not documented of the translated policies, each doubt once."""
    return list(dict.fromkeys(doubt for policy in registry.policies for doubt in policy.doubts))


class Table(msgspec.Struct, frozen=True):
    title: str
    heads: tuple[str, ...]
    rows: list[list[str]]


def tables(registry: RegistryMigration) -> list[Table]:
    """The tables that say the rest of a registry; none is empty."""
    contents = [each for each in (registry.source, registry.target) if each]
    made = [
        Table(
            "Contents",
            ("Service", "Repositories", "Images", "Tags", "Size", "Policies"),
            [
                [
                    row.service,
                    *(f"{count:,}" for count in (row.repositories, row.images, row.tags)),
                    size(row.size_bytes),
                    f"{row.policies:,}",
                ]
                for row in contents
            ],
        ),
        Table(
            "Missing",
            ("What", "Repository", "Tag", "Digest", "There, or of", "In use"),
            [
                [row.what, row.repository, row.tag, row.digest, row.other_digest or row.of, row.used_by]
                for row in registry.differences
            ],
        ),
        Table(
            "What policies and rules take",
            ("Reason", "Images", "Size"),
            [[row.reason, f"{row.images:,}", size(row.size_bytes)] for row in registry.left_behind],
        ),
        Table(
            "Policies",
            ("Repository", "Policy", "Status", "As rules", "As a new policy"),
            [
                [
                    row.repository,
                    row.policy_name or row.policy_id,
                    row.status,
                    "; ".join(row.no_rules) or "yes",
                    "; ".join(row.no_policy) or row.new_policy,
                ]
                for row in registry.policies
            ],
        ),
    ]
    return [table for table in made if table.rows]


def texts(registry: RegistryMigration) -> list[tuple[str, str]]:
    """What can be copied from the translated policies, each with its title."""
    made = [
        ("The ACTIVE policies as rules, for the settings file", registry.rules),
        (
            f"The policies as bodies that create them in {NEW}",
            json.dumps(registry.new_policies, indent=2) if registry.new_policies else "",
        ),
    ]
    return [(title, text) for title, text in made if text]
