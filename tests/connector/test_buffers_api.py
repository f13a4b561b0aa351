"""Over HTTP too a customer plays on without a buffer where a stranger cannot (D22)."""

import time
from datetime import timedelta

from tests.factories.serving import Served, session_body, tuesday_at
from tests.factories.staff import promises
from tests.factories.studio import apply_demo, demo_text

BUFFERED = {"buffer_minutes = 0\ncancel": "buffer_minutes = 15\ncancel"}
SEEN_BY_ALL_SECONDS = 0.1


def test_who_plays_may_play_on_and_strangers_keep_the_buffer(shared_api: Served) -> None:
    with shared_api.house.transaction() as session:
        apply_demo(session, demo_text(**BUFFERED))
    me, stranger = shared_api.customer(7001), shared_api.customer(7002)
    shared_api.give(600)
    shared_api.give(960, customer=7003)
    shared_api.give(60, customer=7002)
    rest = session_body(tuesday_at(16), 240, simulators=3)
    assert shared_api.customer(7003).post("/api/bookings", rest).status_code == 201
    first = me.post("/api/bookings", session_body(tuesday_at(17)))
    after, before = session_body(tuesday_at(18)), session_body(tuesday_at(16))
    time.sleep(SEEN_BY_ALL_SECONDS)

    offered = shared_api.visitor().get("/api/availability", **{"from": tuesday_at(18).date()})
    refused = [stranger.post(f"/api/{verb}", after) for verb in ("bookings", "holds")]
    booked = me.post("/api/bookings", after)
    held = me.post("/api/holds", before)

    starts = {slot["start"] for slot in offered.json()["slots"]}
    assert not starts & {tuesday_at(hour).isoformat() for hour in (16, 17, 18)}
    assert (tuesday_at(18) + timedelta(minutes=30)).isoformat() in starts
    assert [answer.json()["code"] for answer in refused] == ["slot_taken"] * 2
    assert (booked.status_code, held.status_code) == (201, 201), (booked.text, held.text)
    assert booked.json()["simulators"] == first.json()["simulators"]
    assert held.json()["booking"]["simulators"] == first.json()["simulators"]
    assert promises(shared_api) == []
