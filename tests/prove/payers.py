"""What payers do in the shop: buy, pay a hold in time, late, twice or too little, be refunded."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlmodel import Session

from booking_engine.booking import holds
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from shopify_gateway import orders
from shopify_gateway.order import Order, OrderLine
from shopify_gateway.orders import Posted
from tests.factories.shop_orders import later, make_line, make_order
from tests.factories.studio import COACHING, HOUR, PACKAGE
from tests.prove.facts import HOLDING
from tests.prove.oracle import Asked
from tests.prove.paper import HELD_LAPSES, MINUTES, SESSIONS, Entry, Payer
from tests.prove.stage import CUSTOMERS, PICK, WHO, Stage

GRANTS = {HOUR: (MINUTES, 60), PACKAGE: (MINUTES, 600), COACHING: (SESSIONS, 1)}
MINUTE = timedelta(minutes=1)


class PayerRules(Stage):
    """The payers' rules."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[int, Order] = {}

    @precondition(lambda self: not self.was_quiet)
    @rule(customer=WHO, product=st.sampled_from([HOUR, HOUR, PACKAGE, COACHING]))
    def buy(self, customer: int, product: int) -> None:
        """Buy credits without a slot."""
        order = self._order(customer, make_line(product, 3))
        posted = self.act(lambda session, studio: self._converge(session, studio, order))
        self.expect(posted, frozenset())
        kind, quantity = GRANTS[product]
        self.paper.buy(customer, Counter({kind: 3 * quantity}))
        self.count("buy")

    @precondition(lambda self: self.those(*HOLDING, held=True))
    @rule(number=PICK, customer=WHO)
    def pay_in_time(self, number: int, customer: int) -> None:
        """Pay what is held, if it still is."""
        self._pay("pay", self.pick(number, *HOLDING, held=True), customer)

    @precondition(lambda self: self.those(*HOLDING, held=True))
    @rule(number=PICK, customer=WHO, rival=st.booleans(), after=st.sampled_from([0, 1, 20, 90]))
    def pay_late(self, number: int, customer: int, *, rival: bool, after: int) -> None:
        """Let a hold run out, perhaps let somebody else take its time, and pay then."""
        booking = self.pick(number, *HOLDING, held=True)
        entry = self.entry_of(booking)
        assert entry.frees_at is not None
        self.wait_until(entry.frees_at + after * MINUTE)
        if rival:
            self.place(Asked(entry.asked.start, entry.asked.minutes, 4))
            self.every_promise_is_kept()
        self._pay("pay_late", booking, customer)

    @precondition(lambda self: self.those("expired", "confirmed", "cancelled", held=True))
    @rule(number=PICK, customer=WHO)
    def pay_what_is_over(self, number: int, customer: int) -> None:
        """Pay for a hold that has expired, is paid, or whose booking was cancelled."""
        booking = self.pick(number, "expired", "confirmed", "cancelled", held=True)
        self._pay("pay_again", booking, customer)

    @precondition(lambda self: self.those(*HOLDING, held=True))
    @rule(number=PICK, customer=WHO)
    def pay_too_little(self, number: int, customer: int) -> None:
        """Pay for a unit less than the cart had."""
        self._pay("pay_too_little", self.pick(number, *HOLDING, held=True), customer, missing=1)

    @precondition(lambda self: self.paper.payers)
    @rule(number=PICK)
    def refund(self, number: int) -> None:
        """Take a paid order back in the shop, all of it."""
        order_id = list(self.paper.payers)[number % len(self.paper.payers)]
        payer = self.paper.payers[order_id]
        state = later(self.orders[order_id], *[0] * len(self.orders[order_id].lines))
        state = replace(state, updated_at=self.now + MINUTE)
        self.expect(self.act(lambda s, studio: self._converge(s, studio, state)), frozenset())
        payer.is_refunded = True
        # A session still to come goes with the credits that pay for it, a hold with its order.
        self.allowed = frozenset({("confirmed", "cancelled"), ("checked_in", "cancelled")})
        self.allowed |= HELD_LAPSES
        # What came back to whom is the ledger's to say; that it adds up is checked of every lot.
        found = self._read()
        self.paper.purses = {each: found.purse(each) for each in CUSTOMERS}
        self.count("refund")

    def _order(self, customer: int, *lines: OrderLine) -> Order:
        order = make_order(*lines, id=5001 + len(self.orders), at=self.now, customer=customer)
        self.orders[order.id] = order
        return order

    def _converge(self, session: Session, studio: Studio, order: Order) -> Posted:
        return orders.converge(session, studio=studio, order=order, now=self.now)

    def _pay(self, rule: str, booking: UUID, customer: int, missing: int = 0) -> None:
        """Pay a hold's cart, all of it or a unit less, and compare the outcome."""
        entry = self.entry_of(booking)
        lines = self._cart(entry, missing)
        if not lines:
            return
        order = self._order(customer, *lines)
        granted = _granted(lines)
        expected = self._outcome(booking, customer, granted)
        posted = self.act(lambda session, studio: self._converge(session, studio, order))
        assert not isinstance(posted, DomainError), posted
        outcome = posted.outcomes.get(str(entry.hold))
        self.count(rule, outcome or "short")
        assert outcome == expected, f"{order.id}: {outcome}, expected {expected}"
        self.paper.buy(customer, granted)
        self.paper.payers[order.id] = Payer(customer, booking, outcome, granted)
        if outcome in ("confirmed", "recovered"):
            entry.customer = customer
            self.paper.confirm(entry, self.now)
        elif outcome is None and self._is_owned(entry):
            entry.status = "awaiting_payment"

    def _outcome(self, booking: UUID, customer: int, granted: Counter[str]) -> str | None:
        """Return what paying a hold now comes to (D7, D9); None where too little was paid."""
        entry = self.entry_of(booking)
        is_used = any(
            payer.outcome in ("confirmed", "recovered")
            for payer in self.paper.payers.values()
            if payer.booking == booking
        )
        owned = self._is_owned(entry)
        if is_used or (not owned and entry.asked.start <= self.minute):
            return "credited"
        if not owned and self.room(entry.asked, frozenset({booking})) is None:
            return "credited"
        short = [
            number
            for number, payer in self.paper.payers.items()
            if payer.booking == booking and payer.outcome is None and payer.customer == customer
        ]
        for lot in self.before.lots.values():
            if lot["order_id"] in short:
                granted = granted + Counter({lot["kind"]: lot["available"]})
        if not granted >= entry.burn:
            return None
        return "confirmed" if owned else "recovered"

    def _is_owned(self, entry: Entry) -> bool:
        frees_at = entry.frees_at
        return entry.status in HOLDING and frees_at is not None and frees_at > self.now

    def _cart(self, entry: Entry, missing: int) -> list[OrderLine]:
        hold = self.act(
            lambda session, studio: holds.get(session, studio_id=studio.id, hold_id=entry.hold)
        )
        assert not isinstance(hold, DomainError), hold
        wanted = [(line["variant_id"], line["quantity"]) for line in hold.cart["lines"]]
        wanted[0] = wanted[0][0], wanted[0][1] - missing
        return [
            make_line(variant, quantity, number=number, hold=hold.id)
            for number, (variant, quantity) in enumerate(wanted, 1)
            if quantity
        ]


def _granted(lines: list[OrderLine]) -> Counter[str]:
    granted: Counter[str] = Counter()
    for line in lines:
        kind, quantity = GRANTS[line.variant_id or 0]
        granted[kind] += quantity * line.quantity
    return granted
