"""One request's dealings with the book: a transaction, who calls, what time it is, one answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from connector import idempotency, identity
from connector.identity import Caller
from connector.tables import IdempotencyRecord

PRIVATE = {"Cache-Control": "private, no-store"}


class Replayed(Exception):
    """The request was answered before; the same answer is given again."""

    def __init__(self, record: IdempotencyRecord) -> None:
        super().__init__(record.key)
        self.record = record


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a route works with. `answer` belongs to the transaction that is open here."""

    session: Session
    caller: Caller
    studio: Studio
    now: datetime
    key: str | None = None
    digest: bytes = b""

    def answer(self, status: int, body: Any) -> Response:
        """Return the answer, kept for whoever asks again with the same `Idempotency-Key`."""
        content = to_json(body)
        if self.key is not None:
            self.session.add(
                IdempotencyRecord(
                    studio_id=self.caller.studio_id,
                    caller=self.caller.name,
                    key=self.key,
                    request_digest=self.digest,
                    status=status,
                    body=content,
                    created_at=self.now,
                )
            )
        return Response(content, status, PRIVATE, "application/json")


def to_json(body: Any) -> bytes:
    """Write an answer as every route writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


async def _raw_body(request: Request) -> bytes:
    return await request.body()


def _read(request: Request) -> Iterator[Exchange]:
    with request.app.state.runtime.transaction() as session:
        caller = identity.identify(request, session)
        studio = identity.studio_of(session, caller)
        yield Exchange(session, caller, studio, datetime.now(UTC))


def write(request: Request, body: Annotated[bytes, Depends(_raw_body)]) -> Iterator[Exchange]:
    """Open a transaction that may change things; it commits before the answer leaves."""
    key = request.headers.get("Idempotency-Key")
    digest = idempotency.request_digest(request.method, request.url.path, body)
    with _woken(request), request.app.state.runtime.transaction() as session:
        caller = identity.identify(request, session)
        if key is not None:
            record = idempotency.replay(
                session, studio_id=caller.studio_id, caller=caller.name, key=key, digest=digest
            )
            if record is not None:
                session.expunge(record)  # it outlives the transaction that is given up here
                raise Replayed(record)
        studio = identity.studio_of(session, caller)
        yield Exchange(session, caller, studio, datetime.now(UTC), key, digest)


@contextmanager
def _woken(request: Request) -> Iterator[None]:
    """After the commit, tell the workers that there may be something to tell the world."""
    yield
    request.app.state.runtime.wakeups.poke("outbox")


async def replayed(request: Request, error: Exception) -> Response:
    """Give the recorded answer again."""
    if not isinstance(error, Replayed):
        raise TypeError("only replays come here")
    headers = {**PRIVATE, "Idempotent-Replayed": "true"}
    return Response(error.record.body, error.record.status, headers, "application/json")


# scope="function": committed first, answered then. A failed commit must not have said 201.
Reading = Annotated[Exchange, Depends(_read, scope="function")]
Writing = Annotated[Exchange, Depends(write, scope="function")]
