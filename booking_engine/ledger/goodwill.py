"""Credits that the studio gives or takes by its own hand: make-good lots, forgiveness, corrections.

Callers hold the wallet's lock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session

from booking_engine.ledger import credits, extensions, transfers
from booking_engine.ledger import lots as rules
from booking_engine.ledger.credits import Grant
from booking_engine.ledger.models import Bucket, CreditKind
from booking_engine.ledger.transfers import Cause, Overdrawn

MAKE_GOOD_DAYS = 30
# A lot with less left than this lives on as long as a make-good lot does.
EXTEND_WITHIN = timedelta(days=14)


def expiry(given_on: date, zone: ZoneInfo, days: int = MAKE_GOOD_DAYS) -> datetime | None:
    """Return when a lot that is given on a local date expires (D1)."""
    return rules.expiry(given_on, days, zone)


@dataclass(frozen=True, slots=True)
class Correction:
    """So many credits of a kind, in one wallet; it happens once per `key`."""

    studio_id: int
    wallet_id: UUID
    kind: CreditKind
    quantity: int
    key: str


def give(
    session: Session, correction: Correction, *, expires_at: datetime | None, cause: Cause
) -> None:
    """Grant a make-good lot."""
    source = f"make_good:{correction.key}"
    credits.grant(
        session,
        studio_id=correction.studio_id,
        wallet_id=correction.wallet_id,
        wanted=Grant(source, correction.kind, correction.quantity, expires_at=expires_at),
        cause=cause,
    )


def take_back(session: Session, correction: Correction, *, cause: Cause) -> None:
    """Revoke available credits in order of use; raises `Overdrawn` where there are fewer."""
    kind, quantity = correction.kind, correction.quantity
    owned = credits.of_wallet(
        session, studio_id=correction.studio_id, wallet_id=correction.wallet_id
    )
    shares = rules.share_out(owned, kind, quantity, starts_at=cause.at, now=cause.at)
    available = sum(share.quantity for share in shares)
    if available < quantity:
        raise Overdrawn(
            f"{quantity} {kind.value.replace('_', ' ')} to take back, {available} available",
            available=available,
        )
    known = {lot.id: lot for lot in owned}
    for share in shares:
        credits.revoke(
            session,
            lot=known[share.lot_id],
            quantity=share.quantity,
            key=f"take_back:{correction.key}:{share.lot_id}",
            cause=cause,
        )


def give_back(
    session: Session,
    *,
    studio_id: int,
    booking_id: UUID,
    zone: ZoneInfo,
    cause: Cause,
    attempt: int = 1,
    kinds: Collection[CreditKind] = tuple(CreditKind),
) -> dict[CreditKind, int]:
    """Return all that a booking holds, because the studio ends it; gives it per kind (D3).

    A lot that would expire within 14 days lives on for 30. What came from a lot that has expired
    comes back as a make-good lot; lots that the shop took back or disputes get neither.
    """
    drawn = [
        (lot, draw.held)
        for draw, lot in credits.draws_of(session, studio_id=studio_id, booking_id=booking_id)
        if draw.held and lot.kind in kinds
    ]
    back = credits.give_back(
        session,
        studio_id=studio_id,
        booking_id=booking_id,
        percent=100,
        cause=cause,
        attempt=attempt,
        kinds=kinds,
    )
    until = expiry(cause.at.astimezone(zone).date(), zone)
    for lot, quantity in drawn:
        if lot.withdrawn_at or lot.frozen_at or lot.expires_at is None or until is None:
            continue
        key = f"end:{booking_id}:{attempt}:{lot.id}"
        if not rules.is_live(lot, cause.at):
            made = Correction(studio_id, lot.wallet_id, lot.kind, quantity, key)
            give(session, made, expires_at=until, cause=cause)
        elif lot.expires_at - cause.at <= EXTEND_WITHIN:
            extensions.extend(session, lot=lot, until=until, key=key, cause=cause)
    return back


def forgive(
    session: Session,
    *,
    studio_id: int,
    booking_id: UUID,
    wallet_id: UUID | None,
    expires_at: datetime | None,
    cause: Cause,
) -> dict[CreditKind, int]:
    """Give back what a missed session spent and return it per kind, once (D18).

    It goes to the lots it came from; what came from an expired lot comes back as a make-good lot,
    what came from a unit that the shop took back does not come back.
    """
    totals = dict.fromkeys(CreditKind, 0)
    for draw, lot in credits.draws_of(session, studio_id=studio_id, booking_id=booking_id):
        key = f"forgive:{booking_id}:{lot.id}"
        if lot.withdrawn_at is not None:
            continue
        if rules.is_live(lot, cause.at):
            buckets = (Bucket.SPENT, Bucket.AVAILABLE)
            transfers.move(
                session,
                studio_id=studio_id,
                lot_id=lot.id,
                buckets=buckets,
                quantity=draw.quantity,
                key=key,
                cause=cause,
            )
        elif wallet_id is not None:
            made = Correction(studio_id, wallet_id, lot.kind, draw.quantity, key)
            give(session, made, expires_at=expires_at, cause=cause)
        totals[lot.kind] += draw.quantity
        session.refresh(lot)
    return totals
