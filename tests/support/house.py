"""``python -m tests.support.house [ROOT]``: the house as its imports draw it, as JSON. Imports inside
functions count too.

A room is what stands at the top of ``shared/``, a package or a module. An arrow leads from what imports to
what is imported; one leads up when its room stands above in the order that the docstring of
``shared/__init__.py`` gives.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of ``shared/`` and ``functions/`` by its dotted name; packages too."""
    paths = [path for top in ("shared", "functions") for path in sorted((root / top).rglob("*.py"))]
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & known.keys()
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                found |= {below if below in known else node.module} & known.keys()
    return found


def room(module: str) -> str:
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == "shared" and rest else top


def order(root: Path = ROOT) -> list[str]:
    """The rooms, highest first, as ``shared/__init__.py`` lists them: the words in backticks of its last
    paragraph.
    """
    text = ast.get_docstring(ast.parse((root / "shared/__init__.py").read_text(encoding="utf-8"))) or ""
    return re.findall(r"`(\w+)`", text.rpartition("\n\n")[2])


def arrows(root: Path = ROOT) -> set[tuple[str, str]]:
    """Who imports whom, module by module."""
    known = modules(root)
    return {(name, other) for name, path in known.items() for other in imported(path, known) if other != name}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """The functions of a file with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def measured(root: Path = ROOT) -> dict[str, Any]:
    known, drawn = modules(root), arrows(root)
    inside = {(name, other) for name, other in drawn if not (name + other).startswith("functions")}
    between = {(room(name), room(other)) for name, other in inside if room(name) != room(other)}
    floors = {name: floor for floor, name in enumerate(order(root))}
    up = sorted((a, b) for a, b in between if a in floors and b in floors and floors[b] < floors[a])
    counts = {name: sum(1 for first, _ in drawn if first == name) for name in known}
    return {
        "doors": len({room(name) for name in known if name.startswith("shared.")}),
        "modules": sum(1 for path in known.values() if path.name != "__init__.py" and "shared" in path.parts),
        "arrows_between_rooms": len(between),
        "arrows_up": [f"{a} -> {b}" for a, b in up],
        "file_arrows": len(inside),
        "file_arrows_between_rooms": sum(1 for a, b in inside if room(a) != room(b)),
        "file_arrows_with_functions": len(drawn),
        "most_importing": sorted(counts.items(), key=lambda pair: -pair[1])[:8],
    }


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT), indent=2))
