"""Running a run: claimed once, followed to its end, and never begun again."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from longshore.domain.names import run_name
from longshore.domain.ports import ContainerSpec, Ending, Network
from longshore.domain.redaction import Redactor
from longshore.domain.states import RunState
from longshore.errors import AppError, LongshoreError, PartDownError, PlatformError, StoppedError
from longshore.models import App, Release, Run, RunChunk
from longshore.services import one_offs
from longshore.services.context import WorkerServices
from longshore.services.having import have_image
from longshore.services.logs import Log, within
from longshore.services.one_offs import Command
from longshore.services.work import LOOK_EVERY

log = logging.getLogger("longshore.runs")

DATABASE_PAUSE = 0.5  # seconds


@dataclass
class RunWork:
    """One run at work: whether it may go on, and what it printed."""

    worker: WorkerServices
    run_id: int
    release: Release
    spec: ContainerSpec
    log: Log
    until: float  # on the monotonic clock
    _looked: float = field(default=0.0)
    _over: bool = field(default=False)

    def tell(self, line: str) -> None:
        """A line it printed."""
        self.log.write(line)

    def stopped(self) -> bool:
        """Whether it is to end: cancelled, over its deadline, or its worker leaves. Cheap: looks now and then."""
        self.log.pulse()
        now = self.worker.clock.monotonic()
        if not self._over and now - self._looked >= LOOK_EVERY:
            self._looked, self._over = now, not self._holds()
        return self._over or self.late() or self.worker.shift.grace_is_over()

    def late(self) -> bool:
        """Whether it took too long."""
        return self.worker.clock.monotonic() >= self.until

    def check(self) -> None:
        """Before anything that changes the world: ``StoppedError`` when it is to end."""
        if self.stopped() or not self._holds():
            raise StoppedError("the run was stopped")

    def _holds(self) -> bool:
        wanted = select(Run.id).join(App, Run.app_id == App.id)
        wanted = wanted.where(
            Run.cancel_asked_at.is_(None), App.deleting_at.is_(None), *_ours(self.worker, self.run_id)
        )
        with self.worker.db.read() as session:
            return self.worker.lease.alive() and session.scalar(wanted) is not None


def run(worker: WorkerServices, run_id: int) -> None:
    """Run it if it waits still; a second delivery returns at once, and so does a worker that leaves."""
    place = object()
    if worker.shift.ending or not worker.lease.alive() or not worker.shift.come_in(place, alone=False):
        return
    try:
        network = worker.engine.network()  # while the engine is away it waits, and is rung for again
        work = _claim(worker, run_id, network)
        if work is not None:
            _do(work)
    finally:
        worker.shift.go(place)


def _claim(worker: WorkerServices, run_id: int, network: Network) -> RunWork | None:
    with worker.db.write() as session:
        run = session.get(Run, run_id, with_for_update=True)
        if run is None or run.state is not RunState.QUEUED:
            return None
        release = run.app.release
        if release is None or run.app.deleting_at is not None:
            run.move_to(session, RunState.CANCELLED, worker.clock.now())
            return None
        run.owner, run.release = worker.lease.worker_id, release
        run.move_to(session, RunState.RUNNING, worker.clock.now())
        return _opened(worker, session, run, release, network)


def _opened(worker: WorkerServices, session: Session, run: Run, release: Release, network: Network) -> RunWork:
    name = run_name(worker.settings.stack, run.app.name, run.number)
    process = release.declared.runs.get(run.process)
    resources = (process.resources if process else None) or release.declared.resources
    row = one_offs.reserve(worker, session, network, name, run, run.app_id)
    spec = one_offs.spec_of(worker, Command(name, "run", run.command, resources), release, network, row)
    redactor, run_id = Redactor(_secrets(worker, run.app, release)), run.id
    return RunWork(
        worker=worker,
        run_id=run_id,
        release=release,
        spec=spec,
        log=Log(worker.clock, redactor, lambda text: _keep(worker, run_id, text)),
        until=worker.clock.monotonic() + run.deadline,
    )


def _secrets(worker: WorkerServices, app: App, release: Release) -> Iterable[str]:
    yield from worker.box.open(app.env).values()
    yield from worker.box.open(release.env).values()
    if worker.settings.registry_password:
        yield worker.settings.registry_password.get_secret_value()


def _do(work: RunWork) -> None:
    try:
        have_image(work, work.release)
        ending = one_offs.run(work.worker, work.spec, work.check, work.tell, work.stopped)
        _end(work, lambda session, run: _write_ending(work, session, run, ending))
    except StoppedError:
        _end(work, lambda session, run: _write_ending(work, session, run, None))
    except LongshoreError as problem:
        error = problem
        _end(work, lambda session, run: _write_error(work, session, run, error))
    except Exception:
        log.exception("run %s failed in a way nobody foresaw", work.run_id)
        unforeseen = PlatformError(
            "Longshore failed in a way nobody foresaw", code="internal", hint="Please report it."
        )
        _end(work, lambda session, run: _write_error(work, session, run, unforeseen))


def _end(work: RunWork, write: Callable[[Session, Run], None]) -> None:
    """How it ended must be written: while the database is away, wait for it. A run that was written off stays so."""
    while True:
        try:
            work.log.flush()
            with work.worker.db.write() as session:
                run = session.scalar(select(Run).where(*_ours(work.worker, work.run_id)).with_for_update())
                if run is not None:
                    write(session, run)
            return
        except PartDownError as error:
            log.warning("run %s has ended, but cannot be written: %s", work.run_id, error.message)
        work.worker.clock.sleep(DATABASE_PAUSE)


def _write_ending(work: RunWork, session: Session, run: Run, ending: Ending | None) -> None:
    now = work.worker.clock.now()
    if ending is not None:
        run.exit_code = ending.exit_code
        if ending.exit_code == 0:
            return run.move_to(session, RunState.SUCCEEDED, now)
    elif run.cancel_asked_at is not None or run.app.deleting_at is not None:
        return run.move_to(session, RunState.CANCELLED, now)
    return _write_error(work, session, run, _why(work, run, ending))


def _why(work: RunWork, run: Run, ending: Ending | None) -> LongshoreError:
    if ending is not None and ending.out_of_memory:
        return AppError(f"{run.label} ran out of memory", code="out_of_memory", hint="Raise resources.memory.")
    if ending is not None:
        return AppError(f"{run.label} ended with exit code {ending.exit_code}", code="exited")
    if work.late():
        return AppError(f"{run.label} took longer than {run.deadline} s", code="deadline", hint="Raise its deadline.")
    return PlatformError("its worker was stopped", code="worker_stopped", hint="It is not begun again by itself.")


def _write_error(work: RunWork, session: Session, run: Run, error: LongshoreError) -> None:
    error.message = work.log.clean(error.message)
    run.fail_with(error)
    run.move_to(session, RunState.FAILED, work.worker.clock.now())


def _ours(worker: WorkerServices, run_id: int) -> tuple[ColumnElement[bool], ...]:
    return Run.id == run_id, Run.state == RunState.RUNNING, Run.owner == worker.lease.worker_id


def _keep(worker: WorkerServices, run_id: int, text: str) -> None:
    """Write one chunk, as long as the run is ours."""
    with worker.db.write() as session:
        drawn = session.execute(
            update(Run)
            .where(*_ours(worker, run_id))
            .values(log_sequence=Run.log_sequence + 1, log_bytes=Run.log_bytes + len(text.encode()))
            .returning(Run.log_sequence, Run.log_bytes)
        ).one_or_none()
        kept = None if drawn is None else within(worker.settings.log_limit, text, drawn[1])
        if drawn is not None and kept is not None:
            session.add(RunChunk(run_id=run_id, sequence=drawn[0], text=kept, at=worker.clock.now()))
