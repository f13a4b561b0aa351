"""What stands in the database of the only studio, by our own reading, and what must hold of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from connector import verify
from tests.prove.oracle import Claim

BUCKETS = ("available", "held", "spent", "expired", "revoked")
LIVE = ("confirmed", "checked_in")
HOLDING = ("held", "awaiting_payment")
ENDED = ("cancelled", "rejected", "expired")

# A customer's buckets: {("simulator_minutes", "held"): 60, ...}, without those that are empty.
Purse = Counter[tuple[str, str]]


class Booked(NamedTuple):
    """A booking as it stands."""

    id: UUID
    status: str
    customer: int | None
    start: int
    end: int
    simulators: int
    coached_at: int | None
    coaching: int
    any_coach: bool
    minutes: int
    sessions: int
    complimentary: bool
    is_begun: bool
    frees_at: datetime | None  # when what it holds is free again, while it is no more than held
    order_id: int | None


class Drawn(NamedTuple):
    """What one lot pays towards one booking."""

    booking: UUID
    lot: UUID
    kind: str
    quantity: int
    held: int
    order: int | None


@dataclass(frozen=True)
class Facts:
    """Everything at one moment."""

    taken: list[Claim]
    bookings: dict[UUID, Booked]
    lots: dict[UUID, dict[str, Any]]
    draws: list[Drawn]
    moved: dict[UUID, Counter[str]]  # what transfers say of each lot's buckets

    def purse(self, customer: int) -> Purse:
        """Return the sums of a customer's lots."""
        return Counter(
            {
                (kind, bucket): total
                for kind in ("simulator_minutes", "coaching_sessions")
                for bucket in BUCKETS
                if (total := self._sum(customer, kind, bucket))
            }
        )

    def _sum(self, customer: int, kind: str, bucket: str) -> int:
        lots = (lot for lot in self.lots.values() if lot["customer"] == str(customer))
        return sum(lot[bucket] for lot in lots if lot["kind"] == kind)


_TAKEN = text("""
    SELECT id, booking_id, resource_id, extract(epoch FROM lower(during))::bigint / 60,
           extract(epoch FROM upper(during))::bigint / 60, pinned,
           extract(epoch FROM blocks_until)::float8, stranded
    FROM allocation WHERE state <> 'released' ORDER BY id
""")
_BOOKINGS = text("""
    SELECT booking.id, booking.status, alias.value::bigint,
           extract(epoch FROM starts_at)::bigint / 60, extract(epoch FROM ends_at)::bigint / 60,
           simulators, extract(epoch FROM coaching_starts_at)::bigint / 60,
           coalesce(extract(epoch FROM coaching_ends_at - coaching_starts_at)::bigint / 60, 0),
           any_coach, simulator_minutes, coaching_sessions, complimentary, begun_at IS NOT NULL,
           (SELECT max(blocks_until) FROM allocation WHERE booking_id = booking.id), order_id
    FROM booking
    LEFT JOIN wallet_alias alias ON alias.wallet_id = booking.wallet_id AND alias.kind = 'customer'
    ORDER BY booking.created_at, booking.starts_at, booking.id
""")
_LOTS = text("""
    SELECT lot.*, alias.value AS customer FROM lot
    LEFT JOIN wallet_alias alias ON alias.wallet_id = lot.wallet_id AND alias.kind = 'customer'
""")
_DRAWS = text("""
    SELECT draw.booking_id, lot.id, lot.kind, draw.quantity, draw.held, lot.order_id
    FROM draw JOIN lot ON lot.id = draw.lot_id
""")
_TRANSFERS = text("SELECT lot_id, from_bucket, to_bucket, quantity FROM transfer")


def read(session: Session) -> Facts:
    """Read everything."""
    moved: dict[UUID, Counter[str]] = defaultdict(Counter)
    for lot, source, target, quantity in session.execute(_TRANSFERS):
        moved[lot][source] -= quantity
        moved[lot][target] += quantity
    return Facts(
        taken(session),
        {row[0]: Booked(*row) for row in session.execute(_BOOKINGS)},
        {row["id"]: dict(row) for row in session.execute(_LOTS).mappings()},
        [Drawn(*row) for row in session.execute(_DRAWS)],
        moved,
    )


def taken(session: Session) -> list[Claim]:
    """Return everything that is taken."""
    return [Claim(*row) for row in session.execute(_TAKEN)]


def broken(found: Facts, coaches: frozenset[int]) -> Iterator[str]:
    """Yield every promise that the facts break, each found by looking at all of them."""
    for one, other in combinations(found.taken, 2):
        if one.resource_id == other.resource_id and one.start < other.end and other.start < one.end:
            yield f"{one} and {other} overlap"
    for booking in found.bookings.values():
        yield from _misseated(found, booking, coaches)
        yield from _misfunded(found, booking)
    for lot_id, lot in found.lots.items():
        yield from _unbalanced(found, lot_id, lot)


def verified(session: Session) -> list[str]:
    """Return what `simstudio verify` complains about."""
    return [
        f"verify, {found.check}: {found.what}"
        for check in verify.CHECKS
        for found in verify.violations(session, check)
    ]


def _misseated(found: Facts, booking: Booked, coaches: frozenset[int]) -> Iterator[str]:
    mine = [each for each in found.taken if each.booking_id == booking.id]
    if booking.status in ENDED and mine:
        yield f"{booking} has ended and takes {mine}"
    if booking.status not in LIVE + HOLDING:
        return
    bays = [each for each in mine if each.resource_id not in coaches]
    coached = [each for each in mine if each.resource_id in coaches]
    times = {(each.start, each.end) for each in bays}
    if len(bays) != booking.simulators or times != {(booking.start, booking.end)}:
        yield f"{booking} takes the bays {bays}"
    begins = booking.coached_at
    wanted = [] if begins is None else [(begins, begins + booking.coaching)]
    if [(each.start, each.end) for each in coached] != wanted:
        yield f"{booking} takes the coaches {coached}"


def _misfunded(found: Facts, booking: Booked) -> Iterator[str]:
    """Yield it where a booking holds other than what it has to: its burn from paid to begun."""
    held: Counter[str] = Counter()
    for draw in found.draws:
        if draw.booking == booking.id:
            held[draw.kind] += draw.held
    owes = booking.status in LIVE and not booking.is_begun and not booking.complimentary
    burn = {"simulator_minutes": booking.minutes, "coaching_sessions": booking.sessions}
    if +held != (+Counter(burn) if owes else Counter()):
        yield f"{booking} holds {dict(held)}"


def _unbalanced(found: Facts, lot_id: UUID, lot: dict[str, Any]) -> Iterator[str]:
    has = {bucket: lot[bucket] for bucket in BUCKETS}
    if sum(has.values()) != lot["granted"] or min(has.values()) < 0:
        yield f"lot {lot_id} has {has} of {lot['granted']}"
    if any(found.moved[lot_id][bucket] != has[bucket] for bucket in BUCKETS):
        yield f"lot {lot_id} has {has}, its transfers say {dict(found.moved[lot_id])}"
    if sum(draw.held for draw in found.draws if draw.lot == lot_id) != lot["held"]:
        yield f"lot {lot_id} holds {lot['held']}, its draws another sum"
