"""What is said of a migration, at a terminal and on a page."""

from __future__ import annotations

import msgspec
import pytest

from shared.report import migration, terminal
from shared.report.migration import doubts, headline, sentences, tables, texts
from shared.report.page import page
from shared.retention.migration import (
    InUse,
    RegistryMigration,
)
from tests.support.migrations import FULL, KEPT_OUT, registry, report, rows

HEADLINES = {
    "nothing is missing": (registry(), "Everything that Container Registry has"),
    "something is": (
        registry(differences=rows(37) + rows(1, "signature")),
        "37 tags, 1 signature or the like are",
    ),
    "nobody knows": (registry(arrived=None), "not known"),
    "before": (registry("to-move"), "has not been migrated"),
    "nothing to compare with": (registry("target-only"), "alone has it"),
}


@pytest.mark.parametrize(("shown", "says"), HEADLINES.values(), ids=HEADLINES)
def test_what_matters_most_comes_first(shown: RegistryMigration, says: str) -> None:
    assert says in headline(shown)


SENTENCES = {
    "what would move": (registry("to-move"), "20,000 images, 20,000 tags and 1.0 GB would move"),
    "untagged images": (registry(differences=rows(1, "digest")), "without a tag is not documented"),
    "deleted since": (registry(differences=rows(1)), "counts as missing here"),
    "pushed since": (registry(newer_tags=3), "3 tags are in Cloud Registry alone"),
    "what runs": (registry(), "3 of the 3 images"),
    "what cannot be cleaned first": (registry("to-move"), "read-only since 2026-11-10"),
    "nothing runs": (registry(in_use=InUse(known=True)), "None of its images"),
    "what may run": (registry(in_use=InUse(known=False)), "more may run"),
    "times kept": (registry(), "creation times were kept"),
    "times lost": (
        registry(creation_times="lost", created_on="2026-11-20"),
        "allow_new_creation_times = true",
    ),
    "other times": (registry(creation_times="changed"), "look at rules of age"),
    "a policy lost": (registry(policies=KEPT_OUT.translations), "1 of the 1 lifecycle policies cannot"),
}


@pytest.mark.parametrize(("shown", "says"), SENTENCES.values(), ids=SENTENCES)
def test_the_rest_is_said_in_sentences(shown: RegistryMigration, says: str) -> None:
    assert any(says in sentence for sentence in sentences(shown))


def test_nothing_is_said_of_what_there_is_not() -> None:
    bare = registry("target-only", creation_times="not known")

    assert sentences(bare) == []
    assert [table.title for table in tables(bare)] == ["Contents"]
    assert doubts(bare) == []
    assert texts(bare) == []


def test_the_terminal_shows_the_first_of_all_and_texts_to_copy(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_migration(report(FULL, registry("to-move")))

    out = capsys.readouterr().out
    assert "crp1 (company): Not everything is in Cloud Registry: 150 tags" in out
    assert "… and 110 more (--json lists them all)" in out
    assert '[[rules]]\nname = "old <b> of app"\n' in out
    assert '"keepVersionsCount"' not in out
    assert '      "versionsCountGreaterThan": "5"' in out.replace("        ", "      ")
    assert "doubt: " in out
    assert "warning: look\N{REPLACEMENT CHARACTER}[31m" in out
    assert "error: not [bold]allowed" in out


def test_the_page_shows_the_same_as_text() -> None:
    html = page.migration_page(report(FULL))

    assert "Not everything is in Cloud Registry: 150 tags" in html
    assert "… and 50 more" in html
    assert "pod &lt;script&gt;" in html
    assert "<script" not in html
    assert "name = &#34;old &lt;b&gt; of app&#34;\naction" in html or "old &lt;b&gt; of app&#34;\n" in html
    assert "Content-Security-Policy" in html


def test_the_json_has_everything() -> None:
    document = msgspec.json.decode(msgspec.json.encode(report(FULL)))

    assert len(document["registries"][0]["differences"]) == 150
    assert document["registries"][0]["missing"]["tag"] == 150
    assert document["registries"][0]["source"]["service"] == "container-registry"
    assert migration.lacking(FULL) == "150 tags"
