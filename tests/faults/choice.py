"""Which points a fault meets: all of them for ``make faults``, some of each job in an ordinary run."""

import os

import pytest
from catalogue import Named, catalogue

from longshore.domain.states import JobKind

ALL = os.environ.get("LONGSHORE_FAULTS") == "all"
POINTS = catalogue()
JOBS = [kind for kind in JobKind if any(named.job == kind for named in POINTS)]


def every_other(first: int) -> list[Named]:
    """Half of the points: two modules share them."""
    return POINTS if ALL else POINTS[first::2]


def some(count: int, shift: int = 0) -> list[Named]:
    """So many of each job, spread over it."""
    return POINTS if ALL else [named for job in JOBS for named in _spread(_of(job), count, shift)]


def _of(job: JobKind) -> list[Named]:
    return [named for named in POINTS if named.job == job]


def _spread(points: list[Named], count: int, shift: int) -> list[Named]:
    step = max(1, len(points) // count)
    return [points[(number * step + shift) % len(points)] for number in range(count)]


def at(points: list[Named]) -> pytest.MarkDecorator:
    """The parametrization over points."""
    return pytest.mark.parametrize("named", points, ids=str)


FENCED = (
    "engine.start",
    "engine.run_once",
    "engine.stop",
    "engine.remove",
    "engine.keep_running",
    "engine.push",
    "builder.build",
)


def changes_the_world(name: str) -> bool:
    """Whether something begins at this point that only who holds the job may do."""
    return ": before " in name and any(f" {call} of" in name for call in FENCED)
