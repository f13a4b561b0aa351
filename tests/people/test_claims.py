"""Credits without an owner find one, and nobody learns anything on the way (rules D10 and C11)."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from booking_engine.booking import bookings, claim_codes, claims, moves
from booking_engine.booking.claim_codes import UnknownCode
from booking_engine.booking.claims import (
    AlreadyClaimed,
    Claimant,
    ClaimFinal,
    Entangled,
    NothingToClaim,
)
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import wallets
from booking_engine.ledger.models import Lot, Wallet
from booking_engine.ledger.people_models import ClaimCode, ClaimKind, WalletClaim
from booking_engine.ledger.pseudonyms import Pseudonyms, code_digest
from shopify_gateway.models import ShopOrder
from tests.factories.desk import broken_promises
from tests.factories.ledger import grant_lot
from tests.factories.people import (
    PRIVACY,
    customer_body,
    hear,
    lots_of,
    owner,
    sums_of,
)
from tests.factories.shop_orders import place_hold
from tests.factories.shopify_bodies import order_body
from tests.factories.studio import NOW, make_request, make_wallet, toronto

MINE = "Avery.Chen@Example.com"
LATER = {"updated_at": "2099-01-01T00:00:00+00:00"}


def buy_as_guest(session: Session, studio: Studio, id: int = 5001, **more: object) -> None:
    body = order_body(id, customer=None, **{"email": MINE, **more})
    assert hear(session, studio, "orders/paid", body) == "posted"


def take(session: Session, studio: Studio, customer: int, order: int = 5001) -> WalletClaim:
    wallet = make_wallet(session, studio, customer)
    return claim_codes.take(
        session,
        studio_id=studio.id,
        order_id=order,
        gift=None,
        claimant=Claimant(wallet.id, ClaimKind.STAFF, "staff:owner"),
        now=NOW,
    )


def test_the_same_address_in_other_letters_claims_once_it_is_verified(
    session: Session, studio: Studio
) -> None:
    buy_as_guest(session, studio)

    outcome = hear(
        session, studio, "customers/create", customer_body(7001, "  avery.chen@EXAMPLE.com ")
    )

    assert outcome == "claimed"
    assert sums_of(session, owner(session, studio, 7001)) == {"A": 60}
    assert session.exec(select(WalletClaim.kind)).one() is ClaimKind.EMAIL
    assert broken_promises(session) == []


@pytest.mark.parametrize(
    "body",
    [
        customer_body(7001, MINE, verified=False),
        customer_body(7001, "averychen@example.com"),
        customer_body(7001, "avery.chen+golf@example.com"),
        customer_body(7001, None),
    ],
)
def test_an_address_that_is_unverified_or_another_one_claims_nothing(
    session: Session, studio: Studio, body: dict[str, object]
) -> None:
    buy_as_guest(session, studio)

    hear(session, studio, "customers/update", body)

    assert sums_of(session, owner(session, studio, 7001)) == {}
    assert session.exec(select(WalletClaim)).all() == []


def test_a_guest_order_of_somebody_who_has_an_account_is_theirs_at_once(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "customers/enable", customer_body(7001, MINE))

    buy_as_guest(session, studio)

    assert sums_of(session, owner(session, studio, 7001)) == {"A": 60}


def test_the_address_itself_is_nowhere(session: Session, studio: Studio) -> None:
    buy_as_guest(session, studio)

    kept = session.exec(select(ShopOrder)).one()

    assert kept.address == PRIVACY.addresses(studio.id, "avery.chen@example.com")[0]
    assert kept.address != Pseudonyms((b"another key",)).addresses(studio.id, MINE)[0]
    assert "xample" not in str(kept.model_dump())


def test_a_hash_of_the_key_before_is_recognised(session: Session, studio: Studio) -> None:
    buy_as_guest(session, studio)
    kept = session.exec(select(ShopOrder)).one()
    kept.address = Pseudonyms(PRIVACY.keys[1:]).addresses(studio.id, MINE)[0]
    session.flush()

    assert hear(session, studio, "customers/update", customer_body(7001, MINE)) == "claimed"


def test_orders_of_more_than_two_years_ago_need_a_code(session: Session, studio: Studio) -> None:
    for order, age in ((5001, 731), (5002, 729)):
        at = (NOW - timedelta(days=age)).isoformat()
        buy_as_guest(session, studio, order, created_at=at, processed_at=at)

    hear(session, studio, "customers/create", customer_body(7001, MINE))

    claimed = session.exec(select(WalletClaim.order_id)).all()
    assert claimed == [5002]


def test_an_address_that_was_given_up_claims_no_more(session: Session, studio: Studio) -> None:
    hear(session, studio, "customers/create", customer_body(7001, MINE))
    hear(session, studio, "customers/update", customer_body(7001, "new@example.com"))

    buy_as_guest(session, studio)

    assert sums_of(session, owner(session, studio, 7001)) == {}


def test_sessions_to_come_and_later_states_of_the_order_follow_the_claim(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio)
    buy_as_guest(session, studio, hold=hold.id)
    before = session.exec(select(Lot)).one()
    expires_at = before.expires_at

    take(session, studio, 7001)
    refunded = order_body(5001, customer=None, email=MINE, hold=hold.id, **LATER)
    refunded["line_items"][0]["current_quantity"] = 0
    mine = owner(session, studio, 7001)
    moved = session.exec(select(Booking.wallet_id)).one()
    hear(session, studio, "orders/updated", refunded)

    assert moved == mine
    assert sums_of(session, mine) == {"R": 60}
    assert session.exec(select(Lot.expires_at)).one() == expires_at
    assert broken_promises(session) == []


def test_a_claim_stands_also_when_the_order_learns_of_another_customer(
    session: Session, studio: Studio
) -> None:
    buy_as_guest(session, studio)
    take(session, studio, 7001)

    hear(session, studio, "orders/updated", order_body(5001, customer=7002, quantity=2, **LATER))

    assert sums_of(session, owner(session, studio, 7001)) == {"A": 120}
    assert sums_of(session, owner(session, studio, 7002)) == {}


def test_an_order_of_one_customer_is_claimed_by_another_with_its_code(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "orders/paid", order_body(5001, customer=7001))
    hear(session, studio, "orders/paid", order_body(5002, customer=7001))
    _, code = claim_codes.issue(
        session, studio_id=studio.id, order_id=5001, pseudonyms=PRIVACY, now=NOW
    )
    wallet = make_wallet(session, studio, 7002)

    claim_codes.redeem(
        session,
        studio_id=studio.id,
        code=f" {code.lower().replace('-', '')}",
        wallet_id=wallet.id,
        by="customer",
        now=NOW,
    )

    assert [source.split(":")[1] for source in lots_of(session, wallet.id)] == ["5001"]
    assert [source.split(":")[1] for source in lots_of(session, owner(session, studio, 7001))] == [
        "5002"
    ]


def test_a_code_works_once_and_every_bad_one_is_told_the_same(
    session: Session, studio: Studio
) -> None:
    for order in (5001, 5002, 5003, 5004):
        buy_as_guest(session, studio, order)
    issued = {
        order: claim_codes.issue(
            session, studio_id=studio.id, order_id=order, pseudonyms=PRIVACY, now=NOW
        )[1]
        for order in (5001, 5002, 5003)
    }
    wallet = make_wallet(session, studio, 7001)

    def try_code(code: str, days: int = 0) -> str:
        with pytest.raises(UnknownCode) as refused:
            claim_codes.redeem(
                session,
                studio_id=studio.id,
                code=code,
                wallet_id=wallet.id,
                by="customer",
                now=NOW + timedelta(days=days),
            )
        return f"{refused.value.code} {refused.value.detail} {refused.value.facts}"

    claim_codes.redeem(
        session,
        studio_id=studio.id,
        code=issued[5001],
        wallet_id=wallet.id,
        by="customer",
        now=NOW,
    )
    cancelled = order_body(5002, customer=None, cancelled_at="2099-01-01T00:00:00Z", **LATER)
    hear(session, studio, "orders/cancelled", cancelled)
    take(session, studio, 7002, 5003)
    answers = {
        try_code(issued[5001]),
        try_code(issued[5002]),
        try_code(issued[5003]),
        try_code("AAAA-AAAA-AAAA-AAAA"),
        try_code(issued[5002], days=31),
    }

    assert len(answers) == 1
    assert sums_of(session, wallet.id) == {"A": 60}


def test_a_new_code_ends_the_old_one_and_none_is_kept(session: Session, studio: Studio) -> None:
    buy_as_guest(session, studio)
    codes = [
        claim_codes.issue(session, studio_id=studio.id, order_id=5001, pseudonyms=PRIVACY, now=NOW)[
            1
        ]
        for _ in range(2)
    ]

    rows = session.exec(select(ClaimCode).order_by(col(ClaimCode.id))).all()

    assert [claim_codes.is_good(row, now=NOW) for row in rows] == [False, True]
    assert [row.digest for row in rows] == [code_digest(code) for code in codes]
    assert [claim_codes.shown(row, PRIVACY) for row in rows] == codes
    assert claim_codes.shown(rows[0], Pseudonyms((b"new key",))) is None


def test_an_order_is_claimed_once(session: Session, studio: Studio) -> None:
    buy_as_guest(session, studio)
    take(session, studio, 7001)

    with pytest.raises(AlreadyClaimed):
        take(session, studio, 7002)
    with pytest.raises(NothingToClaim):
        take(session, studio, 7002, order=9999)

    assert sums_of(session, owner(session, studio, 7001)) == {"A": 60}


def test_staff_put_a_claim_back_and_it_does_not_come_again_by_itself(
    session: Session, studio: Studio
) -> None:
    buy_as_guest(session, studio)
    hear(session, studio, "customers/create", customer_body(7001, MINE))
    made = session.exec(select(WalletClaim)).one()

    claim_codes.put_back(session, studio_id=studio.id, claim_id=made.id, by="staff", now=NOW)
    again = hear(session, studio, "customers/update", customer_body(7001, MINE))
    repeated = order_body(5001, customer=None, email=MINE)
    hear(session, studio, "orders/updated", repeated)

    unclaimed = wallets.find_order(session, studio_id=studio.id, order_id=5001)
    assert again == "verified"
    assert unclaimed is not None
    assert sums_of(session, unclaimed.id) == {"A": 60}
    assert sums_of(session, owner(session, studio, 7001)) == {}
    assert broken_promises(session) == []


def test_a_claim_can_be_put_back_for_thirty_days_and_once(session: Session, studio: Studio) -> None:
    buy_as_guest(session, studio)
    made = take(session, studio, 7001)
    about = {"studio_id": studio.id, "claim_id": made.id, "by": "staff"}

    with pytest.raises(ClaimFinal):
        claims.revert(session, **about, now=NOW + timedelta(days=30, seconds=1))
    claims.revert(session, **about, now=NOW + timedelta(days=30))
    with pytest.raises(ClaimFinal):
        claims.revert(session, **about, now=NOW)


def test_what_was_booked_since_is_cancelled_before_a_claim_is_put_back(
    session: Session, studio: Studio
) -> None:
    buy_as_guest(session, studio)
    made = take(session, studio, 7001)
    wallet_id = made.wallet_id
    booking = bookings.book(
        session,
        studio=studio,
        request=make_request(),
        wallet_id=wallet_id,
        actor="customer",
        now=NOW,
    )

    with pytest.raises(Entangled) as refused:
        claims.revert(session, studio_id=studio.id, claim_id=made.id, by="staff", now=NOW)

    assert refused.value.facts == {"bookings": [booking.code]}
    assert sums_of(session, wallet_id) == {"H": 60}


def test_a_session_that_other_credits_pay_too_is_not_torn_apart(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "orders/paid", order_body(5001, customer=7001))
    wallet = make_wallet(session, studio, 7001)
    grant_lot(session, studio, wallet, "other", 60)
    bookings.book(
        session,
        studio=studio,
        request=make_request(toronto(2026, 11, 25, 18), 120),
        wallet_id=wallet.id,
        actor="customer",
        now=NOW,
    )

    with pytest.raises(Entangled):
        take(session, studio, 7002)

    assert sums_of(session, wallet.id) == {"H": 120}


def test_a_session_that_came_and_is_paid_anew_by_other_credits_does_not_go_back(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "orders/paid", order_body(5001, customer=7001))
    former = make_wallet(session, studio, 7001)
    booking = bookings.book(
        session,
        studio=studio,
        request=make_request(),
        wallet_id=former.id,
        actor="customer",
        now=NOW,
    )
    made = take(session, studio, 7002)
    claimant = session.get_one(Wallet, (studio.id, made.wallet_id))
    grant_lot(session, studio, claimant, "sooner", 60, expires_at=NOW + timedelta(days=60))
    moves.move(
        session,
        studio=studio,
        booking_id=booking.id,
        target=moves.Target(toronto(2026, 11, 26, 12)),
        actor=Actor.CUSTOMER,
        now=NOW,
    )

    with pytest.raises(Entangled):
        claims.revert(session, studio_id=studio.id, claim_id=made.id, by="staff", now=NOW)

    assert broken_promises(session) == []


def test_credits_of_a_test_order_are_nobody_s_to_claim(session: Session, studio: Studio) -> None:
    buy_as_guest(session, studio, test=True)

    assert hear(session, studio, "customers/create", customer_body(7001, MINE)) == "verified"
    with pytest.raises(NothingToClaim):
        take(session, studio, 7001)

    assert sums_of(session, owner(session, studio, 7001)) == {}
