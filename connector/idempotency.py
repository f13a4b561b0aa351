"""`Idempotency-Key`: the same key and body give the same answer; another body is refused.

The record is written in the transaction of the effect, so an answer is kept exactly when its effect
is. A refusal leaves no effect and no record: asking again is asking anew.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session, col, delete, select

from booking_engine.errors import Invalid
from connector.tables import IdempotencyRecord

KEPT_FOR = timedelta(hours=48)
KEY_MAX = 255

ANSWERED = """
    SELECT FROM idempotency_record
    WHERE studio_id = %(studio_id)s AND caller = %(caller)s AND key = %(key)s
"""
REMEMBER = """
    INSERT INTO idempotency_record
        (studio_id, caller, key, request_digest, status, body, created_at)
    VALUES (%(studio_id)s, %(caller)s, %(key)s, %(digest)s, 201, %(body)s, %(now)s)
"""


class KeyReused(Invalid):
    """The key was used for another request."""

    code = "idempotency_key_reused"


def request_digest(method: str, path: str, body: bytes) -> bytes:
    """Return what must be the same for two requests to be one."""
    head = f"{method} {path}\n".encode()
    return hashlib.sha256(head + body).digest()


def queue(studio_id: int, caller: str, key: str) -> str:
    """Return the name of the lock for which requests with one key queue."""
    return f"idempotency:{studio_id}:{caller}:{key}"


def replay(
    session: Session, *, studio_id: int, caller: str, key: str, digest: bytes
) -> IdempotencyRecord | None:
    """Return the recorded answer, or None for the first to come; rivals with one key queue here.

    Raises `Invalid` for a key that is too long, `KeyReused` for another request's key.
    """
    if not 0 < len(key) <= KEY_MAX:
        raise Invalid(f"Idempotency-Key has 1 to {KEY_MAX} characters")
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": queue(studio_id, caller, key)},
    )
    found = session.exec(
        select(IdempotencyRecord).where(
            col(IdempotencyRecord.studio_id) == studio_id,
            col(IdempotencyRecord.caller) == caller,
            col(IdempotencyRecord.key) == key,
        )
    ).first()
    if found is not None and found.request_digest != digest:
        raise KeyReused("that Idempotency-Key was used for another request; make a new one")
    return found


def sweep(session: Session, *, now: datetime) -> None:
    """Forget old answers."""
    session.exec(
        delete(IdempotencyRecord).where(col(IdempotencyRecord.created_at) < now - KEPT_FOR)
    )
