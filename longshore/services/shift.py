"""One worker process's time at work: which jobs it holds, who must be alone, and when it is leaving."""

import threading

from longshore.domain.ports import Clock
from longshore.domain.states import LASTING, JobKind
from longshore.settings import Settings

KEPT_FREE = 30.0  # seconds for which a worker takes nothing new, so that a job that must be alone finds it empty


class Shift:
    """Jobs come in and go. A suspect comes in only when nobody is there, and nobody beside it."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._lock = threading.Condition()
        self._claims: set[object] = set()
        self._alone: object | None = None
        self._kept_free_until = 0.0
        self._ending_since: float | None = None

    def come_in(self, claim: object, *, alone: bool) -> bool:
        """Whether a claim may be worked on here now; then it must go again."""
        with self._lock:
            if self.ending or self._alone is not None or (alone and self._claims):
                self._kept_free_until = self._clock.monotonic() + KEPT_FREE if alone else self._kept_free_until
                return False
            if not alone and self._clock.monotonic() < self._kept_free_until:
                return False
            self._claims.add(claim)
            if alone:
                self._alone, self._kept_free_until = claim, 0.0
            return True

    def go(self, claim: object) -> None:
        """The claim is over here, however it ended. No error when it never came in."""
        with self._lock:
            self._claims.discard(claim)
            self._alone = None if self._alone is claim else self._alone
            self._lock.notify_all()

    def end(self) -> None:
        """SIGTERM: nothing new is taken, and what runs is handed back."""
        if self._ending_since is None:
            self._ending_since = self._clock.monotonic()

    @property
    def ending(self) -> bool:
        """Whether this process is leaving."""
        return self._ending_since is not None

    def wait(self, seconds: float) -> bool:
        """Wait until nothing runs here, at most until so many seconds after SIGTERM; whether nothing does."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._claims, max(0.0, self.left(seconds)))

    def over(self, kind: JobKind) -> bool:
        """Whether a job of this kind is to be handed back now: builds and commands may end within the grace."""
        return self.ending and (kind not in LASTING or self.grace_is_over())

    def grace_is_over(self) -> bool:
        """Whether even what may go on for a while after SIGTERM must end now."""
        return self.ending and self.left(self._settings.shutdown_grace) <= 0

    def left(self, seconds: float) -> float:
        """How many of these seconds after SIGTERM are left."""
        return seconds if self._ending_since is None else self._ending_since + seconds - self._clock.monotonic()
