"""The outbox: what the outside world must hear, written in the transaction that made it true.

One open message per (topic, key): a second change before the first was told raises `version`, and a
message is done only if nobody raised it while it was being told.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, Text, case, text
from sqlmodel import Field, Session, SQLModel, col, select, update

from booking_engine.orm import new_id


class OutboxMessage(SQLModel, table=True):
    """A fact to tell: `key` names the thing that changed, its present state is read when told."""

    __tablename__ = "outbox_message"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        Index(
            "uq_outbox_message_open",
            "studio_id",
            "topic",
            "key",
            unique=True,
            postgresql_where=text("done_at IS NULL"),
        ),
        Index("ix_outbox_message_due_at", "due_at", postgresql_where=text("done_at IS NULL")),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    topic: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    version: int = 1
    attempts: int = 0
    created_at: datetime
    due_at: datetime
    leased_until: datetime | None = None
    done_at: datetime | None = None
    last_error: str | None = Field(default=None, sa_type=Text)


# Written out, because it stands on the path of every booking.
_PUBLISH = text("""
    INSERT INTO outbox_message (studio_id, id, topic, key, version, attempts, created_at, due_at)
    VALUES (:studio_id, :id, :topic, :key, 1, 0, :now, :now)
    ON CONFLICT (studio_id, topic, key) WHERE done_at IS NULL
    DO UPDATE SET version = outbox_message.version + 1, attempts = 0, due_at = excluded.due_at
""")


def publish(session: Session, *, studio_id: int, topic: str, key: str, now: datetime) -> None:
    """Say in this transaction that `key` changed; joins an open message about the same key."""
    session.execute(
        _PUBLISH, {"studio_id": studio_id, "id": new_id(), "topic": topic, "key": key, "now": now}
    )


def claim(
    session: Session, *, now: datetime, limit: int, lease: timedelta
) -> Sequence[OutboxMessage]:
    """Take due messages for `lease`; a teller that dies leaves them to others after it."""
    leased_until = col(OutboxMessage.leased_until)
    due = (
        select(OutboxMessage)
        .where(
            col(OutboxMessage.done_at).is_(None),
            col(OutboxMessage.due_at) <= now,
            leased_until.is_(None) | (leased_until <= now),
        )
        .order_by(col(OutboxMessage.due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    messages = session.exec(due).all()
    for message in messages:
        message.leased_until = now + lease
        message.attempts += 1
    session.flush()
    return messages


def finish(session: Session, *, message: OutboxMessage, now: datetime) -> None:
    """Mark a told message done, unless its key changed again while it was being told."""
    session.exec(
        update(OutboxMessage)
        .where(_same(message), col(OutboxMessage.version) == message.version)
        .values(done_at=now, leased_until=None, last_error=None)
    )
    session.exec(
        update(OutboxMessage)
        .where(_same(message), col(OutboxMessage.done_at).is_(None))
        .values(due_at=now, leased_until=None)
    )


def postpone(
    session: Session, *, message: OutboxMessage, now: datetime, wait: timedelta, error: str
) -> None:
    """Give a message that could not be told its next time; it is never dropped.

    One whose key changed while it was being told is due at once.
    """
    changed = col(OutboxMessage.version) != message.version
    session.exec(
        update(OutboxMessage)
        .where(_same(message), col(OutboxMessage.done_at).is_(None))
        .values(
            due_at=case((changed, now), else_=now + wait),
            leased_until=None,
            last_error=error[:2000],
        )
    )


def _same(message: OutboxMessage) -> Any:
    return (col(OutboxMessage.studio_id) == message.studio_id) & (
        col(OutboxMessage.id) == message.id
    )
