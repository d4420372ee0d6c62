"""Deleting images of one repository: one call for each, then one listing that says which are really gone.

A delete answers with an operation. Asking for each of them would double the calls, so the repository is listed
again instead (1,000 images a call), and only the operations of images that are still there are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec

from shared import operations, registry
from shared.errors import INTERNAL, NOT_FOUND, UNKNOWN, CallError, JanitorError, OutOfTime
from shared.http import Cloud
from shared.parallel import for_each
from shared.records import Image, Outcome, Repository

SETTLE_WAIT, LISTING_WAIT = 60.0, 5.0
DELETED, ALREADY_GONE = Outcome("deleted"), Outcome("already-gone")
STILL_LISTED = Outcome(
    "failed", message="its deletion is done, but the registry still lists it", code=INTERNAL
)


class Deletion(msgspec.Struct):
    """What is known of the deletes of one repository: outcomes by image id, and the deletes that are still open.

    ``open`` maps an image id to the operation to ask for, or to "" when there is none to ask for: the answer got
    lost, or the operation is done. ``listed`` are the repository's images afterwards, None when unknown. ``stopped``
    is why not every image was asked for.
    """

    outcomes: dict[str, Outcome] = {}
    open: dict[str, str] = {}
    listed: list[Image] | None = None
    stopped: JanitorError | None = None


def delete(
    cloud: Cloud, repository: Repository, images: list[Image], width: int, before_each: Callable[[], None]
) -> Deletion:
    """Deletes ``images``; ``before_each`` may stop that by a JanitorError.

    Those without an outcome afterwards are those that were not asked for, or whose operations are not done.
    """
    deletion = Deletion()

    def one(image: Image) -> None:
        before_each()
        _ask(cloud, image.image_id, deletion)

    try:
        for_each(images, one, width)
    except JanitorError as error:
        deletion.stopped = error
    settle(cloud, repository, deletion, width)
    return deletion


def settle(cloud: Cloud, repository: Repository, deletion: Deletion, width: int) -> None:
    """Lists the repository until every open delete is settled, or the time is over."""
    started, pause = cloud.pace.clock(), operations.FIRST_PAUSE
    message, code = f"its deletion is not done after {SETTLE_WAIT:.0f} s; the next run looks again", UNKNOWN
    try:
        while deletion.open or deletion.listed is None:
            deletion.listed = list(registry.images(cloud, repository))
            _strike_gone(deletion)
            waited = cloud.pace.clock() - started
            late = waited > (SETTLE_WAIT if any(deletion.open.values()) else LISTING_WAIT)
            _ask_operations(cloud, deletion, width, last=late)
            if late:
                break
            if deletion.open:
                cloud.pause(pause, f"the deletions in {repository.full_name} are not settled")
            pause = min(operations.LONGEST_PAUSE, pause * 1.5)
    except OutOfTime:
        _trust_operations(deletion)
        return
    except JanitorError as error:
        _trust_operations(deletion)
        message, code = f"whether it is gone cannot be told: {error}", error.code
    _give_up(deletion, message, code)


def _ask(cloud: Cloud, image_id: str, deletion: Deletion) -> None:
    try:
        operation = registry.delete_image(cloud, image_id)
    except CallError as error:
        if error.code == NOT_FOUND:
            deletion.outcomes[image_id] = DELETED if error.ambiguous else ALREADY_GONE
            return
        deletion.outcomes[image_id] = Outcome("failed", message=str(error), code=error.code)
        if error.ambiguous:
            deletion.open[image_id] = ""
    else:
        _note(deletion, image_id, operation)


def _note(deletion: Deletion, image_id: str, operation: operations.Operation) -> None:
    """What an operation says: not done, failed, or done, in which case the next listing must agree."""
    if not operation.done:
        deletion.open[image_id] = operation.id
    elif operation.error and operation.error.code:
        failure = operations.failure(operation.error, operation.id, f"DELETE {registry.image_path(image_id)}")
        deletion.outcomes[image_id] = Outcome("failed", message=str(failure), code=failure.code)
        deletion.open.pop(image_id, None)
    else:
        deletion.open[image_id] = ""
        deletion.outcomes[image_id] = STILL_LISTED


def _strike_gone(deletion: Deletion) -> None:
    there = {image.image_id for image in deletion.listed or ()}
    for image_id in deletion.open.keys() - there:
        del deletion.open[image_id]
        deletion.outcomes[image_id] = DELETED


def _ask_operations(cloud: Cloud, deletion: Deletion, width: int, *, last: bool) -> None:
    """Asks for the operations of what is still there, if the oldest of them is done, or at the ``last`` chance."""
    waiting = [image_id for image_id, operation_id in deletion.open.items() if operation_id]

    def one(image_id: str) -> None:
        with suppress(CallError):  # the listing decides
            _note(deletion, image_id, operations.get(cloud, deletion.open[image_id]))

    if waiting and not last:
        one(waiting[0])
        if deletion.open.get(waiting[0]):
            return
        waiting = waiting[1:]
    for_each(waiting, one, width)


def _trust_operations(deletion: Deletion) -> None:
    """Without another listing, a done operation's word counts."""
    for image_id in list(deletion.open):
        if deletion.outcomes.get(image_id) is STILL_LISTED:
            deletion.outcomes[image_id] = DELETED
            del deletion.open[image_id]


def _give_up(deletion: Deletion, message: str, code: int) -> None:
    for image_id in deletion.open:
        deletion.outcomes.setdefault(image_id, Outcome("failed", message=message, code=code))
    deletion.open.clear()
