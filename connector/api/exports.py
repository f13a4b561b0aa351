"""`/api/staff/exports`: what is kept of a person, for the studio to hand over to them."""

from uuid import UUID

from fastapi import APIRouter, Response
from sqlmodel import col, select

from booking_engine.errors import NotFound
from booking_engine.ledger.people_models import PersonExport
from connector.api.views import local
from connector.desk import StaffReading

router = APIRouter(prefix="/staff", tags=["staff"])


@router.get("/exports/{export_id}")
def show_export(export_id: UUID, exchange: StaffReading) -> Response:
    """Return one export; it is forgotten 30 days after it was asked for."""
    found = exchange.session.exec(
        select(PersonExport).where(
            col(PersonExport.studio_id) == exchange.studio.id, col(PersonExport.id) == export_id
        )
    ).first()
    if found is None:
        raise NotFound("there is no such export, or its 30 days are over")
    zone = exchange.studio.locations[0].zone
    return exchange.answer(
        200,
        {
            "id": str(found.id),
            "data_request": found.request,
            "created_at": local(found.created_at, zone),
            "document": found.document,
        },
    )
