"""Redis, the database server, or everything at once goes away while a job stands at a point, and comes back."""

import pytest
from catalogue import Named
from choice import at, some
from harness import until
from trial import Note, Trial, note

pytestmark = pytest.mark.timeout(120)


@at(some(2))
def test_redis_is_killed_and_comes_back_empty(on_sqlite: Trial, named: Named, record_property: Note) -> None:
    rig = on_sqlite.rig
    with on_sqlite.new_version(named, "hold") as told:
        rig.processes["redis"].kill()
        rig.go()
    note(record_property, "redis killed", named, "sqlite", told)


@at(some(1, shift=1))
def test_everything_is_killed_at_once(on_sqlite: Trial, named: Named, record_property: Note) -> None:
    rig = on_sqlite.rig
    with on_sqlite.new_version(named, "hold") as told:
        for process in rig.processes.values():
            process.kill()
        until(rig.ready, 60, "everything is up again")
    note(record_property, "everything killed", named, "sqlite", told)


@at(some(2, shift=1))
def test_the_database_server_crashes_and_is_started_again(
    on_postgres: Trial, named: Named, record_property: Note
) -> None:
    rig = on_postgres.rig
    assert rig.cluster is not None
    with on_postgres.new_version(named, "hold") as told:
        rig.cluster.stop()
        rig.go()
        rig.cluster.start()
        until(rig.ready, 60, "everything is ready again")
    note(record_property, "postgresql crashed", named, "postgresql", told)
