"""Bookings and holds on the event loop: one look at who asks, one at the book, one message back.

What is out of the ordinary (a wallet not yet made or that has owed money, a lapsed hold in the way,
a catalogue not read yet, a key seen before) goes the long way: the same errand in a thread, through
a session.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from fastapi import Request, Response
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.concurrency import run_in_threadpool

from booking_engine.booking import book, express, terms
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.express import Asked, Seen, Written
from booking_engine.booking.holds import STAFF_CAPS, Caps
from booking_engine.catalog import queries
from booking_engine.errors import DomainError
from connector import exchange, idempotency, identity
from connector.api.bodies import SessionBody
from connector.database import Busy, meaning
from connector.exchange import Exchange
from connector.identity import Caller, Proof
from connector.tables import Role

Connection = psycopg.AsyncConnection[Any]

_WHO = """
    SELECT studio.id, studio.revision, {role}, (
        SELECT wallet_id FROM wallet_alias
        WHERE studio_id = studio.id AND kind = 'customer' AND value = %(customer)s
          AND NOT EXISTS (
              SELECT FROM debt_entry WHERE debt_entry.studio_id = wallet_alias.studio_id
                AND debtor = wallet_alias.wallet_id))
    FROM studio {whose}
"""
WHO_BY_KEY = _WHO.format(
    role="staff_key.role",
    whose="JOIN staff_key ON staff_key.studio_id = studio.id"
    " WHERE staff_key.digest = %(key)s AND staff_key.revoked_at IS NULL",
)
WHO_BY_SHOP = _WHO.format(role="NULL", whose="WHERE studio.shop = %(shop)s")
QUEUE_FOR_WALLET = """
    SELECT FROM wallet WHERE studio_id = %(studio_id)s AND id = %(wallet_id)s FOR NO KEY UPDATE
"""
QUEUE_BY_NAME = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"


@dataclass(frozen=True, slots=True)
class Errand:
    """What is done for a caller: quickly on the event loop, or the long way through a session."""

    # Who pays or holds; raises what the caller may not do.
    ask: Callable[[Caller, UUID | None], "Party"]
    decide: Callable[["Party", Asked, Seen], Written]
    view: Callable[[Asked, Written], dict[str, Any]]
    long_way: Callable[[SessionBody, Exchange], Response]


@dataclass(frozen=True, slots=True)
class Party:
    """In whose name an errand is done."""

    wallet_id: UUID | None
    holder: str | None
    actor: str
    caps: Caps = STAFF_CAPS


class LongWay(Exception):
    """Something about the errand is out of the ordinary."""


@dataclass(frozen=True, slots=True)
class Key:
    """An `Idempotency-Key`, and the digest of the request that came with it."""

    name: str
    digest: bytes


async def run(request: Request, body: SessionBody, errand: Errand) -> Response:
    """Do an errand, the quick way where it can be."""
    raw = await request.body()
    try:
        return await _quickly(request, raw, body, errand)
    except LongWay:
        pass

    def through_a_session() -> Response:
        with contextmanager(exchange.write)(request, raw) as opened:
            return errand.long_way(body, opened)

    return await run_in_threadpool(through_a_session)


async def _quickly(request: Request, raw: bytes, body: SessionBody, errand: Errand) -> Response:
    proof = identity.prove(request)
    key = _key(request, raw)
    now = datetime.now(UTC)
    async with _connection(request.app.state.pool) as connection:
        who = await _who(connection, proof)
        studio = queries.cached(who[0], who[1])
        if studio is None:
            raise LongWay
        caller = proof.caller(who[0], Role(who[2]) if who[2] else None)
        if identity.may_be_restricted(caller, studio):
            raise LongWay
        try:
            party = errand.ask(caller, who[3])
            agreed = terms.agree(studio, body.request(), now=now)
        except DomainError:
            if key is None:
                raise
            raise LongWay from None  # it may have been answered before
        asked = Asked(studio, agreed, party.wallet_id, party.holder, party.actor, now)
        seen = await _look(connection, asked, key, caller)
        written = errand.decide(party, asked, seen)
        content = exchange.to_json(errand.view(asked, written))
        record = None
        if key is not None:
            record = {
                "studio_id": studio.id,
                "caller": caller.name,
                "key": key.name,
                "digest": key.digest,
                "body": content,
                "now": now,
            }
        await _write(connection, written, record)
    request.app.state.runtime.wakeups.poke("outbox")
    return Response(content, 201, exchange.PRIVATE, "application/json")


def _key(request: Request, raw: bytes) -> Key | None:
    name = request.headers.get("Idempotency-Key")
    if name is None:
        return None
    if not 0 < len(name) <= idempotency.KEY_MAX:
        raise LongWay
    return Key(name, idempotency.request_digest(request.method, request.url.path, raw))


async def _who(connection: Connection, proof: Proof) -> Any:
    values = {"key": proof.key, "shop": proof.shop, "customer": proof.customer}
    try:
        who = await _first(connection, WHO_BY_KEY if proof.key else WHO_BY_SHOP, values)
    except psycopg.OperationalError:
        raise LongWay from None  # a connection that had gone stale; a session looks for a new one
    if who is None:
        raise LongWay
    return who


async def _first(connection: Connection, statement: str, values: dict[str, Any]) -> Any:
    cursor = await connection.execute(statement, values)
    return await cursor.fetchone()


async def _look(connection: Connection, asked: Asked, key: Key | None, caller: Caller) -> Seen:
    """Begin, queue and look, in one message."""
    studio_id = asked.studio.id
    wallet = {"studio_id": studio_id, "wallet_id": asked.wallet_id}
    answered = queued = None
    async with connection.pipeline():
        await connection.execute("BEGIN")
        if key is not None:
            named = {"studio_id": studio_id, "caller": caller.name, "key": key.name}
            queue = idempotency.queue(studio_id, caller.name, key.name)
            await connection.execute(QUEUE_BY_NAME, {"name": queue})
            answered = await connection.execute(idempotency.ANSWERED, named)
        if asked.holder is not None:
            name = express.holder_queue(studio_id, asked.holder)
            await connection.execute(QUEUE_BY_NAME, {"name": name})
        else:
            queued = await connection.execute(QUEUE_FOR_WALLET, wallet)
        await connection.execute(book.LOCK_DAYS, book.days_queue(studio_id, asked.days))
        found = await _first(connection, express.LOOK, asked.looking)
        if answered is not None and await answered.fetchone() is not None:
            raise LongWay
        if queued is not None and queued.rowcount == 0:
            raise LongWay  # the wallet was merged into another one while we queued for it
    seen = Seen.read(found[0])
    if seen.has_lapsed:
        raise LongWay
    return seen


async def _write(connection: Connection, written: Written, record: dict[str, Any] | None) -> None:
    """Write and commit, in one message."""
    try:
        async with connection.pipeline():
            await connection.execute(express.WRITE, written.values)
            if record is not None:
                await connection.execute(idempotency.REMEMBER, record)
            await connection.execute("COMMIT")
    except psycopg.errors.ExclusionViolation as error:
        raise SlotTaken(express.JUST_TAKEN) from error


@asynccontextmanager
async def _connection(
    pool: AsyncConnectionPool,
) -> AsyncIterator[Connection]:
    """Lend a connection; whatever is not committed on it is rolled back."""
    try:
        async with pool.connection() as connection:
            try:
                yield connection
            except (DomainError, LongWay):
                await connection.rollback()  # said here, so that the pool need not wonder
                raise
    except PoolTimeout as error:
        raise Busy("every database connection is in use", retry_after_seconds=1) from error
    except psycopg.Error as error:
        raise meaning(error) or error from error
