"""What all rows share: the metadata with its constraint names, UTC instants, guards of state, the database port."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, String, TypeDecorator, func, select
from sqlalchemy.orm import DeclarativeBase, Session

from longshore.errors import PlatformError

State = TypeVar("State", bound=StrEnum)


class Base(DeclarativeBase):
    """Base of all rows. Constraints get names by rule, so that migrations can name them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Instant(TypeDecorator[datetime]):
    """An instant in UTC. SQLite forgets time zones, so it is stored without one and given back with one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC without its zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Give it back with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


class StateText(TypeDecorator[Any]):
    """A StrEnum, stored as its text and given back as the enum."""

    impl = String(16)
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        """Refuse text that is not of the enum."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> StrEnum | None:
        """Text to enum."""
        return None if value is None else self.kind(value)


def check_states(column: str, states: Iterable[StrEnum]) -> CheckConstraint:
    """The database's own guard that a column holds one of these."""
    listed = ", ".join(f"'{state.value}'" for state in states)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def check_facts(column: str, facts: Mapping[State, tuple[str, ...]]) -> list[CheckConstraint]:
    """The database's own guard that a row in a state says what that state needs."""
    return [
        CheckConstraint(
            f"{column} <> '{state.value}' OR ({' AND '.join(f'{name} IS NOT NULL' for name in needed)})",
            name=f"{state.value}_facts",
        )
        for state, needed in facts.items()
    ]


def guard_move(
    what: str,
    row: object,
    target: State,
    moves: Mapping[State, frozenset[State]],
    facts: Mapping[State, tuple[str, ...]] | None = None,
) -> None:
    """Refuse a move that is not in the table, or that lacks the facts its target needs."""
    current: State = getattr(row, "state")  # noqa: B009 - rows of several kinds
    if target not in moves[current]:
        raise PlatformError(f"{what} is {current} and cannot become {target}", code="illegal_move")
    missing = [name for name in (facts or {}).get(target, ()) if getattr(row, name) is None]
    if missing:
        raise PlatformError(f"{what} cannot become {target} without {', '.join(missing)}", code="illegal_move")


def one_at_a_time(session: Session, key: int) -> None:
    """Until the end of the transaction nobody else gets past the same key. SQLite has one writer at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(key)))


class Database(Protocol):
    """Where rows are kept. One transaction per ``with``: committed at its end, rolled back on an exception."""

    def read(self) -> AbstractContextManager[Session]:
        """A transaction that only reads."""
        ...

    def write(self) -> AbstractContextManager[Session]:
        """A transaction that may write; on SQLite it takes the write lock at its start."""
        ...

    def ping(self) -> None:
        """Raise ``PartDownError`` unless the database answers."""
        ...
