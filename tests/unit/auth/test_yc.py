"""The token of ``yc``: got once, when it is needed, and only where there is a ``yc``."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.auth.yc import SignedIn
from shared.errors import CredentialsError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def script(path: Path, text: str) -> None:
    (path / "yc").write_text(f"#!/bin/sh\necho >>{path}/asked\n{text}\n")
    (path / "yc").chmod(0o700)


def test_the_token_is_got_once_and_when_it_is_needed(path: Path) -> None:
    script(path, 'echo "t1.$*"')
    context = SignedIn()
    assert not (path / "asked").exists()

    script(path, '[ "$*" = "iam create-token" ] && echo t1.token')
    assert context.token == context.token == {"access_token": "t1.token"}
    assert (path / "asked").read_text().count("\n") == 1


def test_without_yc_there_is_no_token(path: Path) -> None:
    assert SignedIn().token is None


@pytest.mark.parametrize("text", ["exit 1", "true", "echo two words", "echo t1.token; exit 1"])
def test_what_is_no_token_is_refused(path: Path, text: str) -> None:
    script(path, text)

    with pytest.raises(CredentialsError, match="yc iam create-token gives no token"):
        _ = SignedIn().token


def test_what_yc_complains_of_is_told_without_secrets(path: Path) -> None:
    script(path, 'echo "ERROR: t1.aaaaaaaaaaaaaaaaaaaaaaaaa is bad" >&2; exit 1')

    with pytest.raises(CredentialsError, match=r"\(ERROR: \[secret\] is bad\)"):
        _ = SignedIn().token
