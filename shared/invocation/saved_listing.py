"""Rules on a saved listing, without any cloud: the answer of the API's images.list, or what yc prints as
JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from shared.cleanup import layer_counting, limits, protection, surveying
from shared.cleanup.run import Run, Survey
from shared.cloud import container_registry
from shared.errors import SettingsError
from shared.report import report
from shared.retention import guards
from shared.retention.layers import layer_keys
from shared.retention.records import Image, Registry, Repository
from shared.retention.rules import covering
from shared.settings import settings
from shared.settings.overrides import Narrowed

REMEDY = "save one with: yc container image list --format json"


def read(file: str) -> dict[str, list[Image]]:
    """The images of a saved listing by their repository's full name. Raises SettingsError.

    Keys may be the API's (``createdAt``) or yc's (``created_at``).
    """
    try:
        document = msgspec.json.decode(Path(file).read_bytes())
    except OSError as error:
        raise SettingsError(f"The listing {file} cannot be read: {error.strerror}.", where=file) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SettingsError(f"The listing {file} is not JSON; {REMEDY}.", where=file) from None
    rows = document.get("images") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise SettingsError(f"The listing {file} is no list of images; {REMEDY}.", where=file)
    images: dict[str, list[Image]] = {}
    for number, row in enumerate(rows, 1):
        name, image = _image(row, f"image {number} of the listing {file}")
        images.setdefault(name, []).append(image)
    return images


def _image(row: Any, where: str) -> tuple[str, Image]:
    try:
        name, image = container_registry.listed(_camel(row))
    except (msgspec.ValidationError, OverflowError) as error:
        raise SettingsError(f"{where} is not understood: {error}; {REMEDY}.", where=where) from None
    if "/" not in name:
        raise SettingsError(f"{where} has no name such as crp.../team-a/app; {REMEDY}.", where=where)
    return name, image


def _camel(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    return {re.sub(r"_([a-z])", lambda letter: letter[1].upper(), key): value for key, value in row.items()}


def dry_run(environment: Mapping[str, str], file: str) -> report.Report:
    """The report of a saved listing by the rules, and by those guards that need no cloud.

    Raises SettingsError.
    """
    configured = msgspec.structs.replace(settings.load(environment, must_name_target=False), mode="dry-run")
    run = Run(narrowed=Narrowed(configured, configured, configured))
    decide(run, read(file))
    layer_counting.count_layers(run)
    heading = report.Heading("", "dry-run", run.started_at)
    return report.build(heading, run, None, datetime.now(UTC), None)


def decide(run: Run, images: dict[str, list[Image]]) -> None:
    run.warn(
        "listing",
        "Only the listing was looked at: no lifecycle policy was run dry, and neither what runs nor what"
        " images hold was looked up.",
    )
    for full_name in sorted(images):
        registry_id = full_name.partition("/")[0]
        if run.settings.registries and registry_id not in run.settings.registries:
            continue
        repository = Repository("", registry_id, full_name)
        registry = Registry(registry_id, "", "")
        survey = Survey(registry, repository, [], covering(run.settings.rules, repository.name))
        run.add(registry, [survey])
        with survey.opened():
            _decide_repository(run, survey, images[full_name])
    limits.tell_of_rules(run)
    limits.check_limits(run)


def _decide_repository(run: Run, survey: Survey, images: list[Image]) -> None:
    survey.count(len(images), 0)
    surveying.take_by_rules(run, survey, images)
    guarded = guards.guarded(images, survey.going(), {}, protection.guarding(run, survey))
    survey.take(guarded.candidates)
    protection.settle(survey, guarded.kept)
    staying = (image for image in images if image.image_id not in survey.candidates)
    run.stays(survey.registry.registry_id, layer_keys(staying))
