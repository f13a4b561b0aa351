"""What a session costs: the cheapest products that cover the credits it burns. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from booking_engine.catalog.studio import Product
from booking_engine.eligibility import ANYTHING
from booking_engine.errors import Invalid
from booking_engine.ledger.models import CreditKind


@dataclass(frozen=True, slots=True)
class Basket:
    """Units of products, and their total in minor units."""

    lines: tuple[tuple[Product, int], ...]
    total_minor: int


class NotForSale(Invalid):
    """No product of this studio grants the kind of credit that is needed."""

    code = "not_for_sale"


@dataclass(frozen=True, slots=True, order=True)
class _Offer:
    total_minor: int
    surplus: int
    units: tuple[int, ...]  # positions of the products bought


def cheapest(
    products: tuple[Product, ...], *, simulator_minutes: int, coaching_sessions: int
) -> Basket:
    """Return the cheapest products for any session that cover both kinds; raises `NotForSale`.

    Of equally cheap baskets the one that leaves the least over wins.
    """
    offer = _offer(products, simulator_minutes, coaching_sessions)
    if offer is None:
        raise NotForSale(
            "no product of this studio covers that session",
            simulator_minutes=simulator_minutes,
            coaching_sessions=coaching_sessions,
        )
    counted = Counter(offer.units)
    lines = tuple((products[position], counted[position]) for position in sorted(counted))
    return Basket(lines, offer.total_minor)


def price_minor(
    products: tuple[Product, ...], *, simulator_minutes: int, coaching_sessions: int
) -> int | None:
    """Return the price of the cheapest basket, None where nothing on sale covers it."""
    offer = _offer(products, simulator_minutes, coaching_sessions)
    return None if offer is None else offer.total_minor


def singles(products: Iterable[Product]) -> dict[CreditKind, Product]:
    """Return the product that sells each kind by the piece.

    It grants that kind alone, as little of it as any product does, and is the cheapest that does.
    """
    found: dict[CreditKind, Product] = {}
    for product in sorted(products, key=lambda each: (_granted(each), each.price_minor)):
        if product.only != ANYTHING:
            continue
        if product.simulator_minutes and not product.coaching_sessions:
            found.setdefault(CreditKind.SIMULATOR_MINUTES, product)
        if product.coaching_sessions and not product.simulator_minutes:
            found.setdefault(CreditKind.COACHING_SESSIONS, product)
    return found


def _granted(product: Product) -> int:
    return product.simulator_minutes + product.coaching_sessions


@lru_cache(maxsize=4096)
def _offer(products: tuple[Product, ...], minutes: int, sessions: int) -> _Offer | None:
    """Cover what is still needed, one unit at a time, smallest needs first.

    Needs that are exceeded count as met, so every step makes a need smaller and the table of needs
    is finite: at most one entry per (minutes left, sessions left).
    """
    best: dict[tuple[int, int], _Offer] = {(0, 0): _Offer(0, 0, ())}
    useful = [
        (position, product)
        for position, product in enumerate(products)
        if _granted(product) and product.only == ANYTHING
    ]
    for need in sorted(_needs(useful, minutes, sessions), key=sum):
        if need == (0, 0):
            continue
        offers = [
            offer
            for position, product in useful
            if (offer := _extended(best, need, position, product)) is not None
        ]
        if offers:
            best[need] = min(offers)
    return best.get((minutes, sessions))


def _needs(useful: list[tuple[int, Product]], minutes: int, sessions: int) -> set[tuple[int, int]]:
    found, ahead = {(minutes, sessions)}, [(minutes, sessions)]
    while ahead:
        need = ahead.pop()
        for _, product in useful:
            less = _less(need, product)
            if less not in found:
                found.add(less)
                ahead.append(less)
    return found


def _less(need: tuple[int, int], product: Product) -> tuple[int, int]:
    return (
        max(0, need[0] - product.simulator_minutes),
        max(0, need[1] - product.coaching_sessions),
    )


def _extended(
    best: dict[tuple[int, int], _Offer], need: tuple[int, int], position: int, product: Product
) -> _Offer | None:
    less = _less(need, product)
    rest = best.get(less)
    if rest is None or less == need:
        return None
    granted = product.simulator_minutes + product.coaching_sessions
    over = granted - (need[0] - less[0]) - (need[1] - less[1])
    return _Offer(
        rest.total_minor + product.price_minor,
        rest.surplus + over,
        tuple(sorted((*rest.units, position))),
    )
