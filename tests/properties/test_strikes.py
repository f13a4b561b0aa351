"""What strikes come to, for any strikes: against the rule in its plainest words (D18)."""

from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from booking_engine.booking import strikes
from booking_engine.booking.strike_models import Strike
from tests.factories.studio import NOW

DAY = timedelta(days=1)


def strike(number: int, day: int, forgiven: str) -> Strike:
    at = NOW + day * DAY
    by = {"": None, "forgiven": "staff:owner"}[forgiven]
    return Strike(
        studio_id=1,
        booking_id=UUID(int=number + 1),
        wallet_id=UUID(int=0),
        at=at,
        forgiven_at=at if by else None,
        forgiven_by=by,
    )


STRIKES = st.lists(
    st.tuples(st.integers(-200, 0), st.sampled_from(["", "", "forgiven"])), max_size=12
).map(lambda drawn: [strike(number, *each) for number, each in enumerate(drawn)])


def plainly(found: list[Strike], now: datetime) -> bool:
    """Tell whether somebody is restricted: read off day by day, as a person would."""
    in_order = sorted(found, key=lambda each: (each.at, each.booking_id))
    pardons: list[datetime] = []
    counted = []
    for each in in_order:
        if not pardons or each.at >= pardons[-1] + 90 * DAY:
            pardons.append(each.at)
        elif each.forgiven_at is None:
            counted.append(each.at)
    return any(
        third - first < 90 * DAY and third <= now < third + 30 * DAY
        for first, third in zip(counted, counted[2:], strict=False)
    )


@given(STRIKES, st.randoms())
def test_the_record_is_what_the_rule_says_in_any_order(
    found: list[Strike], random: "st.random_module"
) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    record = strikes.judge(found, now=NOW)

    assert strikes.judge(shuffled, now=NOW) == record
    assert (record.restricted_until is not None) == plainly(found, NOW)


@given(STRIKES, st.integers(0, 11))
def test_forgiving_never_makes_it_worse(found: list[Strike], number: int) -> None:
    before = strikes.judge(found, now=NOW)
    lifted = [
        strike(at, (each.at - NOW).days, "forgiven") if at == number else each
        for at, each in enumerate(found)
    ]

    after = strikes.judge(lifted, now=NOW)

    assert set(after.counting) <= set(before.counting)
    assert (after.restricted_until or NOW) <= (before.restricted_until or NOW)


@given(STRIKES)
def test_three_strikes_in_ninety_days_never_restrict_whom_none_was_counted_before(
    found: list[Strike],
) -> None:
    recent = [each for each in found if each.at > NOW - 90 * DAY][:3]

    record = strikes.judge(recent, now=NOW)

    assert record.restricted_until is None
    assert len(record.pardoned) == min(1, len(recent))


@given(STRIKES)
def test_time_heals(found: list[Strike]) -> None:
    later = strikes.judge(found, now=NOW + 90 * DAY)

    assert (later.counting, later.restricted_until) == ((), None)
