"""What the shop tells: orders and what becomes of them, disputes, merges, who is forgotten."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.attention import AttentionItem
from booking_engine.booking import decisions
from tests.factories.people import merge_body, redact_body
from tests.prove.ledger_paper import COACHING, HOUR, PACKAGE, TRIAL, Sale, Sold
from tests.prove.ledger_stage import PICK, WHO, LedgerStage

LINES = st.lists(
    st.tuples(st.sampled_from([HOUR, HOUR, COACHING, PACKAGE, TRIAL, TRIAL]), st.integers(1, 3)),
    min_size=1,
    max_size=2,
)


class ShopVerbs(LedgerStage):
    """The shop's verbs."""

    @rule(customer=WHO, lines=LINES)
    def pay(self, customer: int, lines: list[tuple[int, int]]) -> None:
        """Pay an order."""
        sold = [Sold(variant, quantity, quantity) for variant, quantity in lines]
        sale = Sale(5001 + len(self.paper.sales), customer, sold, self.now, self.now)
        self.paper.sales[sale.id] = sale
        self._tell(sale, "orders/paid")
        self.count("pay")

    @precondition(lambda self: self.paper.sales)
    @rule(number=PICK)
    def pay_again(self, number: int) -> None:
        """Hear of an order what was heard before."""
        sale = self._sale(number)
        self.follow_if_waiting(self.who(sale.customer))
        topic = "orders/paid" if number % 2 else "orders/updated"
        self.count("pay_again", self.tell(topic, sale.body()))

    @precondition(lambda self: self._standing())
    @rule(number=PICK, line=PICK, units=st.integers(1, 2))
    def edit_fewer(self, number: int, line: int, units: int) -> None:
        """Take units out of an order."""
        sale = self._standing_sale(number)
        sold = sale.lines[line % len(sale.lines)]
        sold.current = max(0, sold.current - units)
        self._tell(sale)
        self.count("edit_fewer")

    @precondition(lambda self: self._standing())
    @rule(number=PICK, line=PICK, is_settled=st.booleans())
    def edit_more(self, number: int, line: int, is_settled: bool) -> None:  # noqa: FBT001 - drawn
        """Put a unit more into an order; until that is paid, the new one waits."""
        sale = self._standing_sale(number)
        sold = sale.lines[line % len(sale.lines)]
        sold.current += 1
        sold.quantity = max(sold.quantity, sold.current)
        sale.status = "partially_paid"
        self._tell(sale)
        self.count("edit_more", "owed")
        if is_settled:
            self.the_ledger_is_what_the_paper_says()
            sale.status = "paid"
            self._tell(sale)
            self.count("edit_more", "paid")

    @precondition(lambda self: self._standing())
    @rule(number=PICK)
    def unedit(self, number: int) -> None:
        """Undo what was edited, and pay what is owed."""
        sale = self._standing_sale(number)
        for sold in sale.lines:
            sold.current = sold.quantity
        sale.status = "paid"
        self._tell(sale)
        self.count("unedit")

    @precondition(lambda self: self._standing())
    @rule(number=PICK, line=PICK, units=st.integers(1, 3))
    def refund_part(self, number: int, line: int, units: int) -> None:
        """Refund units of a line."""
        sale = self._standing_sale(number)
        place = line % len(sale.lines)
        sold = sale.lines[place]
        units = min(units, sold.current)
        if units:
            sold.current -= units
            named = [{"line_item_id": sale.line_id(place), "quantity": units}]
            self._refund(sale, "50.00", named)
            self.count("refund_part")

    @precondition(lambda self: self._standing())
    @rule(
        number=PICK, amount=st.sampled_from(["5.00", "45.00", "200.00"]), is_settled=st.booleans()
    )
    def refund_money(self, number: int, amount: str, is_settled: bool) -> None:  # noqa: FBT001 - drawn
        """Give money back that names no units; perhaps staff take credits for it."""
        sale = self._standing_sale(number)
        self._refund(sale, amount, [])
        self.count("refund_money")
        if is_settled:
            self.the_ledger_is_what_the_paper_says()
            self._settle(sale)

    @precondition(lambda self: self._standing())
    @rule(number=PICK)
    def cancel_order(self, number: int) -> None:
        """Cancel an order, with everything refunded."""
        sale = self._standing_sale(number)
        sale.is_cancelled, sale.status = True, "refunded"
        for sold in sale.lines:
            sold.current = 0
        self._tell(sale, "orders/cancelled")
        self.count("cancel_order")

    @precondition(lambda self: self._disputed(None))
    @rule(number=PICK)
    def dispute_opened(self, number: int) -> None:
        """Let a bank dispute an order's payment."""
        sale = self._disputed(None)[-1 - number % len(self._disputed(None))]
        sale.dispute = "needs_response"
        sale.disputed_at = self.now
        self._tell_dispute(sale)
        for slip in self.paper.slips.values():
            if slip.order == sale.id and not slip.is_gone:
                slip.is_frozen = True
        self.count("dispute_opened")

    @precondition(lambda self: self._disputed("needs_response"))
    @rule(number=PICK)
    def dispute_won(self, number: int) -> None:
        """Let a dispute come to nothing: the credits live on for the time that it took."""
        found = self._disputed("needs_response")
        sale = found[number % len(found)]
        sale.dispute = "won"
        self._tell_dispute(sale)
        assert sale.disputed_at is not None
        for slip in self.paper.slips.values():
            if slip.order == sale.id:
                slip.is_frozen = False
                if slip.expires_at is not None:
                    slip.expires_at += self.now - sale.disputed_at
        self.count("dispute_won")

    @precondition(lambda self: self._disputed("needs_response"))
    @rule(number=PICK)
    def dispute_lost(self, number: int) -> None:
        """Let a bank take an order's money back."""
        found = self._disputed("needs_response")
        sale = found[number % len(found)]
        sale.dispute = "lost"
        sale.settle()
        self.followed.add(self.who(sale.customer))
        self._tell_dispute(sale)
        self.count("dispute_lost")

    @precondition(lambda self: len(set(map(self.who, self.persons))) > 1)
    @rule(kept=PICK, removed=PICK)
    def merge(self, kept: int, removed: int) -> None:
        """Make one customer of two; of a chain of merges the last one is everybody."""
        alive = sorted({self.who(customer) for customer in self.persons})
        goes = alive[removed % len(alive)]
        stays = [each for each in alive if each != goes][kept % (len(alive) - 1)]
        if goes in self.paper.erased:
            return  # the shop merges nobody whom it was asked to forget
        self.count("merge", self.tell("customers/merge", merge_body(stays, goes)))
        for each in (*self.paper.slips.values(), *self.paper.plays.values()):
            if each.person == goes:
                each.person = stays
        self.persons[goes] = stays
        self.merged.append(self.wallets[goes])
        if stays in self.paper.erased:
            self.followed.add(stays)

    @rule(customer=WHO, is_sure=st.integers(0, 3))
    def redact(self, customer: int, is_sure: int) -> None:
        """Forget somebody; seldom, as there are few."""
        if is_sure:
            return
        person = self.who(customer)
        self.count("redact", self.tell("customers/redact", redact_body(customer)))
        self.followed.add(person)
        self.paper.erased.add(person)

    def _sale(self, number: int) -> Sale:
        return list(self.paper.sales.values())[-1 - number % len(self.paper.sales)]

    def _standing(self) -> list[Sale]:
        return [sale for sale in self.paper.sales.values() if not sale.is_cancelled]

    def _standing_sale(self, number: int) -> Sale:
        """Return an order that stands; the shop may tell of it under any id of its customer."""
        sale = self._standing()[-1 - number % len(self._standing())]
        names = self.ids_of(self.who(sale.customer))
        sale.customer = names[number % len(names)]
        return sale

    def _disputed(self, dispute: str | None) -> list[Sale]:
        return [sale for sale in self.paper.sales.values() if sale.dispute == dispute]

    def _refund(self, sale: Sale, amount: str, lines: list[dict[str, int]]) -> None:
        sale.status = "partially_refunded"
        sale.refunds.append(
            {
                "id": sale.id * 100 + len(sale.refunds),
                "refund_line_items": lines,
                "transactions": [{"kind": "refund", "status": "success", "amount": amount}],
            }
        )
        self._tell(sale)

    def _tell(self, sale: Sale, topic: str = "orders/updated") -> None:
        """Tell of an order as it is now; new units are foretold, all others are followed."""
        person = self.who(sale.customer)
        stood = [sold.stands for sold in sale.lines]
        sale.settle()
        sale.updated_at = max(self.now, sale.updated_at) + timedelta(seconds=1)
        self.follow_if_waiting(person)
        self.tell(topic, sale.body())
        new = []
        for place, sold in enumerate(sale.lines):
            known = self._units(sale, place)
            if sold.stands < stood[place] or stood[place] < min(known, sold.stands):
                self.followed.add(person)
            begins = f"order:{sale.id}:{sale.line_id(place)}"
            units = range(known, sold.stands)
            new += [f"{begins}:{unit}:{kind}" for unit in units for kind in sold.grants]
        for slip in self.expect(new, person):
            slip.is_frozen = sale.dispute == "needs_response"

    def _units(self, sale: Sale, place: int) -> int:
        begins = f"order:{sale.id}:{sale.line_id(place)}:"
        return len({each.split(":")[3] for each in self.paper.slips if each.startswith(begins)})

    def _tell_dispute(self, sale: Sale) -> None:
        assert sale.disputed_at is not None
        self.follow_if_waiting(self.who(sale.customer))
        is_new = sale.dispute == "needs_response"
        ended = None if is_new else (self.now + timedelta(seconds=1)).isoformat()
        body = {
            "id": sale.id * 7,
            "order_id": sale.id,
            "type": "chargeback",
            "status": sale.dispute,
            "amount": "400.00",
            "currency": "CAD",
            "reason": "fraudulent",
            "initiated_at": sale.disputed_at.isoformat(),
            "finalized_on": ended,
        }
        self.tell("disputes/create" if is_new else "disputes/update", body)

    def _settle(self, sale: Sale) -> None:
        """Let staff take what is proposed for a refund that named no units."""
        before = self.before.lots
        outcome = self.act(lambda session: self._revoke(session, sale))
        self.count("settle_refund", outcome)
        self.followed.add(self.who(sale.customer))
        for source, row in self.read().lots.items():
            if row.order_id == sale.id:
                self.paper.slips[source].taken += row.revoked - before[source].revoked

    def _revoke(self, session: Session, sale: Sale) -> str:
        wanted = select(AttentionItem).where(
            col(AttentionItem.kind) == attention.MONEY_REFUND,
            col(AttentionItem.key) == str(sale.refunds[-1]["id"]),
            col(AttentionItem.resolved_at).is_(None),
        )
        item = session.exec(wanted).first()
        if item is None:
            return "nothing proposed"
        decisions.settle(
            session,
            studio=self.studio,
            item_id=item.id,
            choice=attention.REVOKE,
            by="staff:owner",
            reason="half",
            now=self.now,
        )
        return "revoked"
