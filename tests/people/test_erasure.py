"""A person asks to be forgotten: product rule D13."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine.attention import AttentionItem
from booking_engine.audit_trail import AuditEntry
from booking_engine.booking import attendance, bookings, claim_codes, series, waitlist
from booking_engine.booking.claims import Claimant
from booking_engine.booking.models import Booking, BookingStatus, Hold
from booking_engine.booking.policies import Actor
from booking_engine.booking.series_models import Series, SeriesStatus
from booking_engine.booking.waitlist_models import EntryStatus, WaitlistEntry
from booking_engine.catalog.studio import Studio
from booking_engine.erasing import Erasing, erasing
from booking_engine.ledger import credits, extensions
from booking_engine.ledger.debts import DebtCause, DebtEntry
from booking_engine.ledger.models import Lot, Transfer, Wallet, WalletAlias
from booking_engine.ledger.people_models import ClaimKind, Tombstone
from booking_engine.ledger.transfers import Cause
from connector.tables import metadata
from shopify_gateway.deliveries import UnreadableDelivery
from shopify_gateway.models import ShopOrder, WebhookDelivery
from shopify_gateway.traces import TYPED
from tests.factories.desk import broken_promises
from tests.factories.ledger import grant_lot
from tests.factories.people import (
    customer_body,
    hear,
    merge_body,
    owner,
    redact_body,
    sums_of,
)
from tests.factories.series import start_series
from tests.factories.shop_orders import place_hold, told
from tests.factories.shopify_bodies import order_body
from tests.factories.studio import NOW, make_request, make_wallet, toronto
from tests.factories.traces import (
    CUSTOMER,
    EMAIL,
    LATER,
    NAMES,
    PERSON,
    buy,
    forget,
    found_anywhere,
    live_a_little,
    note,
)


def test_after_a_redaction_nothing_that_names_the_person_is_found_anywhere(
    session: Session, studio: Studio
) -> None:
    live_a_little(session, studio)
    assert len({hit.partition(":")[0] for hit in found_anywhere(session, *NAMES)}) >= 5

    outcome = forget(session, studio, orders=(5001,))

    assert outcome == "erased"
    assert found_anywhere(session, *NAMES) == []
    assert broken_promises(session) == []


def test_ledger_and_book_keep_their_rows_under_nobody(session: Session, studio: Studio) -> None:
    live_a_little(session, studio)
    wallet_id = owner(session, studio, CUSTOMER)
    transfers = len(session.exec(select(Transfer)).all())
    session.expire_all()

    forget(session, studio)

    assert owner(session, studio, CUSTOMER) is None
    assert sums_of(session, wallet_id) == {"A": 240}
    assert len(session.exec(select(Transfer)).all()) == transfers + 1  # one session was freed
    kinds = session.exec(select(WalletAlias.kind)).all()
    assert kinds == ["order"]
    assert session.exec(select(Wallet.erased_at)).all() == [NOW]


def test_sessions_to_come_are_cancelled_in_full_and_the_calendars_hear_of_it(
    session: Session, studio: Studio
) -> None:
    wallet = make_wallet(session, studio, CUSTOMER)
    grant_lot(session, studio, wallet, "own", 120)
    near = bookings.book(
        session,
        studio=studio,
        request=make_request(toronto(2026, 11, 20, 13)),
        wallet_id=wallet.id,
        actor="customer",
        now=NOW,
    )

    forget(session, studio)

    session.refresh(near)
    assert (near.status, near.ended_by) == (BookingStatus.CANCELLED, "studio")
    assert sums_of(session, wallet.id) == {"A": 120}
    assert str(near.id) in told(session)


def test_open_credits_are_frozen_and_somebody_has_to_decide(
    session: Session, studio: Studio
) -> None:
    buy(session, studio, quantity=2)
    wallet_id = owner(session, studio, CUSTOMER)

    forget(session, studio)

    lots = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet_id)
    item = session.exec(select(AttentionItem)).one()
    assert {lot.frozen_at for lot in lots} == {NOW}
    assert credits.balance(lots, now=NOW)["simulator_minutes"] == {"available": 0, "held": 0}
    assert item.kind == "erased_with_credits"
    assert item.facts == {
        "wallet": str(wallet_id),
        "simulator_minutes": 120,
        "paid_minor": 9000,
        "currency": "CAD",
    }


def test_series_holds_and_places_in_the_line_end(session: Session, studio: Studio) -> None:
    wallet = make_wallet(session, studio, CUSTOMER)
    grant_lot(session, studio, wallet, "own", 60)
    start_series(session, studio, wallet)
    waitlist.join(
        session,
        studio=studio,
        wish=waitlist.Wish(
            service="simulator",
            earliest=toronto(2026, 11, 28, 10),
            latest=toronto(2026, 11, 28, 12),
            minutes=60,
        ),
        wallet_id=wallet.id,
        now=NOW,
    )

    forget(session, studio)

    assert session.exec(select(Series.status)).all() == [SeriesStatus.ENDED]
    assert session.exec(select(WaitlistEntry.status)).all() == [EntryStatus.LEFT]
    live = [each for each in session.exec(select(Booking.status)) if each in bookings.LIVE]
    held = session.exec(select(Booking).where(col(Booking.status) == BookingStatus.HELD)).all()
    assert (live, held) == ([], [])
    assert broken_promises(session) == []
    whose = {"studio_id": studio.id, "wallet_id": wallet.id}
    assert series.of_wallet(session, **whose, before=None, limit=1)


def test_what_comes_late_lands_with_the_erased_wallet_and_restores_nobody(
    session: Session, studio: Studio
) -> None:
    body = buy(session, studio, quantity=2)
    wallet_id = owner(session, studio, CUSTOMER)
    forget(session, studio)

    refunded = body | LATER | {"financial_status": "partially_refunded"}
    refunded["line_items"] = [body["line_items"][0] | {"current_quantity": 1}]
    hear(session, studio, "orders/updated", refunded)
    buy(session, studio, 5009)
    hear(session, studio, "customers/update", PERSON)

    assert owner(session, studio, CUSTOMER) is None
    assert sums_of(session, wallet_id) == {"A": 120, "R": 60}
    assert None not in session.exec(select(Lot.frozen_at).where(col(Lot.available) > 0)).all()
    assert found_anywhere(session, *NAMES) == []
    assert broken_promises(session) == []


def test_a_second_redaction_changes_nothing(session: Session, studio: Studio) -> None:
    buy(session, studio)
    forget(session, studio)
    counts = len(session.exec(select(Transfer)).all()), len(session.exec(select(Tombstone)).all())

    assert forget(session, studio) == "erased"

    assert counts == (
        len(session.exec(select(Transfer)).all()),
        len(session.exec(select(Tombstone)).all()),
    )


def test_another_customer_keeps_everything(session: Session, studio: Studio) -> None:
    live_a_little(session, studio)
    other = order_body(5002, customer=7001) | {"email": "robin@example.com"}
    hear(session, studio, "orders/paid", other)
    note(session, studio, "another", "Robin rang about the quill pens")

    forget(session, studio, orders=(5001,))

    bodies = session.exec(select(WebhookDelivery.body).where(col(WebhookDelivery.body) != None))  # noqa: E711
    assert [json.loads(each or b"")["id"] for each in bodies] == [5002]
    assert sums_of(session, owner(session, studio, 7001)) == {"A": 60}
    assert "Robin rang about the quill pens" in session.exec(select(AuditEntry.reason)).all()


def test_a_guest_is_forgotten_by_address_and_orders_alone(session: Session, studio: Studio) -> None:
    body = order_body(5001, customer=None) | {"email": EMAIL}
    hear(session, studio, "orders/paid", body)

    outcome = hear(session, studio, "customers/redact", redact_body(None, email=EMAIL))
    hear(session, studio, "customers/create", customer_body(7009, EMAIL))
    hear(session, studio, "orders/updated", body)

    assert outcome == "erased"
    assert session.exec(select(ShopOrder.address)).all() == [None]
    assert sums_of(session, owner(session, studio, 7009)) == {}
    assert found_anywhere(session, "Quill") == []


def test_who_never_was_here_leaves_a_tombstone_alone(session: Session, studio: Studio) -> None:
    assert forget(session, studio) == "nothing_kept"

    assert session.exec(select(Wallet)).all() == []
    assert len(session.exec(select(Tombstone)).all()) == 4  # two names under two keys
    assert found_anywhere(session, *NAMES) == []


@pytest.mark.parametrize("body", [{}, {"customer": {}}, {"customer": {"id": "x"}}])
def test_a_redaction_of_nobody_is_unreadable(
    session: Session, studio: Studio, body: dict[str, Any]
) -> None:
    with pytest.raises(UnreadableDelivery):
        hear(session, studio, "customers/redact", body)


def test_only_the_documented_way_blanks_the_trail(session: Session, studio: Studio) -> None:
    note(session, studio, "x", "words")

    for kind, statement in (
        ("", "UPDATE audit_entry SET reason = ''"),
        (Erasing.STUDIO, "UPDATE audit_entry SET reason = ''"),
        (Erasing.PERSON, "DELETE FROM audit_entry"),
        (Erasing.PERSON, "UPDATE transfer SET actor = ''"),
    ):
        attempt = session.begin_nested()
        session.execute(text("SELECT set_config('simstudio.erasing', :kind, true)"), {"kind": kind})
        with pytest.raises(Exception, match="append-only"):
            session.execute(text(statement))
        attempt.rollback()
    with erasing(session, Erasing.PERSON):
        session.execute(text("UPDATE audit_entry SET reason = ''"))
    with pytest.raises(Exception, match="append-only"), session.begin_nested():
        session.execute(text("UPDATE audit_entry SET reason = ''"))


def test_holds_of_the_person_no_longer_name_them(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio, holder=f"customer:{CUSTOMER}")
    buy(session, studio, hold=hold.id)

    forget(session, studio)

    assert session.exec(select(Hold.holder)).one() == "erased"
    assert NOW + timedelta(0) == session.exec(select(Wallet.erased_at)).one()


def test_an_order_that_somebody_else_has_claimed_stays_with_them(
    session: Session, studio: Studio
) -> None:
    buy(session, studio)
    friend = make_wallet(session, studio, 7001)
    claim_codes.take(
        session,
        studio_id=studio.id,
        order_id=5001,
        gift=None,
        claimant=Claimant(friend.id, ClaimKind.STAFF, "staff:owner"),
        now=NOW,
    )

    forget(session, studio, orders=(5001,))

    assert sums_of(session, friend.id) == {"A": 60}
    assert session.exec(select(Lot.frozen_at)).all() == [None]
    assert found_anywhere(session, *NAMES) == []
    assert broken_promises(session) == []


@pytest.mark.parametrize("company", ["Simulator", "confirmed", "main", "customer", "paid"])
def test_words_of_the_person_that_are_also_ours_stay_where_nobody_typed_them(
    session: Session, studio: Studio, company: str
) -> None:
    place_hold(session, studio, holder="customer:7001")
    hear(session, studio, "orders/paid", order_body(5002, customer=7001))
    bought = session.exec(select(ShopOrder.snapshot)).one()
    wallet = make_wallet(session, studio, 7001)
    grant_lot(session, studio, wallet, "own", 60)
    booked = bookings.book(
        session,
        studio=studio,
        request=make_request(toronto(2026, 11, 28, 10)),
        wallet_id=wallet.id,
        actor="customer",
        now=NOW,
    )
    before = booked.model_dump()
    address = {"first_name": "Avery", "last_name": "Quill", "company": company}
    hear(session, studio, "customers/update", PERSON | {"default_address": address})

    assert forget(session, studio) == "erased"

    session.refresh(booked)
    assert booked.model_dump() == before
    assert session.exec(select(ShopOrder.snapshot)).one() == bought
    assert session.exec(select(Hold.holder)).all() == ["customer:7001"]


def test_every_column_for_words_is_looked_at(session: Session, studio: Studio) -> None:
    wordy = {"detail", "document", "ended_reason", "facts", "last_error", "reason"}
    wordy |= {"resolved_reason", "note", "notes", "comment", "message", "words"}
    ours = {("booking", "facts"), ("series_occurrence", "reason"), ("transfer", "reason")}

    found = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name in wordy
    }

    assert found - ours == {(name, each) for name, columns in TYPED.items() for each in columns}


def test_what_was_typed_about_the_wallet_before_a_merge_goes_too(
    session: Session, studio: Studio
) -> None:
    first, _ = (make_wallet(session, studio, each) for each in (CUSTOMER, 7001))
    note(session, studio, first.id, "she owed for a broken club")
    lot = grant_lot(session, studio, first, "own", 60, expires_at=NOW + timedelta(days=9))
    until = NOW + timedelta(days=30)
    cause = Cause("she was in hospital", f"lot:{lot.id}", "staff:owner", NOW)
    extensions.extend(session, lot=lot, until=until, key="staff:1", cause=cause)
    paid = {"studio_id": studio.id, "debtor": first.id, "cause": DebtCause.SETTLEMENT, "at": NOW}
    words = {"reference": "desk", "actor": "staff:owner", "reason": "her husband paid"}
    session.add(DebtEntry(key="settled", amount_minor=-1, **paid, **words))
    hear(session, studio, "customers/merge", merge_body(7001, CUSTOMER))
    hear(session, studio, "customers/merge", merge_body(7002, 7001))

    hear(session, studio, "customers/redact", redact_body(7002))

    assert found_anywhere(session, "broken club", "hospital", "husband") == []


def test_what_comes_to_somebody_forgotten_later_is_frozen_as_well(
    session: Session, studio: Studio
) -> None:
    wallet = make_wallet(session, studio, CUSTOMER)
    grant_lot(session, studio, wallet, "own", 60)
    missed = bookings.book(
        session,
        studio=studio,
        request=make_request(),
        wallet_id=wallet.id,
        actor="customer",
        now=NOW,
    )
    late = missed.starts_at + timedelta(minutes=30)
    attendance.mark_no_show(
        session, studio=studio, booking_id=missed.id, actor=Actor.STUDIO, by="staff:owner", now=late
    )
    forget(session, studio)

    attendance.forgive(session, studio=studio, booking_id=missed.id, by="staff:owner", now=late)

    assert session.exec(select(Lot.available, Lot.frozen_at)).all() == [(60, NOW)]
    assert broken_promises(session) == []
