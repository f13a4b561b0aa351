"""`/api/staff/attention`: facts that disagree, and what a person decides about each."""

from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response

from booking_engine import attention
from booking_engine.attention import AttentionItem
from booking_engine.booking import decisions
from connector import identity
from connector.api.bodies import ResolveBody
from connector.api.views import local
from connector.desk import StaffReading, StaffWriting

router = APIRouter(prefix="/staff", tags=["staff"])

PAGE = 100


@router.get("/attention")
def list_items(
    exchange: StaffReading,
    state: Annotated[Literal["open", "resolved"], Query()] = "open",
    cursor: Annotated[UUID | None, Query()] = None,
) -> Response:
    """Return the items of the list, newest first, a page at a time."""
    found = attention.listed(
        exchange.session,
        studio_id=exchange.studio.id,
        is_open=state == "open",
        before=cursor,
        limit=PAGE + 1,
    )
    page = found[:PAGE]
    zone = exchange.studio.locations[0].zone
    following = str(page[-1].id) if len(found) > PAGE else None
    items = [_view(item, zone) for item in page]
    return exchange.answer(200, {"items": items, "next_cursor": following})


@router.post("/attention/{item_id}/resolve")
def resolve_item(item_id: UUID, body: ResolveBody, exchange: StaffWriting) -> Response:
    """Settle an item: cancel its booking or only its coaching, keep it, or dismiss the item.

    What the studio cancels gives all its credits back.
    """
    item = decisions.settle(
        exchange.session,
        studio=exchange.studio,
        item_id=item_id,
        choice=body.choice,
        by=identity.actor_of(exchange.caller),
        reason=body.reason,
        now=exchange.now,
    )
    facts = {"kind": item.kind, "choice": body.choice}
    exchange.record("attention.resolve", item.id, reason=body.reason, facts=facts)
    return exchange.answer(200, _view(item, exchange.studio.locations[0].zone))


def _view(item: AttentionItem, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": str(item.id),
        "kind": item.kind,
        "key": item.key,
        "detail": item.detail,
        "facts": item.facts,
        "proposed": next(iter(attention.choices(item)), None),
        "choices": list(attention.choices(item)),
        "raised_at": local(item.raised_at, zone),
        "resolved_at": local(item.resolved_at, zone) if item.resolved_at else None,
        "resolution": item.resolution,
        "resolved_by": item.resolved_by,
        "reason": item.resolved_reason,
    }
