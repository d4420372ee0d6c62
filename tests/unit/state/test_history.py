"""The last ninety runs are remembered in the state directory."""

from __future__ import annotations

from pathlib import Path

from shared.state.directory import StateDir
from shared.state.history import keep, trend
from tests.support.history import remembered


def test_broken_files_are_left_out_of_the_trend(state: Path) -> None:
    directory = StateDir(str(state))
    assert trend(directory) == []
    for run_id in ("a", "c"):
        keep(directory, remembered(run_id))
    for name, text in {
        "b": "",
        "d": '{"run_id": "d"',
        "e": "[]",
        "f": '{"run_id": "f", "totals": {}}',
    }.items():
        (state / "history" / f"{name}.json").write_text(text)
    (state / "history" / "g.json").mkdir()
    (state / "history" / "h.json").write_bytes(b'"\xff"')

    assert [row.run_id for row in trend(directory)] == ["a", "c"]
