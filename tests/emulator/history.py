"""What happened in the cloud, in order: calls, answers, changes by others, images that went.

    {"kind": "call", "at": 12.3, "number": 17, "method": "GET", "path": "..", "query": ".."}     it has
                                                                                                 arrived
    {"kind": "answer", "at": .., "number": 17, "status": 200, "fault": "{..}"}    status 0: no answer
    {"kind": "change", "at": .., "do": {..}}                         about to be made (see `changes.py`)
    {"kind": "refused", "at": .., "do": {..}, "why": ".."}           the change just told of could not be made
    {"kind": "removed", "at": .., "image_id": ".."}                  by the change before it, or by a call's
                                                                     operation
    {"kind": "removed", "at": .., "image_id": "..", "service": "cloud-registry"}     with its last artifact
                                                                                     there
    {"kind": "artifact-removed", "at": .., "artifact_id": "..", "path": "..", "digest": ".."}

`at` are monotonic seconds. A seed begins a new history; of a long one the last 400,000 entries are kept.
"""

import time
from collections import deque
from typing import Any

KEPT_ENTRIES = 400_000


class History:
    def __init__(self) -> None:
        self._entries: deque[tuple[str, float, dict[str, Any]]] = deque(maxlen=KEPT_ENTRIES)

    def add(self, kind: str, **fields: Any) -> None:
        self._entries.append((kind, time.monotonic(), fields))

    def document(self) -> list[dict[str, Any]]:
        return [{"kind": kind, "at": at, **fields} for kind, at, fields in self._entries]
