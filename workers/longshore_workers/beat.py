"""The scheduler of beat: it goes by a clock that never jumps.

Celery's own goes by the wall clock: when that is set back by an hour, nothing is rung for an hour.
"""

import time
from typing import Any

from celery.beat import Scheduler


class SteadyScheduler(Scheduler):  # type: ignore[misc]
    """Rings everything at once when it starts, then each entry in its own interval. Keeps nothing on disk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._due: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """The entries of the program."""
        self.merge_inplace(self.app.conf.beat_schedule)

    def tick(self, *_: Any, **__: Any) -> float:
        """Ring what is due; seconds until there is something again."""
        for name, entry in self.schedule.items():
            now = time.monotonic()
            if self._due.get(name, now) <= now:
                self._due[name] = now + entry.schedule.seconds
                self.apply_entry(entry, producer=self.producer)
        return max(0.0, min(self._due.values(), default=self.max_interval) - time.monotonic())
