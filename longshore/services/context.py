"""What services are given to work with. ``bootstrap`` fills it in; nothing else does."""

import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from longshore.domain.ports import (
    Builder,
    Clock,
    Engine,
    GitFetch,
    Prober,
    Queue,
    Registry,
    Router,
    SecretBox,
    SourceFiles,
    StackParts,
    WorkerLocks,
)
from longshore.models import Database
from longshore.services.shift import Shift
from longshore.settings import Settings

Watched = TypeVar("Watched", bound=Hashable)


@dataclass(frozen=True)
class Services:
    """Enough to accept requests and to answer questions. Holds no way to the container engine."""

    settings: Settings
    db: Database
    clock: Clock
    queue: Queue
    box: SecretBox
    git: GitFetch
    files: SourceFiles


class Lease:
    """This worker's proof of life. ``renewed`` is told by the heartbeat; when it stays away, work must stop.

    Measured on the monotonic clock of this process: the watcher needs a whole lease of standstill to call us dead,
    so stopping a little earlier than that keeps two workers from doing one job.
    """

    def __init__(self, worker_id: str, seconds: float, clock: Clock) -> None:
        self.worker_id = worker_id
        self._seconds = seconds * 0.8
        self._clock = clock
        self._renewed = clock.monotonic()

    def renewed(self) -> None:
        """The database has taken a beat."""
        self._renewed = self._clock.monotonic()

    def alive(self) -> bool:
        """Whether work may go on."""
        return self._clock.monotonic() - self._renewed < self._seconds


class Seen(Generic[Watched]):
    """Marks of things that are watched: since when each is known, and since when its mark has not changed."""

    def __init__(self) -> None:
        self._seen: dict[Watched, tuple[int, float, float]] = {}

    def look(self, marks: Mapping[Watched, int], now: float) -> dict[Watched, tuple[float, float]]:
        """The marks as they are now. Of each: seconds it has been known, and seconds it has stood still."""
        known = self._seen
        self._seen = {
            key: (mark, known[key][1], known[key][2] if known[key][0] == mark else now)
            if key in known
            else (mark, now, now)
            for key, mark in marks.items()
        }
        return {key: (now - since, now - changed) for key, (_, since, changed) in self._seen.items()}


@dataclass
class Watch:
    """What this process has watched, on its own monotonic clock: the beats of workers, and the news of claims."""

    workers: "Seen[str]" = field(default_factory=lambda: Seen())
    claims: "Seen[tuple[int, int]]" = field(default_factory=lambda: Seen())
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class WorkerServices(Services):
    """Everything: the ports to engine, builder, registry and router too."""

    engine: Engine
    builder: Builder
    registry: Registry
    router: Router
    prober: Prober
    parts: StackParts
    random: Random
    host: str
    locks: WorkerLocks
    lease: Lease
    watch: Watch
    shift: Shift
