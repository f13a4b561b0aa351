"""Keeps the series going: dates are taken six weeks ahead, paid in their order, released in time.

Everything here follows from the rows and the clock, so running it twice, or by two workers at once,
writes nothing more. Locks: the wallet, then all the days, then the bookings, then the lots.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine.booking import allocator, book, clashes, occurrences
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.occurrences import FUND_AHEAD, SYSTEM, Reason, release_at
from booking_engine.booking.recurrence import Rule
from booking_engine.booking.series_models import (
    Occurrence,
    OccurrenceStatus,
    Series,
    SeriesStatus,
)
from booking_engine.catalog.studio import Location, Studio
from booking_engine.eligibility import UNKNOWN
from booking_engine.errors import DomainError
from booking_engine.intervals import Interval
from booking_engine.ledger import credits, lots, wallets
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import CreditKind

TAKE_AHEAD = timedelta(weeks=6)
REMIND_WEEK_AHEAD = timedelta(days=7)
REMIND_LAST_AHEAD = timedelta(days=3)
UNFUNDED_MAX = 2

# Due by the clock, or because credits have come that pay for a date or wake a paused series.
_DUE = text("""
    WITH live AS (
        SELECT studio_id, id, wallet_id, status, due_at, simulator_minutes, coaching_sessions
        FROM series WHERE status <> 'ended'
    )
    SELECT DISTINCT live.studio_id, live.wallet_id FROM live
    LEFT JOIN LATERAL (
        SELECT min(starts_at) AS starts_at FROM series_occurrence AS date
        WHERE date.studio_id = live.studio_id AND date.series_id = live.id
          AND live.due_at > :now AND live.status = 'active'
          AND date.status = 'tentative' AND date.starts_at <= :near
    ) waiting ON true
    LEFT JOIN LATERAL (
        SELECT coalesce(sum(available) FILTER (WHERE kind = 'simulator_minutes'), 0) AS minutes,
               coalesce(sum(available) FILTER (WHERE kind = 'coaching_sessions'), 0) AS sessions
        FROM lot
        WHERE (live.status = 'paused' OR waiting.starts_at IS NOT NULL)
          AND lot.studio_id = live.studio_id AND lot.wallet_id = live.wallet_id
          AND available > 0 AND only_for IS NULL AND frozen_at IS NULL
          AND (expires_at IS NULL OR expires_at > coalesce(waiting.starts_at, :now))
    ) purse ON true
    WHERE live.due_at <= :now
       OR ((live.status = 'paused' OR waiting.starts_at IS NOT NULL)
           AND purse.minutes >= live.simulator_minutes
           AND purse.sessions >= live.coaching_sessions)
""")


@dataclass(frozen=True, slots=True)
class Kept:
    """A series with its rule, its place, and its dates so far."""

    series: Series
    rule: Rule
    location: Location
    dates: list[Occurrence]

    @property
    def last_number(self) -> int:
        """Return the number of the last date that was looked at."""
        return self.dates[-1].number if self.dates else 0

    def tentative(self) -> list[Occurrence]:
        """Return the dates that hold a slot and are not paid."""
        return [each for each in self.dates if each.status is OccurrenceStatus.TENTATIVE]

    def paused(self, now: datetime) -> list[Occurrence]:
        """Return the dates still to come that a pause gave up."""
        return [
            each for each in self.dates if each.reason == Reason.PAUSED and each.starts_at > now
        ]


def load(session: Session, *, studio: Studio, series: Series) -> Kept:
    """Return a series with everything that belongs to it."""
    dates = list(occurrences.of_series(session, series=series))
    return Kept(series, clashes.rule_of(series), studio.location_by_id(series.location_id), dates)


def due(session: Session, *, now: datetime) -> list[tuple[int, UUID]]:
    """Return studio and wallet of every customer of whose series something is due."""
    found = session.execute(_DUE, {"now": now, "near": now + FUND_AHEAD}).all()
    return sorted((row[0], row[1]) for row in found)


def tend(session: Session, *, studio: Studio, wallet_id: UUID, now: datetime) -> None:
    """Bring all series of one customer to what the clock and the credits say."""
    wallets.lock(session, studio_id=studio.id, wallet_id=wallet_id)
    found = []
    homes = {location.id for location in studio.locations}
    for series in live_of(session, studio_id=studio.id, wallet_id=wallet_id):
        if series.location_id in homes:
            found.append(load(session, studio=studio, series=series))
        else:
            # A location goes only when nothing is booked there; what might have come goes too.
            series.status, series.ended_at, series.due_at = SeriesStatus.ENDED, now, None
    new = [(kept, each) for kept in found for each in next_dates(kept, studio, now=now)]
    back = [(kept, each) for kept in found for each in kept.paused(now)]
    lock_days(session, studio=studio, wanted=[*new, *back])
    waiting = [each for kept in found for each in kept.tentative()]
    held = occurrences.lock_bookings(session, studio_id=studio.id, dates=waiting)
    for kept in found:
        _release_unpaid(session, kept, held, now)
    resumed = [kept for kept in found if _resume(session, kept, now)]
    _fund(session, found, held, now)
    retried = [(kept, each) for kept, each in back if kept in resumed]
    place(session, studio=studio, wanted=[*new, *retried], actor=SYSTEM, now=now)
    for kept in found:
        _remind(kept, now)
        schedule(kept, studio, now=now)
    session.flush()


def live_of(session: Session, *, studio_id: int, wallet_id: UUID) -> Sequence[Series]:
    """Return the series of a customer that have not ended."""
    return session.exec(
        select(Series)
        .where(
            col(Series.studio_id) == studio_id,
            col(Series.wallet_id) == wallet_id,
            col(Series.status) != SeriesStatus.ENDED,
        )
        .order_by(col(Series.id))
        .execution_options(populate_existing=True)
    ).all()


def next_dates(kept: Kept, studio: Studio, *, now: datetime) -> Iterator[Occurrence]:
    """Yield the dates that are to be taken now and were not looked at yet."""
    today = now.astimezone(kept.location.zone).date()
    last = max(today, kept.rule.first_on) + TAKE_AHEAD
    for number in kept.rule.numbers(kept.last_number, until=last):
        if _opens_at(kept, studio, number) <= now:
            yield make(kept, number)


def make(kept: Kept, number: int) -> Occurrence:
    """Make the date with this number; it takes nothing yet."""
    start = kept.rule.start_of(number, kept.location.zone)
    return Occurrence(
        studio_id=kept.series.studio_id,
        series_id=kept.series.id,
        number=number,
        status=OccurrenceStatus.SKIPPED,
        reason=Reason.PAUSED.value,
        starts_at=start.at,
        is_shifted=start.shifted,
    )


def lock_days(
    session: Session, *, studio: Studio, wanted: Sequence[tuple[Kept, Occurrence]]
) -> None:
    """Queue for every day that these dates touch."""
    days: set[date] = set()
    for kept, each in wanted:
        during = Interval.lasting(each.starts_at, kept.series.minutes)
        days.update(allocator.days_touched(studio, kept.location, during))
    book.lock_days(session, studio_id=studio.id, days=days)


def place(
    session: Session,
    *,
    studio: Studio,
    wanted: Sequence[tuple[Kept, Occurrence]],
    actor: str,
    now: datetime,
) -> list[DomainError]:
    """Take these dates in their order, pay for the near ones; returns what said no, per date."""
    refused: list[DomainError] = []
    for kept, each in sorted(wanted, key=lambda pair: (pair[1].starts_at, pair[1].series_id)):
        if kept.series.status is SeriesStatus.PAUSED:
            occurrences.skip(each, Reason.PAUSED, now=now)
            error = None
        else:
            error = occurrences.take_or_skip(
                session,
                studio=studio,
                series=kept.series,
                occurrence=each,
                actor=actor,
                now=now,
            )
        session.add(each)
        if each.number > kept.last_number:
            kept.dates.append(each)
        if each.status is OccurrenceStatus.FUNDED:
            kept.series.unfunded_in_a_row = 0
        if error is not None:
            refused.append(error)
        if isinstance(error, NotEnoughCredits):
            _miss(session, kept, now)
    return refused


def schedule(kept: Kept, studio: Studio, *, now: datetime) -> None:
    """Write when the clock next asks something of a series; one that is over has ended."""
    series, number = kept.series, kept.last_number + 1
    last = kept.rule.last_number
    instants = []
    counted = [each.starts_at for each in kept.dates if last and each.number <= last]
    ends_at = max(counted, default=now)
    if last is None or number <= last:
        instants.append(_opens_at(kept, studio, number))
    elif ends_at > now:
        instants.append(ends_at)
    elif series.status is not SeriesStatus.ENDED:
        series.status, series.ended_at = SeriesStatus.ENDED, now
    for each in kept.tentative():
        ahead = (FUND_AHEAD, REMIND_WEEK_AHEAD, REMIND_LAST_AHEAD)
        instants += [each.starts_at - span for span in ahead if each.starts_at - span > now]
        instants.append(release_at(each))
    series.due_at = min(instants, default=None)
    if series.status is SeriesStatus.ENDED:
        series.due_at = None


def give_up(
    session: Session, *, kept: Kept, dates: Sequence[Occurrence], reason: Reason, now: datetime
) -> None:
    """Free the slots of these unpaid dates of a series."""
    held = occurrences.lock_bookings(session, studio_id=kept.series.studio_id, dates=dates)
    for each in dates:
        if each.booking_id is not None:
            occurrences.give_up(
                session,
                occurrence=each,
                booking=held[each.booking_id],
                reason=reason,
                now=now,
            )


def _opens_at(kept: Kept, studio: Studio, number: int) -> datetime:
    """Return when a date may be taken: six weeks ahead, and not beyond the horizon.

    The first six weeks of a series are taken as soon as it is there.
    """
    zone, day = kept.location.zone, kept.rule.date_of(number)
    reach = day - timedelta(days=studio.policy.horizon_days)
    midnight = datetime.combine(reach, time(), zone)
    if day < kept.rule.first_on + TAKE_AHEAD:
        return max(kept.series.created_at, midnight)
    return max(kept.rule.start_of(number, zone).at - TAKE_AHEAD, midnight)


def _release_unpaid(session: Session, kept: Kept, held: dict[UUID, Booking], now: datetime) -> None:
    for each in kept.tentative():
        # A pause on the way gives up those that follow.
        if each.booking_id is None or each.status is not OccurrenceStatus.TENTATIVE:
            continue
        booking = held[each.booking_id]
        is_late = release_at(each) <= now
        if is_late or booking.status is not BookingStatus.HELD:
            reason = Reason.UNFUNDED if is_late else Reason.BY_STUDIO
            occurrences.give_up(session, occurrence=each, booking=booking, reason=reason, now=now)
        if is_late:
            _miss(session, kept, now)


def _miss(session: Session, kept: Kept, now: datetime) -> None:
    """Count a date that was not paid; the second in a row pauses the series."""
    series = kept.series
    series.unfunded_in_a_row += 1
    if series.unfunded_in_a_row < UNFUNDED_MAX or series.status is not SeriesStatus.ACTIVE:
        return
    series.status, series.paused_at = SeriesStatus.PAUSED, now
    to_come = [each for each in kept.tentative() if release_at(each) > now]
    give_up(session, kept=kept, dates=to_come, reason=Reason.PAUSED, now=now)


def _resume(session: Session, kept: Kept, now: datetime) -> bool:
    """Wake a paused series whose next date can be paid."""
    series = kept.series
    if series.status is not SeriesStatus.PAUSED:
        return False
    owned = credits.of_wallet(session, studio_id=series.studio_id, wallet_id=series.wallet_id)
    starts_at = min((each.starts_at for each in kept.paused(now)), default=now)
    needed = {
        CreditKind.SIMULATOR_MINUTES: series.simulator_minutes,
        CreditKind.COACHING_SESSIONS: series.coaching_sessions,
    }
    for kind, quantity in needed.items():
        if lots.spendable(owned, kind, starts_at=starts_at, now=now, facts=UNKNOWN) < quantity:
            return False
    series.status, series.paused_at, series.unfunded_in_a_row = SeriesStatus.ACTIVE, None, 0
    return True


def _fund(
    session: Session, found: Sequence[Kept], held: dict[UUID, Booking], now: datetime
) -> None:
    """Pay for the near dates in their order, whichever series they are of."""
    near = [
        (each, kept)
        for kept in found
        for each in kept.tentative()
        if each.starts_at <= now + FUND_AHEAD
    ]
    for each, kept in sorted(near, key=lambda pair: (pair[0].starts_at, pair[0].series_id)):
        if each.booking_id is None:
            continue
        if occurrences.fund(session, occurrence=each, booking=held[each.booking_id], now=now):
            kept.series.unfunded_in_a_row = 0


def _remind(kept: Kept, now: datetime) -> None:
    """Write down that an unpaid date came near, once a week ahead and once three days ahead."""
    for each in kept.tentative():
        if each.taken_at is None:
            continue
        week, last = each.starts_at - REMIND_WEEK_AHEAD, each.starts_at - REMIND_LAST_AHEAD
        if each.reminded_week_at is None and each.taken_at < week <= now < last:
            each.reminded_week_at = now
        if each.reminded_last_at is None and each.taken_at < last <= now:
            each.reminded_last_at = now
