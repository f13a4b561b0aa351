"""Which series may not stand beside each other: of one customer, and with one coach (rule D14)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, text, true
from sqlmodel import Session, col, select

from booking_engine.booking import recurrence
from booking_engine.booking.recurrence import Pattern, Rule
from booking_engine.booking.series_models import Series, SeriesStatus
from booking_engine.booking.terms import Terms
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict
from booking_engine.intervals import MINUTE

DAY_MINUTES_MAX = 120


class SeriesOverlap(Conflict):
    """Another series of this customer, or one with this coach, wants the same time."""

    code = "series_overlap"


class SeriesQuota(Conflict):
    """The customer's series would take more than their share of a day."""

    code = "series_quota"


def refuse(
    session: Session,
    *,
    studio: Studio,
    agreed: Terms,
    rule: Rule,
    wallet_id: UUID,
    besides: UUID | None = None,
) -> None:
    """Raise `SeriesOverlap` or `SeriesQuota` where a series would collide again and again.

    A series that changes its time is not compared with itself (`besides`).

    Rivals queue here until the commit, so that two of them cannot slip past each other.
    """
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"series:{studio.id}"},
    )
    pattern = Pattern(rule, agreed.location.zone, 0, agreed.during.minutes)
    others = col(Series.id) != besides if besides else true()
    _refuse_own(session, studio, pattern, (col(Series.wallet_id) == wallet_id) & others)
    offset = coached_from(agreed)
    if agreed.coach is not None and offset is not None:
        coached = Pattern(rule, agreed.location.zone, offset, agreed.coaching_minutes)
        whose = (col(Series.coach) == agreed.coach.handle) & others
        _refuse_coach(session, studio, coached, whose)


def coached_from(agreed: Terms) -> int | None:
    """Return how many minutes into the session its coaching starts, None where that may float."""
    if agreed.coaching_start is not None:
        return int((agreed.coaching_start - agreed.during.start) / MINUTE)
    return 0 if agreed.coaching_minutes == agreed.during.minutes else None


def rule_of(series: Series) -> Rule:
    """Return the rule that a series follows."""
    return Rule(
        series.first_on, series.starts_minute, series.every_weeks, series.count, series.until_on
    )


def _refuse_own(
    session: Session, studio: Studio, wanted: Pattern, whose: ColumnElement[bool]
) -> None:
    minutes = wanted.minutes
    for other in _live(session, studio, whose):
        theirs = _pattern(studio, other, 0, other.minutes)
        if recurrence.overlap(wanted, theirs):
            raise SeriesOverlap("another series of yours is at that time", series=str(other.id))
        if recurrence.share_a_date(wanted, theirs):
            minutes += theirs.minutes
    if minutes > DAY_MINUTES_MAX:
        raise SeriesQuota(
            f"series take at most {DAY_MINUTES_MAX} minutes a day", maximum=DAY_MINUTES_MAX
        )


def _refuse_coach(
    session: Session, studio: Studio, wanted: Pattern, whose: ColumnElement[bool]
) -> None:
    for other in _live(session, studio, whose):
        if other.coaching_offset is None:
            continue  # its coaching finds its place around others, date by date
        theirs = _pattern(studio, other, other.coaching_offset, other.coaching_minutes)
        if recurrence.overlap(wanted, theirs):
            raise SeriesOverlap("the coach has a series at that time", coach=other.coach)


def _pattern(studio: Studio, series: Series, offset: int, minutes: int) -> Pattern:
    zone = studio.location_by_id(series.location_id).zone
    return Pattern(rule_of(series), zone, offset, minutes)


def _live(session: Session, studio: Studio, whose: ColumnElement[bool]) -> Sequence[Series]:
    return session.exec(
        select(Series).where(
            col(Series.studio_id) == studio.id,
            col(Series.location_id).in_([location.id for location in studio.locations]),
            col(Series.status) != SeriesStatus.ENDED,
            whose,
        )
    ).all()
