"""Lives of orders, told badly: shuffled, doubled, lost. One audit, and it is as if told well.

Nobody plays in these lives, so what stands at the end is a matter of the orders' last states.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlmodel import Session, func, select

from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Lot, Transfer
from connector.runtime import Runtime
from shopify_gateway import orders
from shopify_gateway.order import Order
from tests.factories.shop_orders import make_line, make_order
from tests.factories.studio import COACHING, HOUR, NOW, PACKAGE

DROPPED, COPIES = 0.3, (1, 2, 3)
Standing = dict[tuple[int, int, str], tuple[int, int]]  # order, line, kind: units, credits


@dataclass
class Tally:
    """What was told, what the audits wrote, and where the two ledgers differ."""

    orders: int = 0
    states: int = 0
    deliveries: int = 0
    dropped: int = 0
    repaired: int = 0
    written_by_second_audit: int = 0
    wrong: list[str] = field(default_factory=list)


def run(told: Runtime, plain: Runtime, *, number: int, seed: int) -> Tally:
    """Tell so many lives badly in one house, their ends once in another, and compare."""
    draw = random.Random(seed)
    lives = [list(_life(draw, 10_000 + each)) for each in range(number)]
    tally = Tally(orders=number, states=sum(map(len, lives)))
    deliveries: list[Order] = []
    for life in lives:
        for state in life:
            copies = 0 if draw.random() < DROPPED else draw.choice(COPIES)
            tally.dropped += copies == 0
            deliveries += [state] * copies
    draw.shuffle(deliveries)
    tally.deliveries = len(deliveries)
    ends = [life[-1] for life in lives]
    now = max(end.updated_at for end in ends)
    for order in deliveries:
        with told.transaction() as session:
            orders.converge(session, studio=_studio(session), order=order, now=now)
    tally.repaired = _audit(told, ends)
    before = _transfers(told)
    tally.written_by_second_audit = _audit(told, ends) + _transfers(told) - before
    _audit(plain, ends)
    tally.wrong = differences(standing(told), standing(plain))
    if tally.written_by_second_audit:
        tally.wrong.append(f"a second audit wrote {tally.written_by_second_audit} times")
    return tally


def standing(house: Runtime) -> Standing:
    """Return which units stand and what they have, per order, line and kind."""
    found: Standing = {}
    with house.transaction() as session:
        for lot in session.exec(select(Lot)):
            if lot.withdrawn_at is None:
                key = lot.order_id or 0, lot.line_item_id or 0, lot.kind.value
                units, credits = found.get(key, (0, 0))
                found[key] = units + 1, credits + lot.available
    return found


def differences(told: Standing, plain: Standing) -> list[str]:
    """Return in words what stands in one ledger and not so in the other."""
    return [
        f"{key}: {told.get(key)} told badly, {plain.get(key)} told well"
        for key in sorted(told.keys() | plain.keys())
        if told.get(key) != plain.get(key)
    ]


def _life(draw: random.Random, number: int) -> Iterator[Order]:
    """Yield an order's states, from unpaid to one that is settled; time passes between them."""
    lines = [
        make_line(draw.choice([HOUR, COACHING, PACKAGE]), draw.randint(1, 4), number=place)
        for place in range(draw.randint(1, 2))
    ]
    first = make_order(*lines, id=number, customer=number, status="pending")
    state = first
    yield state
    if draw.random() < 0.1:
        yield _later(draw, state, status="voided", cancelled=True)
        return
    state = _later(draw, state, status="paid")
    yield state
    for _ in range(draw.randint(0, 5)):
        deed = draw.choice(["edit", "unedit", "refund", "wait", "cancel"])
        if deed == "edit":
            state = _cut(draw, state, status="partially_paid")
            yield state
            state = _later(draw, state, status="paid")
        elif deed == "unedit":
            state = _later(draw, replace(state, lines=first.lines), status="paid")
        elif deed == "refund":
            state = _cut(draw, state, status="partially_refunded")
        elif deed == "wait":
            state = _later(draw, state)
        else:
            yield _cut(draw, state, status="refunded", cancelled=True, left=0)
            return
        yield state


def _cut(
    draw: random.Random, order: Order, *, status: str, cancelled: bool = False, left: int = 4
) -> Order:
    """Return the order with some lines at another quantity, never more than was bought."""
    lines = tuple(
        replace(line, current_quantity=draw.randint(0, min(left, line.quantity)))
        for line in order.lines
    )
    return _later(draw, replace(order, lines=lines), status=status, cancelled=cancelled)


def _later(
    draw: random.Random, order: Order, *, status: str | None = None, cancelled: bool = False
) -> Order:
    return replace(
        order,
        updated_at=order.updated_at + timedelta(seconds=draw.randint(1, 90_000)),
        financial_status=status or order.financial_status,
        is_cancelled=cancelled,
    )


def _audit(house: Runtime, ends: Iterable[Order]) -> int:
    """Read every order once, as the audit does; returns how many made a difference."""
    changed = 0
    for order in ends:
        with house.transaction() as session:
            posted = orders.converge_read(
                session, studio=_studio(session), order=order, now=NOW + timedelta(days=60)
            )
            changed += posted.changed
    return changed


def _studio(session: Session) -> Studio:
    return queries.load(session, studio_id=queries.only_id(session))


def _transfers(house: Runtime) -> int:
    with house.transaction() as session:
        return session.exec(select(func.count()).select_from(Transfer)).one()
