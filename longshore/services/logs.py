"""Logs of deployments: written in chunks, redacted on the way in; read in pages or followed."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, exists, select, true, update

from longshore.domain.ports import Clock
from longshore.domain.redaction import Redactor
from longshore.domain.states import JobState
from longshore.models import Deployment, Job, LogChunk
from longshore.services.context import Services
from longshore.services.views import LogLine

LINE_LIMIT = 16 * 1024
CHUNK_LIMIT = 32 * 1024
FLUSH_EVERY = 0.1  # seconds: fast enough to look live, slow enough not to make a transaction of each line
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|.)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CUT_MARK = "[log is over its limit: the rest was cut]"


@dataclass
class Log:
    """The log of something at work. Lines are kept for a moment and written together; ``flush`` writes the rest."""

    clock: Clock
    redactor: Redactor
    keep: Callable[[str], None]
    _lines: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)  # replicas are proven side by side
    _size: int = 0
    _flushed: float = 0.0

    def clean(self, text: str) -> str:
        """Text as it may be kept and shown: without secrets, and without what a terminal would obey."""
        return self.redactor.redact(printable(text))

    def write(self, text: str) -> None:
        """Add text: one line or several."""
        with self._lock:
            self._take(text)
        self.pulse()

    def _take(self, text: str) -> None:
        for line in self.clean(text).splitlines() or [""]:
            self._lines.append(line if len(line) <= LINE_LIMIT else f"{line[:LINE_LIMIT]} [line cut]")
            self._size += len(self._lines[-1]) + 1

    def pulse(self) -> None:
        """Write what has waited long enough. Call it while nothing is printed, too."""
        with self._lock:
            late = self.clock.monotonic() - self._flushed >= FLUSH_EVERY
            if self._lines and (late or self._size >= CHUNK_LIMIT):
                self.flush()

    def flush(self) -> None:
        """Write everything now."""
        with self._lock:
            if self._lines:
                self.keep("\n".join(self._lines))
            self._lines.clear()
            self._size = 0
            self._flushed = self.clock.monotonic()


class JobLog(Log):
    """The log of one running job. ``claim`` is job and fence: whoever lost the claim writes nothing more."""

    def __init__(
        self,
        services: Services,
        deployment_id: int,
        job: str,
        redactor: Redactor,
        claim: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(services.clock, redactor, lambda text: append(services, deployment_id, job, text, claim))


def append(services: Services, deployment_id: int, job: str, text: str, claim: tuple[int, int] | None = None) -> None:
    """Write one chunk, if the claim still holds.

    The sequence is drawn from the deployment's row, so its order is the order of commits.
    """
    with services.db.write() as session:
        size = len(text.encode())
        drawn = session.execute(
            update(Deployment)
            .where(Deployment.id == deployment_id, _holds(claim))
            .values(log_sequence=Deployment.log_sequence + 1, log_bytes=Deployment.log_bytes + size)
            .returning(Deployment.log_sequence, Deployment.log_bytes)
        ).one_or_none()
        if drawn is None:
            return
        sequence, total = drawn
        kept = within(services.settings.log_limit, text, total)
        if kept is not None:
            at = services.clock.now()
            session.add(LogChunk(deployment_id=deployment_id, sequence=sequence, job=job, text=kept, at=at))


def within(limit: int, text: str, total: int) -> str | None:
    """What may be kept of a text that made it so many bytes in all; ``None`` when the mark is there already."""
    before = total - len(text.encode())
    if before >= limit:
        return None
    if total < limit:
        return text
    return f"{text.encode()[: limit - before].decode(errors='ignore')}\n{CUT_MARK}"


def _holds(claim: tuple[int, int] | None) -> ColumnElement[bool]:
    if claim is None:
        return true()
    return exists().where(Job.id == claim[0], Job.fence == claim[1], Job.state == JobState.RUNNING)


def read(services: Services, deployment_id: int, *, after: int, limit: int) -> list[LogLine]:
    """Chunks after a sequence number, oldest first."""
    with services.db.read() as session:
        rows = session.scalars(
            select(LogChunk)
            .where(LogChunk.deployment_id == deployment_id, LogChunk.sequence > after)
            .order_by(LogChunk.sequence)
            .limit(limit)
        )
        return [LogLine(sequence=row.sequence, job=row.job, text=row.text, at=row.at) for row in rows]


def printable(text: str) -> str:
    """Without what a terminal would obey: builds and containers are hostile. NUL goes too: PostgreSQL refuses it."""
    return _CONTROL.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
