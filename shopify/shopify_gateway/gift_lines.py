"""What makes a line of an order a gift: three line properties, of which we keep one date. Pure.

`_gift_to` (an address), `_gift_on` (a date, 2026-12-24) and `_gift_message`. Address and message
stay in the shop, on the order: here they only say that the line is a gift.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

TO, ON, MESSAGE = "_gift_to", "_gift_on", "_gift_message"


@dataclass(frozen=True, slots=True)
class GiftLine:
    """The line is a gift; its code is to be handed over on that local date, or at once."""

    on: date | None = None


def read(properties: Mapping[str, str]) -> GiftLine | None:
    """Return what the properties of a line say; buyers can write there what they like."""
    if not any(properties.get(name, "").strip() for name in (TO, ON, MESSAGE)):
        return None
    try:
        wanted = date.fromisoformat(properties.get(ON, "").strip())
    except ValueError:
        return GiftLine()
    return GiftLine(wanted if 2000 <= wanted.year < 2200 else None)
