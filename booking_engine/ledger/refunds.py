"""What a refund of paid units would be worth: two sums, before anybody refunds. Pure (rule D5).

*Re-rated* is what was paid less what the used credits cost by the piece; *pro rata* is the share of
what was paid that is still unused. Used is what was spent (played, cancelled too late, missed) or
has expired; unused is what is available or held.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from booking_engine.ledger import lots as rules
from booking_engine.ledger.models import CreditKind, Lot


@dataclass(frozen=True, slots=True)
class Single:
    """What so many credits of a kind cost by the piece, in minor units."""

    price_minor: int
    quantity: int


@dataclass(frozen=True, slots=True)
class UnitQuote:
    """One paid unit that stands: the credits of each kind, and both sums in minor units."""

    line_item_id: int | None
    unit_index: int
    paid_minor: int
    granted: Mapping[CreditKind, int]
    used: Mapping[CreditKind, int]
    unused: Mapping[CreditKind, int]
    re_rated_minor: int
    pro_rata_minor: int


def quote(
    lots: Iterable[Lot], singles: Mapping[CreditKind, Single], *, now: datetime
) -> list[UnitQuote]:
    """Return both sums for each unit of an order that was not taken back, by line and unit.

    A kind that is not sold by the piece is re-rated at what was paid for it.
    """
    units: dict[tuple[int, int], list[Lot]] = {}
    for lot in lots:
        if lot.withdrawn_at is None:
            units.setdefault((lot.line_item_id or 0, lot.unit_index or 0), []).append(lot)
    return [_unit(units[place], singles, now) for place in sorted(units)]


def _unit(lots: list[Lot], singles: Mapping[CreditKind, Single], now: datetime) -> UnitQuote:
    used = {lot.kind: _used(lot, now) for lot in lots}
    unused = {lot.kind: lot.granted - lot.revoked - used[lot.kind] for lot in lots}
    # What was revoked without taking the unit back was settled apart: neither used nor unused.
    standing = sum(lot.paid_minor * (lot.granted - lot.revoked) // lot.granted for lot in lots)
    worn = sum(_by_the_piece(lot, used[lot.kind], singles) for lot in lots)
    return UnitQuote(
        line_item_id=lots[0].line_item_id,
        unit_index=lots[0].unit_index or 0,
        paid_minor=sum(lot.paid_minor for lot in lots),
        granted={lot.kind: lot.granted for lot in lots},
        used=used,
        unused=unused,
        re_rated_minor=max(0, standing - worn),
        pro_rata_minor=sum(lot.paid_minor * unused[lot.kind] // lot.granted for lot in lots),
    )


def _used(lot: Lot, now: datetime) -> int:
    """Return what is spent or expired; expiry needs no job to be true."""
    gone = 0 if rules.is_live(lot, now) else lot.available
    return lot.spent + lot.expired + gone


def _by_the_piece(lot: Lot, used: int, singles: Mapping[CreditKind, Single]) -> int:
    single = singles.get(lot.kind) or Single(lot.paid_minor, lot.granted)
    return used * single.price_minor // single.quantity
