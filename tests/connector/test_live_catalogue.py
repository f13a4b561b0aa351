"""What is kept of availability is made of the present catalogue."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy import TextClause, text

from booking_engine.catalog import queries
from tests.connector.test_stream import Listener, listeners, watch
from tests.factories.serving import Served, tuesday_at

TOUCHED = text("UPDATE studio SET revision = revision + 1")
NARROWED = text("""
    UPDATE studio SET policy = jsonb_set(policy::jsonb, '{horizon_days}', '1'),
        revision = revision + 1
""")
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
HEARD_SECONDS = 0.3


def until(is_so: Callable[[], bool]) -> None:
    patience = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < patience
        time.sleep(0.02)


def is_waiting(api: Served) -> bool:
    with api.house.transaction() as session:
        return bool(session.execute(WAITING).scalar_one())


def change(api: Served, statement: TextClause) -> None:
    with api.house.transaction() as session:
        session.execute(statement)


@contextmanager
def changing_while_it_is_read(api: Served) -> Iterator[None]:
    """Let the catalogue change, and again while whoever asks in this block reads it."""
    with api.house.transaction() as slow:
        slow.execute(text("LOCK TABLE location"))
        change(api, TOUCHED)
        queries.forget()
        time.sleep(HEARD_SECONDS)
        yield
        until(lambda: is_waiting(api))  # the first half is read, and so is the policy
        change(api, NARROWED)
        time.sleep(HEARD_SECONDS)


def test_an_answer_of_a_catalogue_that_changed_meanwhile_is_not_kept(api: Served) -> None:
    visitor, day = api.visitor(), {"from": tuesday_at(18).date()}
    assert visitor.get("/api/availability", **day).json()["slots"]

    with ThreadPoolExecutor(1) as pool:
        with changing_while_it_is_read(api):
            asking = pool.submit(visitor.get, "/api/availability", **day)
        assert asking.result().status_code == 200

    assert visitor.get("/api/availability", **day).json()["slots"] == []


def test_a_stream_hears_of_a_catalogue_that_changed_while_it_was_read(
    api: Served, listeners: list[Listener]
) -> None:
    listener = watch(api, listeners)
    assert listener.next()["id"]

    with changing_while_it_is_read(api):
        pass

    assert listener.next()["event"] == "changed"


__all__ = ["listeners"]
