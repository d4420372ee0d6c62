"""Variables that nearly have the name of one of ours, and the variables that a file names."""

from __future__ import annotations

import pytest

from shared.errors import SettingsError
from shared.settings.variables import named, refuse_misspelt


@pytest.mark.parametrize("name", ["WEBHOOK_SECRETS", "webhook_secret", "SA_KEY_FILES", "JANITOR_CONFG"])
def test_a_slip_is_refused_and_named(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name}, which is not a known variable; did you mean"):
        refuse_misspelt([name])


@pytest.mark.parametrize("name", ["WEBHOOK_SECRET", "PATH", "LOGLEVEL", "WEBHOOK_SECRET_2", "SA_KEYS"])
def test_other_names_are_none_of_ours(name: str) -> None:
    refuse_misspelt([name])


def test_names_that_the_file_gives_are_known() -> None:
    refuse_misspelt(["JANITOR_CONFG"], known=["JANITOR_CONFG"])


def test_the_variables_that_a_document_names_anywhere() -> None:
    document = {"a": [{"url_env": "X", "url": "Y"}], "b": {"c": {"token_env": "Z", "n_env": 1}}}
    assert named(document) == {"X", "Z"}
