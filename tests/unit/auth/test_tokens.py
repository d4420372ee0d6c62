"""How long a token is kept, and when the next one is asked for."""

from __future__ import annotations

from typing import cast

import pytest

from shared.auth.tokens import REFUSAL_KEPT, Token, TokenKeeper
from shared.cloud.client import Cloud
from shared.errors import CredentialsError

NO_CLOUD = cast(Cloud, None)  # the sources here need none


class Source:
    """Tokens t1, t2, .. that live for an hour of a clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now, self.calls, self.fails = 1000.0, 0, False

    def clock(self) -> float:
        return self.now

    def __call__(self, _cloud: Cloud) -> Token:
        self.calls += 1
        if self.fails:
            raise CredentialsError("no", where="token")
        return Token(f"t{self.calls}", self.now + 3600)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def keeper(source: Source) -> TokenKeeper:
    return TokenKeeper(source, source.clock)


@pytest.mark.parametrize(("after", "token"), [(0, "t1"), (2699, "t1"), (2700, "t2"), (9999, "t2")])
def test_a_token_is_renewed_when_a_quarter_of_its_life_is_left(
    keeper: TokenKeeper, source: Source, after: float, token: str
) -> None:
    keeper.token(NO_CLOUD)
    source.now += after
    assert keeper.token(NO_CLOUD) == token


def test_a_valid_token_serves_while_its_source_fails(keeper: TokenKeeper, source: Source) -> None:
    keeper.token(NO_CLOUD)
    source.now, source.fails = source.now + 3000, True
    assert [keeper.token(NO_CLOUD), keeper.token(NO_CLOUD)] == ["t1", "t1"]
    assert source.calls == 2  # the refusal is kept


def test_a_refusal_is_kept_for_a_while(keeper: TokenKeeper, source: Source) -> None:
    source.fails = True
    for after in (0.0, 1.0, REFUSAL_KEPT):
        source.now += after
        with pytest.raises(CredentialsError):
            keeper.token(NO_CLOUD)
    assert source.calls == 2


def test_a_refused_token_is_renewed_once(keeper: TokenKeeper, source: Source) -> None:
    refused = keeper.token(NO_CLOUD)
    assert [keeper.renew(NO_CLOUD, refused), keeper.renew(NO_CLOUD, refused)] == ["t2", "t2"]
    assert source.calls == 2


@pytest.mark.parametrize("text", ["", "two words", "line\nbreak", "ключ"])
def test_what_no_header_can_hold_is_no_token(text: str) -> None:
    with pytest.raises(CredentialsError):
        TokenKeeper(lambda _cloud: Token(text)).token(NO_CLOUD)
