"""What a replica wrote, kept before its container goes."""

from collections.abc import Iterable

from longshore.services.proving.candidate import Candidate
from longshore.services.work import Work

LAST_LINES = 50


def keep_output(work: Work, candidates: Iterable[Candidate]) -> None:
    """The last lines of each replica go into the deployment's log: the container will be gone soon."""
    for candidate in candidates:
        lines = work.worker.engine.output(candidate.name, LAST_LINES)
        work.log.write(f"the last lines of {candidate.name}:" if lines else f"{candidate.name} wrote nothing")
        for line in lines:
            work.log.write(f"    {line}")
