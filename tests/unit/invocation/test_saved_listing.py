"""Rules on a saved listing: the forms that it may have, and what is decided by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import SettingsError
from shared.invocation.saved_listing import dry_run, read

API = {
    "id": "img1",
    "name": "crp1/team-a/app",
    "digest": f"sha256:{'1' * 64}",
    "tags": ["b-1"],
    "createdAt": "2024-01-01T00:00:00Z",
}
YC = {("created_at" if name == "createdAt" else name): value for name, value in API.items()}


def saved(folder: Path, document: Any) -> str:
    file = folder / "listing.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(file)


@pytest.mark.parametrize("document", [{"images": [API]}, [API], [YC]], ids=["of the API", "a list", "of yc"])
def test_a_listing_is_read_in_every_form(tmp_path: Path, document: Any) -> None:
    images = read(saved(tmp_path, document))
    assert {name: [image.image_id for image in listed] for name, listed in images.items()} == {
        "crp1/team-a/app": ["img1"]
    }
    assert images["crp1/team-a/app"][0].created_at == "2024-01-01T00:00:00Z"


WRONG: dict[str, tuple[Any, str]] = {
    "no JSON": ("images: none", "is not JSON"),
    "an object without images": ({}, "no list of images"),
    "a row that is a number": ([5], "image 1"),
    "a name without a repository": ([API | {"name": "app"}], "has no name"),
}


@pytest.mark.parametrize(("document", "message"), WRONG.values(), ids=WRONG)
def test_a_listing_that_is_not_understood_is_an_error_that_says_how_to_save_one(
    tmp_path: Path, document: Any, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        read(saved(tmp_path, document))
    assert "yc container image list" in str(caught.value)


def test_rules_take_what_they_match_and_the_report_says_what_was_not_looked_at(tmp_path: Path) -> None:
    config = tmp_path / "janitor.toml"
    config.write_text('[[rules]]\nname = "builds"\ntags = "b-.*"\nolder_than = "30d"\n')
    listing = saved(
        tmp_path, [API, API | {"id": "img2", "tags": ["release"], "digest": f"sha256:{'2' * 64}"}]
    )

    report = dry_run({"JANITOR_CONFIG": str(config), "CLEANUP_MODE": "apply"}, listing)

    assert report.mode == "dry-run"
    assert [row.image_id for row in report.images] == ["img1"]
    assert "listing" in {row.code for row in report.warnings}
