"""Golden numbers (product rules D27 and D20), each checked by hand, through the real engine.

D27 11, 12 and 14 stand beside their neighbours: in `test_waitlist_offers`, `test_series_upkeep` and
`test_blocks`; the moves of D27 9 in `test_repacking`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session

from booking_engine.booking import availability, bookings, holds
from booking_engine.booking.availability import Search
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.holds import STAFF_CAPS, Holder
from booking_engine.booking.models import Booking, BookingStatus, Hold
from booking_engine.booking.policies import Actor
from booking_engine.booking.recurrence import Rule
from booking_engine.booking.terms import SessionRequest
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import from_minutes, to_minutes
from booking_engine.ledger.models import CreditKind
from tests.factories.desk import book
from tests.factories.shop_orders import booking_of, make_line, make_order, place_hold, post, seats
from tests.factories.studio import HOUR, apply_demo, demo_text, make_request, toronto

TORONTO, LONDON = "America/Toronto", "Europe/London"
OPEN = 'hours = { mon-fri = ["09:00-22:00"], sat-sun = ["08:00-23:00"] }'
MINUTE = timedelta(minutes=1)

Apply = Callable[..., Studio]


@pytest.fixture
def at_zone(session: Session) -> Apply:
    """Apply the demo studio in another zone and with other hours."""

    def run(zone: str, hours: str = "00:00-24:00", step: int = 30) -> Studio:
        text = demo_text().replace('timezone = "America/Toronto"', f'timezone = "{zone}"')
        text = text.replace(OPEN, f'hours = {{ mon-sun = ["{hours}"] }}')
        return apply_demo(session, text.replace("step_minutes = 30", f"step_minutes = {step}"))

    return run


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return a time on the Friday on which D27 8 plays."""
    return toronto(2026, 11, 20, hour, minute) + timedelta(seconds=second)


def all_bays(session: Session, studio: Studio, who: str, now: datetime) -> Hold:
    """Hold the whole evening."""
    return holds.place(
        session,
        studio=studio,
        request=make_request(toronto(2026, 11, 25, 18), simulators=4),
        holder=Holder(who, STAFF_CAPS),
        now=now,
    )


@pytest.fixture
def p(session: Session, at_zone: Apply) -> tuple[Studio, Hold]:
    """P's hold: placed 09:55, checkout opened 10:05, so it ends 10:15:00 and frees 10:17:00."""
    studio = at_zone(TORONTO)
    hold = all_bays(session, studio, "p", at(9, 55))
    holds.checkout_opened(session, studio=studio, hold=hold, now=at(10, 5))
    assert (hold.expires_at, hold.frees_at) == (at(10, 15), at(10, 17))
    return studio, hold


def test_d27_8_p_gets_the_credits_and_q_keeps_the_slot(
    session: Session, p: tuple[Studio, Hold]
) -> None:
    """D27 8: Q takes the slot at 10:17:00 and pays 10:18; P's order, paid 10:16:30, comes 10:20."""
    studio, hold = p
    with pytest.raises(SlotTaken), session.begin_nested():
        all_bays(session, studio, "q", at(10, 16, 59))
    rival = all_bays(session, studio, "q", at(10, 17))
    theirs = make_order(make_line(HOUR, 4, hold=rival.id), id=6001, at=at(10, 18), customer=7002)
    post(session, studio, theirs)

    mine = replace(make_order(make_line(HOUR, 4, hold=hold.id)), ordered_at=at(10, 16, 30))
    posted = post(session, studio, mine, at(10, 20))

    assert posted.outcomes == {str(hold.id): "credited"}
    assert posted.granted == 4
    assert booking_of(session, rival).status is BookingStatus.CONFIRMED
    assert booking_of(session, hold).status is BookingStatus.EXPIRED


def test_d27_8_without_q_p_is_confirmed(session: Session, p: tuple[Studio, Hold]) -> None:
    """D27 8: the same order, and nobody has come."""
    studio, hold = p

    mine = replace(make_order(make_line(HOUR, 4, hold=hold.id)), ordered_at=at(10, 16, 30))
    post(session, studio, mine, at(10, 20))

    assert booking_of(session, hold).status is BookingStatus.CONFIRMED


def test_d27_9_is_offered_although_no_bay_is_free(session: Session, at_zone: Apply) -> None:
    """D27 9: day 10-18; a 10-12 and b 14-18 on bay 1, c 12-14 on bay 2, bays 3 and 4 full."""
    studio, wish = at_zone(TORONTO, "10:00-18:00"), make_request(toronto(2026, 11, 25, 10), 240)
    made = {"a": ("bay-1", 10, 120), "b": ("bay-1", 14, 240), "c": ("bay-2", 12, 120)}
    for bay in ("bay-3", "bay-4"):
        made |= {f"{bay} {hour}": (bay, hour, 240) for hour in (10, 14)}
    holds_of = {
        name: place_hold(
            session,
            studio,
            make_request(toronto(2026, 11, 25, hour), minutes, simulator=bay),
            holder=name,
        )
        for name, (bay, hour, minutes) in made.items()
    }
    assert not is_offered(session, studio, wish)  # as placed, everybody by name
    for name in ("a", "b", "c"):
        for each in bookings.allocations(session, booking=booking_of(session, holds_of[name])):
            each.pinned = False
    session.flush()

    assert is_offered(session, studio, wish)
    wished = place_hold(session, studio, wish, holder="w")

    assert seats(session, wished.booking_id) == ["bay-2"]
    placed = {name: seats(session, hold.booking_id) for name, hold in holds_of.items()}
    assert placed == {name: ["bay-1" if name == "c" else bay] for name, (bay, *_) in made.items()}


def is_offered(session: Session, studio: Studio, wish: SessionRequest) -> bool:
    """Tell whether one bay is offered for a session."""
    search = Search("simulator", wish.start.date(), minutes=wish.minutes)
    found = availability.find(session, studio=studio, search=search, now=at(10))
    return (to_minutes(wish.start), 1) in [(slot.start, slot.simulators) for slot in found.slots]


DST = [
    # A session, how long, when it ends on the wall (with the offset), and in UTC.
    (TORONTO, "2027-03-14T01:30:00-05:00", 60, "2027-03-14T03:30:00-04:00", "07:30"),
    (TORONTO, "2026-11-01T00:30:00-04:00", 120, "2026-11-01T01:30:00-05:00", "06:30"),
    (TORONTO, "2026-11-01T01:30:00-04:00", 60, "2026-11-01T01:30:00-05:00", "06:30"),
    (TORONTO, "2026-11-01T01:30:00-05:00", 60, "2026-11-01T02:30:00-05:00", "07:30"),
    (LONDON, "2027-03-28T00:30:00+00:00", 60, "2027-03-28T02:30:00+01:00", "01:30"),
    (LONDON, "2026-10-25T00:30:00+01:00", 120, "2026-10-25T01:30:00+00:00", "01:30"),
    (LONDON, "2026-10-25T01:30:00+01:00", 60, "2026-10-25T01:30:00+00:00", "01:30"),
]


@pytest.mark.parametrize(("zone", "start", "minutes", "end", "utc"), DST)
def test_d20_a_session_lasts_and_costs_its_minutes_when_the_clocks_change(
    session: Session, at_zone: Apply, zone: str, start: str, minutes: int, end: str, utc: str
) -> None:
    """D20: 01:30 + 60 ends 03:30 and is charged 60; 00:30 + 120 ends 01:30 (second), 120."""
    studio, starts_at = at_zone(zone), datetime.fromisoformat(start)
    now = starts_at - timedelta(days=7)

    booked = book(session, studio, make_request(starts_at, minutes), now=now)

    assert booked.ends_at.astimezone(ZoneInfo(zone)).isoformat() == end
    assert f"{booked.ends_at.astimezone(UTC):%H:%M}" == utc
    assert booked.simulator_minutes == minutes


CHANGES = [
    (TORONTO, date(2027, 3, 14), 23, 92),
    (TORONTO, date(2026, 11, 1), 25, 100),
    (LONDON, date(2027, 3, 28), 23, 92),
    (LONDON, date(2026, 10, 25), 25, 100),
    (TORONTO, date(2026, 10, 31), 24, 96),
]


@pytest.mark.parametrize(("zone", "day", "hours", "bay_hours"), CHANGES)
def test_d20_a_day_has_as_many_bay_hours_as_it_lasts(
    session: Session, at_zone: Apply, zone: str, day: date, hours: int, bay_hours: int
) -> None:
    """D20: four bays that never close have 92 bay-hours in spring and 100 in autumn."""
    studio = at_zone(zone, step=60)
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=7)

    found = availability.find(session, studio=studio, search=Search("simulator", day), now=now)

    assert len(found.slots) == hours
    assert sum(slot.simulators for slot in found.slots) == bay_hours


@pytest.mark.parametrize(
    ("zone", "day", "labels"),
    [
        (TORONTO, date(2027, 3, 14), ["01:30-0500", "03:00-0400", "03:30-0400"]),
        (
            TORONTO,
            date(2026, 11, 1),
            ["01:30-0400", "01:00-0500", "01:30-0500", "02:00-0500", "02:30-0500"],
        ),
        (LONDON, date(2027, 3, 28), ["02:00+0100", "02:30+0100", "03:00+0100", "03:30+0100"]),
        (LONDON, date(2026, 10, 25), ["01:30+0100", "01:00+0000", "01:30+0000", "02:00+0000"]),
    ],
)
def test_d20_what_does_not_exist_is_not_offered_and_what_comes_twice_is_twice(
    session: Session, at_zone: Apply, zone: str, day: date, labels: list[str]
) -> None:
    """D20: starts are labelled with their offset."""
    studio = at_zone(zone)
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=7)

    found = availability.find(session, studio=studio, search=Search("simulator", day), now=now)

    walls = [from_minutes(slot.start).astimezone(ZoneInfo(zone)) for slot in found.slots]
    shown = [f"{wall:%H:%M%z}" for wall in walls]
    first = shown.index(labels[0])
    assert shown[first : first + len(labels)] == labels
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize(
    ("evening", "last", "minutes"),
    [
        # 20:00-04:00 over the change: seven hours in spring, nine in autumn.
        ("2027-03-13", "2027-03-13T23:00:00-05:00", 240),
        ("2026-10-31", "2026-11-01T01:00:00-04:00", 240),
        ("2026-10-31", "2026-11-01T03:00:00-05:00", 60),
    ],
)
def test_d20_a_window_that_crosses_the_change_closes_on_the_wall(
    session: Session, at_zone: Apply, evening: str, last: str, minutes: int
) -> None:
    """D20: hours are the wall's, lengths are absolute."""
    studio, day = at_zone(TORONTO, "20:00-04:00"), date.fromisoformat(evening)
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=7)
    search = Search("simulator", day, days=2, minutes=minutes)

    found = availability.find(session, studio=studio, search=search, now=now)

    opens = to_minutes(datetime(day.year, day.month, day.day, 20, tzinfo=ZoneInfo(TORONTO)))
    closes = to_minutes(datetime.fromisoformat(last)) + minutes
    of_window = [slot.start for slot in found.slots if opens <= slot.start < closes]
    assert from_minutes(of_window[-1]) == datetime.fromisoformat(last)


@pytest.mark.parametrize(
    ("start", "half_until"),
    [
        # Noon on the Sunday; a day before it is 11:00 in spring and 13:00 in autumn.
        ("2027-03-14T12:00:00-04:00", "2027-03-13T11:00:00-05:00"),
        ("2026-11-01T12:00:00-05:00", "2026-10-31T13:00:00-04:00"),
    ],
)
def test_d20_the_windows_of_a_cancellation_are_absolute(
    session: Session, at_zone: Apply, start: str, half_until: str
) -> None:
    """D20: 24 hours are 24 hours, whatever the clocks on the wall do meanwhile."""
    studio, starts_at = at_zone(TORONTO), datetime.fromisoformat(start)
    until = datetime.fromisoformat(half_until)
    booked = book(session, studio, make_request(starts_at), now=starts_at - timedelta(days=7))

    asked = [until, until + timedelta(seconds=1)]
    percents = [bookings.percent_back(booked, actor=Actor.CUSTOMER, now=now) for now in asked]

    assert percents == [50, 0]
    assert cancelled(session, booked, until) == 30


def cancelled(session: Session, booked: Booking, now: datetime) -> int:
    """Cancel for the customer; returns the minutes that came back."""
    back = bookings.cancel(
        session,
        studio_id=booked.studio_id,
        booking_id=booked.id,
        actor=Actor.CUSTOMER,
        reason="test",
        now=now,
    )
    return back[CreditKind.SIMULATOR_MINUTES]


def test_d20_a_hold_over_the_change_lasts_its_minutes(session: Session, at_zone: Apply) -> None:
    """D20: held at 01:50, a quarter of an hour ends at 03:05 on the wall."""
    studio, now = at_zone(TORONTO), datetime.fromisoformat("2027-03-14T01:50:00-05:00")

    hold = place_hold(session, studio, make_request(toronto(2027, 3, 14, 18)), now=now)

    assert hold.expires_at == datetime.fromisoformat("2027-03-14T03:05:00-04:00")


@pytest.mark.parametrize(
    ("zone", "first", "minute", "instants", "shifted"),
    [
        (TORONTO, date(2027, 3, 7), 150, ["03-07 07:30", "03-14 07:30"], [False, True]),
        (TORONTO, date(2026, 10, 25), 90, ["10-25 05:30", "11-01 05:30"], [False, False]),
        (LONDON, date(2027, 3, 21), 90, ["03-21 01:30", "03-28 01:30"], [False, True]),
        (LONDON, date(2026, 10, 18), 90, ["10-18 00:30", "10-25 00:30"], [False, False]),
    ],
)
def test_d20_a_series_is_shifted_by_the_gap_and_takes_the_first_of_two(
    zone: str, first: date, minute: int, instants: list[str], shifted: list[bool]
) -> None:
    """D20: 02:30 that does not exist becomes 03:30 with a notice; a doubled time is the first."""
    rule = Rule(first, minute, 1)

    starts = [rule.start_of(number, ZoneInfo(zone)) for number in (1, 2)]

    assert [f"{start.at.astimezone(UTC):%m-%d %H:%M}" for start in starts] == instants
    assert [start.shifted for start in starts] == shifted
