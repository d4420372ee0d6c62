"""How the emulator behaves: slow, limited, faulty, or overtaken by somebody else's changes.

    {"latency_ms": 20, "operation_ms": 0, "token_seconds": 43200, "clock_offset_seconds": 0, "seed": 1,
     "rate_limit": {"per_second": 50, "retry_after": 1}, "v2_auth": "bearer" | "basic" | "none",
     "cloud_registry": {...}, "container_registry": {...},
     "faults": [...], "changes": [...]}

`rate_limit` is for the cloud's API, `v2_auth` how the Docker Registry API wants its clients to sign in;
the two registries' switches are told in `switches.py`. A path in
the Kubernetes API of a cluster is written `k8s:<cluster id>/api/v1/pods`.

A fault is a `match` ("DELETE /container-registry/v1/images/*": a method or `*`, then a glob on the path),
when it fires, and one effect. With a `query` only those calls match whose (unquoted) query holds that text.
It fires on a matching call after the first `skip` ones, in `share` of them (by the dice of `seed`), at most
`times` times. Of the faults that match a call, the first that fires counts:

    "status": 503, "code": 14, "message": "..", "retry_after": 2     an error (`code` may go by the status)
    "cut": "before" | "after" | "body"     no answer, before or after the call takes effect; or half an answer
    "html": 502                            a page of HTML with that status
    "body": "text", "status": 200          that text, said to be JSON
    "delay_ms": 500                        late
    "hang": true                           never
    "omit": ["img1"]                       a list without the items of these ids
    "expire_tokens": true                  every token expires now, so that this call gets a 401
    "operation_error": {"code": 13, "message": "..", "before_done": true}    the call's operation fails
    "operation_never_done": true           the call's operation never ends

A change happens once (see `changes.py`); one that cannot be made any more is left out:

    {"after": MATCH, "do": {...}}                       after the first matching call, before its answer is
                                                        sent
    {"after": MATCH, "query": "..", "skip": 2, ..}      after the third one whose query holds the text
    {"before_call": 17, "do": {...}}                    before the 17th call since the seed, or the next one,
                                                        is answered
"""

import asyncio
import fnmatch
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.emulator.calls import Call
from tests.emulator.changes import check_change
from tests.emulator.documents import DocumentError, checked, listed
from tests.emulator.errors import CODE_OF_STATUS, UNKNOWN
from tests.emulator.operations import OperationError
from tests.emulator.switches import CloudRegistrySwitches, ContainerRegistrySwitches, switches_from

_EFFECTS = (
    "cut",
    "html",
    "body",
    "status",
    "delay_ms",
    "hang",
    "omit",
    "expire_tokens",
    "operation_error",
    "operation_never_done",
)


class Match:
    """A method (or `*`), a glob on the path, and a text in the query."""

    def __init__(self, text: str, where: str, query: str = "") -> None:
        self._query = query
        self.http_method, _, glob = str(text).partition(" ")
        if not glob.startswith(("/", "*", "k8s:")):
            raise DocumentError(f'{where}: expected "METHOD /path*" or "METHOD k8s:*", got {text!r}')
        self._matches_path = re.compile(fnmatch.translate(glob)).match

    def __call__(self, call: Call) -> bool:
        return (
            self.http_method in ("*", call.method)
            and self._matches_path(call.path) is not None
            and self._query in unquote(call.query)
        )


@dataclass
class Fault:
    match: Match
    dice: random.Random
    text: str = ""
    share: float = 1.0
    skip: int = 0
    times: int | None = None
    status: int = 0
    code: int = UNKNOWN
    message: str = "fault"
    retry_after: int | None = None
    cut: str = ""
    html: int = 0
    body: str | None = None
    delay_ms: float = 0
    hang: bool = False
    omit: list[str] = field(default_factory=list)
    expire_tokens: bool = False
    operation_error: OperationError | None = None
    operation_never_done: bool = False

    def fires(self, call: Call) -> bool:
        if self.times == 0 or not self.match(call):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.share < 1 and self.dice.random() >= self.share:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class RateLimit:
    """At most `per_second` calls a second, after a first burst of as many."""

    per_second: float
    retry_after: int | None = None
    _left: float = field(init=False)
    _counted_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._left = max(1.0, self.per_second)

    def admits(self, monotonic: float) -> bool:
        regained = (monotonic - self._counted_at) * self.per_second
        self._left = min(max(1.0, self.per_second), self._left + regained)
        self._counted_at = monotonic
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass
class Change:
    do: dict[str, Any]
    after: Match | None = None
    skip: int = 0
    before_call: int = 0

    def is_due(self, call: Call, before: bool) -> bool:
        if before or self.after is None:
            return before and self.after is None and call.number >= self.before_call
        if not self.after(call):
            return False
        self.skip -= 1
        return self.skip < 0


@dataclass
class Behaviour:
    latency_ms: float = 0
    operation_ms: float = 0
    token_seconds: float = 43_200
    clock_offset_seconds: float = 0
    rate_limit: RateLimit | None = None
    v2_auth: str = "bearer"
    cloud_registry: CloudRegistrySwitches = field(default_factory=CloudRegistrySwitches)
    container_registry: ContainerRegistrySwitches = field(default_factory=ContainerRegistrySwitches)
    faults: list[Fault] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    async def late_enough(self, arrived_at: float) -> None:
        """Waits until a call that arrived then, by the loop's time, has taken as long as the latency."""
        if self.latency_ms:
            rest = arrived_at + self.latency_ms / 1000 - asyncio.get_running_loop().time()
            await asyncio.sleep(max(0, rest))

    def fault_for(self, call: Call) -> Fault | None:
        for fault in self.faults:
            if fault.fires(call):
                return fault
        return None

    def take_changes(self, call: Call, *, before: bool) -> list[dict[str, Any]]:
        """The changes that this call brings about, ``before`` or after it; each is given out once."""
        due = [change for change in self.changes if change.is_due(call, before)]
        if due:
            self.changes = [change for change in self.changes if not any(change is one for one in due)]
        return [change.do for change in due]


def behaviour_from(document: dict[str, Any], defaults: dict[str, float]) -> Behaviour:
    """`defaults` are for keys that the document lacks (the command line sets them)."""
    numbers = "latency_ms operation_ms token_seconds clock_offset_seconds"
    checked(
        document,
        "behaviour",
        optional=f"{numbers} rate_limit v2_auth seed faults changes cloud_registry container_registry",
    )
    settings = {**defaults, **{key: document[key] for key in numbers.split() if key in document}}
    behaviour = Behaviour(**settings, v2_auth=document.get("v2_auth", "bearer"))
    if behaviour.v2_auth not in ("bearer", "basic", "none"):
        raise DocumentError(f"v2_auth: expected bearer, basic or none, got {behaviour.v2_auth!r}")
    if document.get("rate_limit"):
        limit = checked(document["rate_limit"], "rate_limit", optional="retry_after", required="per_second")
        behaviour.rate_limit = RateLimit(**limit)
    behaviour.cloud_registry = switches_from(
        document.get("cloud_registry"), "cloud_registry", CloudRegistrySwitches
    )
    behaviour.container_registry = switches_from(
        document.get("container_registry"), "container_registry", ContainerRegistrySwitches
    )
    for where, fault in listed(document.get("faults"), "faults"):
        behaviour.faults.append(_fault(fault, where, random.Random(f"{document.get('seed', 1)} {where}")))
    for where, change in listed(document.get("changes"), "changes"):
        behaviour.changes.append(_change(change, where))
    return behaviour


def _fault(document: dict[str, Any], where: str, dice: random.Random) -> Fault:
    checked(
        document,
        where,
        optional=f"query share skip times code message retry_after {' '.join(_EFFECTS)}",
        required="match",
    )
    effects = [key for key in _EFFECTS if key in document]
    if len(effects) != 1 and effects != ["body", "status"]:
        raise DocumentError(f"{where}: expected one effect: {', '.join(_EFFECTS)}")
    match = Match(document["match"], f"{where}.match", document.get("query", ""))
    fields = {**document, "match": match, "dice": dice, "text": json.dumps(document)}
    fields.pop("query", None)
    fields.setdefault("code", CODE_OF_STATUS.get(document.get("status", 0), UNKNOWN))
    if "operation_error" in document:
        wanted = checked(
            document["operation_error"],
            f"{where}.operation_error",
            optional="before_done",
            required="code message",
        )
        fields["operation_error"] = OperationError(**wanted)
    if fields.get("cut", "before") not in ("before", "after", "body"):
        raise DocumentError(f"{where}.cut: expected before, after or body")
    return Fault(**fields)


def _change(document: dict[str, Any], where: str) -> Change:
    checked(document, where, optional="after query skip before_call", required="do")
    check_change(document["do"])
    if ("after" in document) == ("before_call" in document):
        raise DocumentError(f"{where}: expected one of after and before_call")
    if "before_call" in document:
        return Change(document["do"], before_call=document["before_call"])
    after = Match(document["after"], f"{where}.after", document.get("query", ""))
    return Change(document["do"], after, document.get("skip", 0))
