"""SQLAlchemy engines for SQLite and PostgreSQL, with the settings under which no update is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from longshore.errors import InvalidRequestError, PartDownError

BUSY_MS = 15_000


class SqlDatabase:
    """One engine per process. ``read`` and ``write`` are one transaction each."""

    def __init__(self, url: str) -> None:
        self.engine = _sqlite(url) if make_url(url).get_backend_name() == "sqlite" else _postgres(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads (deferred on SQLite: it waits for no writer)."""
        with translated(), self._sessions() as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes. ``BEGIN IMMEDIATE`` on SQLite: without it updates are lost in silence."""
        with translated(), self._sessions() as session, session.begin():
            session.connection(execution_options={"longshore_write": True})
            yield session

    def ping(self) -> None:
        """Raise ``PartDownError`` unless the database answers."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except DataError as error:  # PostgreSQL keeps no NUL in text
        raise InvalidRequestError("a value cannot be kept: does it hold a NUL?", code="bad_value") from error
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise PartDownError(
            "database",
            f"the database did not answer: {_first_line(error)}",
            hint="Look at LONGSHORE_DATABASE_URL and at the database server.",
        ) from error


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]


def _sqlite(url: str) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    options = {"timeout": BUSY_MS / 1000, "check_same_thread": False}
    engine = create_engine(url, connect_args=options, pool_size=20, max_overflow=60, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite's own BEGIN would come too late
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("longshore_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres(url: str) -> Engine:
    target = make_url(url)
    if target.drivername in ("postgresql", "postgres"):
        target = target.set(drivername="postgresql+psycopg")
    return create_engine(
        target,
        pool_pre_ping=True,
        hide_parameters=True,  # values of rows have no business in a traceback
        pool_size=10,
        max_overflow=30,
        connect_args={"connect_timeout": 3, "options": "-c statement_timeout=15000 -c lock_timeout=15000"},
    )
