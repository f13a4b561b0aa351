"""The ledger as a child would keep it on paper: slips, sessions, and what was sold to whom."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.factories.shopify_bodies import order_body
from tests.prove.ledger_facts import BUCKETS, BookingRow, Facts, LotRow

MINUTES, SESSIONS = "simulator_minutes", "coaching_sessions"
HOUR, COACHING, PACKAGE = 44000000000001, 44000000000002, 44000000000003
TRIAL = 44000000000004  # both kinds, for some days
GRANTS = {
    HOUR: {MINUTES: 60},
    COACHING: {SESSIONS: 1},
    PACKAGE: {MINUTES: 600},
    TRIAL: {MINUTES: 120, SESSIONS: 1},
}
PRICES = {HOUR: "45.00", COACHING: "60.00", PACKAGE: "400.00", TRIAL: "99.99"}
PAID = ("paid", "partially_refunded", "refunded")
TIERS = ((48, 100), (24, 50))
GRACE, GRACE_AHEAD = timedelta(minutes=10), timedelta(hours=2)
DAY = timedelta(days=1)


@dataclass
class Slip:
    """A lot; `taken` is what people took of it, apart from what the shop took back."""

    person: int
    id: UUID
    kind: str
    expires_at: datetime | None
    granted_at: datetime
    order: int | None
    is_paid: bool
    has: Counter[str]
    is_frozen: bool = False
    is_gone: bool = False
    swept: int = 0
    taken: int = 0

    def move(self, source: str, target: str, quantity: int) -> None:
        """Move credits between two buckets."""
        self.has[source] -= quantity
        self.has[target] += quantity

    def lives(self, at: datetime) -> bool:
        """Tell whether it has not expired."""
        return self.expires_at is None or at < self.expires_at

    def turn(self) -> tuple[Any, ...]:
        """Return the order of use: soonest expiry, given before paid, oldest."""
        ends = self.expires_at or datetime.max.replace(tzinfo=self.granted_at.tzinfo)
        return self.expires_at is None, ends, self.is_paid, self.granted_at, self.id


@dataclass
class Play:
    """A booked session."""

    person: int
    starts_at: datetime
    needs: dict[str, int]
    booked_at: datetime
    minutes: int
    moves: int = 0
    cap: int = 100
    is_live: bool = True
    is_begun: bool = False
    due_at: datetime | None = None
    draws: dict[str, int] = field(default_factory=dict)

    def percent(self, now: datetime) -> int:
        """Return what its customer gets back of it now (D3, D4)."""
        if self.due_at is not None:
            return 100
        ahead = self.starts_at - now
        if now - self.booked_at <= GRACE and ahead > GRACE_AHEAD:
            return self.cap
        tier = next((share for hours, share in TIERS if ahead >= timedelta(hours=hours)), 0)
        return min(tier, self.cap)


@dataclass
class Sold:
    """A line of an order; `stands` are the units that should stand in the ledger."""

    variant: int
    quantity: int
    current: int
    stands: int = 0

    @property
    def grants(self) -> dict[str, int]:
        """Return what one unit is worth."""
        return GRANTS[self.variant]


@dataclass
class Sale:
    """An order as the shop has it."""

    id: int
    customer: int
    lines: list[Sold]
    ordered_at: datetime
    updated_at: datetime
    status: str = "paid"
    is_cancelled: bool = False
    refunds: list[dict[str, Any]] = field(default_factory=list)
    dispute: str | None = None
    disputed_at: datetime | None = None

    @property
    def is_lost(self) -> bool:
        """Tell whether the bank took the money back."""
        return self.dispute == "lost"

    def settle(self) -> None:
        """Say which units should stand, now that the order is as it is."""
        for line in self.lines:
            if self.is_lost or self.is_cancelled:
                line.stands = 0
            elif self.status in PAID:
                line.stands = line.current
            else:
                line.stands = min(line.current, line.stands)

    def body(self) -> dict[str, Any]:
        """Return the body of its delivery."""
        return order_body(
            self.id,
            status=self.status,
            customer=self.customer,
            created_at=self.ordered_at.isoformat(),
            processed_at=self.ordered_at.isoformat(),
            updated_at=self.updated_at.isoformat(),
            cancelled_at=self.updated_at.isoformat() if self.is_cancelled else None,
            refunds=list(self.refunds),
            line_items=[
                {
                    "id": self.line_id(number),
                    "variant_id": line.variant,
                    "quantity": line.quantity,
                    "current_quantity": line.current,
                    "price": PRICES[line.variant],
                    "discount_allocations": [],
                    "properties": [],
                }
                for number, line in enumerate(self.lines)
            ],
        )

    def line_id(self, number: int) -> int:
        """Return the shop's id of a line."""
        return self.id * 10 + number


@dataclass
class Paper:
    """Everything that is noted."""

    slips: dict[str, Slip] = field(default_factory=dict)
    plays: dict[UUID, Play] = field(default_factory=dict)
    sales: dict[int, Sale] = field(default_factory=dict)
    erased: set[int] = field(default_factory=set)

    def of(self, person: int) -> list[Slip]:
        """Return a person's slips."""
        return [slip for slip in self.slips.values() if slip.person == person]

    def balance(self, person: int, kind: str, now: datetime) -> int:
        """Return what somebody could spend now."""
        return sum(
            slip.has["available"]
            for slip in self.of(person)
            if slip.kind == kind and self._is_usable(slip) and slip.lives(now)
        )

    def share_out(
        self, person: int, needs: dict[str, int], starts_at: datetime, now: datetime
    ) -> dict[str, int] | None:
        """Return what of which slips pays; None where there is too little."""
        shares: dict[str, int] = {}
        for kind, needed in needs.items():
            missing = needed
            for source, slip in sorted(self.slips.items(), key=lambda each: each[1].turn()):
                alive = slip.lives(starts_at) and slip.lives(now) and self._is_usable(slip)
                if slip.person != person or slip.kind != kind or not alive:
                    continue
                share = min(slip.has["available"], missing)
                if share:
                    shares[source] = share
                    missing -= share
            if missing:
                return None
        return shares

    def hold(self, play: Play, shares: dict[str, int]) -> None:
        """Let slips pay for a session."""
        for source, quantity in shares.items():
            self.slips[source].move("available", "held", quantity)
        play.draws = dict(shares)

    def give_back(self, play: Play, percent: int, now: datetime) -> None:
        """Return this share of what a session holds, and spend the rest."""
        for source, held in play.draws.items():
            slip = self.slips[source]
            back = -(-held * percent // 100)
            if slip.kind == SESSIONS:
                back = held if percent >= 50 else 0
            home = "available" if slip.lives(now) else "expired"
            slip.move("held", "revoked" if slip.is_gone else home, back)
            slip.move("held", "spent", held - back)
        play.draws = {}

    def waits(self, person: int) -> bool:
        """Tell whether somebody has sessions that wait for money."""
        return any(
            play.person == person and play.is_live and play.due_at is not None
            for play in self.plays.values()
        )

    def grant(self, source: str, row: LotRow, person: int) -> Slip:
        """Note a lot that is new."""
        slip = Slip(
            person,
            row.id,
            row.kind,
            row.expires_at,
            row.granted_at,
            row.order_id,
            row.paid_minor > 0,
            Counter(available=row.granted),
        )
        self.slips[source] = slip
        return slip

    def follow(self, person: int, found: Facts) -> None:
        """Take over how somebody's slips and sessions stand."""
        by_id = {row.id: source for source, row in found.lots.items()}
        for source, slip in self.slips.items():
            if slip.person == person:
                row = found.lots[source]
                slip.has = Counter({bucket: getattr(row, bucket) for bucket in BUCKETS})
                slip.expires_at, slip.swept = row.expires_at, row.swept
                slip.is_frozen = row.frozen_at is not None
                slip.is_gone = row.withdrawn_at is not None
        for booking, play in self.plays.items():
            if play.person == person:
                self._follow(play, found.bookings[booking])
                draws = found.draws.get(booking, {})
                play.draws = {by_id[lot]: held for lot, held in draws.items()}

    def _follow(self, play: Play, row: BookingRow) -> None:
        play.is_live = row.status in ("confirmed", "checked_in", "completed", "no_show")
        play.is_begun, play.due_at = row.begun_at is not None, row.due_at

    def _is_usable(self, slip: Slip) -> bool:
        return not slip.is_frozen and slip.person not in self.erased
