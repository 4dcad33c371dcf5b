"""The Replica row, and the only writer of its state."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from longshore.domain.states import REPLICA_MOVES, ReplicaState
from longshore.models.app import App
from longshore.models.base import Base, Instant, StateText, check_states, guard_move
from longshore.models.deployment import Deployment
from longshore.models.release import Release


class Replica(Base):
    """One running container of a release and process. Written before its container is created.

    The name and the address are ours alone while it is not removed; the database holds that.
    """

    __tablename__ = "replicas"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id"))
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), index=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"))
    generation: Mapped[int]
    process: Mapped[str] = mapped_column(String(20))
    slot: Mapped[int]
    route_slot: Mapped[str] = mapped_column(String(1))
    name: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(45))
    port: Mapped[int]
    container_id: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[ReplicaState] = mapped_column(StateText(ReplicaState), default=ReplicaState.STARTING)
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    version_id: Mapped[int] = mapped_column()

    app: Mapped[App] = relationship(foreign_keys=[app_id])
    deployment: Mapped[Deployment] = relationship(foreign_keys=[deployment_id])
    release: Mapped[Release] = relationship(foreign_keys=[release_id])

    __mapper_args__ = {"version_id_col": version_id}  # noqa: RUF012 - SQLAlchemy's own form
    __table_args__ = (
        Index("ix_replicas_app_id_state", "app_id", "state"),
        *(
            Index(
                f"ux_replicas_{column}_taken",
                column,
                unique=True,
                sqlite_where=text("state <> 'removed'"),
                postgresql_where=text("state <> 'removed'"),
            )
            for column in ("name", "address")
        ),
        check_states("state", ReplicaState),
        CheckConstraint("route_slot IN ('a', 'b')", name="route_slot"),
    )

    def move_to(self, target: ReplicaState, at: datetime) -> None:
        """The only writer of ``state``: checks the move, stamps the time, appends the event."""
        guard_move(self.name, self, target, REPLICA_MOVES)
        self.state = target
        if target is ReplicaState.REMOVED:
            self.ended_at = at
        self.deployment.tell(f"replica.{target}", at, name=self.name)
