"""`GET /api/catalog`: what can be booked and bought here."""

from fastapi import APIRouter, Response

from connector.exchange import Reading

router = APIRouter(tags=["catalog"])


@router.get("/catalog")
def show_catalog(exchange: Reading) -> Response:
    """Return the studio, its places, people, services and products."""
    studio = exchange.studio
    return exchange.answer(
        200,
        {
            "studio": {"name": studio.name, "currency": studio.currency, "shop": studio.shop},
            "policy": {
                "step_minutes": studio.policy.step_minutes,
                "lead_minutes": studio.policy.lead_minutes,
                "horizon_days": studio.policy.horizon_days,
                "hold_minutes": studio.policy.hold_minutes,
            },
            "locations": [
                {"handle": each.handle, "name": each.name, "timezone": each.zone.key}
                for each in studio.locations
            ],
            "simulators": [
                {
                    "handle": each.handle,
                    "name": each.name,
                    "location": each.location,
                    "tags": each.tags,
                    "players": each.players,
                }
                for each in studio.simulators
            ],
            "coaches": [
                {"handle": each.handle, "name": each.name, "locations": each.locations}
                for each in studio.coaches
            ],
            "services": [
                {
                    "handle": each.handle,
                    "title": each.title,
                    "minutes": each.minutes,
                    "max_simulators": each.max_simulators,
                }
                for each in studio.services
            ],
            "coaching": {
                "minutes": studio.coaching.minutes,
                "sessions": {str(length): burn for length, burn in studio.coaching.sessions},
            },
            "products": [
                {
                    "variant_id": each.variant_id,
                    "title": each.title,
                    "price_minor": each.price_minor,
                    "grants": {
                        "simulator_minutes": each.simulator_minutes,
                        "coaching_sessions": each.coaching_sessions,
                    },
                    "valid_days": each.valid_days,
                }
                for each in studio.products
            ],
        },
    )
