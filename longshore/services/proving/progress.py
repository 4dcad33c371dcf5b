"""How a deployment as a whole gets on."""

import threading

from longshore.domain.ports import Clock


class Progress:
    """When a replica became healthy last; before the first one, when the waiting began."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._since = clock.monotonic()

    def made(self) -> None:
        """Another replica is healthy, or has a right to all its time again."""
        with self._lock:
            self._since = self._clock.monotonic()

    def waited(self) -> float:
        """Seconds without progress."""
        with self._lock:
            return self._clock.monotonic() - self._since
