"""The tasks: a name and one id in, one service call. Which job may run, and whether, the services decide."""

import logging
from collections.abc import Callable

from celery import Celery

from longshore.domain.states import JobKind
from longshore.errors import LongshoreError
from longshore.services import WorkerServices, jobs, running, runs, sweeps
from longshore_workers.process import process

log = logging.getLogger("longshore.tasks")


def _reap(worker: WorkerServices) -> None:
    sweeps.reap(worker)
    sweeps.enforce_deadlines(worker)


PERIODIC: dict[str, Callable[[WorkerServices], None]] = {
    "longshore.dispatch": sweeps.dispatch,
    "longshore.reap": _reap,
    "longshore.judge": sweeps.judge,
    "longshore.clean": sweeps.clean,
    "longshore.reconcile": sweeps.reconcile,
}


def register(app: Celery) -> None:
    """One task per kind of job, one per periodic use case."""
    for kind in JobKind:
        app.task(_job, name=f"longshore.{kind}")
    app.task(_run, name=runs.TASK)
    for name, sweep in PERIODIC.items():
        app.task(_periodic(name, sweep), name=name, send_events=False)  # ticks would bury the jobs in Flower


def _job(job_id: str) -> None:
    """Run a job. What goes wrong with it is written into its row; what is left is a part that is down."""
    try:
        jobs.run(process.services, int(job_id))
    except LongshoreError as error:
        log.warning("job %s will be rung again: %s", job_id, error.message)


def _run(run_id: str) -> None:
    """Run a command somebody asked for. While a part it needs is down it waits, and is rung for again."""
    try:
        running.run(process.services, int(run_id))
    except LongshoreError as error:
        log.warning("run %s will be rung again: %s", run_id, error.message)


def _periodic(name: str, sweep: Callable[[WorkerServices], None]) -> Callable[[str], None]:
    def task(_: str = "") -> None:
        """One tick; two of the same at once would only do the same work twice."""
        with process.alone(name) as free:
            if free:
                _quietly(name, sweep)

    return task


def _quietly(name: str, sweep: Callable[[WorkerServices], None]) -> None:
    try:
        sweep(process.services)
    except LongshoreError as error:
        log.warning("%s will be tried again: %s", name, error.message)
