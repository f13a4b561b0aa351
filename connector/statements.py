"""A customer's statement in JSON and in words."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from booking_engine.booking.drafts import CODE_LENGTH, CODE_LETTERS
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid
from booking_engine.ledger.models import Bucket, CreditKind
from booking_engine.ledger.statements import Has, Line, Statement
from connector.api.views import local
from shopify_gateway.models import ShopOrder

DAYS_MAX = 400
KINDS = {
    CreditKind.SIMULATOR_MINUTES: ("Simulator time", "minutes"),
    CreditKind.COACHING_SESSIONS: ("Coaching", "sessions"),
}
# What a movement between two buckets means to the customer, where its reason does not say more.
_MOVES = {
    (Bucket.ISSUED, Bucket.AVAILABLE): "Given by the studio",
    (Bucket.AVAILABLE, Bucket.HELD): "Reserved",
    (Bucket.HELD, Bucket.AVAILABLE): "Returned",
    (Bucket.HELD, Bucket.SPENT): "Used",
    (Bucket.AVAILABLE, Bucket.SPENT): "Used",
    (Bucket.SPENT, Bucket.AVAILABLE): "Given back",
    (Bucket.AVAILABLE, Bucket.EXPIRED): "Expired",
    (Bucket.EXPIRED, Bucket.AVAILABLE): "Valid again: given more time",
    (Bucket.AVAILABLE, Bucket.REVOKED): "Taken back",
    (Bucket.HELD, Bucket.REVOKED): "Taken back",
    (Bucket.REVOKED, Bucket.AVAILABLE): "Valid again",
}


def period(
    studio: Studio, first: date | None, last: date | None, *, now: datetime
) -> tuple[date, date, datetime, datetime]:
    """Return the local dates, both included, and the instants that they span.

    The default is this month up to today. Raises `Invalid` for a time that runs backwards or is
    longer than 400 days.
    """
    zone = studio.locations[0].zone
    last = last or now.astimezone(zone).date()
    first = first or last.replace(day=1)
    if last < first:
        raise Invalid("the statement ends before it begins")
    if (last - first).days > DAYS_MAX:
        raise Invalid(f"a statement covers at most {DAYS_MAX} days")
    start = datetime.combine(first, time(), zone)
    return first, last, start, datetime.combine(last + timedelta(days=1), time(), zone)


def order_names(session: Session, *, studio_id: int, lines: Iterable[Line]) -> dict[int, str]:
    """Return how the shop calls the orders whose credits moved."""
    ids = {line.lot.order_id for line in lines if line.lot.order_id is not None}
    rows = session.exec(
        select(ShopOrder.order_id, ShopOrder.name).where(
            col(ShopOrder.studio_id) == studio_id, col(ShopOrder.order_id).in_(ids)
        )
    ).all()
    return {row[0]: row[1] for row in rows if row[1]}


def as_json(found: Statement, names: Mapping[int, str], zone: ZoneInfo) -> dict[str, Any]:
    """Return the statement for machines."""
    return {
        **{
            kind.value: {"opening": _has(found.opening[kind]), "closing": _has(found.closing[kind])}
            for kind in CreditKind
        },
        "lines": [_line(line, names, zone) for line in found.lines],
    }


def in_words(found: Statement, names: Mapping[int, str], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the statement for people: each kind with its lines and what was left after each."""
    return [_kind(kind, found, names, zone) for kind in CreditKind]


def _kind(
    kind: CreditKind, found: Statement, names: Mapping[int, str], zone: ZoneInfo
) -> dict[str, Any]:
    has, lines = found.opening[kind], []
    for line in found.lines:
        if line.lot.kind is not kind:
            continue
        has = has.after(line.change)
        at = line.transfer.at.astimezone(zone)
        lines.append(
            {
                "at": at.isoformat(timespec="seconds"),
                "when": f"{at:%a} {at.day} {at:%b %Y, %H:%M}",
                "what": _what(line, names),
                "available": _signed(line.change.available),
                "held": _signed(line.change.held),
                "left": has.available,
            }
        )
    name, unit = KINDS[kind]
    return {
        "id": kind.value.replace("_", "-"),
        "name": name,
        "unit": unit,
        "opening": found.opening[kind],
        "closing": found.closing[kind],
        "lines": lines,
    }


def _what(line: Line, names: Mapping[int, str]) -> str:
    move = line.transfer.from_bucket, line.transfer.to_bucket
    words = _MOVES.get(move, line.transfer.reason.capitalize())
    session, order = _session(line), _order(line, names)
    if move[0] is Bucket.ISSUED and order:
        return f"Bought, order {order}"
    if session and move == (Bucket.HELD, Bucket.SPENT) and line.transfer.reason == "cancelled":
        return f"Session {session}, cancelled late"
    if session:
        return f"{words}, session {session}"
    return f"{words}, order {order}" if order else words


def _line(line: Line, names: Mapping[int, str], zone: ZoneInfo) -> dict[str, Any]:
    transfer = line.transfer
    return {
        "at": local(transfer.at, zone),
        "kind": line.lot.kind.value,
        "lot": str(line.lot.id),
        "from": transfer.from_bucket.value,
        "to": transfer.to_bucket.value,
        "quantity": transfer.quantity,
        "change": _has(line.change),
        "reason": transfer.reason,
        "session": _session(line),
        "order": _order(line, names),
    }


def _session(line: Line) -> str | None:
    """Return the code of the session that a transfer is about; its reference is that, if any."""
    reference = line.transfer.reference
    is_code = len(reference) == CODE_LENGTH and set(reference) <= set(CODE_LETTERS)
    return reference if is_code else None


def _order(line: Line, names: Mapping[int, str]) -> str | None:
    order_id = line.lot.order_id
    return None if order_id is None else names.get(order_id, str(order_id))


def _has(has: Has) -> dict[str, int]:
    return {"available": has.available, "held": has.held}


def _signed(quantity: int) -> str:
    return f"{quantity:+}".replace("-", "\N{MINUS SIGN}") if quantity else ""
