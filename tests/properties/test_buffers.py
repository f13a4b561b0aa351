"""In whatever order people book, only one's own sessions stand nearer than a buffer (D22)."""

import itertools
from datetime import timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from booking_engine.booking import adjoining, allocator, book, terms
from booking_engine.booking.book import SlotTaken, Taken
from booking_engine.booking.terms import SessionRequest
from booking_engine.catalog.studio import Policy
from booking_engine.intervals import to_minutes
from tests.factories.catalogue import ALWAYS, make_location, make_studio
from tests.factories.studio import toronto

GAP = 15
DAY = toronto(2026, 11, 25, 0)
NOW = DAY - timedelta(days=2)
STUDIO = make_studio(
    locations=(make_location(ALWAYS),),
    policy=Policy(buffer_minutes=GAP, step_minutes=15, bay_freeze_minutes=120),
)
PLACE = STUDIO.locations[0]
BAYS = [bay.id for bay in STUDIO.simulators]
COSTS = allocator.bay_costs(STUDIO.simulators)
SPAN = book.span_of([DAY.date()], PLACE)
# Who asks, from which quarter of an hour on, for how long, on how many bays, on a named one or not.
ASKED = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from([0, 4, 5, 8, 9, 12, 13, 16]),
        st.sampled_from([60, 120]),
        st.sampled_from([1, 1, 1, 2]),
        st.sampled_from([None, None, None, "bay-1", "bay-2"]),
    ),
    min_size=4,
    max_size=20,
)


def who(each: Taken) -> int:
    """Return whose a session is: it is written into its booking's id."""
    assert each.booking_id is not None
    return each.booking_id.int // 1000


@settings(max_examples=300, deadline=None)
@given(ASKED)
def test_strangers_are_a_buffer_apart_and_nobody_overlaps(
    asked: list[tuple[int, int, int, int, str | None]],
) -> None:
    found: list[Taken] = []
    for number, (customer, quarter, minutes, simulators, named) in enumerate(asked):
        start = DAY + timedelta(hours=10, minutes=15 * quarter)
        wanted = terms.resolve(
            STUDIO, SessionRequest("simulator", start, minutes, simulators, named)
        )
        own = {number for number, each in enumerate(found) if who(each) == customer}
        placement = adjoining.place(STUDIO, wanted, found, SPAN, own=own, costs=COSTS, now=NOW)
        try:
            placement = placement or allocator.place_bays(STUDIO, wanted, found, SPAN, NOW)
        except SlotTaken:
            continue
        for step in placement.moves:
            assert not found[step.key].pinned
            found[step.key] = found[step.key]._replace(resource_id=step.bay)
        begins = to_minutes(start)
        booking = UUID(int=1000 * customer + number)
        found += [
            Taken(
                resource_id=bay,
                start=begins,
                end=begins + minutes,
                pinned=named == f"bay-{bay}",
                is_block=False,
                stranded=False,
                blocks_until=None,
                id=booking,
                booking_id=booking,
            )
            for bay in placement.bays
        ]
        in_order = sorted(found, key=lambda each: each.start)
        for bay in BAYS:
            line = [each for each in in_order if each.resource_id == bay]
            for former, latter in itertools.pairwise(line):
                apart = latter.start - former.end
                assert apart >= (0 if who(former) == who(latter) else GAP), (bay, former, latter)
