"""The App row."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from longshore.domain.names import default_domain
from longshore.domain.specs import Config, Routing
from longshore.models.base import Base, Instant

if TYPE_CHECKING:
    from longshore.models.release import Release


class App(Base):
    """What is deployed. ``config`` and ``env`` are those of the live release, or what was declared before one.

    A name is taken until the last container of a deleted app is gone (``removed_at``).
    """

    __tablename__ = "apps"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(39))
    domains: Mapped[list[str]] = mapped_column(JSON, default=list)
    config: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    env: Mapped[bytes] = mapped_column(LargeBinary)
    weight: Mapped[float] = mapped_column(default=1.0)
    max_rps: Mapped[float | None]
    queue: Mapped[str] = mapped_column(String(8), default="newest")  # of waiting sources: the newest, or all
    lock_reason: Mapped[str | None] = mapped_column(Text)
    lock_mode: Mapped[str | None] = mapped_column(String(8))
    lock_owner: Mapped[str | None] = mapped_column(String(80))  # the token's name
    lock_since: Mapped[datetime | None] = mapped_column(Instant)
    lock_until: Mapped[datetime | None] = mapped_column(Instant)
    generation: Mapped[int] = mapped_column(default=0)
    deployments_made: Mapped[int] = mapped_column(default=0)
    releases_made: Mapped[int] = mapped_column(default=0)
    release_id: Mapped[int | None] = mapped_column(
        ForeignKey("releases.id", use_alter=True, name="fk_apps_release_id_releases")
    )
    live_slot: Mapped[str | None] = mapped_column(String(1))
    share: Mapped[int] = mapped_column(default=0)  # per mille of the requests that go to the other slot
    routing: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # limits and pages of its route
    maintenance: Mapped[str | None] = mapped_column(Text)  # what is answered instead of the app
    created_at: Mapped[datetime] = mapped_column(Instant)
    deleting_at: Mapped[datetime | None] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)
    version_id: Mapped[int] = mapped_column()

    release: Mapped["Release | None"] = relationship(foreign_keys=[release_id])

    __mapper_args__ = {"version_id_col": version_id}  # noqa: RUF012 - SQLAlchemy's own form
    __table_args__ = (
        Index(
            "ux_apps_name_taken",
            "name",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
        CheckConstraint("live_slot IS NULL OR live_slot IN ('a', 'b')", name="live_slot"),
        CheckConstraint("share BETWEEN 0 AND 1000", name="share"),
        CheckConstraint("weight > 0", name="weight"),
        CheckConstraint("queue IN ('newest', 'all')", name="queue"),
        CheckConstraint("lock_mode IS NULL OR lock_mode IN ('wait', 'refuse')", name="lock_mode"),
    )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names it answers on."""
        return tuple(self.domains) or (default_domain(self.name),)

    def locked(self, now: datetime) -> bool:
        """Whether somebody holds it back, and still means it."""
        return self.lock_mode is not None and (self.lock_until is None or self.lock_until > now)

    @property
    def declared(self) -> Config:
        """Its configuration, typed."""
        return Config.model_validate(self.config)

    @property
    def rules(self) -> Routing:
        """The limits of its route, typed."""
        return Routing.model_validate(self.routing)
