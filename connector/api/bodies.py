"""What callers send: strict, unknown fields refused, times with an offset."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_validator,
)

from booking_engine.booking.desk import Order
from booking_engine.booking.series_edits import Edit, Scope
from booking_engine.booking.terms import CoachingRequest, SessionRequest
from booking_engine.booking.waitlist import Wish
from booking_engine.ledger.models import CreditKind


def _written_out(value: object) -> datetime:
    """Read RFC 3339 and nothing else: no numbers, and no text that is one."""
    try:
        return datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("write the time as text: 2026-11-21T18:00:00-05:00") from None


def _local_date(value: object) -> date:
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError("write the date as text: 2026-12-31")
    read = date.fromisoformat(value)
    if not 2000 <= read.year < 2200:
        raise ValueError("the date is out of range")
    return read


def _has_offset(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("the time needs an offset, as in 2026-11-21T18:00:00-05:00")
    if not 2000 <= value.year < 2200:
        raise ValueError("the time is out of range")
    return value


Instant = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_has_offset)]
LocalDate = Annotated[date, BeforeValidator(_local_date)]
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


class QuoteBody(_Body):
    """Sessions that somebody wants to pay for together."""

    sessions: Annotated[list[SessionBody], Field(min_length=1, max_length=12)]


class CancelBody(_Body):
    """Why a booking is cancelled; `part` names the only part of it that is."""

    part: Literal["coaching"] | None = None
    reason: Annotated[str, Field(max_length=500)] | None = None


class MoveBody(_Body):
    """Where a booking is moved to; without minutes it keeps its length."""

    start: Instant
    minutes: Minutes | None = None


class SeriesBody(SessionBody):
    """A session that repeats: so many times, until a local date, or without an end."""

    every_weeks: Annotated[StrictInt, Field(ge=1, le=2)]
    count: Annotated[StrictInt, Field(ge=1, le=520)] | None = None
    until: LocalDate | None = None

    @model_validator(mode="after")
    def _one_end(self) -> "SeriesBody":
        if self.count is not None and self.until is not None:
            raise ValueError("give count or until, not both")
        return self


class SeriesScopeBody(_Body):
    """Which dates of a series are meant: one by its number, it and those after it, or all."""

    scope: Scope
    number: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _from_where(self) -> "SeriesScopeBody":
        if self.number is None and self.scope is not Scope.ALL:
            raise ValueError("name the date by its number")
        return self

    def edit(self) -> Edit:
        """Return it as the engine asks for it."""
        return Edit(self.scope, self.number)


class SeriesMoveBody(SeriesScopeBody):
    """When the numbered date is to start, of `all` without a number the next one."""

    start: Instant
    minutes: Minutes | None = None


class WaitlistCoachingBody(_Body):
    """Coaching that somebody waits for; it is given when it fits into the session."""

    minutes: Minutes
    coach: Handle | None = None


class WaitlistBody(_Body):
    """A session to wait for: it may start at `earliest`, at `latest`, or between them."""

    service: Handle
    earliest: Instant
    latest: Instant
    minutes: Minutes
    simulators: Annotated[StrictInt, Field(ge=1, le=100)] = 1
    simulator: Handle | None = None
    coaching: WaitlistCoachingBody | None = None
    location: Handle | None = None
    auto_book_hours: Annotated[StrictInt, Field(ge=0, le=24 * 366)] | None = None

    def wish(self) -> Wish:
        """Return it as the engine asks for it."""
        coaching = self.coaching
        return Wish(
            service=self.service,
            earliest=self.earliest,
            latest=self.latest,
            minutes=self.minutes,
            simulators=self.simulators,
            simulator=self.simulator,
            coaching=CoachingRequest(coaching.minutes, coaching.coach) if coaching else None,
            location=self.location,
            auto_book_hours=self.auto_book_hours,
        )


class AcceptBody(_Body):
    """How an offer is paid: with credits at once, or by its cart."""

    pay: Literal["credits", "cart"] = "credits"


Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
SoftRule = Literal["too_soon", "outside_horizon", "outside_hours", "off_grid"]


class OverrideBody(_Body):
    """Which soft rules a booking may break, and why."""

    rules: Annotated[list[SoftRule], Field(min_length=1)]
    reason: Reason


class StaffBookingBody(SessionBody):
    """A session that staff book for a customer; one that nobody pays for needs a reason."""

    pay: Literal["credits", "none"] = "credits"
    reason: Reason | None = None
    override: OverrideBody | None = None
    displace: Annotated[list[UUID], Field(max_length=20)] = []

    @model_validator(mode="after")
    def _free_for_a_reason(self) -> "StaffBookingBody":
        if self.pay == "none" and self.reason is None:
            raise ValueError("a session that nobody pays for needs a reason")
        return self

    def order(self) -> Order:
        """Return it as the engine asks for it."""
        return Order(
            request=self.request(),
            waived=frozenset(self.override.rules if self.override else ()),
            displaced=tuple(self.displace),
            is_complimentary=self.pay == "none",
        )


class MarkBody(_Body):
    """Why a booking is marked so."""

    reason: Reason | None = None


class ReasonBody(_Body):
    """Why something is done that nobody does without a reason."""

    reason: Reason


class ExtendBody(_Body):
    """Until when a lot shall live, and why."""

    until: Instant
    reason: Reason


class BlockBody(_Body):
    """When a simulator or a coach cannot be taken; `move_pinned` also moves who chose that bay."""

    simulator: Handle | None = None
    coach: Handle | None = None
    start: Instant
    end: Instant
    reason: Reason
    move_pinned: StrictBool = False

    @model_validator(mode="after")
    def _one_resource(self) -> "BlockBody":
        if (self.simulator is None) == (self.coach is None):
            raise ValueError("name a simulator or a coach")
        if self.end <= self.start:
            raise ValueError("a block ends after it starts")
        return self


class ResolveBody(_Body):
    """How an item of the attention list is settled, and why."""

    choice: Literal["cancel", "drop_coach", "keep", "dismiss", "revoke"]
    reason: Reason


Amount = Annotated[StrictInt, Field(ge=1, le=10**12)]
ShopId = Annotated[StrictInt, Field(ge=1, lt=10**18)]


class DisputeBody(_Body):
    """How a dispute over an order's payment stands; `reference` is the payment service's name."""

    status: Literal["needs_response", "under_review", "won", "withdrawn", "lost", "accepted"]
    kind: Literal["inquiry", "chargeback"] = "chargeback"
    reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "desk"
    amount_minor: Amount | None = None
    reason: Reason


class SettleBody(_Body):
    """What a customer paid of what they owe (all of it where no amount is named), or is let off."""

    customer: ShopId
    amount_minor: Amount | None = None
    order: ShopId | None = None
    reason: Reason


class CreditsBody(_Body):
    """Credits to give, or with a negative quantity to take back."""

    customer: Annotated[StrictInt, Field(ge=1, lt=10**18)]
    kind: CreditKind
    quantity: Annotated[StrictInt, Field(ge=-100_000, le=100_000)]
    reason: Reason
    expires_in_days: Annotated[StrictInt, Field(ge=30, le=3660)] | None = None

    @model_validator(mode="after")
    def _something(self) -> "CreditsBody":
        if self.quantity == 0:
            raise ValueError("a quantity of 0 gives nothing")
        if self.quantity < 0 and self.expires_in_days is not None:
            raise ValueError("what is taken back does not expire")
        return self


class ClaimBody(_Body):
    """A code that somebody was given; blanks, dashes and case make no difference."""

    code: Annotated[str, Field(min_length=1, max_length=64)]


class StaffClaimBody(_Body):
    """An order for which a code is wanted, or that is claimed for a customer at once."""

    order: Annotated[StrictInt, Field(ge=1, lt=2**63)]
    customer: Annotated[StrictInt, Field(ge=1, lt=10**18)] | None = None
    reason: Reason
