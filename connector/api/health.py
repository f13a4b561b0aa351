"""`/healthz`, `/readyz`, `/metrics`."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from booking_engine.errors import Unavailable
from connector import metrics
from connector.runtime import Runtime

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def is_alive() -> dict[str, str]:
    """Say that the process lives; looks at nothing else."""
    return {"status": "ok"}


@router.get("/readyz")
def is_ready(request: Request) -> Response:
    """Say whether requests can be served: the database answers."""
    runtime: Runtime = request.app.state.runtime
    try:
        with runtime.transaction() as session:
            session.execute(text("SELECT 1"))
    except Unavailable as error:
        return Response(error.detail, 503, {"Retry-After": "2"}, "text/plain")
    return Response("ready", media_type="text/plain")


@router.get("/metrics")
def show_metrics(request: Request) -> Response:
    """Return the ages and counts by which trouble shows, in Prometheus' format."""
    runtime: Runtime = request.app.state.runtime
    with runtime.transaction() as session:
        content = metrics.collect(session, now=datetime.now(UTC))
    return Response(content, media_type=CONTENT_TYPE_LATEST)
