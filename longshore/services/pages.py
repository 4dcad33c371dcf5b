"""Lists in pages: ``?limit=&cursor=`` → items and the next cursor."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from longshore.errors import InvalidRequestError

Row = TypeVar("Row")
View = TypeVar("View", bound=BaseModel)

LARGEST = 200
LONGEST_CURSOR = 18  # digits: what a column of 64 bits holds


class Page(BaseModel):
    """Some items of a list, and where to go on; ``next_cursor`` is null at the end."""

    items: list[Any]
    next_cursor: str | None = None


def page(
    session: Session,
    query: Select[Row],
    key: InstrumentedAttribute[Any],
    view: Callable[[Row], BaseModel],
    *,
    limit: int,
    cursor: str | None,
    newest_first: bool = True,
) -> Page:
    """One page of ``query``, ordered by ``key``, which must be unique in it."""
    rows = _rows(session, query, key, min(limit, LARGEST), cursor, newest_first)
    shown = rows[: min(limit, LARGEST)]
    more = len(rows) > len(shown)
    return Page(
        items=[view(row) for row in shown],
        next_cursor=str(getattr(shown[-1], key.key)) if more else None,
    )


def _rows(
    session: Session,
    query: Select[Row],
    key: InstrumentedAttribute[Any],
    limit: int,
    cursor: str | None,
    newest_first: bool,
) -> Sequence[Row]:
    if cursor is not None:
        query = query.where(_beyond(key, cursor, newest_first))
    ordered = query.order_by(key.desc() if newest_first else key.asc()).limit(limit + 1)
    rows: Sequence[Row] = session.execute(ordered).scalars().all()
    return rows


def _beyond(key: InstrumentedAttribute[Any], cursor: str, newest_first: bool) -> ColumnElement[bool]:
    value: Any = cursor
    if key.type.python_type is int:
        if not cursor.isdecimal() or len(cursor) > LONGEST_CURSOR:
            raise InvalidRequestError(f"cursor {cursor[:40]!r} is not one we gave", code="bad_cursor")
        value = int(cursor)
    beyond: ColumnElement[bool] = key < value if newest_first else key > value
    return beyond
