"""How several sessions can be paid: credits that are there, packages, single units, a mix. Pure.

The search is exact (product leap C5): baskets are tried in order of their price, each against the
order of use in which its credits would really be drawn (product rule D1). What a basket costs at
least is known beforehand, so that hardly any but the cheapest are tried.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from booking_engine.booking import pricing
from booking_engine.booking.pricing import Basket, NotForSale
from booking_engine.booking.terms import Terms
from booking_engine.catalog.studio import Product, Studio
from booking_engine.ledger import lots as rules
from booking_engine.ledger.lots import Funds, Purse
from booking_engine.ledger.models import PRIORITY, CreditKind

WAYS_MAX = 3
# Baskets that are taken up before the search stops being exact; a dozen products need hundreds.
EXACT_TRIES = 400
Need = tuple[int, int]  # simulator minutes, coaching sessions
OnSale = tuple[tuple[int, Need], ...]  # price and grants of products
Grants = frozenset[Need]
Worth = tuple[int, int]  # minor units, credits granted: of equally cheap baskets the smaller one


@dataclass(frozen=True, slots=True)
class Option:
    """One way to pay: what is bought, which credits that are there it uses, what is left then."""

    way: str  # credits, single, package, or mix
    basket: Basket
    uses: dict[CreditKind, int]
    leaves: dict[CreditKind, int]
    saving_minor: int  # against one single session after the other


@dataclass(frozen=True, slots=True)
class _Offer:
    """A product, and the lots that units of it would become if they were paid now."""

    product: Product
    lots: tuple[Funds, ...]

    @property
    def grants(self) -> Need:
        return self.product.simulator_minutes, self.product.coaching_sessions


@dataclass(frozen=True, slots=True)
class _Floor:
    """The sessions from one start on: what their credits cost at least, whatever else is bought."""

    need: Need
    serving: tuple[bool, ...]  # which offers can pay for any of them


@dataclass(frozen=True, slots=True)
class _Market:
    """Everything that decides: the sessions by start, the credits there, the products."""

    sessions: tuple[Terms, ...]
    purse: tuple[Purse, ...]
    offers: tuple[_Offer, ...]
    floors: tuple[_Floor, ...]
    now: datetime


def options(
    studio: Studio, sessions: Iterable[Terms], purse: Iterable[Purse], *, now: datetime
) -> list[Option]:
    """Return up to three ways to pay for the sessions with these lots, the cheapest first.

    Credits that are there are always used before anything is bought, and nothing is offered that
    costs more than another way and leaves no more. Raises `NotForSale`.
    """
    market = _market(studio, sessions, purse, now)
    singles = {id(each) for each in pricing.singles(studio.products).values()}
    places = range(len(market.offers))
    is_single = [id(each.product) in singles for each in market.offers]
    found = [_search(market, places)]
    if found[0] is None:
        raise NotForSale("no products of this studio cover these sessions")
    if found[0]:
        found.append(_search(market, [place for place in places if is_single[place]]))
        found += [_search(market, places, (place,)) for place in places if not is_single[place]]
    ways = [_option(market, units, is_single) for units in found if units is not None]
    ways.sort(key=lambda way: (way.basket.total_minor, sum(way.leaves.values())))
    kept: list[Option] = []
    for way in ways:
        if not any(_serves_as_well(better, way) for better in kept):
            kept.append(way)
    return kept[:WAYS_MAX]


def _serves_as_well(better: Option, way: Option) -> bool:
    return all(better.leaves[kind] >= left for kind, left in way.leaves.items())


def _market(
    studio: Studio, sessions: Iterable[Terms], purse: Iterable[Purse], now: datetime
) -> _Market:
    ordered = tuple(sorted(sessions, key=lambda terms: terms.during.start))
    usable = tuple(lot for lot in rules.in_order_of_use(purse) if rules.is_usable(lot, now))
    zone = studio.locations[0].zone
    offers = tuple(
        offer
        for place, product in enumerate(studio.products)
        if (offer := _offer(place, product, zone, now)).lots
    )
    bare = _Market(ordered, usable, offers, (), now)
    starts = sorted({terms.during.start for terms in ordered})
    floors = {_floor(bare, start) for start in starts}
    return replace(bare, floors=tuple(each for each in floors if not _is_implied(each, floors)))


def _is_implied(floor: _Floor, floors: Iterable[_Floor]) -> bool:
    """Tell whether another floor asks for no less of the same products."""
    return any(
        other != floor
        and other.serving == floor.serving
        and all(more >= less for more, less in zip(other.need, floor.need, strict=True))
        for other in floors
    )


def _offer(place: int, product: Product, zone: ZoneInfo, now: datetime) -> _Offer:
    grants = {
        CreditKind.SIMULATOR_MINUTES: product.simulator_minutes,
        CreditKind.COACHING_SESSIONS: product.coaching_sessions,
    }
    expires_at = rules.expiry(now.astimezone(zone).date(), product.valid_days, zone)
    lots = (
        Funds(
            id=UUID(int=2 * place + number),
            kind=kind,
            available=quantity,
            priority=PRIORITY,
            paid_minor=product.price_minor,
            order_id=None,
            expires_at=expires_at,
            granted_at=now,
            frozen_at=None,
            only_for=product.only.frozen(),
        )
        for number, (kind, quantity) in enumerate(grants.items())
        if quantity
    )
    return _Offer(product, tuple(lots))


def _needs(terms: Terms) -> dict[CreditKind, int]:
    return {
        CreditKind.SIMULATOR_MINUTES: terms.simulator_minutes,
        CreditKind.COACHING_SESSIONS: terms.coaching_sessions,
    }


def _floor(market: _Market, start: datetime) -> _Floor:
    """Return what the sessions from `start` on lack if every lot that can, pays for them alone."""
    later = [terms for terms in market.sessions if terms.during.start >= start]
    need = []
    for kind in CreditKind:
        there = sum(
            lot.available
            for lot in market.purse
            if lot.kind is kind and _pays_any(lot, later, market)
        )
        need.append(max(0, sum(_needs(terms)[kind] for terms in later) - there))
    serving = tuple(
        any(_pays_any(lot, later, market) for lot in offer.lots) for offer in market.offers
    )
    return _Floor((need[0], need[1]), serving)


def _pays_any(lot: Purse, sessions: Iterable[Terms], market: _Market) -> bool:
    return any(_pays(lot, terms, market.now) for terms in sessions)


def _pays(lot: Purse, terms: Terms, now: datetime) -> bool:
    return rules.can_pay(lot, starts_at=terms.during.start, now=now, facts=terms.facts())


def _search(
    market: _Market, places: Iterable[int], given: tuple[int, ...] = ()
) -> tuple[int, ...] | None:
    """Return the cheapest units that pay for everything, out of these places and with the given.

    Baskets are taken up in the order of what they cost at least; the first that pays is it.
    """
    allowed = tuple(places)
    lacking = [sum(_needs(terms)[kind] for terms in market.sessions) for kind in CreditKind]
    most = [
        max(-(-need // grant) for need, grant in zip(lacking, offer.grants, strict=True) if grant)
        for offer in market.offers
    ]
    ahead: list[tuple[Worth, tuple[int, ...], int]] = []
    tried = 0

    def look_at(units: tuple[int, ...], first: int) -> None:
        counted = Counter(units)
        missing = _at_least(market, counted, allowed[first:])
        if missing is not None:
            # Beyond what is searched exactly, whatever lacks least is taken up first.
            spent = _worth(market, counted) if tried < EXACT_TRIES else (0, 0)
            worth = (spent[0] + missing[0], spent[1] + missing[1])
            heapq.heappush(ahead, (worth, units, first))

    look_at(given, 0)
    while ahead:
        _, units, first = heapq.heappop(ahead)
        if _draws(market, units) is not None:
            return units
        tried += 1
        for number in range(first, len(allowed)):
            if units.count(allowed[number]) < most[allowed[number]]:
                look_at((*units, allowed[number]), number)
    return None


def _worth(market: _Market, units: Counter[int]) -> Worth:
    offers = market.offers
    return (
        sum(offers[place].product.price_minor * count for place, count in units.items()),
        sum(sum(offers[place].grants) * count for place, count in units.items()),
    )


def _at_least(market: _Market, units: Counter[int], allowed: tuple[int, ...]) -> Worth | None:
    """Return what must still be bought at least, None where the allowed offers cannot do it."""
    least: Worth = (0, 0)
    for floor in market.floors:
        serving = [place for place, serves in enumerate(floor.serving) if serves]
        grants = frozenset(market.offers[place].grants for place in serving)
        on_sale = tuple(
            (market.offers[place].product.price_minor, market.offers[place].grants)
            for place in serving
            if place in allowed
        )
        rest = floor.need
        for place in serving:
            grant = market.offers[place].grants
            rest = _less(rest, (grant[0] * units[place], grant[1] * units[place]))
        cover = _cover(on_sale, grants, floor.need, rest)
        if cover is None:
            return None
        least = max(least, cover)
    return least


def _cover(on_sale: OnSale, grants: Grants, top: Need, rest: Need) -> Worth | None:
    """Return the least worth that covers a rest; kinds are apart unless a product joins them."""
    if any(minutes and sessions for minutes, sessions in grants):
        return _table(on_sale, grants, top).get(rest)
    minutes = _table(on_sale, grants, (top[0], 0)).get((rest[0], 0))
    sessions = _table(on_sale, grants, (0, top[1])).get((0, rest[1]))
    if minutes is None or sessions is None:
        return None
    return minutes[0] + sessions[0], minutes[1] + sessions[1]


@lru_cache(maxsize=256)
def _table(on_sale: OnSale, grants: Grants, top: Need) -> dict[Need, Worth]:
    """Return the least worth that covers each need that units of the grants can leave of `top`."""
    best: dict[Need, Worth] = {(0, 0): (0, 0)}
    for need in sorted(_reachable(grants, top), key=sum):
        ways = [
            (rest[0] + price, rest[1] + sum(grant))
            for price, grant in on_sale
            if (less := _less(need, grant)) != need and (rest := best.get(less)) is not None
        ]
        if ways:
            best[need] = min(ways)
    return best


def _reachable(grants: Grants, top: Need) -> set[Need]:
    found, ahead = {top}, [top]
    while ahead:
        need = ahead.pop()
        for less in {_less(need, grant) for grant in grants} - found:
            found.add(less)
            ahead.append(less)
    return found


def _less(need: Need, grant: Need) -> Need:
    return max(0, need[0] - grant[0]), max(0, need[1] - grant[1])


def _draws(market: _Market, units: Iterable[int]) -> dict[UUID, int] | None:
    """Return what every lot has left once all sessions are drawn in order of use, None if short."""
    pots = rules.in_order_of_use((*market.purse, *_bought(market, units)))
    left = {lot.id: lot.available for lot in pots}
    for terms in market.sessions:
        missing = _needs(terms)
        for lot in pots:
            if _pays(lot, terms, market.now):
                taken = min(missing[lot.kind], left[lot.id])
                left[lot.id] -= taken
                missing[lot.kind] -= taken
        if any(missing.values()):
            return None
    return left


def _bought(market: _Market, units: Iterable[int]) -> Iterator[Funds]:
    for place, count in Counter(units).items():
        for lot in market.offers[place].lots:
            yield lot._replace(available=lot.available * count)


def _option(market: _Market, units: Sequence[int], is_single: Sequence[bool]) -> Option:
    left = _draws(market, units)
    if left is None:
        raise ValueError("an option pays for all of its sessions")
    there, bought = market.purse, list(_bought(market, units))
    uses = {
        kind: sum(lot.available - left[lot.id] for lot in there if lot.kind is kind)
        for kind in CreditKind
    }
    leaves = {
        kind: sum(left[lot.id] for lot in (*there, *bought) if lot.kind is kind)
        for kind in CreditKind
    }
    kinds = {"single" if is_single[place] else "package" for place in units}
    kinds |= {"credits"} if any(uses.values()) else set()
    counted = Counter(units)
    lines = tuple((market.offers[place].product, counted[place]) for place in sorted(counted))
    total = _worth(market, counted)[0]
    listed = sum(terms.basket.total_minor for terms in market.sessions)
    return Option(
        way=kinds.pop() if len(kinds) == 1 else "mix",
        basket=Basket(lines, total),
        uses=uses,
        leaves=leaves,
        saving_minor=max(0, listed - total),
    )
