"""`/api/claims`, `/api/gifts` and the desk's share of both: codes, claims, putting them back."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import Session, col, select

from booking_engine.booking import claim_codes, claims, gifts
from booking_engine.booking.claims import Claimant
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import wallets
from booking_engine.ledger.models import Lot
from booking_engine.ledger.people_models import ClaimCode, ClaimKind, Gift, WalletClaim
from booking_engine.ledger.pseudonyms import Pseudonyms
from connector import identity
from connector.api.bodies import ClaimBody, ReasonBody, StaffClaimBody
from connector.api.views import local
from connector.desk import StaffReading, StaffWriting
from connector.exchange import Reading, Writing
from shopify_gateway.models import ShopOrder

router = APIRouter(tags=["claims"])

TRIES, TRY_SECONDS = 10, 3600


@router.post("/claims")
def redeem(body: ClaimBody, request: Request, exchange: Writing) -> Response:
    """Take what a code stands for; every code that is no good gets the same answer."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    name = f"claims:{studio.id}:{exchange.caller.name}"
    limits = request.app.state.runtime.limits
    limits.take(name, most=TRIES, seconds=TRY_SECONDS, now=now)
    wallet_id = identity.wallet_of(session, exchange.caller, now=now)
    by = identity.actor_of(exchange.caller)
    made = claim_codes.redeem(
        session, studio_id=studio.id, code=body.code, wallet_id=wallet_id, by=by, now=now
    )
    return exchange.answer(200, _claim_view(session, studio, made))


@router.get("/gifts")
def list_gifts(request: Request, exchange: Reading) -> Response:
    """Return the gifts that a customer has bought, with the codes of those not taken yet."""
    session, studio = exchange.session, exchange.studio
    wallet_id = identity.known_wallet_of(session, exchange.caller)
    mine = select(ShopOrder.order_id).where(
        col(ShopOrder.studio_id) == studio.id, col(ShopOrder.wallet_id) == wallet_id
    )
    order_ids = session.exec(mine).all() if wallet_id else []
    found = gifts.of_orders(session, studio_id=studio.id, order_ids=order_ids)
    privacy = request.app.state.settings.privacy
    return exchange.answer(200, {"gifts": _gift_views(session, studio, found, privacy)})


@router.post("/staff/claims", status_code=201)
def claim_for_customer(body: StaffClaimBody, request: Request, exchange: StaffWriting) -> Response:
    """Issue a one-time code for an order; with a customer, claim it for them at once."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    facts = body.model_dump(mode="json", exclude={"reason"}, exclude_none=True)
    if body.customer is not None:
        wallet = wallets.of_customer(
            session, studio_id=studio.id, customer_id=body.customer, now=now
        )
        claimant = Claimant(wallet.id, ClaimKind.STAFF, identity.actor_of(exchange.caller))
        made = claim_codes.take(
            session,
            studio_id=studio.id,
            order_id=body.order,
            gift=None,
            claimant=claimant,
            now=now,
        )
        exchange.record("claim.make", made.id, reason=body.reason, facts=facts)
        return exchange.answer(201, _claim_view(session, studio, made))
    row, code = claim_codes.issue(
        session,
        studio_id=studio.id,
        order_id=body.order,
        pseudonyms=request.app.state.settings.privacy,
        now=now,
    )
    exchange.record("claim.issue", row.id, reason=body.reason, facts=facts)
    zone = studio.locations[0].zone
    return exchange.answer(
        201, {"code": code, "link": _link(studio, code), **_code_view(row, zone)}
    )


@router.get("/staff/claims")
def show_claims(
    request: Request, exchange: StaffReading, order: int = Query(ge=1, lt=2**63)
) -> Response:
    """Return what was claimed of an order, its codes, and its gifts."""
    session, studio = exchange.session, exchange.studio
    zone = studio.locations[0].zone
    about = {"studio_id": studio.id, "order_id": order}
    made = claims.of_order(session, **about)
    codes = claim_codes.of_order(session, **about)
    found = gifts.of_orders(session, studio_id=studio.id, order_ids=[order])
    privacy = request.app.state.settings.privacy
    return exchange.answer(
        200,
        {
            "order": order,
            "claims": [_claim_view(session, studio, each) for each in made],
            "codes": [_code_view(each, zone) for each in codes if each.gift_id is None],
            "gifts": _gift_views(session, studio, found, privacy),
        },
    )


@router.post("/staff/claims/{claim_id}/revert")
def put_back(claim_id: UUID, body: ReasonBody, exchange: StaffWriting) -> Response:
    """Put back what a claim moved, for 30 days; a gift then gets a new code."""
    session, studio = exchange.session, exchange.studio
    made = claim_codes.put_back(
        session,
        studio_id=studio.id,
        claim_id=claim_id,
        by=identity.actor_of(exchange.caller),
        now=exchange.now,
    )
    facts = {"order": made.order_id, "lots": len(made.lots), "bookings": len(made.bookings)}
    exchange.record("claim.revert", claim_id, reason=body.reason, facts=facts)
    return exchange.answer(200, _claim_view(session, studio, made))


def _claim_view(session: Session, studio: Studio, made: WalletClaim) -> dict[str, Any]:
    zone = studio.locations[0].zone
    moved = session.exec(
        select(Lot.kind, Lot.available, Lot.held).where(
            col(Lot.studio_id) == studio.id, col(Lot.id).in_(made.lots)
        )
    ).all()
    totals: dict[str, int] = {}
    for kind, available, held in moved:
        totals[str(kind)] = totals.get(str(kind), 0) + available + held
    return {
        "claim": str(made.id),
        "order": made.order_id,
        "gift": str(made.gift_id) if made.gift_id else None,
        "kind": made.kind.value,
        "credits": totals,
        "lots": [str(each) for each in made.lots],
        "bookings": [str(each) for each in made.bookings],
        "claimed_at": local(made.claimed_at, zone),
        "reverted_at": local(made.reverted_at, zone) if made.reverted_at else None,
    }


def _code_view(row: ClaimCode, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "order": row.order_id,
        "issued_at": local(row.issued_at, zone),
        "expires_at": local(row.expires_at, zone) if row.expires_at else None,
        "redeemed_at": local(row.redeemed_at, zone) if row.redeemed_at else None,
        "withdrawn_at": local(row.withdrawn_at, zone) if row.withdrawn_at else None,
    }


def _gift_views(
    session: Session, studio: Studio, found: Sequence[Gift], privacy: Pseudonyms
) -> list[dict[str, Any]]:
    rows = claim_codes.of_gifts(session, studio_id=studio.id, gift_ids=[gift.id for gift in found])
    zone = studio.locations[0].zone
    views = []
    for gift in found:
        row = rows.get(gift.id)
        is_open = row is not None and gift.claimed_at is None
        code = claim_codes.shown(row, privacy) if row is not None and is_open else None
        views.append(
            {
                "id": str(gift.id),
                "order": gift.order_id,
                "line_item": gift.line_item_id,
                "unit": gift.unit_index,
                "hand_over_at": local(gift.opens_at, zone),
                "claimed_at": local(gift.claimed_at, zone) if gift.claimed_at else None,
                "code": code,
                "link": _link(studio, code) if code else None,
            }
        )
    return views


def _link(studio: Studio, code: str) -> str:
    """Return where the recipient sends the code, once logged in; see `connector/api/redeem.py`."""
    return f"https://{studio.shop}/apps/studio/redeem?code={quote(code)}"
