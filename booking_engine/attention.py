"""The attention list: facts that disagree and that a person must settle, one open item per fact."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, PrimaryKeyConstraint, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, Session, SQLModel, col, select, update

from booking_engine.errors import Conflict, Invalid, NotFound
from booking_engine.orm import new_id

CANCEL, KEEP, DISMISS, REVOKE = "cancel", "keep", "dismiss", "revoke"
DROP_COACH = "drop_coach"
# The fact is no longer so; it may come back, which what a person settled may not.
GONE = "gone"
# Sessions that cannot take place as booked: somebody decides what becomes of each.
BOOKING_KINDS = ("bay_outage", "coach_away", "schedule_conflict")
COACH_OFF = "coach_off"
# Its payment was taken back; it waits for another one.
UNFUNDED = "booking_unfunded"
MONEY_REFUND = "money_refund"
# How the items of each kind can be settled, what is proposed first; all others are only dismissed.
CHOICES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(BOOKING_KINDS, (CANCEL, KEEP, DISMISS)),
    UNFUNDED: (CANCEL, DISMISS),
    MONEY_REFUND: (REVOKE, DISMISS),
}


class AttentionItem(SQLModel, table=True):
    """One disagreement: what it is about (`key`), what is known (`facts`), open until resolved."""

    __tablename__ = "attention_item"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name="resolution"),
        Index(
            "uq_attention_item_open",
            "studio_id",
            "kind",
            "key",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_attention_item_studio_id_kind_key", "studio_id", "kind", "key"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    kind: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    detail: str = Field(sa_type=Text)
    facts: dict[str, Any] = Field(sa_type=JSONB)
    raised_at: datetime
    resolved_at: datetime | None = None
    resolution: str | None = Field(default=None, sa_type=Text)
    resolved_by: str | None = Field(default=None, sa_type=Text)
    resolved_reason: str | None = Field(default=None, sa_type=Text)


class AlreadyResolved(Conflict):
    """The item was settled before."""

    code = "already_resolved"


_RAISE = text("""
    INSERT INTO attention_item (studio_id, id, kind, key, detail, facts, raised_at)
    SELECT :studio_id, :id, :kind, :key, :detail, CAST(:facts AS jsonb), :now
    WHERE NOT EXISTS (
        SELECT FROM attention_item WHERE studio_id = :studio_id AND kind = :kind AND key = :key
          AND resolution <> 'gone')
    ON CONFLICT (studio_id, kind, key) WHERE resolved_at IS NULL DO NOTHING
    RETURNING id
""")

_WITHDRAW = text("""
    UPDATE attention_item
    SET resolved_at = :now, resolution = 'gone', resolved_by = 'system'
    WHERE studio_id = :studio_id AND resolved_at IS NULL AND kind = ANY(:kinds)
      AND facts @> CAST(:about AS jsonb)
""")


def raise_item(
    session: Session,
    *,
    studio_id: int,
    kind: str,
    key: str,
    detail: str,
    now: datetime,
    facts: dict[str, Any] | None = None,
) -> bool:
    """Put a fact on the list; False where it is open there already, or a person has settled it."""
    raised = session.execute(
        _RAISE,
        {
            "studio_id": studio_id,
            "id": new_id(),
            "kind": kind,
            "key": key,
            "detail": detail,
            "facts": json.dumps(facts or {}),
            "now": now,
        },
    ).first()
    return raised is not None


def withdraw(
    session: Session,
    *,
    studio_id: int,
    booking_id: UUID,
    now: datetime,
    kinds: Iterable[str] = (*BOOKING_KINDS, UNFUNDED),
) -> None:
    """Take a booking's open items off the list: it went, it moved, or nothing disagrees now."""
    about = {"booking": str(booking_id)}
    withdraw_about(session, studio_id=studio_id, about=about, now=now, kinds=kinds)


def withdraw_about(
    session: Session,
    *,
    studio_id: int,
    about: dict[str, Any],
    now: datetime,
    kinds: Iterable[str] = BOOKING_KINDS,
) -> None:
    """Take the open items with these facts off the list."""
    session.execute(
        _WITHDRAW,
        {"studio_id": studio_id, "about": json.dumps(about), "kinds": list(kinds), "now": now},
    )


def withdraw_coach(session: Session, *, studio_id: int, booking_id: UUID, now: datetime) -> None:
    """Take off the list what only the coach of a booking was the reason for: it has none now."""
    found = session.exec(
        select(AttentionItem)
        .where(
            col(AttentionItem.studio_id) == studio_id,
            col(AttentionItem.kind).in_(BOOKING_KINDS),
            col(AttentionItem.resolved_at).is_(None),
            col(AttentionItem.facts).contains({"booking": str(booking_id)}),
        )
        .order_by(col(AttentionItem.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for item in found:
        if is_of_coach(item):
            item.resolved_at, item.resolution, item.resolved_by = now, GONE, "system"
    session.flush()


def withdraw_others(
    session: Session,
    *,
    studio_id: int,
    kind: str,
    keys: Iterable[str],
    now: datetime,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Take the open items of a kind (about these facts) off the list that are no longer so."""
    session.exec(
        update(AttentionItem)
        .where(
            col(AttentionItem.studio_id) == studio_id,
            col(AttentionItem.kind) == kind,
            col(AttentionItem.resolved_at).is_(None),
            col(AttentionItem.key).not_in(list(keys)),
            col(AttentionItem.facts).contains(dict(about or {})),
        )
        .values(resolved_at=now, resolution=GONE, resolved_by="system")
    )


def choices(item: AttentionItem) -> tuple[str, ...]:
    """Return how an open item can be settled."""
    if item.resolved_at is not None:
        return ()
    if is_of_coach(item):
        return (CANCEL, DROP_COACH, KEEP, DISMISS)
    return CHOICES.get(item.kind, (DISMISS,))


def is_of_coach(item: AttentionItem) -> bool:
    """Tell whether it is only the coach for whom a session cannot take place as booked."""
    return item.kind == "coach_away" or item.facts.get("reasons") == [COACH_OFF]


def get(session: Session, *, studio_id: int, item_id: UUID) -> AttentionItem:
    """Return an item; raises `NotFound`."""
    found = session.exec(
        select(AttentionItem).where(
            col(AttentionItem.studio_id) == studio_id, col(AttentionItem.id) == item_id
        )
    ).first()
    if found is None:
        raise NotFound("there is no such item on the list")
    return found


def lock(session: Session, *, studio_id: int, item_id: UUID) -> AttentionItem:
    """Return an item that nobody else settles until the commit; raises `NotFound`."""
    item = get(session, studio_id=studio_id, item_id=item_id)
    session.refresh(item, with_for_update=True)
    return item


def resolve(
    session: Session, *, item: AttentionItem, choice: str, by: str, reason: str, now: datetime
) -> None:
    """Settle an item; raises `AlreadyResolved`, or `Invalid` for a choice it does not give."""
    if item.resolved_at is not None:
        raise AlreadyResolved("that item is settled already", resolution=item.resolution)
    if choice not in choices(item):
        allowed = list(choices(item))
        raise Invalid(f"a {item.kind} is settled by one of {allowed}", allowed=allowed)
    item.resolved_at = now
    item.resolution = choice
    item.resolved_by = by
    item.resolved_reason = reason
    session.flush()


def listed(
    session: Session, *, studio_id: int, is_open: bool, before: UUID | None, limit: int
) -> Sequence[AttentionItem]:
    """Return items of the list, newest first, those before an id."""
    wanted = select(AttentionItem).where(
        col(AttentionItem.studio_id) == studio_id,
        col(AttentionItem.resolved_at).is_(None) == is_open,
    )
    if before is not None:
        wanted = wanted.where(col(AttentionItem.id) < before)
    return session.exec(wanted.order_by(col(AttentionItem.id).desc()).limit(limit)).all()
