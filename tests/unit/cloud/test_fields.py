"""What a container's image field uses."""

from __future__ import annotations

import pytest

from shared.cloud.workloads.fields import Start, in_field
from shared.retention.references import Use

REGISTRIES, DIGEST = frozenset({"crp1"}), "a" * 64

FIELDS = {
    "ours by its tag": ("cr.yandex/crp1/app:1", "", [Use("w", "cr.yandex/crp1/app:1", "")]),
    "ours by its digest": (
        f"cr.yandex/crp1/app@sha256:{DIGEST.upper()}", "",
        [Use("w", f"cr.yandex/crp1/app@sha256:{DIGEST.upper()}", f"sha256:{DIGEST}")],
    ),
    "ours as it was resolved": ("cr.yandex/crp1/app:1", f"sha256:{DIGEST}", [Use("w", "cr.yandex/crp1/app:1", f"sha256:{DIGEST}")]),
    "of elsewhere by its tag": ("docker.io/library/nginx:1", "", []),
    "of elsewhere by its digest": ("docker.io/library/nginx:1", f"sha256:{DIGEST}", [Use("w", "", f"sha256:{DIGEST}")]),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_an_image_field(name: str) -> None:
    image, digest, uses = FIELDS[name]
    assert list(in_field(image, "w", REGISTRIES, digest)) == uses


def test_a_start_reads_as_a_script_would() -> None:
    assert Start(("run", "--now"), (("A", "1"), ("EMPTY", ""))).text == "A=1\nrun\n--now"
