"""A worker is killed at every point of a deployment, over SQLite: another one brings it to the right end."""

import pytest
from catalogue import Named
from choice import at, every_other
from trial import Note, Trial, note

pytestmark = pytest.mark.timeout(120)
RESUMED_WITHIN = 20.0


@at(every_other(0))
def test_a_killed_worker_costs_seconds_and_nothing_else(on_sqlite: Trial, named: Named, record_property: Note) -> None:
    with on_sqlite.new_version(named, "kill") as told:
        pass
    note(record_property, "worker killed", named, "sqlite", told)
    assert (told["resumed"] or 0) < RESUMED_WITHIN
