"""The OneOff row: the container of a command that runs once and ends."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from longshore.models.base import Base, Instant


class OneOff(Base):
    """Written, with name and address, before the container is created; ``removed_at`` when it is gone.

    It belongs to a job or to a run. The address is drawn like that of a replica, under the same lock, so neither ever
    has one that the other holds. The row stays, so that a container that turns up late is known to be ours.
    """

    __tablename__ = "one_offs"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"), index=True)
    name: Mapped[str] = mapped_column(String(120), index=True)
    address: Mapped[str] = mapped_column(String(45))
    created_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        *(
            Index(
                f"ux_one_offs_{column}_taken",
                column,
                unique=True,
                sqlite_where=text("removed_at IS NULL"),
                postgresql_where=text("removed_at IS NULL"),
            )
            for column in ("name", "address")
        ),
        CheckConstraint("(job_id IS NULL) <> (run_id IS NULL)", name="one_owner"),
    )
