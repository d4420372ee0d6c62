"""What a run learns, gathered as it goes, so that its report can be made also when it breaks off.

Only this module writes what is known of a run and of its repositories; everybody else calls these methods.
"""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from shared.cleanup.dry_runs import DryRuns
from shared.cleanup.findings import Findings
from shared.cleanup.packed_candidates import PackedCandidates, PackedSightings
from shared.cloud.client import Cloud
from shared.retention.layers import LayerCount
from shared.retention.plan import Plan
from shared.retention.records import (
    ALREADY_GONE,
    DELETED,
    Candidate,
    Image,
    Outcome,
    Policy,
    PolicyResult,
    Problem,
    Registry,
    Repository,
    RepositoryName,
    Service,
    Sighting,
)
from shared.retention.references import Usage
from shared.retention.rules import Decision, Judged, Rule
from shared.settings.overrides import Narrowed, Settings
from shared.state.journal import Journal
from shared.state.leases import Leases
from shared.state.manifest_memory import ManifestMemory

if TYPE_CHECKING:
    from shared.cloud.workloads.sources import Found, Unavailable


class Survey(msgspec.Struct):
    """What is known of one repository.

    Its candidates are there while it is `opened`, and packed otherwise. ``taken_by_active`` names the images
    that Yandex Cloud itself will delete, applied or not. ``kept`` are those that keep rules keep, by id, as
    last listed. ``images`` counts all, and is None until they were listed; ``size_bytes`` adds up their
    sizes. ``going_count`` and ``candidate_count`` are as of the last packing. ``unclear`` images have a
    manifest that is not understood; ``foreign`` ones refer to digests of other repositories. ``unread``:
    there was no time to read all manifests.
    """

    registry: Registry
    repository: Repository
    policies: list[Policy]
    rules: list[Rule] = []
    results: list[PolicyResult] = []
    candidates: dict[str, Candidate] = {}
    outcomes: dict[str, Outcome] = {}
    taken_by_active: list[tuple[Policy, set[str]]] = []
    kept: dict[str, str] = {}
    judged: Judged = Judged()
    images: int | None = None
    size_bytes: int = 0
    candidate_count: int = 0
    going_count: int = 0
    unclear: set[str] = set()
    foreign: dict[str, frozenset[str]] = {}
    unread: bool = False
    listed_at: float = float("-inf")
    open: bool = False
    _packed: PackedCandidates = msgspec.field(default_factory=PackedCandidates)
    _sightings: PackedSightings = msgspec.field(default_factory=PackedSightings)

    @contextmanager
    def opened(self, listed: Iterable[Image] = ()) -> Iterator[Survey]:
        """The survey with its candidates unpacked; whoever unpacked them packs them again.

        A candidate takes the equal image that is ``listed``, to save memory.
        """
        if self.open:
            yield self
            return
        self.candidates, self.open = self._packed.unpack({image.image_id: image for image in listed}), True
        try:
            yield self
        finally:
            self.open = False
            self.candidate_count, self.going_count = len(self.candidates), len(self.going())
            self._packed.pack(self.candidates)
            self.candidates, self.kept, self.judged = {}, {}, Judged()

    def each(self) -> Iterator[Candidate]:
        """Every candidate, one at a time, without unpacking them all."""
        yield from self.candidates.values() if self.open else self._packed

    def going(self) -> dict[str, Candidate]:
        """The candidates that nothing keeps from being deleted so far, by id."""
        return {
            image_id: candidate
            for image_id, candidate in self.candidates.items()
            if image_id not in self.outcomes
        }

    def sharing(self, images: Iterable[Image]) -> Iterator[Image]:
        """Replaces each image by the equal object that a candidate already holds, to save memory."""
        for image in images:
            candidate = self.candidates.get(image.image_id)
            yield candidate.image if candidate and candidate.image == image else image

    def ran_dry(self, result: PolicyResult, taken: Collection[str]) -> None:
        """Notes a policy's dry run; Yandex Cloud itself will delete the images ``taken`` by an ACTIVE
        policy.
        """
        self.results.append(result)
        if result.policy.status == "ACTIVE" and taken:
            self.taken_by_active.append((result.policy, set(taken)))

    def take(self, candidates: Mapping[str, Candidate]) -> None:
        """Adds candidates, or gives those that are there already other reasons."""
        self.candidates |= candidates

    def restock(self, candidates: Mapping[str, Candidate]) -> None:
        """Makes these the only candidates."""
        self.candidates = dict(candidates)

    def settle(self, outcomes: Mapping[str, Outcome]) -> None:
        """Says what becomes of candidates. What was settled first stays."""
        self.outcomes = {**outcomes, **self.outcomes}

    def reconsider(self, outcomes: Mapping[str, Outcome]) -> None:
        """Says anew what becomes of candidates."""
        self.outcomes = {**self.outcomes, **outcomes}

    def leave(self, why: str) -> None:
        """Leaves what would go of the repository; ``why`` names the limit or the guard that keeps it."""
        with self.opened():
            self.settle(dict.fromkeys(self.going(), Outcome("remaining", kept_by=why)))

    def keep(self, kept: Mapping[str, str]) -> None:
        """Notes the images that keep rules keep now, by id, each with its rule."""
        self.kept = dict(kept)

    def note_judged(self, judged: Judged) -> None:
        """Notes what the rules take of a listing."""
        self.judged = judged

    def count(self, images: int, size_bytes: int) -> None:
        """Notes how many images were listed; what the ACTIVE policies take is not needed after that."""
        self.images, self.size_bytes, self.taken_by_active = images, size_bytes, []

    def note_foreign(self, foreign: Mapping[str, frozenset[str]]) -> None:
        self.foreign = dict(foreign)

    def note_unread(self) -> None:
        self.unread = True

    def is_news_that_unclear(self, image_id: str) -> bool:
        """Whether this is the first time that the image's manifest is said not to be understood."""
        known = image_id in self.unclear
        self.unclear.add(image_id)
        return not known

    def begin_listing(self, at: float) -> None:
        """Notes when (monotonic) the survey began to list the repository."""
        self.listed_at = at

    def note_sightings(self, images: Iterable[Image]) -> None:
        """Notes all images as they are listed first, for `take_sightings`."""
        self._sightings.pack(images)

    def take_sightings(self, listed: Iterable[Image]) -> list[Image | Sighting]:
        """What was noted of each image; it is forgotten. An image that is ``listed`` as it was noted stands
        for itself.
        """
        return self._sightings.unpack(listed)

    def gone(self) -> set[str]:
        """The ids of the images that are deleted, or were gone before."""
        return {image_id for image_id, outcome in self.outcomes.items() if outcome in (DELETED, ALREADY_GONE)}


class Run(Findings, kw_only=True):
    """A run: what it was asked for, with what it works, and what it learns.

    ``unseen`` is where what runs could not be looked up; ``matched`` counts images by a rule's name;
    ``undated`` are a repository's full name, the number of its images whose creation time a rule cannot
    believe, and one of them. ``layers`` counts by registry id, ``digests`` are the keys of a repository's
    digests and ``tags`` the number of its tags, by its full name. ``created`` counts a registry's
    images by the hour of their creation. ``plan`` is what a person said yes to, if the run is to carry that
    out.
    ``link`` leads people to the page of the run; whoever has it may look, so that only notifications have it.
    """

    narrowed: Narrowed
    only: frozenset[RepositoryName] | None = None
    run_id: str = ""
    started_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    docker_endpoints: Mapping[Service, str] = {}
    journal: Journal | None = None
    leases: Leases | None = None
    memory: ManifestMemory = msgspec.field(default_factory=ManifestMemory)
    reads_until: float = float("inf")
    cloud: Cloud | None = None
    plan: Plan | None = None
    plan_begun: bool = False
    link: str = ""
    registries: dict[str, Registry] = msgspec.field(default_factory=dict)
    surveys: list[Survey] = msgspec.field(default_factory=list)
    usage: Usage = msgspec.field(default_factory=Usage)
    unseen: list[Unavailable] = msgspec.field(default_factory=list)
    unseen_told: list[Unavailable] = msgspec.field(default_factory=list)
    looked_in_use_at: float = float("-inf")
    looking: threading.Lock = msgspec.field(default_factory=threading.Lock)
    matched: Counter[str] = msgspec.field(default_factory=Counter)
    undated: list[tuple[str, int, Image]] = msgspec.field(default_factory=list)
    layers: dict[str, LayerCount] = msgspec.field(default_factory=dict)
    digests: dict[str, array[int]] = msgspec.field(default_factory=dict)
    tags: dict[str, int] = msgspec.field(default_factory=dict)
    created: dict[str, Counter[str]] = msgspec.field(default_factory=dict)
    refusals: list[tuple[Survey, Problem]] = msgspec.field(default_factory=list)
    dry_runs: DryRuns = msgspec.field(default_factory=DryRuns)
    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    @property
    def settings(self) -> Settings:
        return self.narrowed.settings

    def keep_journal(self, journal: Journal, leases: Leases | None) -> None:
        """Gives the run its journal, and the leases that a run that may delete holds."""
        self.journal, self.leases = journal, leases

    def keep_memory(self, memory: ManifestMemory) -> None:
        """Gives the run what earlier ones have learnt of manifests."""
        self.memory = memory

    def read_until(self, until: float) -> None:
        """Says when reading manifests has had its time, on the monotonic clock."""
        self.reads_until = until

    def ask(self, cloud: Cloud) -> None:
        """Gives the run the cloud that it asks."""
        self.cloud = cloud

    def narrow(self, narrowed: Narrowed) -> None:
        """Gives the run other settings."""
        self.narrowed = narrowed

    def lead_to(self, link: str) -> None:
        """Notes where people find the page of the run."""
        self.link = link

    def add(self, registry: Registry, surveys: Iterable[Survey]) -> None:
        """Adds a registry that the run is about, with its repositories in the order of their names."""
        with self.lock:
            self.layers.setdefault(registry.registry_id, LayerCount())
            self.registries.setdefault(registry.registry_id, registry)
            self.surveys = sorted([*self.surveys, *surveys], key=lambda survey: survey.repository.full_name)

    def drop(self, registry_id: str) -> None:
        """Leaves a registry to another run."""
        with self.lock:
            self.surveys = [survey for survey in self.surveys if survey.registry.registry_id != registry_id]
            del self.layers[registry_id]

    def saw_in_use(self, found: Found, began_at: float) -> None:
        """Adds what a look at what runs has shown; what an earlier look has shown still counts."""
        for use in found.uses:
            self.usage.add(use)
        self.unseen = [*self.unseen, *found.blind]
        self.looked_in_use_at = began_at

    def news_of(self, unavailable: Iterable[Unavailable]) -> list[Unavailable]:
        """Those of the sources that are said for the first time to be unavailable."""
        with self.lock:
            new = [source for source in unavailable if source not in self.unseen_told]
            self.unseen_told = [*self.unseen_told, *new]
        return new

    def note_rules(self, survey: Survey, decision: Decision) -> None:
        """Notes how many images each rule matches, and those that no rule can judge."""
        with self.lock:
            self.matched.update(decision.matched)
            if decision.undated:
                example = next(iter(decision.undated.values()))
                self.undated.append((survey.repository.full_name, len(decision.undated), example))

    def note_listed(self, full_name: str, keys: array[int], tags: int) -> None:
        """Notes the keys of the digests that a repository lists, and the number of its tags."""
        self.digests[full_name], self.tags[full_name] = keys, tags

    def note_created(self, registry_id: str, hours: Counter[str]) -> None:
        """Adds the hours in which images of the registry were created."""
        with self.lock:
            self.created.setdefault(registry_id, Counter()).update(hours)

    def goes(self, registry_id: str, images: Iterable[Image]) -> None:
        """Counts the layers of images that go."""
        with self.lock:
            self.layers[registry_id].goes(images)

    def stays(self, registry_id: str, keys: Iterable[int]) -> None:
        """Counts the layers of images that stay."""
        with self.lock:
            self.layers[registry_id].stays(keys)

    def not_deleted(self, survey: Survey, problem: Problem) -> None:
        """Notes an image whose deletion has failed; `read_only` says what becomes of it."""
        with self.lock:
            self.refusals.append((survey, problem))

    def take_refusals(self) -> list[tuple[Survey, Problem]]:
        """The deletions that have failed; they are forgotten."""
        with self.lock:
            refusals, self.refusals = self.refusals, []
        return refusals

    def begin_plan(self) -> None:
        self.plan_begun = True
