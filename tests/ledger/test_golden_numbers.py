"""The golden numbers of credits and money, to the minute and to the cent; each cites its number.

Bucket letters: available, held, spent, expired, revoked; `sim` counts minutes, `coa` sessions.
"""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import bookings, decisions
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits
from booking_engine.ledger.models import Lot, Transfer
from tests.factories.desk import broken_promises
from tests.factories.ledger import MINUTES, buckets, grant_lot
from tests.factories.shop_orders import make_line, make_order, place_hold, post, wallet_sums
from tests.factories.studio import (
    COACHING,
    HOUR,
    NOW,
    PACKAGE,
    apply_demo,
    demo_text,
    make_request,
    make_wallet,
    toronto,
)
from tests.factories.takebacks import (
    DAY,
    PACKAGE_ORDER,
    SINCE,
    begin,
    book_hours,
    give_package,
    make_dispute,
    open_items,
    owed,
    play_hours,
    refunded,
    states,
    sweep,
    taken_back,
    tell,
)

SECOND = timedelta(seconds=1)


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


def test_1_a_package_is_one_lot_however_often_it_is_told(session: Session, studio: Studio) -> None:
    order = make_order(make_line(PACKAGE))

    told = [post(session, studio, order, NOW + number * SECOND).changed for number in range(4)]

    lot = session.exec(select(Lot)).one()
    assert told == [True, False, False, False]
    assert (lot.granted, lot.available, lot.paid_minor) == (600, 600, 400_00)
    assert lot.expires_at == datetime(2027, 11, 21, 5, tzinfo=UTC)
    assert len(session.exec(select(Transfer)).all()) == 1


def test_2_a_cart_of_three_hours_and_a_coaching(session: Session, studio: Studio) -> None:
    six, seven = toronto(2026, 11, 25, 18), toronto(2026, 11, 25, 19)
    wanted = make_request(six, 180, coaching=CoachingRequest(60, "ana", seven))
    hold = place_hold(session, studio, wanted)
    lines = make_line(HOUR, 3, hold=hold.id), make_line(COACHING, number=2, hold=hold.id)

    post(session, studio, make_order(*lines))

    lots = session.exec(select(Lot).order_by(col(Lot.source))).all()
    assert [(lot.kind.value[:3], lot.granted) for lot in lots] == [("sim", 60)] * 3 + [("coa", 1)]
    assert wallet_sums(session) == {"sim H": 180, "coa H": 1}
    begin(session, six - SECOND)
    assert wallet_sums(session) == {"sim H": 180, "coa H": 1}
    begin(session, six)
    assert wallet_sums(session) == {"sim S": 180, "coa S": 1}


def test_3_the_lot_that_ends_first_pays_first_and_gets_its_own_back(session: Session) -> None:
    by_the_half_hour = {
        "minutes = [60, 120,": "minutes = [60, 90, 120,",
        "simulator_minutes = 60, per_minutes = 60": "simulator_minutes = 30, per_minutes = 30",
    }
    studio = apply_demo(session, demo_text(**by_the_half_hour))
    wallet = make_wallet(session, studio)
    grant_lot(session, studio, wallet, "x", 60, expires_at=datetime(2026, 12, 1, 5, tzinfo=UTC))
    grant_lot(session, studio, wallet, "y", 120)
    start, too_late = toronto(2026, 11, 28, 18), toronto(2026, 12, 2, 18)
    asked = {"studio": studio, "wallet_id": wallet.id, "actor": "test", "now": NOW}

    booking = bookings.book(session, request=make_request(start, 90), **asked)

    assert buckets(session, "x") == {"held": 60}
    assert buckets(session, "y") == {"available": 90, "held": 30}
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booking.id,
        actor=Actor.CUSTOMER,
        reason="test",
        now=start - timedelta(hours=30),
    )
    assert buckets(session, "x") == {"available": 30, "spent": 30}
    assert buckets(session, "y") == {"available": 105, "spent": 15}
    bookings.book(session, request=make_request(too_late, 90), **asked)
    assert buckets(session, "x") == {"available": 30, "spent": 30}
    assert buckets(session, "y") == {"available": 15, "held": 90, "spent": 15}


@pytest.mark.parametrize(
    ("left", "items", "short"),
    [(2, [], None), (1, ["refund_shortfall"], {"simulator_minutes": 60})],
    ids=["one unit", "two units"],
)
def test_4_a_refund_takes_what_is_unused_and_no_more(
    session: Session,
    studio: Studio,
    left: int,
    items: list[str],
    short: dict[str, int] | None,
) -> None:
    order = make_order(make_line(HOUR, 3))
    post(session, studio, order)
    play_hours(session, studio, 2)

    for _ in range(2):
        post(session, studio, taken_back(order, left, at=SINCE))

    found = open_items(session)
    wallet = make_wallet(session, studio)
    owned = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id)
    assert wallet_sums(session) == {"sim S": 120, "sim R": 60}
    assert credits.balance(owned, now=SINCE)[MINUTES] == {"available": 0, "held": 0}
    assert sorted(found) == items
    assert [item.facts["credits"] for item in found.values()] == ([short] if short else [])
    assert [item.facts["value_minor"] for item in found.values()] == ([45_00] if short else [])
    assert owed(session, studio) == 0


def test_5_a_refunded_package_leaves_its_sessions_a_day_to_be_paid(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    play_hours(session, studio, 4)
    to_come = book_hours(session, studio, SINCE + 4 * DAY, SINCE + 5 * DAY)
    assert wallet_sums(session) == {"sim S": 240, "sim H": 120, "sim A": 240}

    for _ in range(2):
        post(session, studio, taken_back(PACKAGE_ORDER, 0, at=SINCE), SINCE)

    assert wallet_sums(session) == {"sim S": 240, "sim H": 120, "sim R": 240}
    assert states(session, to_come) == ["confirmed unpaid"] * 2
    sweep(session, SINCE + DAY - SECOND)
    assert states(session, to_come) == ["confirmed unpaid"] * 2
    sweep(session, SINCE + DAY)
    assert states(session, to_come) == ["cancelled"] * 2
    assert wallet_sums(session) == {"sim S": 240, "sim R": 360}
    short = open_items(session)["refund_shortfall"].facts
    assert (short["credits"], short["value_minor"]) == ({"simulator_minutes": 240}, 160_00)
    assert owed(session, studio) == 0
    assert broken_promises(session) == []


def test_6_money_without_a_line_moves_nothing_and_proposes_its_share(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    play_hours(session, studio, 4)

    for _ in range(2):
        post(session, studio, refunded(PACKAGE_ORDER, 200_00, at=SINCE))

    assert wallet_sums(session) == {"sim S": 240, "sim A": 360}
    item = open_items(session)[attention.MONEY_REFUND]
    assert item.facts["proposed"] == {"simulator_minutes": 180}
    decisions.settle(
        session,
        studio=studio,
        item_id=item.id,
        choice=attention.REVOKE,
        by="staff:owner",
        reason="as agreed",
        now=SINCE,
    )
    post(session, studio, refunded(PACKAGE_ORDER, 200_00, at=SINCE + DAY))
    assert wallet_sums(session) == {"sim S": 240, "sim A": 180, "sim R": 180}
    assert open_items(session) == {}


def test_7_a_lost_dispute_takes_what_is_left_and_leaves_a_debt(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    play_hours(session, studio, 3)
    soon, late = book_hours(session, studio, SINCE + timedelta(hours=10), SINCE + 5 * DAY)

    tell(session, studio, make_dispute(), now=SINCE)

    wallet = make_wallet(session, studio)
    owned = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id)
    assert wallet_sums(session) == {"sim S": 180, "sim H": 120, "sim A": 300}
    assert credits.balance(owned, now=SINCE)[MINUTES] == {"available": 0, "held": 120}
    assert states(session, [soon, late]) == ["confirmed", "confirmed"]
    begin(session, SINCE + timedelta(hours=10))
    assert wallet_sums(session) == {"sim S": 240, "sim H": 60, "sim A": 300}

    lost = make_dispute("lost", ended=SINCE + 2 * DAY)
    for _ in range(2):
        tell(session, studio, lost, now=SINCE + 2 * DAY)

    assert wallet_sums(session) == {"sim S": 240, "sim R": 360}
    assert states(session, [late]) == ["cancelled"]
    assert owed(session, studio) == 160_00
    before = len(session.exec(select(Transfer)).all())
    post(session, studio, taken_back(PACKAGE_ORDER, 0, at=SINCE + 3 * DAY))
    assert wallet_sums(session) == {"sim S": 240, "sim R": 360}
    assert owed(session, studio) == 160_00
    assert len(session.exec(select(Transfer)).all()) == before
    assert sorted(open_items(session)) == ["dispute_lost"]
    assert broken_promises(session) == []
