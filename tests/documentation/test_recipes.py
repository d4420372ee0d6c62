"""The recipes of docs/rules.md do what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conftest import FOLDER, Cloud, policy
from tests.support.documentation import blocks_of

RULES = "docs/rules.md"
Images = list[dict[str, Any]]


class Recipe(msgspec.Struct):
    """The images of each repository before; the ids of those that go."""

    repositories: dict[str, Images]
    go: set[str]
    more: dict[str, Any] = {}
    policies: list[dict[str, Any]] = []


def image(name: str, days: float, *tags: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "age": f"{round(days * 24)}h", "tags": list(tags), **more}


def daily(count: int, name: str, tag: str, first: float = 1) -> Images:
    """Images a day apart, the newest of them with the number 0; ``tag`` with ``{n}``."""
    return [image(f"{name}{n}", first + n, tag.format(n=n)) for n in range(count)]


def numbered(name: str, *numbers: int) -> set[str]:
    return {f"{name}{n}" for n in numbers}


def index(name: str, days: float, *tags: str) -> Images:
    """A multi-platform image with its two platform images."""
    parts = [f"{name}-amd64", f"{name}-arm64"]
    return [image(name, days, *tags, index=parts), *(image(part, days) for part in parts)]


REVISION = {"id": "bbarev1", "image": "cr.yandex/crp1/legacy/shop:runs"}
RUNNING = {"containers": [{"id": "bba1", "folder_id": FOLDER, "name": "old-shop", "revisions": [REVISION]}]}

RECIPES = {
    "1. Untagged images after a day": Recipe(
        {
            "app": [
                image("old", 1.2),
                image("young", 0.8),
                image("tagged", 90, "v1"),
                *index("multi", 9, "v2"),
            ]
        },
        {"old"},
    ),
    "2. Multi-platform images": Recipe(
        {"app": [*index("old", 40, "build-1"), *index("new", 20, "build-2"), *index("release", 90, "v1")]},
        {"old", "old-amd64", "old-arm64"},
    ),
    "3. Signatures, attestations and SBOMs": Recipe(
        {
            "app": [
                image("old", 40, "build-1"),
                image("old-sig", 40, signature_of="old"),
                image("old-att", 40, attestation_of="old"),
                image("old-sbom", 40, subject="old"),
                image("new", 20, "build-2"),
                image("new-sig", 40, signature_of="new"),
            ]
        },
        {"old", "old-sig", "old-att", "old-sbom"},
    ),
    "4. The last five of each branch": Recipe(
        {
            "app": [
                *daily(8, "login", "feature-login-{n}", first=10),
                *daily(7, "young", "feature-young-{n}", first=0.5),
                image("log-in", 90, "feature-log-in-a1"),
                image("main", 90, "main"),
            ],
            "web": daily(5, "web", "feature-login-{n}", first=30),
        },
        numbered("login", 5, 6, 7),
    ),
    "5. A repository that is no longer built": Recipe(
        {
            "legacy/shop": [
                *daily(11, "shop", "v{n}", first=200),
                image("runs", 300, "runs"),
                image("x", 300),
            ],
            "app": [image("app", 300, "v1")],
        },
        {*numbered("shop", *range(11)), "x"},
        RUNNING,
    ),
    "6. Pull requests after merge time": Recipe(
        {
            "app": [
                image("old", 15, "pr-6"),
                image("old-named", 15, "pr-7-web"),
                image("young", 13, "pr-8"),
                image("released", 400, "pr-5", "v1.2.3"),
                image("main", 400, "main"),
            ]
        },
        {"old", "old-named"},
    ),
    "7. Every release, for ever": Recipe(
        {
            "app": [
                image("release", 900, "v1.2.3"),
                image("both", 900, "v1.2.4", "build-7"),
                image("candidate", 90, "v1.2.4-rc1"),
                image("young", 29, "build-8"),
            ]
        },
        {"candidate"},
    ),
    "8. Every release of the last year": Recipe(
        {
            "app": [*daily(9, "new", "v2.0.{n}", first=340), *daily(3, "old", "v1.0.{n}", first=370)],
            "dead": daily(9, "dead", "v0.0.{n}", first=900),
            "busy": daily(12, "busy", "v0.0.{n}", first=300),
        },
        numbered("old", 1, 2),
    ),
    "9. The last three patches of each minor version": Recipe(
        {"app": [*daily(4, "one", "v1.1.{n}"), *daily(5, "two", "v1.2.{n}"), image("first", 900, "v1.0.0")]},
        numbered("one", 3) | numbered("two", 3, 4),
    ),
    "10. A week of nightly builds": Recipe(
        {"app": [*daily(9, "nightly", "nightly-{n}"), image("main", 90, "main")]},
        numbered("nightly", 7, 8),
    ),
    "11. Release candidates after two months": Recipe(
        {
            "app": [
                image("old", 61, "v1.0.0-rc.1"),
                image("older", 61, "v1.0.0-rc2"),
                image("released", 61, "v1.0.0-rc3", "v1.0.0"),
                image("young", 59, "v1.1.0-rc1"),
            ]
        },
        {"old", "older"},
    ),
    "12. Buildkit caches": Recipe(
        {
            "app": [
                image("old", 8, "cache"),
                image("branch", 8, "cache-login"),
                image("build", 8, "buildcache"),
                image("used", 6, "cache-main"),
                image("cached", 90, "cached"),
            ]
        },
        {"old", "branch", "build"},
    ),
    "13. Tags that mark what is deployed": Recipe(
        {
            "app": [
                image("deployed", 90, "prod-eu", "build-1"),
                image("latest", 90, "latest"),
                image("product", 90, "product"),
                image("old", 90, "build-2"),
            ]
        },
        {"product", "old"},
    ),
    "14. Base images": Recipe(
        {
            "base/python": [image("python", 900, "3.9"), image("base-untagged", 900)],
            "team-a/builder": [image("builder", 900, "1")],
            "team-a/app": [image("app", 31, "1"), image("untagged", 31), image("young", 29, "2")],
        },
        {"app", "untagged"},
    ),
    "15. A team with times of its own": Recipe(
        {
            "app": [image("old", 1.2), image("young", 0.8)],
            "team-a/app": [image("a-old", 31), image("a-young", 29)],
        },
        {"old", "a-old"},
    ),
    "16. What Helm needs": Recipe(
        {
            "charts/shop": [image("chart", 900, "1.0.0")],
            "services/shop": [*daily(12, "shop", "v{n}", first=40), image("branch", 40, "feature-x")],
        },
        numbered("shop", 10, 11) | {"branch"},
    ),
    "17. What werf needs": Recipe(
        {
            "werf/shop": [image("stage", 90, "a" * 56 + "-1700000000000"), image("record", 90)],
            "app": [image("old", 31, "1"), image("young", 29, "2")],
        },
        {"old"},
    ),
    "18. No naming scheme at all": Recipe(
        {
            "app": [*daily(8, "new", "a{n}", first=80), *daily(4, "old", "b{n}", first=100)],
            "untagged": [image("untagged", 300)],
        },
        numbered("old", 2, 3),
    ),
    "19. Rules instead of native policies": Recipe(
        {"app": [image("new", 1, "v2"), image("second", 2, "v1"), image("old", 31, "v0")]},
        {"old"},
        policies=[policy()],
    ),
}


def ids(recipe: Recipe) -> set[str]:
    return {one["id"] for images in recipe.repositories.values() for one in images}


def settings_of(heading: str) -> str:
    (block,) = blocks_of(RULES, "toml", heading)
    return block.text


def seed(cloud: Cloud, recipe: Recipe) -> None:
    repositories = [
        {"name": name, "images": images, "policies": recipe.policies if number == 0 else []}
        for number, (name, images) in enumerate(recipe.repositories.items())
    ]
    cloud.seed(*repositories, **recipe.more)


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_does_what_it_says(cloud: Cloud, tmp_path: Path, heading: str) -> None:
    recipe = RECIPES[heading]
    seed(cloud, recipe)
    file = tmp_path / "janitor.toml"
    file.write_text(settings_of(heading))

    report = cloud.clean(JANITOR_CONFIG=str(file))

    assert cloud.left() == ids(recipe) - recipe.go
    assert report["status"] == "ok"
    assert report["warnings"] == []


def test_a_first_week_goes_from_looking_to_deleting(cloud: Cloud, tmp_path: Path) -> None:
    looking, planning, applying = blocks_of(RULES, "toml", "20. A first week")
    seed(cloud, Recipe({"app": [image("old", 2), image("new", 0.5), image("tagged", 90, "v1")]}, {"old"}))
    (tmp_path / "state").mkdir()

    def night(settings: str) -> dict[str, Any]:
        (tmp_path / "janitor.toml").write_text(settings.replace("b1g...", FOLDER))
        given: dict[str, Any] = {
            "JANITOR_CONFIG": str(tmp_path / "janitor.toml"),
            "STATE_DIR": str(tmp_path / "state"),
        }
        report: dict[str, Any] = cloud.call("cleanup", **given).results[0]
        assert report["status"] == "ok", report
        return report

    assert [row["image_id"] for row in night(looking.text)["images"]] == ["old"]
    assert night(planning.text)["plan_id"]
    assert cloud.left() == {"old", "new", "tagged"}
    assert night(applying.text)["totals"]["deleted"] == 1
    assert cloud.left() == {"new", "tagged"}


def test_every_recipe_is_tried() -> None:
    headings = [block.heading for block in blocks_of(RULES, "toml")]

    assert list(dict.fromkeys(headings)) == [*RECIPES, "20. A first week"]
