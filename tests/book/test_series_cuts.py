"""This date, this and following, or all dates of a series are cancelled (rule D14)."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from booking_engine.booking import series
from booking_engine.booking.bookings import NotCancellable
from booking_engine.booking.policies import Actor
from booking_engine.booking.series import AlreadySkipped, SeriesEnded
from booking_engine.booking.series_edits import Edit, Scope
from booking_engine.booking.series_models import SeriesStatus
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Wallet
from tests.factories.ledger import MINUTES, buckets, grant_lot
from tests.factories.series import (
    TUESDAY,
    broken_promises,
    cancel_dates,
    live_through,
    move_dates,
    standings,
    start_series,
    starts,
    statuses,
    tick,
)
from tests.factories.studio import NOW

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
WEDNESDAY_EVENING = TUESDAY + DAY + timedelta(hours=8)


def test_this_and_following_are_cancelled_and_the_series_ends_before_them(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 120)
    found = start_series(session, studio, wallet)

    back = cancel_dates(session, studio, found, Edit(Scope.FOLLOWING, 2))

    assert back[MINUTES] == 60
    assert standings(session, found, NOW) == [
        (1, "funded"),
        *[(number, "skipped", "by_customer") for number in range(2, 7)],
    ]
    assert buckets(session, "pack") == {"available": 60, "held": 60}
    assert (found.status, found.count) == (SeriesStatus.ACTIVE, 1)
    live_through(session, studio, NOW, TUESDAY + 3 * WEEK)
    assert len(starts(session, found)) == 6
    assert found.status is SeriesStatus.ENDED
    assert found.ended_at is not None
    assert found.ended_at < TUESDAY + DAY
    assert broken_promises(session) == []


@pytest.mark.parametrize("edit", [Edit(Scope.ALL), Edit(Scope.FOLLOWING, 1)])
def test_all_are_cancelled_and_the_series_ends(
    session: Session, studio: Studio, wallet: Wallet, edit: Edit
) -> None:
    grant_lot(session, studio, wallet, "pack", 120)
    found = start_series(session, studio, wallet)

    back = cancel_dates(session, studio, found, edit)

    assert back[MINUTES] == 120
    assert found.status is SeriesStatus.ENDED
    assert set(statuses(session, found, NOW)) <= {"skipped", "cancelled"}
    assert buckets(session, "pack") == {"available": 120}
    tick(session, studio, NOW + DAY)
    assert broken_promises(session) == []
    with pytest.raises(SeriesEnded):
        move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING)


def test_one_date_is_cancelled_alone_and_once(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 120)
    found = start_series(session, studio, wallet, count=3)

    back = cancel_dates(session, studio, found, Edit(Scope.THIS, 2))

    assert back[MINUTES] == 60
    assert statuses(session, found, NOW) == ["funded", "skipped", "tentative"]
    assert found.status is SeriesStatus.ACTIVE
    with pytest.raises(AlreadySkipped):
        cancel_dates(session, studio, found, Edit(Scope.THIS, 2))
    with pytest.raises(NotCancellable):
        series.skip_date(
            session, studio=studio, series_id=found.id, number=1, actor=Actor.CUSTOMER, now=TUESDAY
        )
