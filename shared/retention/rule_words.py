"""What a rule says, in words: ``tags build-.*, older than 30 days, all but the newest 50``."""

from __future__ import annotations

import re
from typing import Any

from shared.retention.moments import duration
from shared.retention.records import NativeRule
from shared.retention.rule import EVERYWHERE, Rule


def of_rule(rule: Rule) -> str:
    """The words of a ``[[rules]]`` table, without its name."""
    words = [] if rule.repositories == EVERYWHERE else [f"in {' '.join(rule.repositories)}"]
    words += _images(rule.tags or "", untagged=rule.untagged)
    if rule.older_than:
        words.append(f"older than {_long(duration(rule.older_than).total_seconds())}")
    if rule.keep_newest:
        each = " of each group" if rule.group_by else ""
        words.append(f"all but the newest {rule.keep_newest:,}{each}")
    return ", ".join(words)


def of_native(rule: NativeRule) -> str:
    """The words of a rule of a lifecycle policy of Container Registry."""
    words = _images(rule.tag_regexp, untagged=rule.untagged)
    if rule.expire_seconds:
        words.append(f"older than {_long(rule.expire_seconds)}")
    if rule.retained_top:
        words.append(f"all but the newest {rule.retained_top:,}")
    return ", ".join(words)


def of_cloud(rule: Any) -> str:
    """The words of a rule of a lifecycle policy of Cloud Registry, which is JSON as the service lists it."""
    if not isinstance(rule, dict):
        return ""
    words = [str(rule["description"])] if rule.get("description") else []
    words += [f"in {rule['pathPrefix']}"] if rule.get("pathPrefix") else []
    words += _images(str(rule.get("versionRegexp") or ""), untagged=False)
    deletes = rule.get("delete")
    days = str(deletes.get("olderThanDays")) if isinstance(deletes, dict) else ""
    words += [f"older than {_days(int(days))}"] if re.fullmatch("[0-9]{1,9}", days) else []
    return ", ".join(words)


def _images(tags: str, *, untagged: bool) -> list[str]:
    tagged = [f"tags {tags}"] if tags else []
    return [" or ".join([*tagged, *(["untagged"] if untagged else [])])] if tagged or untagged else []


def _long(seconds: float) -> str:
    hours = round(seconds / 3600)
    return _days(hours // 24) if hours % 24 == 0 else f"{hours:,} {'hour' if hours == 1 else 'hours'}"


def _days(count: int) -> str:
    return f"{count:,} {'day' if count == 1 else 'days'}"
