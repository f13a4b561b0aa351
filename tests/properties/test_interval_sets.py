"""The set operations on intervals, against sets of whole minutes."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from booking_engine.intervals import Interval, covers, from_minutes, merge, subtract

Spans = list[tuple[int, int]]
SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=7)
THOROUGH = settings(max_examples=300, deadline=None)


def minutes(spans: Spans) -> set[int]:
    return {minute for start, end in spans for minute in range(start, end)}


@THOROUGH
@given(SPANS)
def test_merging_loses_nothing_and_leaves_gaps_between(spans: Spans) -> None:
    merged = merge(spans)

    assert minutes(merged) == minutes(spans)
    assert all(start < end for start, end in merged)
    assert all(left[1] < right[0] for left, right in pairwise(merged))


@THOROUGH
@given(SPANS)
def test_merging_twice_is_merging_once(spans: Spans) -> None:
    once = merge(spans)

    assert merge(once) == once


@THOROUGH
@given(SPANS, SPANS)
def test_free_and_busy_share_nothing_and_make_up_the_whole(spans: Spans, busy: Spans) -> None:
    free = subtract(spans, busy)

    assert minutes(free) & minutes(busy) == set()
    assert minutes(free) | (minutes(spans) & minutes(busy)) == minutes(spans)
    assert free == merge(free)


@THOROUGH
@given(SPANS, st.integers(0, 39), st.integers(1, 10))
def test_covered_is_what_has_every_minute(spans: Spans, start: int, length: int) -> None:
    end = start + length

    assert covers(merge(spans), start, end) == (set(range(start, end)) <= minutes(spans))


@THOROUGH
@given(st.integers(0, 20), st.integers(1, 9), st.integers(0, 20), st.integers(1, 9))
def test_overlapping_is_sharing_a_minute(a: int, long: int, b: int, short: int) -> None:
    one = Interval(from_minutes(a), from_minutes(a + long))
    other = Interval(from_minutes(b), from_minutes(b + short))

    overlapping = one.overlaps(other)

    assert overlapping == bool(minutes([(a, a + long)]) & minutes([(b, b + short)]))
    assert overlapping == other.overlaps(one)
