"""The attention list: facts that disagree and that a person must settle, one open item per fact."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, Text, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, Session, SQLModel

from booking_engine.orm import new_id


class AttentionItem(SQLModel, table=True):
    """One disagreement: what it is about (`key`), what is known (`facts`), open until resolved."""

    __tablename__ = "attention_item"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        Index(
            "uq_attention_item_open",
            "studio_id",
            "kind",
            "key",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    kind: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    detail: str = Field(sa_type=Text)
    facts: dict[str, Any] = Field(sa_type=JSONB)
    raised_at: datetime
    resolved_at: datetime | None = None


def raise_item(
    session: Session,
    *,
    studio_id: int,
    kind: str,
    key: str,
    detail: str,
    now: datetime,
    facts: dict[str, Any] | None = None,
) -> None:
    """Put a fact on the list; one that is already open there is left as it is."""
    item = {
        "studio_id": studio_id,
        "id": new_id(),
        "kind": kind,
        "key": key,
        "detail": detail,
        "facts": facts or {},
        "raised_at": now,
    }
    session.execute(
        insert(AttentionItem)
        .values(item)
        .on_conflict_do_nothing(
            index_elements=["studio_id", "kind", "key"], index_where=text("resolved_at IS NULL")
        )
    )
