"""The real clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The host's time."""

    def now(self) -> datetime:
        """The instant, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let this thread rest."""
        time.sleep(seconds)
