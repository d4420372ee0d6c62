"""Which layers of a registry go and which stay, once it is known what becomes of the images."""

from __future__ import annotations

from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.registry_services import service_of
from shared.errors import CallError, OutOfTime
from shared.retention.layers import layer_keys
from shared.retention.records import ALREADY_GONE, DELETED, Outcome


def count_layers(run: Run) -> None:
    """Counts the candidates that would go, where nothing is deleted, and those that stay after all."""
    apply = run.settings.mode == "apply"
    for survey in run.surveys:
        layers = run.layers[survey.registry.registry_id]
        if not apply:
            layers.goes(
                candidate.image
                for candidate in survey.each()
                if candidate.image.image_id not in survey.outcomes
            )
        layers.stays(
            layer_keys(
                candidate.image
                for candidate in survey.each()
                if stays(survey.outcomes.get(candidate.image.image_id), apply)
            )
        )


def stays(outcome: Outcome | None, apply: bool) -> bool:
    return apply if outcome is None else outcome not in (DELETED, ALREADY_GONE)


def count_other_repositories(run: Run, cloud: Cloud) -> None:
    """After a push only some repositories were looked at, but their layers may serve all of the registry."""
    looked_at = {survey.repository.full_name for survey in run.surveys}
    try:
        for registry_id, layers in run.layers.items():
            registry = run.registries.get(registry_id)
            for repository in service_of(registry).repositories(cloud, registry_id) if registry else ():
                if repository.full_name not in looked_at:
                    layers.stays(layer_keys(service_of(repository).images(cloud, repository)))
    except (CallError, OutOfTime) as error:
        run.problem(error)
