"""A worker that stood still past its lease, and then goes on, does nothing more."""

import os
import signal
import time

import pytest
from catalogue import Named
from choice import at, changes_the_world, some
from trial import Note, Trial, note

pytestmark = pytest.mark.timeout(120)
LEASES = 3


@at(some(1))
def test_one_that_wakes_up_changes_nothing(on_sqlite: Trial, named: Named, record_property: Note) -> None:
    _stand_still(on_sqlite, named, record_property, "sqlite")


@at(some(1, shift=1))
def test_nor_does_one_over_postgresql(on_postgres: Trial, named: Named, record_property: Note) -> None:
    _stand_still(on_postgres, named, record_property, "postgresql")


def _stand_still(trial: Trial, named: Named, record: Note, database: str) -> None:
    rig = trial.rig
    with trial.new_version(named, "stop") as told:
        done = _others_finish(trial)
        before = len(rig.reached())
        os.kill(told["pid"], signal.SIGCONT)
    if done:
        woken = [one["name"] for one in rig.reached()[before:] if one["pid"] == told["pid"]]
        # A call that was past its fence, and one of the same kind beside it, are on their way already.
        assert [name for name in woken if changes_the_world(name) and name != named.name] == []
    note(record, "worker stood still" + ("" if done else ", all waited"), named, database, told)


def _others_finish(trial: Trial) -> bool:
    """Whether the rest of us bring it to its end; not while it holds a lock that nobody else may break."""
    end = time.monotonic() + LEASES * trial.rig.settings.lease
    while time.monotonic() < end:
        if trial.all_ended():
            return True
        time.sleep(0.05)
    return False
