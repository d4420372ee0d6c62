"""Deleting images of one repository: one call for each, then one listing that says which are really gone.

A delete answers with an operation. Asking for each of them would double the calls, so the repository is
listed again instead (1,000 images a call), and only the operations of images that are still there are asked
for.

A listing alone is no proof. An image counts as deleted when the listing lacks it and one more answer agrees:
its operation is done, or the registry does not know it any more. For an accepted delete on which no other
image depends, the listing is enough. A delete that was refused has failed, whatever a listing says. One that
was answered 404 is a doubt, for the image was listed a moment ago: two listings must lack it, and the
registry must not know it. A listing that lacks what nobody asked to delete is asked for a second time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

import msgspec

from shared.cloud import operations, relisting
from shared.cloud.client import Cloud
from shared.cloud.parallel import for_each
from shared.cloud.registry_services import RegistryService, service_of
from shared.cloud.relisting import Look
from shared.errors import INTERNAL, NOT_FOUND, UNKNOWN, AllRefused, CallError, JanitorError, OutOfTime
from shared.retention.records import ALREADY_GONE, DELETED, Image, Outcome, Repository

SETTLE_WAIT, LISTING_WAIT = 60.0, 5.0
FEW = 50  # images that may cost a call more each
WATCH_EVERY = 1.0
STILL_LISTED = Outcome(
    "failed", message="its deletion is done, but the registry still lists it", code=INTERNAL
)
NOT_THERE = Outcome(
    "failed", message="the registry says that it is not there, but still lists it", code=NOT_FOUND
)
OVERTAKEN = Outcome(
    "remaining",
    kept_by="a tag was moved to it or from it, or an index of it was pushed, just before its delete",
)
UNTOLD_TAGS = "some of its tags may be gone"
UNANSWERED = Outcome("failed", message="its deletion was not answered", code=UNKNOWN)


class Batch(msgspec.Struct, frozen=True):
    """What may be deleted by the last look at the repository, and until when (monotonic).

    On the ``vital`` images, by id, others depend.
    """

    look: Look
    images: list[Image]
    vital: set[str]
    until: float


class Deletion(msgspec.Struct):
    """What is known of the deletes of one repository: outcomes by image id, and the deletes that are still
    open.

    ``open`` maps an image id to the operation to ask for, or to "" when there is none to ask for: the answer
    got lost, or the operation is done. ``look`` is the repository afterwards, None when unknown. ``stopped``
    is why some images were not requested. ``unanswered`` deletes were sent, and then given up. ``parted``
    says by image id what is known of the tags of an image whose deletion, piece by piece, was given up in
    between. ``absent`` are the images that the last listing lacked and whose delete was answered 404.
    """

    batch: Batch
    outcomes: dict[str, Outcome] = {}
    open: dict[str, str] = {}
    look: Look | None = None
    stopped: JanitorError | None = None
    images: dict[str, Image] = {}
    unanswered: set[str] = set()
    begun: set[str] = set()
    parted: dict[str, str] = {}
    absent: set[str] = set()


def delete(
    cloud: Cloud,
    repository: Repository,
    batch: Batch,
    before_each: Callable[[], None],
    deleted: Callable[[], None],
) -> Deletion:
    """Deletes the images of the batch. ``before_each`` is called just before a delete is sent, and may stop
    all by a JanitorError.

    An image without an outcome afterwards was not requested, or its operation is not done.
    """
    service, closely = service_of(repository), len(batch.images) <= FEW
    deletion = Deletion(batch, images={image.image_id: image for image in batch.images})
    overtaken = (lambda: ()) if closely else _watch(cloud, repository, batch)

    def ask(image: Image) -> None:
        if refused_alike(service, deletion):
            raise AllRefused(f"Every delete in {repository.full_name} is refused.")
        if image.digest in overtaken():
            deletion.outcomes[image.image_id] = OVERTAKEN
        else:
            request = partial(service.delete_image, cloud, image, closely=closely)
            _ask(service, image.image_id, deletion, before_each, request)
        deleted()

    try:
        for_each(batch.images, ask, cloud.concurrency)
    except JanitorError as error:
        deletion.stopped = error
    settle(cloud, repository, deletion)
    return deletion


def _watch(cloud: Cloud, repository: Repository, batch: Batch) -> Callable[[], Collection[str]]:
    """A function that gives the digests which others have written or begun to need since the batch's look, as
    of a second ago.

    It is less than a look, and nothing is held back where the service refuses it.
    """
    digests: set[str] = set()
    seen = {part: image.digest for image in batch.look.images for part in image.parts}
    looked_at, looking = -math.inf, threading.Lock()

    def overtaken() -> Collection[str]:
        nonlocal looked_at
        if looking.acquire(blocking=looked_at == -math.inf):
            try:
                if cloud.pace.clock() - looked_at > WATCH_EVERY:
                    digests.update(service_of(repository).written(cloud, repository, seen))
                    looked_at = cloud.pace.clock()
            except CallError:
                looked_at = math.inf
            finally:
                looking.release()
        return digests

    return overtaken


def refused_alike(service: RegistryService, deletion: Deletion) -> bool:
    """Whether more than a few deletes were all refused as a service does that is read-only."""
    if deletion.open or len(deletion.outcomes) < FEW:
        return False
    codes = {outcome.code for outcome in deletion.outcomes.values()}
    return len(codes) == 1 and codes <= service.READ_ONLY_CODES


def settle(cloud: Cloud, repository: Repository, deletion: Deletion) -> None:
    """Lists the repository until every open delete is settled, or the time is over."""
    started, pause, looks = cloud.pace.clock(), operations.FIRST_PAUSE, 0
    service = service_of(repository)
    others = relisting.sightings(deletion.batch.look.images).keys() - deletion.images.keys()
    message, code = f"its deletion is not done after {SETTLE_WAIT:.0f} s; the next run looks again", UNKNOWN
    try:
        while deletion.open or deletion.look is None:
            deletion.look = relisting.look(cloud, repository, deletion.look or deletion.batch.look)
            if relisting.missing(deletion.look.images, others):
                deletion.look = relisting.look(cloud, repository, deletion.look)
                others -= relisting.missing(deletion.look.images, others)
            _strike_gone(cloud, repository, deletion)
            deletion.unanswered.clear()
            looks += 1
            waited = cloud.pace.clock() - started
            late = waited > (SETTLE_WAIT if any(deletion.open.values()) else LISTING_WAIT)
            _ask_operations(cloud, service, deletion, last=late)
            if late and (looks > 1 or not deletion.absent):
                break
            if deletion.open:
                cloud.pause(pause, f"the deletions in {repository.full_name} are not settled")
            pause = min(operations.LONGEST_PAUSE, pause * 1.5)
    except OutOfTime:
        _trust_operations(deletion)
        unknown = dict.fromkeys(_in_between(deletion), UNTOLD_TAGS)
        deletion.parted.update(unknown)
        return
    except JanitorError as error:
        _trust_operations(deletion)
        deletion.look = None
        message, code = f"it is not known whether it is gone: {error}", error.code
    _give_up(deletion, message, code)
    _tell_of_lost_tags(deletion)


def _tell_of_lost_tags(deletion: Deletion) -> None:
    """Tells which tags are gone of an image whose deletion has failed or was given up in between."""
    in_between = _in_between(deletion)
    for image in deletion.look.images if deletion.look else ():
        outcome, before = deletion.outcomes.get(image.image_id), deletion.images.get(image.image_id)
        lost = sorted(set(before.tags) - set(image.tags)) if before else []
        if not lost and image.image_id not in in_between:
            continue
        told = f"of its tags {', '.join(lost)} is gone, {', '.join(image.tags)} is there"
        told = told if lost else UNTOLD_TAGS
        if image.image_id in in_between:
            deletion.parted[image.image_id] = told
        elif outcome and outcome.outcome == "failed":
            message = f"{outcome.message}; {told}"
            deletion.outcomes[image.image_id] = msgspec.structs.replace(outcome, message=message)


def _in_between(deletion: Deletion) -> set[str]:
    """The images of several parts whose deletion was begun and given up, and that are not settled."""
    begun = deletion.begun - deletion.outcomes.keys()
    return {image_id for image_id in begun if len(deletion.images[image_id].parts) > 1}


def _ask(
    service: RegistryService,
    image_id: str,
    deletion: Deletion,
    before_each: Callable[[], None],
    request: Callable[[Callable[[], None]], operations.Operation],
) -> None:
    sent = False

    def before() -> None:
        nonlocal sent
        before_each()
        sent = True

    try:
        operation = request(before)
    except CallError as error:
        if error.code == NOT_FOUND:
            deletion.outcomes[image_id] = UNANSWERED if error.ambiguous else NOT_THERE
            deletion.open[image_id] = ""
            return
        deletion.outcomes[image_id] = Outcome("failed", message=str(error), code=error.code)
        if error.ambiguous:
            deletion.open[image_id] = ""
    except JanitorError:
        if sent:
            deletion.unanswered.add(image_id)
            deletion.begun.add(image_id)
        raise
    else:
        _note(deletion, image_id, operation, service)


def _note(
    deletion: Deletion, image_id: str, operation: operations.Operation, service: RegistryService
) -> None:
    """What an operation says: not done, failed, or done, in which case the next listing must agree."""
    if not operation.done:
        deletion.open[image_id] = operation.id
    elif operation.error and operation.error.code == NOT_FOUND:
        deletion.open[image_id] = ""
        deletion.outcomes[image_id] = NOT_THERE
    elif operation.error and operation.error.code:
        failure = operations.failure(operation.error, operation.id, service.deletion(image_id))
        deletion.outcomes[image_id] = Outcome("failed", message=str(failure), code=failure.code)
        deletion.open.pop(image_id, None)
    else:
        deletion.open[image_id] = ""
        deletion.outcomes[image_id] = STILL_LISTED


def _strike_gone(cloud: Cloud, repository: Repository, deletion: Deletion) -> None:
    """Settles the open deletes of images that the listing lacks, where one more answer agrees or none is
    needed.
    """
    listed = {image.image_id for image in deletion.look.images} if deletion.look else set()
    unlisted = (deletion.open.keys() | deletion.unanswered) - listed
    absent = {image_id for image_id in unlisted if deletion.outcomes.get(image_id) is NOT_THERE}
    twice, deletion.absent = absent & deletion.absent, absent
    agreed = {image_id for image_id in unlisted - absent if _agrees(deletion, image_id)}
    if len(twice) > FEW:
        agreed |= twice - deletion.batch.vital
    gone = set(agreed)

    def ask(image_id: str) -> None:
        if not service_of(repository).is_there(cloud, repository, deletion.images[image_id].sighting()):
            gone.add(image_id)

    for_each(((unlisted - absent) | twice) - agreed, ask, cloud.concurrency)
    for image_id in gone:
        deletion.open.pop(image_id, None)
        deletion.outcomes[image_id] = ALREADY_GONE if image_id in absent else DELETED


def _agrees(deletion: Deletion, image_id: str) -> bool:
    """Whether the answer to the delete itself says that the image is gone, or nothing depends on it."""
    outcome = deletion.outcomes.get(image_id)
    if outcome is None and image_id in deletion.open:
        return image_id not in deletion.batch.vital
    return outcome is STILL_LISTED


def _ask_operations(cloud: Cloud, service: RegistryService, deletion: Deletion, *, last: bool) -> None:
    """Asks for the operations of what is still there, if the oldest of them is done, or at the ``last``
    chance.
    """
    waiting = [image_id for image_id, operation_id in deletion.open.items() if operation_id]

    def ask(image_id: str) -> None:
        with suppress(CallError):  # the listing decides
            _note(deletion, image_id, operations.get(cloud, deletion.open[image_id]), service)

    if waiting and not last:
        ask(waiting[0])
        if deletion.open.get(waiting[0]):
            return
        waiting = waiting[1:]
    for_each(waiting, ask, cloud.concurrency)


def _trust_operations(deletion: Deletion) -> None:
    """Without another listing, the word of a done operation counts, and that of a 404 says nothing."""
    for image_id in list(deletion.open):
        outcome = deletion.outcomes.get(image_id)
        if outcome is STILL_LISTED:
            deletion.outcomes[image_id] = DELETED
            del deletion.open[image_id]
        elif outcome is NOT_THERE:
            del deletion.outcomes[image_id]


def _give_up(deletion: Deletion, message: str, code: int) -> None:
    for image_id in deletion.open:
        deletion.outcomes.setdefault(image_id, Outcome("failed", message=message, code=code))
    deletion.open.clear()
