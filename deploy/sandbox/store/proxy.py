"""The app proxy: /apps/studio/... of the storefront, signed and passed on to the connector."""

import time
from collections.abc import AsyncIterator

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.store.shop import customer_of, shop_of
from sandbox.store.signatures import signed_query

PREFIX = "/apps/studio"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}
OURS_TO_SAY = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded"}
NOT_SENT = HOP_BY_HOP | OURS_TO_SAY | {"host", "cookie", "content-length", "accept-encoding"}
ANSWERED = (
    "content-type",
    "content-disposition",
    "etag",
    "last-modified",
    "retry-after",
    "cache-control",
    "location",
    "vary",
)


async def forward(request: Request) -> Response:
    """Pass a request on, with Shopify's word for who is asking."""
    shop = shop_of(request)
    customer = customer_of(request)
    query = signed_query(
        request.url.query,
        shop=shop.settings.shop,
        customer=str(customer.id) if customer else "",
        prefix=PREFIX,
        timestamp=int(time.time()),
        secret=shop.settings.client_secret,
    )
    path = request.scope["raw_path"].decode("ascii").split("?")[0].removeprefix(PREFIX)
    upstream = shop.http.build_request(
        request.method,
        f"{shop.settings.connector_url}/api{path}?{query}",
        headers=forwarded_headers(request),
        content=await request.body(),
    )
    try:
        answer = await shop.http.send(upstream, stream=True)
    except httpx.HTTPError:
        return PlainTextResponse("The studio's booking service does not answer.\n", 502)
    headers = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
    return StreamingResponse(body_of(answer), answer.status_code, headers)


def forwarded_headers(request: Request) -> list[tuple[str, str]]:
    """Return the caller's headers without cookies, and with where the caller was."""
    headers = [(name, value) for name, value in request.headers.items() if name not in NOT_SENT]
    return [
        *headers,
        ("accept-encoding", "identity"),
        ("x-forwarded-for", request.client.host if request.client else "127.0.0.1"),
        ("x-forwarded-host", request.headers.get("host", "")),
    ]


async def body_of(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Stream an answer, and let go of it when either side leaves."""
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


routes = [Route(f"{PREFIX}/{{path:path}}", forward, methods=METHODS)]
