"""Proving all replicas side by side: every one of them, or none."""

from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event

from longshore.errors import AppError
from longshore.services.limits import SIDE_BY_SIDE
from longshore.services.proving.candidate import Candidate
from longshore.services.proving.output import keep_output
from longshore.services.proving.progress import Progress
from longshore.services.proving.proof import Proof
from longshore.services.proving.running import still_running
from longshore.services.work import Work


class CalledOff(Exception):  # noqa: N818 - the reason is another replica's
    """Another replica has failed already."""


def prove_all(work: Work, candidates: list[Candidate], *, keep: bool = True) -> dict[int, int]:
    """The port of each, 0 for one that listens on none. The first failure is the answer, with the last lines of
    every replica in the log. ``keep``: from now on the engine starts them again when they end."""
    over, progress = Event(), Progress(work.worker.clock)
    with _side_by_side(candidates) as pool, _output_kept(work, candidates):
        outcomes = [pool.submit(prove, work, candidate, over, progress) for candidate in candidates]
        _all_or_nothing(outcomes, over)
        if keep:
            _all_or_nothing([pool.submit(_keep, work, candidate, over, progress) for candidate in candidates], over)
    return {candidate.replica_id: outcome.result() for candidate, outcome in zip(candidates, outcomes, strict=True)}


def _side_by_side(candidates: list[Candidate]) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, min(len(candidates), SIDE_BY_SIDE)), thread_name_prefix="prove")


@contextmanager
def _output_kept(work: Work, candidates: list[Candidate]) -> Iterator[None]:
    try:
        yield
    except AppError:
        keep_output(work, candidates)
        raise


def _all_or_nothing(outcomes: list[Future[int]], over: Event) -> None:
    if any(one.exception() for one in wait(outcomes, return_when=FIRST_EXCEPTION).done):
        over.set()  # one is enough: the others need not be waited for
    problem = next(filter(_told, [outcome.exception() for outcome in outcomes]), None)
    if problem is not None:
        raise problem


def _keep(work: Work, candidate: Candidate, over: Event, progress: Progress) -> int:
    """From now on it outlives the engine. One that ended with it between its proof and this is proven again."""
    work.check()
    work.worker.engine.keep_running(candidate.name)
    return candidate.port if still_running(work, candidate) else prove(work, candidate, over, progress)


def _told(problem: BaseException | None) -> bool:
    """A real reason, not that the others were called off."""
    return problem is not None and not isinstance(problem, CalledOff)


def prove(work: Work, candidate: Candidate, over: Event, progress: Progress | None = None) -> int:
    """The port it is healthy on; ``AppError`` when it dies first or is not healthy in time.

    ``over``: another replica has failed, so this one does not matter any more.
    """
    progress = progress or Progress(work.worker.clock)
    proof = Proof(work, candidate, progress)
    while not proof.healthy():
        if over.is_set():
            raise CalledOff
        if work.stopped():
            work.check()
        proof.watch()
        work.worker.clock.sleep(proof.pause())
    progress.made()
    return proof.port
