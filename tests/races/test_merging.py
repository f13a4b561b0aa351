"""A merge while the same people book, cancel, hold and are refunded: nothing is left behind."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from booking_engine.booking import bookings, holds
from booking_engine.booking.holds import CUSTOMER_CAPS, Holder
from booking_engine.catalog.studio import Studio
from booking_engine.errors import NotFound
from booking_engine.ledger import wallets
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.wallets import WalletMoved
from connector.runtime import Runtime
from tests.factories.crowd import race
from tests.factories.ledger import grant_lot
from tests.factories.people import hear, merge_body, owner, sums_of
from tests.factories.shop_orders import later, make_line, make_order, post
from tests.factories.studio import HOUR, NOW, make_request, make_wallet, toronto

ROUNDS = 8


def strays(house: Runtime) -> int:
    """Count what belongs to a wallet under which nobody is known."""
    with house.transaction() as session:
        return int(
            session.execute(
                text("""
                    SELECT count(*) FROM (
                        SELECT studio_id, wallet_id FROM lot
                        UNION ALL SELECT studio_id, wallet_id FROM booking
                        WHERE wallet_id IS NOT NULL) AS owned
                    WHERE NOT EXISTS (SELECT FROM wallet_alias AS alias
                        WHERE alias.studio_id = owned.studio_id
                          AND alias.wallet_id = owned.wallet_id)
                """)
            ).scalar_one()
        )


def insist(act: Callable[[], object]) -> None:
    """Ask again while the wallet moves, as a worker and a caller do."""
    for _ in range(20):
        try:
            act()
        except WalletMoved:
            continue
        return
    raise AssertionError("the wallet never came to rest")


def wallet_of(session: Session, studio: Studio, customer: int) -> UUID:
    return wallets.of_customer(session, studio_id=studio.id, customer_id=customer, now=NOW).id


def test_a_merge_and_a_refund_end_alike_whoever_is_first(house: Runtime, studio: Studio) -> None:
    for number in range(ROUNDS):
        kept, removed = 7100 + number, 7200 + number
        order = make_order(make_line(HOUR, 3), id=6000 + number, customer=removed)
        with house.transaction() as session:
            grant_lot(session, studio, make_wallet(session, studio, kept), f"own:{number}", 30)
            post(session, studio, order)
        refunded = later(order, 1, minutes=1, financial_status="partially_refunded")
        body = merge_body(kept, removed)

        def act(
            session: Session,
            each: int,
            *,
            body: dict[str, object] = body,
            refunded: object = refunded,
        ) -> None:
            if each:
                post(session, studio, refunded)
            else:
                hear(session, studio, "customers/merge", body)

        crowd = race(house, act, count=3, refusals=(WalletMoved,))
        with house.transaction() as session:
            insist(lambda refunded=refunded, session=session: post(session, studio, refunded))

        assert crowd.unexpected == []
        with house.transaction() as session:
            assert owner(session, studio, kept) == owner(session, studio, removed)
            assert sums_of(session, owner(session, studio, kept)) == {"A": 90, "R": 120}
    assert strays(house) == 0


def test_nothing_is_booked_or_held_for_a_wallet_that_goes(house: Runtime, studio: Studio) -> None:
    for number in range(ROUNDS):
        kept, removed = 7100 + number, 7200 + number
        with house.transaction() as session:
            for customer in (kept, removed):
                wallet = make_wallet(session, studio, customer)
                grant_lot(session, studio, wallet, f"own:{customer}", 60)
        start = toronto(2026, 11, 24 + number % 3, 9 + number)

        def act(
            session: Session,
            each: int,
            *,
            customers: tuple[int, int] = (kept, removed),
            start: object = start,
        ) -> None:
            request = make_request(start)
            if each == 0:
                hear(session, studio, "customers/merge", merge_body(*customers))
                return
            wallet_id = wallet_of(session, studio, customers[each % 2])
            if each < 3:
                bookings.book(
                    session,
                    studio=studio,
                    request=request,
                    wallet_id=wallet_id,
                    actor="test",
                    now=NOW,
                )
                return
            holder = Holder(f"customer:{customers[1]}", CUSTOMER_CAPS, wallet_id)
            holds.place(session, studio=studio, request=request, holder=holder, now=NOW)

        crowd = race(house, act, count=4, refusals=(WalletMoved, NotEnoughCredits, NotFound))

        assert crowd.unexpected == []
        assert crowd.outcomes["NotEnoughCredits"] == 0
        with house.transaction() as session:
            assert owner(session, studio, kept) == owner(session, studio, removed)
            sums = sums_of(session, owner(session, studio, kept))
            assert sum(sums.values()) == 120
    assert strays(house) == 0


def test_merges_in_both_directions_at_once_leave_one_wallet(house: Runtime, studio: Studio) -> None:
    for number in range(ROUNDS):
        pair = (7100 + number, 7200 + number)
        with house.transaction() as session:
            for customer in pair:
                wallet = make_wallet(session, studio, customer)
                grant_lot(session, studio, wallet, f"own:{customer}", 60)

        crowd = race(
            house,
            lambda session, each, pair=pair: hear(
                session, studio, "customers/merge", merge_body(*(pair if each else pair[::-1]))
            ),
            count=2,
            refusals=(WalletMoved,),
        )

        assert crowd.unexpected == []
        with house.transaction() as session:
            assert owner(session, studio, pair[0]) == owner(session, studio, pair[1])
            assert sums_of(session, owner(session, studio, pair[0])) == {"A": 120}
