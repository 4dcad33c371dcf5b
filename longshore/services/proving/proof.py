"""One replica's way to healthy."""

from longshore.domain.ports import Listener
from longshore.errors import AppError
from longshore.services.proving.candidate import Candidate
from longshore.services.proving.probes import Seen, probe
from longshore.services.proving.progress import Progress
from longshore.services.proving.running import look
from longshore.services.proving.words import not_listening, stuck, unhealthy
from longshore.services.work import Work

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
FAST_FOR = 5.0  # seconds in which probes follow each other quickly
LOOK_FOR_PORT = 0.5
OTHER_PORT_AFTER = 2.0  # seconds of refused connections after which another port is looked for


class Proof:
    """One replica's way to healthy: ``port`` may change once, when nothing answers but one other port listens."""

    def __init__(self, work: Work, candidate: Candidate, progress: Progress) -> None:
        self._work, self._candidate, self._progress = work, candidate, progress
        self._clock = work.worker.clock
        self._begin()

    def _begin(self) -> None:
        """From the start, with the whole time it is given."""
        self._began = self._looked = self._clock.monotonic()
        self._restarts: int | None = None
        self.port = self._candidate.port
        self._seen = Seen(False)
        self._failures = 0
        self._not_yet()

    def _not_yet(self) -> None:
        self._successes = 0
        self._healthy_since: float | None = None

    def _age(self) -> float:
        return self._clock.monotonic() - self._began

    def healthy(self) -> bool:
        """Probe once; whether it has been healthy often and long enough, and ran all the time."""
        began = self._clock.monotonic()
        self._seen = probe(self._work, self._candidate, self.port)
        now = self._clock.monotonic()
        self._note(now - began)
        if not self._seen.healthy:
            self._failed()
            return False
        self._failures, self._successes = 0, self._successes + 1
        self._healthy_since = now if self._healthy_since is None else self._healthy_since
        often = self._successes >= self._candidate.check.successes
        return often and now - self._healthy_since >= self._candidate.min_healthy_time and self._runs()

    def _note(self, seconds: float) -> None:
        """Remembered, should it fail in the end."""
        seen, now = self._seen, self._clock.now()
        self._work.probes.note(self._candidate.name, seen.status, seen.problem, now, seconds)

    def _failed(self) -> None:
        """Failures in the start period do not count."""
        self._not_yet()
        if self._age() >= self._candidate.check.start_period:
            self._failures += 1

    def _runs(self) -> bool:
        """Whether it runs, without a restart since it was looked at first; else its time begins anew."""
        container = look(self._work, self._candidate)
        if container is None:
            self._begin()
            self._progress.made()
            return False
        if self._restarts not in (None, container.restarts):
            self._work.log.write(f"{self._candidate.name} ended and was started again")
            self._not_yet()
        self._restarts = container.restarts
        return self._healthy_since is not None

    def watch(self) -> None:
        """``AppError`` when it died, failed too often, or is over time; look for another port when nothing listens."""
        self._runs()
        if self._candidate.routed and self._clock.monotonic() - self._looked >= LOOK_FOR_PORT:
            self._looked = self._clock.monotonic()
            self._try_other_port()
        if (reason := self._over()) is not None:
            raise reason

    def _over(self) -> AppError | None:
        check = self._candidate.check
        if check.failures is not None and self._failures >= check.failures:
            return self._reason(f"{self._failures} times in a row")
        if self._age() >= check.healthy_deadline:
            return self._reason(f"within {check.healthy_deadline:g} s")
        if check.progress_deadline is not None and self._progress.waited() >= check.progress_deadline:
            return stuck(self._candidate, self._seen, check.progress_deadline)
        return None

    def pause(self) -> float:
        """As declared; else short at first, then longer."""
        if self._candidate.check.interval is not None:
            return self._candidate.check.interval
        age = self._age()
        return FIRST_PAUSE if age < FAST_FOR else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (age - FAST_FOR))

    def _try_other_port(self) -> None:
        if not self._seen.refused or self._age() < OTHER_PORT_AFTER or self.port != self._candidate.port:
            return
        ports = {one.port for one in self._listeners() if not one.loopback_only}
        if len(ports) == 1 and self.port not in ports:
            self.port = ports.pop()
            self._work.log.write(f"nothing listens on port {self._candidate.port}, but {self.port} does: using that")

    def _listeners(self) -> list[Listener]:
        return self._work.worker.engine.listeners(self._candidate.name)

    def _reason(self, when: str) -> AppError:
        if self._seen.refused:
            return not_listening(self._candidate, self._listeners(), when)
        return unhealthy(self._candidate, self._seen, when)
