"""What disputes do to an order's credits: frozen, given back with the time lost, or lost (D12)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from booking_engine import attention
from booking_engine.booking import funding
from booking_engine.ledger import extensions
from booking_engine.ledger import lots as rules
from booking_engine.ledger.models import CreditKind, Lot
from shopify_gateway import people
from shopify_gateway.disputes import INQUIRY, Dispute
from shopify_gateway.refunds import Case

INQUIRED, OPENED, LOST = "dispute_inquiry", "dispute_opened", "dispute_lost"


def freeze(session: Session, case: Case, *, lots: Sequence[Lot]) -> bool:
    """Freeze an order's lots since its dispute began, or let them go with the time they lost.

    Returns whether anything changed.
    """
    disputes = case.order.disputes
    since = min((each.initiated_at for each in disputes if each.freezes), default=None)
    wanted = {lot.id: None if lot.withdrawn_at is not None else since for lot in lots}
    stale = [lot for lot in lots if lot.frozen_at != wanted[lot.id]]
    if stale:
        # Who asked to be forgotten has frozen lots too: those are none of a dispute's business.
        about = {"studio_id": case.studio.id, "order_id": case.order.id}
        forgotten = people.erased_owners(session, **about)
        stale = [lot for lot in stale if lot.wallet_id not in forgotten]
    for lot in stale:
        lot.frozen_at = wanted[lot.id]
    changed = bool(stale)
    session.flush()
    for dispute in disputes:
        for lot in lots:
            changed |= _extend(session, case, lot, dispute)
    return changed


def list_disputes(session: Session, case: Case, *, lots: Sequence[Lot]) -> None:
    """Keep one item per dispute on the list: inquired, opened or lost; none once it is over."""
    for dispute in case.order.disputes:
        wanted = _kind(dispute)
        attention.withdraw_about(
            session,
            studio_id=case.studio.id,
            about={"order_id": case.order.id, "dispute": dispute.id},
            now=case.now,
            kinds=[kind for kind in (INQUIRED, OPENED, LOST) if kind != wanted],
        )
        if wanted is not None:
            attention.raise_item(
                session,
                studio_id=case.studio.id,
                kind=wanted,
                key=f"{case.order.id}:{dispute.id}",
                detail=_DETAILS[wanted],
                now=case.now,
                facts=_facts(session, case, dispute, lots),
            )


_DETAILS = {
    INQUIRED: "a bank asks about a payment; nothing was changed",
    OPENED: "a payment is disputed; its unused credits are frozen until it is decided",
    LOST: "a dispute was lost; unused credits are gone, what was used is owed",
}


def _kind(dispute: Dispute) -> str | None:
    if dispute.is_lost:
        return LOST
    if not dispute.is_open:
        return None
    return INQUIRED if dispute.kind == INQUIRY else OPENED


def _extend(session: Session, case: Case, lot: Lot, dispute: Dispute) -> bool:
    ended = dispute.finalized_at
    if not dispute.frozen_for or lot.expires_at is None or ended is None or lot.granted_at > ended:
        return False
    return extensions.extend(
        session,
        lot=lot,
        until=lot.expires_at + dispute.frozen_for,
        key=f"dispute:{dispute.id}:{lot.id}",
        cause=case.cause("disputed without success"),
    )


def _facts(session: Session, case: Case, dispute: Dispute, lots: Sequence[Lot]) -> dict[str, Any]:
    """Return the evidence: what is disputed, what lies frozen, which sessions wait for the end."""
    drawn = [
        (rules.at_risk(lot.frozen_at, starts_at=booking.starts_at), booking.code)
        for lot in lots
        for _, booking in funding.drawing_on(session, lot=lot, now=case.now)
    ]
    return {
        "order_id": case.order.id,
        "order": case.order.name,
        "dispute": dispute.id,
        "status": dispute.status,
        "value_minor": dispute.amount_minor,
        "reason": dispute.reason,
        "initiated_at": _told(dispute.initiated_at),
        "evidence_due_at": _told(dispute.evidence_due_at),
        "lots": [
            {
                "lot": str(lot.id),
                "kind": lot.kind.value,
                "available": lot.available,
                "held": lot.held,
                "spent": lot.spent,
                "revoked": lot.revoked,
            }
            for lot in lots
        ],
        "unused": {
            kind.value: sum(lot.available for lot in lots if lot.kind is kind)
            for kind in CreditKind
        },
        "proceeding": sorted({code for is_at_risk, code in drawn if not is_at_risk}),
        "at_risk": sorted({code for is_at_risk, code in drawn if is_at_risk}),
    }


def _told(instant: datetime | None) -> str | None:
    return instant.isoformat(timespec="seconds") if instant else None
