"""Whatever happens to an order and its payment, in whatever order it is told, ends alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, func, select

from booking_engine.attention import AttentionItem
from booking_engine.booking.models import Booking
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.debts import DebtEntry
from booking_engine.ledger.models import Lot, Transfer
from shopify_gateway.disputes import Dispute
from shopify_gateway.order import Order
from tests.factories.desk import broken_promises
from tests.factories.ledger import grant_lot
from tests.factories.shop_orders import make_line, make_order, post, wallet_sums
from tests.factories.studio import HOUR, PACKAGE, apply_demo, demo_text, make_wallet
from tests.factories.takebacks import (
    SINCE,
    begin,
    book_hours,
    make_dispute,
    owed,
    play_hours,
    refunded,
    states,
    sweep,
    taken_back,
    tell,
)

MINUTE, HOURS = timedelta(minutes=1), timedelta(hours=1)
NOW = SINCE + HOURS


@dataclass(frozen=True)
class Life:
    """What was bought and used, what happened then, in which order and how often it was told."""

    policy: str
    other: int
    played: int
    told: list[Order | Dispute]
    turn: list[int]


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Draw an order of a package and three hours: refunds only grow, a cancellation is the end."""
    order = make_order(make_line(PACKAGE), make_line(HOUR, 3, number=2))
    lefts = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=3))
    told: list[Order | Dispute] = []
    package, hours = 1, 3
    for number, (left, fewer) in enumerate(lefts):
        package, hours = min(package, left), min(hours, fewer)
        told.append(taken_back(order, package, hours, at=SINCE + number * MINUTE))
    at = SINCE + 10 * MINUTE
    if draw(st.booleans()):
        amount = draw(st.integers(1, 535_00))
        order = replace(refunded(order, amount, at=at), lines=_lines(told, order))
        told.append(order)
    if draw(st.booleans()):
        last = taken_back(order, 0, 0, at=at + MINUTE, is_cancelled=True)
        told.append(last)
    if draw(st.booleans()):
        told.append(make_dispute(kind=draw(st.sampled_from(["inquiry", "chargeback"]))))
        ends = st.sampled_from(["won", "lost", "accepted", "under_review"])
        told.append(make_dispute(draw(ends), ended=SINCE + 20 * MINUTE))
    turn = draw(st.permutations([*range(len(told)), *range(len(told))]))
    return Life(
        draw(st.sampled_from(["forgive", "debt"])),
        draw(st.sampled_from([0, 1000])),
        draw(st.integers(0, 5)),
        told,
        list(turn),
    )


def _lines(told: list[Order | Dispute], order: Order) -> Any:
    states = [each for each in told if isinstance(each, Order)]
    return states[-1].lines if states else order.lines


def end_of(session: Session, life: Life, turn: list[int]) -> dict[str, object]:
    """Live a life in a studio of its own, which is undone, and return how it ends."""
    with undone(session):
        return _end_of(session, life, turn)


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """Undo whatever is written inside."""
    savepoint = session.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()
        session.expire_all()


def _end_of(session: Session, life: Life, turn: list[int]) -> dict[str, object]:
    text = demo_text(
        **{
            "bay_freeze_minutes = 120": f'bay_freeze_minutes = 120\nshortfall = "{life.policy}"',
            "birdie-bay": "other-bay",
        }
    )
    studio = apply_demo(session, text)
    post(session, studio, make_order(make_line(PACKAGE), make_line(HOUR, 3, number=2)))
    play_hours(session, studio, life.played)
    held = book_hours(session, studio, *(SINCE + hours * HOURS for hours in (5, 10, 30, 55)))
    if life.other:
        grant_lot(session, studio, make_wallet(session, studio), "other", life.other)
    for number in turn:
        _tell(session, studio, life.told[number])
    written = _counts(session)
    again = [_tell(session, studio, each).changed for each in life.told]
    assert not any(again)
    assert _counts(session) == written
    lots = session.exec(select(Lot).execution_options(populate_existing=True)).all()
    assert all(0 <= lot.revoked <= lot.granted for lot in lots)
    found: dict[str, object] = {"now": _picture(session, studio, held)}
    sweep(session, NOW + timedelta(hours=24))
    begin(session, SINCE + timedelta(days=9))
    found["later"] = _picture(session, studio, held)
    assert broken_promises(session) == []
    return found


def _tell(session: Session, studio: Studio, told: Order | Dispute) -> Any:
    if isinstance(told, Dispute):
        return tell(session, studio, told, now=NOW)
    return post(session, studio, told, NOW)


def _picture(session: Session, studio: Studio, held: list[Any]) -> object:
    kinds = session.exec(
        select(AttentionItem.kind, AttentionItem.key)
        .where(col(AttentionItem.resolved_at).is_(None))
        .order_by(col(AttentionItem.kind))
    ).all()
    listed = sorted({kind for kind, _ in kinds})
    return wallet_sums(session), states(session, held), owed(session, studio), listed


def _counts(session: Session) -> list[int]:
    tables = (Transfer, AttentionItem, DebtEntry, Lot, Booking)
    return [session.exec(select(func.count()).select_from(table)).one() for table in tables]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(life=lives())
def test_every_way_to_tell_a_life_ends_alike(session: Session, life: Life) -> None:
    in_order = list(range(len(life.told)))

    assert end_of(session, life, life.turn) == end_of(session, life, in_order)
