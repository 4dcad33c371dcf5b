"""The Volume row, and the only writer of its state."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, object_session, relationship

from longshore.domain.states import VOLUME_MOVES, VolumeState
from longshore.models.app import App
from longshore.models.base import Base, Instant, StateText, check_states, guard_move
from longshore.models.event import Event


class Volume(Base):
    """A folder of an app that outlives its releases, and the app itself. Written before the engine makes it.

    The engine's name is ours alone while it is not removed; a later app of the same name has it again.
    """

    __tablename__ = "volumes"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id"), index=True)  # the one that had it last
    name: Mapped[str] = mapped_column(String(30))
    engine_name: Mapped[str] = mapped_column(String(120))
    state: Mapped[VolumeState] = mapped_column(StateText(VolumeState), default=VolumeState.PRESENT)
    created_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)
    version_id: Mapped[int] = mapped_column()

    app: Mapped[App] = relationship(foreign_keys=[app_id])

    __mapper_args__ = {"version_id_col": version_id}  # noqa: RUF012 - SQLAlchemy's own form
    __table_args__ = (
        Index(
            "ux_volumes_engine_name_taken",
            "engine_name",
            unique=True,
            sqlite_where=text("state <> 'removed'"),
            postgresql_where=text("state <> 'removed'"),
        ),
        check_states("state", VolumeState),
    )

    def move_to(self, target: VolumeState, at: datetime, **facts: str) -> None:
        """The only writer of ``state``: checks the move, stamps the time, appends the event."""
        guard_move(f"the volume {self.engine_name}", self, target, VOLUME_MOVES)
        self.state = target
        if target is VolumeState.REMOVED:
            self.removed_at = at
        session = object_session(self)
        if session is None:
            raise RuntimeError(f"{self.engine_name} is not in a session, so its event would be lost")
        told = {"name": self.name, **facts}
        session.add(Event(app_id=self.app_id, kind=f"volume.{target}", facts=told, at=at))
