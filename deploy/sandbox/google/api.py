"""The door of the API: the caller's token, faults, Google's description of requests and answers."""

import json
import os
import socket
import stat
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sandbox.google import calls, faults, operations, schemas
from sandbox.google.channels import Courier
from sandbox.google.errors import GoogleError, invalid, not_found
from sandbox.google.faults import Fault
from sandbox.google.operations import OPERATIONS, Answer, Call
from sandbox.google.store import Store

PREFIX = "/calendar/v3/"
ACTOR = "connector@sandbox.calendar"


@dataclass(frozen=True)
class Desk:
    """What every operation needs."""

    store: Store
    courier: Courier
    token: str
    owner_zone: str


def routes(desk: Desk) -> list[BaseRoute]:
    """Return a route for every operation, where Google's description says it is."""
    known: list[BaseRoute] = [
        Route(
            PREFIX + schemas.methods()[name]["path"],
            Operation(desk, name),
            methods=[schemas.methods()[name]["httpMethod"]],
        )
        for name in OPERATIONS
    ]
    everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [*known, Route(PREFIX + "{rest:path}", Operation(desk, ""), methods=everything)]


class Operation:
    """One method of the API as an ASGI application."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk, self._name = desk, name
        self._method: dict[str, Any] = schemas.methods().get(name, {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or cut its connection."""
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._answer, request, body)
        if response is None:
            cut(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response | None:
        path, calendar = request.scope["path"], request.path_params.get("calendarId", "")
        with self._desk.store.transaction() as work:
            fault = faults.take(work, request.method, path, calendar)
        if fault and fault.delay:
            time.sleep(fault.delay)
        if fault and fault.when == "before" and fault.status is not None:
            return self._refuse(request, fault)
        response = self._perform(request, body, fault)
        return None if fault and fault.when == "after" else response

    def _refuse(self, request: Request, fault: Fault) -> Response | None:
        with self._desk.store.transaction() as work:
            calls.log(work, _line(request), fault.status or 0, fault.name)
        return None if fault.status == faults.RESET else fault.response()

    def _perform(self, request: Request, body: bytes, fault: Fault | None) -> Response:
        name = fault.name if fault else None
        try:
            self._admit(request)
            content = self._content(body)
            with self._desk.store.transaction(ACTOR) as work:
                answer = OPERATIONS[self._name](self._call(request, content, work))
                self._check_answer(answer)
                calls.log(work, _line(request), answer.status, name)
        except GoogleError as error:
            with self._desk.store.transaction() as work:
                calls.log(work, _line(request), error.status, name)
            return JSONResponse(error.body(), error.status)
        if self._name == "calendar.events.watch" and answer.body:
            self._desk.courier.greet(answer.body["id"])
        return _response(answer)

    def _admit(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self._desk.token}":
            message = "Invalid Credentials"
            raise GoogleError(401, "authError", message, location="Authorization")
        if not self._name:
            raise not_found()
        known = self._method.get("parameters", {}) | schemas.document()["parameters"]
        for name, value in request.query_params.multi_items():
            if known.get(name, {}).get("location") != "query":
                raise invalid(f'Unknown name "{name}": Cannot bind query parameter.', location=name)
            _check_parameter(name, value, known[name])

    def _content(self, body: bytes) -> dict[str, Any]:
        if "request" not in self._method:
            return {}
        try:
            content = json.loads(body)
        except ValueError as error:
            raise GoogleError(400, "parseError", "Parse Error") from error
        if not isinstance(content, dict):
            raise GoogleError(400, "parseError", "Parse Error")
        for problem in schemas.problems(content, self._method["request"], "body"):
            raise invalid(problem)
        return content

    def _call(self, request: Request, content: dict[str, Any], work: Any) -> Call:
        pairs = request.query_params
        return Call(
            work=work,
            path=dict(request.path_params),
            query=dict(pairs),
            many={name: pairs.getlist(name) for name in pairs},
            body=content,
            headers={name: request.headers[name] for name in request.headers},
            base=f"{request.url.scheme}://{request.url.netloc}",
            owner_zone=self._desk.owner_zone,
        )

    def _check_answer(self, answer: operations.Answer) -> None:
        if answer.body is not None:
            for problem in schemas.problems(answer.body, self._method["response"], "answer"):
                raise AssertionError(problem)


def cut(scope: Scope) -> None:
    """Reset the caller's connection: no server offers this, so it is done to the socket itself."""
    for number in [int(name) for name in os.listdir("/dev/fd")]:
        # A number may be gone by now, and a listening socket has no peer: neither is the caller's.
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                _cut_if_callers(number, scope)


def _cut_if_callers(number: int, scope: Scope) -> None:
    with socket.socket(fileno=os.dup(number)) as ours:
        if ours.family in (socket.AF_INET, socket.AF_INET6) and _is_callers(ours, scope):
            # Nothing lingers: whoever closes the socket next sends a reset in place of an end.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ours.shutdown(socket.SHUT_RD)


def _is_callers(ours: socket.socket, scope: Scope) -> bool:
    callers, servers = scope.get("client"), scope.get("server")
    ends = (ours.getpeername()[:2], ours.getsockname()[:2])
    return ends == (tuple(callers or ()), tuple(servers or ()))


def _check_parameter(name: str, value: str, description: dict[str, Any]) -> None:
    kind = description["type"]
    wrong = (kind == "integer" and not value.lstrip("-").isdigit()) or (
        kind == "boolean" and value not in ("true", "false")
    )
    if wrong or value not in description.get("enum", [value]):
        raise invalid(f"Invalid value '{value}' for {name}.", location=name)


def _line(request: Request) -> tuple[str, str, str]:
    return request.method, request.scope["path"], request.url.query


def _response(answer: Answer) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status)
    etag = answer.body.get("etag")
    return JSONResponse(answer.body, answer.status, {"ETag": etag} if etag else None)
