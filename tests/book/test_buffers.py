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
from tests.factories.waitlist import free

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


@pytest.fixture
def pair(session: Session) -> tuple[Studio, list[Booking]]:
    """My two hours from noon on bay 2, in a studio with starts every quarter of an hour."""
    text = demo_text(**BUFFERED, **{"step_minutes = 30": "step_minutes = 15"})
    studio = apply_demo(session, text)
    mine = [book(session, studio, make_request(at(hour), 60), customer=ME) for hour in (12, 13)]
    assert [seats(session, each) for each in mine] == [["bay-2"], ["bay-2"]]
    return studio, mine


def test_others_still_make_room_beside_them(
    session: Session, pair: tuple[Studio, list[Booking]]
) -> None:
    studio, mine = pair
    book(session, studio, make_request(at(12), 240, simulator="bay-1"), customer=7010)
    early = book(session, studio, make_request(at(12), 60), customer=7011)
    filler = book(session, studio, make_request(at(13, 15), 60, simulator="bay-3"), customer=7012)
    late = book(session, studio, make_request(at(13, 15), 60), customer=7013)
    free(session, studio, filler.id)
    assert [seats(session, each) for each in (early, late)] == [["bay-3"], ["bay-4"]]

    wanted = book(session, studio, make_request(at(12), 120), customer=STRANGER)

    assert [seats(session, each) for each in (wanted, early, late)] == [
        ["bay-3"],
        ["bay-4"],
        ["bay-4"],
    ]
    assert [seats(session, each) for each in mine] == [["bay-2"], ["bay-2"]]
    assert broken_promises(session) == []


def test_neither_leaves_the_other_to_stand_nearer_to_a_stranger(
    session: Session, pair: tuple[Studio, list[Booking]]
) -> None:
    studio, mine = pair
    for number, (bay, hour, minutes) in enumerate(
        [("bay-1", 12, 240), ("bay-4", 12, 240), ("bay-3", 13, 60)]
    ):
        request = make_request(at(hour), minutes, simulator=bay)
        book(session, studio, request, customer=7010 + number)

    wish = make_request(at(10, 30), 120, simulator="bay-2")
    with pytest.raises(SlotTaken), session.begin_nested():
        book(session, studio, wish, customer=STRANGER)

    assert [seats(session, each) for each in mine] == [["bay-2"], ["bay-2"]]


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
