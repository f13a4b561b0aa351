"""A shop is forgotten after its owner has taken the app out: first an export, then nothing is left.

The export holds no raw deliveries, keys or answers; it stays for 30 days, for the operator, by
`simstudio shop-exports` (product rule D13).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, SQLModel, col, delete, select

from booking_engine.erasing import Erasing, erasing
from booking_engine.ledger.people_models import ShopExport

KEPT_FOR = timedelta(days=30)
PART_ROWS = 5000
NOT_EXPORTED = frozenset(
    {"idempotency_record", "person_export", "shop_export", "staff_key", "webhook_delivery"}
)
_PATIENCE = text("SET LOCAL statement_timeout = '15min'")


def close(session: Session, *, studio_id: int, shop: str, now: datetime) -> None:
    """Export a studio and delete every row of it; the book's listeners hear of it."""
    session.flush()
    session.expunge_all()
    session.execute(_PATIENCE)
    values = {"studio_id": studio_id, "shop": shop, "now": now, "rows": PART_ROWS}
    tables = [table for table in SQLModel.metadata.sorted_tables if table.name != "shop_export"]
    for table in tables:
        if table.name not in NOT_EXPORTED:
            session.execute(_export(table.name), values)
    with erasing(session, Erasing.STUDIO):
        for table in reversed(tables):
            session.execute(_delete(table.name), values)
    session.execute(text("SELECT pg_notify('book', CAST(:studio_id AS text))"), values)


def exports(session: Session, *, shop: str | None = None) -> Iterable[Mapping[str, Any]]:
    """Yield the parts of what was exported of closed shops, of one of them if it is named."""
    wanted = select(ShopExport).order_by(
        col(ShopExport.studio_id), col(ShopExport.relation), col(ShopExport.part)
    )
    if shop is not None:
        wanted = wanted.where(col(ShopExport.shop) == shop)
    for part in session.exec(wanted.execution_options(yield_per=1)):
        yield {"shop": part.shop, "table": part.relation, "rows": part.content}


def forget_old(session: Session, *, now: datetime) -> None:
    """Forget exports after 30 days."""
    session.exec(delete(ShopExport).where(col(ShopExport.created_at) < now - KEPT_FOR))


def _export(table: str) -> Any:
    whose = "id" if table == "studio" else "studio_id"
    return text(f"""
        INSERT INTO shop_export (studio_id, relation, part, shop, content, created_at)
        SELECT :studio_id, '{table}', part, :shop, jsonb_agg(row), :now
        FROM (SELECT to_jsonb({table}) AS row, (row_number() OVER () - 1) / :rows AS part
              FROM {table} WHERE {table}.{whose} = :studio_id) AS numbered
        GROUP BY part
    """)  # noqa: S608 - names of our own tables


def _delete(table: str) -> Any:
    whose = "id" if table == "studio" else "studio_id"
    return text(f"DELETE FROM {table} WHERE {whose} = :studio_id")  # noqa: S608 - likewise
