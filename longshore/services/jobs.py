"""Running one job: claim it, do its step, write how it ended, ring what follows."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from longshore.domain.states import JobKind, JobState, Phase, WaitFor
from longshore.errors import LongshoreError, NotNowError, PartDownError, PlatformError, StoppedError
from longshore.models import Job
from longshore.services import digest, evidence, pipeline
from longshore.services.claims import claim
from longshore.services.context import WorkerServices
from longshore.services.evidence import Evidence
from longshore.services.steps import STEPS
from longshore.services.work import Hold, Work

log = logging.getLogger("longshore.jobs")

PART_DOWN_PAUSE = timedelta(seconds=2)
NOT_NOW_PAUSE = timedelta(seconds=30)
BACKOFF_BASE, BACKOFF_CAP = 2.0, pipeline.LONGEST_PAUSE.total_seconds()
DATABASE_PAUSE = 0.5  # seconds
CONFLICTS = 5  # tries to write an ending whose rows others move, too
REPORT = "The worker's log has the details; please report it."


def run(worker: WorkerServices, job_id: int) -> None:
    """Run a job if it can be claimed; a second delivery, or one that must wait, returns at once."""
    work = claim(worker, job_id)
    if work is None:
        return
    log.info("%s of %s begins", work.kind, work.label)
    try:
        _do(work)
    finally:
        worker.shift.go(work.place)


def _do(work: Work) -> None:
    try:
        result = STEPS[work.kind].run(work)
        if isinstance(result, Hold):
            return _write_down(work, lambda: _hold(work, result))
        _write_down(work, lambda: _succeed(work, result))
        log.info("%s of %s succeeded", work.kind, work.label)
    except StoppedError:
        _stop(work)
    except LongshoreError as error:
        _fail(work, error)
    except Exception:
        log.exception("%s of %s failed in a way nobody foresaw", work.kind, work.label)
        _fail(work, PlatformError("Longshore failed in a way nobody foresaw", code="internal", hint=REPORT))


def _write_down(work: Work, ending: Callable[[], None]) -> None:
    """How a job ended must be written: while the database is away, wait for it. The fence decides what still counts.

    Rows that somebody moved meanwhile are looked at anew, a few times; what the database refuses after that is an
    error like any other, and must not hold the job for ever.
    """
    conflicts = 0
    while True:
        try:
            return ending()
        except PartDownError as error:
            if error.part != "database":
                raise
            log.warning("%s of %s has ended, but cannot be written: %s", work.kind, work.label, error.message)
        except SQLAlchemyError as error:
            conflicts += 1
            if conflicts >= CONFLICTS:
                raise
            log.warning("%s of %s has ended, but cannot be written: %s", work.kind, work.label, type(error).__name__)
        work.worker.clock.sleep(DATABASE_PAUSE)


def _succeed(work: Work, result: object) -> None:
    work.log.flush()
    now = work.worker.clock.now()
    with work.worker.db.write() as session:
        job = work.claimed(session)
        job.result = STEPS[work.kind].conclude(work, session, job.deployment, result)
        job.move_to(JobState.SUCCEEDED, now)
        rings = pipeline.after(session, job, now)
        source = job.deployment.source
    pipeline.ring(work.worker, rings)
    _forget_upload(work, source)


def _hold(work: Work, hold: Hold) -> None:
    """Queued again until whoever judges it lets it go on; told to stop meanwhile, it is over."""
    work.log.flush()
    now = work.worker.clock.now()
    with work.worker.db.write() as session:
        job = work.claimed(session)
        rings = pipeline.hand_back(session, job, now)
        if job.state is JobState.QUEUED:
            deployment, rings = job.deployment, []
            deployment.stage, deployment.phase = hold.stage, Phase.SOAKING
            deployment.hold_until = now + timedelta(seconds=hold.seconds)
            job.wait(WaitFor.HOLD, f"watched until {deployment.hold_until:%H:%M:%S} UTC: {hold.words}", now)
    pipeline.ring(work.worker, rings)
    log.info("%s of %s is held for %g s", work.kind, work.label, hold.seconds)


def _forget_upload(work: Work, source: dict[str, Any]) -> None:
    """A build that has ended, well or not, needs its source no more."""
    if work.kind is JobKind.BUILD and "upload" in source:
        work.worker.files.forget(source["upload"])


def _fail(work: Work, error: LongshoreError) -> None:
    log.warning("%s of %s failed: %s", work.kind, work.label, error.code)
    clean = work.log.clean
    error.message, error.hint = clean(error.message), clean(error.hint) if error.hint else None
    with suppress(PartDownError):  # what cannot be flushed now is flushed with the ending
        work.log.write(f"{error.message}" + (f"\n{error.hint}" if error.hint else ""))
    found = _evidence(work, error)
    _write_down(work, lambda: _end_failed(work, error, found))


def _evidence(work: Work, error: LongshoreError) -> Evidence:
    """Taken while the replicas stand. A part that is down is waited for: nothing has failed yet."""
    if isinstance(error, PartDownError):
        return Evidence(partial=True)
    return evidence.gather(work.worker, work.deployment_id, work.log.redactor, work.probes)


def _end_failed(work: Work, error: LongshoreError, found: Evidence) -> None:
    work.log.flush()
    now = work.worker.clock.now()
    try:
        with work.worker.db.write() as session:
            job = work.claimed(session)
            if not pipeline.told_to_stop(job) and _worth_another_try(work, job, error):
                _again_later(work, job, error)
                return
            rings = pipeline.fail(session, job, error, now)
            source = job.deployment.source
    except StoppedError:
        return  # somebody else has the job now; how it ends is theirs to say
    digest.write(work.worker, work.deployment_id, found)  # before the clean-up is rung
    pipeline.ring(work.worker, rings)
    _forget_upload(work, source)


def _worth_another_try(work: Work, job: Job, error: LongshoreError) -> bool:
    """A passing fault, as long as there are attempts; a part that is down is waited for."""
    return error.retryable and (
        isinstance(error, PartDownError | NotNowError) or job.attempt < work.worker.settings.attempts
    )


def _again_later(work: Work, job: Job, error: LongshoreError) -> None:
    """Queued again. A part that is down costs no attempt, and neither does a command that said "not now"."""
    now = work.worker.clock.now()
    if isinstance(error, PartDownError):
        job.attempt -= 1
        pause = PART_DOWN_PAUSE
        job.wait(WaitFor.PART, f"waits for {error.part}: {error.message}", now)
    elif isinstance(error, NotNowError):
        job.attempt -= 1
        pause = NOT_NOW_PAUSE
        job.wait(WaitFor.RETRY, f"{error.message}; next try in {pause.total_seconds():.0f} s", now)
    else:
        pause = timedelta(seconds=work.worker.random.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2**job.attempt)))
        words = (
            f"attempt {job.attempt + 1} of {work.worker.settings.attempts}, "
            f"next in {pause.total_seconds():.0f} s, because: {error.message}"
        )
        job.wait(WaitFor.RETRY, words, now)
    job.due_at = now + pause
    job.move_to(JobState.QUEUED, now)


def _stop(work: Work) -> None:
    """Whatever it was doing gave up: because it took too long, or because it was told to stop."""
    broken = work.over_limit()
    if broken is not None:
        return _fail(work, broken)
    return _write_down(work, lambda: _give_up(work))


def _give_up(work: Work) -> None:
    """Told to stop. Still ours: cancelled with its deployment, or handed back by a worker that leaves."""
    work.log.flush()
    now = work.worker.clock.now()
    try:
        with work.worker.db.write() as session:
            job = work.claimed(session)
            rings = pipeline.hand_back(session, job, now)
    except StoppedError:
        return
    log.info("%s of %s was stopped", work.kind, work.label)
    pipeline.ring(work.worker, rings)
