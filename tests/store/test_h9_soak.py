"""What many do at once to a group buy that has closed: nothing is lost, no unit is given twice, the books agree.

On PostgreSQL two pools stand for two processes: nothing in memory is shared between them.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from appservice.actions import buys, reports, sharing
from appservice.actions.cards import showings
from appservice.actions.work import Work
from appservice.domain.account import refunds_due
from appservice.domain.cause import Cause
from appservice.domain.duration import HOUR_MS
from appservice.domain.fulfilment import Absorb, Deliver, Drop, HouseTake, Refund, Rule
from appservice.domain.group_buy import Advance, Cancel, Order, OrderStatus, Status
from appservice.domain.ids import GroupId, RoomId
from appservice.domain.member import Role
from appservice.domain.refusal import Reason, Refusal
from appservice.payment.report import Kind, Report
from appservice.store.db import Database
from appservice.store.unit import Store
from tests.store.after_close import ID, PAY_BY, REMIND_AT, ROSA, After, Do
from tests.store.engine import SetClock, at_once, count, fetch, gathered
from tests.store.given import CONFIG, DEADLINE, GROUP, arrival, group_exists, member

OTHER = replace(GROUP, id=GroupId("g2"), name="Tea circle", room_id=RoomId("!tea:example.org"), desk_id=None)


@pytest.fixture
async def after(stores: list[Store], clock: SetClock) -> After:
    found = After(stores, clock)
    await found.begin()
    await found.close()
    assert len((await found.state()).orders) == len((await found.state()).waiting) == 10
    return found


def reasons(results: Sequence[Refusal | None]) -> Counter[Reason | None]:
    return Counter(None if result is None else result.reason for result in results)


async def bodies(database: Database, words: str) -> int:
    """How many messages are owed that say something."""
    ((found,),) = await fetch(database, "SELECT COUNT(*) FROM effect WHERE kind = 'Tell' AND content LIKE $1", words)
    return int(found)


# Payments


async def test_a_payment_that_is_reported_often_is_booked_once_under_each_reference(
    after: After, database: Database
) -> None:
    """For each order Stripe sends three reports of one payment, under two events; two concierges enter cash."""
    bills = (await after.state()).orders

    async def reported(order: Order, event: str) -> None:
        report = Report(Kind.PAID, event, f"pi-{order.id}", order.total, "EUR", order.id, ID)
        await after.act(lambda work: reports.heard(work, report))

    webhooks = [reported(order, f"evt{n}-{order.id}") for order in bills for n in (1, 2, 2)]
    by_hand = [after.pay(order, f"cash-{order.id}", ROSA) for order in bills for _ in "ab"]
    results = await at_once([*webhooks, *by_hand])
    assert reasons(results[30:]) == {None: 10, Reason.PAYMENT_KNOWN: 10}
    after.paid |= {f"pi-{order.id}": order.total for order in bills}
    state = await after.state()
    after.assert_money_is_there(state)
    assert {order.status for order in state.orders} == {OrderStatus.PAID}
    assert refunds_due(state) == tuple((order, order.total) for order in state.orders), "cash and card both came"
    assert await bodies(database, "%is paid%") == 10, "each is told once"


@pytest.mark.parametrize("seed", range(3))
async def test_who_pays_while_their_order_is_dropped_has_the_units_or_a_refund_due(after: After, seed: int) -> None:
    bills = (await after.state()).orders
    after.clock.at = REMIND_AT
    await after.collect()
    assert {order.reminders for order in (await after.state()).orders} == {1}
    after.clock.at = PAY_BY
    paying = [after.pay(order, f"pi-{order.id}") for order in bills]
    assert reasons(await at_once([*paying, *(after.collect() for _ in range(4))], seed)) == {None: 14}
    state = await after.state()
    after.assert_money_is_there(state)
    for order in state.orders:
        if order.status is OrderStatus.PAID:
            assert state.due(order) == 0
        else:
            assert order.status is OrderStatus.DROPPED
            assert state.due(order) == -order.total
    dropped = sum(not order.status.is_live for order in state.orders)
    assert sum(one.offered for one in state.waiting) == dropped, "what became free is offered"


async def test_a_buy_that_is_cancelled_while_people_pay_and_take_owes_back_all_that_came(after: After) -> None:
    await after.drop(0, 1, 2)
    bills = (await after.state()).live_orders()
    paying = [after.pay(order, f"pi-{order.id}") for order in bills]
    taking = [after.take(number) for number in (11, 12, 13)]
    calling_off = [after.ask(Cancel("none left", ROSA)) for _ in "ab"]
    results = await at_once([*calling_off, *paying, *taking])
    assert reasons(results[:2]) == {None: 1, Reason.WRONG_STEP: 1}
    assert reasons(results[2:9]) == {None: 7}, "money that comes is written down whatever was decided"
    assert reasons(results[9:]).keys() <= {None, Reason.NO_OFFER, Reason.NOT_COLLECTING}
    state = await after.state()
    after.assert_money_is_there(state)
    assert state.status is Status.CANCELLED
    assert state.live_orders() == [] and state.waiting == ()
    assert sum(amount for _, amount in refunds_due(state)) == sum(order.total for order in bills)


async def test_of_two_refunds_of_what_is_due_once_one_is_booked(after: After) -> None:
    (bill, *_) = (await after.state()).orders
    await after.pay(bill, "pi-1")
    await after.pay(bill, "cash", ROSA)
    refunds = [after.ask(Refund(bill.id, bill.total, f"back{n}", ROSA, "paid twice")) for n in range(4)]
    assert reasons(await at_once(refunds)) == {None: 1, Reason.TOO_MUCH: 3}
    assert refunds_due(await after.state()) == ()


# What became free


@pytest.mark.parametrize("seed", range(3))
async def test_an_offer_that_is_taken_while_it_lapses_is_an_order_or_refused(after: After, seed: int) -> None:
    await after.drop(0, 1, 2, 3, 4)
    after.clock.at += CONFIG.purchase.offer_hours * HOUR_MS
    in_time = after.clock.at - 1
    taking = [after.take(number, in_time) for number in range(11, 16)]
    late = [after.take(number) for number in (11, 12)]
    results = await at_once([*taking, *late, *(after.collect() for _ in range(3))], seed)
    state = await after.state()
    took = {11 + place for place, refusal in enumerate(results[:5]) if refusal is None}
    assert {order.pledger.number for order in state.orders[10:]} == took
    assert reasons(results[:5]).keys() <= {None, Reason.NO_OFFER}
    assert {one.pledger.number for one in state.waiting if one.passed} == set(range(11, 16)) - took
    assert sum(one.offered for one in state.waiting) == 5 - len(took), "the next in line are asked"


async def test_what_one_can_have_is_never_given_to_two(after: After, database: Database) -> None:
    """Three of ten units become free one by one while all who wait take or decline over and over, and two concierges
    offer anew."""
    state = await after.state()
    after.clock.at = PAY_BY
    dropping = [after.ask(Drop(order.id, PAY_BY, ROSA)) for order in state.orders[:3] for _ in "ab"]
    offering = [after.offer() for _ in range(4)]
    answering = [after.take(number) for number in range(11, 21) for _ in "abc"]
    declining = [after.decline(number) for number in (11, 14, 17)]
    results = await at_once([*dropping, *offering, *answering, *declining])
    assert reasons(results[:6]) == {None: 3, Reason.NOTHING_OWED: 3}
    assert reasons(results[10:]).keys() <= {None, Reason.NO_OFFER}
    while offered := await after.offered():  # whoever is offered something takes it, twice at once
        twice = await at_once([after.take(number) for number in offered for _ in "ab"])
        assert reasons(twice) == {None: len(offered), Reason.NO_OFFER: len(offered)}
    state = await after.state()
    assert len(state.live_orders()) <= 10
    assert state.spoken_for() + state.free() == 10
    receipts = await bodies(database, "%shop.coterie.order%")
    assert receipts == len(state.orders), "a receipt for each order"


@pytest.mark.parametrize("seed", range(3))
async def test_house_and_members_who_take_at_once_never_have_more_than_there_is(after: After, seed: int) -> None:
    await after.drop(0, 1, 2, 3)
    while offered := await after.offered():
        await gathered(after.decline(number) for number in offered)
    assert (await after.state()).at_risk == 4
    house = [after.ask(HouseTake(units, ROSA)) for units in (1, 2, 3)]
    others = [after.offer(), after.offer(), after.ask(Absorb(ROSA, "fewer then"))]
    taking = [after.take(number) for number in range(11, 21)]
    results = await at_once([*house, *others, *taking], seed)
    state = await after.state()
    took = sum(refusal is None for refusal in results[6:])
    in_house = sum(units for units, refusal in zip((1, 2, 3), results, strict=False) if refusal is None)
    assert took == len(state.orders) - 10
    assert in_house == sum(units for _, units in state.house)
    assert 6 + took + in_house <= 10


async def test_what_was_written_in_time_is_waited_for_before_an_offer_lapses(after: After) -> None:
    await after.drop(0)
    after.clock.at += CONFIG.purchase.offer_hours * HOUR_MS - 1
    await after.stores[0].journal([arrival("$late", "!direct:example.org")])
    after.clock.at += 1
    await after.collect()
    assert await after.offered() == [11]
    async with after.stores[0].unit() as unit:
        assert (await unit.timers.due_at("collect", ID) or 0) <= after.clock.at + 1000
        await unit.inbox.claim((await unit.inbox.due("!direct:example.org", unit.now, 1))[0])
    await after.collect()
    assert await after.offered() == [12]


async def test_a_payment_that_was_reported_in_time_is_waited_for_before_an_order_is_dropped(after: After) -> None:
    after.clock.at = REMIND_AT
    await after.collect()
    after.clock.at = PAY_BY - 1
    await after.stores[0].journal([arrival("stripe evt", "stripe")])
    after.clock.at = PAY_BY
    await after.collect()
    assert {order.status for order in (await after.state()).orders} == {OrderStatus.OWED}
    after.clock.at += 10 * 60_000  # it cannot be handled at all: nobody waits for ever
    await after.collect()
    assert {order.status for order in (await after.state()).orders} == {OrderStatus.DROPPED}


# Steps and deliveries


async def test_a_step_that_is_taken_twice_counts_once_and_none_is_left_out(after: After, database: Database) -> None:
    steps = (Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE)
    asked = [after.ask(Advance(step, ROSA)) for step in steps for _ in "abc"]
    results = await at_once(asked)
    assert reasons(results).keys() <= {None, Reason.WRONG_STEP}
    state = await after.state()
    went = steps[: steps.index(state.status) + 1] if state.status in steps else ()
    assert reasons(results)[None] == len(went)
    facts = await fetch(database, "SELECT detail FROM ledger WHERE fact = 'advanced' ORDER BY seq")
    assert [detail.count(step.value) for (detail,), step in zip(facts[1:], went, strict=True)] == [1] * len(went)
    for step in steps[len(went) :]:
        assert reasons(await at_once([after.ask(Advance(step, ROSA)) for _ in "abc"])) == {
            None: 1, Reason.WRONG_STEP: 2,
        }  # fmt: skip
    assert await bodies(database, "%can be collected%") == 10, "each is told once"


@pytest.mark.parametrize("seed", range(3))
async def test_of_two_deliveries_entered_at_once_the_last_one_counts(after: After, seed: int) -> None:
    for order in (await after.state()).orders[:6]:
        await after.pay(order, f"pi-{order.id}")
    await after.ask(Advance(Status.ORDERED, ROSA))
    await after.ask(Advance(Status.ARRIVED, ROSA))
    entering = [after.ask(Deliver({"": units}, rule, ROSA)) for units, rule in (
        (7, Rule.FIRST_COME), (9, Rule.PRO_RATA), (8, Rule.FIRST_COME)
    )]  # fmt: skip
    rest = (await after.state()).orders[6:]
    results = await at_once(
        [*entering, after.ask(Advance(Status.HANDING_OUT, ROSA)), *(after.pay(o, f"pi-{o.id}") for o in rest)], seed
    )
    assert reasons(results[3:]) == {None: 5}
    assert reasons(results[:3]).keys() <= {None, Reason.NOT_ARRIVED}
    state = await after.state()
    after.assert_money_is_there(state)
    async with after.stores[0].look() as unit:
        delivered = [entry.detail["arrived"] for entry in await unit.ledger.of_buy(ID) if entry.fact == "delivered"]
    came = delivered[-1][0][1] if delivered else 10
    assert sum(order.units for order in state.orders) == came
    assert sum(amount for _, amount in refunds_due(state)) == sum(
        order.total - (6900 if order.units else 0) - order.shared_due for order in state.orders
    ) + sum(after.paid[f"pi-{order.id}"] - order.total for order in state.orders)


# All of it


@pytest.mark.parametrize("seed", range(100, 125))
async def test_whatever_is_done_at_once_nothing_is_lost_and_the_books_agree(after: After, seed: int) -> None:
    """A hundred and twenty acts of chance in five waves, while somebody looks."""
    dice = random.Random(seed)
    after.clock.at = REMIND_AT
    await after.collect()
    for wave in range(5):
        after.clock.at = PAY_BY + wave * CONFIG.purchase.offer_hours * HOUR_MS
        bills = (await after.state()).orders
        await at_once([_chance(after, dice, bills, wave) for _ in range(24)], seed)
    after.assert_money_is_there(await after.state())


def _chance(after: After, dice: random.Random, bills: Sequence[Order], wave: int) -> Awaitable[object]:
    """Something that somebody may do at that time; the later steps only towards the end."""
    bill, number, units = dice.choice(bills), dice.randint(11, 20), dice.randint(0, 3)
    ways: list[Callable[[], Awaitable[object]]] = [
        lambda: after.pay(bill, f"pi{number}-{wave}"),
        lambda: after.take(number, after.clock.at - units),
        lambda: after.decline(number),
        after.collect,
        after.offer,
        lambda: after.ask(Drop(bill.id, after.clock.at, ROSA)),
        lambda: after.ask(HouseTake(units, ROSA)),
        after.state,
    ]
    steps = (Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT)
    later: list[Callable[[], Awaitable[object]]] = [
        lambda: after.ask(Absorb(ROSA)),
        lambda: after.ask(Advance(steps[units % 3], ROSA)),
        lambda: after.ask(Deliver({"": number - 11}, Rule.PRO_RATA, ROSA)),
    ]
    last: list[Callable[[], Awaitable[object]]] = [lambda: after.ask(Cancel("no more", ROSA))]
    if wave > 2:
        ways += later
    if wave > 3:
        ways += last
    return dice.choice(ways)()


# Before the close


@pytest.mark.parametrize("seed", range(4))
async def test_a_buy_that_is_shared_while_it_closes_is_shown_there_to_its_end_or_not_at_all(
    stores: list[Store], clock: SetClock, database: Database, seed: int
) -> None:
    after = After(stores, clock)
    await after.begin()
    await group_exists(stores[0], OTHER, members=3)
    async with stores[0].unit() as unit:
        owner = replace(member(1), power=Role.OWNER)
        await unit.groups.save_member(replace(owner, group_id=OTHER.id), unit.now)

    clock.at = DEADLINE
    dice = random.Random(seed)

    async def later(do: Do) -> Refusal | None:
        await asyncio.sleep(dice.random() * 0.02)
        return await after.act(do)

    sharings = [later(lambda work: sharing.share(work, owner, ID, OTHER.id)) for _ in "ab"]
    closings = [later(lambda work: buys.settle(work, ID)) for _ in "ab"]
    results = await at_once([*sharings, *closings], seed)
    assert reasons(results[:2]) in (
        {None: 1, Reason.ALREADY_SHARED: 1}, {None: 1, Reason.NOT_OPEN: 1}, {Reason.NOT_OPEN: 2},
    )  # fmt: skip
    shared = None in results[:2]
    await after.state()
    async with stores[0].look() as unit:
        rooms = {room for _, room in await showings(Work(unit, CONFIG, Cause("look", 0)), await unit.buys.get(ID))}
    assert (OTHER.room_id in rooms) is shared
    said = await fetch(database, "SELECT COUNT(*) FROM effect WHERE lane = $1 AND kind = 'SendEvent'", OTHER.room_id)
    assert said == [(2 if shared else 0,)], "its card, and its result"
    assert await count(database, "card") == 1 + shared
