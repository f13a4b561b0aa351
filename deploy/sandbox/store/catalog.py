"""What the shop sells: the products of studio.toml."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.store import money
from sandbox.store.errors import NotFound

FIRST_PRODUCT_ID = 8860400000000


@dataclass(frozen=True)
class Product:
    """One thing in the shop, with its single variant."""

    id: int
    variant_id: int
    handle: str
    title: str
    price_minor: int
    blurb: str


@dataclass(frozen=True)
class Catalog:
    """The shop's name, clock, currency and shelf."""

    name: str
    currency: str
    timezone: str
    products: tuple[Product, ...]

    @property
    def zone(self) -> ZoneInfo:
        """Return the shop's time zone."""
        return ZoneInfo(self.timezone)

    def variant(self, variant_id: int) -> Product:
        """Return the product of a variant."""
        for product in self.products:
            if product.variant_id == variant_id:
                return product
        raise NotFound(f"the shop has no variant {variant_id}")

    def handle(self, handle: str) -> Product:
        """Return the product with a handle."""
        for product in self.products:
            if product.handle == handle:
                return product
        raise NotFound(f"the shop has no product {handle}")


def read(path: Path) -> Catalog:
    """Read studio.toml."""
    with path.open("rb") as file:
        document = tomllib.load(file)
    studio = document["studio"]
    return Catalog(
        name=studio["name"],
        currency=studio["currency"],
        timezone=document["location"][0]["timezone"],
        products=tuple(product(entry) for entry in document.get("product", [])),
    )


def product(entry: dict[str, Any]) -> Product:
    """Make a product of one [[product]] table."""
    title = str(entry["title"])
    variant_id = int(entry["variant"])
    return Product(
        id=FIRST_PRODUCT_ID + variant_id % 100_000,
        variant_id=variant_id,
        handle=re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"),
        title=title,
        price_minor=money.parse(entry["price"]),
        blurb=blurb(entry.get("grants", {})),
    )


def blurb(grants: dict[str, int]) -> str:
    """Say in a few words what a unit gives."""
    minutes, sessions = grants.get("simulator_minutes", 0), grants.get("coaching_sessions", 0)
    if minutes > 60:
        return f"{minutes // 60} hours on any bay, to use whenever you like."
    if minutes:
        return "One hour on a private bay. Bring up to three friends."
    if sessions:
        return "One-to-one time with a coach, inside any of your sessions."
    return "A good thing to have."
