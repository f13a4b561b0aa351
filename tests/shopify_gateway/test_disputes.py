"""Disputes over an order's payment: what they freeze, give back and take, however told."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import extensions
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import Lot
from connector.api.views import booking_view
from shopify_gateway import disputes, inbox, orders
from shopify_gateway.deliveries import UnreadableDelivery
from shopify_gateway.disputes import Dispute, UnreadableDispute, from_webhook, merged
from shopify_gateway.models import DeliveryState, ShopOrder, WebhookDelivery
from tests.factories.desk import broken_promises
from tests.factories.ledger import grant_lot
from tests.factories.people import PRIVACY
from tests.factories.shop_orders import make_line, make_order, post, wallet_sums
from tests.factories.studio import HOUR, apply_demo, demo_text, make_wallet
from tests.factories.takebacks import (
    DAY,
    PACKAGE_ORDER,
    SINCE,
    book_hours,
    booking_with,
    give_package,
    make_dispute,
    open_items,
    owed,
    play_hours,
    states,
    taken_back,
    tell,
)

HOURS = timedelta(hours=1)
BODY = {
    "id": 285332461850802050,
    "order_id": 5001,
    "type": "chargeback",
    "amount": "400.00",
    "currency": "CAD",
    "reason": "fraudulent",
    "network_reason_code": "4837",
    "status": "needs_response",
    "evidence_due_by": "2026-12-09T19:00:00-05:00",
    "evidence_sent_on": None,
    "finalized_on": None,
    "initiated_at": "2026-11-25T10:00:00-05:00",
}


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


def deliver(session: Session, studio: Studio, topic: str, body: Any, now: datetime = SINCE) -> str:
    """Let a worker understand one delivery."""
    delivery = WebhookDelivery(
        studio_id=studio.id,
        webhook_id="test",
        topic=topic,
        triggered_at=now.isoformat(),
        body=str(body).replace("'", '"').replace("None", "null").encode(),
        state=DeliveryState.PENDING,
        received_at=now,
        due_at=now,
    )
    return inbox.handle(session, delivery=delivery, privacy=PRIVACY, now=now)


def lot_now(session: Session) -> Lot:
    wanted = select(Lot).where(col(Lot.order_id) == 5001)
    return session.exec(wanted.execution_options(populate_existing=True)).one()


def test_a_delivery_is_read_whole() -> None:
    order_id, dispute = from_webhook(BODY, told_at=SINCE)

    assert order_id == 5001
    assert dispute == Dispute(
        id="285332461850802050",
        kind="chargeback",
        status="needs_response",
        told_at=SINCE,
        initiated_at=SINCE,
        amount_minor=400_00,
        reason="fraudulent",
        evidence_due_at=datetime(2026, 12, 10, tzinfo=UTC),
    )
    assert disputes.read(disputes.stored([dispute])) == (dispute,)


@pytest.mark.parametrize(
    "change",
    [{"id": None}, {"order_id": None}, {"status": ...}, {"amount": "much"}, {"initiated_at": "x"}],
)
def test_what_is_no_dispute_is_refused(change: dict[str, Any]) -> None:
    body = {name: value for name, value in (BODY | change).items() if value is not ...}

    with pytest.raises(UnreadableDispute):
        from_webhook(body, told_at=SINCE)


STATES = st.builds(
    lambda kind, status, hours, ended: make_dispute(
        status, kind=kind, ended=SINCE + hours * HOURS if ended else None
    ),
    st.sampled_from(["inquiry", "chargeback"]),
    st.sampled_from(["needs_response", "under_review", "won", "lost", "accepted", "prevented"]),
    st.integers(1, 5),
    st.booleans(),
)


@given(st.lists(STATES, min_size=1, max_size=4, unique_by=lambda each: each.told_at), st.randoms())
def test_a_dispute_ends_alike_however_it_was_told(told: list[Dispute], random: Any) -> None:
    shuffled = [*told, *told]
    random.shuffle(shuffled)

    one: tuple[Dispute, ...] = ()
    for each in told:
        one = merged(one, [each])
    other: tuple[Dispute, ...] = ()
    for each in shuffled:
        other = merged(other, [each])

    assert (one[0].kind, one[0].status) == (other[0].kind, other[0].status)
    assert merged(other, told) == other


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        (("chargeback", "lost"), ("chargeback", "under_review"), ("chargeback", "lost")),
        (("chargeback", "under_review"), ("inquiry", "won"), ("chargeback", "under_review")),
        (("chargeback", "lost"), ("chargeback", "won"), ("chargeback", "won")),
        (("inquiry", "won"), ("chargeback", "needs_response"), ("chargeback", "needs_response")),
    ],
)
def test_an_end_stands_against_what_is_told_late(
    first: tuple[str, str], then: tuple[str, str], kept: tuple[str, str]
) -> None:
    one = make_dispute(first[1], kind=first[0], ended=SINCE + DAY)
    other = make_dispute(then[1], kind=then[0], ended=SINCE + 2 * DAY)

    (known,) = merged([one], [other])

    assert (known.kind, known.status) == kept


def test_an_inquiry_is_listed_and_nothing_else(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    inquiry = make_dispute(kind="inquiry")

    told = [tell(session, studio, inquiry, now=SINCE).changed for _ in range(2)]

    assert told == [False, False]
    assert lot_now(session).frozen_at is None
    assert list(open_items(session)) == ["dispute_inquiry"]
    tell(session, studio, replace(inquiry, status="won", told_at=SINCE + DAY), now=SINCE + DAY)
    assert open_items(session) == {}


def test_a_chargeback_freezes_what_is_left_and_marks_what_comes_later(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    grant_lot(session, studio, make_wallet(session, studio), "other", 60)
    soon, edge, late = book_hours(
        session, studio, SINCE + 10 * HOURS, SINCE + DAY, SINCE + DAY + HOURS
    )

    told = [tell(session, studio, make_dispute(), now=SINCE + HOURS).changed for _ in range(2)]

    assert told == [True, False]
    assert lot_now(session).frozen_at == SINCE
    views = [
        booking_view(session, studio, booking_with(session, each), SINCE)["at_risk"]
        for each in (soon, edge, late)
    ]
    assert views == [False, False, True]
    facts = open_items(session)["dispute_opened"].facts
    assert facts["at_risk"] == [booking_with(session, late).code]
    assert len(facts["proceeding"]) == 2
    assert (facts["value_minor"], facts["lots"][0]["available"]) == (400_00, 420)
    book_hours(session, studio, SINCE + 2 * DAY, now=SINCE)
    with pytest.raises(NotEnoughCredits):
        book_hours(session, studio, SINCE + 3 * DAY, now=SINCE)


@pytest.mark.parametrize("status", ["won", "withdrawn", "prevented"])
def test_a_dispute_that_came_to_nothing_gives_back_the_time_it_took(
    session: Session, studio: Studio, status: str
) -> None:
    lot = give_package(session, studio)
    expired_at = lot.expires_at
    assert expired_at is not None
    tell(session, studio, make_dispute(), now=SINCE)
    won = make_dispute(status, ended=SINCE + 3 * DAY)

    told = [tell(session, studio, won, now=SINCE + 4 * DAY).changed for _ in range(2)]

    lot = lot_now(session)
    assert told == [True, False]
    assert (lot.frozen_at, lot.expires_at) == (None, expired_at + 3 * DAY)
    (extension,) = extensions.of_lot(session, studio_id=studio.id, lot_id=lot.id)
    assert (extension.reference, extension.actor) == ("order:5001", "shopify")
    assert open_items(session) == {}
    assert broken_promises(session) == []


@pytest.mark.parametrize("other", [0, 600])
@pytest.mark.parametrize("turn", list(itertools.permutations(["open", "lost", "refund"])))
@pytest.mark.parametrize("policy", ["forgive", "debt"])
def test_dispute_and_refund_take_the_larger_once_in_any_order(
    session: Session, turn: tuple[str, ...], other: int, policy: str
) -> None:
    text = f'bay_freeze_minutes = 120\nshortfall = "{policy}"'
    studio = apply_demo(session, demo_text(**{"bay_freeze_minutes = 120": text}))
    give_package(session, studio)
    play_hours(session, studio, 3)
    held = book_hours(session, studio, SINCE + 10 * HOURS, SINCE + 5 * DAY)
    if other:
        grant_lot(session, studio, make_wallet(session, studio), "other", other)
    now = SINCE + HOURS
    facts = {
        "open": lambda: tell(session, studio, make_dispute(), now=now),
        "lost": lambda: tell(session, studio, make_dispute("lost", ended=now), now=now),
        "refund": lambda: post(session, studio, taken_back(PACKAGE_ORDER, 0, at=SINCE), now),
    }

    for name in turn:
        facts[name]()
    again = [facts[name]().changed for name in turn]

    assert again == [False, False, False]
    assert owed(session, studio) == 120_00
    if other:
        assert list(open_items(session)) == ["dispute_lost"]
        assert states(session, held) == ["confirmed", "confirmed"]
        assert wallet_sums(session) == {"sim S": 180, "sim R": 420, "sim A": 480, "sim H": 120}
    else:
        assert states(session, held) == ["confirmed unpaid", "cancelled"]
        assert wallet_sums(session) == {"sim S": 180, "sim R": 360, "sim H": 60}
        assert sorted(open_items(session)) == ["booking_unfunded", "dispute_lost"]
    assert broken_promises(session) == []


def test_a_lost_dispute_alone_lets_near_sessions_be_played_and_owed(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    soon, late = book_hours(session, studio, SINCE + 10 * HOURS, SINCE + 5 * DAY)

    tell(session, studio, make_dispute("lost", ended=SINCE + HOURS), now=SINCE + HOURS)

    assert states(session, [soon, late]) == ["confirmed", "cancelled"]
    assert wallet_sums(session) == {"sim H": 60, "sim R": 540}
    assert owed(session, studio) == 40_00


def test_more_than_the_bank_took_is_never_owed(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    play_hours(session, studio, 4)
    part = make_dispute("accepted", ended=SINCE + DAY, amount_minor=50_00)

    tell(session, studio, part, now=SINCE + DAY)

    assert wallet_sums(session) == {"sim S": 240, "sim R": 360}
    assert owed(session, studio) == 50_00


def test_what_was_lost_and_is_won_after_all_comes_back(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    play_hours(session, studio, 3)
    tell(session, studio, make_dispute("lost", ended=SINCE + DAY), now=SINCE + DAY)
    assert owed(session, studio) == 120_00

    tell(session, studio, make_dispute("won", ended=SINCE + 2 * DAY), now=SINCE + 2 * DAY)

    assert wallet_sums(session) == {"sim S": 180, "sim A": 420}
    assert owed(session, studio) == 0
    assert open_items(session) == {}
    assert broken_promises(session) == []


def test_a_dispute_that_comes_before_its_order_waits_for_it(
    session: Session, studio: Studio
) -> None:
    outcome = deliver(session, studio, "disputes/create", BODY)
    row = session.exec(select(ShopOrder)).one()
    assert (outcome, row.read_due_at) == ("agreed", SINCE)

    give_package(session, studio)

    assert lot_now(session).frozen_at == SINCE


def test_the_admin_api_tells_of_a_loss_that_nobody_delivered(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    deliver(session, studio, "disputes/create", BODY)
    summary = {
        "id": "gid://shopify/ShopifyPaymentsDispute/285332461850802050",
        "initiatedAs": "CHARGEBACK",
        "status": "LOST",
    }
    told = disputes.from_summary(summary, told_at=SINCE + DAY)

    for _ in range(2):
        read = replace(PACKAGE_ORDER, disputes=(told,))
        orders.converge_read(session, studio=studio, order=read, now=SINCE + DAY)

    row = session.exec(select(ShopOrder)).one()
    (known,) = disputes.read(row.disputes)
    assert (known.amount_minor, known.finalized_at) == (400_00, SINCE + DAY)
    assert wallet_sums(session) == {"sim R": 600}


@pytest.mark.parametrize(
    ("topic", "body"),
    [("disputes/create", {"id": 1}), ("disputes/update", {}), ("orders/delete", {"id": "x"})],
)
def test_a_delivery_that_is_not_what_its_topic_says_is_given_up(
    session: Session, studio: Studio, topic: str, body: dict[str, Any]
) -> None:
    with pytest.raises(UnreadableDelivery):
        deliver(session, studio, topic, body)


def test_only_the_disputed_order_is_touched(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    post(session, studio, make_order(make_line(HOUR), id=5002))

    deliver(session, studio, "disputes/create", BODY)
    lost = BODY | {"status": "lost", "finalized_on": "2026-11-27T10:00:00-05:00"}
    deliver(session, studio, "disputes/update", lost, SINCE + 2 * DAY)

    other = session.exec(select(Lot).where(col(Lot.order_id) == 5002)).one()
    assert (other.available, other.frozen_at) == (60, None)
    assert wallet_sums(session) == {"sim A": 60, "sim R": 600}


def test_credits_thaw_when_the_beginning_of_their_dispute_was_told_late(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    read_late = make_dispute(at=SINCE + 3 * HOURS)
    tell(session, studio, read_late, now=SINCE + 3 * HOURS)
    tell(session, studio, make_dispute(at=SINCE), now=SINCE + 4 * HOURS)
    assert lot_now(session).frozen_at == SINCE

    tell(session, studio, make_dispute("won", ended=SINCE + 2 * DAY), now=SINCE + 2 * DAY)

    assert lot_now(session).frozen_at is None
    assert broken_promises(session) == []
