"""Freed time is offered to the first whom it fits, held for a while (rule D19, D27 number 11)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from booking_engine.booking import holds, offers, waitlist
from booking_engine.booking.book import SlotTaken
from booking_engine.catalog.studio import Studio
from tests.factories.studio import (
    NOW,
    TORONTO,
    make_request,
    make_wallet,
    toronto,
)
from tests.factories.waitlist import (
    EVENING,
    fill,
    free,
    minutes_offered,
    open_offer,
    serve_line,
    violations,
    wait,
)

MORNING = toronto(2026, 11, 25, 10)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _kept_promises(session: Session) -> Iterator[None]:
    yield
    assert violations(session) == []


def test_who_waits_longest_is_offered_the_freed_time(session: Session, studio: Studio) -> None:
    taken = fill(session, studio)
    second = wait(session, studio, 7002, at=NOW + MINUTE)
    first = wait(session, studio, 7001)
    assert serve_line(session, studio) == 0

    free(session, studio, taken[0])
    served = serve_line(session, studio)

    assert served == 1
    assert minutes_offered(session, first, NOW) == 30
    assert open_offer(session, second) is None
    assert [waitlist.position(session, entry=each) for each in (first, second)] == [1, 2]


def test_an_offer_lasts_half_an_hour_or_half_the_time_that_is_left(
    session: Session, studio: Studio
) -> None:
    """D27 11: freed 09:00 ends 09:30, declined 09:10 ends 09:35, 09:45 7.5 min, 09:52 none."""
    taken = fill(session, studio, MORNING)
    line = [wait(session, studio, 7000 + number, MORNING) for number in range(5)]
    nine, ten_past = (toronto(2026, 11, 25, 9, minute) for minute in (0, 10))

    free(session, studio, taken[0], nine)
    serve_line(session, studio, nine)
    assert open_offer(session, line[0])[1].expires_at == toronto(2026, 11, 25, 9, 30)

    waitlist.decline(session, studio=studio, entry=line[0], now=ten_past)
    serve_line(session, studio, ten_past)
    assert open_offer(session, line[1])[1].expires_at == toronto(2026, 11, 25, 9, 35)

    quarter_to = toronto(2026, 11, 25, 9, 45)
    free(session, studio, taken[1], quarter_to)
    serve_line(session, studio, quarter_to)
    served = [minutes_offered(session, entry, quarter_to) for entry in line]
    assert served == [None, None, 7.5, 7.5, None]

    eight_to = toronto(2026, 11, 25, 9, 52)
    free(session, studio, taken[2], eight_to)
    assert serve_line(session, studio, eight_to) == 0
    assert open_offer(session, line[4]) is None


def test_the_last_offer_is_made_ten_minutes_before_the_start(
    session: Session, studio: Studio
) -> None:
    taken = fill(session, studio, MORNING)
    entry = wait(session, studio, 7001, MORNING)
    late = MORNING - timedelta(minutes=10)
    free(session, studio, taken[0], late)

    assert serve_line(session, studio, late) == 1
    assert minutes_offered(session, entry, late) == 5


@given(st.integers(10 * 60, 14 * 24 * 3600))
def test_every_offer_leaves_five_minutes_to_answer_and_half_an_hour_at_most(seconds: int) -> None:
    start = NOW + timedelta(seconds=seconds)

    until = offers.lasts_until(start, now=NOW)

    assert 5 * MINUTE <= until - NOW <= 30 * MINUTE
    assert until - NOW <= start - until


@pytest.mark.parametrize(
    ("now", "start", "is_quiet"),
    [
        (toronto(2026, 11, 24, 21, 59), toronto(2026, 11, 25, 18), False),
        (toronto(2026, 11, 24, 22, 0), toronto(2026, 11, 25, 18), True),
        (toronto(2026, 11, 25, 7, 59), toronto(2026, 11, 25, 20), True),
        (toronto(2026, 11, 25, 8, 0), toronto(2026, 11, 25, 20), False),
        (toronto(2026, 11, 25, 6, 0), toronto(2026, 11, 25, 18), True),
        (toronto(2026, 11, 25, 6, 1), toronto(2026, 11, 25, 18), False),
        # The clocks go back at 02:00: from 23:30 to 10:30 it is twelve hours.
        (toronto(2026, 10, 31, 23, 30), toronto(2026, 11, 1, 10, 30), True),
        (toronto(2026, 10, 31, 23, 30), toronto(2026, 11, 1, 10, 0), False),
    ],
)
def test_nobody_is_woken_for_what_is_far_away(
    now: datetime, start: datetime, *, is_quiet: bool
) -> None:
    assert offers.is_quiet(start.astimezone(UTC), TORONTO, now=now.astimezone(UTC)) is is_quiet


def test_what_is_freed_at_night_is_offered_in_the_morning(session: Session, studio: Studio) -> None:
    taken = fill(session, studio)
    entry = wait(session, studio)
    midnight, eight = toronto(2026, 11, 25, 0), toronto(2026, 11, 25, 8)
    free(session, studio, taken[0], midnight - MINUTE)

    assert serve_line(session, studio, midnight - MINUTE) == 0
    assert serve_line(session, studio, eight) == 1
    assert minutes_offered(session, entry, eight) == 30


def test_the_line_goes_on_past_those_whom_nothing_fits(session: Session, studio: Studio) -> None:
    taken = fill(session, studio)
    pair = wait(session, studio, 7001, simulators=2)
    longer = wait(session, studio, 7002, minutes=120)
    fill(session, studio, EVENING + timedelta(hours=1))
    single = wait(session, studio, 7003)

    free(session, studio, taken[0])
    serve_line(session, studio)

    offered = [open_offer(session, entry) is not None for entry in (pair, longer, single)]
    assert offered == [False, False, True]


def test_so_many_freed_slots_make_so_many_offers(session: Session, studio: Studio) -> None:
    taken = fill(session, studio)
    line = [wait(session, studio, 7000 + number) for number in range(4)]
    for booking_id in taken[:3]:
        free(session, studio, booking_id)

    assert serve_line(session, studio) == 3
    assert [open_offer(session, entry) is not None for entry in line] == [True] * 3 + [False]


def test_offered_time_cannot_be_had_by_others(session: Session, studio: Studio) -> None:
    taken = fill(session, studio)
    wait(session, studio)
    free(session, studio, taken[0])
    serve_line(session, studio)
    rival = make_wallet(session, studio, 7009)
    holder = holds.Holder("customer:7009", holds.CUSTOMER_CAPS, rival.id)

    with pytest.raises(SlotTaken):
        holds.place(session, studio=studio, request=make_request(EVENING), holder=holder, now=NOW)


def test_an_offer_does_not_count_towards_the_caps(session: Session, studio: Studio) -> None:
    wallet = make_wallet(session, studio, 7001)
    holder = holds.Holder("customer:7001", holds.CUSTOMER_CAPS, wallet.id)
    for hour in (9, 10):
        request = make_request(toronto(2026, 11, 26, hour))
        holds.place(session, studio=studio, request=request, holder=holder, now=NOW)
    entry = wait(session, studio, 7001)

    assert serve_line(session, studio) == 1
    assert minutes_offered(session, entry, NOW) == 30
