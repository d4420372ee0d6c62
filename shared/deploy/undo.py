"""The steps back: to the version before, or to nothing at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.deploy import wanted
from shared.deploy.config import Config
from shared.deploy.found import Found
from shared.deploy.names import Names
from shared.deploy.steps import DeleteBucket, Step, bind_step, delete_step, left_steps, move_step
from shared.deploy.wanted import LIVE
from shared.errors import DeploymentRefused


def removal(config: Config, facts: Found, *, with_state: bool) -> list[Step]:
    """The steps that delete all that is ours, and those that leave the rest."""
    own_buckets = {
        name: Names(config.deploy.name).are_on(bucket.labels) for name, bucket in facts.buckets.items()
    }
    kept = [name for name, own in own_buckets.items() if not (own and with_state)]
    steps = [delete_step("trigger", name, facts) for name in facts.items["trigger"]]
    for target, held in facts.roles.items():
        stays = target.name in kept if target.kind == "bucket" else target.kind not in ("function", "secret")
        if stays and held:
            steps.append(bind_step(target, facts, [], sorted(held, key=repr), {}))
    steps += [delete_step("function", name, facts) for name in facts.items["function"]]
    steps += [delete_step("secret", name, facts) for name in facts.items["secret"]]
    for name, own in own_buckets.items():
        if name not in kept:
            steps.append(Step("delete", f"bucket {name}", "the state", (), DeleteBucket(name)))
        else:
            why = "its state is kept; --delete-state deletes it too" if own else "it was there before"
            steps.append(Step("leave", f"bucket {name}", why))
    steps += [delete_step("account", name, facts) for name in facts.items["account"]]
    return [*steps, *left_steps(facts)]


def earlier_versions(config: Config, facts: Found) -> dict[str, str]:
    """The id of the version before the live one, by function, where there is one.

    Raises DeploymentRefused if nowhere.
    """
    earlier = {}
    for name in wanted.functions(config):
        live, versions = facts.version_with(name, LIVE), facts.versions.get(name, [])
        usable = [version for version in versions[: versions.index(live)] if version.usable] if live else []
        if usable:
            earlier[name] = usable[-1].id
    if not earlier:
        raise DeploymentRefused("There is no version before the one that is live; nothing is changed.")
    return earlier


def moves(to: Mapping[str, str], facts: Found) -> list[Step]:
    """The tag ``live`` of each function goes to the version with that id."""
    steps = []
    for name, version_id in to.items():
        live = facts.version_with(name, LIVE)
        version = next((each for each in facts.versions.get(name, ()) if each.id == version_id), None)
        if version and version != live:
            steps.append(move_step(name, LIVE, version, live, "the version before"))
    return [*steps, *left_steps(facts)]
