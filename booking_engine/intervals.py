"""Half-open intervals: the start is inside, the end is not.

The set operations work on plain `(start, end)` tuples of anything that can be compared, so the same
code serves aware datetimes at the edges and integer minutes in the loops.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import NamedTuple, TypeVar

T = TypeVar("T", int, datetime)

MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Interval(NamedTuple):
    """A stretch of absolute time, `[start, end)`, both ends aware."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, start: datetime, end: datetime) -> "Interval":
        """Make an interval in UTC; a naive, empty or backward one raises `ValueError`."""
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("an interval needs aware datetimes")
        # In UTC: in the hour that comes twice the wall clock does not tell which is later.
        begins, ends = start.astimezone(UTC), end.astimezone(UTC)
        if ends <= begins:
            raise ValueError("an interval ends after its start")
        return cls(begins, ends)

    @classmethod
    def lasting(cls, start: datetime, minutes: int) -> "Interval":
        """Make the interval of so many absolute minutes from `start`."""
        return cls.of(start, start.astimezone(UTC) + timedelta(minutes=minutes))

    @property
    def minutes(self) -> int:
        """Return the length in whole minutes."""
        return (self.end - self.start) // MINUTE

    def overlaps(self, other: "Interval") -> bool:
        """Tell whether the two share an instant; touching is not overlapping."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: "Interval") -> bool:
        """Tell whether `other` lies wholly inside."""
        return self.start <= other.start and other.end <= self.end


def to_minutes(instant: datetime) -> int:
    """Return the whole minutes since the epoch of an aware instant."""
    return (instant - EPOCH) // MINUTE


def from_minutes(minutes: int) -> datetime:
    """Return the UTC instant that lies so many minutes after the epoch."""
    return EPOCH + minutes * MINUTE


def merge(spans: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """Return the union as sorted spans that neither overlap nor touch."""
    merged: list[tuple[T, T]] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def subtract(spans: Iterable[tuple[T, T]], busy: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """Return what is left of `spans` outside `busy`, merged and sorted."""
    taken = merge(busy)
    return [piece for span in merge(spans) for piece in _without(span, taken)]


def _without(span: tuple[T, T], taken: list[tuple[T, T]]) -> Iterator[tuple[T, T]]:
    at, end = span
    for busy_start, busy_end in taken:
        if busy_end <= at:
            continue
        if busy_start >= end:
            break
        if at < busy_start:
            yield at, busy_start
        at = max(at, busy_end)
    if at < end:
        yield at, end


def covers(merged: Sequence[tuple[T, T]], start: T, end: T) -> bool:
    """Tell whether one of the merged spans (sorted, apart) contains `[start, end)`."""
    place = bisect_right(merged, start, key=itemgetter(0))
    return place > 0 and end <= merged[place - 1][1]
