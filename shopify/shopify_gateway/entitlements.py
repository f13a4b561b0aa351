"""What an order entitles its buyer to: a pure function of the order's present state.

A paid unit of a known variant is worth one lot per kind that its product grants. Posting brings the
ledger to that, whatever was delivered before, twice, late or never (product rules D5, D6, D9, D15).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from booking_engine.catalog.studio import Product
from booking_engine.ledger import lots as lot_rules
from booking_engine.ledger.credits import Grant
from booking_engine.ledger.models import CreditKind, Lot
from shopify_gateway.order import Order, OrderLine

KINDS = tuple(CreditKind)


@dataclass(frozen=True, slots=True)
class Difference:
    """What the ledger lacks and what it has too much of, in whole units of one line."""

    grants: list[Grant]
    withdraw: list[Lot]
    reinstate: list[Lot]


def wanted_units(order: Order, line: OrderLine, granted_units: int) -> int:
    """Return how many units of a line should be standing.

    Only a fully paid order grants, and none whose payment was taken back in a dispute (D12). While
    an edited order waits for the rest of its money, the units that were paid before stand and new
    ones wait.
    """
    return 0 if order.is_lost else _kept_units(order, line, granted_units)


def _kept_units(order: Order, line: OrderLine, granted_units: int) -> int:
    """Return how many units the order itself leaves standing, whatever became of its disputes."""
    if order.is_paid:
        return line.current_quantity
    if order.is_open:
        return min(line.current_quantity, granted_units)
    return 0


def difference(
    order: Order, line: OrderLine, product: Product | None, lots: Iterable[Lot], zone: ZoneInfo
) -> Difference:
    """Compare one line of the order with the lots that it has made so far."""
    units = _units(lots)
    standing = [index for index, unit in units.items() if unit[0].withdrawn_at is None]
    fallen = [index for index in units if index not in standing]
    missing = wanted_units(order, line, len(standing)) - len(standing)
    grants: list[Grant] = []
    reinstate: list[Lot] = []
    withdraw: list[Lot] = []
    if missing > 0:
        most_used = sorted(fallen, key=lambda index: (*_unused(units[index]), index))
        back = most_used[:missing]
        reinstate = [lot for index in back for lot in units[index]]
        if product is not None:
            first = max(units, default=-1) + 1
            new = range(first, first + missing - len(back))
            grants = [
                grant for index in new for grant in _grants(order, line, product, index, zone)
            ]
    elif missing < 0:
        least_used = sorted(
            standing, key=lambda index: (*_unused(units[index]), index), reverse=True
        )
        withdraw = [lot for index in least_used[:-missing] for lot in units[index]]
    return Difference(grants, withdraw, reinstate)


def refunded(order: Order, line: OrderLine | None, lots: Iterable[Lot]) -> set[UUID]:
    """Return the lots of a line whose units are gone by refund, edit or cancellation.

    Of a lost order all units are gone; those that the order itself gave up are then the least used.
    """
    units = _units(lots)
    fallen = [index for index, unit in units.items() if unit[0].withdrawn_at is not None]
    if order.is_lost and line is not None:
        gone = max(0, len(units) - _kept_units(order, line, len(units)))
        fallen.sort(key=lambda index: (*_unused(units[index]), index), reverse=True)
        fallen = fallen[:gone]
    return {lot.id for index in fallen for lot in units[index]}


def paid_amounts(line: OrderLine, lots: Iterable[Lot]) -> dict[UUID, int]:
    """Return what each lot of a line was paid with, now that its discounts are what they are.

    Units that were used keep their amount; the rest of the line's money goes evenly to the others,
    so that all units together are the line (D6, D15).
    """
    units = _units(lots)
    used = {index for index, unit in units.items() if any(lot.spent for lot in unit)}
    kept = sum(lot.paid_minor for index in used for lot in units[index])
    others = [index for index in range(max(line.quantity, *units, 0)) if index not in used]
    if not others:
        return {}
    each, rest = divmod(max(0, line.paid_minor - kept), len(others))
    amounts = {}
    for place, index in enumerate(others):
        unit = sorted(units.get(index, ()), key=lambda lot: KINDS.index(lot.kind))
        shares = _split(each + (1 if place < rest else 0), max(1, len(unit)))
        amounts.update({lot.id: share for lot, share in zip(unit, shares, strict=False)})
    return amounts


def paid_share(line: OrderLine, index: int) -> int:
    """Return what one unit was paid with; cents that do not divide go to the first units (D15)."""
    if line.quantity <= 0:
        return 0
    each, rest = divmod(line.paid_minor, line.quantity)
    return each + (1 if index < rest else 0)


def _units(lots: Iterable[Lot]) -> Mapping[int, Sequence[Lot]]:
    units: dict[int, list[Lot]] = {}
    for lot in lots:
        units.setdefault(lot.unit_index or 0, []).append(lot)
    return units


def _unused(unit: Sequence[Lot]) -> tuple[int, int]:
    """Return what was never used, and what is only held; revoked credits were never used."""
    return sum(lot.available + lot.revoked for lot in unit), sum(lot.held for lot in unit)


def _grants(
    order: Order, line: OrderLine, product: Product, index: int, zone: ZoneInfo
) -> list[Grant]:
    quantities = {
        CreditKind.SIMULATOR_MINUTES: product.simulator_minutes,
        CreditKind.COACHING_SESSIONS: product.coaching_sessions,
    }
    paid_on = order.ordered_at.astimezone(zone).date()
    expires_at: datetime | None = lot_rules.expiry(paid_on, product.valid_days, zone)
    granted = [(kind, quantity) for kind, quantity in quantities.items() if quantity]
    shares = _split(paid_share(line, index), len(granted))
    return [
        Grant(
            source=f"order:{order.id}:{line.id}:{index}:{kind.value}",
            kind=kind,
            quantity=quantity,
            expires_at=expires_at,
            order_id=order.id,
            line_item_id=line.id,
            unit_index=index,
            paid_minor=share,
            only_for=product.only.frozen(),
        )
        for (kind, quantity), share in zip(granted, shares, strict=True)
    ]


def _split(amount: int, parts: int) -> list[int]:
    return [amount // parts + (1 if number < amount % parts else 0) for number in range(parts)]
