"""Lots without a database."""

from datetime import datetime
from uuid import UUID

from booking_engine.eligibility import ANYTHING, Only
from booking_engine.ledger.models import CreditKind, Lot
from tests.factories.studio import NOW


def make_lot(
    number: int = 1,
    available: int = 60,
    *,
    kind: CreditKind = CreditKind.SIMULATOR_MINUTES,
    held: int = 0,
    spent: int = 0,
    expired: int = 0,
    revoked: int = 0,
    expires_at: datetime | None = None,
    granted_at: datetime = NOW,
    paid_minor: int = 4500,
    priority: int = 50,
    unit_index: int | None = None,
    withdrawn_at: datetime | None = None,
    only: Only = ANYTHING,
) -> Lot:
    """Make a lot of one wallet whose id ends in `number`."""
    return Lot(
        studio_id=1,
        id=UUID(int=number),
        wallet_id=UUID(int=0),
        kind=kind,
        granted=available + held + spent + expired + revoked,
        available=available,
        held=held,
        spent=spent,
        expired=expired,
        revoked=revoked,
        source=f"test:{number}",
        unit_index=unit_index,
        withdrawn_at=withdrawn_at,
        only_for=only.frozen() or None,
        paid_minor=paid_minor,
        priority=priority,
        expires_at=expires_at,
        granted_at=granted_at,
    )
