"""`/api/series`: sessions that repeat, and their dates."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from booking_engine.booking import clashes, holds, occurrences, pricing, series, series_edits
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.booking.series import Owner, Recurrence
from booking_engine.booking.series_models import Occurrence, OccurrenceStatus, Series
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError, NotFound
from booking_engine.ledger.models import CreditKind
from connector import identity
from connector.api.bodies import SeriesBody, SeriesMoveBody, SeriesScopeBody
from connector.api.views import booking_views, local, with_cart
from connector.exchange import Exchange, Reading, Writing

router = APIRouter(tags=["series"])

PAGE = 20
SHIFTED = "the clocks skip the usual time on that day; the session starts later by the gap"


@router.post("/series", status_code=201)
def start_series(body: SeriesBody, exchange: Writing) -> Response:
    """Start a series; its near dates are paid with credits, the others hold their slots."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    identity.require_unrestricted(session, exchange.caller, studio, now=now)
    wallet_id = identity.booking_wallet_of(session, exchange.caller, now=now)
    with with_cart(studio):
        started = series.start(
            session,
            studio=studio,
            request=body.request(),
            repeat=Recurrence(body.every_weeks, body.count, body.until),
            owner=Owner(wallet_id, identity.actor_of(exchange.caller)),
            now=now,
        )
    return exchange.answer(201, _view(exchange, started))


@router.get("/series")
def list_series(exchange: Reading, cursor: Annotated[UUID | None, Query()] = None) -> Response:
    """Return the customer's series with their dates so far, newest first, a page at a time."""
    session, studio = exchange.session, exchange.studio
    wallet_id = identity.known_wallet_of(session, exchange.caller)
    if wallet_id is None:
        return exchange.answer(200, {"series": [], "next_cursor": None})
    found = series.of_wallet(
        session, studio_id=studio.id, wallet_id=wallet_id, before=cursor, limit=PAGE + 1
    )
    page = found[:PAGE]
    following = str(page[-1].id) if len(found) > PAGE else None
    views = [_view(exchange, each) for each in page]
    return exchange.answer(200, {"series": views, "next_cursor": following})


@router.get("/series/{series_id}")
def show_series(series_id: UUID, exchange: Reading) -> Response:
    """Return a series with its dates so far."""
    return exchange.answer(200, _view(exchange, _visible(exchange, series_id)))


@router.delete("/series/{series_id}")
def end_series(
    series_id: UUID,
    exchange: Writing,
    bookings: Annotated[Literal["cancel", "keep"], Query()] = "keep",
) -> Response:
    """End a series and free its unpaid dates; its bookings stay unless they are to be cancelled."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    _visible(exchange, series_id)
    ended = series.end(session, studio=studio, series_id=series_id, now=now)
    returned = dict.fromkeys(CreditKind, 0)
    if bookings == "cancel":
        returned = series.cancel_bookings(
            session, studio=studio, series_id=series_id, actor=_actor(exchange), now=now
        )
    back = {kind.value: quantity for kind, quantity in returned.items()}
    return exchange.answer(200, {**_view(exchange, ended), "returned": back})


@router.post("/series/{series_id}/move")
def move_dates(series_id: UUID, body: SeriesMoveBody, exchange: Writing) -> Response:
    """Move one date, it and those after it, or all; says which could not follow, and why."""
    _visible(exchange, series_id)
    with with_cart(exchange.studio):
        edited = series_edits.move(
            exchange.session,
            studio=exchange.studio,
            series_id=series_id,
            edit=body.edit(),
            target=Target(body.start, body.minutes),
            actor=_actor(exchange),
            now=exchange.now,
        )
    outcome = {
        "moved": edited.moved,
        "stayed": _refused(edited.stayed),
        "skipped": _refused(edited.skipped),
    }
    return exchange.answer(200, {**_view(exchange, edited.series), **outcome})


@router.post("/series/{series_id}/cancel")
def cancel_dates(series_id: UUID, body: SeriesScopeBody, exchange: Writing) -> Response:
    """Cancel one date, it and those after it, or all and the series; says what came back."""
    _visible(exchange, series_id)
    found, returned = series_edits.cancel(
        exchange.session,
        studio=exchange.studio,
        series_id=series_id,
        edit=body.edit(),
        actor=_actor(exchange),
        now=exchange.now,
    )
    back = {kind.value: quantity for kind, quantity in returned.items()}
    return exchange.answer(200, {**_view(exchange, found), "returned": back})


@router.post("/series/{series_id}/occurrences/{number}/skip")
def skip_occurrence(series_id: UUID, number: int, exchange: Writing) -> Response:
    """Skip one date; a booking is cancelled by the rules of a cancellation."""
    _visible(exchange, series_id)
    skipped = series.skip_date(
        exchange.session,
        studio=exchange.studio,
        series_id=series_id,
        number=number,
        actor=_actor(exchange),
        now=exchange.now,
    )
    return exchange.answer(200, _view(exchange, skipped))


@router.post("/series/{series_id}/occurrences/{number}/add")
def add_occurrence(series_id: UUID, number: int, exchange: Writing) -> Response:
    """Add a skipped date back, if it can be had; 402 carries a cart that would cover it."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    _visible(exchange, series_id)
    identity.require_unrestricted(session, exchange.caller, studio, now=now)
    if exchange.caller.role is None:
        identity.booking_wallet_of(session, exchange.caller, now=now)
    with with_cart(studio):
        added = series.add_date(
            session,
            studio=studio,
            series_id=series_id,
            number=number,
            actor=identity.actor_of(exchange.caller),
            now=now,
        )
    return exchange.answer(200, _view(exchange, added))


def _refused(refusals: Mapping[int, DomainError]) -> list[dict[str, Any]]:
    return [
        {"number": number, "reason": error.code, "detail": error.detail}
        for number, error in refusals.items()
    ]


def _visible(exchange: Exchange, series_id: UUID) -> Series:
    """Return a series that the caller may see; somebody else's does not exist for them."""
    wallet_id = None
    if exchange.caller.role is None or exchange.caller.customer_id is not None:
        wallet_id = identity.known_wallet_of(exchange.session, exchange.caller)
        if wallet_id is None:
            raise NotFound("there is no such series")
    else:
        identity.require_desk(exchange.caller)
    return series.get(
        exchange.session, studio_id=exchange.studio.id, series_id=series_id, wallet_id=wallet_id
    )


def _view(exchange: Exchange, found: Series) -> dict[str, Any]:
    session, studio = exchange.session, exchange.studio
    zone = studio.location_by_id(found.location_id).zone
    dates = occurrences.of_series(session, series=found)
    booked = series.bookings_of(session, dates=dates)
    views = booking_views(session, studio, list(booked.values()), exchange.now)
    shown = {UUID(view["id"]): view for view in views}
    rule = clashes.rule_of(found)
    return {
        "series": str(found.id),
        "status": found.status.value,
        "every_weeks": found.every_weeks,
        "count": found.count,
        "until": str(found.until_on) if found.until_on else None,
        "first": str(found.first_on),
        "dates": rule.last_number,
        "created_at": local(found.created_at, zone),
        "paused_at": local(found.paused_at, zone) if found.paused_at else None,
        "ended_at": local(found.ended_at, zone) if found.ended_at else None,
        "occurrences": [_occurrence(each, booked, shown, zone, exchange) for each in dates],
    }


def _occurrence(
    each: Occurrence,
    booked: dict[UUID, Booking],
    shown: dict[UUID, dict[str, Any]],
    zone: Any,
    exchange: Exchange,
) -> dict[str, Any]:
    booking = booked.get(each.booking_id) if each.booking_id else None
    status, reason = occurrences.standing(each, booking, now=exchange.now)
    takes = booking is not None and status != OccurrenceStatus.SKIPPED
    start = booking.starts_at if booking is not None and takes else each.starts_at
    view: dict[str, Any] = {
        "number": each.number,
        "start": local(start, zone),
        "status": status,
    }
    if booking is not None and takes:
        view["booking"] = shown[booking.id]
        if status == BookingStatus.COMPLETED:
            view["status"] = shown[booking.id]["status"]  # where staff track who came
    if reason is not None:
        view["reason"] = reason
    if each.is_shifted:
        view["notice"] = SHIFTED
    if status == OccurrenceStatus.TENTATIVE:
        view["release_at"] = local(occurrences.release_at(each), zone)
        view["cart"] = _cart(exchange.studio, booking)
    reminded = [at for at in (each.reminded_week_at, each.reminded_last_at) if at is not None]
    if reminded:
        view["reminded_at"] = [local(at, zone) for at in reminded]
    return view


def _cart(studio: Studio, booking: Booking | None) -> dict[str, Any] | None:
    """Return what pays for an unpaid date; buying credits is all that it takes."""
    if booking is None:
        return None
    basket = pricing.cheapest(
        studio.products,
        simulator_minutes=booking.simulator_minutes,
        coaching_sessions=booking.coaching_sessions,
    )
    return holds.cart(basket, currency=studio.currency)


def _actor(exchange: Exchange) -> Actor:
    return Actor.CUSTOMER if exchange.caller.role is None else Actor.STUDIO
