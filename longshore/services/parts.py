"""The parts we stand on: what was last seen of each, and putting right what is ours.

Workers look at engine, registry and router and write rows; the web process only reads them, and looks at database
and Redis itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from longshore.errors import LongshoreError
from longshore.models import PartStatus, Worker
from longshore.services.context import Services, WorkerServices
from longshore.settings import QUEUES

SEEN_BY_WORKER = ("engine", "registry", "router")
STALE = timedelta(seconds=20)


def look(services: Services) -> list[PartStatus]:
    """Every part with its problem, or ``None``. ``PartDownError`` when the database itself is down."""
    now = services.clock.now()
    with services.db.read() as session:
        known = {row.name: row for row in session.scalars(select(PartStatus))}
        taken = queues_taken(session, now)
    redis = _status(services, "redis", _problem(services.queue.ping))
    database = _status(services, "database", None)
    worker = _status(services, "worker", _problem_of_workers(taken))
    unseen = ("nobody has looked at it yet", "A worker looks; is one running?")
    others = [known.get(name) or _status(services, name, unseen) for name in SEEN_BY_WORKER]
    return [database, redis, worker, *others]


def down(services: Services) -> list[PartStatus]:
    """The parts that have a problem now."""
    return [part for part in look(services) if part.problem]


def queues_taken(session: Session, now: datetime) -> frozenset[str]:
    """The queues that some worker takes jobs from: one that was seen just now."""
    fresh = session.scalars(select(Worker.queues).where(Worker.seen_at > now - STALE))
    return frozenset(name for queues in fresh for name in queues)


def _problem_of_workers(taken: frozenset[str]) -> tuple[str, str] | None:
    if not taken:
        return "no worker is running", "Start one: `longshore worker`."
    missing = ",".join(name for name in QUEUES if name not in taken)
    if not missing:
        return None
    return f"no worker takes from the queue {missing}", f"Start one: `longshore worker --queues {missing}`."


def forget(services: Services) -> None:
    """Before the processes of a host start: what was seen before says nothing now."""
    with services.db.write() as session:
        session.execute(delete(PartStatus))


@dataclass(frozen=True)
class Look:
    """What a look at the parts found: some came back; or some are down that a worker can put right."""

    back: bool
    mendable: bool


def check(worker: WorkerServices) -> Look:
    """Look at engine, registry and router, and write what was seen."""
    pings: dict[str, Callable[[], object]] = {
        "engine": worker.engine.facts,
        "registry": worker.registry.ping,
        "router": worker.router.ping,
    }
    seen = [_status(worker, name, _problem(ping) and _problem(ping)) for name, ping in pings.items()]  # once is noise
    down = {status.name for status in seen if status.problem}
    back = [_write(worker, status) for status in seen]
    ours = down if worker.settings.registry is None else down - {"registry"}
    return Look(back=any(back), mendable=bool(ours) and "engine" not in down)


def _write(worker: WorkerServices, seen: PartStatus) -> bool:
    """Keep what was seen; whether the part was down before and is back."""
    with worker.db.write() as session:
        row = session.get(PartStatus, seen.name)
        if row is None:
            session.add(seen)
            return seen.problem is None
        back = row.problem is not None and seen.problem is None
        if (row.problem is None) != (seen.problem is None):
            row.since = seen.seen_at
        row.problem, row.hint, row.seen_at = seen.problem, seen.hint, seen.seen_at
        return back


def _problem(ping: Callable[[], object]) -> tuple[str, str] | None:
    try:
        ping()
    except LongshoreError as error:
        return error.message, error.hint or ""
    return None


def _status(services: Services, name: str, problem: tuple[str, str] | None) -> PartStatus:
    now = services.clock.now()
    message, hint = problem or (None, None)
    return PartStatus(name=name, problem=message, hint=hint, since=now, seen_at=now)
