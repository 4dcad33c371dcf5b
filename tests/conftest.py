"""A stack without Docker or Redis for each test: the real database, emptied, with fakes for everything outside."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakestack import Stack, make_services, make_settings, make_worker_services

from longshore.adapters.db import SqlDatabase
from longshore.adapters.schema import migrate
from longshore.models import Base
from longshore.services import sweeps


@pytest.fixture(scope="session")
def one_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlDatabase]:
    """One real database for all tests of this run: its engine remembers compiled statements, which is most of the
    time of a test."""
    database = SqlDatabase(f"sqlite:///{tmp_path_factory.mktemp('rows') / 'longshore.db'}")
    migrate(database)
    yield database
    database.close()


def emptied(database: SqlDatabase) -> SqlDatabase:
    """The same database with nothing in it."""
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        raw.rollback()
        raw.execute("PRAGMA foreign_keys=OFF")  # rows go in any order
        for table in Base.metadata.tables:
            raw.execute(f"DELETE FROM {table}")
        raw.execute("PRAGMA foreign_keys=ON")
    return database


@pytest.fixture
def database(one_database: SqlDatabase) -> SqlDatabase:
    """That database with nothing in it."""
    return emptied(one_database)


def stack_over(home: Path, database: SqlDatabase, **changes: Any) -> Stack:
    """A stack with settings of its own."""
    home.mkdir(parents=True, exist_ok=True)
    services = make_services(make_settings(home, **changes), database)
    stack = Stack(services, make_worker_services(services))
    sweeps.arrive(stack.worker)
    services.clock.ticks.append(stack.worker.lease.renewed)  # its heartbeat, which is a thread in a real worker
    return stack


@pytest.fixture
def make_stack(tmp_path: Path, database: SqlDatabase) -> Callable[..., Stack]:
    """The stack of a test."""
    return lambda **changes: stack_over(tmp_path / "home", database, **changes)


@pytest.fixture
def another_stack(tmp_path: Path, one_database: SqlDatabase) -> Callable[[], Stack]:
    """A new stack at every call, with nothing of the one before: for tests that begin again and again."""
    return lambda: stack_over(tmp_path / "home", emptied(one_database))


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """One with the settings everybody has."""
    return make_stack()
