"""Registries as the comparison of the two services finds them."""

from __future__ import annotations

from typing import Any

from shared.report.migration import MigrationReport
from shared.retention.migration import (
    Contents,
    Difference,
    InUse,
    LeftBehind,
    RegistryMigration,
    missing,
)
from shared.retention.policy_translation import NativePolicy, translate
from shared.retention.records import NativeRule, Notice, Policy, Problem

OLD = Contents(service="container-registry", repositories=2, images=20_000, tags=20_000, size_bytes=2**30)
NEW = Contents(service="cloud-registry", repositories=2, images=19_963, tags=19_963, policies=1)
POLICY = Policy("pol1", "old <b>", "r", "ACTIVE")
TRANSLATED = translate("crp1", [NativePolicy(POLICY, "app", (NativeRule("b-.*", retained_top=5),))], ["app"])
KEPT_OUT = translate(
    "crp1", [NativePolicy(POLICY, "app", (NativeRule("b-.*", retained_top=5),))], ["app", "app2"]
)


def rows(count: int, what: Any = "tag", **fields: str) -> list[Difference]:
    return [
        Difference(what=what, repository="app", tag=f"v{number}", digest="sha256:1", **fields)
        for number in range(count)
    ]


def registry(
    state: Any = "moved", differences: list[Difference] | None = None, **more: Any
) -> RegistryMigration:
    differences = differences or []
    fields: dict[str, Any] = {
        "registry_id": "crp1",
        "name": "company",
        "state": state,
        "source": None if state == "target-only" else OLD,
        "target": None if state == "to-move" else NEW,
        "arrived": not differences if state == "moved" else None,
        "missing": missing(differences),
        "differences": differences,
        "newer_tags": 0,
        "creation_times": "kept",
        "created_on": "",
        "in_use": InUse(known=True, images=3, arrived=3),
        "left_behind": [],
        "policies": [],
        "rules": "",
        "new_policies": [],
    }
    return RegistryMigration(**(fields | more))


def report(*registries: RegistryMigration) -> MigrationReport:
    return MigrationReport(
        status="ok",
        registries=list(registries),
        reclaimed_bytes=0,
        warnings=[Notice("c", "look\x1b[31m")],
        errors=[Problem("w", 7, "not [bold]allowed")],
    )


FULL = registry(
    differences=rows(150, used_by="pod <script>"),
    left_behind=[LeftBehind(reason="policy old", images=12, size_bytes=2**20)],
    policies=TRANSLATED.translations,
    rules=TRANSLATED.rules,
    new_policies=TRANSLATED.new_policies,
)
