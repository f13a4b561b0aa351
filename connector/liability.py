"""The credit liability of one local month, for the finance route and for `simstudio report`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid
from booking_engine.ledger import liability
from booking_engine.ledger.liability import Liability
from booking_engine.ledger.models import CreditKind

MOVEMENTS = ("opening", "sold", "used", "expired", "revoked", "closing")
MONEY = "money_minor"
_MONTH = re.compile(r"(20\d\d|21\d\d)-(0[1-9]|1[0-2])")


def month_of(studio: Studio, name: str | None, *, now: datetime) -> tuple[datetime, datetime]:
    """Return the first instant of a local month and that of the next; default is this month.

    Raises `Invalid` for what is no month, and for one that has not begun.
    """
    zone = studio.locations[0].zone
    local = now.astimezone(zone)
    named = _MONTH.fullmatch(f"{local.year}-{local.month:02}" if name is None else name)
    if named is None:
        raise Invalid("write the month as 2026-11")
    year, month = int(named[1]), int(named[2])
    start = datetime(year, month, 1, tzinfo=zone)
    if start > now:
        raise Invalid("that month has not begun")
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return start, datetime(*following, 1, tzinfo=zone)


def report(session: Session, *, studio: Studio, month: str | None, now: datetime) -> dict[str, Any]:
    """Return the report as JSON: per kind and in money altogether; raises as `month_of`."""
    start, end = month_of(studio, month, now=now)
    found = liability.report(session, studio_id=studio.id, start=start, end=end, now=now)
    return {
        "shop": studio.shop,
        "currency": studio.currency,
        "month": start.strftime("%Y-%m"),
        "from": start.isoformat(),
        "to": end.isoformat(),
        **{kind.value: asdict(of_kind) for kind, of_kind in found.items()},
        "money_minor": _deferred(found),
    }


def rows(shown: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the report as rows of text: a name, then credits and money of each kind, then money."""
    kinds = [kind.value for kind in CreditKind]
    for name in MOVEMENTS:
        cells = [str(shown[kind][name][part]) for kind in kinds for part in ("credits", MONEY)]
        yield name, *cells, str(shown[MONEY][name])
    for age in liability.ages():
        amounts = [shown[kind]["ageing"][age] for kind in kinds]
        cells = [str(each[part]) for each in amounts for part in ("credits", MONEY)]
        yield f"  {age.replace('_', ' ')}", *cells, str(sum(each[MONEY] for each in amounts))


def _deferred(found: Mapping[CreditKind, Liability]) -> dict[str, int]:
    """Return the deferred revenue: what each movement is worth over both kinds."""
    return {
        name: sum(getattr(each, name).money_minor for each in found.values()) for name in MOVEMENTS
    }
