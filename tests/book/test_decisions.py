"""What staff decide about sessions in the way of a block, paid or not (X13, D24)."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from booking_engine import attention
from booking_engine.attention import AttentionItem
from booking_engine.booking import blocks, bookings, decisions, matching, occurrences, waitlist
from booking_engine.booking.blocks import Outage
from booking_engine.booking.bookings import NotCancellable
from booking_engine.booking.models import BookingStatus, HoldStatus
from booking_engine.booking.terms import CoachingRequest
from booking_engine.booking.waitlist import Wish
from booking_engine.booking.waitlist_models import OfferStatus
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid
from booking_engine.intervals import Interval
from booking_engine.ledger.models import Wallet
from tests.factories.desk import at, blocked, book, break_down, open_items
from tests.factories.ledger import COACHED, buckets, grant_lot
from tests.factories.series import (
    TUESDAY,
    broken_promises,
    date_of,
    live_through,
    standings,
    start_series,
)
from tests.factories.shop_orders import booking_of, place_hold, seats
from tests.factories.studio import NOW, make_request, make_wallet
from tests.factories.waitlist import offers_of

ANA = CoachingRequest(60, "ana")


def settle(session: Session, studio: Studio, item: AttentionItem, choice: str) -> None:
    decisions.settle(
        session,
        studio=studio,
        item_id=item.id,
        choice=choice,
        by="staff:owner",
        reason="the bay is broken",
        now=NOW,
    )


def coach_away(session: Session, studio: Studio) -> AttentionItem:
    """Let Ana be ill on the afternoon on which she has a session."""
    outage = Outage(studio.coach("ana"), Interval.of(at(13), at(17)), "ill")
    blocks.declare(session, studio=studio, outage=outage, actor="x", now=NOW)
    (item,) = open_items(session)
    return item


def test_a_held_session_in_the_way_is_released(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio, make_request(at(15), 60, simulators=4))
    declared = break_down(session, studio, "bay-2", at(14), at(18), now=NOW)
    (item,) = open_items(session)

    settle(session, studio, item, attention.CANCEL)

    session.refresh(hold)
    ended = booking_of(session, hold)
    assert hold.status is HoldStatus.RELEASED
    assert (ended.status, ended.ended_by, ended.ended_reason) == (
        BookingStatus.EXPIRED,
        "studio",
        "the bay is broken",
    )
    assert blocked(session, declared.block.id) == ["14:00-15:00", "15:00-16:00", "16:00-18:00"]
    assert (item.resolution, item.resolved_by) == (attention.CANCEL, "staff:owner")
    assert broken_promises(session) == []


def test_an_unpaid_date_in_the_way_is_skipped(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, TUESDAY + timedelta(days=14), simulators=4)
    day = TUESDAY + timedelta(days=14)
    break_down(session, studio, "bay-1", day, day + timedelta(hours=1), now=NOW)
    (item,) = open_items(session)

    settle(session, studio, item, attention.CANCEL)

    assert standings(session, found, NOW)[0] == (1, "skipped", "by_studio")
    booking_id = date_of(session, found, 1).booking_id
    assert booking_id is not None
    assert occurrences.tentative_of(session, studio_id=studio.id, booking_id=booking_id) is None
    assert seats(session, booking_id) == []
    live_through(session, studio, NOW, NOW + timedelta(days=1))
    assert standings(session, found, NOW)[0] == (1, "skipped", "by_studio")
    assert broken_promises(session) == []


def test_an_offer_in_the_way_is_withdrawn(session: Session, studio: Studio) -> None:
    waiting = make_wallet(session, studio, 7002)
    wish = Wish("simulator", at(15), at(15), 60, simulators=4)
    entry = waitlist.join(session, studio=studio, wish=wish, wallet_id=waiting.id, now=NOW)
    assert matching.match(session, studio=studio, now=NOW)
    break_down(session, studio, "bay-2", at(14), at(18), now=NOW)
    (item,) = open_items(session)

    settle(session, studio, item, attention.CANCEL)

    assert [each.status for each in offers_of(session, entry)] == [OfferStatus.WITHDRAWN]
    assert not matching.match(session, studio=studio, now=NOW)
    assert broken_promises(session) == []


def test_a_request_that_waits_for_a_yes_is_cancelled_with_everything_back(
    session: Session, studio: Studio
) -> None:
    group = book(session, studio, make_request(at(15), 60, simulators=4))
    group.status = BookingStatus.AWAITING_APPROVAL
    break_down(session, studio, "bay-2", at(14), at(18), now=NOW)
    (item,) = open_items(session)

    settle(session, studio, item, attention.CANCEL)

    assert group.status is BookingStatus.CANCELLED
    assert seats(session, group.id) == []
    assert broken_promises(session) == []


def test_a_hold_that_lapsed_meanwhile_is_not_given_up_again(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio, make_request(at(15), 60, simulators=4))
    break_down(session, studio, "bay-2", at(14), at(18), now=NOW)
    (item,) = open_items(session)
    booking = booking_of(session, hold)
    bookings.end(booking, BookingStatus.EXPIRED, by="system", reason="hold expired", now=NOW)
    session.flush()

    with pytest.raises(NotCancellable), session.begin_nested():
        settle(session, studio, item, attention.CANCEL)

    session.refresh(item)
    assert item.resolution is None


def test_a_coach_who_is_away_can_be_dropped(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hours", 60)
    grant_lot(session, studio, wallet, "coach", 1, kind=COACHED)
    coached = bookings.book(
        session,
        studio=studio,
        request=make_request(at(14), 60, coaching=ANA),
        wallet_id=wallet.id,
        actor="customer:7001",
        now=NOW,
    )
    item = coach_away(session, studio)
    assert attention.choices(item) == ("cancel", "drop_coach", "keep", "dismiss")

    settle(session, studio, item, attention.DROP_COACH)

    assert coached.status is BookingStatus.CONFIRMED
    assert len(seats(session, coached.id)) == 1
    assert buckets(session, "coach") == {"available": 1}
    assert buckets(session, "hours") == {"held": 60}
    assert (item.resolution, open_items(session)) == (attention.DROP_COACH, [])
    assert broken_promises(session) == []


def test_the_coach_goes_to_the_block_and_a_broken_bay_stays_on_the_list(
    session: Session, studio: Studio
) -> None:
    book(session, studio, make_request(at(14), 60, simulators=4, coaching=ANA))
    item = coach_away(session, studio)
    break_down(session, studio, "bay-1", at(13), at(17), now=NOW)

    settle(session, studio, item, attention.DROP_COACH)

    (left,) = open_items(session)
    assert left.kind == "bay_outage"
    with pytest.raises(Invalid):
        settle(session, studio, left, attention.DROP_COACH)
    assert broken_promises(session) == []
