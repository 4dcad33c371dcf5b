"""The KeptAnswer row: what a request with an Idempotency-Key was answered."""

from datetime import datetime

from sqlalchemy import LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from longshore.models.base import Base, Instant


class KeptAnswer(Base):
    """Written in the transaction of what was asked for, so that a repeat finds both or neither.

    ``holder`` is the token that asked: keys of different tokens have nothing to do with each other. The answer is
    encrypted: a new token's text is one.
    """

    __tablename__ = "kept_answers"
    __table_args__ = (UniqueConstraint("holder", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
