"""What there is to say of a run's rules, and what stops its deletions once it is known what would go: the
limits, and creation times that say nothing.
"""

from __future__ import annotations

from shared.cleanup.run import Run
from shared.cloud.registry_services import may_be_copied
from shared.errors import many
from shared.retention import guards, policies
from shared.retention.creation_times import one_day


def tell_of_rules(run: Run) -> None:
    """Warns of images that no rule can judge, and in a dry run of rules that match nothing."""
    if run.undated:
        name, _, image = min(run.undated, key=lambda row: row[0])
        count = sum(number for _, number, _ in run.undated)
        run.warn(
            "absurd-creation-time",
            f"The creation time of {many(count, 'image')} in"
            f" {many(len(run.undated), 'repository', 'repositories')} cannot be believed, such as that of"
            f" {guards.described(image)} of {name} ({image.created_at or 'none'}); by age or rank no rule"
            " takes what has such a time.",
        )
    if run.settings.mode == "apply" or run.only is not None or run.errors:
        return
    for rule in run.settings.rules:
        if not any(rule in survey.rules for survey in run.surveys):
            run.warn("rule-matches-no-repository", f'The rule "{rule.name}" matches no repository.')
        elif not run.matched[rule.name]:
            run.warn("rule-matches-no-image", f'The rule "{rule.name}" matches no image.')


def check_creation_times(run: Run) -> None:
    """Refuses rules of age or rank on a registry whose images all seem to have been created on one day."""
    if run.settings.allow_new_creation_times:
        return
    for registry_id, created in sorted(run.created.items()):
        ruled = {
            rule.name
            for survey in run.surveys
            if survey.registry.registry_id == registry_id and may_be_copied(survey.registry)
            for rule in survey.rules
            if rule.older_than or rule.keep_newest
        }
        day = one_day(created) if ruled else ""
        if not day:
            continue
        run.refuse(
            "new-creation-times",
            f"Nearly all images of the registry {registry_id} seem to have been created on {day}, as after a"
            f' migration, so that rules of age or rank such as "{min(ruled)}" mean nothing there; nothing is'
            " deleted. Set allow_new_creation_times = true if that is understood.",
        )
        _leave_all(run, "allow_new_creation_times")


def check_limits(run: Run) -> None:
    """Refuses what is over ``MAX_SHARE`` in its repository, and everything when it is over
    ``MAX_DELETIONS``.
    """
    wanted = run.settings.limits
    for survey in run.surveys:
        going = survey.going_count
        images = survey.images or 0
        if policies.over_share(going, images, wanted.max_share):
            run.hold_back(
                "max-share",
                f"{survey.repository.full_name}: {going:,} of its {many(images, 'image')} would be deleted,"
                f" which is more than MAX_SHARE ({wanted.max_share:g}) allows; nothing is deleted there."
                " Raise MAX_SHARE if it is meant.",
            )
            survey.leave("MAX_SHARE")
    going = sum(survey.going_count for survey in run.surveys)
    if going > wanted.max_deletions:
        run.refuse(
            "max-deletions",
            f"{many(going, 'image')} would be deleted, which is more than MAX_DELETIONS"
            f" ({wanted.max_deletions}) allows; nothing is deleted. Raise MAX_DELETIONS if it is meant.",
        )
        _leave_all(run, "MAX_DELETIONS")


def _leave_all(run: Run, why: str) -> None:
    for survey in run.surveys:
        survey.leave(why)
