"""Somebody who has left every trace that a customer can leave, and where to look for them."""

import json
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from booking_engine import audit_trail
from booking_engine.attention import AttentionItem
from booking_engine.audit_trail import AuditEntry
from booking_engine.booking import bookings
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from connector.tables import metadata
from tests.factories.people import hear, owner, redact_body
from tests.factories.shop_orders import place_hold
from tests.factories.shopify_bodies import order_body
from tests.factories.studio import NOW, make_request, toronto

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
    """Have the shop ask for the person to be forgotten."""
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
    """Write something into the trail, as staff do."""
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
