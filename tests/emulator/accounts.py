"""Service accounts, their keys and tokens. What they may do is told in `access.py`."""

import itertools
from dataclasses import dataclass, field

from yandex.cloud.iam.v1.service_account_pb2 import ServiceAccount

from tests.emulator.clock import Clock
from tests.emulator.errors import UNAUTHENTICATED, ApiError

REGISTRY_TOKEN_SECONDS = 300


@dataclass(frozen=True)
class AuthorizedKey:
    id: str
    service_account_id: str
    public_key: str


@dataclass
class Accounts:
    clock: Clock
    token_seconds: float = 43_200
    service_accounts: dict[str, ServiceAccount] = field(default_factory=dict)
    keys: dict[str, AuthorizedKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tokens: dict[str, tuple[str, float]] = {}
        self._registry_tokens: dict[str, tuple[str, frozenset[str], float]] = {}
        self._numbers = itertools.count(1)

    def issue_token(self, service_account_id: str, token: str = "") -> tuple[str, float]:
        """A token of the account and the time it expires."""
        token = token or f"t1.emulator-{service_account_id}-{next(self._numbers)}"
        expires_at = self.clock.unwound() + self.token_seconds
        self._tokens[token] = (service_account_id, expires_at)
        return token, expires_at

    def revoke_token(self, token: str) -> str:
        return self._tokens.pop(token, ("", 0.0))[0]

    def expire_tokens(self) -> None:
        self._tokens = {token: (account, 0.0) for token, (account, _) in self._tokens.items()}
        self._registry_tokens.clear()

    def signed_in(self, authorization: str) -> ServiceAccount:
        """The account whose token an `Authorization` header bears."""
        token = authorization.removeprefix("Bearer ")
        service_account_id, expires_at = self._tokens.get(token, ("", 0.0))
        account = self.service_accounts.get(service_account_id)
        if token == authorization or account is None or expires_at <= self.clock.unwound():
            raise ApiError(UNAUTHENTICATED, "Token is invalid or has expired.")
        return account

    def issue_registry_token(self, account: ServiceAccount, repositories: frozenset[str]) -> str:
        """A token with which a V2 client may pull from those repositories."""
        token = f"registry-token-{next(self._numbers)}"
        expires_at = self.clock.unwound() + REGISTRY_TOKEN_SECONDS
        self._registry_tokens[token] = (account.id, repositories, expires_at)
        return token

    def pulling_with(self, registry_token: str, repository: str | None) -> ServiceAccount | None:
        """The account of a token that is good for the repository, or for the registry as such (None)."""
        account_id, repositories, expires_at = self._registry_tokens.get(
            registry_token, ("", frozenset(), 0.0)
        )
        if expires_at <= self.clock.unwound() or (repository is not None and repository not in repositories):
            return None
        return self.service_accounts.get(account_id)
