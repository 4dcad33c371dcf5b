"""Evidence of a failure: how its containers stand and what they printed last, taken before they are removed."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from longshore.domain.causes import LAST_LINES
from longshore.domain.ports import Container, Engine, Listener
from longshore.domain.redaction import Redactor
from longshore.domain.states import ReplicaState
from longshore.errors import LongshoreError
from longshore.models import Replica
from longshore.services import replicas
from longshore.services.context import WorkerServices
from longshore.services.logs import printable
from longshore.services.probes import Probe, Probes

log = logging.getLogger("longshore.evidence")

REPLICAS_KEPT = 20
OUTPUT_LIMIT = 16 * 1024  # characters, of all replicas of a deployment together
LINE_LIMIT = 2 * 1024


@dataclass(frozen=True)
class Witness:
    """One replica: its container as the engine saw it, its last lines as they may be shown, its last probes."""

    name: str
    process: str
    port: int
    container: Container | None
    listeners: Sequence[Listener]
    output: Sequence[str]
    probes: Sequence[Probe]


@dataclass(frozen=True)
class Evidence:
    """What the engine told. ``partial``: it did not answer, so there may be more."""

    witnesses: tuple[Witness, ...] = ()
    at: datetime | None = None
    partial: bool = False


def gather(worker: WorkerServices, deployment_id: int, redactor: Redactor, probes: Probes | None = None) -> Evidence:
    """All there is of a deployment's replicas. Never raises: what cannot be had is missing."""
    at = worker.clock.now()
    try:
        with worker.db.read() as session:
            rows = [row for row in replicas.of(session, deployment_id) if row.state is not ReplicaState.REMOVED]
        return Evidence(_witnesses(worker.engine, rows, redactor, probes.last() if probes else {}), at)
    except LongshoreError as error:
        log.warning("the evidence is not whole: %s", error.message)
    except Exception:
        log.exception("the evidence is not whole")
    return Evidence(at=at, partial=True)


def _witnesses(
    engine: Engine, rows: Sequence[Replica], redactor: Redactor, probes: Mapping[str, Sequence[Probe]]
) -> tuple[Witness, ...]:
    """Those that ended first: the space for their output is used up in this order."""
    seen = [(row, engine.find(row.name)) for row in rows]
    seen.sort(key=lambda one: one[1] is None or one[1].running)
    left, found = OUTPUT_LIMIT, []
    for row, container in seen[:REPLICAS_KEPT]:
        output = last_lines(engine.output(row.name, LAST_LINES), redactor, left) if container and left > 0 else []
        left -= sum(map(len, output))
        listeners = engine.listeners(row.name) if container and container.running else []
        found.append(Witness(row.name, row.process, row.port, container, listeners, output, probes.get(row.name, ())))
    return tuple(found)


def last_lines(lines: Sequence[str], redactor: Redactor, limit: int = OUTPUT_LIMIT) -> list[str]:
    """The last ones as they may be kept and shown: without secrets, without what a terminal would obey, and as many
    as fit. Redacted before they are cut, so that no half of a secret is left."""
    clean = redactor.redact(printable("\n".join(lines[-LAST_LINES:]))).split("\n")
    kept: list[str] = []
    for line in reversed(clean[-LAST_LINES:] if lines else []):
        cut = line if len(line) <= LINE_LIMIT else f"{line[:LINE_LIMIT]} [line cut]"
        limit -= len(cut)
        if limit < 0:
            break
        kept.append(cut)
    return kept[::-1]
