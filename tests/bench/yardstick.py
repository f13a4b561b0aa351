"""What this stack can do at best: a bare FastAPI route, one ideal query, one ideal function.

The ideals know no callers, no rules and no errors; ours are measured against them in the same run.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from psycopg_pool import AsyncConnectionPool

FUNCTION = """
CREATE TABLE IF NOT EXISTS ideal_booking (
    id uuid PRIMARY KEY, resource_id bigint NOT NULL, during tstzrange NOT NULL,
    EXCLUDE USING gist (resource_id WITH =, during WITH &&));
CREATE TABLE IF NOT EXISTS ideal_account (
    id bigint PRIMARY KEY, balance bigint CHECK (balance >= 0));
CREATE TABLE IF NOT EXISTS ideal_posting (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint, amount bigint, booking uuid);
INSERT INTO ideal_account SELECT n, 1000000000 FROM generate_series(1, 64) n ON CONFLICT DO NOTHING;
CREATE OR REPLACE FUNCTION ideal_book(
    new_id uuid, resource bigint, starts timestamptz, minutes int, payer bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1, resource::int);
    UPDATE ideal_account SET balance = balance - minutes WHERE id = payer AND balance >= minutes;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO ideal_booking VALUES (
        new_id, resource, tstzrange(starts, starts + make_interval(mins => minutes)));
    INSERT INTO ideal_posting (account, amount, booking)
        VALUES (payer, -minutes, new_id), (0, minutes, new_id);
    RETURN true;
END $$;
"""
ROWS = """
    SELECT resource_id, (extract(epoch FROM lower(during)) / 60)::bigint,
           (extract(epoch FROM upper(during)) / 60)::bigint
    FROM allocation WHERE studio_id = 1 AND state <> 'released'
      AND during && tstzrange(to_timestamp(%s), to_timestamp(%s))
"""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["YARDSTICK_DATABASE_URL"]
    async with AsyncConnectionPool(
        url, min_size=8, max_size=8, open=False, kwargs={"autocommit": True}
    ) as pool:
        app.state.pool = pool
        app.state.number = 0
        app.state.ready = b""
        async with pool.connection() as connection:
            await connection.execute(FUNCTION)
        yield


app = FastAPI(lifespan=_lifespan, openapi_url=None)


@app.put("/bare")
async def set_bare(request: Request) -> Response:
    """Take the bytes that the bare route gives out."""
    app.state.ready = await request.body()
    return Response(status_code=204)


@app.get("/bare")
async def bare() -> Response:
    """Return ready bytes."""
    return Response(app.state.ready, media_type="application/json")


@app.get("/ideal/availability")
async def ideal_availability(start: int, days: int) -> Response:
    """Answer hourly slots on four bays from one indexed query and a sweep over integers."""
    async with app.state.pool.connection() as connection:
        cursor = await connection.execute(ROWS, (start, start + days * 86400))
        rows = await cursor.fetchall()
    first, pieces = start // 60, []
    level = [0] * (days * 48 + 8)  # the last evening ends after midnight, UTC
    for _, begins, ends in rows:
        for half_hour in range(
            max(0, (begins - first) // 30), min((ends - first) // 30, len(level))
        ):
            level[half_hour] += 1
    for day in range(days):
        for half_hour in range(day * 48 + 28, day * 48 + 53):
            free = 4 - max(level[half_hour], level[half_hour + 1])
            if free > 0:
                minute = first + half_hour * 30
                pieces.append(f'{{"start":"{minute}","end":"{minute + 60}","n":{free}}}')
    return Response(("[" + ",".join(pieces) + "]").encode(), media_type="application/json")


@app.post("/ideal/book")
async def ideal_book(request: Request) -> Response:
    """Book an hour in one function call; every call has a time of its own."""
    app.state.number += 1
    number = app.state.number
    async with app.state.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT ideal_book(%s, %s, to_timestamp(%s), 60, %s)",
            (uuid.uuid4(), number % 4, 2_000_000_000 + number // 4 * 3600, number % 64 + 1),
        )
        row = await cursor.fetchone()
    done = b'{"booked":true}' if row and row[0] else b'{"booked":false}'
    return Response(done, 201, media_type="application/json")
