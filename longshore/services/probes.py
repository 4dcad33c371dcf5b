"""The last probes of each replica, remembered while a job works: they are told if it fails."""

import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

KEPT = 10


@dataclass(frozen=True)
class Probe:
    """One execution of a health check."""

    at: datetime
    seconds: float
    status: int | None
    problem: str


class Probes:
    """A small ring of probes for each replica. Replicas are probed side by side, in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: defaultdict[str, deque[Probe]] = defaultdict(lambda: deque(maxlen=KEPT))

    def note(self, replica: str, status: int | None, problem: str, at: datetime, seconds: float) -> None:
        """Remember one probe of a replica, and forget the oldest."""
        with self._lock:
            self._last[replica].append(Probe(at, seconds, status, problem))

    def last(self) -> Mapping[str, Sequence[Probe]]:
        """By replica, oldest first."""
        with self._lock:
            return {replica: tuple(probes) for replica, probes in self._last.items()}
