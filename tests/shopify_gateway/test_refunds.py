"""What a refund, an edit or a cancellation takes back, and what becomes of sessions it had paid."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, func, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import decisions
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, debts, merging, takebacks
from booking_engine.ledger.debts import DebtOpen, Settlement
from booking_engine.ledger.models import Lot, Transfer
from shopify_gateway import orders, reading
from tests.factories.desk import broken_promises
from tests.factories.ledger import grant_lot, make_cause
from tests.factories.shop_orders import (
    later,
    make_line,
    make_order,
    place_hold,
    post,
    seats,
    wallet_sums,
)
from tests.factories.studio import (
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
    book_hours,
    give_package,
    open_items,
    owed,
    play_hours,
    refunded,
    states,
    taken_back,
)

HOURS = timedelta(hours=1)
SECOND = timedelta(seconds=1)
DEBT = {"bay_freeze_minutes = 120": 'bay_freeze_minutes = 120\nshortfall = "debt"'}


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


def refund_all(session: Session, studio: Studio, at: datetime = SINCE) -> None:
    post(session, studio, taken_back(PACKAGE_ORDER, 0, at=at), at)


def test_edit_unedit_and_edit_leave_what_one_edit_leaves(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    found = []

    for number, left in enumerate((0, 1, 0)):
        at = SINCE + number * HOURS
        post(session, studio, taken_back(PACKAGE_ORDER, left, at=at), at)
        found.append((wallet_sums(session), states(session, [booking_id]), [*open_items(session)]))

    assert found[0] == ({"sim H": 60, "sim R": 540}, ["confirmed unpaid"], ["booking_unfunded"])
    assert found[1] == ({"sim A": 540, "sim H": 60}, ["confirmed"], [])
    assert found[2] == found[0]
    assert broken_promises(session) == []


@pytest.mark.parametrize("other", [0, 60])
def test_a_cancelled_order_ends_its_sessions_at_once_unless_others_pay(
    session: Session, studio: Studio, other: int
) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    if other:
        grant_lot(session, studio, make_wallet(session, studio), "other", other)

    post(session, studio, taken_back(PACKAGE_ORDER, 0, at=SINCE, is_cancelled=True), SINCE)

    assert states(session, [booking_id]) == ["confirmed" if other else "cancelled"]
    assert wallet_sums(session) == {"sim R": 600, **({"sim H": 60} if other else {})}
    assert open_items(session) == {}


def test_a_deleted_order_is_a_cancelled_one(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    play_hours(session, studio, 2)

    for _ in range(2):
        orders.delete(session, studio=studio, order_id=5001, now=SINCE)
    post(session, studio, later(PACKAGE_ORDER, minutes=1), SINCE + DAY)

    item = open_items(session)["cancelled_after_delivery"]
    assert wallet_sums(session) == {"sim S": 120, "sim R": 480}
    assert item.facts["value_minor"] == 80_00
    assert [each["quantity"] for each in item.facts["sessions"]] == [60, 60]


@pytest.mark.parametrize(
    ("before", "status", "value"),
    [(SECOND, "cancelled", None), (0 * SECOND, "confirmed", 45_00)],
    ids=["a second before", "at the start"],
)
def test_an_order_cancelled_at_the_start_was_delivered(
    session: Session, studio: Studio, before: timedelta, status: str, value: int | None
) -> None:
    start = SINCE + 4 * DAY
    hold = place_hold(session, studio, make_request(start))
    order = make_order(make_line(hold=hold.id))
    post(session, studio, order)

    for _ in range(2):
        post(session, studio, later(order, 0, is_cancelled=True), start - before)

    found = open_items(session)
    assert states(session, [hold.booking_id]) == [status]
    assert [item.facts["value_minor"] for item in found.values()] == ([value] if value else [])
    assert list(found) == (["cancelled_after_delivery"] if value else [])


def test_what_a_person_settled_is_not_listed_again(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    play_hours(session, studio, 1)
    refund_all(session, studio)
    item = open_items(session)["refund_shortfall"]
    decisions.settle(
        session,
        studio=studio,
        item_id=item.id,
        choice="dismiss",
        by="staff:owner",
        reason="our gift",
        now=SINCE,
    )

    refund_all(session, studio, SINCE + DAY)

    assert open_items(session) == {}
    assert session.exec(select(func.count()).select_from(AttentionItem)).one() == 1


def test_by_policy_what_was_used_is_owed_until_it_is_settled(session: Session) -> None:
    studio = apply_demo(session, demo_text(**DEBT))
    give_package(session, studio)
    play_hours(session, studio, 4)
    wallet = make_wallet(session, studio)
    mine = {"studio_id": studio.id, "wallet_id": wallet.id}

    for _ in range(2):
        refund_all(session, studio)

    assert owed(session, studio) == 160_00
    with pytest.raises(DebtOpen) as refusal:
        debts.refuse(session, **mine)
    assert refusal.value.facts == {"owed_minor": 160_00}
    paid = Settlement(100_00, "order:5009", "staff:owner", "at the desk", SINCE)
    assert debts.settle(session, **mine, payment=paid) == 60_00
    refund_all(session, studio, SINCE + HOURS)
    assert owed(session, studio) == 60_00
    # The refund was a mistake and is edited back: what was paid meanwhile is the customer's.
    post(session, studio, taken_back(PACKAGE_ORDER, 1, at=SINCE + 2 * HOURS))
    assert owed(session, studio) == -100_00
    debts.refuse(session, **mine)
    causes = [entry.cause.value for entry in debts.of_wallet(session, **mine)]
    assert causes == ["refund", "settlement", "refund"]


def test_a_debt_goes_with_the_wallet_and_with_the_order(session: Session) -> None:
    studio = apply_demo(session, demo_text(**DEBT))
    give_package(session, studio)
    play_hours(session, studio, 4)
    refund_all(session, studio)
    kept, removed = (make_wallet(session, studio, number).id for number in (7002, 7001))

    merging.merge(
        session, studio_id=studio.id, kept=kept, removed=removed, reference="m", now=SINCE
    )

    assert (owed(session, studio, 7002), owed(session, studio, 7001)) == (160_00, 160_00)
    refund_all(session, studio, SINCE + HOURS)
    assert debts.owed(session, studio_id=studio.id, wallet_id=kept) == 160_00
    assert debts.owed(session, studio_id=studio.id, wallet_id=removed) == 0
    # The order belongs to somebody else after all, and what is owed for it goes along.
    debt = debts.OrderDebt(5001, 100_00, debts.DebtCause.REFUND)
    other = make_wallet(session, studio, 7003).id
    told = [
        debts.bring_to(
            session,
            studio_id=studio.id,
            wallet_id=other,
            debt=debt,
            actor="test",
            at=SINCE,
        )
        for _ in range(2)
    ]
    assert told == [True, False]
    assert debts.owed(session, studio_id=studio.id, wallet_id=kept) == 0
    assert debts.owed(session, studio_id=studio.id, wallet_id=other) == 100_00


def test_what_expired_is_part_of_the_shortfall(session: Session, studio: Studio) -> None:
    lot = give_package(session, studio)
    play_hours(session, studio, 1)
    credits.forfeit(
        session,
        studio_id=studio.id,
        wallet_id=lot.wallet_id,
        quantities={lot.kind: 60},
        key="late",
        cause=make_cause(SINCE),
    )

    refund_all(session, studio)

    facts = open_items(session)["refund_shortfall"].facts
    assert (facts["credits"], facts["value_minor"]) == ({"simulator_minutes": 120}, 80_00)


def test_each_of_two_refunds_without_lines_has_its_own_share(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    play_hours(session, studio, 4)
    for amounts in ((200_00,), (200_00, 200_00)):
        post(session, studio, refunded(PACKAGE_ORDER, *amounts, at=SINCE + len(amounts) * HOURS))
        item = open_items(session)["money_refund"]
        assert item.facts["proposed"] == {"simulator_minutes": 180}
        decisions.settle(
            session,
            studio=studio,
            item_id=item.id,
            choice="revoke",
            by="staff:owner",
            reason="as agreed",
            now=SINCE,
        )

    assert wallet_sums(session) == {"sim S": 240, "sim R": 360}
    assert broken_promises(session) == []


def test_what_people_revoked_does_not_come_back_with_an_unedit(
    session: Session, studio: Studio
) -> None:
    lot = give_package(session, studio)
    takebacks.revoke_share(
        session, lots=[lot], kind=lot.kind, quantity=180, cause=make_cause(SINCE)
    )

    for number, left in enumerate((0, 1)):
        at = SINCE + number * HOURS
        post(session, studio, taken_back(PACKAGE_ORDER, left, at=at), at)

    assert wallet_sums(session) == {"sim A": 420, "sim R": 180}


def test_a_proposal_ends_where_nothing_is_left_to_take(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    post(session, studio, refunded(PACKAGE_ORDER, 200_00, at=SINCE))
    assert list(open_items(session)) == ["money_refund"]

    gone = taken_back(refunded(PACKAGE_ORDER, 200_00, at=SINCE), 0, at=SINCE + DAY)
    post(session, studio, gone)

    assert open_items(session) == {}


def test_a_changed_discount_revalues_the_units_that_were_not_used(
    session: Session, studio: Studio
) -> None:
    order = make_order(make_line(HOUR, 3))
    post(session, studio, order)
    play_hours(session, studio, 1)
    cheaper = replace(order, updated_at=SINCE, lines=(replace(order.lines[0], paid_minor=90_00),))

    told = [post(session, studio, cheaper).changed for _ in range(2)]

    paid = {
        lot.spent: lot.paid_minor
        for lot in session.exec(select(Lot).execution_options(populate_existing=True))
    }
    assert paid == {60: 45_00, 0: 22_50}
    assert told == [True, False]


def test_another_variant_is_another_line(session: Session, studio: Studio) -> None:
    order = make_order(make_line(HOUR, 2))
    post(session, studio, order)

    swapped = make_order(
        make_line(HOUR, 2, current=0), make_line(PACKAGE, number=2), at=NOW + HOURS
    )
    post(session, studio, swapped)

    assert wallet_sums(session) == {"sim A": 600, "sim R": 120}


def test_test_orders_live_in_a_wallet_of_their_own(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio, make_request(toronto(2026, 11, 25, 20)))
    line = make_line(HOUR, 2, hold=hold.id)
    trial = later(make_order(line, make_line(123, number=2)), minutes=0, is_test=True)

    post(session, studio, trial)
    post(session, studio, make_order(id=5002))

    wallet = make_wallet(session, studio)
    owned = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id)
    assert [lot.order_id for lot in owned] == [5002]
    assert states(session, [hold.booking_id]) == ["confirmed"]
    assert reading.standing_units(session, studio_id=studio.id) == 1
    assert open_items(session) == {}
    # It was no test after all: what it granted is the customer's.
    post(session, studio, later(trial, minutes=1, is_test=False))
    owned = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id)
    assert sorted(lot.order_id or 0 for lot in owned) == [5001, 5001, 5002]


@pytest.mark.parametrize("status", ["voided", "expired"])
def test_an_order_that_is_never_paid_lets_its_slot_go(
    session: Session, studio: Studio, status: str
) -> None:
    hold = place_hold(session, studio)
    pending = make_order(make_line(hold=hold.id), status="pending")
    post(session, studio, pending)
    assert states(session, [hold.booking_id]) == ["awaiting_payment"]

    post(session, studio, later(pending, minutes=5, financial_status=status))

    assert states(session, [hold.booking_id]) == ["expired"]
    assert seats(session, hold.booking_id) == []
    assert session.exec(select(Transfer)).all() == []


def test_an_order_told_by_orders_updated_alone_ends_alike(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)
    updated = make_order(make_line(hold=hold.id), at=NOW + timedelta(minutes=3))

    post(session, studio, updated)

    assert states(session, [hold.booking_id]) == ["confirmed"]
    assert wallet_sums(session) == {"sim H": 60}
