"""Gifts: a unit bought for somebody else waits in a wallet of its own until a code takes it (C13).

Neither the recipient's address nor the message is kept here: both stand on the order in the shop.
This product sends no mail; the code is told to the buyer and, on the day, to the studio's list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.catalog.studio import Studio
from booking_engine.errors import NotFound
from booking_engine.ledger import lots
from booking_engine.ledger.models import Lot, Wallet
from booking_engine.ledger.people_models import ClaimCode, Gift

READY = "gift_to_hand_over"
FROM_CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Unit:
    """Which unit of which line of an order is a gift, and how long its credits last."""

    order_id: int
    line_item_id: int
    unit_index: int
    valid_days: int | None
    opens_at: datetime


def wallet_of(session: Session, *, studio: Studio, unit: Unit, now: datetime) -> UUID:
    """Return the wallet in which a gift's credits belong; made with the gift on first sight.

    The caller works on the order alone.
    """
    found = session.exec(
        select(Gift).where(
            col(Gift.studio_id) == studio.id,
            col(Gift.order_id) == unit.order_id,
            col(Gift.line_item_id) == unit.line_item_id,
            col(Gift.unit_index) == unit.unit_index,
        )
    ).first()
    if found is not None:
        return found.wallet_id
    wallet = Wallet(studio_id=studio.id, created_at=now)
    session.add(wallet)
    session.flush()
    counts_from_claim = studio.policy.gift_expiry_from == FROM_CLAIM
    session.add(
        Gift(
            studio_id=studio.id,
            order_id=unit.order_id,
            line_item_id=unit.line_item_id,
            unit_index=unit.unit_index,
            wallet_id=wallet.id,
            valid_days=unit.valid_days if counts_from_claim else None,
            opens_at=unit.opens_at,
        )
    )
    session.flush()
    return wallet.id


def get(session: Session, *, studio_id: int, gift_id: UUID) -> Gift:
    """Return a gift; raises `NotFound`."""
    found = session.exec(
        select(Gift)
        .where(col(Gift.studio_id) == studio_id, col(Gift.id) == gift_id)
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        raise NotFound("there is no such gift")
    return found


def of_orders(session: Session, *, studio_id: int, order_ids: Sequence[int]) -> Sequence[Gift]:
    """Return the gifts in these orders, oldest first."""
    return session.exec(
        select(Gift)
        .where(col(Gift.studio_id) == studio_id, col(Gift.order_id).in_(order_ids))
        .order_by(col(Gift.id))
    ).all()


def begin(session: Session, *, gift: Gift, wallet_id: UUID, now: datetime) -> None:
    """Let the credits of a gift that was claimed begin to count their days, if that is the rule."""
    gift.wallet_id, gift.claimed_at = wallet_id, now
    if gift.valid_days is None:
        return
    zone = _zone(session, gift.studio_id)
    for lot in _lots(session, gift):
        lot.expires_at = lots.expiry(now.astimezone(zone).date(), gift.valid_days, zone)
    session.flush()


def close(session: Session, *, gift: Gift, wallet_id: UUID) -> None:
    """Let a gift whose claim was put back wait again."""
    gift.wallet_id, gift.claimed_at = wallet_id, None
    if gift.valid_days is not None:
        for lot in _lots(session, gift):
            lot.expires_at = None
    session.flush()


def without_code(session: Session, *, limit: int) -> Sequence[Gift]:
    """Return gifts that wait and have no code yet, in every studio."""
    has_code = select(ClaimCode.id).where(
        col(ClaimCode.studio_id) == col(Gift.studio_id),
        col(ClaimCode.gift_id) == col(Gift.id),
        col(ClaimCode.withdrawn_at).is_(None),
    )
    is_standing = select(Lot.id).where(
        col(Lot.studio_id) == col(Gift.studio_id),
        col(Lot.order_id) == col(Gift.order_id),
        col(Lot.line_item_id) == col(Gift.line_item_id),
        col(Lot.unit_index) == col(Gift.unit_index),
        col(Lot.withdrawn_at).is_(None),
    )
    return session.exec(
        select(Gift)
        .where(col(Gift.claimed_at).is_(None), ~has_code.exists(), is_standing.exists())
        .order_by(col(Gift.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def announce_due(session: Session, *, now: datetime, limit: int) -> int:
    """Put the gifts whose day has come on the studios' lists; returns how many."""
    due = session.exec(
        select(Gift)
        .where(col(Gift.announced_at).is_(None), col(Gift.opens_at) <= now)
        .order_by(col(Gift.opens_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for gift in due:
        gift.announced_at = now
        if gift.claimed_at is None:
            attention.raise_item(
                session,
                studio_id=gift.studio_id,
                kind=READY,
                key=str(gift.id),
                detail="the code of a gift is to be handed over; the order names the recipient",
                now=now,
                facts={
                    "gift": str(gift.id),
                    "order_id": gift.order_id,
                    "line_item_id": gift.line_item_id,
                },
            )
    session.flush()
    return len(due)


def opens_at(wanted: date | None, *, bought_at: datetime, zone: ZoneInfo) -> datetime:
    """Return when a gift's code is to be handed over: at nine on its day, or at once."""
    if wanted is None:
        return bought_at
    return max(bought_at, datetime(wanted.year, wanted.month, wanted.day, 9, tzinfo=zone))


def _lots(session: Session, gift: Gift) -> Sequence[Lot]:
    return session.exec(
        select(Lot)
        .where(
            col(Lot.studio_id) == gift.studio_id,
            col(Lot.order_id) == gift.order_id,
            col(Lot.line_item_id) == gift.line_item_id,
            col(Lot.unit_index) == gift.unit_index,
        )
        .order_by(col(Lot.id))
        .execution_options(populate_existing=True)
    ).all()


def _zone(session: Session, studio_id: int) -> ZoneInfo:
    name = session.execute(
        text("SELECT timezone FROM location WHERE studio_id = :id ORDER BY position LIMIT 1"),
        {"id": studio_id},
    ).scalar_one()
    return ZoneInfo(name)
