"""The house keeps its order: few rooms, imports one way, small modules, a test for each module."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from shared import errors
from tests.support.house import ROOT, arrows, functions, measured, modules, order, room

ROOMS = 10
MOST_LINES, MOST_LINES_A_FUNCTION, MOST_IMPORTED = 350, 55, 14
SHARED = {name: path for name, path in modules().items() if name.startswith("shared.")}
MODULES = {name: path for name, path in modules().items() if path.name != "__init__.py"}

CHANGING = {"append", "extend", "update", "add", "clear", "pop", "setdefault", "insert", "remove"}
# Rooms whose modules are tested by whole runs (tests/runs, tests/deploy), from outside.
RUN_AS_A_WHOLE = {"cleanup", "deploy", "functions"}
# Modules with logic and without a test file of their own: a module may leave this list, and none joins.
UNTESTED_ALONE = {
    "shared.auth.sources",
    "shared.cloud.image_deletion",
    "shared.cloud.registry_services",
    "shared.cloud.workloads.asking",
    "shared.cloud.workloads.compute",
    "shared.cloud.workloads.instance_groups",
    "shared.cloud.workloads.kubernetes",
    "shared.cloud.workloads.kubernetes_custom",
    "shared.cloud.workloads.kubernetes_lists",
    "shared.cloud.workloads.kubernetes_objects",
    "shared.cloud.workloads.kubernetes_workloads",
    "shared.cloud.workloads.serverless_containers",
    "shared.cloud.workloads.sources",
}
# What decides, guards, cleans and reports does the same for either registry service, and names neither; what
# leads from one to the other names both.
MIGRATING = ("migration", "policy_translation")
SERVICE_BLIND = ("shared.retention.", "shared.cleanup.", "shared.report.")
SERVICE_MODULES = {"shared.cloud.artifacts", "shared.cloud.cloud_registry", "shared.cloud.container_registry"}
SERVICE_WORD = re.compile(
    r"(?:container|cloud)[-_ ]?registry|artifact|listartifacts|cr\.yandex", re.IGNORECASE
)
NAMING_A_SERVICE = {
    ("shared.retention.records", "container-registry"),  # the names themselves, and the older of them,
    ("shared.retention.records", "cloud-registry"),  # which plans and reports from before there were two mean
    ("shared.report.contract", "container-registry"),
    ("shared.cleanup.read_only", "Cloud Registry"),  # how to go on, for a person
    ("shared.cleanup.read_only", "cloud-registry"),
    ("shared.retention.manifest_meaning", "artifact"),  # OCI's media types and keys
}


def test_there_are_ten_rooms_and_one_door_each() -> None:
    assert len({room(name) for name in SHARED}) <= ROOMS
    assert set(order()) == {room(name) for name in SHARED}


def test_no_room_imports_a_room_above_it() -> None:
    assert measured()["arrows_up"] == []


def test_deploying_and_being_called_do_not_know_each_other() -> None:
    between = {(room(name), room(other)) for name, other in arrows()}
    assert not between & {("deploy", "invocation"), ("invocation", "deploy")}


def test_no_module_is_long() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_is_long() -> None:
    every = [(name, function, lines) for name, path in MODULES.items() for function, lines in functions(path)]
    assert [row for row in every if row[2] > MOST_LINES_A_FUNCTION] == []


def test_no_module_imports_many_others_of_ours() -> None:
    counts = Counter(name for name, _ in arrows())
    assert {name: count for name, count in counts.items() if count > MOST_IMPORTED} == {}


def test_what_is_known_of_a_run_is_written_in_one_module() -> None:
    written = {
        f"{name}: {ast.unparse(node)}"
        for name, path in MODULES.items()
        if name not in ("shared.cleanup.run", "shared.cleanup.findings")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if _writes(node) in ("run", "survey")
    }
    assert written == set()


def _writes(node: ast.AST) -> str:
    """The name of the object one of whose fields the statement or call changes."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
        changed: list[ast.expr] = [node.func.value]
        changed = [field for field in changed if isinstance(field, ast.Attribute)]
    else:
        changed = getattr(node, "targets", None) or [getattr(node, "target", ast.Constant(0))]
        changed = [field.value if isinstance(field, ast.Subscript) else field for field in changed]
    for field in changed:
        if isinstance(field, ast.Attribute) and isinstance(field.value, ast.Name):
            return field.value.id
    return ""


def _same_for_either_service() -> dict[str, ast.Module]:
    return {
        name: ast.parse(path.read_text(encoding="utf-8"))
        for name, path in MODULES.items()
        if name.startswith(SERVICE_BLIND) and not any(word in name for word in MIGRATING)
    }


def test_what_decides_cleans_and_reports_imports_no_registry_service() -> None:
    blind = _same_for_either_service()
    assert {(name, other) for name, other in arrows() if name in blind and other in SERVICE_MODULES} == set()


def test_what_decides_cleans_and_reports_names_no_registry_service() -> None:
    named = {
        (name, match[0])
        for name, tree in _same_for_either_service().items()
        for text in _words(tree)
        for match in SERVICE_WORD.finditer(text)
    }
    assert named == NAMING_A_SERVICE


def _words(tree: ast.Module) -> Iterator[str]:
    """The texts and names in the code, without docstrings."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value
        for name in ("id", "attr", "arg", "name"):
            if isinstance(getattr(node, name, None), str):
                yield getattr(node, name)


def test_the_packages_import_nothing() -> None:
    packages = {name: path for name, path in SHARED.items() if path.name == "__init__.py"}
    assert {
        name for name, path in packages.items() if len(ast.parse(path.read_text(encoding="utf-8")).body) > 1
    } == set()


def test_every_module_with_logic_has_a_test_of_its_name() -> None:
    tests = {
        path.relative_to(ROOT / "tests/unit").as_posix() for path in (ROOT / "tests/unit").rglob("test_*.py")
    }
    missing = {
        name
        for name, path in MODULES.items()
        if room(name) not in RUN_AS_A_WHOLE
        and next(functions(path), None)
        and f"{room(name)}/test_{name.rpartition('.')[2]}.py" not in tests
        and f"test_{name.rpartition('.')[2]}.py" not in tests
    }
    assert missing == UNTESTED_ALONE


def test_every_error_stands_in_the_drawing_and_in_its_file() -> None:
    drawn = set(re.findall(r"── (\w+)", errors.__doc__ or ""))
    derived = {
        (node.name, name)
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and {*map(ast.unparse, node.bases)} & {"JanitorError", *drawn}
    }
    assert derived == {(name, "shared.errors") for name in drawn}


@pytest.mark.parametrize("entry_point", ["cleanup", "dry_run", "webhook"])
def test_an_entry_point_loads_nothing_heavy(entry_point: str) -> None:
    code = f"import sys; import functions.{entry_point}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    heavy = {
        "jinja2",
        "rich",
        "pygments",
        "requests",
        "urllib3",
        "http.client",
        "cryptography",
        "jwt",
        "smtplib",
        "dateutil",
        "ctypes",
        "shared.deploy",
    }
    assert not heavy & set(loaded.stdout.split())
