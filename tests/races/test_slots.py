"""Many want the same time at once: exactly as many get it as there is room."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import Session, select

from booking_engine.booking import holds
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.holds import CUSTOMER_CAPS, Holder, TooManyHolds
from booking_engine.booking.models import Booking, BookingStatus, Hold
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog.studio import Studio
from connector.runtime import Runtime
from tests.factories.crowd import race, violations
from tests.factories.shop_orders import place_hold, seats
from tests.factories.studio import NOW, make_request, toronto

DAY = timedelta(days=1)
STALL_SECONDS = 2


def live(session: Session) -> list[UUID]:
    return [
        each.id
        for each in session.exec(select(Booking))
        if each.status in (BookingStatus.HELD, BookingStatus.CONFIRMED)
    ]


def test_the_last_bay_has_one_winner_every_time(house: Runtime, studio: Studio) -> None:
    for number in range(10):
        start = toronto(2026, 11, 25, 18) + number * DAY
        with house.transaction() as session:
            place_hold(session, studio, make_request(start, simulators=3), holder=f"first:{number}")

        crowd = race(
            house,
            lambda session, each, start=start: place_hold(
                session, studio, make_request(start), holder=f"v:{start}:{each}"
            ),
            count=50,
            refusals=(SlotTaken,),
        )

        assert crowd.unexpected == []
        assert crowd.outcomes == {"done": 1, "SlotTaken": 49}
        assert crowd.slowest < STALL_SECONDS


def test_four_bays_have_four_winners(house: Runtime, studio: Studio) -> None:
    crowd = race(
        house,
        lambda session, each: place_hold(session, studio, holder=f"v:{each}"),
        count=50,
        refusals=(SlotTaken,),
    )

    assert crowd.unexpected == []
    assert crowd.outcomes == {"done": 4, "SlotTaken": 46}
    assert crowd.slowest < STALL_SECONDS
    with house.transaction() as session:
        taken = sorted(seats(session, each)[0] for each in live(session))
    assert taken == ["bay-1", "bay-2", "bay-3", "bay-4"]


def test_one_coach_coaches_one_session_over_four_bays(house: Runtime, studio: Studio) -> None:
    coached = make_request(coaching=CoachingRequest(60, "ana"))

    crowd = race(
        house,
        lambda session, each: place_hold(session, studio, coached, holder=f"v:{each}"),
        count=20,
        refusals=(SlotTaken,),
    )

    assert crowd.unexpected == []
    assert crowd.outcomes == {"done": 1, "SlotTaken": 19}
    with house.transaction() as session:
        assert [seats(session, each) for each in live(session)] == [["ana", "bay-2"]]


def test_a_lapsed_slot_has_one_heir(house: Runtime, studio: Studio) -> None:
    with house.transaction() as session:
        place_hold(session, studio, make_request(simulators=4))
    after = NOW + timedelta(minutes=15)

    crowd = race(
        house,
        lambda session, each: (
            place_hold(session, studio, make_request(simulators=4), holder=f"v:{each}", now=after)
            if each
            else holds.expire_due(session, now=after, limit=10)
        ),
        count=20,
        refusals=(SlotTaken,),
    )

    assert crowd.unexpected == []
    assert crowd.outcomes == {"done": 2, "SlotTaken": 18}


def test_one_customer_never_holds_more_than_the_cap(house: Runtime, studio: Studio) -> None:
    holder = Holder("customer:7001", CUSTOMER_CAPS)

    crowd = race(
        house,
        lambda session, each: holds.place(
            session,
            studio=studio,
            request=make_request(toronto(2026, 11, 25, 10) + each * DAY),
            holder=holder,
            now=NOW,
        ),
        count=16,
        refusals=(TooManyHolds,),
    )

    assert crowd.unexpected == []
    assert crowd.outcomes == {"done": 2, "TooManyHolds": 14}
    with house.transaction() as session:
        assert len(session.exec(select(Hold)).all()) == 2


@pytest.mark.parametrize("seed", range(3))
def test_moving_others_and_holding_at_once_never_overlap(
    house: Runtime, studio: Studio, seed: int
) -> None:
    """Long and short, named and unnamed wishes on one day; whoever wins, nobody overlaps."""

    def wish(session: Session, each: int) -> None:
        turn = each * 7 + seed
        start = toronto(2026, 11, 25, 10) + timedelta(minutes=60 * (turn % 9))
        request = make_request(
            start,
            (60, 120, 180, 240)[turn % 4],
            simulator=f"bay-{1 + turn % 4}" if turn % 3 == 0 else None,
        )
        place_hold(session, studio, request, holder=f"v:{each}")

    for first in (0, 40):
        crowd = race(
            house,
            lambda session, each, first=first: wish(session, first + each),
            count=40,
            refusals=(SlotTaken,),
        )
        assert crowd.unexpected == []
        assert crowd.outcomes["done"] + crowd.outcomes["SlotTaken"] == 40
        assert violations(house) == []

    with house.transaction() as session:
        assert len(live(session)) >= 4
