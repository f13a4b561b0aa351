"""`GET /api/catalog`: what can be booked and bought here."""

from typing import Any

from fastapi import APIRouter, Response

from booking_engine.catalog.studio import Product
from connector.exchange import Reading

router = APIRouter(tags=["catalog"])


@router.get("/catalog")
def show_catalog(exchange: Reading) -> Response:
    """Return the studio, its places, people, services and products."""
    studio = exchange.studio
    sellable = {
        "studio": {"name": studio.name, "currency": studio.currency, "shop": studio.shop},
        "policy": _fields(
            studio.policy, "step_minutes", "lead_minutes", "horizon_days", "hold_minutes"
        ),
        "locations": [
            {**_fields(each, "handle", "name"), "timezone": each.zone.key}
            for each in studio.locations
        ],
        "simulators": [
            _fields(each, "handle", "name", "location", "tags", "players")
            for each in studio.simulators
        ],
        "coaches": [_fields(each, "handle", "name", "locations") for each in studio.coaches],
        "services": [
            _fields(each, "handle", "title", "minutes", "max_simulators")
            for each in studio.services
        ],
        "coaching": {
            "minutes": studio.coaching.minutes,
            "sessions": {str(length): burn for length, burn in studio.coaching.sessions},
        },
        "products": [_product(each) for each in studio.products],
    }
    return exchange.answer(200, sellable)


def _product(product: Product) -> dict[str, Any]:
    return {
        **_fields(product, "variant_id", "title", "price_minor", "valid_days"),
        "grants": _fields(product, "simulator_minutes", "coaching_sessions"),
        "only": product.only.frozen(),
    }


def _fields(part: object, *names: str) -> dict[str, Any]:
    return {name: getattr(part, name) for name in names}
