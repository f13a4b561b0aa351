"""Buffers stand between strangers; one's own sessions may follow each other (rule D22)."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from booking_engine.booking import availability, blocks, bookings, holds, moves
from booking_engine.booking.availability import Search
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.models import Booking
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import to_minutes
from tests.factories.desk import at, book, break_down, seats
from tests.factories.series import broken_promises
from tests.factories.studio import NOW, apply_demo, demo_text, make_request, make_wallet

BUFFERED = {"buffer_minutes = 0\ncancel": "buffer_minutes = 15\ncancel"}
ME, STRANGER = 7001, 7002


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session, demo_text(**BUFFERED))


@pytest.fixture
def mine(session: Session, studio: Studio) -> Booking:
    """My hour at two, on the only bay that is not taken by others all afternoon."""
    for number, bay in enumerate(("bay-1", "bay-3", "bay-4")):
        request = make_request(at(12), 240, simulator=bay)
        book(session, studio, request, customer=7010 + number)
    return book(session, studio, make_request(at(14), 60), customer=ME)


def starts(session: Session, studio: Studio, step: int = 30) -> list[str]:
    search = Search("simulator", at(12).date(), minutes=60)
    found = availability.find(session, studio=studio, search=search, now=NOW)
    open_now = {slot.start for slot in found.slots}
    grid = [at(12) + timedelta(minutes=step * number) for number in range(8 * 60 // step)]
    return [f"{each:%H:%M}" for each in grid if to_minutes(each) in open_now and each < at(16)]


@pytest.mark.parametrize("hour", [13, 15])
def test_i_may_play_on_where_nobody_else_may(
    session: Session, studio: Studio, mine: Booking, hour: int
) -> None:
    assert f"{hour}:00" not in starts(session, studio)
    with pytest.raises(SlotTaken), session.begin_nested():
        book(session, studio, make_request(at(hour), 60), customer=STRANGER)

    more = book(session, studio, make_request(at(hour), 60), customer=ME)

    assert seats(session, more) == seats(session, mine) == ["bay-2"]
    assert broken_promises(session) == []


def test_a_buffer_follows_the_last_of_my_sessions(
    session: Session, studio: Studio, mine: Booking
) -> None:
    book(session, studio, make_request(at(15), 60), customer=ME)

    with pytest.raises(SlotTaken), session.begin_nested():
        book(session, studio, make_request(at(16), 60, simulator="bay-2"), customer=STRANGER)

    late = make_request(at(16, 30), 60, simulator="bay-2")
    assert seats(session, book(session, studio, late, customer=STRANGER)) == ["bay-2"]


def test_i_may_hold_and_move_beside_my_session_too(
    session: Session, studio: Studio, mine: Booking
) -> None:
    wallet = make_wallet(session, studio, ME)
    me = holds.Holder("customer:7001", holds.CUSTOMER_CAPS, wallet.id)
    held = holds.place(session, studio=studio, request=make_request(at(15), 60), holder=me, now=NOW)
    later = book(session, studio, make_request(at(18), 60), customer=ME)
    moved = moves.move(
        session,
        studio=studio,
        booking_id=later.id,
        target=Target(at(13)),
        actor=Actor.CUSTOMER,
        now=NOW,
    )

    beside = bookings.get(session, studio_id=studio.id, booking_id=held.booking_id)
    assert [seats(session, each) for each in (moved, mine, beside)] == [["bay-2"]] * 3
    assert broken_promises(session) == []


def test_my_sessions_stay_beside_each_other_when_others_make_room(
    session: Session, studio: Studio
) -> None:
    first = book(session, studio, make_request(at(12), 60), customer=ME)
    second = book(session, studio, make_request(at(13), 60), customer=ME)
    assert seats(session, first) == seats(session, second) == ["bay-2"]

    for number, request in enumerate(
        [
            make_request(at(12), 120, simulator="bay-3"),
            make_request(at(12), 120, simulator="bay-4"),
            make_request(at(12), 60, simulator="bay-1"),
        ]
    ):
        book(session, studio, request, customer=7010 + number)
    with pytest.raises(SlotTaken), session.begin_nested():
        book(session, studio, make_request(at(13), 60), customer=STRANGER)

    assert seats(session, first) == seats(session, second) == ["bay-2"]


def test_a_named_bay_is_kept_to(session: Session, studio: Studio) -> None:
    first = book(session, studio, make_request(at(12), 60), customer=ME)
    elsewhere = book(session, studio, make_request(at(13), 60, simulator="bay-4"), customer=ME)

    assert (seats(session, first), seats(session, elsewhere)) == (["bay-2"], ["bay-4"])


def test_an_outage_moves_sessions_that_follow_each_other(session: Session, studio: Studio) -> None:
    pair = [book(session, studio, make_request(at(hour), 60), customer=ME) for hour in (12, 13)]

    declared = break_down(session, studio, "bay-2", at(12), at(15), now=at(8))

    assert declared.stranded == []
    assert all("bay-2" not in seats(session, each) for each in pair)
    back = blocks.lift(session, studio=studio, block_id=declared.block.id, actor="x", now=at(9))
    assert [seats(session, each) for each in pair] == [["bay-2"]] * 2
    assert len(back.returned) == 2
    assert broken_promises(session) == []


@pytest.mark.parametrize(("step", "following"), [(30, "13:30"), (15, "13:15")])
def test_starts_snap_to_the_grid_after_the_buffer(
    session: Session, step: int, following: str
) -> None:
    text = demo_text(**BUFFERED, **{"step_minutes = 30": f"step_minutes = {step}"})
    studio = apply_demo(session, text)
    book(session, studio, make_request(at(12), 60, simulators=4), customer=STRANGER)

    assert starts(session, studio, step)[0] == following
