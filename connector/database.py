"""The door to PostgreSQL: one engine per process, one commit per request or task."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from booking_engine.errors import Invalid, Unavailable
from booking_engine.ledger.wallets import WalletMoved
from connector.settings import Settings

Door = Callable[[], AbstractContextManager[Session]]

_BUSY = (pg.LockNotAvailable, pg.QueryCanceled, pg.DeadlockDetected, pg.SerializationFailure)


class Busy(Unavailable):
    """Too many want the same thing at once; the caller may come back in a moment."""


def make_engine(settings: Settings, *, statement_timeout_seconds: int = 8) -> Engine:
    """Make the engine of one process.

    READ COMMITTED, because a lock taken under a snapshot that is older than it protects nothing.
    """
    return create_engine(
        settings.database_url,
        isolation_level="READ COMMITTED",
        pool_size=settings.database.pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        # What a statement was about may name somebody: an error that is logged leaves it out.
        hide_parameters=True,
        connect_args=_arguments(settings, statement_timeout_seconds),
    )


def make_pool(settings: Settings) -> AsyncConnectionPool:
    """Make the connections of what stays on the event loop; the pool is opened there."""
    return AsyncConnectionPool(
        settings.database_url.replace("postgresql+psycopg://", "postgresql://"),
        min_size=1,
        max_size=settings.database.loop_pool_size,
        timeout=3,
        open=False,
        kwargs={
            "autocommit": True,
            **_arguments(settings, 8, plan_cache_mode="force_generic_plan"),
        },
    )


def _arguments(settings: Settings, statement_timeout_seconds: int, **more: str) -> dict[str, Any]:
    limits = {
        "statement_timeout": f"{statement_timeout_seconds}s",
        "lock_timeout": "4s",
        "idle_in_transaction_session_timeout": "10s",
        # Two instants in one summer-time zone would be subtracted by the wall clock.
        "timezone": "UTC",
        **more,
    }
    options = " ".join(f"-c {name}={value}" for name, value in limits.items())
    arguments: dict[str, Any] = {"options": options, "connect_timeout": 5}
    if not settings.database.prepared_statements:
        arguments["prepare_threshold"] = None
    return arguments


def make_door(engine: Engine) -> Door:
    """Return `transaction`: commits on leaving, rolls back on an error.

    A database that is away or overloaded raises `Unavailable` or `Busy`.
    """

    @contextmanager
    def transaction() -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except PoolTimeout as error:
            raise Busy("every database connection is in use", retry_after_seconds=1) from error
        except DBAPIError as error:
            meant = meaning(error.orig)
            if meant is None and error.connection_invalidated:
                meant = Unavailable("the database does not answer", retry_after_seconds=2)
            if meant is None:
                raise
            raise meant from error

    return transaction


def meaning(error: BaseException | None) -> Exception | None:
    """Return what an error of the driver's means to a caller; None for one of our own making."""
    if isinstance(error, pg.DataError):
        return Invalid("a value has a character or a size that cannot be kept")
    if _names_no_wallet(error):
        return WalletMoved()
    if isinstance(error, _BUSY):
        return Busy("the database is busy with that", retry_after_seconds=1)
    if isinstance(error, psycopg.OperationalError):
        return Unavailable("the database does not answer", retry_after_seconds=2)
    return None


def _names_no_wallet(error: BaseException | None) -> bool:
    """Tell whether a row was written for a wallet that was merged into another meanwhile."""
    if not isinstance(error, pg.ForeignKeyViolation):
        return False
    return (error.diag.constraint_name or "").endswith("_wallet_id")
