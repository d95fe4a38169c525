"""A group buy that has closed, and what members, concierges and timers do to it, each in a unit of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from appservice.actions import buys, orders, pledges, waiting
from appservice.actions.work import Work
from appservice.domain.account import refunds_due
from appservice.domain.cause import Cause, Place, Way
from appservice.domain.clearing import Tier
from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.fulfilment import Drop, Fulfilment, Offer, Request
from appservice.domain.group_buy import Add, GroupBuy, Order, Pledger, Status, Terms
from appservice.domain.ids import BuyId, Number
from appservice.domain.member import Role
from appservice.domain.refusal import Refusal
from appservice.store.unit import Store, Unit
from tests.harness.replay import assert_ledger_says_all
from tests.store.engine import SetClock
from tests.store.given import CONFIG, DEADLINE, DESK, GROUP, PRODUCT, group_exists, member

ROSA = Number(1)
ID = BuyId("b1")
TERMS = Terms("EUR", (Tier(4, 7900), Tier(10, 6900)), DEADLINE, cap=10, shared_cost=1001)
PAY_BY = DEADLINE + CONFIG.purchase.pay_days * DAY_MS
REMIND_AT = PAY_BY - CONFIG.purchase.remind_hours_before * HOUR_MS

Do = Callable[[Work], Awaitable[Refusal | None]]


@dataclass
class After:
    """A buy of ten units in which members 1 to 10 have one each, and 11 to 20 wait for one."""

    stores: list[Store]
    clock: SetClock
    begun: int = 0
    done: int = 0
    paid: dict[str, int] = field(default_factory=dict)

    async def begin(self) -> None:
        await group_exists(self.stores[0], replace(GROUP, cap=200), members=20)
        async with self.stores[0].unit() as unit:
            await unit.products.add(PRODUCT)
            owner = replace(member(1), power=Role.OWNER)
            await unit.groups.save_member(owner, unit.now)
            opened = await buys.open_buy(self._work(unit, 1), owner, PRODUCT, TERMS, ID)
            assert isinstance(opened, GroupBuy)
            for n in range(1, 21):
                request = Add(Pledger(GROUP.id, Number(n)), 1, f"$p{n}", n, unit.now)
                await pledges.pledge(self._work(unit, n), ID, request)

    async def close(self) -> None:
        self.clock.at = DEADLINE
        await self.act(lambda work: buys.settle(work, ID))

    def _work(self, unit: Unit, number: int, received_at: int | None = None) -> Work:
        at = self.clock.at if received_at is None else received_at
        self.done += 1
        sender = member(number).user_id
        cause = Cause(f"$done{self.done}", at, self.done, sender, DESK, Place.DIRECT, Way.MESSAGE)
        return Work(unit, CONFIG, cause)

    async def act(self, do: Do, number: int = 1, received_at: int | None = None) -> Refusal | None:
        """A member (or nobody in particular) does something, in a unit of its own."""
        self.begun += 1
        async with self.stores[self.begun % len(self.stores)].unit() as unit:
            return await do(self._work(unit, number, received_at))

    # What is done

    async def ask(self, request: Request) -> Refusal | None:
        """A concierge asks for something."""
        return await self.act(lambda work: orders.carry_out(work, ID, request, ROSA))

    async def pay(self, order: Order, reference: str, by: Number | None = None) -> Refusal | None:
        """All that is owed for an order comes."""
        note = "" if by is None else "cash"
        refusal = await self.act(lambda work: orders.pay(work, order.id, order.total, "EUR", reference, by, note))
        if refusal is None:
            self.paid[reference] = order.total
        return refusal

    async def take(self, number: int, received_at: int | None = None) -> Refusal | None:
        return await self.act(lambda work: waiting.answer_offer(work, None, takes=True), number, received_at)

    async def decline(self, number: int) -> Refusal | None:
        return await self.act(lambda work: waiting.answer_offer(work, None, takes=False), number)

    async def collect(self) -> Refusal | None:
        """The timer fires."""
        return await self.act(lambda work: orders.collect(work, ID))

    async def offer(self) -> Refusal | None:
        return await self.ask(Offer(self.clock.at + DAY_MS, self.clock.at, again=True))

    async def drop(self, *places: int) -> None:
        """The orders at some places are dropped, since they were not paid in time."""
        self.clock.at = max(self.clock.at, PAY_BY)
        state = await self.state()
        for place in places:
            assert await self.ask(Drop(state.orders[place].id, self.clock.at, ROSA)) is None

    # What there is

    async def state(self) -> Fulfilment:
        """All that is known of the orders, of which nothing is lost, nothing is given twice, and the books agree."""
        async with self.stores[0].snapshot() as unit:
            await assert_ledger_says_all(unit, ID)
            buy = await unit.buys.get(ID)
            state = await unit.orders.get(buy)
            entries = await unit.ledger.of_buy(ID)
        assert state is not None
        offered = sum(one.offered for one in state.waiting)
        assert state.spoken_for() + offered <= state.total - state.absorbed
        ids = [order.id for order in state.orders]
        assert len(set(ids)) == len({order.line_id for order in state.orders}) == len(ids)
        assert [entry.fact for entry in entries].count("taken") == len(ids) - 10
        units = [order.pledger.number for order in state.orders[10:]] + [one.pledger.number for one in state.waiting]
        if state.status is not Status.CANCELLED:
            assert sorted(units) == list(range(11, 21)), "who has waited has an order or waits"
        return state

    async def offered(self) -> list[Number]:
        """To whom something is offered."""
        return [one.pledger.number for one in (await self.state()).waiting if one.offered]

    def assert_money_is_there(self, state: Fulfilment) -> None:
        """All that came is in the books once, and what it is too much for is to be refunded."""
        assert {one.reference: one.amount for one in state.payments if one.amount > 0} == self.paid
        too_much = {order.id: -state.due(order) for order in state.orders if state.due(order) < 0}
        assert {order.id: amount for order, amount in refunds_due(state)} == too_much
