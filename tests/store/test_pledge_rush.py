"""A rush on a group buy that three groups share: every pledge is recorded and acknowledged, and the cap holds.

Real arrivals by the real routes in the real workers; on SQLite in this process, on PostgreSQL in two others that share
the database.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, NamedTuple

import pytest

from appservice import routes
from appservice.actions import buys, cards
from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.group_buy import GroupBuy, Order, Pledger, Status, Terms
from appservice.domain.ids import UserId
from appservice.present.acknowledge import DONE, REFUSED, WAITING
from appservice.store.db import Database
from appservice.store.timers import Timer
from appservice.store.unit import Store, Unit
from appservice.wire import order as wire_order
from appservice.workers.timers import TimerWorker
from tests.harness.replay import assert_ledger_says_all
from tests.store.engine import POSTGRES, SQLITE, START, SetClock, at_once, fetch
from tests.store.given import CONFIG, DEADLINE
from tests.store.pledge_rush import BUY_ID, GROUPS, TIERS, PledgeRush, more_to_come, person, pledgers
from tests.store.rush import Running
from tests.store.rush import Work as WorkOff

PRICE = TIERS[-1].unit_price


class Effect(NamedTuple):
    """One effect that is owed, and what caused it."""

    cause: str
    kind: str
    content: dict[str, Any]

    @property
    def event(self) -> dict[str, Any]:
        inner: dict[str, Any] = self.content["content"]
        return inner


async def owed(database: Database, *kinds: str) -> list[Effect]:
    """What is owed of some kinds, in order."""
    rows = await fetch(database, "SELECT id, kind, content FROM effect ORDER BY seq")
    return [Effect(id.rpartition(":")[0], kind, json.loads(text)) for id, kind, text in rows if kind in kinds]


async def signs(database: Database) -> dict[str, list[str]]:
    """The signs that each message was answered with."""
    found: dict[str, list[str]] = {}
    for one in await owed(database, "SendEvent"):
        if one.content["type"] == "m.reaction" and one.cause.startswith("$asked"):
            relation = one.event["m.relates_to"]
            assert relation["event_id"] == one.cause
            found.setdefault(one.cause, []).append(relation["key"])
    return found


async def the_buy(database: Database) -> GroupBuy:
    async with Store(database, lambda: START).look() as unit:
        return await unit.buys.get(BUY_ID)


async def orders_of(database: Database, buy: GroupBuy) -> tuple[Order, ...]:
    async with Store(database, lambda: START).look() as unit:
        await assert_ledger_says_all(unit, BUY_ID)
        state = await unit.orders.get(buy)
    assert state is not None
    assert sum(order.units for order in state.orders) == state.total
    return state.orders


async def watched(database: Database, done: asyncio.Event) -> int:
    """Look over and over, each time at one snapshot: what is handled is recorded and booked. Gives how many looks were
    into the midst of it."""
    seen = set()
    async with database.reading() as connection:
        while not done.is_set():
            handled, recorded, booked = await connection.fetchrow(
                "SELECT (SELECT COUNT(*) FROM arrival WHERE status = 'done' AND id LIKE '$asked%'),"
                " (SELECT COUNT(*) FROM tranche), (SELECT COUNT(*) FROM ledger WHERE fact = 'pledged')"
            )
            assert handled == recorded == booked
            seen.add(handled)
            await asyncio.sleep(0.05)
    return len(seen)


def everybody_asks() -> PledgeRush:
    """420 people, forty of them in two of the groups, who ask 1,000 times for one unit each."""
    rush = PledgeRush(people=420, both=40)
    writing = [n for n in range(420) if n % 10 and n >= 40][:150]
    others = [n for n in range(420) if n not in writing]
    for n in writing:
        rush.write(n)
    for n in others:
        rush.react(n)
        rush.reply(n)
        rush.reply(n, place=1 if n < 40 else 0)
    for n in range(40):
        rush.react(n, place=1)
    return rush


@pytest.mark.parametrize("engine", [SQLITE, pytest.param(POSTGRES, marks=pytest.mark.slow)], indirect=True)
async def test_of_a_thousand_pledges_at_once_in_three_groups_a_hundred_are_in_and_nine_hundred_wait(
    work: WorkOff, stores: list[Store], database: Database, clock: SetClock
) -> None:
    rush = everybody_asks()
    assert len(rush.asked) == 1000
    await rush.begin(database, Terms("EUR", TIERS, DEADLINE, cap=100))
    arrivals = rush.shuffled(seed=1, own_lanes=True)
    assert await stores[0].journal(arrivals) == 1000
    done = asyncio.Event()
    watching = asyncio.create_task(watched(database, done))
    try:
        assert await work() == 1000
    finally:
        done.set()
        looks = await watching
    assert looks > 5, "it was over before anybody looked"
    assert await fetch(database, "SELECT id, status, error FROM arrival WHERE status <> 'done'") == []

    # every one of them is recorded, in the order of the journal, and each person takes part as one
    buy = await the_buy(database)
    in_order = [one.id for one in arrivals]
    assert [tranche.id for tranche in buy.pledged] == in_order
    assert {tranche.quantity for tranche in buy.pledged} == {1}
    as_whom = await pledgers(database)
    assert {user_id: len(them) for user_id, them in as_whom.items()} == {person(n): 1 for n in range(420)}
    who = {pledger: user_id for user_id, (pledger,) in as_whom.items()}
    assert {tranche.id: who[tranche.pledger] for tranche in buy.pledged} == rush.asked

    # a hundred units are in, and each message has one sign
    clearing = buy.clearing()
    assert clearing is not None
    assert (clearing.total, clearing.unit_price) == (100, PRICE)
    assert {id for id, units in clearing.units.items() if units} == set(in_order[:100])
    assert sum(clearing.cut.values()) == 900
    shown = await signs(database)
    assert shown.keys() == rush.asked.keys() - rush.reactions, "a reaction is acknowledged by the card"
    assert {len(keys) for keys in shown.values()} == {1}
    assert {key for keys in shown.values() for key in keys} == {DONE, WAITING}
    assert {shown[id][0] for id in in_order[:100] if id in shown} == {DONE}
    assert [one for one in await owed(database, "Tell", "Redact") if one.cause.startswith("$asked")] == []
    reached = Counter(one.content["room_id"] for one in await owed(database, "SendEvent")
                      if "everyone pays" in one.event.get("body", "") and " now." in one.event["body"]
                      and "Group buy" not in one.event["body"])  # fmt: skip
    assert reached == {group.room_id: 3 for group in GROUPS}, "each tier is news once in each group"
    await card_says(stores[0], database, "100 of at most 100, 900 waiting; the best price is reached")

    # the same after it has closed, however often it is
    clock.at = DEADLINE
    await at_once([settle(store, n) for n, store in enumerate(stores * 4)])
    closed = await the_buy(database)
    assert closed.status is Status.COLLECTING
    assert closed.pledged == buy.pledged
    assert closed.clearing() == clearing
    orders = await orders_of(database, closed)
    assert sum(order.units for order in orders) == 100
    assert await fetch(database, "SELECT SUM(units), SUM(offered) FROM unplaced") == [(900, 0)]
    first = Counter(rush.asked[id] for id in in_order[:100])
    assert {who[order.pledger]: order.units for order in orders} == first
    rest = Counter(rush.asked[id] for id in in_order[100:])
    waits = Counter[UserId]()
    for group_id, number, units in await fetch(database, "SELECT group_id, number, units FROM unplaced"):
        waits[who[Pledger(group_id, number)]] += units
    assert waits == rest

    # what is charged comes to a hundred times the price, to each what they owe
    charged = await fetch(database, "SELECT group_id, number, SUM(amount_minor), COUNT(*) FROM ledger"
                                    " WHERE fact = 'order' GROUP BY group_id, number")  # fmt: skip
    assert {who[Pledger(group_id, number)]: (minor, count) for group_id, number, minor, count in charged} == {
        user_id: (units * PRICE, 1) for user_id, units in first.items()
    }
    assert await fetch(database, "SELECT SUM(amount_minor) FROM ledger") == [(100 * PRICE,)]
    assert await fetch(database, "SELECT fact, COUNT(*) FROM ledger WHERE fact IN ('pledged', 'succeeded')"
                                 " GROUP BY fact ORDER BY fact") == [("pledged", 1000), ("succeeded", 1)]  # fmt: skip
    await everybody_is_told_once(database, orders, who)


async def settle(store: Store, n: int) -> None:
    async with store.unit() as unit:
        await buys.settle(Work(unit, CONFIG, Cause(f"settle {n}", unit.now)), BUY_ID)


async def card_says(store: Store, database: Database, progress: str) -> None:
    """An edit of the card is due, and tells all groups the same."""
    async with store.unit() as unit:
        assert await unit.timers.due_at("card", BUY_ID) is not None
        await cards.refresh_card(Work(unit, CONFIG, Cause("card", unit.now)), BUY_ID)
    edits = [one for one in await owed(database, "SendEvent") if one.cause == "card"]
    assert sorted(one.content["room_id"] for one in edits) == [group.room_id for group in GROUPS]
    assert all(progress in one.event["m.new_content"]["body"] for one in edits)


async def everybody_is_told_once(database: Database, orders: tuple[Order, ...], who: dict[Pledger, UserId]) -> None:
    """Who is in has a receipt for their order, the others that they are not; each group has the result, each desk its
    list."""
    tells = [one for one in await owed(database, "Tell") if one.cause.startswith("settle ")]
    receipts = {one.content["user_id"]: one.event[wire_order.TYPE] for one in tells if wire_order.TYPE in one.event}
    assert {user_id: (key["id"], key["units"], key["total"]) for user_id, key in receipts.items()} == {
        who[order.pledger]: (order.id, order.units, order.total) for order in orders
    }
    not_in = [one for one in tells if wire_order.TYPE not in one.event]
    assert all("there was no place left for your pledge. You owe nothing." in one.event["body"] for one in not_in)
    told = Counter(one.content["user_id"] for one in tells)
    assert told == dict.fromkeys(who.values(), 1)
    said = [one for one in await owed(database, "SendEvent") if one.cause.startswith("settle ")]
    published = [one for one in said if "closed with 100 units" in one.event.get("body", "")]
    lines = [list(one.event["shop.coterie.group_buy"]["lines"]) for one in published]
    assert sorted(one.content["room_id"] for one in published) == [group.room_id for group in GROUPS]
    assert lines == [sorted([order.line_id, order.units] for order in orders)] * 3
    desks = [one.content["room_id"] for one in said if one.content["room_id"] in {g.desk_id for g in GROUPS}]
    assert sorted(desks) == [group.desk_id for group in GROUPS]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
async def test_every_pledge_that_races_with_the_close_is_in_the_result_or_told_that_it_came_too_late(
    seed: int, work: WorkOff, database: Database
) -> None:
    """Three hundred pledges are journaled around the deadline, some before the workers have come to any of them."""
    rush = PledgeRush(people=200, both=20)
    writing = [n for n in range(200) if n % 10 and n >= 20][:100]
    unnamed = set()
    for n in range(200):
        if n in writing and n % 2:
            rush.write(n, by_id=True)
        elif n in writing:
            unnamed.add(rush.write(n))
        else:
            rush.react(n)
            rush.reply(n, place=1 if n < 20 else 0)
    assert len(rush.asked) == 300
    clock = Running()
    deadline = START + 1500
    await rush.begin(database, Terms("EUR", TIERS, deadline, cap=100))
    store = Store(database, clock.now)
    arrivals = rush.shuffled(seed)
    timers = TimerWorker(store, clock, fire, lambda: None)
    keeping_time = asyncio.create_task(timers.run())
    async with more_to_come(database):
        working = asyncio.ensure_future(work())
        while arrivals:
            now, arrivals = arrivals[:6], arrivals[6:]
            await store.journal(now)
            await asyncio.sleep(max(0, (deadline - clock.now()) / 1000) / max(1, len(arrivals) / 6 - 10))
        await until_closed(store)
    handled = await working
    timers.stop()
    await keeping_time
    assert handled == 300

    received = dict(await fetch(database, "SELECT id, received_at FROM arrival WHERE id LIKE '$asked%'"))
    in_time = {id for id, at in received.items() if at < deadline}
    assert 20 < len(in_time) < 295, "the close was no race"
    buy = await the_buy(database)
    assert buy.status is Status.COLLECTING
    assert {tranche.id for tranche in buy.pledged} == in_time
    orders = await orders_of(database, buy)
    ((waiting,),) = await fetch(database, "SELECT COALESCE(SUM(units), 0) FROM unplaced")
    assert sum(order.units for order in orders) + waiting == len(in_time)
    shown = await signs(database)
    late = received.keys() - in_time
    assert {id for id, keys in shown.items() if keys == [REFUSED]} == late - rush.reactions
    assert {id for id, keys in shown.items() if keys in ([DONE], [WAITING])} == in_time - rush.reactions
    assert sorted(one.content["event_id"] for one in await owed(database, "Redact")) == sorted(late & rush.reactions)
    tells = await owed(database, "Tell")
    too_late = Counter(one.cause for one in tells if one.event["body"].startswith("Too late: "))
    no_buy = Counter(one.cause for one in tells if one.event["body"].startswith("There is no open group buy "))
    assert too_late + no_buy == dict.fromkeys(late, 1)
    assert no_buy.keys() <= unnamed, "who names the buy, or answers its card, is told of that one"
    told = Counter(one.content["user_id"] for one in tells if one.cause.startswith("timer deadline"))
    assert told == dict.fromkeys({rush.asked[id] for id in in_time}, 1)


async def fire(unit: Unit, timer: Timer) -> None:
    await routes.fire(unit, CONFIG, timer)


async def until_closed(store: Store) -> None:
    """Wait until the buy is settled and everything that was asked is handled."""
    async with asyncio.timeout(30):
        while True:
            async with store.look() as unit:
                buy = await unit.buys.get(BUY_ID)
                if not buy.status.is_live and not await unit.inbox.is_waiting_before(START * 2, unit.now):
                    return
            await asyncio.sleep(0.05)
