"""Disputes over an order's payment, as they stand now. Pure (product rule D12).

Deliveries carry no time of change, and the Admin API tells only kind and status, so what is known
of one dispute is merged: a chargeback follows an inquiry, an end follows what is open, and of two
such states the one that was told later counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.numbers import get_currency_precision
from pydantic import TypeAdapter

INQUIRY, CHARGEBACK = "inquiry", "chargeback"
LOST = frozenset({"lost", "accepted"})
# The customer's bank gave up, or the shop paid the money back itself: that comes as a refund.
CLOSED = frozenset({"won", "withdrawn", "prevented", "charge_refunded"})
OPEN = frozenset({"needs_response", "under_review"})
# What reading a payload that is no dispute can raise.
_UNREADABLE = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)


class UnreadableDispute(ValueError):
    """The payload is no dispute that we can understand."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute as it was told last; amounts in minor units, None where nobody said."""

    id: str
    kind: str
    status: str
    told_at: datetime
    initiated_at: datetime
    finalized_at: datetime | None = None
    amount_minor: int | None = None
    reason: str | None = None
    evidence_due_at: datetime | None = None

    @property
    def is_lost(self) -> bool:
        """Tell whether the money is gone."""
        return self.kind == CHARGEBACK and self.status in LOST

    @property
    def is_open(self) -> bool:
        """Tell whether nobody has decided yet."""
        return self.status not in LOST and self.status not in CLOSED

    @property
    def freezes(self) -> bool:
        """Tell whether the order's credits wait for its outcome."""
        return self.kind == CHARGEBACK and self.is_open

    @property
    def frozen_for(self) -> timedelta:
        """Return for how long a dispute that came to nothing kept the credits from their owner."""
        if self.kind != CHARGEBACK or self.status not in CLOSED or self.finalized_at is None:
            return timedelta(0)
        return max(timedelta(0), self.finalized_at - self.initiated_at)

    def _age(self) -> tuple[bool, bool, datetime]:
        return self.kind == CHARGEBACK, not self.is_open, self.told_at


_STORED = TypeAdapter(dict[str, Dispute])


def stored(disputes: Iterable[Dispute]) -> dict[str, Any]:
    """Return disputes as JSON for their order's row, by id."""
    by_id = {each.id: each for each in sorted(disputes, key=lambda each: each.id)}
    found: dict[str, Any] = _STORED.dump_python(by_id, mode="json")
    return found


def read(row: Mapping[str, Any]) -> tuple[Dispute, ...]:
    """Return the disputes that an order's row keeps."""
    return tuple(_STORED.validate_python(row).values())


def merged(known: Iterable[Dispute], told: Iterable[Dispute]) -> tuple[Dispute, ...]:
    """Return what is known of an order's disputes once these were told as well."""
    found = {each.id: each for each in known}
    for each in told:
        found[each.id] = _newer(found[each.id], each) if each.id in found else each
    return tuple(_ended(found[name]) for name in sorted(found))


def from_webhook(body: Mapping[str, Any], *, told_at: datetime) -> tuple[int, Dispute]:
    """Read the body of disputes/*: the order's id, and the dispute; raises `UnreadableDispute`."""
    try:
        amount = body.get("amount")
        return int(body["order_id"]), Dispute(
            id=str(int(body["id"])),
            kind=str(body.get("type") or CHARGEBACK).lower(),
            status=str(body["status"]).lower(),
            told_at=told_at,
            initiated_at=_instant(body.get("initiated_at")) or told_at,
            finalized_at=_instant(body.get("finalized_on")),
            amount_minor=None if amount is None else _minor(amount, str(body.get("currency"))),
            reason=str(body["reason"]) if body.get("reason") else None,
            evidence_due_at=_instant(body.get("evidence_due_by")),
        )
    except _UNREADABLE as error:
        raise UnreadableDispute(f"not a dispute: {error!r}") from error


def from_summary(node: Mapping[str, Any], *, told_at: datetime) -> Dispute:
    """Read what the Admin API says of a dispute beside its order: kind and status."""
    return Dispute(
        id=str(node["id"]).rpartition("/")[2],
        kind=str(node["initiatedAs"]).lower(),
        status=str(node["status"]).lower(),
        told_at=told_at,
        initiated_at=told_at,
    )


def by_hand(
    row: Mapping[str, Any],
    *,
    reference: str,
    kind: str,
    status: str,
    amount_minor: int | None,
    now: datetime,
) -> Dispute:
    """Return a dispute as a person tells it, with what is known of it from before."""
    name = f"desk:{reference}"
    told = Dispute(name, kind, status, told_at=now, initiated_at=now, amount_minor=amount_minor)
    known = next((each for each in read(row) if each.id == name), None)
    if known is not None:
        told = replace(
            told,
            initiated_at=known.initiated_at,
            amount_minor=known.amount_minor if amount_minor is None else amount_minor,
        )
        if (known.kind, known.status) == (kind, status):
            told = replace(told, told_at=known.told_at, finalized_at=known.finalized_at)
    return _ended(told)


def _newer(one: Dispute, other: Dispute) -> Dispute:
    """Return the newer of two states, with what only the older one tells."""
    older, newer = sorted((one, other), key=lambda each: each._age())
    is_same = (older.kind, older.status) == (newer.kind, newer.status)
    return replace(
        newer,
        finalized_at=newer.finalized_at or (older.finalized_at if is_same else None),
        initiated_at=min(older.initiated_at, newer.initiated_at),
        amount_minor=older.amount_minor if newer.amount_minor is None else newer.amount_minor,
        reason=newer.reason or older.reason,
        evidence_due_at=newer.evidence_due_at or older.evidence_due_at,
    )


def _ended(dispute: Dispute) -> Dispute:
    """Let an end that came without its time have been when it was told."""
    if dispute.is_open or dispute.finalized_at is not None:
        return dispute
    return replace(dispute, finalized_at=dispute.told_at)


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    instant = datetime.fromisoformat(str(value))
    if instant.tzinfo is None:
        raise ValueError(f"{value} has no offset")
    return instant


def _minor(amount: object, currency: str) -> int:
    try:
        scaled = Decimal(str(amount)).scaleb(get_currency_precision(currency))
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no amount") from None
    return int(scaled.to_integral_value())
