"""What is kept of the book has a bound, whatever is asked."""

from datetime import date

from booking_engine.booking.availability import Search
from connector import database
from connector.live import ANSWERS_MAX_BYTES, Answer, LiveBook
from connector.runtime import Runtime

MEGABYTE = 1024 * 1024


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
