"""Bays are virtual until the freeze point: others move to make room, but only those who may."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import Session, select

from booking_engine.booking import holds
from booking_engine.booking.book import SlotTaken
from booking_engine.catalog.studio import Studio
from booking_engine.outbox import OutboxMessage
from connector import verify
from tests.factories.shop_orders import booking_of, place_hold, seats, told
from tests.factories.studio import NOW, make_request, toronto


def at(hour: int) -> datetime:
    return toronto(2026, 11, 25, hour)


@pytest.fixture
def golden(session: Session, studio: Studio) -> dict[str, UUID]:
    """D27 number 9: a and b on bay 1, c on bay 2, bays 3 and 4 full.

    Bay 1 is given last, so bay 2 is filled for a while to bring a and b there unnamed.
    """
    for bay in ("bay-3", "bay-4"):
        for hour in (10, 14):
            place_hold(session, studio, make_request(at(hour), 240, simulator=bay), holder=bay)
    made = {"c": place_hold(session, studio, make_request(at(12), 120), holder="c")}
    fillers = [
        place_hold(session, studio, make_request(at(hour), 120, simulator="bay-2"), holder="x")
        for hour in (10, 14, 16)
    ]
    made["a"] = place_hold(session, studio, make_request(at(10), 120), holder="a")
    made["b"] = place_hold(session, studio, make_request(at(14), 240), holder="b")
    for filler in fillers:
        holds.release(session, studio=studio, hold_id=filler.id, now=NOW)
    return {name: hold.booking_id for name, hold in made.items()}


def bays(session: Session, golden: dict[str, UUID]) -> dict[str, list[str]]:
    return {name: seats(session, booking_id) for name, booking_id in golden.items()}


def test_golden_number_9_moves_one_booking_and_tells_of_it(
    session: Session, studio: Studio, golden: dict[str, UUID]
) -> None:
    """D27 9: feasible by moving c to bay 1 and taking bay 2; one move."""
    assert bays(session, golden) == {"a": ["bay-1"], "b": ["bay-1"], "c": ["bay-2"]}
    assert told(session) == set()

    wished = place_hold(session, studio, make_request(at(10), 240), holder="w")

    assert bays(session, golden) == {"a": ["bay-1"], "b": ["bay-1"], "c": ["bay-1"]}
    assert seats(session, wished.booking_id) == ["bay-2"]
    assert told(session) == {str(golden["c"])}
    for check in verify.CHECKS:
        assert verify.violations(session, check) == []


def test_who_has_made_room_once_stays_where_they_are(
    session: Session, studio: Studio, golden: dict[str, UUID]
) -> None:
    for _ in range(2):
        hold = place_hold(session, studio, make_request(at(10), 240), holder="w")
        holds.release(session, studio=studio, hold_id=hold.id, now=NOW)

    messages = session.exec(select(OutboxMessage)).all()
    assert [(each.key, each.version) for each in messages] == [(str(golden["c"]), 1)]
    assert bays(session, golden)["c"] == ["bay-1"]


def test_who_named_a_bay_is_not_moved(session: Session, studio: Studio) -> None:
    named = place_hold(session, studio, make_request(at(12), 120, simulator="bay-2"), holder="n")
    for bay in ("bay-3", "bay-4"):
        place_hold(session, studio, make_request(at(10), 240, simulator=bay), holder=bay)
    place_hold(session, studio, make_request(at(10), 60, simulator="bay-1"), holder="one")

    with pytest.raises(SlotTaken), session.begin_nested():
        place_hold(session, studio, make_request(at(10), 240), holder="w")

    assert seats(session, named.booking_id) == ["bay-2"]
    assert told(session) == set()


@pytest.fixture
def early(session: Session, studio: Studio) -> UUID:
    """Two hours that sit on bay 2 at 13:00, unnamed, and would have to go to bay 1 for others."""
    now = at(9)
    sitting = place_hold(session, studio, make_request(at(13), 120), holder="c", now=now)
    named = [("bay-3", 13, 240), ("bay-4", 13, 240), ("bay-1", 15, 120)]
    others = [
        place_hold(
            session,
            studio,
            make_request(at(hour), minutes, simulator=bay),
            holder=bay,
            now=now,
        )
        for bay, hour, minutes in named
    ]
    for hold in (sitting, *others):
        holds.extend(session, studio=studio, hold=hold, until=at(13), paying=True, now=now)
    return sitting.booking_id


def test_who_starts_at_the_freeze_point_may_still_be_moved(
    session: Session, studio: Studio, early: UUID
) -> None:
    wished = place_hold(session, studio, make_request(at(14), 240), holder="w", now=at(11))

    assert seats(session, wished.booking_id) == ["bay-2"]
    assert seats(session, early) == ["bay-1"]


def test_nobody_is_moved_within_the_freeze(session: Session, studio: Studio, early: UUID) -> None:
    with pytest.raises(SlotTaken), session.begin_nested():
        place_hold(
            session,
            studio,
            make_request(at(14), 240),
            holder="w",
            now=at(11) + timedelta(minutes=1),
        )

    assert seats(session, early) == ["bay-2"]


def test_a_named_bay_moves_who_sits_there_unnamed(session: Session, studio: Studio) -> None:
    sitting = place_hold(session, studio, make_request(at(12), 120), holder="s")
    place_hold(session, studio, make_request(at(12), 60, simulator="bay-1"), holder="one")
    assert seats(session, sitting.booking_id) == ["bay-2"]

    wished = place_hold(session, studio, make_request(at(13), 60, simulator="bay-2"), holder="w")

    assert seats(session, wished.booking_id) == ["bay-2"]
    assert seats(session, sitting.booking_id) == ["bay-3"]
    assert told(session) == {str(sitting.booking_id)}
    assert booking_of(session, sitting).starts_at == at(12)


def test_a_group_gets_its_bays_at_once_or_none(session: Session, studio: Studio) -> None:
    place_hold(session, studio, make_request(at(12), 60), holder="s")

    with pytest.raises(SlotTaken), session.begin_nested():
        place_hold(session, studio, make_request(at(12), 60, simulators=4), holder="g")
    three = place_hold(session, studio, make_request(at(12), 60, simulators=3), holder="g")

    assert seats(session, three.booking_id) == ["bay-1", "bay-3", "bay-4"]


def test_a_bay_with_something_special_is_given_last(session: Session, studio: Studio) -> None:
    taken = [
        seats(session, place_hold(session, studio, holder=f"v{number}").booking_id)
        for number in range(4)
    ]

    assert taken == [["bay-2"], ["bay-3"], ["bay-4"], ["bay-1"]]
