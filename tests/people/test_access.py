"""A person asks what is kept of them, a shop asks to be gone: product rule D13."""

import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from booking_engine.attention import AttentionItem
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Lot
from booking_engine.ledger.people_models import PersonExport, ShopExport
from connector.runtime import Runtime
from connector.tables import metadata
from tests.factories.people import (
    hear,
)
from tests.factories.shopify_bodies import order_body
from tests.factories.traces import (
    CUSTOMER,
    EMAIL,
    NAMES,
    STREET,
    buy,
    forget,
    found_anywhere,
    live_a_little,
)


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
        "debt_entry": 1,
        "draw": 2,
        "lot": 4,
        "shop_order": 1,
        "transfer": 7,
        "wallet_alias": 2,
    }
    assert "orders/paid" in {each["topic"] for each in made.document["deliveries"]}
    assert STREET in json.dumps(made.document, ensure_ascii=False)


def test_an_export_shows_nothing_of_others(session: Session, studio: Studio) -> None:
    buy(session, studio)
    other = {"customer": {"id": 7001, "first_name": "Robin"}, "email": EMAIL, "note": "5001"}
    hear(session, studio, "orders/paid", order_body(5009, customer=7001) | other)
    hear(session, studio, "refunds/create", {"id": 900, "order_id": 5001})
    body = {
        "customer": {"id": CUSTOMER, "email": EMAIL},
        "orders_requested": [5001],
        "data_request": {"id": 1},
    }

    hear(session, studio, "customers/data_request", body)

    shown = session.exec(select(PersonExport)).one().document["deliveries"]
    topics = sorted(each["topic"] for each in shown)
    assert topics == ["customers/data_request", "orders/paid", "refunds/create"]
    assert "Robin" not in json.dumps(shown)


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


def test_an_error_of_the_database_does_not_say_whom_it_was_about(house: Runtime) -> None:
    with pytest.raises(DBAPIError) as failed, house.transaction() as session:
        session.execute(text("SELECT nothing FROM nowhere WHERE name = :name"), {"name": STREET})

    assert STREET not in f"{failed.value} {failed.value!r}"
