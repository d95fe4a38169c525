"""Scarce things under concurrency: seats and units are given out exactly once, on both engines.

On PostgreSQL two pools stand for two processes: nothing in memory is shared between them.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from appservice.actions import buys, pledges, seats
from appservice.actions.work import Work
from appservice.domain.cause import Cause, Place, Way
from appservice.domain.group_buy import Add, Pledger, Status, Terms, Withdraw
from appservice.domain.ids import Number, UserId
from appservice.domain.refusal import Reason, Refusal
from appservice.present.acknowledge import DONE, REFUSED, WAITING
from appservice.store.db import Database
from appservice.store.unit import Store, Unit
from tests.store.engine import START, SetClock, at_once, count, counts, fetch, gathered
from tests.store.given import BUY, CONFIG, DEADLINE, GROUP, ROOM, arrival, buy_exists, group_exists, member, pledged


def said_by(number: int, event_id: str, received_at: int = START) -> Cause:
    return Cause(event_id, received_at, number, member(number).user_id, ROOM, Place.GROUP, Way.MESSAGE)


# Seats


def invitation(unit: Unit, number: int, user_id: UserId | None = None) -> Coroutine[Any, Any, int | Refusal]:
    """The owner invites a person: gives 0, a place on the waitlist, or a refusal."""
    work = Work(unit, CONFIG, Cause(f"$invite{number}", START, number, GROUP.owner, GROUP.desk_id or ROOM))
    return seats.invite(work, seats.wish_of(work, GROUP.id, user_id or member(number).user_id))


async def test_of_forty_who_are_invited_at_once_ten_get_the_ten_seats_and_thirty_a_place_each(
    stores: list[Store], database: Database
) -> None:
    await group_exists(stores[0])

    async def invite(number: int) -> tuple[int, int | Refusal]:
        async with stores[number % len(stores)].unit() as unit:
            return number, await invitation(unit, number)

    results = await at_once([invite(number) for number in range(40)])
    seated = {member(number).user_id for number, place in results if place == 0}
    waiting = {place: member(number).user_id for number, place in results if place != 0}
    assert len(seated) == 10
    assert sorted(waiting) == list(range(1, 31))
    rows = await fetch(database, "SELECT user_id, presence, number FROM member")
    assert sorted(rows) == sorted((user_id, "invited", None) for user_id in seated)
    in_order = await fetch(database, "SELECT user_id FROM waiting ORDER BY position")
    assert in_order == [(waiting[place],) for place in range(1, 31)]
    effects = await fetch(database, "SELECT kind, lane, status FROM effect")
    assert sorted(effects) == sorted(("Invite", f"invite {ROOM} {user_id}", "waiting") for user_id in seated)
    assert await counts(database) == {
        "coterie_group": 1, "room": 2, "member": 10, "waiting": 30, "effect": 10, "timer": 10,
    }  # fmt: skip


async def test_one_person_invited_by_many_at_once_takes_one_seat(stores: list[Store], database: Database) -> None:
    await group_exists(stores[0], members=9)

    async def invite(n: int) -> int | Refusal:
        async with stores[n % len(stores)].unit() as unit:
            return await invitation(unit, n, UserId("@new:example.org"))

    results = await at_once([invite(n) for n in range(20)])
    found = Counter(place.reason if isinstance(place, Refusal) else place for place in results)
    assert found == {0: 1, Reason.ALREADY_INVITED: 19}
    assert await counts(database) == {"coterie_group": 1, "room": 2, "member": 10, "effect": 1, "timer": 1}


async def test_seats_given_back_and_taken_at_once_never_exceed_the_cap(stores: list[Store], database: Database) -> None:
    """Ten people leave while sixty are invited: at no moment are there more than ten, nor does a seat stay free."""
    await group_exists(stores[0], members=10)
    most = 0

    async def leave(number: int) -> None:
        async with stores[number % len(stores)].unit() as unit:
            await seats.left(Work(unit, CONFIG, Cause(f"$leave{number}", START)), GROUP.id, member(number).user_id)

    async def invite(number: int) -> int | Refusal:
        nonlocal most
        async with stores[number % len(stores)].unit() as unit:
            place = await invitation(unit, number)
            most = max(most, await unit.groups.seats_taken(GROUP.id))
        return place

    for seed in range(3):
        people = range(100 * (seed + 1), 100 * (seed + 1) + 20)
        leaving = range(1, 11) if seed == 0 else ()
        results = await at_once([leave(n) for n in leaving] + [invite(n) for n in people], seed)
        assert not [place for place in results if isinstance(place, Refusal)]
    assert most <= 10
    rows = await fetch(database, "SELECT presence, COUNT(*) FROM member GROUP BY presence ORDER BY presence")
    assert rows == [("invited", 10), ("left", 10)]
    seated = {user_id for (user_id,) in await fetch(database, "SELECT user_id FROM member WHERE presence = 'invited'")}
    invited = await fetch(database, "SELECT lane FROM effect WHERE kind = 'Invite'")
    assert sorted(invited) == sorted((f"invite {ROOM} {user_id}",) for user_id in seated), "each once"
    waiting = {user_id for (user_id,) in await fetch(database, "SELECT user_id FROM waiting")}
    assert len(waiting) == 50 and not waiting & seated


async def test_people_who_come_in_at_once_get_a_number_and_an_alias_each(
    stores: list[Store], database: Database
) -> None:
    await group_exists(stores[0], replace(GROUP, cap=15))

    async def join(number: int) -> None:
        async with stores[number % len(stores)].unit() as unit:
            work = Work(unit, CONFIG, Cause(f"$join{number}", START))
            await seats.joined(work, GROUP.id, member(number % 15).user_id, None)  # each of them twice

    await at_once([join(number) for number in range(30)])
    people = await fetch(database, "SELECT number, alias FROM member ORDER BY number")
    assert [number for number, _ in people] == list(range(1, 16))
    assert len({alias for _, alias in people}) == 15
    assert await fetch(database, "SELECT number, alias FROM alias ORDER BY number") == people
    assert await fetch(database, "SELECT number FROM ledger WHERE fact = 'joined' ORDER BY number") == [
        (number,) for number in range(1, 16)
    ]
    assert await fetch(database, "SELECT COUNT(*) FROM effect WHERE kind = 'Tell'") == [(15,)], "one welcome each"


async def test_of_thirty_who_come_in_at_once_by_other_doors_ten_stay(stores: list[Store], database: Database) -> None:
    await group_exists(stores[0])

    async def join(number: int) -> None:
        async with stores[number % len(stores)].unit() as unit:
            work = Work(unit, CONFIG, Cause(f"$join{number}", START))
            await seats.joined(work, GROUP.id, member(number).user_id, None)

    await at_once([join(number) for number in range(30)])
    stay = {user_id for (user_id,) in await fetch(database, "SELECT user_id FROM member WHERE presence = 'joined'")}
    waiting = {user_id for (user_id,) in await fetch(database, "SELECT user_id FROM waiting")}
    assert len(stay) == 10 and len(waiting) == 20 and not stay & waiting
    removed = await fetch(database, "SELECT lane FROM effect WHERE kind = 'Kick'")
    assert sorted(removed) == sorted((f"invite {ROOM} {user_id}",) for user_id in waiting)


# Units of a group buy


async def sign(unit: Unit, event_id: str) -> str:
    """The sign with which a message was answered: the first effect under it."""
    found = await unit.buys._connection.fetchrow("SELECT content FROM effect WHERE id = $1", f"{event_id}:0")
    for key in (DONE, WAITING, REFUSED):
        if found is not None and key.encode("ascii", "backslashreplace").decode().split("\\ufe0f")[0] in found[0]:
            return key
    return "none"


async def test_of_two_hundred_units_pledged_at_once_the_capped_hundred_are_in_and_all_are_recorded(
    stores: list[Store], database: Database
) -> None:
    terms = Terms("EUR", BUY.terms.tiers, DEADLINE, cap=100)
    await buy_exists(stores[0], replace(BUY, terms=terms), members=200)

    async def pledge(number: int) -> str:
        async with stores[number % len(stores)].unit() as unit:
            work = Work(unit, CONFIG, said_by(number, f"$pledge{number}"))
            await pledges.pledge(
                work, BUY.id, Add(Pledger(GROUP.id, Number(number)), 1, f"$pledge{number}", number, START)
            )
            return await sign(unit, f"$pledge{number}")

    signs = await at_once([pledge(number) for number in range(1, 201)])
    assert await count(database, "tranche") == 200
    assert await fetch(database, "SELECT SUM(units), COUNT(*) FROM ledger WHERE fact = 'pledged'") == [(200, 200)]
    async with stores[0].look() as unit:
        buy = await unit.buys.get(BUY.id)
    assert [tranche.position for tranche in buy.pledged] == list(range(1, 201)), "in the journal's order"
    clearing = buy.clearing()
    assert clearing is not None
    assert {id for id, units in clearing.units.items() if units} == {f"$pledge{n}" for n in range(1, 101)}
    assert clearing.total == sum(clearing.units.values()) == 100
    reached = await fetch(database, "SELECT COUNT(*) FROM ledger WHERE fact = 'tier_reached'")
    assert reached == [(2,)], "each tier is told once"
    # those who came late in the journal but were handled early saw a place, which an earlier one may have taken
    assert Counter(signs)[REFUSED] == 0
    assert Counter(signs)[DONE] >= 100


async def test_pledges_handled_in_order_are_told_rightly_whether_they_are_in(
    stores: list[Store], database: Database
) -> None:
    terms = Terms("EUR", BUY.terms.tiers, DEADLINE, cap=100)
    already = tuple(pledged(f"$p{n}", n, 1, n) for n in range(1, 96))
    await buy_exists(stores[0], replace(BUY, terms=terms, pledged=already, announced=25), members=110)
    signs = []
    for number in range(96, 106):
        async with stores[number % len(stores)].unit() as unit:
            work = Work(unit, CONFIG, said_by(number, f"$pledge{number}"))
            await pledges.pledge(
                work, BUY.id, Add(Pledger(GROUP.id, Number(number)), 1, f"$pledge{number}", number, START)
            )
            signs.append(await sign(unit, f"$pledge{number}"))
    assert signs == [DONE] * 5 + [WAITING] * 5


async def test_one_members_pledges_and_withdrawals_at_once_add_up(stores: list[Store], database: Database) -> None:
    await buy_exists(stores[0], members=3)

    async def change(n: int) -> None:
        number = n % 3 + 1
        pledger = Pledger(GROUP.id, Number(number))
        async with stores[n % len(stores)].unit() as unit:
            work = Work(unit, CONFIG, said_by(number, f"$e{n}"))
            request: Add | Withdraw = Add(pledger, n, f"$e{n}", n, START) if n % 4 else Withdraw(pledger, START)
            await pledges.pledge(work, BUY.id, request)

    await at_once([change(n) for n in range(1, 61)])
    async with stores[0].look() as unit:
        buy = await unit.buys.get(BUY.id)
        entries = await unit.ledger.of_buy(BUY.id)
    for number in (1, 2, 3):
        booked = sum(entry.units for entry in entries if entry.number == number)
        mine = buy.tranches_of(Pledger(GROUP.id, Number(number)))
        assert booked == sum(tranche.quantity for tranche in mine)


# Closing against pledging


@pytest.mark.parametrize("seed", range(3))
async def test_every_pledge_that_races_with_the_closing_is_in_the_result_or_refused(
    stores: list[Store], database: Database, clock: SetClock, seed: int
) -> None:
    dice = random.Random(seed)
    await buy_exists(stores[0], members=200)
    recorded: set[str] = set()
    refused: set[str] = set()

    async def pledge(number: int) -> None:
        await asyncio.sleep(dice.random() * 0.3)
        event_id = f"$pledge{number}"
        async with stores[number % len(stores)].unit() as unit:
            received_at = unit.now if number % 2 else START  # too late by the clock, or by the buy's status only
            work = Work(unit, CONFIG, said_by(number, event_id, received_at))
            request = Add(Pledger(GROUP.id, Number(number)), dice.randint(1, 3), event_id, number, received_at)
            await pledges.pledge(work, BUY.id, request)
            answer = await sign(unit, event_id)
        (refused if answer == REFUSED else recorded).add(event_id)

    async def settle() -> None:
        await asyncio.sleep(0.1 + dice.random() * 0.1)
        clock.at = DEADLINE
        for _ in range(5):
            async with stores[-1].unit() as unit:
                await buys.settle(Work(unit, CONFIG, Cause(f"timer {dice.random()}", unit.now)), BUY.id)
            await asyncio.sleep(0.02)

    await gathered([settle(), *(pledge(number) for number in range(1, 201))])
    assert len(recorded) + len(refused) == 200
    assert recorded
    assert refused, "the closing came too late for a race"
    async with stores[0].look() as unit:
        buy = await unit.buys.get(BUY.id)
        state = await unit.orders.get(buy)
        entries = await unit.ledger.of_buy(BUY.id)
    assert buy.status is Status.COLLECTING
    assert {tranche.id for tranche in buy.pledged} == recorded
    clearing = buy.clearing()
    assert clearing is not None and state is not None
    orders = state.orders
    assert sum(order.units for order in orders) == sum(clearing.units.values()) == clearing.total
    assert sum(order.total for order in orders) == clearing.total * clearing.unit_price
    assert {order.pledger for order in orders} == {t.pledger for t in buy.pledged}
    booked = Counter(entry.fact for entry in entries)
    assert booked["succeeded"] == 1, "it is settled once, however often the timer fires"
    assert booked["order"] == len(orders)
    assert booked["pledged"] == len(recorded)
    last = max(n for n, entry in enumerate(entries) if entry.fact == "pledged")
    assert last < next(n for n, entry in enumerate(entries) if entry.fact == "succeeded")
    told = await fetch(database, "SELECT COUNT(*) FROM effect WHERE kind = 'Tell' AND id LIKE 'timer%'")
    assert told == [(len(recorded),)], "a receipt each"


async def test_a_buy_that_many_settle_at_once_is_settled_once(
    stores: list[Store], database: Database, clock: SetClock
) -> None:
    full = replace(BUY, pledged=tuple(pledged(f"$p{n}", n, 5, n) for n in range(1, 9)))
    await buy_exists(stores[0], full, members=8)
    clock.at = DEADLINE

    async def settle(n: int) -> None:
        async with stores[n % len(stores)].unit() as unit:
            await buys.settle(Work(unit, CONFIG, Cause(f"timer {n}", unit.now)), BUY.id)

    await at_once([settle(n) for n in range(12)])
    assert await count(database, "purchase_order") == 8
    assert await fetch(database, "SELECT COUNT(*) FROM ledger WHERE fact = 'succeeded'") == [(1,)]
    assert await fetch(database, "SELECT COUNT(*) FROM effect WHERE kind = 'Tell'") == [(8,)]


async def test_what_was_journaled_in_time_is_waited_for_before_the_settling(
    stores: list[Store], database: Database, clock: SetClock
) -> None:
    await buy_exists(stores[0])
    clock.at = DEADLINE - 1
    await stores[0].journal([arrival("$late", ROOM)])
    clock.at = DEADLINE + 5

    async def settle() -> Status:
        async with stores[-1].unit() as unit:
            await buys.settle(Work(unit, CONFIG, Cause(f"timer {unit.now}", unit.now)), BUY.id)
            return (await unit.buys.get(BUY.id)).status

    assert await settle() is Status.OPEN
    async with stores[0].unit() as unit:
        assert [timer.subject for timer in await unit.timers.due(unit.now + 200, 9)] == [BUY.id]
        await unit.inbox.claim((await unit.inbox.due(ROOM, unit.now, 1))[0])
    assert await settle() is Status.FAILED
