"""The Run row: a one-off command that somebody asked for, and the only writer of its state; and its output."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from longshore.domain.states import RUN_ENDED, RUN_FACTS, RUN_MOVES, RunState
from longshore.errors import LongshoreError
from longshore.models.app import App
from longshore.models.base import Base, Instant, StateText, check_facts, check_states, guard_move
from longshore.models.event import Event

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from longshore.models.release import Release


class Run(Base):
    """A command in a container of its own, in the image and with the environment of the release that was live when it
    began. It is never begun twice: when its worker goes away it has failed."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id"))
    number: Mapped[int]
    state: Mapped[RunState] = mapped_column(StateText(RunState), default=RunState.QUEUED)
    command: Mapped[list[str]] = mapped_column(JSON)
    process: Mapped[str] = mapped_column(String(20))  # whose limits it has
    deadline: Mapped[int]  # seconds
    actor: Mapped[str] = mapped_column(String(120))
    release_id: Mapped[int | None] = mapped_column(ForeignKey("releases.id"))
    owner: Mapped[str | None] = mapped_column(String(40))
    cancel_asked_at: Mapped[datetime | None] = mapped_column(Instant)
    exit_code: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_fault: Mapped[str | None] = mapped_column(String(16))
    error_hint: Mapped[str | None] = mapped_column(Text)
    log_sequence: Mapped[int] = mapped_column(default=0)
    log_bytes: Mapped[int] = mapped_column(default=0)
    rung_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    version_id: Mapped[int] = mapped_column()

    app: Mapped[App] = relationship(foreign_keys=[app_id])
    release: Mapped["Release | None"] = relationship(foreign_keys=[release_id])

    __mapper_args__ = {"version_id_col": version_id}  # noqa: RUF012 - SQLAlchemy's own form
    __table_args__ = (
        UniqueConstraint("app_id", "number"),
        Index("ix_runs_state", "state"),
        check_states("state", RunState),
        *check_facts("state", RUN_FACTS),
    )

    @property
    def label(self) -> str:
        """How people know it: ``run 3 of hello``."""
        return f"run {self.number} of {self.app.name}"

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state in RUN_ENDED

    def fail_with(self, error: LongshoreError) -> None:
        """Remember why it failed."""
        self.error_code, self.error_message = error.code, error.message
        self.error_fault, self.error_hint = error.fault.value, error.hint

    def move_to(self, session: "Session", target: RunState, at: datetime) -> None:
        """The only writer of ``state``: checks the move and its facts, stamps the time, appends the event."""
        guard_move(self.label, self, target, RUN_MOVES, RUN_FACTS)
        self.state = target
        if target is RunState.RUNNING:
            self.started_at = at
        if target in RUN_ENDED:
            self.ended_at, self.owner = at, None
        facts = {"number": self.number, "exit_code": self.exit_code}
        session.add(Event(app_id=self.app_id, kind=f"run.{target}", facts=facts, at=at))


class RunChunk(Base):
    """Lines that a run printed, redacted. ``sequence`` counts within the run and is the cursor of every reader."""

    __tablename__ = "run_chunks"
    __table_args__ = (UniqueConstraint("run_id", "sequence"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    sequence: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant)
