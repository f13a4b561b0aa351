"""Series in the hands of several at once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, func, select

from booking_engine.booking import series, series_edits, upkeep
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.clashes import SeriesOverlap
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.booking.series_edits import Edit, Scope
from booking_engine.booking.series_models import Occurrence, SeriesStatus
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Wallet
from connector.runtime import Runtime
from tests.factories.ledger import buckets, grant_lot, transfers_of
from tests.factories.series import (
    TUESDAY,
    all_at_once,
    broken_promises,
    start_series,
    statuses,
)
from tests.factories.studio import NOW, make_wallet, toronto

HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
TWO_DAYS = timedelta(hours=48)


def test_workers_at_once_fund_each_date_once(house: Runtime) -> None:
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        wallet = make_wallet(session, studio)
        found = start_series(session, studio, wallet, count=12)
        grant_lot(session, studio, wallet, "pack", 600)
    now = NOW + HOUR

    def tend(session: Session, studio: Studio) -> None:
        upkeep.tend(session, studio=studio, wallet_id=wallet.id, now=now)

    all_at_once(house, [tend] * 6)

    with house.transaction() as session:
        assert statuses(session, found, now) == ["funded"] * 2 + ["tentative"] * 4
        assert buckets(session, "pack") == {"available": 480, "held": 120}
        assert transfers_of(session) == 3
        assert broken_promises(session) == []


def test_workers_at_once_extend_once(house: Runtime) -> None:
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        customers = [make_wallet(session, studio, 7001 + number).id for number in range(4)]
        for wallet_id in customers:
            start_series(session, studio, Wallet(studio_id=studio.id, id=wallet_id, created_at=NOW))
    now = TUESDAY + WEEK - TWO_DAYS - HOUR

    def tend(wallet_id: UUID) -> Callable[[Session, Studio], None]:
        return lambda session, studio: upkeep.tend(
            session, studio=studio, wallet_id=wallet_id, now=now
        )

    all_at_once(house, [tend(wallet_id) for wallet_id in customers * 2])

    with house.transaction() as session:
        taken = session.exec(
            select(Occurrence.series_id, func.count()).group_by(col(Occurrence.series_id))
        ).all()
        assert [row[1] for row in taken] == [7] * 4
        assert broken_promises(session) == []


def test_rivals_for_one_time_get_as_many_series_as_there_are_bays(house: Runtime) -> None:
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        customers = [make_wallet(session, studio, 7001 + number) for number in range(8)]

    def start(wallet: Wallet) -> Callable[[Session, Studio], SeriesStatus]:
        return lambda session, studio: start_series(session, studio, wallet).status

    results = all_at_once(house, [start(wallet) for wallet in customers])

    assert results.count(SeriesStatus.ACTIVE) == 4
    assert results.count(SlotTaken) == 4
    with house.transaction() as session:
        assert broken_promises(session) == []


def test_rivals_for_one_coach_get_one_series(house: Runtime) -> None:
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        customers = [make_wallet(session, studio, 7001 + number) for number in range(4)]
    evening: datetime = toronto(2026, 12, 2, 18)

    def start(wallet: Wallet) -> Callable[[Session, Studio], SeriesStatus]:
        ana = CoachingRequest(60, "ana")
        return lambda session, studio: (
            start_series(session, studio, wallet, evening, coaching=ana).status
        )

    results = all_at_once(house, [start(wallet) for wallet in customers])

    assert results.count(SeriesStatus.ACTIVE) == 1
    assert results.count(SeriesOverlap) == 3


def test_who_moves_to_one_time_at_once_gets_as_many_slots_as_there_are_bays(
    house: Runtime,
) -> None:
    evening = TUESDAY + timedelta(days=1, hours=8)
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        customers = [make_wallet(session, studio, 7001 + number) for number in range(5)]
        weekly = []
        for number, wallet in enumerate(customers):
            grant_lot(session, studio, wallet, f"pack {number}", 120)
            start = TUESDAY + (number % 2) * HOUR
            if number == 4:
                start += 4 * HOUR
            weekly.append(start_series(session, studio, wallet, start, count=2).id)
    now = NOW + HOUR

    def move(series_id: UUID) -> Callable[[Session, Studio], list[int]]:
        return lambda session, studio: (
            series_edits.move(
                session,
                studio=studio,
                series_id=series_id,
                edit=Edit(Scope.ALL),
                target=Target(evening),
                actor=Actor.CUSTOMER,
                now=now,
            ).moved
        )

    def tend(session: Session, studio: Studio) -> None:
        upkeep.tend(session, studio=studio, wallet_id=customers[0].id, now=now)

    results = all_at_once(house, [*[move(each) for each in weekly], tend])

    assert results.count([1, 2]) == 4
    assert results.count(SlotTaken) == 1
    with house.transaction() as session:
        assert broken_promises(session) == []


def test_ending_and_tending_at_once_leave_one_truth(house: Runtime) -> None:
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        wallet = make_wallet(session, studio)
        found = start_series(session, studio, wallet)
        grant_lot(session, studio, wallet, "pack", 600)
    now = NOW + HOUR

    def end(session: Session, studio: Studio) -> None:
        series.end(session, studio=studio, series_id=found.id, now=now)

    def tend(session: Session, studio: Studio) -> None:
        upkeep.tend(session, studio=studio, wallet_id=wallet.id, now=now)

    all_at_once(house, [end, tend, end, tend])

    with house.transaction() as session:
        ended = series.get(session, studio_id=found.studio_id, series_id=found.id)
        assert ended.status is SeriesStatus.ENDED
        assert "tentative" not in statuses(session, ended, now)
        assert broken_promises(session) == []
