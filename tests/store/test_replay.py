"""The ledger alone gives every group buy as it is stored, whatever people and concierges did."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.actions import buys, orders, pledges
from appservice.actions.booking import NAMES
from appservice.actions.recording import record
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.cause import Cause, Place, Way
from appservice.domain.clearing import Tier
from appservice.domain.fulfilment import (
    Absorb,
    Accept,
    Decline,
    Deliver,
    Drop,
    Fulfilment,
    HouseTake,
    Lapse,
    Offer,
    Pay,
    Refund,
    Remind,
    Reverse,
    Rule,
    Wait,
)
from appservice.domain.group_buy import (
    Add,
    Advance,
    Cancel,
    Confirm,
    Extend,
    Grace,
    GroupBuy,
    Improve,
    Pledger,
    Set,
    Shorten,
    Status,
    Terms,
    Withdraw,
)
from appservice.domain.ids import BuyId, GroupId, Number, OrderId, RoomId
from appservice.domain.money import Tax
from appservice.store import db
from appservice.store.ledger import Entry
from appservice.store.unit import Store, Unit, fresh_id
from tests.harness.replay import assert_ledger_says_all
from tests.store.engine import ENGINES, POSTGRES, SQLITE, START, SetClock, empty_database
from tests.store.given import CONFIG, GROUP, PRODUCT, group_exists, member

DAY = 86_400_000
FAR = START + 1000 * DAY
ROSA = Number(1)
OTHER = replace(GROUP, id=GroupId("g2"), name="Tea circle", room_id=RoomId("!tea:example.org"), desk_id=None)
PEOPLE = (*(Pledger(GROUP.id, Number(n)) for n in (1, 2, 3)), Pledger(OTHER.id, Number(4)))
TERMS = Terms(
    "EUR", (Tier(4, 7900), Tier(12, 6900)), START + 5 * DAY, pack=2, cap=20, variants=("S", "M"), shared_cost=1000,
    tax=Tax(1900, inclusive=False),
)  # fmt: skip
PLAIN = Terms("EUR", (Tier(4, 7900), Tier(12, 6900)), START + 5 * DAY)
STEPS = (Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE)


class Story:
    """A buy in two groups, and what is done to it: a step says what, and numbers by which it is chosen from what there
    is. A step that is refused changes nothing."""

    def __init__(self, store: Store, clock: SetClock) -> None:
        self.store, self.clock = store, clock
        self.buy_id = BuyId("")
        self.count = 0

    @classmethod
    async def begun(cls, store: Store, clock: SetClock, terms: Terms) -> Story:
        """A buy is drawn up, to open now or, where its terms say so, later."""
        story = cls(store, clock)
        if not await story._stored("SELECT id FROM coterie_group"):
            await group_exists(store, members=3)
            await group_exists(store, OTHER)
            async with store.unit() as unit:
                await unit.products.add(PRODUCT)
                await unit.groups.save_member(replace(member(4), group_id=OTHER.id), unit.now)
        async with store.unit() as unit:
            buy = await buys.open_buy(story._work(unit), member(1), PRODUCT, terms)
            assert isinstance(buy, GroupBuy), buy
            story.buy_id = buy.id
            await unit.buys.share(buy, OTHER.id)
        return story

    async def _stored(self, query: str) -> list[Any]:
        async with self.store.look() as unit:
            return await unit.buys._connection.fetch(query)

    def _work(self, unit: Unit, pledger: Pledger = PEOPLE[0]) -> Work:
        self.count += 1
        cause = Cause(
            f"$e{self.count}-{fresh_id()}", self.clock.at, self.count, member(pledger.number).user_id, GROUP.room_id
            or RoomId(""), Place.GROUP, Way.MESSAGE,
        )  # fmt: skip
        return Work(unit, CONFIG, cause)

    async def do(self, name: str, *numbers: int) -> None:
        """Carry out one step in a unit of its own."""
        await self._wait_for(name)
        one, other, third = (*numbers, 0, 0, 0)[:3]
        async with self.store.unit() as unit:
            person = PEOPLE[one % len(PEOPLE)]
            work, buy = self._work(unit, person), await unit.buys.get(self.buy_id)
            if name in PLEDGING:
                await pledges.pledge(work, buy.id, PLEDGING[name](work, buy, person, other, third))
            elif name in PLANNING:
                await self._plan(work, buy, name, one)
            else:
                state = await unit.orders.get(buy)
                request = SETTLING[name](buy, state, one, other, third) if state else None
                if request is not None:
                    actor = getattr(request, "by", None)
                    await orders.carry_out(work, buy.id, request, actor)

    async def _wait_for(self, name: str) -> None:
        """Let time pass: a moment, or until the buy opens or is to close."""
        async with self.store.look() as unit:
            terms = (await unit.buys.get(self.buy_id)).terms
        due = {"open": terms.opens_at or 0, "settle": terms.deadline_at}
        self.clock.at = max(self.clock.at + 1, due.get(name, 0))

    async def _plan(self, work: Work, buy: GroupBuy, name: str, one: int) -> None:
        now, boss = self.clock.at, member(1)
        match name:
            case "open":
                await buys.open_due(work, buy.id)
            case "improve":
                await buys.change(work, boss, buy.id, Improve(_improved(buy.terms, one), now))
            case "extend":
                await buys.change(work, boss, buy.id, Extend(buy.terms.deadline_at + DAY, now))
            case "shorten":
                await buys.change(work, boss, buy.id, Shorten(buy.terms.deadline_at - DAY // 2, now))
            case "grace":
                late = buy.terms.deadline_at
                await record(work, buy, group_buy.decide(buy, Grace(late + DAY, late + 1)), None)
            case "close":
                await buys.close(work, boss, buy.id)
            case "settle":
                await buys.settle(work, buy.id)
            case _:
                await buys.cancel(work, boss, buy.id, "The supplier is gone.")

    async def entries(self) -> list[Entry]:
        async with self.store.look() as unit:
            return await unit.ledger.of_buy(self.buy_id)

    async def check(self) -> None:
        async with self.store.look() as unit:
            await assert_ledger_says_all(unit, self.buy_id)


def _improved(terms: Terms, one: int) -> Terms:
    cheaper = tuple(replace(tier, unit_price=tier.unit_price - 100) for tier in terms.tiers)
    return (
        replace(terms, tiers=cheaper), replace(terms, cap=None), replace(terms, shared_cost=terms.shared_cost // 2),
        replace(terms, tax=None), replace(terms, tiers=(*terms.tiers, Tier(18, 5000))),
    )[one % 5]  # fmt: skip


def _variant(buy: GroupBuy, number: int) -> str | None:
    return buy.terms.variants[number % 2] if buy.terms.variants else None


PLEDGING: dict[str, Any] = {
    "add": lambda work, buy, person, n, m: Add(
        person, n, work.cause.id, work.cause.position, work.cause.received_at, _variant(buy, m)
    ),
    "set": lambda work, buy, person, n, m: Set(
        person, n, m, (None, 6900, 7900)[m % 3], work.cause.id, work.cause.position, work.cause.received_at,
        _variant(buy, n),
    ),
    "withdraw": lambda work, buy, person, n, m: Withdraw(
        person, work.cause.received_at, (buy.pledged[n % len(buy.pledged)].id if buy.pledged and m else None)
    ),
    "confirm": lambda work, buy, person, n, m: Confirm(person, work.cause.received_at),
}  # fmt: skip
PLANNING = ("open", "improve", "extend", "shorten", "grace", "close", "settle", "cancel")


def _order(state: Fulfilment, one: int) -> OrderId:
    return state.orders[one % len(state.orders)].id


def _pay(buy: GroupBuy, state: Fulfilment, one: int, other: int, third: int) -> Pay:
    order = state.orders[one % len(state.orders)]
    amount = (order.total, order.total // 2 + 1, order.total + 500)[other % 3]
    return Pay(order.id, amount, "EUR", fresh_id(), (None, ROSA)[third % 2], "in cash")


def _refund(buy: GroupBuy, state: Fulfilment, one: int, other: int, third: int) -> Refund:
    order = state.orders[one % len(state.orders)]
    most = -state.due(order)
    return Refund(order.id, most if other % 2 else max(1, most // 2), fresh_id(), ROSA, "too much")


def _reverse(buy: GroupBuy, state: Fulfilment, one: int, other: int, third: int) -> Reverse | None:
    return Reverse(state.payments[one % len(state.payments)].reference, fresh_id(), ROSA, "a slip") \
        if state.payments else None  # fmt: skip


def _answer(buy: GroupBuy, state: Fulfilment, one: int, other: int, third: int) -> Accept | Decline | None:
    offered = [waiting for waiting in state.waiting if waiting.offered]
    if not offered:
        return None
    waiting = offered[one % len(offered)]
    if other % 3 == 0:
        return Decline(waiting.id, waiting.pledger)
    return Accept(waiting.id, waiting.pledger, OrderId(fresh_id(8)), fresh_id(8), FAR, START)


def _deliver(buy: GroupBuy, state: Fulfilment, one: int, other: int, third: int) -> Deliver:
    labels = buy.terms.variants or ("",)
    arrived = dict(zip(labels, (one, other), strict=False))
    return Deliver(arrived, (Rule.FIRST_COME, Rule.PRO_RATA)[third % 2], ROSA)


def _advance(buy: GroupBuy, state: Fulfilment, one: int, other: int, third: int) -> Advance | None:
    following = [step for step in STEPS if state.status.leads_to(step)]
    return Advance(following[0], ROSA, "as planned") if following else None


SETTLING: dict[str, Any] = {
    "pay": _pay,
    "refund": _refund,
    "reverse": _reverse,
    "remind": lambda buy, state, one, *_: Remind(_order(state, one)),
    "drop": lambda buy, state, one, other, _: Drop(_order(state, one), FAR, (None, ROSA)[other % 2]),
    "wait": lambda buy, state, one, other, third: Wait(
        f"w{fresh_id()}", PEOPLE[one % len(PEOPLE)], other % 6 + 1, _variant(buy, third)
    ),
    "offer": lambda buy, state, one, *_: Offer(FAR, START, bool(one % 2)),
    "answer": _answer,
    "lapse": lambda *_: Lapse(FAR),
    "absorb": lambda *_: Absorb(ROSA, "we go on"),
    "house": lambda buy, state, one, other, _: HouseTake(one % 4 + 1, ROSA, _variant(buy, other)),
    "deliver": _deliver,
    "advance": _advance,
    "call off": lambda *_: Cancel("The supplier is gone.", ROSA),
}

small = st.integers(0, 9)
early = st.lists(
    st.tuples(st.sampled_from(["add", "add", "add", "set", "set", "withdraw", "confirm", "improve", "extend", "shorten",
                               "grace"]), small, small, small),
    max_size=14,
)  # fmt: skip
ends = st.sampled_from(["settle", "settle", "settle", "close", "cancel"])
late = st.lists(
    st.tuples(st.sampled_from([*SETTLING, "pay", "drop", "advance"]), small, small, small), max_size=14
)  # fmt: skip


async def _play(engine: str, folder: Path, terms: Terms, steps: Sequence[tuple[Any, ...]]) -> None:
    clock = SetClock()
    async with db.opened(await empty_database(engine, folder)) as database:
        story = await Story.begun(Store(database, clock.now), clock, terms)
        for step in steps:
            await story.do(*step)
        await story.check()


def _steps(before: Sequence[Any], end: str, after: Sequence[Any]) -> list[Any]:
    return [("open",), ("add", 1, 4, 0), ("add", 3, 3, 1), *before, (end,), ("settle",), *after]


opening = st.sampled_from([TERMS, PLAIN, replace(TERMS, opens_at=START + DAY, tax=Tax(2000))])


@settings(deadline=None, max_examples=60)
@given(opening, early, ends, late)
def test_whatever_happens_the_ledger_gives_the_stored_state_and_every_balance(
    terms: Terms, before: list[Any], end: str, after: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(SQLITE, Path(folder), terms, _steps(before, end, after)))


@settings(deadline=None, max_examples=8)
@given(opening, early, late)
def test_the_same_on_postgresql(terms: Terms, before: list[Any], after: list[Any]) -> None:
    asyncio.run(_play(POSTGRES, Path(), terms, _steps(before, "settle", after)))


WHOLE = [
    ("improve", 4), ("open",), ("add", 0, 4, 0), ("set", 1, 6, 1), ("set", 2, 4, 2), ("add", 3, 9, 1), ("withdraw", 0),
    ("add", 0, 3, 0), ("extend",), ("confirm", 1), ("shorten",), ("grace",), ("close",), ("settle",),
    ("wait", 0, 5, 0), ("pay", 0, 0, 0), ("pay", 1, 1, 1), ("reverse", 1), ("pay", 1, 2, 1), ("refund", 1, 1),
    ("remind", 2), ("drop", 2, 1), ("answer", 0, 0), ("offer", 1), ("answer", 0, 1), ("advance",), ("advance",),
    ("deliver", 3, 2, 0), ("deliver", 5, 4, 1), ("advance",), ("call off",),
]  # fmt: skip
AT_RISK = [
    ("add", 0, 4), ("add", 1, 2), ("settle",), ("drop", 0), ("wait", 2, 2), ("lapse",), ("house", 0), ("absorb",),
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_history_in_which_everything_happens_that_can(engine: str, tmp_path: Path) -> None:
    clock, seen = SetClock(), set()
    async with db.opened(await empty_database(engine, tmp_path)) as database:
        store = Store(database, clock.now)
        stories: list[tuple[Terms, list[tuple[Any, ...]]]] = [
            (replace(TERMS, opens_at=START + DAY), WHOLE),
            (replace(PLAIN, deadline_at=START + 90 * DAY), [("add", 0, 1), ("settle",)]),
            (replace(PLAIN, deadline_at=START + 180 * DAY, shared_cost=7), AT_RISK),
        ]
        for terms, steps in stories:
            story = await Story.begun(store, clock, terms)
            for step in steps:
                await story.do(*step)
                await story.check()
            entries = await story.entries()
            assert {entry.actor for entry in entries} == {None, ROSA}, "members of other groups may have her number"
            seen |= {entry.fact for entry in entries}
    assert set(NAMES.values()) - seen == set()
