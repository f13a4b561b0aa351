"""Windows compared bit by bit against counting minute by minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_engine.booking import occupancy

BAYS = (3, 5, 8, 13)
CLAIMS = st.lists(
    st.tuples(st.sampled_from((*BAYS, 99)), st.integers(-50, 200), st.integers(1, 60)).map(
        lambda claim: (claim[0], claim[1], claim[1] + claim[2])
    ),
    max_size=12,
)
STARTS = st.sets(st.integers(0, 150), min_size=1, max_size=12).map(sorted)


@given(CLAIMS, STARTS, st.integers(1, 70))
def test_a_window_is_used_as_its_minutes_say(
    claims: list[occupancy.Claim], starts: list[int], minutes: int
) -> None:
    found = list(occupancy.of_windows(claims, BAYS, starts=starts, minutes=minutes))

    expected = []
    for first in starts:
        in_use = [
            {bay for bay, start, end in claims if bay in BAYS and start <= minute < end}
            for minute in range(first, first + minutes)
        ]
        expected.append((len(set().union(*in_use)), max(len(bays) for bays in in_use)))
    assert found == expected


def test_hundreds_of_bays_are_counted_too() -> None:
    bays = tuple(range(255))
    claims = [(bay, 0, 60) for bay in bays]

    assert list(occupancy.of_windows(claims, bays, starts=[30], minutes=60)) == [(255, 255)]
    with pytest.raises(ValueError, match="255"):
        occupancy.of_windows(claims, range(256), starts=[30], minutes=60)
