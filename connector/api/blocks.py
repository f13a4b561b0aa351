"""`/api/staff/blocks`: a bay is out of order or a coach is away, until it is lifted."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from booking_engine.booking import blocks
from booking_engine.booking.block_models import Block
from booking_engine.booking.blocks import Moved, Outage
from booking_engine.booking.models import Booking
from booking_engine.catalog.studio import Simulator, Studio
from booking_engine.intervals import Interval
from connector import identity
from connector.api.bodies import BlockBody, MarkBody
from connector.api.views import local
from connector.desk import StaffReading, StaffWriting

router = APIRouter(prefix="/staff", tags=["staff"])

PAGE = 100


@router.post("/blocks", status_code=201)
def declare_block(body: BlockBody, exchange: StaffWriting) -> Response:
    """Block a bay or a coach; says who was moved, and who does not fit and must be told."""
    session, studio = exchange.session, exchange.studio
    resource = (
        studio.simulator(body.simulator) if body.simulator else studio.coach(body.coach or "")
    )
    declared = blocks.declare(
        session,
        studio=studio,
        outage=Outage(resource, Interval.of(body.start, body.end), body.reason, body.move_pinned),
        actor=identity.actor_of(exchange.caller),
        now=exchange.now,
    )
    moved = [_moved(studio, each) for each in declared.moved]
    stranded = [_named(studio, each) for each in declared.stranded]
    facts = {"resource": resource.handle, "moved": moved, "stranded": stranded}
    exchange.record("block.declare", declared.block.id, reason=body.reason, facts=facts)
    answer = {"block": _view(studio, declared.block), "moved": moved, "stranded": stranded}
    return exchange.answer(201, answer)


@router.get("/blocks")
def list_blocks(
    exchange: StaffReading,
    when: Annotated[Literal["upcoming", "all"], Query()] = "upcoming",
    cursor: Annotated[UUID | None, Query()] = None,
) -> Response:
    """Return the blocks that stand, by start; or all there were, newest first, a page at a time."""
    session, studio = exchange.session, exchange.studio
    if when == "upcoming":
        found = blocks.still_to_come(session, studio_id=studio.id, now=exchange.now)
        views = [_view(studio, each) for each in found]
        return exchange.answer(200, {"blocks": views, "next_cursor": None})
    found = blocks.newest(session, studio_id=studio.id, before=cursor, limit=PAGE + 1)
    page = found[:PAGE]
    following = str(page[-1].id) if len(found) > PAGE else None
    views = [_view(studio, each) for each in page]
    return exchange.answer(200, {"blocks": views, "next_cursor": following})


@router.post("/blocks/{block_id}/lift")
def lift_block(block_id: UUID, exchange: StaffWriting, body: MarkBody | None = None) -> Response:
    """End a block now; says who went back to their former bay."""
    session, studio = exchange.session, exchange.studio
    lifted = blocks.lift(
        session,
        studio=studio,
        block_id=block_id,
        actor=identity.actor_of(exchange.caller),
        now=exchange.now,
    )
    returned = [_moved(studio, each) for each in lifted.returned]
    reason = body.reason if body else None
    exchange.record("block.lift", block_id, reason=reason, facts={"returned": returned})
    view = _view(studio, lifted.block)
    return exchange.answer(200, {"block": view, "returned": returned})


def _view(studio: Studio, block: Block) -> dict[str, Any]:
    resource = studio.resources[block.resource_id]
    is_bay = isinstance(resource, Simulator)
    zone = studio.locations[0].zone
    return {
        "id": str(block.id),
        "simulator": resource.handle if is_bay else None,
        "coach": None if is_bay else resource.handle,
        "start": local(block.during.lower, zone) if block.during.lower else None,
        "end": local(block.during.upper, zone) if block.during.upper else None,
        "reason": block.reason,
        "declared_at": local(block.declared_at, zone),
        "declared_by": block.actor,
        "lifted_at": local(block.lifted_at, zone) if block.lifted_at else None,
        "lifted_by": block.lifted_by,
    }


def _named(studio: Studio, booking: Booking) -> dict[str, Any]:
    zone = studio.location_by_id(booking.location_id).zone
    return {
        "booking": str(booking.id),
        "code": booking.code,
        "start": local(booking.starts_at, zone),
        "end": local(booking.ends_at, zone),
    }


def _moved(studio: Studio, moved: Moved) -> dict[str, Any]:
    return {
        **_named(studio, moved.booking),
        "from": studio.resources[moved.from_id].handle,
        "to": studio.resources[moved.to_id].handle,
    }
