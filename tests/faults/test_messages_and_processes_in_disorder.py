"""Every message comes three times and the newest first; two beats and three workers run at once."""

from collections.abc import Callable

import pytest
from catalogue import Named
from choice import at, some
from rig import Rig
from trial import Note, Trial, note

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def disordered(make_rig: Callable[..., Rig]) -> Trial:
    """Messages come three times, in reverse."""
    return Trial(make_rig(disorder=True))


@pytest.fixture(scope="module")
def crowded(make_rig: Callable[..., Rig]) -> Trial:
    """Two beats, three workers."""
    return Trial(make_rig(postgres=True, beats=2, workers=3))


@at(some(2))
def test_messages_come_three_times_and_backwards(disordered: Trial, named: Named, record_property: Note) -> None:
    with disordered.new_version(named, "kill") as told:
        pass
    note(record_property, "messages in disorder, killed", named, "sqlite", told)


@at(some(2, shift=1))
def test_two_beats_and_three_workers(crowded: Trial, named: Named, record_property: Note) -> None:
    with crowded.new_version(named, "kill") as told:
        pass
    note(record_property, "two beats, three workers, killed", named, "postgresql", told)
