"""What a wallet holds, in the words of a test."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, func, select

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits
from booking_engine.ledger.credits import Grant, Need
from booking_engine.ledger.models import Bucket, CreditKind, Lot, Transfer, Wallet
from booking_engine.ledger.transfers import Cause
from tests.factories.studio import NOW

MINUTES = CreditKind.SIMULATOR_MINUTES
COACHED = CreditKind.COACHING_SESSIONS
BUCKETS = tuple(bucket for bucket in Bucket if bucket is not Bucket.ISSUED)


def make_cause(at: datetime = NOW) -> Cause:
    """Give a reason for a movement."""
    return Cause("test", "test", "test", at)


def grant_lot(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    source: str = "lot",
    quantity: int = 60,
    *,
    kind: CreditKind = MINUTES,
    expires_at: datetime | None = None,
    granted_at: datetime = NOW,
    paid_minor: int = 0,
    order_id: int | None = None,
) -> Lot:
    """Grant a lot and return its row."""
    credits.grant(
        session,
        studio_id=studio.id,
        wallet_id=wallet.id,
        wanted=Grant(
            source,
            kind,
            quantity,
            expires_at=expires_at,
            paid_minor=paid_minor,
            order_id=order_id,
        ),
        cause=make_cause(granted_at),
    )
    return lot_of(session, source)


def lot_of(session: Session, source: str) -> Lot:
    """Read the lot that a source has made."""
    wanted = select(Lot).where(col(Lot.source) == source).execution_options(populate_existing=True)
    return session.exec(wanted).one()


def hold_minutes(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    booking_id: UUID,
    minutes: int,
    *,
    sessions: int = 0,
    starts_at: datetime = NOW + timedelta(days=5),
    at: datetime = NOW,
    order_id: int | None = None,
) -> None:
    """Hold credits for a booking."""
    needed = {MINUTES: minutes, COACHED: sessions}
    need = Need(
        studio_id=studio.id,
        wallet_id=wallet.id,
        booking_id=booking_id,
        quantities={kind: quantity for kind, quantity in needed.items() if quantity},
        starts_at=starts_at,
        order_ids=(order_id,) if order_id else (),
    )
    credits.hold(session, need=need, cause=make_cause(at))


def buckets(session: Session, source: str) -> dict[str, int]:
    """Return what a lot has, without its empty buckets: `{"available": 60}`."""
    lot = lot_of(session, source)
    found = {bucket.value: getattr(lot, bucket.value) for bucket in BUCKETS}
    assert sum(found.values()) == lot.granted
    return {name: quantity for name, quantity in found.items() if quantity}


def transfers_of(session: Session) -> int:
    """Count every transfer."""
    return session.exec(select(func.count()).select_from(Transfer)).one()
