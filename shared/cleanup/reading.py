"""What a repository's manifests say: remembered from earlier runs, or read now as far as there is time.

Whatever was read is remembered for the next run, also when the time is over or the registry fails. While the
run still looks at its repositories, reading has a share of the time: a repository that needs more waits for
the next run, so that the others are cleaned; once they are, the rest of the time is for those that wait.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from shared.cleanup.run import Run
from shared.cloud.client import Cloud
from shared.cloud.manifests import Manifests
from shared.cloud.registry_services import service_of
from shared.errors import CallError, OutOfTime
from shared.retention.manifest_meaning import with_children
from shared.retention.records import Image, Manifest, Repository
from shared.state.manifest_memory import WORTH_A_CALL, Part

SHARE = 0.5
READ_ANYWAY = 1000
SAVING = 1.0


def share_time(run: Run, cloud: Cloud) -> None:
    """Gives reading its share of the time that is left, if what is read is remembered."""
    if run.memory.works:
        run.read_until(cloud.pace.clock() + SHARE * cloud.time_left())


def needed_manifests(
    run: Run, cloud: Cloud, repository: Repository, images: list[Image]
) -> dict[str, Manifest]:
    wanted = run.settings.guards
    return read_manifests(run, cloud, repository, images) if wanted.index_children or wanted.referrers else {}


def read_manifests(
    run: Run, cloud: Cloud, repository: Repository, images: Iterable[Image]
) -> dict[str, Manifest]:
    """The manifests of ``images``.

    One that is missing is left out if its image is gone by now. Raises CallError, and OutOfTime, which says
    how many are known.
    """
    by_digest = {image.digest: image for image in images}
    vanished: set[str] = set()

    def gone(digest: str) -> bool:
        if service_of(repository).is_there(cloud, repository, by_digest[digest].sighting()):
            return False
        vanished.add(digest)
        return True

    manifests: dict[str, Manifest] = {}
    reader, before_each = Manifests(cloud, run.docker_endpoints, repository), _while(run, cloud)
    for part in run.memory.parts(repository, by_digest.keys()):
        try:
            manifests |= _read_part(reader, part, gone, before_each)
        except OutOfTime:
            known = by_digest.keys() & (manifests.keys() | reader.known(part.digests).keys())
            raise OutOfTime(
                f"There was no time for more: {len(known)} of the {len(by_digest)} manifests of"
                f" {repository.full_name} are known."
            ) from None
    if vanished:
        listed = {image.digest for image in service_of(repository).images(cloud, repository)}
        unclear = Manifest(unclear="its image is listed, but the registry does not know it", lost=True)
        manifests |= dict.fromkeys(vanished & listed, unclear)
    manifests |= with_children(manifests, by_digest.values())
    return manifests


def _while(run: Run, cloud: Cloud) -> Callable[[], None]:
    """Raises OutOfTime when the time for reading is over; a few manifests are read all the same."""
    number = itertools.count(1)

    def before_each() -> None:
        if run.memory.works:
            cloud.need(SAVING, "what is known is kept")
        if next(number) > READ_ANYWAY and cloud.pace.clock() > run.reads_until:
            raise OutOfTime("The time for reading manifests is over.")

    return before_each


def _read_part(
    reader: Manifests, part: Part, gone: Callable[[str], bool], before_each: Callable[[], None]
) -> dict[str, Manifest]:
    known = reader.known(part.digests)
    if len(part.digests - known.keys()) >= WORTH_A_CALL:
        known |= part.recall()
        reader.remember(known)
    try:
        manifests = reader.read(part.digests, gone, before_each, known)
    except BaseException:
        part.keep(reader.known(part.digests), whole=False)
        raise
    part.keep(manifests, whole=True)
    return manifests


def go_on(run: Run, cloud: Cloud) -> None:
    """Reads on for the repositories that wait, for the next run. Raises OutOfTime if there are any."""
    waiting = [survey.repository for survey in run.surveys if survey.unread]
    for repository in waiting:
        try:
            read_manifests(run, cloud, repository, service_of(repository).images(cloud, repository))
        except CallError as error:
            run.problem(error)
    if waiting:
        raise OutOfTime(
            "There was no time to delete where manifests were not known at first: in"
            f" {', '.join(repository.full_name for repository in waiting)}. The next run does."
        )


def forget_the_gone(run: Run) -> None:
    """Forgets what the manifests of repositories say that are no more."""
    if run.only is not None:
        return
    for registry_id in run.layers:
        names = [s.repository.full_name for s in run.surveys if s.registry.registry_id == registry_id]
        run.memory.forget_others(registry_id, names)
