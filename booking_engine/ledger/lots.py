"""Which lots pay, and in which order. Pure (product rules D1 and D3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from booking_engine.ledger.models import CreditKind, Lot

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Share:
    """So much of one lot."""

    lot_id: UUID
    kind: CreditKind
    quantity: int


def expiry(paid_on: date, valid_days: int | None, zone: ZoneInfo) -> datetime | None:
    """Return the local midnight that ends the last valid day, an exclusive instant (D1)."""
    if valid_days is None:
        return None
    return datetime.combine(paid_on + timedelta(days=valid_days + 1), time(), zone)


def is_live(lot: Lot, at: datetime) -> bool:
    """Tell whether the lot's credits exist at this instant; expiry needs no job to happen."""
    return lot.expires_at is None or at < lot.expires_at


def is_usable(lot: Lot, at: datetime) -> bool:
    """Tell whether the lot's credits can be drawn now: live, and their payment undisputed."""
    return lot.frozen_at is None and is_live(lot, at)


def in_order_of_use(lots: Iterable[Lot]) -> list[Lot]:
    """Sort by priority, then soonest expiry, promotional before paid, oldest, id (D1)."""
    return sorted(
        lots,
        key=lambda lot: (
            lot.priority,
            lot.expires_at is None,
            lot.expires_at or NEVER,
            lot.paid_minor > 0,
            lot.granted_at,
            lot.id,
        ),
    )


def spendable(lots: Iterable[Lot], kind: CreditKind, *, starts_at: datetime, now: datetime) -> int:
    """Return how much of a kind could pay for a session that starts then."""
    return sum(lot.available for lot in _eligible(lots, kind, starts_at, now))


def share_out(
    lots: Sequence[Lot], kind: CreditKind, quantity: int, *, starts_at: datetime, now: datetime
) -> list[Share]:
    """Take `quantity` from the eligible lots in order of use; may come out short."""
    shares, missing = [], quantity
    for lot in in_order_of_use(_eligible(lots, kind, starts_at, now)):
        taken = min(lot.available, missing)
        if taken > 0:
            shares.append(Share(lot.id, kind, taken))
            missing -= taken
    return shares


def _eligible(
    lots: Iterable[Lot], kind: CreditKind, starts_at: datetime, now: datetime
) -> list[Lot]:
    return [
        lot for lot in lots if lot.kind is kind and is_live(lot, starts_at) and is_usable(lot, now)
    ]


def returned(share: int, percent: int, kind: CreditKind) -> int:
    """Return what a cancellation gives back of one share (D3).

    Minutes round up in the customer's favour; an indivisible session comes back whole at 50 % or
    more, and not at all below.
    """
    if kind is CreditKind.COACHING_SESSIONS:
        return share if percent >= 50 else 0
    return -(-share * percent // 100)
