"""The documentation names all that there is, and nothing else; its links lead somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import get_args

import pytest

from shared.auth.environment import VARIABLES
from shared.deploy import command_line as deploying
from shared.deploy import config, roles
from shared.invocation.command_line import COMMANDS
from shared.report.contract import STATUSES
from shared.retention.records import Registry, Service
from shared.retention.rule import Rule
from shared.settings.deploy_table import Deploy
from shared.settings.settings import KEYS
from tests.emulator.client import PROJECT_ROOT
from tests.support.deployments import WHOLE
from tests.support.documentation import PAGES, name_of, text_of

LINK = re.compile(r"\]\(([^)\s]+)\)")
IN_CODE = re.compile(r"`([^`\n]+)`")


def page(name: str) -> str:
    return text_of(PROJECT_ROOT / name)


def named_in(name: str) -> set[str]:
    """What a page has between backquotes, whole and in its parts."""
    quoted = IN_CODE.findall(page(name))
    return set(quoted) | {part for text in quoted for part in re.split(r"[\s=,]+", text)}


def test_the_readme_is_read_in_a_sitting() -> None:
    assert len(page("README.md").splitlines()) <= 120


def test_every_setting_is_documented() -> None:
    keys = {*KEYS, *(key.variable for key in KEYS.values() if key.variable), *VARIABLES}

    assert keys - named_in("docs/settings.md") == set()


def test_every_key_of_a_deployment_and_of_a_rule_is_documented() -> None:
    assert set(Deploy.__struct_fields__) - named_in("docs/deployment.md") == set()
    assert set(Rule.__struct_fields__) - named_in("docs/rules.md") == set()


def test_every_command_is_documented() -> None:
    pages = "".join(map(text_of, PAGES))

    for command in COMMANDS:
        assert f"python -m functions {command.name}" in pages, command.name
    assert set(re.findall(r"python -m functions ([a-z-]+)", pages)) == {command.name for command in COMMANDS}
    verbs = {*deploying.VERBS, "package", "local"}
    assert set(re.findall(r"[.]/deploy[.]sh ([a-z]+)", pages)) == verbs


def test_every_status_is_documented() -> None:
    assert set(STATUSES) - named_in("docs/commands.md") == set()


def test_every_role_is_documented(tmp_path: Path) -> None:
    """Those of a deployment with all that takes a role, in both services."""
    file = tmp_path / "janitor.toml"
    file.write_text('metrics.folder_id = "b1gfolder"\n' + WHOLE)
    whole = config.load(str(file), {}, datetime.now(UTC))
    registries = [Registry("crp1", "b1gfolder", "shop", service) for service in get_args(Service)]

    grants = roles.grants(whole, registries)

    assert {grant.role for grant in grants} - named_in("docs/roles.md") == set()
    assert len({grant.role for grant in grants}) > 14


def codes() -> Iterator[str]:
    """The codes of the warnings that the sources give."""
    for source in (PROJECT_ROOT / "shared").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name in ("warn", "hold_back", "refuse", "Notice", "Damage"):
                    yield str(node.args[0].value)


def test_every_warning_has_its_remedy() -> None:
    given = {code for code in codes() if re.fullmatch(r"[a-z]+(-[a-z]+)*", code)}

    assert len(given) > 25
    assert given - named_in("docs/troubleshooting.md") == set()


def sentences() -> str:
    """All texts of the sources, with a gap for each value in one."""
    texts: list[str] = []
    for source in (PROJECT_ROOT / "shared").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "..." for part in node.values]
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_every_error_that_is_explained_is_one_that_is_given() -> None:
    table = page("docs/troubleshooting.md").partition("## Errors, by what they say")[2].partition("\n## ")[0]
    messages = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    given = sentences()

    assert len(messages) > 8
    for message in messages:
        for part in filter(None, (text.strip() for text in message.split("..."))):
            assert part in given, f"{part!r} of {message!r}"


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = [(path, link) for path in PAGES for link in LINK.findall(text_of(path)) if "://" not in link]


@pytest.mark.parametrize(("path", "link"), LINKS, ids=[f"{name_of(path)} {link}" for path, link in LINKS])
def test_every_link_leads_somewhere(path: Path, link: str) -> None:
    file, _, anchor = link.partition("#")
    target = (path.parent / file).resolve() if file else path

    assert target.is_file()
    assert not anchor or anchor in anchors(target)


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {link.partition("#")[0] for path, link in LINKS if path.name == "README.md"}

    assert {name_of(path) for path in PAGES if path.name != "README.md"} - linked == set()


def test_no_line_is_too_long_to_read() -> None:
    prose = chain.from_iterable(
        ((name_of(path), line) for line in text_of(path).splitlines() if not line.startswith("|"))
        for path in PAGES
    )

    assert [(name, line) for name, line in prose if len(line) > 135] == []
