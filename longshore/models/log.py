"""The LogChunk row: some lines of a job's log, redacted when they were written."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from longshore.models.base import Base, Instant


class LogChunk(Base):
    """Lines in order. ``sequence`` counts within the deployment and is the cursor of every reader."""

    __tablename__ = "log_chunks"
    __table_args__ = (UniqueConstraint("deployment_id", "sequence"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    sequence: Mapped[int]
    job: Mapped[str] = mapped_column(String(32))  # the kind of the job, or the name of a replica
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant)
