"""Errors on the wire: RFC 9457 `application/problem+json`, one table from error to status."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from booking_engine.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    TooMany,
    Unavailable,
    Unfunded,
)

log = structlog.get_logger(__name__)

STATUS: Mapping[type[DomainError], int] = {
    Invalid: 422,
    NotFound: 404,
    Forbidden: 403,
    Conflict: 409,
    Gone: 410,
    Unfunded: 402,
    TooMany: 429,
}
_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


class Unauthenticated(DomainError):
    """The request proves nobody; nothing is said about what it asked for."""

    code = "unauthenticated"


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem document; `facts` stand beside `code` and `detail`."""
    request_id = getattr(request.state, "request_id", None)
    body = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
        **(facts or {}),
    }
    return JSONResponse(
        body,
        status_code=status,
        media_type="application/problem+json",
        # Here too: what broke is answered outside of the middleware that adds it to the others.
        headers={
            "Cache-Control": "no-store",
            **({"X-Request-Id": request_id} if request_id else {}),
            **(headers or {}),
        },
    )


def status_of(error: DomainError) -> int:
    """Return the HTTP status of a domain error."""
    if isinstance(error, Unauthenticated):
        return 401
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(DomainError, _refused)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, DomainError):
        raise TypeError("only domain errors come here")
    headers = {}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after_seconds)
    log.info("refused", code=error.code, path=request.scope.get("path"))
    return problem(
        request, status_of(error), error.code, error.detail, facts=error.facts, headers=headers
    )


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    wait = getattr(error, "retry_after_seconds", None) or 1
    log.warning("unavailable", detail=str(error), path=request.scope.get("path"))
    return problem(
        request,
        503,
        "busy",
        "the studio's system is busy; try again in a moment",
        headers={"Retry-After": str(max(1, round(wait)))},
    )


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong where, without giving the input back: it may be personal."""
    if not isinstance(error, RequestValidationError):
        raise TypeError("only validation errors come here")
    errors = [
        {"pointer": "/" + "/".join(str(part) for part in each["loc"]), "message": each["msg"]}
        for each in error.errors()
    ]
    words = "; ".join(f"{each['pointer']}: {each['message']}" for each in errors)
    return problem(request, 422, "invalid", words, facts={"errors": errors})


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise TypeError("only HTTP exceptions come here")
    code = _CODES.get(error.status_code, "error")
    return problem(request, error.status_code, code, str(error.detail), headers=error.headers)


async def _broken(request: Request, error: Exception) -> JSONResponse:
    log.error("broken", path=request.scope.get("path"), exc_info=error)
    return problem(
        request, 500, "internal", "something broke here; quote the request_id when you ask about it"
    )
