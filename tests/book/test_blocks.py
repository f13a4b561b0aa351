"""A bay is out of order: what fits goes elsewhere, what does not is decided by a person (C24)."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from booking_engine.booking import blocks, bookings, moves
from booking_engine.booking.blocks import AlreadyLifted, BlockOver
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.models import Booking
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid
from tests.factories.desk import (
    at,
    blocked,
    book,
    break_down,
    broken_promises,
    open_items,
    seats,
)
from tests.factories.shop_orders import told
from tests.factories.studio import apply_demo, demo_text, make_request


@pytest.fixture
def golden(session: Session, studio: Studio) -> dict[str, Booking]:
    """D27 number 14: d 14-15 and e 15-17 on bay 2; bay 4 free 14-16, bay 3 free 15-18."""
    made = {
        "d": book(session, studio, make_request(at(14), 60)),
        "e": book(session, studio, make_request(at(15), 120)),
    }
    for bay, hour, minutes in (("bay-1", 14, 240), ("bay-3", 14, 60), ("bay-4", 16, 120)):
        book(session, studio, make_request(at(hour), minutes, simulator=bay))
    assert {name: seats(session, each) for name, each in made.items()} == {
        "d": ["bay-2"],
        "e": ["bay-2"],
    }
    return made


def test_golden_number_14_an_outage_moves_both_and_cancels_nobody(
    session: Session, studio: Studio, golden: dict[str, Booking]
) -> None:
    """D27 14: at 10:00 bay 2 is down 14-18: d to bay 4, e to bay 3, nobody cancelled."""
    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))

    assert seats(session, golden["d"]) == ["bay-4"]
    assert seats(session, golden["e"]) == ["bay-3"]
    assert [each.booking.id for each in declared.moved] == [golden["d"].id, golden["e"].id]
    assert declared.stranded == []
    assert open_items(session) == []
    assert blocked(session, declared.block.id) == ["14:00-18:00"]
    assert {str(each.id) for each in golden.values()} <= told(session)
    assert broken_promises(session) == []


def test_golden_number_14_repaired_at_1130_returns_both(
    session: Session, studio: Studio, golden: dict[str, Booking]
) -> None:
    """D27 14: repaired 11:30, undo returns both."""
    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))

    lifted = blocks.lift(
        session, studio=studio, block_id=declared.block.id, actor="staff:owner", now=at(11, 30)
    )

    assert [each.booking.id for each in lifted.returned] == [golden["d"].id, golden["e"].id]
    assert seats(session, golden["d"]) == seats(session, golden["e"]) == ["bay-2"]
    assert blocked(session, declared.block.id) == []
    assert broken_promises(session) == []


def test_golden_number_14_repaired_at_1430_moves_nothing(
    session: Session, studio: Studio, golden: dict[str, Booking]
) -> None:
    """D27 14: repaired 14:30, nothing moves, the bay is simply free again."""
    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))

    lifted = blocks.lift(
        session, studio=studio, block_id=declared.block.id, actor="staff:owner", now=at(14, 30)
    )

    assert lifted.returned == []
    assert seats(session, golden["d"]) == ["bay-4"]
    assert seats(session, golden["e"]) == ["bay-3"]
    assert blocked(session, declared.block.id) == ["14:00-14:30"]
    walk_in = book(session, studio, make_request(at(17), 60, simulator="bay-2"), now=at(14, 30))
    assert seats(session, walk_in) == ["bay-2"]
    assert broken_promises(session) == []


def test_repaired_when_one_is_frozen_returns_only_the_other(
    session: Session, studio: Studio, golden: dict[str, Booking]
) -> None:
    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))

    lifted = blocks.lift(
        session, studio=studio, block_id=declared.block.id, actor="staff:owner", now=at(12, 30)
    )

    assert [each.booking.id for each in lifted.returned] == [golden["e"].id]
    assert seats(session, golden["d"]) == ["bay-4"]
    assert seats(session, golden["e"]) == ["bay-2"]


def test_an_outage_may_move_who_is_frozen(
    session: Session, studio: Studio, golden: dict[str, Booking]
) -> None:
    break_down(session, studio, "bay-2", at(14), at(18), now=at(13, 55))

    assert seats(session, golden["d"]) == ["bay-4"]
    assert seats(session, golden["e"]) == ["bay-3"]


def test_who_does_not_fit_stays_and_is_listed(session: Session, studio: Studio) -> None:
    group = book(session, studio, make_request(at(15), 60, simulators=4))

    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))

    assert [each.id for each in declared.stranded] == [group.id]
    assert seats(session, group) == ["bay-1", "bay-2", "bay-3", "bay-4"]
    assert blocked(session, declared.block.id) == ["14:00-15:00", "16:00-18:00"]
    (item,) = open_items(session)
    assert (item.kind, item.facts["booking"], item.facts["code"]) == (
        "bay_outage",
        str(group.id),
        group.code,
    )
    assert item.facts["start"] == "2026-11-25T15:00:00-05:00"
    assert broken_promises(session) == []


def test_when_who_did_not_fit_is_cancelled_the_block_takes_the_time(
    session: Session, studio: Studio
) -> None:
    group = book(session, studio, make_request(at(15), 60, simulators=4))
    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))

    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=group.id,
        actor=Actor.CUSTOMER,
        reason="no wish",
        now=at(11),
    )

    assert "15:00-16:00" in blocked(session, declared.block.id)
    assert open_items(session) == []
    with pytest.raises(SlotTaken), session.begin_nested():
        book(session, studio, make_request(at(15), 60, simulators=4), now=at(11))
    assert broken_promises(session) == []


def test_when_who_did_not_fit_moves_the_block_takes_the_time(
    session: Session, studio: Studio
) -> None:
    group = book(session, studio, make_request(at(13), 120, simulators=4))
    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))
    assert blocked(session, declared.block.id) == ["15:00-18:00"]

    moves.move(
        session,
        studio=studio,
        booking_id=group.id,
        target=Target(at(18)),
        actor=Actor.STUDIO,
        now=at(10),
    )

    assert blocked(session, declared.block.id) == ["14:00-15:00", "15:00-18:00"]
    assert open_items(session) == []
    free_again = book(session, studio, make_request(at(13), 60, simulator="bay-2"), now=at(10))
    assert seats(session, free_again) == ["bay-2"]
    assert broken_promises(session) == []


def test_who_moves_within_the_outage_leaves_the_broken_bay(
    session: Session, studio: Studio
) -> None:
    for bay, customer in (("bay-1", 1), ("bay-3", 2), ("bay-4", 3)):
        book(session, studio, make_request(at(14), 60, simulator=bay), customer=customer)
    stuck = book(session, studio, make_request(at(14), 120), customer=4)
    break_down(session, studio, "bay-2", at(14), at(18), now=at(10))
    assert seats(session, stuck) == ["bay-2"]

    moves.move(
        session,
        studio=studio,
        booking_id=stuck.id,
        target=Target(at(15), 60),
        actor=Actor.STUDIO,
        now=at(10),
    )

    assert seats(session, stuck) == ["bay-3"]
    assert broken_promises(session) == []


def test_who_named_the_bay_stays(session: Session, studio: Studio) -> None:
    named = book(session, studio, make_request(at(14), 60, simulator="bay-2"))

    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))

    assert [each.id for each in declared.stranded] == [named.id]
    assert seats(session, named) == ["bay-2"]


def test_who_named_the_bay_is_moved_if_staff_say_so(session: Session, studio: Studio) -> None:
    named = book(session, studio, make_request(at(14), 60, simulator="bay-2"))

    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10), move_pinned=True)

    assert declared.stranded == []
    assert seats(session, named) == ["bay-3"]


def test_a_third_party_is_moved_where_that_is_the_only_way(
    session: Session, studio: Studio
) -> None:
    hit = book(session, studio, make_request(at(14), 120))
    other = book(session, studio, make_request(at(15), 60))
    assert (seats(session, hit), seats(session, other)) == (["bay-2"], ["bay-3"])
    for bay, hour, minutes in (("bay-1", 14, 120), ("bay-4", 14, 60)):
        book(session, studio, make_request(at(hour), minutes, simulator=bay))

    declared = break_down(session, studio, "bay-2", at(14), at(16), now=at(13, 50))

    assert (seats(session, hit), seats(session, other)) == (["bay-3"], ["bay-4"])
    assert {str(hit.id), str(other.id)} <= told(session)
    lifted = blocks.lift(
        session, studio=studio, block_id=declared.block.id, actor="staff:owner", now=at(13, 55)
    )
    assert lifted.returned == []  # they are frozen by now
    assert broken_promises(session) == []


def test_a_buffer_may_run_into_an_outage(session: Session) -> None:
    text = demo_text(**{"buffer_minutes = 0\ncancel": "buffer_minutes = 15\ncancel"})
    studio = apply_demo(session, text)
    before = book(session, studio, make_request(at(13), 60))

    declared = break_down(session, studio, "bay-2", at(14), at(15), now=at(10))

    assert seats(session, before) == ["bay-2"]
    assert (declared.moved, declared.stranded) == ([], [])
    after = book(session, studio, make_request(at(15), 60, simulator="bay-2"), now=at(10))
    three = book(session, studio, make_request(at(13), 60, simulators=3), now=at(10))
    assert seats(session, after) == ["bay-2"]
    assert seats(session, three) == ["bay-1", "bay-3", "bay-4"]


def test_two_outages_of_one_bay_hand_the_time_on(session: Session, studio: Studio) -> None:
    first = break_down(session, studio, "bay-2", at(14), at(17), now=at(10))
    second = break_down(session, studio, "bay-2", at(16), at(18), now=at(10))
    assert blocked(session, second.block.id) == ["17:00-18:00"]

    blocks.lift(session, studio=studio, block_id=first.block.id, actor="x", now=at(11))

    assert blocked(session, first.block.id) == []
    assert blocked(session, second.block.id) == ["16:00-17:00", "17:00-18:00"]
    assert broken_promises(session) == []


def test_lifting_takes_the_undecided_off_the_list(session: Session, studio: Studio) -> None:
    group = book(session, studio, make_request(at(15), 60, simulators=4))
    declared = break_down(session, studio, "bay-2", at(14), at(18), now=at(10))

    blocks.lift(session, studio=studio, block_id=declared.block.id, actor="x", now=at(11))

    assert open_items(session) == []
    assert seats(session, group) == ["bay-1", "bay-2", "bay-3", "bay-4"]
    with pytest.raises(AlreadyLifted):
        blocks.lift(session, studio=studio, block_id=declared.block.id, actor="x", now=at(12))
    assert broken_promises(session) == []


def test_what_is_over_is_neither_blocked_nor_lifted(session: Session, studio: Studio) -> None:
    with pytest.raises(Invalid):
        break_down(session, studio, "bay-2", at(14), at(15), now=at(15))

    declared = break_down(session, studio, "bay-2", at(14), at(15), now=at(10))
    with pytest.raises(BlockOver):
        blocks.lift(session, studio=studio, block_id=declared.block.id, actor="x", now=at(15))


def test_an_outage_from_now_begins_now(session: Session, studio: Studio) -> None:
    now = at(14, 7) + timedelta(seconds=12)

    declared = break_down(session, studio, "bay-2", at(14), at(15), now=now)

    assert blocked(session, declared.block.id) == ["14:07-15:00"]
