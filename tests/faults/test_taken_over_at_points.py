"""A job is taken over at every point, over fakes: whoever lost it changes nothing more, and the end is right."""

from collections.abc import Callable

import pytest
from catalogue import SOURCES, Named, first_version
from choice import POINTS, changes_the_world
from fakestack import Stack
from sqlalchemy import select

from longshore.domain.states import ReplicaState
from longshore.models import Replica
from longshore.services import sweeps
from longshore.testing.points import Points

# Inside a transaction nobody else can take anything over; the fence is in it.
POSSIBLE = [named for named in POINTS if ": before commit" not in named.name]


class TakenOver:
    """At a point another worker takes the job; then what the first one still begins is noted."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.heir, self.begun = stack.another_worker(), []
        self._loser, self._name, self.happened = stack.worker, name, False

    def __call__(self, name: str) -> None:
        """A point is reached by the first worker."""
        if self.happened:
            self.begun.append(name)
        elif name == self._name:
            self.happened = True
            sweeps.take_over_from(self.heir, [self._loser.lease.worker_id])


@pytest.mark.parametrize("named", POSSIBLE, ids=str)
def test_whoever_lost_a_job_changes_nothing_more(make_stack: Callable[..., Stack], named: Named) -> None:
    stack = make_stack()
    first_version(stack, named.source)
    taken_over = TakenOver(stack, named.name)
    watched = Points(taken_over).instrument(stack.worker)
    number = stack.deploy(source=SOURCES[named.source](stack)).number
    while not taken_over.happened:
        stack.do_next(watched)
    assert [name for name in taken_over.begun if changes_the_world(name)] == []
    stack.drive(taken_over.heir)
    assert stack.show(number).state == "succeeded"
    with stack.services.db.read() as session:
        standing = session.scalars(select(Replica).where(Replica.state != ReplicaState.REMOVED)).all()
    assert [(row.name, row.generation) for row in standing] == [(name, number) for name in stack.engine.standing]
