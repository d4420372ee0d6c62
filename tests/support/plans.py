"""What `test_plans` and `unit.state.test_plans` share."""

from __future__ import annotations

from datetime import timedelta

VALID = timedelta(days=7)
