"""The Release row."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from longshore.domain.specs import Config
from longshore.models.app import App
from longshore.models.base import Base, Instant


class Release(Base):
    """Immutable: app + version number + image + configuration snapshot. Written later are only ``digest``, once, the
    mark that nobody may go back to it, and where its image is."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("app_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id"))
    number: Mapped[int]
    image: Mapped[str] = mapped_column(String(500))  # the reference it can be pulled by
    image_id: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str | None] = mapped_column(String(80))
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    env: Mapped[bytes] = mapped_column(LargeBinary)
    source: Mapped[dict[str, Any]] = mapped_column(JSON)
    dockerfile: Mapped[str | None] = mapped_column(Text)  # the one we wrote; null when the source had its own
    exposed_ports: Mapped[list[int]] = mapped_column(JSON, default=list)
    blocked_reason: Mapped[str | None] = mapped_column(Text)  # why nobody may go back to it
    blocked_by: Mapped[str | None] = mapped_column(String(120))
    on_host: Mapped[bool | None]  # whether the engine had its image when somebody looked last; null: nobody has yet
    let_go_at: Mapped[datetime | None] = mapped_column(Instant)  # its image need not stay: too many newer releases
    created_at: Mapped[datetime] = mapped_column(Instant)

    app: Mapped[App] = relationship(foreign_keys=[app_id])

    @property
    def declared(self) -> Config:
        """Its configuration, typed."""
        return Config.model_validate(self.config)
