"""A coach is away: nobody can stand in for them by re-packing, so each session is decided."""

import pytest
from sqlmodel import Session

from booking_engine.booking import availability, blocks, holds
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.availability import Search
from booking_engine.booking.blocks import Outage
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import Interval, to_minutes
from tests.factories.desk import at, blocked, book, broken_promises, open_items
from tests.factories.studio import NOW, make_request


def test_a_coach_who_is_away_leaves_their_sessions_to_be_decided(
    session: Session, studio: Studio
) -> None:
    coached = book(session, studio, make_request(at(14), 60, coaching=CoachingRequest(60, "ana")))
    outage = Outage(studio.coach("ana"), Interval.of(at(13), at(17)), "ill")

    declared = blocks.declare(session, studio=studio, outage=outage, actor="x", now=NOW)

    assert [each.id for each in declared.stranded] == [coached.id]
    assert blocked(session, declared.block.id) == ["13:00-14:00", "15:00-17:00"]
    (item,) = open_items(session)
    assert (item.kind, item.facts["code"], item.facts["coach"]) == (
        "coach_away",
        coached.code,
        "ana",
    )
    assert broken_promises(session) == []


def test_a_coach_who_is_away_is_neither_offered_nor_given(session: Session, studio: Studio) -> None:
    outage = Outage(studio.coach("ana"), Interval.of(at(13), at(17)), "ill")
    declared = blocks.declare(session, studio=studio, outage=outage, actor="x", now=NOW)
    search = Search("simulator", at(12).date(), minutes=60, coaching_minutes=60)

    found = availability.find(session, studio=studio, search=search, now=NOW)

    offered = {slot.start for slot in found.slots}
    assert {hour for hour in range(12, 20) if to_minutes(at(hour)) in offered} == {12, 17, 18, 19}
    with pytest.raises(CoachUnavailable), session.begin_nested():
        book(session, studio, make_request(at(14), 60, coaching=CoachingRequest(60, "ana")))
    blocks.lift(session, studio=studio, block_id=declared.block.id, actor="x", now=NOW)
    book(session, studio, make_request(at(14), 60, coaching=CoachingRequest(60, "ana")))
    assert broken_promises(session) == []


def test_a_hold_in_the_way_lapses_into_the_block(session: Session, studio: Studio) -> None:
    hold = holds.place(
        session,
        studio=studio,
        request=make_request(at(14), 60, coaching=CoachingRequest(60, "ana")),
        holder=holds.Holder("visitor:1", holds.VISITOR_CAPS),
        now=NOW,
    )
    outage = Outage(studio.coach("ana"), Interval.of(at(13), at(17)), "ill")
    declared = blocks.declare(session, studio=studio, outage=outage, actor="x", now=NOW)
    search = Search("simulator", at(12).date(), minutes=60, coaching_minutes=60)
    assert len(open_items(session)) == 1

    later = hold.expires_at
    unswept = availability.find(session, studio=studio, search=search, now=later)
    assert to_minutes(at(14)) not in {slot.start for slot in unswept.slots}
    holds.expire_due(session, now=at(9), limit=10)

    assert "14:00-15:00" in blocked(session, declared.block.id)
    assert open_items(session) == []
    assert broken_promises(session) == []
