"""A quote's cart costs in the shop what the quote said, and then pays for its sessions."""

import pytest

from tests.factories.sandbox_people import Merchant, Visitor, at
from tests.factories.sandbox_process import SandboxProcess, eventually
from tests.factories.studio import HOUR
from tests.journeys.conftest import NewDay


@pytest.mark.parametrize("way", [0, 1])
def test_a_quote_is_what_the_shop_takes_and_what_the_sessions_need(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, new_day: NewDay, way: int
) -> None:
    merchant.order(visitor.customer, {HOUR: 1})
    eventually(visitor.minutes, (60, 0))
    sessions = [
        {"service": "simulator", "start": at(new_day(1), 14), "minutes": 240},
        {
            "service": "simulator",
            "start": at(new_day(1), 14),
            "minutes": 60,
            "coaching": {"minutes": 60, "coach": "any"},
        },
    ]
    answer = visitor.post("quote", {"sessions": sessions})
    assert answer.status_code == 200, answer.text
    option = answer.json()["options"][way]
    items = [
        {"id": each["variant_id"], "quantity": each["quantity"], "properties": each["properties"]}
        for each in option["lines"]
    ]

    visitor.shop.post("/cart/add.js", json={"items": items}).raise_for_status()
    cart = visitor.shop.get("/cart.js").json()

    assert cart["total_price"] == option["total_minor"]
    visitor.shop.post("/cart/clear.js").raise_for_status()
    visitor.check_out(option)
    left = {kind: (quantity, 0) for kind, quantity in option["leaves"].items()}
    needed = {"simulator_minutes": 300, "coaching_sessions": 1}
    eventually(
        visitor.credits, {kind: (left[kind][0] + needed[kind], 0) for kind in left}, seconds=30
    )
    for session in sessions:
        booked = visitor.post("bookings", session)
        assert booked.status_code == 201, booked.text
    assert {kind: have[0] for kind, have in visitor.credits().items()} == option["leaves"]
    assert sandbox.violations() == ""
