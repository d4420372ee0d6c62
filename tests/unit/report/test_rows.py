"""The page's rows: the worst first, as many as there is room for, and nothing in them that hides."""

from __future__ import annotations

from shared.report.page.rows import FIRST, ORDER, pack
from tests.support.pages import image, kinds, report


def test_rows_that_need_a_look_come_first() -> None:
    outcomes = [row.outcome for row in pack(report(kinds()), None).first]

    assert outcomes == sorted(outcomes, key=ORDER.index)
    assert outcomes[0] == "failed"


def test_a_row_tells_what_keeps_its_image_or_why_it_failed() -> None:
    error = {"where": "DELETE x", "code": 7, "message": "not allowed", "image_id": image(5)["image_id"]}

    rows = {row.image_id: row for row in pack(report(kinds(), errors=[error]), None).first}

    assert rows[image(5)["image_id"]].note == "not allowed"
    assert rows[image(3)["image_id"]].note == "serverless container web"
    assert rows[image(1)["image_id"]].created == "2026-11-24 02:00"


def test_rows_are_grouped_by_repository_newest_first() -> None:
    images = [image(3, "b"), image(9, "a"), image(2, "b"), image(1, "a")]

    rows = pack(report(images), None).first

    assert [(row.repository, row.tags) for row in rows] == [
        *(("a", ["build-1"]), ("a", ["build-9"]), ("b", ["build-2"]), ("b", ["build-3"])),
    ]


def test_reasons_and_guards_are_in_words() -> None:
    says = {"policy old-builds": "tags build-.*, older than 30 days"}

    rows = {row.image_id: row for row in pack(report(kinds()), None, says).first}

    assert rows[image(1)["image_id"]].reason == "policy old-builds: tags build-.*, older than 30 days"
    assert rows[image(3)["image_id"]].guard == "in use"


def test_rows_without_room_are_counted() -> None:
    packed = pack(report([image(number) for number in range(300)]), 20_000)

    assert 0 < len(packed.data["rows"]) < 300
    assert packed.left_out == 300 - len(packed.data["rows"])
    assert pack(report([image(1)]), 0).left_out == 1


def test_the_page_shows_a_hundred_rows_and_its_script_has_all() -> None:
    packed = pack(report([image(number) for number in range(FIRST + 1)]), None)

    assert (len(packed.first), len(packed.data["rows"]), packed.total) == (FIRST, FIRST + 1, FIRST + 1)


def test_what_hides_in_a_name_is_shown() -> None:
    [row] = pack(report([image(1, "app\u202e", created_at="soon\u200b")]), None).first

    assert (row.repository, row.created) == ("app⟨U+202E⟩", "soon⟨U+200B⟩")
