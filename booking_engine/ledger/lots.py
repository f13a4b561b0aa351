"""Which lots pay, and in which order. Pure (product rules D1 and D3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from booking_engine import eligibility
from booking_engine.eligibility import Facts, Frozen
from booking_engine.ledger.models import CreditKind

PROCEEDS_WITHIN = timedelta(hours=24)
NEVER = datetime.max.replace(tzinfo=UTC)


class Purse(Protocol):
    """What decides whether and when a lot pays: a `Lot`, or `Funds` read of one."""

    @property
    def id(self) -> UUID: ...  # noqa: D102 - as in `Lot`
    @property
    def kind(self) -> CreditKind: ...  # noqa: D102
    @property
    def available(self) -> int: ...  # noqa: D102
    @property
    def priority(self) -> int: ...  # noqa: D102
    @property
    def paid_minor(self) -> int: ...  # noqa: D102
    @property
    def order_id(self) -> int | None: ...  # noqa: D102
    @property
    def expires_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def granted_at(self) -> datetime: ...  # noqa: D102
    @property
    def frozen_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def only_for(self) -> Frozen | None: ...  # noqa: D102


class Funds(NamedTuple):
    """What is read of a lot to pay with it."""

    id: UUID
    kind: CreditKind
    available: int
    priority: int
    paid_minor: int
    order_id: int | None
    expires_at: datetime | None
    granted_at: datetime
    frozen_at: datetime | None
    only_for: Frozen | None = None

    @classmethod
    def read(cls, row: Sequence[Any]) -> "Funds":
        """Read a row of `SPENDABLE`, from the driver or from its JSON."""
        lot_id, kind, *numbers, expires_at, granted_at, frozen_at, only_for = row
        return cls._make(
            (
                lot_id if isinstance(lot_id, UUID) else UUID(lot_id),
                CreditKind(kind),
                *numbers,
                *(_instant(each) for each in (expires_at, granted_at, frozen_at)),
                only_for,
            )
        )


# The lots of a wallet that have anything left; `Funds.read` reads its rows.
SPENDABLE = """
    SELECT id, kind, available, priority, paid_minor, order_id, expires_at, granted_at, frozen_at,
           only_for
    FROM lot
    WHERE studio_id = %(studio_id)s AND wallet_id = %(wallet_id)s AND available > 0
"""


def _instant(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


P = TypeVar("P", bound=Purse)


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


def is_live(lot: Purse, at: datetime) -> bool:
    """Tell whether the lot's credits exist at this instant; expiry needs no job to happen."""
    return lot.expires_at is None or at < lot.expires_at


def is_usable(lot: Purse, at: datetime) -> bool:
    """Tell whether the lot's credits can be drawn now: live, and their payment undisputed."""
    return lot.frozen_at is None and is_live(lot, at)


def at_risk(frozen_at: datetime | None, *, starts_at: datetime) -> bool:
    """Tell whether a session would go if the dispute that froze its lot were lost (D12).

    What begins within a day of the dispute proceeds in any case.
    """
    return frozen_at is not None and starts_at > frozen_at + PROCEEDS_WITHIN


def in_order_of_use(lots: Iterable[P]) -> list[P]:
    """Sort by priority, soonest expiry, promotional before paid, narrowest, oldest, id (D1)."""
    return sorted(
        lots,
        key=lambda lot: (
            lot.priority,
            lot.expires_at is None,
            lot.expires_at or NEVER,
            lot.paid_minor > 0,
            eligibility.thaw(lot.only_for).breadth,
            lot.granted_at,
            lot.id,
        ),
    )


def spendable(
    lots: Iterable[Purse],
    kind: CreditKind,
    *,
    starts_at: datetime,
    now: datetime,
    facts: Facts | None = None,
) -> int:
    """Return how much of a kind could pay for a session that starts then; see `can_pay`."""
    when = {"starts_at": starts_at, "now": now}
    return sum(
        lot.available for lot in lots if lot.kind is kind and can_pay(lot, **when, facts=facts)
    )


def share_out(
    lots: Iterable[Purse],
    kind: CreditKind,
    quantity: int,
    *,
    starts_at: datetime,
    now: datetime,
    facts: Facts | None = None,
) -> list[Share]:
    """Take `quantity` from the eligible lots in order of use; may come out short."""
    when = {"starts_at": starts_at, "now": now}
    eligible = [lot for lot in lots if lot.kind is kind and can_pay(lot, **when, facts=facts)]
    shares, missing = [], quantity
    for lot in in_order_of_use(eligible):
        taken = min(lot.available, missing)
        if taken > 0:
            shares.append(Share(lot.id, kind, taken))
            missing -= taken
    return shares


def can_pay(lot: Purse, *, starts_at: datetime, now: datetime, facts: Facts | None = None) -> bool:
    """Tell whether the lot can be drawn now for a session that starts then and has these facts.

    Without facts it is about no session in particular, and no limit to some of them counts (D1).
    """
    is_meant = facts is None or eligibility.thaw(lot.only_for).allows(facts)
    return is_meant and is_live(lot, starts_at) and is_usable(lot, now)


def returned(share: int, percent: int, kind: CreditKind) -> int:
    """Return what a cancellation gives back of one share (D3).

    Minutes round up in the customer's favour; an indivisible session comes back whole at 50 % or
    more, and not at all below.
    """
    if kind is CreditKind.COACHING_SESSIONS:
        return share if percent >= 50 else 0
    return -(-share * percent // 100)
