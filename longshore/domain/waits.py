"""Waits: what something that does not run waits for, since when, and how much longer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from longshore.domain.states import JobKind, WaitFor

# Looked up each time: what was written down about these may be over.
IN_LINE = (WaitFor.DEPLOYMENT, WaitFor.LOCK)


@dataclass(frozen=True)
class Wait:
    """What a deployment waits for, as far as can be known.

    ``blocker`` is what stands in its way, by name; ``position`` how many of its app go before it; ``estimate`` how
    long until it goes on; ``job`` its job that does not begin.
    """

    reason: WaitFor
    words: str
    since: datetime
    job: JobKind
    blocker: str | None = None
    position: int = 0
    estimate: timedelta | None = None
