"""A reference whose parts stand in variables is found for whatever the variables may be."""

from __future__ import annotations

import pytest

from tests.support.references import named

TEXTS: dict[str, tuple[str, set[str]]] = {
    "a template": ("image: cr.yandex/crp1/app:{{ tag }}", {"crp1/app:$"}),
    "a registry in a variable": ("REGISTRY=cr.yandex/crp1\nrun $REGISTRY/app", {"crp1/", "crp1/app:*"}),
    "a registry with a quoted variable": ('run cr.yandex/crp1/"$NAME"', {"crp1/"}),
    "an id in a variable that is used": ("A=crp1\nrun cr.yandex/$A/app:v1", {"crp1/app:v1"}),
    "an id in a variable that is not used": ("A=crp1 app", {"crp1/A:*", "crp1/app:*"}),
    "a variable with two values": (
        "T=v1\n[ $1 ] && T=v2\nrun cr.yandex/crp1/app:$T",
        {"crp1/app:v1", "crp1/app:v2"},
    ),
    "a variable of a variable": ("A=crp1;B=cr.yandex/$A;\nrun $B/app:v1", {"crp1/", "crp1/app:v1"}),
    "a variable that refers to itself": ('T="${T:-v1}"\nrun cr.yandex/crp1/a:$T', {"crp1/a:v1", "crp1/a:$"}),
    "a variable that may be set elsewhere": (
        "T=v1\n. /etc/app\nrun cr.yandex/crp1/a:$T",
        {"crp1/a:v1", "crp1/a:$"},
    ),
    "another program's variable": ("run -e T=v1 cr.yandex/crp1/a:$T", {"crp1/a:v1", "crp1/a:$"}),
    "an alias in a variable": ("registry.yandexcloud.net/$R/app:v1", {"*/app:v1"}),
    "an address that is all variables": ("cr.yandex/$A/$B", {"*/"}),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_reference_of_variables_is_found_in_a_text(text: str, expected: set[str]) -> None:
    assert named(text) == expected
