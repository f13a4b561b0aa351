"""Which lots pay, in which order, until when, and what comes back to them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking_engine.ledger import lots
from booking_engine.ledger.lots import Share
from booking_engine.ledger.models import CreditKind
from tests.factories.lots import make_lot
from tests.factories.studio import NOW, TORONTO, toronto

MINUTES, SESSIONS = CreditKind.SIMULATOR_MINUTES, CreditKind.COACHING_SESSIONS
DECEMBER = datetime(2026, 12, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("paid_on", "days", "zone", "until"),
    [
        (date(2026, 11, 20), 365, "America/Toronto", datetime(2027, 11, 21, 5, tzinfo=UTC)),
        # In daylight time a midnight of Toronto is four hours behind, not five.
        (date(2026, 11, 20), 200, "America/Toronto", datetime(2027, 6, 9, 4, tzinfo=UTC)),
        (date(2026, 11, 20), 1, "Europe/London", datetime(2026, 11, 22, tzinfo=UTC)),
        # Cairo skips this midnight; the day begins at 01:00.
        (date(2026, 4, 22), 1, "Africa/Cairo", datetime(2026, 4, 23, 22, tzinfo=UTC)),
    ],
)
def test_a_lot_ends_with_the_last_local_day_on_which_it_is_valid(
    paid_on: date, days: int, zone: str, until: datetime
) -> None:
    found = lots.expiry(paid_on, days, ZoneInfo(zone))

    assert found is not None
    assert found.astimezone(UTC) == until


def test_a_lot_without_valid_days_never_ends() -> None:
    assert lots.expiry(date(2026, 11, 20), None, TORONTO) is None
    assert lots.is_live(make_lot(), NOW + timedelta(days=99_999))


def test_the_instant_of_expiry_is_expired() -> None:
    lot = make_lot(expires_at=DECEMBER)

    assert lots.is_live(lot, DECEMBER - timedelta(microseconds=1))
    assert not lots.is_live(lot, DECEMBER)


def test_lots_are_used_by_priority_expiry_price_age_and_id() -> None:
    in_order = [
        make_lot(9, priority=10),
        make_lot(8, expires_at=NOW + timedelta(days=1)),
        make_lot(7, expires_at=NOW + timedelta(days=2), paid_minor=0),
        make_lot(6, expires_at=NOW + timedelta(days=2)),
        make_lot(5, paid_minor=0),
        make_lot(4, granted_at=NOW - timedelta(days=1)),
        make_lot(2),
        make_lot(3),
    ]

    assert lots.in_order_of_use(reversed(in_order)) == in_order


def test_a_session_draws_on_the_lot_that_ends_first_and_then_on_the_next() -> None:
    ending, lasting = make_lot(1, 60, expires_at=DECEMBER), make_lot(2, 120)

    shares = lots.share_out(
        [lasting, ending], MINUTES, 90, starts_at=toronto(2026, 11, 28, 18), now=NOW
    )

    assert shares == [Share(ending.id, MINUTES, 60), Share(lasting.id, MINUTES, 30)]


def test_a_session_after_the_expiry_draws_only_on_what_lives_on() -> None:
    ending, lasting = make_lot(1, 60, expires_at=DECEMBER), make_lot(2, 120)
    starts_at = toronto(2026, 12, 2, 18)

    shares = lots.share_out([lasting, ending], MINUTES, 90, starts_at=starts_at, now=NOW)

    assert shares == [Share(lasting.id, MINUTES, 90)]
    assert lots.spendable([lasting, ending], MINUTES, starts_at=starts_at, now=NOW) == 120


def test_a_session_at_the_instant_of_expiry_is_too_late_for_the_lot() -> None:
    lot = make_lot(expires_at=DECEMBER)
    before = DECEMBER - timedelta(minutes=1)

    assert lots.spendable([lot], MINUTES, starts_at=before, now=NOW) == 60
    assert lots.spendable([lot], MINUTES, starts_at=DECEMBER, now=NOW) == 0
    assert lots.spendable([lot], MINUTES, starts_at=before, now=DECEMBER) == 0


def test_only_lots_of_the_kind_with_something_available_share() -> None:
    owned = [make_lot(1, 0, held=60), make_lot(2, 5, kind=SESSIONS), make_lot(3, 45)]

    shares = lots.share_out(owned, MINUTES, 60, starts_at=NOW, now=NOW)

    assert shares == [Share(owned[2].id, MINUTES, 45)]
    assert lots.share_out(owned, MINUTES, 0, starts_at=NOW, now=NOW) == []


@pytest.mark.parametrize(
    ("kind", "share", "percent", "back"),
    [
        (MINUTES, 60, 100, 60),
        (MINUTES, 60, 50, 30),
        (MINUTES, 30, 50, 15),
        (MINUTES, 15, 50, 8),
        (MINUTES, 1, 1, 1),
        (MINUTES, 60, 0, 0),
        (SESSIONS, 1, 100, 1),
        (SESSIONS, 3, 50, 3),
        (SESSIONS, 3, 49, 0),
        (SESSIONS, 3, 0, 0),
    ],
)
def test_minutes_round_up_and_sessions_come_back_whole_or_not_at_all(
    kind: CreditKind, share: int, percent: int, back: int
) -> None:
    assert lots.returned(share, percent, kind) == back
