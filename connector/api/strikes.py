"""`GET /api/staff/strikes`: which sessions a customer missed, and what that has come to."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from booking_engine.booking import bookings, strikes
from booking_engine.ledger import wallets
from connector.api.views import local
from connector.desk import StaffReading

router = APIRouter(prefix="/staff", tags=["staff"])


@router.get("/strikes")
def list_strikes(
    exchange: StaffReading, customer: Annotated[int, Query(ge=1, lt=10**18)]
) -> Response:
    """Return a customer's strikes, oldest first, and until when only staff book for them."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    wallet = wallets.find_customer(session, studio_id=studio.id, customer_id=customer)
    found = (
        strikes.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id, now=now)
        if wallet
        else []
    )
    record = strikes.judge(found, now=now)
    views = []
    for each in found:
        missed = bookings.get(session, studio_id=studio.id, booking_id=each.booking_id)
        zone = studio.location_by_id(missed.location_id).zone
        views.append(
            {
                "booking": str(missed.id),
                "code": missed.code,
                "start": local(missed.starts_at, zone),
                "at": local(each.at, zone),
                "counts": each.booking_id in record.counting,
                "pardoned": each.booking_id in record.pardoned,
                "forgiven_by": each.forgiven_by,
            }
        )
    zone = studio.locations[0].zone
    until = record.restricted_until
    answer = {"strikes": views, "restricted_until": local(until, zone) if until else None}
    return exchange.answer(200, answer)
