"""Bookings and holds on the event loop: one look at who asks, one at the book, one message back.

What is out of the ordinary (a wallet not yet made or that has owed money, a lapsed hold in the way,
a catalogue not read yet, a key seen before) goes the long way: the same errand in a thread, through
a session.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from fastapi import Request, Response
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.concurrency import run_in_threadpool

from booking_engine.booking import express, terms
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.express import Asked, Seen, Written
from booking_engine.booking.holds import STAFF_CAPS, Caps
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from connector import exchange, idempotency, identity
from connector.api.bodies import SessionBody
from connector.database import Busy, meaning
from connector.exchange import Exchange
from connector.identity import Caller, Proof
from connector.tables import Role

Connection = psycopg.AsyncConnection[Any]

_WHO = """
    SELECT studio.id AS studio_id, studio.revision, {role} AS role, alias.wallet_id,
        EXISTS (SELECT FROM debt_entry
                WHERE studio_id = studio.id AND debtor = alias.wallet_id) AS has_owed
    FROM studio {joined}
    LEFT JOIN wallet_alias AS alias ON alias.studio_id = studio.id
        AND alias.kind = 'customer' AND alias.value = %(customer)s
    {where}
"""
_BY_KEY = _WHO.format(
    role="staff_key.role",
    joined="JOIN staff_key ON staff_key.studio_id = studio.id",
    where="WHERE staff_key.digest = %(key)s AND staff_key.revoked_at IS NULL",
)
_BY_SHOP = _WHO.format(role="NULL", joined="", where="WHERE studio.shop = %(shop)s")
_LOOK = express.LOOK.format(
    wallet_id="CASE WHEN %(holder)s::text IS NULL THEN who.wallet_id END",
    neighbour="CASE WHEN %(has_buffers)s THEN who.wallet_id END",
)
# Who asks and what the book says, in one message: the book only to whom we took them for.
_ASK = """
    SELECT who.studio_id, who.revision, who.role, who.wallet_id, CASE
        WHEN who.studio_id = %(studio_id)s AND who.revision = %(revision)s
         AND who.role IS NOT DISTINCT FROM %(role)s
         AND NOT who.has_owed
         AND (who.wallet_id IS NOT NULL OR NOT %(needs_wallet)s) THEN {look} END
    FROM ({who}) AS who
"""
ASK_BY_KEY = _ASK.format(look=_LOOK, who=_BY_KEY)
ASK_BY_SHOP = _ASK.format(look=_LOOK, who=_BY_SHOP)
QUEUE_BY_NAME = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"
GUESSES_MAX = 10_000

# Who came with a key or through a shop last time. A guess: what is asked of the book proves it.
_guesses: dict[bytes | str | None, tuple[int, Role | None]] = {}


@dataclass(frozen=True, slots=True)
class Errand:
    """What is done for a caller: quickly on the event loop, or the long way through a session."""

    # In whose name; raises what the caller may not do.
    ask: Callable[[Caller], "Party"]
    decide: Callable[["Party", Asked, Seen], Written]
    view: Callable[[Asked, Written], dict[str, Any]]
    long_way: Callable[[SessionBody, Exchange], Response]


@dataclass(frozen=True, slots=True)
class Party:
    """In whose name an errand is done."""

    holder: str | None
    actor: str
    needs_wallet: bool
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
        studio, caller = await _guess(connection, proof)
        if identity.may_be_restricted(caller, studio):
            raise LongWay
        try:
            party = errand.ask(caller)
            agreed = terms.agree(studio, body.request(), now=now)
        except DomainError as refusal:
            raise LongWay from refusal  # by whoever they really are, perhaps answered before
        asked = Asked(studio, agreed, None, party.holder, party.actor, now)
        found = await _look(connection, proof, key, caller, asked, party)
        asked = replace(asked, wallet_id=found[3])
        seen = Seen.read(found[4])
        if seen.has_lapsed:
            raise LongWay
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


async def _guess(connection: Connection, proof: Proof) -> tuple[Studio, Caller]:
    """Return whom we take the caller for: who came with the same proof before."""
    name = proof.key or proof.shop
    if name not in _guesses:
        values = {"key": proof.key, "shop": proof.shop, "customer": proof.customer}
        try:
            who = await _first(connection, _BY_KEY if proof.key else _BY_SHOP, values)
        except psycopg.OperationalError:
            raise LongWay from None  # a connection gone stale; a session looks for a new one
        if who is None:
            raise LongWay
        if len(_guesses) >= GUESSES_MAX:
            _guesses.clear()
        _guesses[name] = who[0], Role(who[2]) if who[2] else None
    studio_id, role = _guesses[name]
    studio = queries.newest_cached(studio_id)
    if studio is None:
        raise LongWay
    return studio, proof.caller(studio_id, role)


async def _first(connection: Connection, statement: str, values: dict[str, Any]) -> Any:
    cursor = await connection.execute(statement, values)
    return await cursor.fetchone()


async def _look(
    connection: Connection,
    proof: Proof,
    key: Key | None,
    caller: Caller,
    asked: Asked,
    party: Party,
) -> Any:
    """Begin, queue and look, in one message; who asks is looked up by the same statement."""
    values = {
        **asked.looking,
        "key": proof.key,
        "shop": proof.shop,
        "customer": proof.customer,
        "revision": asked.studio.revision,
        "role": caller.role.value if caller.role else None,
        "needs_wallet": party.needs_wallet,
        "has_buffers": asked.has_buffers,
    }
    answered = None
    try:
        async with connection.pipeline():
            await connection.execute("BEGIN")
            if key is not None:
                named = {"studio_id": asked.studio.id, "caller": caller.name, "key": key.name}
                queue = idempotency.queue(asked.studio.id, caller.name, key.name)
                await connection.execute(QUEUE_BY_NAME, {"name": queue})
                answered = await connection.execute(idempotency.ANSWERED, named)
            found = await _first(connection, ASK_BY_KEY if proof.key else ASK_BY_SHOP, values)
            if answered is not None and await answered.fetchone() is not None:
                raise LongWay
    except psycopg.OperationalError:
        if connection.closed:  # it had gone stale
            raise LongWay from None
        raise
    if found is None or found[4] is None:
        _guesses.pop(proof.key or proof.shop, None)
        raise LongWay
    return found


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
                if not connection.closed:  # by the server, while it lay in the pool
                    await connection.rollback()  # said here, so that the pool need not wonder
                raise
    except PoolTimeout as error:
        raise Busy("every database connection is in use", retry_after_seconds=1) from error
    except psycopg.Error as error:
        raise meaning(error) or error from error
