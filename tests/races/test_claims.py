"""Codes, claims and erasures under a crowd: one winner, and no credits astray."""

import time

from sqlmodel import Session

from booking_engine.booking import bookings, claim_codes
from booking_engine.booking.claim_codes import UnknownCode
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from booking_engine.ledger import wallets
from booking_engine.ledger.models import Wallet
from booking_engine.ledger.wallets import WalletMoved
from connector.runtime import Runtime
from shopify_gateway import people
from shopify_gateway.models import ShopOrder
from tests.factories.crowd import race
from tests.factories.ledger import grant_lot
from tests.factories.people import PRIVACY, customer_body, hear, owner, redact_body, sums_of
from tests.factories.shop_orders import (
    later,
    make_line,
    make_order,
    place_hold,
    post,
    wallet_sums,
)
from tests.factories.shopify_bodies import order_body
from tests.factories.studio import HOUR, NOW, make_request, make_wallet, toronto

ROUNDS = 5
EMAIL = "avery@example.com"


def test_one_code_has_one_winner(house: Runtime, studio: Studio) -> None:
    for number in range(ROUNDS):
        order_id = 5000 + number
        with house.transaction() as session:
            post(session, studio, make_order(id=order_id, customer=None))
            _, code = claim_codes.issue(
                session, studio_id=studio.id, order_id=order_id, pseudonyms=PRIVACY, now=NOW
            )

        def act(session: Session, each: int, *, code: str = code, number: int = number) -> None:
            wallet = make_wallet(session, studio, 7100 + 10 * number + each)
            claim_codes.redeem(
                session,
                studio_id=studio.id,
                code=code,
                wallet_id=wallet.id,
                by="customer",
                now=NOW,
            )

        crowd = race(house, act, count=6, refusals=(UnknownCode,))

        assert crowd.unexpected == []
        assert crowd.outcomes == {"done": 1, "UnknownCode": 5}


def test_a_claim_a_refund_and_a_second_telling_end_alike(house: Runtime, studio: Studio) -> None:
    for number in range(ROUNDS):
        order = make_order(make_line(HOUR, 3), id=6000 + number, customer=None)
        refunded = later(order, 1, minutes=1, financial_status="partially_refunded")
        body = order_body(order.id, customer=None, quantity=3, email=f"{number}{EMAIL}")
        body["updated_at"] = body["processed_at"] = NOW.isoformat()
        body["line_items"][0]["id"] = order.lines[0].id
        account = customer_body(7100 + number, f"{number}{EMAIL}")
        with house.transaction() as session:
            hear(session, studio, "orders/paid", body)

        def act(
            session: Session,
            each: int,
            *,
            body: dict[str, object] = body,
            account: dict[str, object] = account,
            refunded: object = refunded,
        ) -> None:
            if each == 0:
                hear(session, studio, "customers/create", account)
            elif each == 1:
                post(session, studio, refunded)
            else:
                hear(session, studio, "orders/updated", body)

        crowd = race(house, act, count=3, refusals=(WalletMoved,))

        assert crowd.unexpected == []
        with house.transaction() as session:
            hear(session, studio, "customers/update", account)
            post(session, studio, refunded)
            mine = owner(session, studio, 7100 + number)
            assert sums_of(session, mine) == {"A": 60, "R": 120}


def test_who_is_forgotten_while_booking_has_nothing_to_come(house: Runtime, studio: Studio) -> None:
    for number in range(ROUNDS):
        customer = 7200 + number
        with house.transaction() as session:
            wallet = make_wallet(session, studio, customer)
            grant_lot(session, studio, wallet, f"own:{number}", 120)
            wallet_id = wallet.id
        starts = [toronto(2026, 11, 24 + number, 9 + hour) for hour in range(3)]

        def act(
            session: Session,
            each: int,
            *,
            customer: int = customer,
            wallet_id: object = wallet_id,
            starts: object = starts,
        ) -> None:
            if each == 0:
                hear(session, studio, "customers/redact", redact_body(customer))
                return
            bookings.book(
                session,
                studio=studio,
                request=make_request(starts[each - 1]),
                wallet_id=wallet_id,
                actor="customer",
                now=NOW,
            )

        crowd = race(house, act, count=4, refusals=(DomainError, WalletMoved))

        assert crowd.unexpected == []
        with house.transaction() as session:
            assert wallets.find_customer(session, studio_id=studio.id, customer_id=customer) is None
            assert sums_of(session, wallet_id) == {"A": 120}
    with house.transaction() as session:
        assert wallet_sums(session) == {"sim A": 120 * ROUNDS}


def test_a_guest_order_and_its_account_find_each_other(house: Runtime, studio: Studio) -> None:
    for number in range(2 * ROUNDS):
        order_id, customer, address = 7000 + number, 7300 + number, f"guest{number}@example.com"
        body = order_body(order_id, customer=None, email=address)
        account = customer_body(customer, address)

        def act(
            session: Session,
            each: int,
            *,
            body: dict[str, object] = body,
            account: dict[str, object] = account,
        ) -> None:
            if each == 0:
                hear(session, studio, "customers/create", account)
            else:
                hear(session, studio, "orders/paid", body)
            time.sleep(0.05)  # between the work and its commit

        crowd = race(house, act, count=2, refusals=(WalletMoved,))

        assert crowd.unexpected == []
        with house.transaction() as session:
            assert sums_of(session, owner(session, studio, customer)) == {"A": 60}


def test_who_books_while_their_guest_order_is_told_waits_for_nobody_in_a_circle(
    house: Runtime, studio: Studio
) -> None:
    account = customer_body(7400, "guest@example.com")
    with house.transaction() as session:
        hear(session, studio, "customers/create", account)
        wallet_id = owner(session, studio, 7400)
        assert wallet_id is not None
        grant_lot(session, studio, session.get_one(Wallet, (studio.id, wallet_id)), "own", 600)
    for number in range(ROUNDS):
        with house.transaction() as session:
            request = make_request(toronto(2026, 12, 1 + number, 9))
            hold = place_hold(session, studio, request, holder=f"visitor:{number}", now=NOW)
        body = order_body(8000 + number, customer=None, email="guest@example.com", hold=hold.id)

        def act(
            session: Session, each: int, *, body: dict[str, object] = body, day: int = 1 + number
        ) -> None:
            if each == 0:
                hear(session, studio, "orders/paid", body)
                return
            wallets.lock(session, studio_id=studio.id, wallet_id=wallet_id)
            time.sleep(0.2)  # the order has its days by now
            bookings.book(
                session,
                studio=studio,
                request=make_request(toronto(2026, 12, day, 12)),
                wallet_id=wallet_id,
                actor="customer",
                now=NOW,
            )

        crowd = race(house, act, count=2)

        assert crowd.unexpected == []
        assert crowd.outcomes == {"done": 2}


def test_an_order_that_is_told_while_its_customer_is_forgotten_restores_nobody(
    house: Runtime, studio: Studio
) -> None:
    order = make_order(id=9000, customer=7500)
    with house.transaction() as session:
        post(session, studio, order)

    def act(session: Session, each: int) -> None:
        if each == 0:
            time.sleep(0.1)
            hear(session, studio, "customers/redact", redact_body(7500))
            return
        about = {"studio_id": studio.id, "privacy": PRIVACY, "now": NOW}
        known = people.admit(session, order=later(order, 1, minutes=1), **about)
        time.sleep(0.3)  # who is to be forgotten is known still
        post(session, studio, known)

    crowd = race(house, act, count=2)

    assert crowd.unexpected == []
    with house.transaction() as session:
        assert owner(session, studio, 7500) is None
        kept = session.get_one(ShopOrder, (studio.id, order.id))
        assert kept.snapshot is not None
        assert kept.snapshot["customer_id"] is None
