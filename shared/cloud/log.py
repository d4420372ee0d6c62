"""Structured log lines for the cloud's log service: one JSON object a line on standard error.

The service reads ``message`` and ``level`` (TRACE, DEBUG, INFO, WARN, ERROR, FATAL) and keeps the other keys;
a line over 64 KB would be split as plain text. (Yandex Cloud's documentation: functions/concepts/logs.)
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from shared.errors import without_secrets

TRACE = 5
LEVELS = {"TRACE": TRACE, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}
_NAMES = {number: name for name, number in LEVELS.items()}
_MOST = 60_000

logger = logging.getLogger("registry-janitor")


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "level": _NAMES.get(record.levelno, "INFO"),
            "message": without_secrets(record.getMessage())[:4000],
        }
        extra = {
            name: without_secrets(value) if isinstance(value, str) else value
            for name, value in getattr(record, "fields", {}).items()
        }
        line = json.dumps({**extra, **fields})
        return line if len(line) <= _MOST else json.dumps(fields)


class _StandardError(logging.StreamHandler[Any]):
    """Writes to whatever standard error is now: the cloud and the tests exchange it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def start(level: str) -> None:
    """Log from ``level`` on; calling it again changes the level only."""
    logger.setLevel(LEVELS[level])
    logger.propagate = False
    if not logger.handlers:
        handler = _StandardError()
        handler.setFormatter(_Line())
        logger.addHandler(handler)


def mute() -> None:
    """Log nothing at all: somebody at a terminal reads the report."""
    logger.disabled = True


def info(message: str, **fields: Any) -> None:
    logger.info("%s", message, extra={"fields": fields})


def warn(message: str, **fields: Any) -> None:
    logger.warning("%s", message, extra={"fields": fields})


def error(message: str, **fields: Any) -> None:
    logger.error("%s", message, extra={"fields": fields})


def fatal(message: str, **fields: Any) -> None:
    logger.critical("%s", message, extra={"fields": fields})


def debug(message: str, **fields: Any) -> None:
    logger.debug("%s", message, extra={"fields": fields})
