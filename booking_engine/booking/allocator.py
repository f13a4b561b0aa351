"""Takes the bays and the coach for a session, moving others where that makes room."""

from collections.abc import Sequence, Set
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from booking_engine import attention, outbox
from booking_engine.booking import adjoining, assignment, block_time, book, coaching, states
from booking_engine.booking.book import SlotTaken, Taken
from booking_engine.booking.drafts import Seats
from booking_engine.booking.models import BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import Terms
from booking_engine.catalog.studio import Location, Simulator, Studio
from booking_engine.errors import Conflict
from booking_engine.intervals import Interval, from_minutes, to_minutes

BOOKING_CHANGED = "booking.changed"


class CoachUnavailable(Conflict):
    """No coach who was asked for works at that time."""

    code = "coach_unavailable"


_LAPSE = text("""
    WITH due AS (
        SELECT id FROM booking
        WHERE studio_id = :studio_id AND status = ANY(:lapsing) AND id IN (
            SELECT booking_id FROM allocation
            WHERE studio_id = :studio_id AND state = 'held' AND blocks_until <= :now
              AND during && tstzrange(:start, :end))
        ORDER BY id FOR UPDATE SKIP LOCKED
    ), freed AS (
        UPDATE allocation SET state = 'released', blocks_until = NULL
        WHERE studio_id = :studio_id AND booking_id IN (SELECT id FROM due)
    ), lapsed AS (
        UPDATE hold SET status = 'expired'
        WHERE studio_id = :studio_id AND booking_id IN (SELECT id FROM due)
    )
    UPDATE booking SET status = 'expired', ended_at = :now, ended_by = 'system',
        ended_reason = 'hold expired', revision = revision + 1
    WHERE studio_id = :studio_id AND id IN (SELECT id FROM due)
    RETURNING id
""")

# In the order in which a block locks whatever stands in its way.
_RELEASE = text("""
    WITH mine AS (
        SELECT id FROM allocation
        WHERE studio_id = :studio_id AND booking_id = :booking_id AND state <> 'released'
        ORDER BY id FOR UPDATE
    )
    UPDATE allocation SET state = 'released', blocks_until = NULL
    FROM mine WHERE allocation.studio_id = :studio_id AND allocation.id = mine.id
""")


def seat(
    session: Session,
    *,
    studio: Studio,
    terms: Terms,
    now: datetime,
    instead_of: UUID | None = None,
    wallet_id: UUID | None = None,
) -> Seats:
    """Find room for a session and make it; the day's lock is held from here to the commit.

    A session that takes the place of a booking may lie over it (`instead_of`); between sessions of
    one customer (`wallet_id`) on one bay there is no buffer. Raises `SlotTaken` or
    `CoachUnavailable`. Whoever was moved is told through the outbox.
    """
    days = book.days_of(terms.during, terms.location)
    touched = days_touched(studio, terms.location, terms.during)
    book.lock_days(session, studio_id=studio.id, days=touched)
    span = book.span_of(days, terms.location)
    margin = studio.widest_buffer_minutes
    # All that is read is tidied first: whoever is moved may be moved onto any of it.
    around = Interval(from_minutes(span.start - margin), from_minutes(span.end + margin))
    lapse(session, studio_id=studio.id, during=around, now=now)
    found = book.taken(
        session,
        studio_id=studio.id,
        start=span.start - margin,
        end=span.end + margin,
        now=now,
    )
    if instead_of is not None:
        # Where a block waits for its time, a booking that moves cannot stay either.
        found = [each for each in found if each.booking_id != instead_of or each.stranded]
    mine = adjoining.own_sessions(session, studio=studio, terms=terms, wallet_id=wallet_id)
    own = {number for number, each in enumerate(found) if each.booking_id in mine}
    seats, moves = choose(studio, terms, found, span, now, own=own)
    moved = book.move(session, studio_id=studio.id, found=found, moves=moves)
    for booking_id in sorted(moved):
        tell(session, studio_id=studio.id, booking_id=booking_id, now=now)
    return seats


def choose(
    studio: Studio,
    terms: Terms,
    found: Sequence[Taken],
    span: book.Span,
    now: datetime,
    *,
    own: Set[int] = frozenset(),
) -> tuple[Seats, tuple[assignment.Move, ...]]:
    """Return the seats for a session and the moves (by place in `found`) that make room. Pure.

    `own` are the places of the same customer's sessions. Raises `SlotTaken`, `CoachUnavailable`.
    """
    costs = bay_costs(studio.simulators_at(terms.location.handle))
    beside = adjoining.place(studio, terms, found, span, own=own, costs=costs, now=now)
    placement = beside or place_bays(studio, terms, found, span, now)
    choice = find_coach(studio, terms, found)
    if choice is None:
        return Seats(placement.bays, None, None), placement.moves
    coached = Interval.lasting(from_minutes(choice.start), terms.coaching_minutes)
    return Seats(placement.bays, choice.coach.id, coached), placement.moves


def days_touched(studio: Studio, location: Location, during: Interval) -> list[date]:
    """Return the days whose locks a session needs.

    Neighbours across midnight matter as far as a buffer reaches: their day is locked too.
    """
    margin = timedelta(minutes=studio.widest_buffer_minutes)
    return book.days_of(Interval(during.start - margin, during.end + margin), location)


def lapse(session: Session, *, studio_id: int, during: Interval, now: datetime) -> list[UUID]:
    """Free what holds whose time is up still take in an interval; returns their bookings."""
    values = {
        "studio_id": studio_id,
        "now": now,
        "start": during.start,
        "end": during.end,
        "lapsing": states.before(BookingStatus.EXPIRED, actor=Actor.SYSTEM),
    }
    lapsed = [row[0] for row in session.execute(_LAPSE, values)]
    if lapsed:
        block_time.pass_on(session, studio_id=studio_id, booking_ids=lapsed)
    for booking_id in lapsed:
        attention.withdraw(session, studio_id=studio_id, booking_id=booking_id, now=now)
    return lapsed


def release(session: Session, *, studio_id: int, booking_id: UUID) -> None:
    """Free whatever a booking takes; a block that waits for some of it takes that."""
    session.execute(_RELEASE, {"studio_id": studio_id, "booking_id": booking_id})
    block_time.pass_on(session, studio_id=studio_id, booking_ids=[booking_id])


def keep(session: Session, *, studio_id: int, booking_id: UUID, until: datetime | None) -> int:
    """Keep what a held booking takes until an instant, or for good; returns how many were kept."""
    kept = session.execute(
        text(
            "UPDATE allocation SET blocks_until = :until,"
            " state = CASE WHEN CAST(:until AS timestamptz) IS NULL"
            " THEN 'confirmed' ELSE 'held' END"
            " WHERE studio_id = :studio_id AND booking_id = :booking_id AND state <> 'released'"
            " RETURNING id"
        ),
        {"studio_id": studio_id, "booking_id": booking_id, "until": until},
    ).all()
    return len(kept)


def tell(session: Session, *, studio_id: int, booking_id: UUID, now: datetime) -> None:
    """Put into the outbox that a booking changed."""
    outbox.publish(
        session, studio_id=studio_id, topic=BOOKING_CHANGED, key=str(booking_id), now=now
    )


def bay_costs(bays: Sequence[Simulator]) -> dict[int, int]:
    """Return which bays to use last: what others lack stays free for those who need it."""
    return {bay.id: position + 100 * len(bay.tags) for position, bay in enumerate(bays)}


def place_bays(
    studio: Studio, terms: Terms, found: Sequence[Taken], span: book.Span, now: datetime
) -> assignment.Placement:
    """Choose the bays, and what has to move for them; raises `SlotTaken`."""
    bays = studio.simulators_at(terms.location.handle)
    ids = [bay.id for bay in bays]
    pieces = book.pieces(found, bays=ids, span=span, policy=studio.policy, now=now)
    wish = assignment.Wish(
        to_minutes(terms.during.start),
        to_minutes(terms.during.end) + studio.policy.buffer_minutes,
        terms.simulators,
        terms.simulator.id if terms.simulator else None,
    )
    placement = assignment.place(pieces, ids, wish, bay_costs(bays))
    if placement is None:
        raise SlotTaken("there is no room for that session any more")
    return placement


def find_coach(studio: Studio, terms: Terms, found: Sequence[Taken]) -> coaching.Choice | None:
    """Choose coach and start of the coached part; raises `SlotTaken`, `CoachUnavailable`."""
    if not terms.coaching_minutes:
        return None
    day = terms.during.start.astimezone(terms.location.zone).date()
    rosters = [
        roster
        for roster in coaching.rosters(studio, terms.location, day - timedelta(days=1), 3, found)
        if terms.coach is None or roster.coach.id == terms.coach.id
    ]
    start, end = to_minutes(terms.during.start), to_minutes(terms.during.end)
    if terms.coaching_start is not None:
        start = to_minutes(terms.coaching_start)
        end = start + terms.coaching_minutes
    asked = {
        "start": start,
        "end": end,
        "minutes": terms.coaching_minutes,
        "step": studio.policy.step_minutes,
    }
    choice = coaching.choose(rosters, **asked)
    if choice is None:
        idle = [coaching.Roster(roster.coach, roster.working, []) for roster in rosters]
        if coaching.choose(idle, **asked) is None:
            raise CoachUnavailable("no coach works at that time")
        raise SlotTaken("the coach is taken at that time")
    return choice
