"""A person is forgotten: the book frees their time, the ledger keeps its rows under nobody (D13).

Nothing in book and ledger names a person; what links them to one are the wallet's aliases, and the
words that people typed. Both go; lots, transfers and sessions stay, so that the sums stay right.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, delete, select, update

from booking_engine import attention
from booking_engine.booking import allocator, bookings, holds, series, upkeep, waitlist
from booking_engine.booking.models import Booking, BookingStatus, Hold
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import wallets
from booking_engine.ledger.models import AliasKind, Lot, Wallet, WalletAlias
from booking_engine.ledger.people_models import Tombstone

ENDED_REASON = "erased"
OPEN_CREDITS = "erased_with_credits"


def erase(session: Session, *, studio: Studio, wallet_id: UUID, now: datetime) -> None:
    """Forget whose wallet this is; a second time it changes nothing.

    Sessions to come are cancelled with everything back, then what is left is frozen and listed: the
    studio owes it to somebody who asked to be forgotten. The caller holds the waitlist's queue.
    """
    for entry in waitlist.waiting(session, studio_id=studio.id, wallet_id=wallet_id):
        waitlist.leave(session, studio=studio, entry=entry, now=now)
    wallets.lock(session, studio_id=studio.id, wallet_id=wallet_id)
    for each in upkeep.live_of(session, studio_id=studio.id, wallet_id=wallet_id):
        series.end(session, studio=studio, series_id=each.id, now=now)
    _end_bookings(session, studio, wallet_id, now)
    freeze(session, studio=studio, wallet_id=wallet_id, now=now)
    session.exec(
        delete(WalletAlias).where(
            col(WalletAlias.studio_id) == studio.id,
            col(WalletAlias.wallet_id) == wallet_id,
            col(WalletAlias.kind) != AliasKind.ORDER,
        )
    )
    wallet = session.get_one(Wallet, (studio.id, wallet_id))
    wallet.erased_at = wallet.erased_at or now
    session.flush()


def freeze_if_erased(session: Session, *, studio: Studio, wallet_id: UUID, now: datetime) -> None:
    """Freeze and list what came to a wallet after its person was erased; its lock is held."""
    wallet = session.get_one(Wallet, (studio.id, wallet_id), populate_existing=True)
    if wallet.erased_at is not None:
        freeze(session, studio=studio, wallet_id=wallet_id, now=now)


def remember(
    session: Session,
    *,
    studio_id: int,
    digests: Sequence[bytes],
    wallet_id: UUID | None,
    now: datetime,
) -> None:
    """Keep the keyed hashes of what was erased, so that nothing brings it back."""
    for digest in digests:
        known = session.get(Tombstone, (studio_id, digest))
        if known is None:
            session.add(
                Tombstone(studio_id=studio_id, digest=digest, wallet_id=wallet_id, erased_at=now)
            )
        elif known.wallet_id is None:
            known.wallet_id = wallet_id
    session.flush()


def find(session: Session, *, studio_id: int, digests: Sequence[bytes]) -> Tombstone | None:
    """Return the tombstone of somebody, given as their keyed hashes; None for the living."""
    return session.exec(
        select(Tombstone).where(
            col(Tombstone.studio_id) == studio_id, col(Tombstone.digest).in_(digests)
        )
    ).first()


def bookings_of(session: Session, *, studio_id: int, wallet_id: UUID) -> Sequence[Booking]:
    """Return every booking of a wallet, held and ended ones included."""
    return session.exec(
        select(Booking)
        .where(col(Booking.studio_id) == studio_id, col(Booking.wallet_id) == wallet_id)
        .order_by(col(Booking.id))
    ).all()


def _end_bookings(session: Session, studio: Studio, wallet_id: UUID, now: datetime) -> None:
    owned = bookings_of(session, studio_id=studio.id, wallet_id=wallet_id)
    for booking in owned:
        if booking.status in bookings.LIVE and booking.starts_at > now:
            bookings.cancel(
                session,
                studio_id=studio.id,
                booking_id=booking.id,
                actor=Actor.STUDIO,
                reason=ENDED_REASON,
                now=now,
            )
    for hold_id in _holds(session, studio.id, wallet_id):
        holds.release(session, studio=studio, hold_id=hold_id, now=now)
    session.flush()
    # Why somebody cancelled is their own words.
    mine = (col(Booking.studio_id) == studio.id, col(Booking.wallet_id) == wallet_id)
    session.exec(
        update(Booking)
        .where(*mine, col(Booking.ended_reason).is_not(None))
        .values(ended_reason=ENDED_REASON)
    )
    for booking in owned:
        allocator.tell(session, studio_id=studio.id, booking_id=booking.id, now=now)
    about = select(Booking.id).where(*mine)
    session.exec(
        update(Hold)
        .where(col(Hold.studio_id) == studio.id, col(Hold.booking_id).in_(about))
        .values(holder=ENDED_REASON)
    )


def _holds(session: Session, studio_id: int, wallet_id: UUID) -> Sequence[UUID]:
    return session.exec(
        select(Hold.id)
        .join(
            Booking,
            (col(Booking.studio_id) == col(Hold.studio_id))
            & (col(Booking.id) == col(Hold.booking_id)),
        )
        .where(
            col(Hold.studio_id) == studio_id,
            col(Booking.wallet_id) == wallet_id,
            col(Booking.status).in_([BookingStatus.HELD, BookingStatus.AWAITING_PAYMENT]),
        )
        .order_by(col(Hold.id))
    ).all()


_OPEN = text("""
    SELECT kind, sum(available + held)::bigint AS open,
        sum(paid_minor * (available + held) / granted)::bigint AS paid_minor
    FROM lot WHERE studio_id = :studio_id AND wallet_id = :wallet_id AND frozen_at IS NOT NULL
      AND (expires_at IS NULL OR expires_at > :now)
    GROUP BY kind ORDER BY kind
""")


def freeze(session: Session, *, studio: Studio, wallet_id: UUID, now: datetime) -> None:
    """Freeze a wallet's lots, empty ones too, and have the studio decide what it owes.

    What has expired may be given more time, and must then not be of use to anybody.
    """
    session.exec(
        update(Lot)
        .where(
            col(Lot.studio_id) == studio.id,
            col(Lot.wallet_id) == wallet_id,
            col(Lot.frozen_at).is_(None),
        )
        .values(frozen_at=now)
    )
    values = {"studio_id": studio.id, "wallet_id": wallet_id, "now": now}
    rows = session.execute(_OPEN, values).all()
    left = {row.kind: row.open for row in rows if row.open}
    if left:
        attention.raise_item(
            session,
            studio_id=studio.id,
            kind=OPEN_CREDITS,
            key=str(wallet_id),
            detail="somebody who asked to be forgotten has credits left; decide what is owed",
            now=now,
            facts={
                "wallet": str(wallet_id),
                **left,
                "paid_minor": sum(row.paid_minor for row in rows),
                "currency": studio.currency,
            },
        )
