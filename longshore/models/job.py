"""The Job row and the only writer of its state, and the steps of a Dockerfile as rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from longshore.domain.states import JOB_ENDED, JOB_FACTS, JOB_MOVES, JobKind, JobState, WaitFor
from longshore.errors import LongshoreError
from longshore.models.base import Base, Instant, StateText, check_facts, check_states, guard_move
from longshore.models.deployment import Deployment


class Job(Base):
    """One step of a deployment: a row, and one Celery task.

    ``fence`` grows with every claim; a writer whose fence is not the row's has lost the job. ``waiting`` says, in
    words for people, why a queued job was not started when it was looked at last. ``build_place`` is one of the
    host's places for builds: unique, so the database itself holds the limit.
    """

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    kind: Mapped[JobKind] = mapped_column(StateText(JobKind))
    state: Mapped[JobState] = mapped_column(StateText(JobState), default=JobState.QUEUED)
    needs: Mapped[list[str]] = mapped_column(JSON, default=list)
    attempt: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None] = mapped_column(String(40))
    build_place: Mapped[str | None] = mapped_column(String(120))
    waiting: Mapped[str | None] = mapped_column(Text)
    waiting_for: Mapped[WaitFor | None] = mapped_column(StateText(WaitFor))
    waiting_since: Mapped[datetime | None] = mapped_column(Instant)
    rung_at: Mapped[datetime | None] = mapped_column(Instant)
    due_at: Mapped[datetime | None] = mapped_column(Instant)  # not to be tried again before
    losses: Mapped[int] = mapped_column(default=0)  # claims whose worker went away
    crashes: Mapped[int] = mapped_column(default=0)  # those it is suspected to have caused
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_fault: Mapped[str | None] = mapped_column(String(16))
    error_hint: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    version_id: Mapped[int] = mapped_column()

    deployment: Mapped[Deployment] = relationship(back_populates="jobs")
    steps: Mapped[list["BuildStep"]] = relationship(order_by="BuildStep.position")

    __mapper_args__ = {"version_id_col": version_id}  # noqa: RUF012 - SQLAlchemy's own form
    __table_args__ = (
        UniqueConstraint("deployment_id", "kind"),
        Index("ix_jobs_state", "state"),
        Index(
            "ux_jobs_build_place",
            "build_place",
            unique=True,
            sqlite_where=text("build_place IS NOT NULL"),
            postgresql_where=text("build_place IS NOT NULL"),
        ),
        check_states("state", JobState),
        *check_facts("state", JOB_FACTS),
    )

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state in JOB_ENDED

    def fail_with(self, error: LongshoreError) -> None:
        """Remember why it failed, or why it was stopped."""
        self.error_code, self.error_message = error.code, error.message
        self.error_fault, self.error_hint = error.fault.value, error.hint

    def wait(self, reason: WaitFor, words: str, at: datetime) -> None:
        """Say why it does not run. The same reason again goes on since it began."""
        if self.waiting_for is not reason:
            self.waiting_since = at
        self.waiting_for, self.waiting = reason, words

    def _wait_over(self) -> None:
        self.waiting_for = self.waiting = self.waiting_since = None

    def move_to(self, target: JobState, at: datetime) -> None:
        """The only writer of ``state``: checks the move and its facts, stamps the time, appends the event."""
        guard_move(f"{self.kind} of {self.deployment.label}", self, target, JOB_MOVES, JOB_FACTS)
        self.state = target
        if target is JobState.RUNNING:
            self.started_at = at
            self._wait_over()
        else:
            self.owner = self.build_place = None
        if target in JOB_ENDED:
            self.ended_at = at
            self._wait_over()
        self.deployment.tell(f"job.{target}", at, kind=self.kind.value, attempt=self.attempt)


class BuildStep(Base):
    """One instruction of a Dockerfile: how long it took, and whether it came from the cache."""

    __tablename__ = "build_steps"
    __table_args__ = (UniqueConstraint("job_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    key: Mapped[str] = mapped_column(String(100))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    cached: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(Text)

    @property
    def seconds(self) -> float | None:
        """How long it took, once it is over."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()
