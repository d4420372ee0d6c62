"""What the parts of a deployment are called, and how they are known again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shared.deploy.api import Item, Kind

APP = "registry-janitor"


class Names(NamedTuple):
    """The names of a deployment's parts."""

    deployment: str

    @property
    def functions_account(self) -> str:
        return self.deployment

    @property
    def triggers_account(self) -> str:
        return f"{self.deployment}-trigger"

    @property
    def cleanup(self) -> str:
        return f"{self.deployment}-cleanup"

    @property
    def webhook(self) -> str:
        return f"{self.deployment}-webhook"

    @property
    def secret(self) -> str:
        return f"{self.deployment}-webhook-secret"

    @property
    def timer(self) -> str:
        return f"{self.deployment}-timer"

    def push(self, registry_id: str) -> str:
        return f"{self.deployment}-push-{registry_id.lower()}"

    @property
    def labels(self) -> dict[str, str]:
        """The labels that whatever the deployment makes carries; they alone make nothing its own."""
        return {"app": APP, "deployment": self.deployment}

    def are_on(self, labels: Mapping[str, str]) -> bool:
        return self.labels.items() <= dict(labels).items()

    def are_of(self, kind: Kind, item: Item) -> bool:
        """Whether the deployment gives this name to a thing of the kind, now or with other settings."""
        registry_id = item.rule.get("containerRegistry", {}).get("registryId", "")
        made: dict[Kind, set[str]] = {
            "account": {self.functions_account, self.triggers_account},
            "secret": {self.secret},
            "function": {self.cleanup, self.webhook},
            "trigger": {self.timer, self.push(registry_id)},
        }
        return item.name in made[kind]
