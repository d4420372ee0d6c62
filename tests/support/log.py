"""What `test_log` and `unit.cloud.test_log` share."""

from __future__ import annotations

import json
from typing import Any

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
MOST_BYTES = 64 * 1024


def lines_of(text: str) -> list[dict[str, Any]]:
    """Every line, which must be one of the service's."""
    lines = []
    for line in text.splitlines():
        assert len(line.encode()) <= MOST_BYTES
        document = json.loads(line)
        assert isinstance(document, dict)
        assert document["level"] in LEVELS
        assert isinstance(document["message"], str)
        assert document["message"]
        assert "Traceback" not in line
        lines.append(document)
    assert lines
    return lines
