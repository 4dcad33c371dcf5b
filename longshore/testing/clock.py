"""Time that stands still until somebody moves it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock moved by hand. ``sleep`` does not wait: it moves the clock, for all threads."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._jumped = timedelta(0)
        self._lock = threading.Lock()
        self.ticks: list[Callable[[], None]] = []  # called whenever time went by

    def now(self) -> datetime:
        """The instant: the time that went by, and every jump of the wall clock."""
        return START + timedelta(seconds=self._elapsed) + self._jumped

    def monotonic(self) -> float:
        """The time that went by; jumps of the wall clock do not show here."""
        return 1000.0 + self._elapsed

    def sleep(self, seconds: float) -> None:
        """Move on."""
        with self._lock:
            self._elapsed += seconds
        for tick in list(self.ticks):
            tick()

    def jump(self, seconds: float) -> None:
        """Somebody set the wall clock; negative: back."""
        self._jumped += timedelta(seconds=seconds)
