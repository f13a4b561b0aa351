"""What is kept of the book has a bound, whatever is asked, and so has the asking."""

import time
from datetime import date

from sqlalchemy import text

from booking_engine.booking.availability import Search
from connector import database
from connector.live import ANSWERS_MAX_BYTES, Answer, LiveBook
from connector.runtime import Runtime
from tests.factories.serving import Served, tuesday_at

MEGABYTE = 1024 * 1024
LOCK_SECONDS = 4  # so long a statement waits for a lock


def test_kept_answers_are_bounded_by_their_size(house: Runtime) -> None:
    live = LiveBook(house.settings.database_url, database.make_pool(house.settings))
    mark = live.mark(1, 0, 0)
    search = Search("simulator", date(2026, 11, 25))
    answer = Answer(b"x" * MEGABYTE, '"x"', mark, 0.0, "", search)
    keys = [f"from=2026-11-25&extra={number}" for number in range(200)]

    for key in keys:
        live.keep(key, answer)
        live.keep(key, answer)  # the same question again takes no more

    kept = [key for key in keys if live.answer(key) is not None]
    assert kept[-1] == keys[-1]
    assert 1 < len(kept) <= ANSWERS_MAX_BYTES // MEGABYTE


def test_a_book_that_is_locked_is_asked_once_and_not_five_times(shared_api: Served) -> None:
    with shared_api.house.transaction() as session:
        session.execute(text("LOCK TABLE allocation"))
        asked_at = time.monotonic()
        answer = shared_api.visitor().get("/api/availability", **{"from": tuesday_at(18).date()})

    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert "Retry-After" in answer.headers
    assert time.monotonic() - asked_at < 2 * LOCK_SECONDS
