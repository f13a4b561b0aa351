"""A series is edited: this date, this and following, or all that are still to come (rule D14).

Dates move by the wall clock of their location. A paid date moves by the rules of every move (D4)
and stays where it is booked if it cannot follow; an unpaid one that cannot follow is skipped and
can be added back. All of an edit happens in one transaction, or nothing.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session

from booking_engine.booking import (
    allocator,
    book,
    clashes,
    moves,
    occurrences,
    series,
    terms,
    upkeep,
)
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.bookings import NotCancellable
from booking_engine.booking.models import Booking
from booking_engine.booking.moves import SameTime, Target
from booking_engine.booking.policies import Actor
from booking_engine.booking.recurrence import Rule, Start
from booking_engine.booking.series import AlreadySkipped, SeriesEnded
from booking_engine.booking.series_models import Occurrence, OccurrenceStatus, Series, SeriesStatus
from booking_engine.booking.terms import OffGrid, Terms
from booking_engine.booking.upkeep import Kept
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict, DomainError, Invalid, NotFound
from booking_engine.intervals import Interval
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import CreditKind

REFUSALS = (Invalid, SlotTaken, CoachUnavailable, NotEnoughCredits, NotCancellable)


class Scope(StrEnum):
    """How far an edit reaches; what has begun is never reached."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


class NotToCome(Conflict):
    """The date has begun or is over."""

    code = "not_to_come"


@dataclass(frozen=True, slots=True)
class Edit:
    """Which dates: of `following` from a number on, of `all` the number says what is moved."""

    scope: Scope
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of the dates, by number: those that could not follow with what said no."""

    series: Series
    moved: list[int] = field(default_factory=list)
    stayed: dict[int, DomainError] = field(default_factory=dict)
    skipped: dict[int, DomainError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    """One date and where it is to go."""

    occurrence: Occurrence
    booking: Booking | None
    start: Start


def move(
    session: Session,
    *,
    studio: Studio,
    series_id: UUID,
    edit: Edit,
    target: Target,
    actor: Actor,
    now: datetime,
) -> Edited:
    """Move a date, and perhaps those after it or all, to the time at which `target` puts it.

    Raises `NotFound`, `SeriesEnded`, `NotToCome`, `AlreadySkipped` for one date that takes nothing,
    `SeriesOverlap`, `SeriesQuota`, what the rules refuse, and where no date can follow the first
    refusal; then nothing has changed.
    """
    kept = _lock_live(session, studio, series_id)
    anchor = _anchor(kept, edit, now)
    agreed = _agree(studio, kept.series, target, now)
    if edit.scope is Scope.THIS:
        return _move_one(session, studio, kept, anchor, target, actor, now)
    rule = _shifted(kept, anchor, target)
    wallet_id = kept.series.wallet_id
    clashes.refuse(
        session, studio=studio, agreed=agreed, rule=rule, wallet_id=wallet_id, besides=series_id
    )
    kept = _retimed(kept, rule, agreed)
    dates = _reached(kept, edit, now)
    goals = {each.number: rule.start_of(each.number, kept.location.zone) for each in dates}
    starts = [each.starts_at for each in dates] + [goal.at for goal in goals.values()]
    _lock_days(session, studio, kept, starts)
    booked = occurrences.lock_bookings(session, studio_id=studio.id, dates=dates)
    steps = [_Step(each, _booking(each, booked), goals[each.number]) for each in dates]
    edited = _move_all(session, studio, kept, steps, target.minutes, actor, now)
    refused = [*edited.stayed.values(), *edited.skipped.values()]
    if refused and not edited.moved:
        raise refused[0]
    upkeep.schedule(kept, studio, now=now)
    session.flush()
    return edited


def cancel(
    session: Session,
    *,
    studio: Studio,
    series_id: UUID,
    edit: Edit,
    actor: Actor,
    now: datetime,
) -> tuple[Series, dict[CreditKind, int]]:
    """Cancel a date, it and those after it, or all and the series; returns what came back.

    Unpaid slots are freed, bookings are cancelled by their rules. A series of which earlier dates
    are still to come ends after them. Raises as `move` does.
    """
    if edit.scope is Scope.ALL:
        ended = series.end(session, studio=studio, series_id=series_id, now=now)
        back = series.cancel_bookings(
            session, studio=studio, series_id=series_id, actor=actor, now=now
        )
        return ended, back
    kept = _lock_live(session, studio, series_id)
    first = _anchor(kept, edit, now)
    dates = _reached(kept, edit, now)
    booked = occurrences.lock_bookings(session, studio_id=studio.id, dates=dates)
    totals = dict.fromkeys(CreditKind, 0)
    for each in dates:
        try:
            back = series.skip(session, each, booked, actor=actor, now=now)
        except (AlreadySkipped, NotCancellable):
            if edit.scope is Scope.THIS:
                raise
            continue
        for kind, quantity in back.items():
            totals[kind] += quantity
    if edit.scope is Scope.FOLLOWING:
        kept = _cut_short(kept, first.number, now)
    upkeep.schedule(kept, studio, now=now)
    session.flush()
    return kept.series, totals


def _lock_live(session: Session, studio: Studio, series_id: UUID) -> Kept:
    kept = series.lock(session, studio, series_id)
    if kept.series.status is SeriesStatus.ENDED:
        raise SeriesEnded("that series has ended; change its bookings one by one")
    return kept


def _anchor(kept: Kept, edit: Edit, now: datetime) -> Occurrence:
    """Return the date that the edit names; of `all` it may be the next one."""
    if edit.number is not None:
        named = series.date_of(kept, edit.number)
        if named.starts_at <= now:
            raise NotToCome("that date has begun or is over", number=named.number)
        return named
    for each in kept.dates:
        if each.starts_at > now:
            return each
    raise NotFound("that series has no date still to come")


def _agree(studio: Studio, found: Series, target: Target, now: datetime) -> Terms:
    """Return the terms at the new time; whether single dates can be had is another question."""
    request = occurrences.request_for(studio, found, target.start)
    agreed = terms.resolve(studio, replace(request, minutes=target.minutes or found.minutes))
    for refusal in terms.refusals(studio, agreed, now=now):
        if isinstance(refusal, OffGrid):
            raise refusal
    return agreed


def _shifted(kept: Kept, anchor: Occurrence, target: Target) -> Rule:
    """Return the rule by which the anchor lies at its new time; numbers and count stay."""
    wall = target.start.astimezone(kept.location.zone)
    days = wall.date() - kept.rule.date_of(anchor.number)
    period = timedelta(weeks=kept.rule.every_weeks)
    if not -period < days < period:
        raise Invalid(
            f"the dates of a series move by less than {period.days} days; skip one instead",
            maximum_days=period.days - 1,
        )
    return replace(
        kept.rule,
        first_on=kept.rule.first_on + days,
        minute=wall.hour * 60 + wall.minute,
        until_on=kept.rule.until_on + days if kept.rule.until_on else None,
    )


def _retimed(kept: Kept, rule: Rule, agreed: Terms) -> Kept:
    """Write the new rule and length on the series."""
    found = kept.series
    found.first_on, found.until_on = rule.first_on, rule.until_on
    found.starts_minute = rule.minute
    found.minutes = agreed.during.minutes
    found.simulator_minutes = agreed.simulator_minutes
    return replace(kept, rule=rule)


def _cut_short(kept: Kept, number: int, now: datetime) -> Kept:
    """Let a series end before this number; one of which nothing is left to come ends now."""
    found = kept.series
    if any(each.number < number and each.starts_at > now for each in kept.dates):
        found.count, found.until_on = number - 1, None
        return replace(kept, rule=clashes.rule_of(found))
    found.status, found.ended_at = SeriesStatus.ENDED, now
    return kept


def _reached(kept: Kept, edit: Edit, now: datetime) -> list[Occurrence]:
    """Return the dates of the edit that are still to come, in their order."""
    number = edit.number or 1
    if edit.scope is Scope.THIS:
        return [series.date_of(kept, number)]
    first = number if edit.scope is Scope.FOLLOWING else 1
    return [each for each in kept.dates if each.number >= first and each.starts_at > now]


def _booking(each: Occurrence, booked: Mapping[UUID, Booking]) -> Booking | None:
    return booked.get(each.booking_id) if each.booking_id else None


def _lock_days(session: Session, studio: Studio, kept: Kept, starts: Iterable[datetime]) -> None:
    """Queue for every day on which dates leave a slot or come to one, whatever their length."""
    days: set[date] = set()
    longest = max(kept.series.minutes, *studio.service_of(kept.series.service).minutes)
    for start in starts:
        during = Interval.lasting(start, longest)
        days.update(allocator.days_touched(studio, kept.location, during))
    book.lock_days(session, studio_id=studio.id, days=days)


def _move_one(
    session: Session,
    studio: Studio,
    kept: Kept,
    each: Occurrence,
    target: Target,
    actor: Actor,
    now: datetime,
) -> Edited:
    """Move one date alone; the series keeps its time."""
    goal = Start(target.start, shifted=False)
    _lock_days(session, studio, kept, [each.starts_at, goal.at])
    booked = occurrences.lock_bookings(session, studio_id=studio.id, dates=[each])
    step = _Step(each, _booking(each, booked), goal)
    if occurrences.standing(each, step.booking, now=now)[0] in series.GIVEN_UP:
        raise AlreadySkipped("that date takes nothing; add it back before you move it")
    _follow(session, studio, kept.series, step, target.minutes, actor, now)
    upkeep.schedule(kept, studio, now=now)
    session.flush()
    return Edited(kept.series, [each.number])


def _move_all(
    session: Session,
    studio: Studio,
    kept: Kept,
    steps: Sequence[_Step],
    minutes: int | None,
    actor: Actor,
    now: datetime,
) -> Edited:
    """Let every date follow that can; what takes nothing is listed at the new time."""
    edited = Edited(kept.series)
    for step in steps:
        each, number = step.occurrence, step.occurrence.number
        if occurrences.standing(each, step.booking, now=now)[0] in series.GIVEN_UP:
            if each.status is not OccurrenceStatus.TENTATIVE:
                each.starts_at, each.is_shifted = step.start
            continue
        try:
            with session.begin_nested():
                _follow(session, studio, kept.series, step, minutes, actor, now)
        except REFUSALS as error:
            if each.status is OccurrenceStatus.FUNDED or step.booking is None:
                edited.stayed[number] = error
                continue
            occurrences.give_up(
                session, occurrence=each, booking=step.booking, reason=error.code, now=now
            )
            each.starts_at, each.is_shifted = step.start
            edited.skipped[number] = error
        else:
            edited.moved.append(number)
    return edited


def _follow(
    session: Session,
    studio: Studio,
    found: Series,
    step: _Step,
    minutes: int | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Put one date where it is to go; a booking that is paid moves by its rules.

    Without minutes it keeps its length, which may be another than that of the series.
    """
    each, booking = step.occurrence, step.booking
    if booking is None:
        raise NotToCome("that date takes nothing", number=each.number)
    if each.status is OccurrenceStatus.TENTATIVE:
        occurrences.move(
            session,
            studio=studio,
            series=found,
            occurrence=each,
            booking=booking,
            start=step.start,
            minutes=minutes or Interval.of(booking.starts_at, booking.ends_at).minutes,
            now=now,
        )
        return
    goal = Target(step.start.at, minutes)
    with contextlib.suppress(SameTime):  # somebody put it there before
        moves.move(session, studio=studio, booking_id=booking.id, target=goal, actor=actor, now=now)
    each.starts_at, each.is_shifted = step.start
