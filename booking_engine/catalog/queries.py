"""Reads the catalogue from its tables; a studio is read again only when its revision moved."""

import re
from collections.abc import Sequence
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from booking_engine import eligibility
from booking_engine.catalog import models
from booking_engine.catalog.models import ResourceKind
from booking_engine.catalog.schedules import parse_hours, parse_ranges
from booking_engine.catalog.studio import (
    CancelTier,
    Coach,
    Coaching,
    Location,
    Policy,
    Product,
    Service,
    Simulator,
    Studio,
)
from booking_engine.errors import NotFound

_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_CACHE_MAX = 2000
_cache: dict[int, Studio] = {}


def load(session: Session, *, studio_id: int) -> Studio:
    """Return the studio's present catalogue; raises `NotFound`."""
    found = select(models.Studio.revision).where(col(models.Studio.id) == studio_id)
    revision = session.exec(found).first()
    if revision is None:
        raise NotFound(f"there is no studio {studio_id}")
    known = cached(studio_id, revision)
    if known is None:
        known = _read(session, studio_id)
        if len(_cache) >= _CACHE_MAX:
            _cache.pop(next(iter(_cache)))
        _cache[studio_id] = known
    return known


def newest_cached(studio_id: int) -> Studio | None:
    """Return the catalogue that this process has read last, perhaps no longer the present one."""
    return _cache.get(studio_id)


def cached(studio_id: int, revision: int) -> Studio | None:
    """Return this revision of a catalogue if this process has read it."""
    known = _cache.get(studio_id)
    return known if known is not None and known.revision == revision else None


def id_of_shop(session: Session, *, shop: str) -> int:
    """Return the id of the studio that sells through this shop; raises `NotFound`."""
    if not _SHOP.fullmatch(shop):
        raise NotFound("a shop is named like NAME.myshopify.com")
    found = session.exec(select(models.Studio.id).where(col(models.Studio.shop) == shop)).first()
    if found is None:
        raise NotFound(f'the shop "{shop}" is not connected; run `simstudio apply` for it')
    return found


def only_id(session: Session) -> int:
    """Return the id of the only studio; raises `NotFound` where there are none or several."""
    ids = session.exec(select(models.Studio.id).limit(2)).all()
    if len(ids) != 1 or ids[0] is None:
        raise NotFound("name the studio: ?shop=NAME.myshopify.com")
    return ids[0]


def all_ids(session: Session) -> list[int]:
    """Return the id of every studio."""
    ids = session.exec(select(models.Studio.id).order_by(col(models.Studio.id))).all()
    return [studio_id for studio_id in ids if studio_id is not None]


def forget() -> None:
    """Drop every cached catalogue (a database that was emptied gives out revisions again)."""
    _cache.clear()


def _read(session: Session, studio_id: int) -> Studio:
    row = session.exec(select(models.Studio).where(col(models.Studio.id) == studio_id)).one()
    locations = _live(session, models.Location, studio_id)
    resources = session.exec(
        select(models.Resource)
        .where(col(models.Resource.studio_id) == studio_id)
        .order_by(col(models.Resource.position))
    ).all()
    known = {resource.id: _resource(resource) for resource in resources if resource.id is not None}
    live = [known[each.id] for each in resources if each.id is not None and not each.retired_at]
    return Studio(
        id=studio_id,
        shop=row.shop,
        name=row.name,
        currency=row.currency,
        owner_calendar=row.owner_calendar,
        revision=row.revision,
        policy=read_policy(row.policy),
        coaching=Coaching(
            tuple(sorted((int(length), burn) for length, burn in row.coaching.items()))
        ),
        locations=tuple(_location(each) for each in locations),
        simulators=tuple(each for each in live if isinstance(each, Simulator)),
        coaches=tuple(each for each in live if isinstance(each, Coach)),
        services=tuple(_service(each) for each in _live(session, models.Service, studio_id)),
        products=tuple(_product(each) for each in _live(session, models.Product, studio_id)),
        resources=known,
        former_services=tuple(
            _service(each) for each in _former(session, models.Service, studio_id)
        ),
        former_locations=tuple(
            _location(each) for each in _former(session, models.Location, studio_id)
        ),
    )


Listed = TypeVar("Listed", models.Location, models.Service, models.Product)


def _live(session: Session, model: type[Listed], studio_id: int) -> Sequence[Listed]:
    return session.exec(
        select(model)
        .where(col(model.studio_id) == studio_id, col(model.retired_at).is_(None))
        .order_by(col(model.position))
    ).all()


def _former(session: Session, model: type[Listed], studio_id: int) -> Sequence[Listed]:
    return session.exec(
        select(model).where(col(model.studio_id) == studio_id, col(model.retired_at).is_not(None))
    ).all()


def read_policy(policy: dict[str, object]) -> Policy:
    """Return the policy that a studio row or a booking carries as JSON."""
    tiers = policy.get("cancel")
    if not isinstance(tiers, list):
        raise TypeError("a stored policy has its cancel tiers")
    numbers = {name: value for name, value in policy.items() if isinstance(value, int)}
    shortfall = str(policy.get("shortfall", "forgive"))
    cancel = tuple(CancelTier(hours=tier["hours"], percent=tier["percent"]) for tier in tiers)
    attendance = str(policy.get("attendance", "none"))
    gift_expiry_from = str(policy.get("gift_expiry_from", "claim"))
    return Policy(
        **numbers,
        cancel=cancel,
        attendance=attendance,
        gift_expiry_from=gift_expiry_from,
        shortfall=shortfall,
    )


def _location(row: models.Location) -> Location:
    return Location(
        id=row.id or 0,
        handle=row.handle,
        name=row.name,
        zone=ZoneInfo(row.timezone),
        hours=parse_hours(row.hours),
        closed=parse_ranges(row.closed),
    )


def _resource(row: models.Resource) -> Simulator | Coach:
    if row.kind is ResourceKind.SIMULATOR:
        return Simulator(
            id=row.id or 0,
            handle=row.handle,
            name=row.name,
            location=row.locations[0],
            calendar=row.calendar,
            tags=tuple(row.tags),
            players=row.players,
        )
    return Coach(
        id=row.id or 0,
        handle=row.handle,
        name=row.name,
        locations=tuple(row.locations),
        calendar=row.calendar,
        hours=parse_hours(row.hours),
        extra=parse_ranges(row.extra),
        blocked=parse_ranges(row.blocked),
        buffer_minutes=row.buffer_minutes,
    )


def _service(row: models.Service) -> Service:
    return Service(
        handle=row.handle,
        title=row.title,
        minutes=tuple(row.minutes),
        max_simulators=row.max_simulators,
        burn_minutes=row.burn_minutes,
        burn_per_minutes=row.burn_per_minutes,
    )


def _product(row: models.Product) -> Product:
    return Product(
        variant_id=row.variant_id,
        title=row.title,
        price_minor=row.price_minor,
        simulator_minutes=row.grants.get("simulator_minutes", 0),
        coaching_sessions=row.grants.get("coaching_sessions", 0),
        valid_days=row.valid_days,
        only=eligibility.thaw(row.only_for),
    )
