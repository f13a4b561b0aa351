"""A customer asks for something while the shop merges them into another one."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text

from tests.factories.people import hear, merge_body
from tests.factories.serving import Served, session_body, studio_of
from tests.factories.staff import promises

KEPT, REMOVED = 7001, 7002


def somebody_waits(api: Served) -> bool:
    with api.house.transaction() as session:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(session.execute(text(waiting)).scalar_one())


@pytest.mark.parametrize("path", ["bookings", "holds"])
def test_whoever_waits_for_a_merge_is_served_as_the_one_they_become(
    shared_api: Served, path: str
) -> None:
    api = shared_api
    for customer in (KEPT, REMOVED):
        api.give(60, customer=customer)
    api.customer(REMOVED).get("/api/credits")
    body = session_body(minutes=120 if path == "bookings" else 60)

    with ThreadPoolExecutor(1) as pool:
        with api.house.transaction() as session:
            hear(session, studio_of(api), "customers/merge", merge_body(KEPT, REMOVED))
            asking = pool.submit(api.customer(REMOVED).post, f"/api/{path}", body)
            until = time.monotonic() + 10
            while not somebody_waits(api):
                assert time.monotonic() < until, "nobody waits for the merge"
        answer: httpx.Response = asking.result()

    if path == "bookings":
        assert answer.status_code == 201, answer.text
        shown = api.customer(KEPT).get("/api/credits").json()
        assert shown["simulator_minutes"] == {"available": 0, "held": 120}
    else:
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert api.customer(REMOVED).post("/api/holds", body).status_code == 201
    assert promises(api) == []
