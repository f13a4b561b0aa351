"""From what calendars should show and what we last wrote to the steps between. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from calendar_sync import events
from calendar_sync.models import CalendarEvent


@dataclass(frozen=True, slots=True)
class Write:
    """Make the event say this; without an etag it is not there yet."""

    calendar: str
    generation: int
    event_id: str
    body: dict[str, Any]
    etag: str | None


@dataclass(frozen=True, slots=True)
class Delete:
    """Take the event away."""

    calendar: str
    generation: int
    event_id: str


Step = Write | Delete


def differences(
    booking_id: UUID, wanted: Mapping[str, dict[str, Any]], rows: Iterable[CalendarEvent]
) -> list[Step]:
    """Return the steps that make the calendars show what is wanted; none where they do."""
    known = {row.calendar: row for row in rows}
    steps: list[Step] = []
    for calendar, body in sorted(wanted.items()):
        row = known.get(calendar)
        if row is None or row.pushed_hash is None:
            # What was deleted keeps its id at Google: the next life has the next generation.
            generation = 0 if row is None else row.generation + 1
            name = events.event_id(booking_id, calendar, generation)
            steps.append(Write(calendar, generation, name, body, None))
        elif row.pushed_hash != events.content_hash(body):
            steps.append(Write(calendar, row.generation, row.event_id, body, row.etag))
    for calendar, row in sorted(known.items()):
        if calendar not in wanted and row.pushed_hash is not None:
            steps.append(Delete(calendar, row.generation, row.event_id))
    return steps
