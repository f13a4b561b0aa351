"""The table of strikes: one for each session that was missed for good."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, PrimaryKeyConstraint, Text
from sqlmodel import Field, SQLModel

from booking_engine.orm import belongs_to


class Strike(SQLModel, table=True):
    """A missed session on somebody's record, from the instant at which that was final."""

    __tablename__ = "strike"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "booking_id"),
        belongs_to("booking", "booking_id"),
        belongs_to("wallet", "wallet_id"),
        CheckConstraint("(forgiven_at IS NULL) = (forgiven_by IS NULL)", name="forgiven"),
        Index("ix_strike_studio_id_wallet_id_at", "studio_id", "wallet_id", "at"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    booking_id: UUID
    wallet_id: UUID
    at: datetime
    forgiven_at: datetime | None = None
    forgiven_by: str | None = Field(default=None, sa_type=Text)
