"""A person asks to be forgotten, or to see what is kept: product rule D13."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine import audit_trail
from booking_engine.attention import AttentionItem
from booking_engine.audit_trail import AuditEntry
from booking_engine.booking import bookings, series, waitlist
from booking_engine.booking.models import Booking, BookingStatus, Hold
from booking_engine.booking.policies import Actor
from booking_engine.booking.series_models import Series, SeriesStatus
from booking_engine.booking.waitlist_models import EntryStatus, WaitlistEntry
from booking_engine.catalog.studio import Studio
from booking_engine.erasing import Erasing, erasing
from booking_engine.ledger import credits
from booking_engine.ledger.models import Lot, Transfer, Wallet, WalletAlias
from booking_engine.ledger.people_models import PersonExport, ShopExport, Tombstone
from connector.tables import metadata
from shopify_gateway.deliveries import UnreadableDelivery
from shopify_gateway.models import ShopOrder, WebhookDelivery
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

EMAIL, PHONE = "Zoë.Quill@example.com", "+1 613 555 0142"
STREET = "17 Rue de l'Église"
NAMES = ["Quill", "Zoë", "zoë.quill", "555 0142", "Église", "7302452800513"]
CUSTOMER = 7302452800513
PERSON = {
    "id": CUSTOMER,
    "email": EMAIL,
    "phone": PHONE,
    "first_name": "Zoë",
    "last_name": "Quill",
    "verified_email": True,
    "default_address": {"name": "Zoë Quill", "address1": STREET, "phone": PHONE},
}
LATER = {"updated_at": "2099-01-01T00:00:00+00:00"}


def buy(session: Session, studio: Studio, id: int = 5001, **more: Any) -> dict[str, Any]:
    """Deliver a paid order of the person, with everything that Shopify says about them."""
    body = order_body(id, **more) | {
        "customer": PERSON,
        "email": EMAIL,
        "billing_address": PERSON["default_address"],
    }
    hear(session, studio, "orders/paid", body)
    return body


def forget(session: Session, studio: Studio, **more: Any) -> str:
    body = redact_body(CUSTOMER, email=EMAIL, phone=PHONE, **more)
    return hear(session, studio, "customers/redact", body)


def found_anywhere(session: Session, *words: str) -> list[str]:
    """Look for words in every column of every table that can hold some."""
    hits = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            written = f"{column.name}::text"
            if str(column.type) == "BLOB" or "BYTEA" in str(column.type).upper():
                written = f"convert_from({column.name}, 'UTF8')"
                if column.name != "body":
                    continue  # digests
            for word in words:
                for spelled in {word, json.dumps(word)[1:-1]}:
                    count = session.execute(
                        text(
                            f"SELECT count(*) FROM {table.name}"
                            f" WHERE position(lower(:word) IN lower({written})) > 0"
                        ),
                        {"word": spelled},
                    ).scalar_one()
                    if count:
                        hits.append(f"{table.name}.{column.name}: {spelled}")
    return hits


def note(session: Session, studio: Studio, reference: object, reason: str, **facts: Any) -> None:
    audit_trail.record(
        session,
        AuditEntry(
            studio_id=studio.id,
            role="owner",
            key_name="key",
            action="test",
            reference=str(reference),
            reason=reason,
            facts=facts,
            at=NOW,
        ),
    )


def live_a_little(session: Session, studio: Studio) -> None:
    """Leave every trace that a customer can leave."""
    hear(session, studio, "customers/create", PERSON)
    buy(session, studio, 5001, quantity=4)
    wallet_id = owner(session, studio, CUSTOMER)
    assert wallet_id is not None
    for number in range(2):
        booking = bookings.book(
            session,
            studio=studio,
            request=make_request(toronto(2026, 11, 25 + number, 18)),
            wallet_id=wallet_id,
            actor="customer",
            now=NOW,
        )
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booking.id,
        actor=Actor.CUSTOMER,
        reason="Zoë has a cold",
        now=NOW,
    )
    place_hold(session, studio, make_request(toronto(2026, 11, 27, 9)))
    note(session, studio, booking.id, "Ms Quill rang", customer=CUSTOMER)
    note(session, studio, "another", f"write to {EMAIL.lower()}", note=f"or ring {PHONE}")
    session.add(
        AttentionItem(
            studio_id=studio.id,
            kind="paid_too_little",
            key=str(booking.id),
            detail="a session",
            facts={"booking": str(booking.id)},
            raised_at=NOW,
            resolved_at=NOW,
            resolution="dismiss",
            resolved_by="staff:owner",
            resolved_reason="Zoë Quill paid at the desk",
        )
    )
    session.flush()


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
    assert series.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id)


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


def test_an_erased_customer_of_a_merge_is_erased_under_both_ids(
    session: Session, studio: Studio
) -> None:
    buy(session, studio)
    hear(session, studio, "customers/merge", merge_body(7001, CUSTOMER))

    hear(session, studio, "customers/redact", redact_body(7001))

    assert (owner(session, studio, 7001), owner(session, studio, CUSTOMER)) == (None, None)
    assert broken_promises(session) == []


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


def test_an_export_holds_what_is_kept_and_is_made_once(session: Session, studio: Studio) -> None:
    live_a_little(session, studio)
    body = {
        "customer": {"id": CUSTOMER, "email": EMAIL},
        "orders_requested": [5001],
        "data_request": {"id": 9999},
    }

    outcomes = [hear(session, studio, "customers/data_request", body) for _ in range(2)]

    made = session.exec(select(PersonExport)).one()
    item = session.exec(
        select(AttentionItem).where(col(AttentionItem.kind) == "data_request")
    ).one()
    kept = made.document["kept"]
    assert outcomes == ["exported", "agreed"]
    assert item.facts["export"] == str(made.id)
    assert {name: len(rows) for name, rows in kept.items() if rows} == {
        "booking": 2,
        "draw": 2,
        "lot": 4,
        "shop_order": 1,
        "transfer": 7,
        "wallet_alias": 2,
    }
    assert "orders/paid" in {each["topic"] for each in made.document["deliveries"]}
    assert STREET in json.dumps(made.document, ensure_ascii=False)


def test_an_export_goes_with_the_person(session: Session, studio: Studio) -> None:
    buy(session, studio)
    body = {"customer": {"id": CUSTOMER}, "data_request": {"id": 1}}
    hear(session, studio, "customers/data_request", body)

    forget(session, studio)

    assert session.exec(select(PersonExport)).all() == []


def test_a_shop_that_is_closed_leaves_an_export_and_nothing_else(
    session: Session, studio: Studio
) -> None:
    live_a_little(session, studio)
    forget(session, studio)
    buy(session, studio, 5003)
    lots = len(session.exec(select(Lot)).all())

    outcome = hear_of_closing(session, studio)

    rest = {
        table.name: session.execute(text(f"SELECT count(*) FROM {table.name}")).scalar_one()
        for table in metadata.sorted_tables
    }
    assert outcome == "closed"
    assert {name for name, count in rest.items() if count} == {"shop_export"}
    parts = {part.relation: part.content for part in session.exec(select(ShopExport))}
    assert len(parts["lot"]) == lots
    assert parts["studio"][0]["shop"] == studio.shop
    assert "webhook_delivery" not in parts
    assert found_anywhere(session, *NAMES) == []


def hear_of_closing(session: Session, studio: Studio) -> str:
    delivery_body = {"shop_id": 954889, "shop_domain": studio.shop}
    return hear(session, studio, "shop/redact", delivery_body)


def test_holds_of_the_person_no_longer_name_them(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio, holder=f"customer:{CUSTOMER}")
    buy(session, studio, hold=hold.id)

    forget(session, studio)

    assert session.exec(select(Hold.holder)).one() == "erased"
    assert NOW + timedelta(0) == session.exec(select(Wallet.erased_at)).one()
