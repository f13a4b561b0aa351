"""Series: a session every week or every other week (product rule D14).

A series is started, read, ended; single dates are skipped and added back. What the clock and the
credits do to it is in `upkeep`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session, col, select

from booking_engine.booking import bookings, clashes, occurrences, terms, upkeep
from booking_engine.booking.bookings import AlreadyCancelled, NotCancellable
from booking_engine.booking.models import Booking
from booking_engine.booking.occurrences import Reason
from booking_engine.booking.policies import Actor
from booking_engine.booking.recurrence import Rule
from booking_engine.booking.series_models import (
    Occurrence,
    OccurrenceStatus,
    Series,
    SeriesStatus,
)
from booking_engine.booking.terms import OutsideHours, SessionRequest, Terms
from booking_engine.booking.upkeep import Kept
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict, Invalid, NotFound
from booking_engine.ledger import wallets
from booking_engine.ledger.models import CreditKind

# How a date reads that takes nothing.
GIVEN_UP = frozenset({"skipped", "cancelled", "rejected", "expired"})


class SeriesEnded(Conflict):
    """The series has ended; its dates stay as they are."""

    code = "series_ended"


class NotSkipped(Conflict):
    """The date has its slot; there is nothing to add back."""

    code = "not_skipped"


class AlreadySkipped(Conflict):
    """The date takes nothing already."""

    code = "already_skipped"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How often, and until when: so many dates, a last local date, or neither."""

    every_weeks: int
    count: int | None = None
    until_on: date | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a new series is, and who asks for it."""

    wallet_id: UUID
    actor: str


def start(
    session: Session,
    *,
    studio: Studio,
    request: SessionRequest,
    repeat: Recurrence,
    owner: Owner,
    now: datetime,
) -> Series:
    """Start a series: its dates of the next six weeks take their slots, the near ones are paid.

    Dates that cannot be had are listed as skipped; where that is all of them, and for what the
    rules refuse, the first refusal is raised and nothing has changed.
    """
    agreed = _agree(studio, request, now)
    rule = _rule(agreed, repeat)
    wallets.lock(session, studio_id=studio.id, wallet_id=owner.wallet_id)
    clashes.refuse(session, studio=studio, agreed=agreed, rule=rule, wallet_id=owner.wallet_id)
    with session.begin_nested():
        series = _write(session, studio, agreed, rule, request, owner.wallet_id, now)
        kept = Kept(series, rule, agreed.location, [])
        wanted = [(kept, each) for each in upkeep.next_dates(kept, studio, now=now)]
        wanted = wanted or [(kept, upkeep.make(kept, 1))]
        upkeep.lock_days(session, studio=studio, wanted=wanted)
        refused = upkeep.place(session, studio=studio, wanted=wanted, actor=owner.actor, now=now)
        if len(refused) == len(wanted):
            raise refused[0]
        upkeep.schedule(kept, studio, now=now)
        session.flush()
    return series


def get(
    session: Session, *, studio_id: int, series_id: UUID, wallet_id: UUID | None = None
) -> Series:
    """Return a series, of this wallet if one is named; raises `NotFound`."""
    found = session.exec(
        select(Series).where(col(Series.studio_id) == studio_id, col(Series.id) == series_id)
    ).first()
    if found is None or (wallet_id is not None and found.wallet_id != wallet_id):
        raise NotFound("there is no such series")
    return found


def of_wallet(
    session: Session, *, studio_id: int, wallet_id: UUID, before: UUID | None, limit: int
) -> Sequence[Series]:
    """Return the series of a customer, newest first, those before an id."""
    wanted = select(Series).where(
        col(Series.studio_id) == studio_id, col(Series.wallet_id) == wallet_id
    )
    if before is not None:
        wanted = wanted.where(col(Series.id) < before)
    return session.exec(wanted.order_by(col(Series.id).desc()).limit(limit)).all()


def bookings_of(session: Session, *, dates: Sequence[Occurrence]) -> dict[UUID, Booking]:
    """Return the bookings of these dates by id."""
    ids = [each.booking_id for each in dates if each.booking_id is not None]
    if not ids:
        return {}
    found = session.exec(
        select(Booking).where(
            col(Booking.studio_id) == dates[0].studio_id, col(Booking.id).in_(ids)
        )
    ).all()
    return {booking.id: booking for booking in found}


def end(session: Session, *, studio: Studio, series_id: UUID, now: datetime) -> Series:
    """End a series and free its unpaid dates; what is booked stays. Again, it changes nothing."""
    kept = lock(session, studio, series_id)
    if kept.series.status is SeriesStatus.ENDED:
        return kept.series
    dates = kept.tentative()
    upkeep.give_up(session, kept=kept, dates=dates, reason=Reason.SERIES_ENDED, now=now)
    kept.series.status, kept.series.ended_at = SeriesStatus.ENDED, now
    upkeep.schedule(kept, studio, now=now)
    session.flush()
    return kept.series


def cancel_bookings(
    session: Session, *, studio: Studio, series_id: UUID, actor: Actor, now: datetime
) -> dict[CreditKind, int]:
    """Cancel what a series has booked for the time to come; returns what came back, per kind."""
    kept = lock(session, studio, series_id)
    totals = dict.fromkeys(CreditKind, 0)
    paid = [each for each in kept.dates if each.status is OccurrenceStatus.FUNDED]
    booked = occurrences.lock_bookings(session, studio_id=studio.id, dates=paid)
    for booking_id in sorted(booked):
        try:
            back = bookings.cancel(
                session,
                studio_id=studio.id,
                booking_id=booking_id,
                actor=actor,
                reason="its series was ended",
                now=now,
            )
        except (AlreadyCancelled, NotCancellable):
            continue  # it was cancelled before, or its session has begun
        for kind, quantity in back.items():
            totals[kind] += quantity
    return totals


def skip_date(
    session: Session, *, studio: Studio, series_id: UUID, number: int, actor: Actor, now: datetime
) -> Series:
    """Skip one date: an unpaid slot is freed, a booking is cancelled by its rules.

    Raises `NotFound`, `AlreadySkipped`, and `NotCancellable` once the session has begun.
    """
    kept = lock(session, studio, series_id)
    each = date_of(kept, number)
    booked = occurrences.lock_bookings(session, studio_id=studio.id, dates=[each])
    skip(session, each, booked, actor=actor, now=now)
    upkeep.schedule(kept, studio, now=now)
    session.flush()
    return kept.series


def skip(
    session: Session,
    each: Occurrence,
    booked: Mapping[UUID, Booking],
    *,
    actor: Actor,
    now: datetime,
) -> dict[CreditKind, int]:
    """Skip one date whose booking is locked; returns what came back, raises as `skip_date`."""
    booking = booked.get(each.booking_id) if each.booking_id else None
    reason = Reason.BY_CUSTOMER if actor is Actor.CUSTOMER else Reason.BY_STUDIO
    status, _ = occurrences.standing(each, booking, now=now)
    if booking is None or status in GIVEN_UP:
        raise AlreadySkipped("that date is skipped already")
    if each.status is OccurrenceStatus.TENTATIVE:
        occurrences.give_up(session, occurrence=each, booking=booking, reason=reason, now=now)
        return dict.fromkeys(CreditKind, 0)
    back = bookings.cancel(
        session,
        studio_id=booking.studio_id,
        booking_id=booking.id,
        actor=actor,
        reason="that date of its series was skipped",
        now=now,
    )
    occurrences.skip(each, reason, now=now)
    return back


def add_date(
    session: Session, *, studio: Studio, series_id: UUID, number: int, actor: str, now: datetime
) -> Series:
    """Add a skipped date back, if it can be had.

    Raises `NotFound`, `NotSkipped`, `SeriesEnded`, what the rules refuse, `SlotTaken`, and
    `NotEnoughCredits` where the date has to be paid at once; then it stays skipped.
    """
    kept = lock(session, studio, series_id)
    each = date_of(kept, number)
    if kept.series.status is SeriesStatus.ENDED:
        raise SeriesEnded("that series has ended; start a new one")
    booking = bookings_of(session, dates=[each]).get(each.booking_id) if each.booking_id else None
    status, _ = occurrences.standing(each, booking, now=now)
    if status not in GIVEN_UP:
        raise NotSkipped("that date is not skipped")
    upkeep.lock_days(session, studio=studio, wanted=[(kept, each)])
    occurrences.take(
        session, studio=studio, series=kept.series, occurrence=each, actor=actor, now=now
    )
    upkeep.schedule(kept, studio, now=now)
    session.flush()
    return kept.series


def _agree(studio: Studio, request: SessionRequest, now: datetime) -> Terms:
    """Return the terms of the first date, which may be closed but must be a date one can mean."""
    agreed = terms.resolve(studio, request)
    for refusal in terms.refusals(studio, agreed, now=now):
        if not isinstance(refusal, OutsideHours):
            raise refusal
    return agreed


def _rule(agreed: Terms, repeat: Recurrence) -> Rule:
    if repeat.count is not None and repeat.until_on is not None:
        raise Invalid("give count or until, not both")
    rule = Rule.starting(
        agreed.during.start,
        agreed.location.zone,
        repeat.every_weeks,
        count=repeat.count,
        until_on=repeat.until_on,
    )
    if rule.until_on is not None and rule.until_on < rule.first_on:
        raise Invalid("until lies before the first date", first=str(rule.first_on))
    return rule


def _write(
    session: Session,
    studio: Studio,
    agreed: Terms,
    rule: Rule,
    request: SessionRequest,
    wallet_id: UUID,
    now: datetime,
) -> Series:
    series = Series(
        studio_id=studio.id,
        wallet_id=wallet_id,
        status=SeriesStatus.ACTIVE,
        location_id=agreed.location.id,
        service=agreed.service.handle,
        minutes=agreed.during.minutes,
        simulators=agreed.simulators,
        simulator=agreed.simulator.handle if agreed.simulator else None,
        coaching_minutes=agreed.coaching_minutes,
        coach=agreed.coach.handle if agreed.coach else None,
        coaching_offset=clashes.coached_from(agreed),
        every_weeks=rule.every_weeks,
        first_on=rule.first_on,
        starts_minute=rule.minute,
        count=rule.count,
        until_on=rule.until_on,
        simulator_minutes=agreed.simulator_minutes,
        coaching_sessions=agreed.coaching_sessions,
        created_at=now,
    )
    session.add(series)
    session.flush()
    return series


def lock(session: Session, studio: Studio, series_id: UUID) -> Kept:
    """Return a series that nobody else changes until the commit."""
    series = get(session, studio_id=studio.id, series_id=series_id)
    wallets.lock(session, studio_id=studio.id, wallet_id=series.wallet_id)
    session.refresh(series)
    return upkeep.load(session, studio=studio, series=series)


def date_of(kept: Kept, number: int) -> Occurrence:
    """Return one date of a series; raises `NotFound`."""
    for each in kept.dates:
        if each.number == number:
            return each
    raise NotFound("that series has no such date")
