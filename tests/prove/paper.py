"""The bookings and purses as somebody would keep them on paper, by the product rules alone."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tests.prove.facts import HOLDING, LIVE, Booked, Drawn, Facts, Purse
from tests.prove.oracle import Asked

MINUTES, SESSIONS = "simulator_minutes", "coaching_sessions"
HOUR = timedelta(hours=1)
# What a change of a booking does to the purse of its owner.
PAID = {(held, "confirmed") for held in (*HOLDING, "expired")}

Change = tuple[str | None, str]
HELD_LAPSES: frozenset[Change] = frozenset((held, "expired") for held in HOLDING)


@dataclass
class Entry:
    """A booking on paper."""

    status: str
    customer: int | None
    asked: Asked
    burn: Counter[str]
    hold: UUID | None = None
    frees_at: datetime | None = None
    confirmed_at: datetime | None = None
    is_begun: bool = False
    return_cap: int = 100
    moves: int = 0

    def percent_back(self, now: datetime, *, by_customer: bool) -> int:
        """Return what a cancellation gives back (D3): 48 h all, 24 h half, just booked all."""
        if not by_customer:
            return 100
        ahead = datetime.fromtimestamp(self.asked.start * 60, now.tzinfo) - now
        booked_for = now - (self.confirmed_at or now)
        if booked_for <= timedelta(minutes=10) and ahead > 2 * HOUR:
            percent = 100
        else:
            percent = 100 if ahead >= 48 * HOUR else 50 if ahead >= 24 * HOUR else 0
        return min(percent, self.return_cap)


@dataclass
class Payer:
    """A paid order with a hold: what it granted, and the one outcome it must keep."""

    customer: int
    booking: UUID
    outcome: str | None
    granted: Counter[str]
    is_refunded: bool = False


@dataclass
class Paper:
    """Everything."""

    entries: dict[UUID, Entry] = field(default_factory=dict)
    purses: dict[int, Purse] = field(default_factory=dict)
    payers: dict[int, Payer] = field(default_factory=dict)

    def of_status(self, *statuses: str) -> list[UUID]:
        """Return the bookings with such a status, oldest first."""
        return [each for each, entry in self.entries.items() if entry.status in statuses]

    def add(self, found: Booked, asked: Asked, **more: object) -> Entry:
        """Note a new booking."""
        burn = Counter({MINUTES: found.minutes, SESSIONS: found.sessions})
        free = Counter[str]() if found.complimentary else burn
        entry = Entry(found.status, found.customer, asked, free, frees_at=found.frees_at, **more)
        self.entries[found.id] = entry
        return entry

    def shift(self, customer: int, kind: str, quantity: int, source: str, target: str) -> None:
        """Move credits between two buckets of a purse; from nowhere where they are bought."""
        purse = self.purses[customer]
        if source:
            purse[kind, source] -= quantity
        purse[kind, target] += quantity

    def buy(self, customer: int, granted: Counter[str]) -> None:
        """Put what was bought into a purse."""
        for kind, quantity in granted.items():
            self.shift(customer, kind, quantity, "", "available")

    def confirm(self, entry: Entry, now: datetime) -> None:
        """Pay a booking from its owner's purse."""
        entry.status, entry.confirmed_at, entry.frees_at = "confirmed", now, None
        self._burn(entry, "available", "held")

    def begin(self, entry: Entry) -> None:
        """Spend what a session that has begun holds."""
        if not entry.is_begun:
            self._burn(entry, "held", "spent")
        entry.is_begun = True

    def end(self, entry: Entry, drawn: Iterable[Drawn], percent: int) -> None:
        """Cancel a booking."""
        entry.status = "cancelled"
        self.give_back(entry, drawn, percent)

    def give_back(self, entry: Entry, drawn: Iterable[Drawn], percent: int) -> None:
        """Return this share of what was drawn from each lot, spend the rest (D3)."""
        for draw in drawn:
            back = -(-draw.held * percent // 100)
            if draw.kind == SESSIONS:
                back = draw.held if percent >= 50 else 0
            if entry.customer is not None:
                self.shift(entry.customer, draw.kind, back, "held", "available")
                self.shift(entry.customer, draw.kind, draw.held - back, "held", "spent")

    def affords(self, customer: int, burn: Counter[str]) -> bool:
        """Tell whether a purse pays for something."""
        purse = self.purses[customer]
        return all(purse[kind, "available"] >= quantity for kind, quantity in burn.items())

    def follow(
        self, found: Facts, allowed: frozenset[Change], coaches: frozenset[int], now: datetime
    ) -> Iterator[str]:
        """Take over what may have happened by itself; yield what may not, or is not on paper."""
        for booking in found.bookings.values():
            if booking.id not in self.entries and (None, booking.status) in allowed:
                self._adopt(booking, found, coaches, now)
            yield from self._status(booking, allowed, now)
        for booking_id, entry in self.entries.items():
            booking = found.bookings[booking_id]
            if entry.status in HOLDING:
                entry.frees_at = booking.frees_at
            if booking.is_begun and (None, "begun") in allowed:
                self.begin(entry)
            if booking.is_begun != entry.is_begun or booking.start != entry.asked.start:
                yield f"{booking} is on paper {entry}"

    def _adopt(self, booking: Booked, found: Facts, coaches: frozenset[int], now: datetime) -> None:
        """Note a booking that a queue has made, with the bay and the coach that it names."""
        mine = [each for each in found.taken if each.booking_id == booking.id]
        bays = [each.resource_id for each in mine if each.pinned]
        named = [each.resource_id for each in mine if each.resource_id in coaches]
        asked = Asked(
            booking.start,
            booking.end - booking.start,
            booking.simulators,
            bays[0] if bays else None,
            booking.coaching,
            named[0] if named and not booking.any_coach else None,
            booking.coached_at,
        )
        entry = self.add(booking, asked)
        if booking.status == "confirmed":
            self.confirm(entry, now)

    def _status(self, booking: Booked, allowed: frozenset[Change], now: datetime) -> Iterator[str]:
        entry = self.entries.get(booking.id)
        if entry is None:
            yield f"{booking} is not on paper"
            return
        change = entry.status, booking.status
        if entry.status == booking.status:
            return
        lapsed = entry.frees_at is not None and entry.frees_at <= now
        if change not in allowed and not (lapsed and change in HELD_LAPSES):
            yield f"{booking} was {entry.status} on paper"
        entry.status, entry.frees_at = booking.status, booking.frees_at
        if change in PAID:
            entry.customer = booking.customer
            self.confirm(entry, now)

    def differences(self, found: Facts) -> Iterator[str]:
        """Yield every purse that is another in the database, and every payer's broken outcome."""
        for customer, purse in self.purses.items():
            if +purse != found.purse(customer):
                yield f"customer {customer} has {found.purse(customer)}, on paper {+purse}"
        for order, payer in self.payers.items():
            yield from _outcomes(found, order, payer, self.entries[payer.booking])

    def _burn(self, entry: Entry, source: str, target: str) -> None:
        if entry.customer is not None:
            for kind, quantity in entry.burn.items():
                self.shift(entry.customer, kind, quantity, source, target)


def _outcomes(found: Facts, order: int, payer: Payer, entry: Entry) -> Iterator[str]:
    """Yield it where a payer has not exactly one of: the booking, the credits, the refund."""
    lots = [lot for lot in found.lots.values() if lot["order_id"] == order]
    granted: Counter[str] = Counter()
    for lot in lots:
        granted[lot["kind"]] += lot["granted"]
    if granted != payer.granted:
        yield f"order {order} granted {granted}, it bought {payer.granted}"
    pays = [each for each in found.draws if each.booking == payer.booking and each.order == order]
    booked = found.bookings[payer.booking].order_id == order
    if booked != (payer.outcome in ("confirmed", "recovered")):
        yield f"order {order} came to {payer.outcome}, its booking is {booked}"
    is_open = entry.status in LIVE and entry.moves == 0 and not entry.is_begun
    if booked and is_open and not pays:
        yield f"order {order} has a booking for which somebody else paid"
    if payer.outcome == "credited" and any(each.held for each in pays) and entry.moves == 0:
        yield f"order {order} has its credits and pays for its hold too"
    left = sum(lot["available"] for lot in lots)
    if payer.is_refunded and left:
        yield f"order {order} was refunded and has {left} left"
