"""A weekday package: bought, drawn on weekdays, refused at the weekend, over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from booking_engine.catalog import queries, studio_file
from booking_engine.catalog.studio_file import StudioFileError
from connector.runtime import Runtime
from tests.factories.serving import Served, serve, session_body, studio_of, tuesday_at
from tests.factories.shop_orders import make_line, make_order, post
from tests.factories.staff import promises
from tests.factories.studio import DEMO_FILE, apply_demo

WEEKDAYS = 44000000000009
LIMITED = """
[[product]]
variant = 44000000000009
title = "Weekday hours"
price = "120.00"
grants = { simulator_minutes = 240 }
only = { weekdays = ["mon-thu", "fri"], locations = ["main"], services = ["simulator"] }
"""


def text_with(only: str) -> str:
    limit = LIMITED.strip().rpartition("\n")[2]
    return DEMO_FILE.read_text() + LIMITED.replace(limit, only)


@pytest.fixture
def api(house: Runtime) -> Iterator[Served]:
    """A studio that sells weekday hours, and a customer who bought four."""
    with house.transaction() as session:
        studio = apply_demo(session, DEMO_FILE.read_text() + LIMITED)
        order = make_order(make_line(WEEKDAYS))
        post(session, studio, order, datetime.now(UTC))
    with serve(house) as served:
        yield served


def test_weekday_credits_pay_on_weekdays_alone(api: Served) -> None:
    customer = api.customer()
    saturday = tuesday_at(12) + timedelta(days=4)

    on_tuesday = customer.post("/api/bookings", session_body(tuesday_at(18)))
    at_weekend = customer.post("/api/bookings", session_body(saturday))

    assert on_tuesday.status_code == 201, on_tuesday.text
    assert (at_weekend.status_code, at_weekend.json()["code"]) == (402, "not_enough_credits")
    assert at_weekend.json()["available"] == {"simulator_minutes": 0}
    assert at_weekend.json()["cart"]["total_minor"] == 4500
    (lot,) = customer.get("/api/credits").json()["lots"]
    assert (lot["available"], lot["held"]) == (180, 60)
    assert lot["only"] == {
        "weekdays": ["mon", "tue", "wed", "thu", "fri"],
        "locations": ["main"],
        "services": ["simulator"],
    }
    assert promises(api) == []


def test_a_move_to_the_weekend_needs_other_credits(api: Served) -> None:
    customer = api.customer()
    booked = customer.post("/api/bookings", session_body(tuesday_at(18))).json()
    path = f"/api/bookings/{booked['id']}/move"
    saturday = (tuesday_at(12) + timedelta(days=4)).isoformat()

    refused = customer.post(path, {"start": saturday})
    api.give(60)
    moved = customer.post(path, {"start": saturday})

    assert (refused.status_code, refused.json()["code"]) == (402, "not_enough_credits")
    assert moved.status_code == 200, moved.text
    lots = customer.get("/api/credits").json()["lots"]
    assert {(lot["granted"], lot["held"]) for lot in lots} == {(240, 0), (60, 60)}
    assert promises(api) == []


def test_what_the_product_says_later_changes_no_lot(api: Served) -> None:
    with api.house.transaction() as session:
        apply_demo(session, text_with('only = { weekdays = ["sun"] }'))
    queries.forget()

    answer = api.customer().post("/api/bookings", session_body(tuesday_at(18)))

    assert answer.status_code == 201, answer.text
    shown = api.stranger().get("/api/catalog").json()["products"]
    assert [each.get("only") for each in shown] == [{}, {}, {}, {"weekdays": ["sun"]}]
    assert studio_of(api).products[-1].only.weekdays == ("sun",)


@pytest.mark.parametrize(
    ("only", "cure"),
    [
        ('only = { weekdays = ["someday"] }', "is no weekday"),
        ('only = { weekdays = ["mon-fri", "wed"] }', "given twice"),
        ("only = {}", "name what it is limited to"),
        ("only = { weekdays = [] }", "name what it is limited to"),
        ('only = { locations = ["mars"] }', 'no location is called "mars"'),
        ('only = { services = ["sauna"] }', 'no service is called "sauna"'),
        ('only = { coaches = ["zoe"] }', 'no coach is called "zoe"'),
        ('only = { bays = ["bay-1"] }', "unknown key"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused_with_its_line(only: str, cure: str) -> None:
    text = text_with(only)

    with pytest.raises(StudioFileError, match=cure) as refused:
        studio_file.read(text, name="studio.toml")

    line = 1 + text.splitlines().index(only)
    assert [problem.split(":")[1] for problem in refused.value.problems] == [str(line)]
