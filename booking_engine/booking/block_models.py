"""Tables of blocks: a resource that nobody may take for a while, and whom that moved."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, PrimaryKeyConstraint, Text, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlmodel import Field, SQLModel

from booking_engine.orm import belongs_to, new_id


class Block(SQLModel, table=True):
    """An interval in which a bay or a coach may not be taken: broken, away.

    It takes its time through allocations, like a booking; where sessions stand in its way it takes
    the time around them, and theirs when they go.
    """

    __tablename__ = "block"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        belongs_to("resource", "resource_id"),
        CheckConstraint("NOT isempty(during)", name="during"),
        CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted"),
        Index(
            "ix_block_studio_id_resource_id",
            "studio_id",
            "resource_id",
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    resource_id: int = Field(sa_type=BigInteger)
    during: Range[datetime] = Field(sa_column=Column(TSTZRANGE, nullable=False))
    reason: str = Field(sa_type=Text)
    declared_at: datetime
    actor: str = Field(sa_type=Text)  # who declared it
    lifted_at: datetime | None = None
    lifted_by: str | None = Field(default=None, sa_type=Text)


class BlockMove(SQLModel, table=True):
    """One allocation that a block put on another bay, and whence, so that lifting returns it."""

    __tablename__ = "block_move"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "block_id", "allocation_id"),
        belongs_to("block", "block_id"),
        belongs_to("allocation", "allocation_id"),
        Index("ix_block_move_studio_id_allocation_id", "studio_id", "allocation_id"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    block_id: UUID
    allocation_id: UUID
    from_resource_id: int = Field(sa_type=BigInteger)
    to_resource_id: int = Field(sa_type=BigInteger)
    moved_at: datetime
    returned_at: datetime | None = None
