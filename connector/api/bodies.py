"""What callers send: strict, unknown fields refused, times with an offset."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from booking_engine.booking.terms import CoachingRequest, SessionRequest


def _text_only(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("write the time as text: 2026-11-21T18:00:00-05:00")
    return value


def _has_offset(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("the time needs an offset, as in 2026-11-21T18:00:00-05:00")
    if not 2000 <= value.year < 2200:
        raise ValueError("the time is out of range")
    return value


Instant = Annotated[datetime, BeforeValidator(_text_only), AfterValidator(_has_offset)]
Minutes = Annotated[StrictInt, Field(ge=5, le=1440)]
Handle = Annotated[str, Field(min_length=1, max_length=63)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CoachingBody(_Body):
    """Coaching inside a session; no coach or `any` takes whoever is free."""

    minutes: Minutes
    coach: Handle | None = None
    start: Instant | None = None


class SessionBody(_Body):
    """A session to hold or to book."""

    service: Handle
    start: Instant
    minutes: Minutes
    simulators: Annotated[StrictInt, Field(ge=1, le=100)] = 1
    simulator: Handle | None = None
    coaching: CoachingBody | None = None
    location: Handle | None = None

    def request(self) -> SessionRequest:
        """Return it as the engine asks for it."""
        coaching = self.coaching
        return SessionRequest(
            service=self.service,
            start=self.start,
            minutes=self.minutes,
            simulators=self.simulators,
            simulator=self.simulator,
            coaching=CoachingRequest(coaching.minutes, coaching.coach, coaching.start)
            if coaching
            else None,
            location=self.location,
        )


class CancelBody(_Body):
    """Why a booking is cancelled."""

    reason: Annotated[str, Field(max_length=500)] | None = None


class MoveBody(_Body):
    """Where a booking is moved to; without minutes it keeps its length."""

    start: Instant
    minutes: Minutes | None = None
