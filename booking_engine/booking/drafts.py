"""What a new booking is made of: its rows, column by column, and what it burns. Pure."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import SQLModel

from booking_engine import eligibility
from booking_engine.booking import states
from booking_engine.booking.models import (
    Allocation,
    AllocationState,
    Booking,
    BookingStatus,
    Hold,
    HoldStatus,
)
from booking_engine.booking.terms import Terms
from booking_engine.catalog.studio import Policy, Studio
from booking_engine.eligibility import UNKNOWN, Facts
from booking_engine.intervals import Interval
from booking_engine.ledger.credits import Need
from booking_engine.ledger.models import CreditKind
from booking_engine.orm import new_id

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that can be misread aloud
CODE_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Seats:
    """What a session will take: its bays, and the coach for the coached part."""

    bays: tuple[int, ...]
    coach_id: int | None
    coached: Interval | None

    def resources(self, during: Interval) -> list[tuple[int, Interval]]:
        """Return each resource with the interval for which it is taken, in the order of ids."""
        taken = [(bay, during) for bay in self.bays]
        if self.coach_id is not None and self.coached is not None:
            taken.append((self.coach_id, self.coached))
        return sorted(taken)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a new booking is, and how firmly: held until an instant, or confirmed (None)."""

    wallet_id: UUID | None
    status: BookingStatus
    until: datetime | None


def _blank(table: type[SQLModel]) -> dict[str, Any]:
    """Return a row of a table as far as its columns have constant defaults."""
    return {
        name: None if field.is_required() or field.default_factory else field.default
        for name, field in table.model_fields.items()
    }


_BOOKING, _ALLOCATION, _HOLD = _blank(Booking), _blank(Allocation), _blank(Hold)


def booking_row(
    studio: Studio, terms: Terms, seats: Seats, owner: Owner, now: datetime
) -> dict[str, Any]:
    """Return the columns of a new booking, with an id and a code of its own."""
    return {
        **_BOOKING,
        "studio_id": studio.id,
        "id": new_id(),
        "code": "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)),
        "status": states.begin(owner.status),
        "wallet_id": owner.wallet_id,
        "location_id": terms.location.id,
        "facts": facts(studio, terms, seats),
        "service": terms.service.handle,
        "starts_at": terms.during.start,
        "ends_at": terms.during.end,
        "simulators": terms.simulators,
        "coaching_starts_at": seats.coached.start if seats.coached else None,
        "coaching_ends_at": seats.coached.end if seats.coached else None,
        "any_coach": terms.coaching_minutes > 0 and terms.coach is None,
        "simulator_minutes": terms.simulator_minutes,
        "coaching_sessions": terms.coaching_sessions,
        "price_minor": terms.basket.total_minor,
        "policy": _frozen(studio.policy),
        "created_at": now,
        "confirmed_at": now if owner.until is None else None,
    }


def facts(studio: Studio, terms: Terms, seats: Seats) -> dict[str, str | None]:
    """Return what a booking keeps of its place and its coach, for `need`."""
    coach = studio.resources.get(seats.coach_id) if seats.coach_id is not None else None
    return {
        "location": terms.location.handle,
        "zone": terms.location.zone.key,
        "coach": coach.handle if coach else None,
    }


@lru_cache(maxsize=4096)
def _frozen(policy: Policy) -> dict[str, Any]:
    """Return a policy as it will be read back: JSON knows lists, not tuples."""
    return {**asdict(policy), "cancel": [asdict(tier) for tier in policy.cancel]}


def allocation_rows(
    booking: Any, resources: Sequence[tuple[int, Interval]], *, pinned: int | None, owner: Owner
) -> list[dict[str, Any]]:
    """Return the columns of what a booking takes, one of the resources perhaps pinned."""
    state = AllocationState.CONFIRMED if owner.until is None else AllocationState.HELD
    return [
        {
            **_ALLOCATION,
            "studio_id": booking.studio_id,
            "id": new_id(),
            "booking_id": booking.id,
            "resource_id": resource_id,
            "during": f"[{during.start.isoformat()},{during.end.isoformat()})",
            "state": state,
            "pinned": resource_id == pinned,
            "blocks_until": owner.until,
        }
        for resource_id, during in resources
    ]


def hold_row(
    booking: Any, *, hold_id: UUID, holder: str, cart: dict[str, Any], until: datetime
) -> dict[str, Any]:
    """Return the columns of the hold that a booking begins with."""
    return {
        **_HOLD,
        "studio_id": booking.studio_id,
        "id": hold_id,
        "booking_id": booking.id,
        "status": HoldStatus.ACTIVE,
        "holder": holder,
        "cart": cart,
        "expires_at": until,
        "frees_at": until,
        "created_at": booking.created_at,
        "short_orders": [],
    }


def need(booking: Any, *, order_ids: tuple[int, ...] = ()) -> Need:
    """Return the credits that a booking (or its row) burns, as the ledger wants to hear it."""
    if booking.wallet_id is None:
        raise ValueError(f"booking {booking.code} has no wallet that could pay")
    quantities = {
        CreditKind.SIMULATOR_MINUTES: booking.simulator_minutes,
        CreditKind.COACHING_SESSIONS: booking.coaching_sessions,
    }
    return Need(
        studio_id=booking.studio_id,
        wallet_id=booking.wallet_id,
        booking_id=booking.id,
        quantities={
            kind: quantity
            for kind, quantity in quantities.items()
            if quantity and not booking.complimentary
        },
        starts_at=booking.starts_at,
        attempt=booking.funding,
        order_ids=order_ids,
        facts=_facts_of(booking),
    )


def _facts_of(booking: Any) -> Facts:
    known = booking.facts
    if not known:
        return UNKNOWN
    return eligibility.facts(
        starts_at=booking.starts_at,
        zone=ZoneInfo(known["zone"]),
        location=known["location"],
        service=booking.service,
        coach=known["coach"],
    )
