"""The Deployment row, and the only writer of its state."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, object_session, relationship

from longshore.domain.states import (
    DEPLOYMENT_ENDED,
    DEPLOYMENT_FACTS,
    DEPLOYMENT_MOVES,
    CancelEffect,
    DeploymentState,
    JobKind,
    Phase,
    Trigger,
)
from longshore.errors import Fault, LongshoreError
from longshore.models.app import App
from longshore.models.base import Base, Instant, StateText, check_facts, check_states, guard_move
from longshore.models.event import Event
from longshore.models.release import Release

if TYPE_CHECKING:
    from longshore.models.job import Job


class Deployment(Base):
    """One attempt to put a release into service, shown as ``hello#42``.

    ``config`` and ``env`` hold only what this deployment asks to change (a merge patch); they are joined with the
    app's when it starts. ``error_*`` is set when the first thing fails; the state follows when clean-up is done.
    """

    __tablename__ = "deployments"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id"))
    number: Mapped[int]
    state: Mapped[DeploymentState] = mapped_column(StateText(DeploymentState), default=DeploymentState.QUEUED)
    phase: Mapped[Phase | None] = mapped_column(StateText(Phase))
    trigger: Mapped[Trigger] = mapped_column(StateText(Trigger))
    actor: Mapped[str] = mapped_column(String(120))
    source: Mapped[dict[str, Any]] = mapped_column(JSON)  # as it may be shown
    sealed_source: Mapped[bytes | None] = mapped_column(LargeBinary)  # a git URL with a login in it
    config: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    env: Mapped[bytes | None] = mapped_column(LargeBinary)
    generation: Mapped[int | None]
    release_id: Mapped[int | None] = mapped_column(ForeignKey("releases.id"))
    route_slot: Mapped[str | None] = mapped_column(String(1))
    slot_before: Mapped[str | None] = mapped_column(String(1))
    stage: Mapped[int] = mapped_column(default=0)  # how many stages of its rollout are done
    hold_until: Mapped[datetime | None] = mapped_column(Instant)  # the last of them is watched until then
    watched: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what was counted, before and since
    reverted_to: Mapped[int | None]  # the number of the release that got the traffic back
    digest: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # of a failure: all that is known of it
    superseded_by: Mapped[int | None]
    forced: Mapped[bool] = mapped_column(default=False)  # a rollback that no lock holds back
    cancel_effect: Mapped[CancelEffect | None] = mapped_column(StateText(CancelEffect))
    cancel_asked_at: Mapped[datetime | None] = mapped_column(Instant)
    cancel_asked_by: Mapped[str | None] = mapped_column(String(120))
    cancel_acknowledged_at: Mapped[datetime | None] = mapped_column(Instant)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_fault: Mapped[str | None] = mapped_column(String(16))
    error_hint: Mapped[str | None] = mapped_column(Text)
    log_sequence: Mapped[int] = mapped_column(default=0)
    log_bytes: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    switched_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    version_id: Mapped[int] = mapped_column()

    app: Mapped[App] = relationship(foreign_keys=[app_id])
    release: Mapped[Release | None] = relationship(foreign_keys=[release_id])
    jobs: Mapped[list["Job"]] = relationship(back_populates="deployment", order_by="Job.id")

    __mapper_args__ = {"version_id_col": version_id}  # noqa: RUF012 - SQLAlchemy's own form
    __table_args__ = (
        UniqueConstraint("app_id", "number"),
        Index(
            "ux_deployments_one_running",
            "app_id",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
        Index("ix_deployments_state", "state"),
        check_states("state", DeploymentState),
        *check_facts("state", DEPLOYMENT_FACTS),
    )

    @property
    def label(self) -> str:
        """How people know it: ``hello#42``."""
        return f"{self.app.name}#{self.number}"

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state in DEPLOYMENT_ENDED

    @property
    def failing(self) -> bool:
        """Whether something failed already, so that nothing but clean-up may follow."""
        return self.error_code is not None

    @property
    def halted(self) -> bool:
        """Whether nothing but clean-up may follow: something failed, or it is being cancelled."""
        return self.failing or self.cancel_effect is CancelEffect.STOPS

    @property
    def switching(self) -> bool:
        """Whether it is switching traffic: from here on it finishes, or gives it back. Not while it is held."""
        return self.switched_at is not None and self.hold_until is None and not self.ended

    @property
    def by_a_person(self) -> bool:
        """Whether somebody asked for it, rather than a rule."""
        return self.trigger is not Trigger.AUTO

    @property
    def has_source(self) -> bool:
        """Whether it brings code or an image of its own: only such a one supersedes, and is superseded."""
        return "release" not in self.source and "current" not in self.source

    def job(self, kind: JobKind) -> "Job":
        """Its job of this kind."""
        return next(job for job in self.jobs if job.kind is kind)

    def ask_cancel(self, effect: CancelEffect, actor: str, at: datetime) -> None:
        """Remember who asked first, and what that comes to."""
        if self.cancel_asked_at is not None:
            return
        self.cancel_effect, self.cancel_asked_at, self.cancel_asked_by = effect, at, actor
        if effect is not CancelEffect.STOPS:
            self.cancel_acknowledged_at = at
        self.tell("deployment.cancel_asked", at, actor=actor, effect=effect.value)

    def fail_with(self, error: LongshoreError) -> None:
        """Remember why it will fail; the first reason stays."""
        if self.failing:
            return
        self.error_code, self.error_message = error.code, error.message
        self.error_fault, self.error_hint = error.fault.value, error.hint

    def move_to(self, target: DeploymentState, at: datetime) -> None:
        """The only writer of ``state``: checks the move and its facts, stamps the time, appends the event."""
        guard_move(self.label, self, target, DEPLOYMENT_MOVES, DEPLOYMENT_FACTS)
        self.state = target
        if target is DeploymentState.RUNNING:
            self.started_at = at
        if target in DEPLOYMENT_ENDED:
            self.ended_at, self.phase = at, None
        self.tell(f"deployment.{target}", at, **self._facts())

    def tell(self, kind: str, at: datetime, /, **facts: Any) -> None:
        """Append an event of this deployment."""
        session = object_session(self)
        if session is None:
            raise RuntimeError(f"{self.label} is not in a session, so its event would be lost")
        session.add(Event(app_id=self.app_id, deployment_id=self.id, kind=kind, facts=facts, at=at))

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"number": self.number}
        if self.state is DeploymentState.FAILED:
            facts |= {"code": self.error_code, "fault": self.error_fault or Fault.PLATFORM.value}
        if self.state is DeploymentState.SUPERSEDED:
            facts["superseded_by"] = self.superseded_by
        return facts
