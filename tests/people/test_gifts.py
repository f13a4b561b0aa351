"""A unit bought for somebody else: one code, one claim, its own expiry (leap C13)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import bookings, claim_codes, gifts
from booking_engine.booking.claim_codes import UnknownCode
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Lot
from booking_engine.ledger.people_models import ClaimCode, Gift, WalletClaim
from shopify_gateway import gift_lines
from shopify_gateway.gift_lines import GiftLine
from tests.factories.desk import broken_promises
from tests.factories.people import (
    PRIVACY,
    customer_body,
    gifts_of,
    hear,
    owner,
    redact_body,
    sums_of,
)
from tests.factories.shop_orders import place_hold
from tests.factories.shopify_bodies import order_body
from tests.factories.studio import (
    HOUR,
    NOW,
    PACKAGE,
    TORONTO,
    apply_demo,
    demo_text,
    make_request,
    make_wallet,
)

BUYER, FRIEND = 7001, 7002
TO = "friend@example.com"
LATER = {"updated_at": "2099-01-01T00:00:00+00:00"}


def gift_body(
    id: int = 5001,
    *,
    customer: int | None = BUYER,
    variant: int = PACKAGE,
    quantity: int = 1,
    current: int | None = None,
    on: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a paid order whose only line is a gift."""
    body = order_body(id, variant=variant, quantity=quantity, customer=customer, **more)
    line = body["line_items"][0]
    line["properties"] += [
        {"name": "_gift_to", "value": TO},
        {"name": "_gift_message", "value": "Happy birthday, Sam"},
    ]
    if on is not None:
        line["properties"].append({"name": "_gift_on", "value": on})
    if current is not None:
        line["current_quantity"] = current
    return body


def codes(session: Session, studio: Studio, now: datetime = NOW) -> list[str]:
    """Give every gift its code, as the worker does, and return those that are good."""
    for gift in gifts.without_code(session, limit=100):
        claim_codes.issue(
            session,
            studio_id=studio.id,
            order_id=gift.order_id,
            gift_id=gift.id,
            pseudonyms=PRIVACY,
            now=now,
        )
    rows = session.exec(select(ClaimCode).order_by(col(ClaimCode.id))).all()
    good = [row for row in rows if claim_codes.is_good(row, now=now)]
    return [claim_codes.shown(row, PRIVACY) or "" for row in good]


def redeem(
    session: Session, studio: Studio, code: str, customer: int = FRIEND, now: datetime = NOW
) -> WalletClaim:
    wallet = make_wallet(session, studio, customer)
    return claim_codes.redeem(
        session, studio_id=studio.id, code=code, wallet_id=wallet.id, by="customer", now=now
    )


def test_a_gift_waits_apart_from_what_the_buyer_has(session: Session, studio: Studio) -> None:
    hear(session, studio, "orders/paid", gift_body())

    gift = gifts_of(session)[0]
    assert sums_of(session, owner(session, studio, BUYER)) == {}
    assert sums_of(session, gift.wallet_id) == {"A": 600}
    assert broken_promises(session) == []


def test_one_code_one_claim(session: Session, studio: Studio) -> None:
    hear(session, studio, "orders/paid", gift_body())
    (code,) = codes(session, studio)

    redeem(session, studio, code)

    with pytest.raises(UnknownCode):
        redeem(session, studio, code, customer=7003)
    assert sums_of(session, owner(session, studio, FRIEND)) == {"A": 600}
    assert codes(session, studio) == []
    assert broken_promises(session) == []


def test_two_units_are_two_gifts_for_two_people(session: Session, studio: Studio) -> None:
    hear(session, studio, "orders/paid", gift_body(variant=HOUR, quantity=2))
    first, second = codes(session, studio)

    redeem(session, studio, first)
    redeem(session, studio, second, customer=7003)

    assert sums_of(session, owner(session, studio, FRIEND)) == {"A": 60}
    assert sums_of(session, owner(session, studio, 7003)) == {"A": 60}


def test_the_days_of_a_gift_count_from_its_claim(session: Session, studio: Studio) -> None:
    hear(session, studio, "orders/paid", gift_body())
    before = session.exec(select(Lot.expires_at)).one()
    (code,) = codes(session, studio)

    redeem(session, studio, code, now=NOW + timedelta(days=100))

    assert before is None
    claimed_on = (NOW + timedelta(days=100)).astimezone(TORONTO)
    midnight = datetime(claimed_on.year, claimed_on.month, claimed_on.day, tzinfo=TORONTO)
    after = session.exec(select(Lot).execution_options(populate_existing=True)).one()
    assert after.expires_at == midnight + timedelta(days=366)


def test_by_the_switch_they_count_from_the_purchase(session: Session) -> None:
    text = demo_text(**{"free_moves = 1": 'free_moves = 1\ngift_expiry_from = "purchase"'})
    studio = apply_demo(session, text)
    hear(session, studio, "orders/paid", gift_body())
    before = session.exec(select(Lot.expires_at)).one()
    (code,) = codes(session, studio)

    redeem(session, studio, code, now=NOW + timedelta(days=100))

    after = session.exec(select(Lot).execution_options(populate_existing=True)).one()
    assert before is not None
    assert after.expires_at == before


def test_a_refund_before_the_claim_takes_it_all_and_the_code_with_it(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "orders/paid", gift_body())
    (code,) = codes(session, studio)

    hear(session, studio, "orders/updated", gift_body(current=0, status="refunded", **LATER))

    with pytest.raises(UnknownCode):
        redeem(session, studio, code)
    assert sums_of(session, gifts_of(session)[0].wallet_id) == {"R": 600}
    assert gifts.without_code(session, limit=9) == []


def test_a_refund_after_the_claim_takes_what_is_unused(session: Session, studio: Studio) -> None:
    hear(session, studio, "orders/paid", gift_body())
    redeem(session, studio, codes(session, studio)[0])
    wallet_id = owner(session, studio, FRIEND)
    lot = session.exec(select(Lot)).one()
    spent = spend(session, studio, wallet_id)

    hear(session, studio, "orders/updated", gift_body(current=0, status="refunded", **LATER))

    assert spent == 60
    assert sums_of(session, wallet_id) == {"S": 60, "R": 540}
    assert lot.order_id == 5001
    assert broken_promises(session) == []


def spend(session: Session, studio: Studio, wallet_id: Any) -> int:
    """Let the friend play an hour."""
    booking = bookings.book(
        session,
        studio=studio,
        request=make_request(),
        wallet_id=wallet_id,
        actor="customer",
        now=NOW,
    )
    bookings.begin_and_complete(session, now=booking.ends_at, limit=10)
    return booking.simulator_minutes


def test_the_friend_keeps_it_when_the_buyer_is_forgotten(session: Session, studio: Studio) -> None:
    hear(session, studio, "orders/paid", gift_body(quantity=2, variant=HOUR))
    first, second = codes(session, studio)
    redeem(session, studio, first)

    hear(session, studio, "customers/redact", redact_body(BUYER, orders=(5001,)))
    redeem(session, studio, second)

    lots = session.exec(select(Lot).execution_options(populate_existing=True)).all()
    assert sums_of(session, owner(session, studio, FRIEND)) == {"A": 120}
    assert [lot.frozen_at for lot in lots] == [None, None]
    assert broken_promises(session) == []


def test_neither_address_nor_message_is_kept_outside_of_the_body(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "orders/paid", gift_body())

    assert set(Gift.model_fields) & {"to", "email", "message", "recipient"} == set()
    lots = session.exec(select(Lot)).all()
    everything = str([*gifts_of(session), *lots])
    assert "friend" not in everything
    assert "birthday" not in everything


def test_on_its_day_the_gift_is_on_the_list_until_somebody_takes_it(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "orders/paid", gift_body(on="2030-12-24"))
    day = datetime(2030, 12, 24, 9, tzinfo=TORONTO).astimezone(UTC)
    (code,) = codes(session, studio)

    early = gifts.announce_due(session, now=day - timedelta(seconds=1), limit=9)
    due = gifts.announce_due(session, now=day, limit=9)
    again = gifts.announce_due(session, now=day, limit=9)
    raised = session.exec(select(AttentionItem)).one()
    redeem(session, studio, code, now=day)

    assert (early, due, again) == (0, 1, 0)
    assert raised.kind == "gift_to_hand_over"
    assert raised.facts["order_id"] == 5001
    session.refresh(raised)
    assert raised.resolution == "gone"


def test_a_claim_of_a_gift_that_is_put_back_gives_a_new_code(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "orders/paid", gift_body())
    (code,) = codes(session, studio)
    made = redeem(session, studio, code)

    claim_codes.put_back(session, studio_id=studio.id, claim_id=made.id, by="staff", now=NOW)
    (fresh,) = codes(session, studio)

    assert fresh != code
    lot = session.exec(select(Lot).execution_options(populate_existing=True)).one()
    assert lot.expires_at is None
    redeem(session, studio, fresh, customer=7003)
    assert sums_of(session, owner(session, studio, 7003)) == {"A": 600}


def test_a_claim_of_the_order_leaves_its_gifts_alone(session: Session, studio: Studio) -> None:
    body = gift_body(customer=None)
    body["line_items"].append(order_body(5002)["line_items"][0])
    hear(session, studio, "orders/paid", body | {"email": "avery@example.com"})

    hear(session, studio, "customers/create", customer_body(7003, "avery@example.com"))

    assert sums_of(session, owner(session, studio, 7003)) == {"A": 60}
    assert sums_of(session, gifts_of(session)[0].wallet_id) == {"A": 600}


def test_a_line_that_pays_for_a_held_session_is_no_gift(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)

    hear(session, studio, "orders/paid", gift_body(variant=HOUR, hold=hold.id))

    assert gifts_of(session) == []
    assert sums_of(session, owner(session, studio, BUYER)) == {"H": 60}


@pytest.mark.parametrize(
    ("properties", "read"),
    [
        ({}, None),
        ({"_hold": "x"}, None),
        ({"_gift_to": "  "}, None),
        ({"_gift_to": TO}, GiftLine()),
        ({"_gift_message": "for you"}, GiftLine()),
        ({"_gift_to": TO, "_gift_on": "soon"}, GiftLine()),
        ({"_gift_to": TO, "_gift_on": "0001-01-01"}, GiftLine()),
        ({"_gift_on": "2026-12-24"}, GiftLine(datetime(2026, 12, 24, tzinfo=UTC).date())),
    ],
)
def test_what_makes_a_line_a_gift(properties: dict[str, str], read: GiftLine | None) -> None:
    assert gift_lines.read(properties) == read


def test_a_gift_of_a_test_order_is_none(session: Session, studio: Studio) -> None:
    hear(session, studio, "orders/paid", gift_body(test=True))

    assert gifts_of(session) == []
    assert sums_of(session, owner(session, studio, BUYER)) == {}
