"""`apply`: brings the catalogue's tables to what a studio.toml says, and says what it changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, SQLModel, col, select

from booking_engine.catalog import models
from booking_engine.catalog.models import ResourceKind
from booking_engine.catalog.studio_file import RangePart, StudioFile

Row = models.Location | models.Resource | models.Service | models.Product
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the plan: `verb` is add, change, retire or bring back."""

    verb: str
    what: str
    key: str
    details: str = ""

    def __str__(self) -> str:
        """Return the line."""
        return f"{self.verb:<10} {self.what} {self.key}{self.details}"


def converge(session: Session, *, file: StudioFile, now: datetime) -> list[Change]:
    """Bring the tables to the file and return what changed; a second run returns nothing."""
    studio, changes = _converge_studio(session, file, now)
    studio_id = studio.id or 0
    present = {_key(row): row for row in _rows(session, studio_id)}
    wanted = {(kind, key): (model, values) for kind, key, model, values in _wanted(file)}
    for key, (model, values) in wanted.items():
        changes += _upsert(session, studio_id, key, present.get(key), model, values)
    for key, row in present.items():
        if key not in wanted and row.retired_at is None:
            row.retired_at = now
            changes.append(Change("retire", *key))
    if changes:
        studio.revision += 1
    session.flush()
    return changes


def retiring(session: Session, *, file: StudioFile) -> list[models.Resource]:
    """Return the simulators and coaches that the file leaves out and the tables still have."""
    named = {("simulator", bay.handle) for bay in file.simulator}
    named |= {("coach", coach.handle) for coach in file.coach}
    found = session.exec(
        select(models.Resource)
        .join(models.Studio, col(models.Studio.id) == col(models.Resource.studio_id))
        .where(
            col(models.Studio.shop) == file.studio.shop, col(models.Resource.retired_at).is_(None)
        )
        .order_by(col(models.Resource.position))
    ).all()
    return [row for row in found if (row.kind.value, row.handle) not in named]


def _converge_studio(
    session: Session, file: StudioFile, now: datetime
) -> tuple[models.Studio, list[Change]]:
    values: dict[str, Any] = {
        "name": file.studio.name,
        "currency": file.studio.currency,
        "owner_calendar": file.studio.owner_calendar,
        "policy": file.policy.model_dump(mode="json"),
        "coaching": dict(file.coaching.sessions),
    }
    studio = session.exec(
        select(models.Studio).where(col(models.Studio.shop) == file.studio.shop).with_for_update()
    ).first()
    if studio is None:
        studio = models.Studio(shop=file.studio.shop, created_at=now, **values)
        session.add(studio)
        session.flush()
        return studio, [Change("add", "studio", file.studio.shop)]
    details = _assign(studio, values)
    return studio, [Change("change", "studio", file.studio.shop, details)] if details else []


def _upsert(
    session: Session,
    studio_id: int,
    key: Key,
    row: Row | None,
    model: type[SQLModel],
    values: Mapping[str, Any],
) -> list[Change]:
    if row is None:
        session.add(model(studio_id=studio_id, **values))
        return [Change("add", *key)]
    returning = row.retired_at is not None
    row.retired_at = None
    details = _assign(row, values)
    if returning:
        return [Change("bring back", *key, details)]
    return [Change("change", *key, details)] if details else []


def _assign(row: SQLModel, values: Mapping[str, Any]) -> str:
    """Set what differs and return it in words."""
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    details = ", ".join(
        f"{name}: {getattr(row, name)!r} -> {value!r}" for name, value in differing.items()
    )
    for name, value in differing.items():
        setattr(row, name, value)
    return f" ({details})" if details else ""


def _rows(session: Session, studio_id: int) -> Iterator[Row]:
    yield from session.exec(select(models.Location).where(models.Location.studio_id == studio_id))
    yield from session.exec(select(models.Resource).where(models.Resource.studio_id == studio_id))
    yield from session.exec(select(models.Service).where(models.Service.studio_id == studio_id))
    yield from session.exec(select(models.Product).where(models.Product.studio_id == studio_id))


def _key(row: Row) -> Key:
    match row:
        case models.Location():
            return "location", row.handle
        case models.Resource():
            return row.kind.value, row.handle
        case models.Service():
            return "service", row.handle
        case models.Product():
            return "product", str(row.variant_id)


def _wanted(file: StudioFile) -> Iterator[tuple[str, str, type[SQLModel], dict[str, Any]]]:
    values: dict[str, Any]
    for at, place in enumerate(file.location):
        values = {
            "handle": place.handle,
            "name": place.name,
            "timezone": place.timezone,
            "hours": place.hours,
            "closed": _ranges(place.closed),
            "position": at,
        }
        yield "location", place.handle, models.Location, values
    yield from _wanted_resources(file)
    for at, service in enumerate(file.service):
        values = {
            "handle": service.handle,
            "title": service.title,
            "minutes": service.minutes,
            "max_simulators": service.max_simulators,
            "burn_minutes": service.burn.simulator_minutes,
            "burn_per_minutes": service.burn.per_minutes,
            "position": at,
        }
        yield "service", service.handle, models.Service, values
    for at, product in enumerate(file.product):
        values = {
            "variant_id": product.variant,
            "title": product.title,
            "price_minor": file.price_minor(product),
            "grants": product.grants.model_dump(exclude_defaults=True),
            "valid_days": product.valid_days,
            "only_for": product.only.eligibility().frozen() if product.only else None,
            "position": at,
        }
        yield "product", str(product.variant), models.Product, values


def _wanted_resources(
    file: StudioFile,
) -> Iterator[tuple[str, str, type[SQLModel], dict[str, Any]]]:
    values: dict[str, Any]
    for at, bay in enumerate(file.simulator):
        values = {
            "kind": ResourceKind.SIMULATOR,
            "handle": bay.handle,
            "name": bay.name,
            "calendar": bay.calendar,
            "locations": [bay.location],
            "tags": bay.tags,
            "players": bay.players,
            "hours": {},
            "extra": [],
            "blocked": [],
            "buffer_minutes": 0,
            "position": at,
        }
        yield "simulator", bay.handle, models.Resource, values
    for at, coach in enumerate(file.coach):
        values = {
            "kind": ResourceKind.COACH,
            "handle": coach.handle,
            "name": coach.name,
            "calendar": coach.calendar,
            "locations": coach.locations,
            "tags": [],
            "players": None,
            "hours": coach.hours,
            "extra": _ranges(coach.extra),
            "blocked": _ranges(coach.blocked),
            "buffer_minutes": coach.buffer_minutes,
            "position": at,
        }
        yield "coach", coach.handle, models.Resource, values


def _ranges(ranges: list[RangePart]) -> list[dict[str, str]]:
    return [each.model_dump(by_alias=True) for each in ranges]
