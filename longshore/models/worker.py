"""Rows about the processes and parts themselves: worker beats, and what was last seen of each part."""

from datetime import datetime

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from longshore.models.base import Base, Instant


class Worker(Base):
    """A worker process. ``beats`` only counts; whoever watches decides, by his own monotonic clock, that it stopped.

    So a moved wall clock neither kills a lease nor keeps one alive. ``seen_at`` is for people.
    """

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    host: Mapped[str] = mapped_column(String(120))
    queues: Mapped[list[str]] = mapped_column(JSON, default=list)
    beats: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)


class PartStatus(Base):
    """What the worker last saw of a part. ``problem`` is null when it is fine."""

    __tablename__ = "parts"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    problem: Mapped[str | None] = mapped_column(Text)
    hint: Mapped[str | None] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
