"""`POST /api/shopify/webhooks`: written down, then answered. Understanding comes later."""

from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from booking_engine.catalog import queries
from booking_engine.errors import Invalid, NotFound
from connector.errors import Unauthenticated
from connector.runtime import Runtime
from shopify_gateway import compliance, deliveries, signatures
from shopify_gateway.deliveries import Headers

log = structlog.get_logger(__name__)
router = APIRouter(tags=["shopify"])


@router.post("/shopify/webhooks")
async def receive_webhook(request: Request) -> Response:
    """Store a signed delivery; 200 means that it is durable, also for a repeat."""
    body = await request.body()
    runtime: Runtime = request.app.state.runtime
    digest = _header(request, "hmac-sha256")
    if not signatures.webhook_is_signed(body, digest, runtime.settings.shopify.secrets):
        raise Unauthenticated("the body is not signed with this app's secret")
    shop = _header(request, "shop-domain") or ""
    headers = Headers(
        topic=_required(request, "topic"),
        webhook_id=_required(request, "webhook-id"),
        event_id=_header(request, "event-id"),
        api_version=_header(request, "api-version"),
        triggered_at=_header(request, "triggered-at"),
    )
    fresh = await run_in_threadpool(_store, runtime, shop, headers, body)
    log.info("delivery_received", topic=headers.topic, webhook_id=headers.webhook_id, fresh=fresh)
    if fresh:
        runtime.wakeups.poke("inbox")
    return Response(status_code=200)


def _store(runtime: Runtime, shop: str, headers: Headers, body: bytes) -> bool:
    with runtime.transaction() as session:
        try:
            studio_id = queries.id_of_shop(session, shop=shop)
        except NotFound:
            if headers.topic not in compliance.TOPICS:
                raise
            return False  # that shop was forgotten: there is nothing left to show or to erase
        return deliveries.receive(
            session,
            studio_id=studio_id,
            headers=headers,
            body=body,
            now=datetime.now(UTC),
        )


def _header(request: Request, name: str) -> str | None:
    """Return a header of either family: classic `X-Shopify-...`, or `Shopify-...`."""
    return request.headers.get(f"X-Shopify-{name}") or request.headers.get(f"Shopify-{name}")


def _required(request: Request, name: str) -> str:
    value = _header(request, name)
    if not value or len(value) > 255:
        raise Invalid(f"the header X-Shopify-{name} is missing or too long")
    return value
