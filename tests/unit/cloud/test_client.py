"""What many threads do at once."""

from __future__ import annotations

import subprocess
import sys

from tests.emulator.client import PROJECT_ROOT

# The threads of a run get the first answer of a kind at the same moment. A type is new only once in a
# process, so each round makes its own.
DECODE_AT_ONCE = """
import sys, threading
from typing import Optional
import msgspec
from shared.cloud.reading import Raw
from shared.cloud.client import decoded

sys.setswitchinterval(1e-6)
answer = Raw(200, {}, b'{"images": [{"id": "a", "config": {"digest": "d"}, "layers": [{"digest": "x"}]}]}')
failures = []
for round in range(1500):
    blob = msgspec.defstruct("Blob", [("digest", str, "")])
    image = msgspec.defstruct(
        "Image", ["id", ("config", Optional[blob], None), ("layers", Optional[list[blob]], None)]
    )
    images = msgspec.defstruct("Images", [("images", Optional[list[image]], None), ("token", str, "")])
    barrier = threading.Barrier(4)

    def decode():
        barrier.wait()
        try:
            decoded(answer, images, "registry", "GET /", "", ())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert not failures, failures[0]
"""


def test_threads_that_get_the_first_answer_of_a_kind_at_once_all_understand_it() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DECODE_AT_ONCE],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:] or f"it died of signal {-ended.returncode}"
