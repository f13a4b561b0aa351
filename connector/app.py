"""The ASGI application: routes, error documents, and what every request gets."""

import asyncio
import gc
import re
import signal
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector import database, errors, exchange
from connector.api import (
    attention,
    availability,
    blocks,
    bookings,
    catalog,
    claims,
    credits,
    exports,
    health,
    holds,
    ledger,
    quotes,
    redeem,
    series,
    shopify,
    staff,
    stream,
    strikes,
    till,
    waitlist,
)
from connector.live import LiveBook
from connector.runtime import Runtime

NOUNS = (
    attention,
    availability,
    blocks,
    bookings,
    catalog,
    claims,
    credits,
    exports,
    holds,
    ledger,
    quotes,
    redeem,
    series,
    shopify,
    staff,
    stream,
    strikes,
    till,
    waitlist,
)
BODY_MAX_BYTES = 2 * 1024 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def create_app(runtime: Runtime) -> FastAPI:
    """Make the application that serves this runtime."""
    app = FastAPI(
        title="simstudio",
        summary="Availability, bookings and credits of sim studios that sell through Shopify",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.state.settings = runtime.settings
    api = APIRouter(prefix="/api")
    for noun in NOUNS:
        api.include_router(noun.router)
    app.include_router(api)
    app.include_router(health.router)
    errors.install(app)
    app.add_exception_handler(exchange.Replayed, exchange.replayed)
    app.state.pool = database.make_pool(runtime.settings)
    app.state.live = LiveBook(runtime.settings.database_url, app.state.pool)
    app.add_middleware(
        availability.ReadyAnswers, live=app.state.live, secrets=runtime.settings.shopify.secrets
    )
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestIds)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # What start-up made lives for ever; looking through it again at each collection costs 40 ms.
    gc.collect()
    gc.freeze()
    _before_stopping(app.state.live.end)
    await app.state.pool.open()
    await app.state.live.start()
    yield
    await app.state.live.stop()
    await app.state.pool.close()
    app.state.runtime.engine.dispose()


def _before_stopping(act: Callable[[], None]) -> None:
    """Do something as soon as the process is told to stop: open streams would hold it up."""
    if threading.current_thread() is not threading.main_thread():
        return  # somebody else's process: signals are not ours
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        usual = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None, usual: Any = usual) -> None:
            loop.call_soon_threadsafe(act)
            if callable(usual):
                usual(number, frame)

        signal.signal(number, handle)


class BodyLimit:
    """Refuses a body that says it is too large; one that does not say is cut off while it comes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = RequestBodyLimitMiddleware(app, max_body_size=BODY_MAX_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        length = Headers(scope=scope).get("Content-Length", "") if scope["type"] == "http" else ""
        if length.isdigit() and int(length) > BODY_MAX_BYTES:
            too_large = errors.problem(
                Request(scope), 413, "too_large", f"a body has at most {BODY_MAX_BYTES} bytes"
            )
            await too_large(scope, receive, send)
            return
        await self._app(scope, receive, send)


class RequestIds:
    """Gives every request an id: in logs, in `request.state`, in the answer's `X-Request-Id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)
