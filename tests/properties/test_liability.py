"""What is owed in credits adds up for any history, to the cent."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import liability, transfers, wallets
from booking_engine.ledger.models import Bucket, CreditKind
from tests.factories.ledger import COACHED, MINUTES, grant_lot, make_cause
from tests.factories.studio import apply_demo, make_wallet

EDGES = [datetime(2026, month, 1, 5, tzinfo=UTC) for month in (9, 10, 11, 12)]
Sold = tuple[CreditKind, int, int, int, int | None]
Report = dict[CreditKind, liability.Liability]
AMOUNTS = ("opening", "sold", "used", "expired", "revoked", "closing")
# Kind, quantity, what was paid, day of the grant, days until the expiry.
LOTS = st.lists(
    st.tuples(
        st.sampled_from([MINUTES, MINUTES, COACHED]),
        st.sampled_from([1, 3, 7, 60, 600]),
        st.sampled_from([0, 1, 100, 4500, 39999, 40000]),
        st.integers(0, 89),
        st.none() | st.integers(0, 500),
    ),
    min_size=1,
    max_size=4,
)
INSIDE = st.sampled_from([bucket for bucket in Bucket if bucket is not Bucket.ISSUED])
# Lot, from, to, share of what is there in percent, days after the grant.
MOVES = st.lists(
    st.tuples(st.integers(0, 3), INSIDE, INSIDE, st.integers(1, 100), st.integers(0, 60)),
    max_size=12,
)


@pytest.fixture
def studio(shared_engine: Engine) -> Iterator[tuple[Session, Studio]]:
    with shared_engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session, apply_demo(session)
        outer.rollback()


def months(session: Session, studio: Studio) -> list[Report]:
    return [
        liability.report(session, studio_id=studio.id, start=start, end=end, now=EDGES[-1])
        for start, end in pairwise(EDGES)
    ]


def adds_up(reports: list[Report], lots: list[Sold]) -> None:
    for kind in CreditKind:
        for report in reports:
            of = {name: getattr(report[kind], name) for name in AMOUNTS}
            for unit in ("credits", "money_minor"):
                was, sold, used, expired, revoked, left = (
                    getattr(of[name], unit) for name in AMOUNTS
                )
                assert was + sold - used - expired - revoked == left
                assert sum(getattr(age, unit) for age in report[kind].ageing.values()) == left
        for earlier, later in pairwise(reports):
            assert earlier[kind].closing == later[kind].opening
        sold = sum(report[kind].sold.money_minor for report in reports)
        assert sold == sum(paid for of_kind, _, paid, _, _ in lots if of_kind is kind)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lots=LOTS, moves=MOVES)
def test_opening_and_what_happened_is_closing(
    studio: tuple[Session, Studio],
    lots: list[Sold],
    moves: list[tuple[int, Bucket, Bucket, int, int]],
) -> None:
    session, house = studio
    savepoint = session.begin_nested()
    wallet = make_wallet(session, house)
    made = []
    for number, (kind, quantity, paid, day, days) in enumerate(lots):
        at = EDGES[0] + timedelta(days=day)
        ends = None if days is None else at + timedelta(days=days, hours=1)
        lot = grant_lot(
            session,
            house,
            wallet,
            f"lot:{number}",
            quantity,
            kind=kind,
            paid_minor=paid,
            expires_at=ends,
            granted_at=at,
        )
        made.append(lot)
    for number, (which, source, target, percent, days) in enumerate(moves):
        lot = made[which % len(made)]
        session.refresh(lot)
        quantity = getattr(lot, source.value) * percent // 100
        if quantity and source is not target:
            transfers.move(
                session,
                studio_id=house.id,
                lot_id=lot.id,
                buckets=(source, target),
                quantity=quantity,
                key=f"move:{number}",
                cause=make_cause(lot.granted_at + timedelta(days=days)),
            )

    adds_up(months(session, house), lots)
    savepoint.rollback()
    session.expunge_all()


def test_what_test_orders_granted_is_nobodys_money(studio: tuple[Session, Studio]) -> None:
    session, house = studio
    wallet = wallets.of_test(session, studio_id=house.id, name="customer:1", now=EDGES[0])
    grant_lot(session, house, wallet, "test", 600, paid_minor=40000, granted_at=EDGES[0])

    for month in months(session, house):
        assert month[MINUTES] == liability.Liability()


def test_a_package_is_earned_as_it_is_played(studio: tuple[Session, Studio]) -> None:
    session, house = studio
    at = EDGES[0] + timedelta(days=9)
    lot = grant_lot(
        session,
        house,
        make_wallet(session, house),
        quantity=600,
        paid_minor=40000,
        granted_at=at,
        expires_at=EDGES[-1] + timedelta(days=20),
    )
    steps = [
        (Bucket.AVAILABLE, Bucket.HELD, 240, 1),
        (Bucket.HELD, Bucket.SPENT, 200, 2),
        (Bucket.HELD, Bucket.AVAILABLE, 40, 3),
        (Bucket.AVAILABLE, Bucket.EXPIRED, 100, 30),
        (Bucket.EXPIRED, Bucket.AVAILABLE, 10, 31),
        (Bucket.AVAILABLE, Bucket.REVOKED, 60, 60),
        (Bucket.SPENT, Bucket.REVOKED, 30, 61),
    ]
    for number, (source, target, quantity, days) in enumerate(steps):
        transfers.move(
            session,
            studio_id=house.id,
            lot_id=lot.id,
            buckets=(source, target),
            quantity=quantity,
            key=f"step:{number}",
            cause=make_cause(at + timedelta(days=days)),
        )

    september, october, november = (each[MINUTES] for each in months(session, house))

    def shown(month: liability.Liability) -> list[tuple[int, int]]:
        amounts = [getattr(month, name) for name in AMOUNTS]
        return [(each.credits, each.money_minor) for each in amounts]

    assert shown(september) == [(0, 0), (600, 40000), (200, 13334), (0, 0), (0, 0), (400, 26666)]
    assert shown(october) == [(400, 26666), (0, 0), (0, 0), (90, 6000), (0, 0), (310, 20666)]
    assert shown(november) == [
        (310, 20666),
        (0, 0),
        (-30, -2000),
        (0, 0),
        (90, 6000),
        (250, 16666),
    ]
    assert november.ageing["within_30_days"].credits == 250
