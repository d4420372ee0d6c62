"""What runs in the process of a call: the handler, with its event and context, and nothing of the emulator's.

Reads one line of JSON from standard input and writes one file of JSON, `{"result": ..}` or `{"error": ..}`,
as the handler returned or raised. Run with `python -I -S -B -u`: only the standard library, the version's
requirements and its code can be imported.
"""

import asyncio
import importlib
import inspect
import json
import re
import sys
import time
import traceback
from typing import Any


class Context:
    """What Cloud Functions tells a handler of its call (functions/lang/python/context)."""

    def __init__(self, call: dict[str, Any]) -> None:
        self.request_id = self.aws_request_id = call["request_id"]
        self.function_name = self.invoked_function_arn = call["function_id"]
        self.function_version = self.log_stream_name = call["version_id"]
        self.log_group_name = ""
        self.memory_limit_in_mb = call["memory_mb"]
        self.token = call["token"]
        self.deadline_ms = int((time.time() + call["seconds"]) * 1000)
        self._ends_at = time.monotonic() + call["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends_at - time.monotonic()) * 1000))


def outcome(call: dict[str, Any]) -> dict[str, Any]:
    sys.path[:0] = [call["code"], call["libraries"]]
    file, _, name = call["entry_point"].partition(".")
    try:
        handler = getattr(importlib.import_module(file), name)
        result = handler(call["event"], Context(call))
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        json.dumps(result)
    except Exception as error:
        traceback.print_exc()
        told = traceback.extract_tb(error.__traceback__)
        return {
            "error": {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "stackTrace": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in told],
            }
        }
    return {"result": result}


def main() -> None:
    call = json.loads(sys.stdin.readline())
    told = outcome(call)
    with open("/proc/self/status") as status:
        peak = re.search(r"VmHWM:\s+(\d+)", status.read())
    told["peak_kb"] = int(peak[1]) if peak else 0
    with open(call["answer"], "w") as answer:
        json.dump(told, answer)


if __name__ == "__main__":
    main()
