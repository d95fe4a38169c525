"""Owed effects: carried out in order within a lane, each lane for itself, at least once."""

from typing import Any

import pytest

from appservice.domain.effect import Kick, Leave, Tell, direct_lane
from appservice.domain.ids import RoomId, UserId
from appservice.store.db import Database
from appservice.store.outbox import KEPT_MS, Owed
from appservice.store.unit import Store
from tests.store.engine import START, SetClock, count, fetch, gathered

A, B = RoomId("!a"), RoomId("!b")
ANA = UserId("@ana:example.org")


async def put(store: Store, *ids: str, room: RoomId = A, held: bool = False) -> None:
    async with store.unit() as unit:
        for id in ids:
            await unit.outbox.put(id, Leave(room), unit.now, held=held)


async def head(store: Store, lane: str = A) -> Owed | None:
    async with store.look() as unit:
        return await unit.outbox.head(lane, unit.now)


async def first(store: Store, lane: str = A) -> Owed:
    owed = await head(store, lane)
    assert owed is not None
    return owed


async def lanes(store: Store) -> list[str]:
    async with store.look() as unit:
        return await unit.outbox.due_lanes(unit.now, 10)


async def statuses(database: Database) -> dict[str, str]:
    return dict(await fetch(database, "SELECT id, status FROM effect"))  # type: ignore[arg-type]


async def test_a_lane_gives_its_first_effect_only(store: Store) -> None:
    await put(store, "1", "2")
    assert (await first(store)).id == "1"
    assert (await first(store)).id == "1"
    async with store.unit() as unit:
        assert await unit.outbox.finish(await first(store))
    assert (await first(store)).id == "2"


async def test_lanes_with_something_due_are_given_longest_waiting_first(store: Store) -> None:
    await put(store, "1", room=B)
    await put(store, "2", "3")
    assert await lanes(store) == [B, A]
    async with store.look() as unit:
        assert await unit.outbox.due_lanes(unit.now, 1) == [B]


async def test_an_empty_outbox_has_nothing_due(store: Store) -> None:
    async with store.look() as unit:
        assert await unit.outbox.head(A, unit.now) is None
        assert await unit.outbox.due_lanes(unit.now, 10) == []
        assert await unit.outbox.next_due_at() is None


async def test_an_effect_is_never_owed_twice_under_one_id(store: Store, database: Database) -> None:
    await put(store, "1")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await put(store, "2", "1")
    assert await statuses(database) == {"1": "waiting"}


async def test_a_finished_effect_keeps_its_id_and_loses_its_content(store: Store, database: Database) -> None:
    await put(store, "1")
    owed = await first(store)
    async with store.unit() as unit:
        assert await unit.outbox.finish(owed)
        assert not await unit.outbox.finish(owed)
    assert await fetch(database, "SELECT id, status, content, error FROM effect") == [("1", "sent", None, None)]
    assert await head(store) is None


async def test_of_many_who_finish_an_effect_at_once_one_is_told_so(store: Store) -> None:
    await put(store, "1")
    owed = await first(store)

    async def finish() -> bool:
        async with store.unit() as unit:
            return await unit.outbox.finish(owed)

    assert sorted(await gathered(finish() for _ in range(6))) == [False] * 5 + [True]


# Waiting


async def test_a_postponed_effect_holds_its_lane_and_no_other(store: Store, clock: SetClock) -> None:
    await put(store, "1", "2")
    await put(store, "3", room=B)
    async with store.unit() as unit:
        await unit.outbox.postpone(await first(store), START + 500, "503")
    assert await lanes(store) == [B]
    assert await head(store) is None
    assert (await first(store, B)).id == "3"
    async with store.look() as unit:
        assert await unit.outbox.next_due_at() == START  # of lane B
    clock.at = START + 499
    assert await lanes(store) == [B]
    clock.at = START + 500
    assert await lanes(store) == [A, B]
    owed = await first(store)
    assert (owed.id, owed.attempts) == ("1", 1)


async def test_the_next_due_time_is_that_of_a_lanes_first_effect_and_not_of_those_behind_it(store: Store) -> None:
    await put(store, "1", "2")
    async with store.unit() as unit:
        await unit.outbox.postpone(await first(store), START + 500, "503")
        assert await unit.outbox.next_due_at() == START + 500


async def test_each_postponing_counts_as_an_attempt_and_notes_the_error(store: Store, database: Database) -> None:
    await put(store, "1")
    owed = await first(store)
    for n in range(3):
        async with store.unit() as unit:
            await unit.outbox.postpone(owed, START, f"{n}" * 600)
    assert await fetch(database, "SELECT status, attempts, error FROM effect") == [("waiting", 3, "2" * 500)]


async def test_postponing_or_parking_what_was_finished_meanwhile_changes_nothing(
    store: Store, database: Database
) -> None:
    await put(store, "1")
    owed = await first(store)
    async with store.unit() as unit:
        await unit.outbox.finish(owed)
        await unit.outbox.postpone(owed, START + 1, "late")
        await unit.outbox.park(owed, "late")
    assert await fetch(database, "SELECT status, attempts, error FROM effect") == [("sent", 0, None)]


async def test_a_parked_effect_lets_its_lane_go_on(store: Store, database: Database) -> None:
    await put(store, "1", "2")
    async with store.unit() as unit:
        await unit.outbox.park(await first(store), "M_FORBIDDEN")
    assert (await first(store)).id == "2"
    parked = await fetch(database, "SELECT status, attempts, error, content FROM effect WHERE id = '1'")
    assert parked == [("parked", 1, "M_FORBIDDEN", '{"room_id": "!a"}')]


@pytest.mark.parametrize("error", ["NUL \0 in it", "a lone \ud800 surrogate"])
async def test_an_error_that_quotes_what_cannot_be_stored_does_not_fail_itself(store: Store, error: str) -> None:
    await put(store, "1", "2")
    async with store.unit() as unit:
        await unit.outbox.postpone(await first(store), START, error)
        await unit.outbox.park(await first(store), error)


# Holding


async def tell(store: Store, id: str, *, held: bool) -> None:
    async with store.unit() as unit:
        await unit.outbox.put(id, Tell(ANA, {"body": id}), unit.now, held=held)


async def test_held_effects_wait_until_their_lane_is_released(
    store: Store, database: Database, clock: SetClock
) -> None:
    lane = direct_lane(ANA)
    await tell(store, "1", held=True)
    await tell(store, "2", held=True)
    await put(store, "3", held=True)
    clock.pass_ms(10**9)
    assert await lanes(store) == []
    assert await head(store, lane) is None
    async with store.unit() as unit:
        assert await unit.outbox.next_due_at() is None
        await unit.outbox.release(lane, unit.now)
    assert await lanes(store) == [lane]
    assert (await first(store, lane)).id == "1"
    assert await statuses(database) == {"1": "waiting", "2": "waiting", "3": "held"}


async def test_a_released_lane_keeps_the_order_in_which_things_were_said(store: Store) -> None:
    lane = direct_lane(ANA)
    await tell(store, "1", held=True)
    await tell(store, "2", held=True)
    async with store.unit() as unit:
        await unit.outbox.release(lane, unit.now)
    await tell(store, "3", held=False)
    order = []
    for _ in range(3):
        owed = await first(store, lane)
        order.append(owed.id)
        async with store.unit() as unit:
            await unit.outbox.finish(owed)
    assert order == ["1", "2", "3"]


async def test_holding_a_lane_keeps_back_what_waits_in_it_and_nothing_else(store: Store, database: Database) -> None:
    lane = direct_lane(ANA)
    for id in ("sent", "parked", "waiting"):
        await tell(store, id, held=False)
    await put(store, "other")
    async with store.unit() as unit:
        await unit.outbox.finish(await first(store, lane))
    async with store.unit() as unit:
        await unit.outbox.park(await first(store, lane), "no")
        await unit.outbox.hold(lane)
    expected = {"sent": "sent", "parked": "parked", "waiting": "held", "other": "waiting"}
    assert await statuses(database) == expected
    async with store.unit() as unit:
        await unit.outbox.release(lane, unit.now)
    assert await statuses(database) == expected | {"waiting": "waiting"}


async def test_what_waited_long_before_it_is_held_again_is_due_at_once_after_release(
    store: Store, clock: SetClock
) -> None:
    lane = direct_lane(ANA)
    await tell(store, "1", held=False)
    async with store.unit() as unit:
        await unit.outbox.postpone(await first(store, lane), START + 300_000, "503")
        await unit.outbox.hold(lane)
    async with store.unit() as unit:
        await unit.outbox.release(lane, unit.now)
    assert (await first(store, lane)).id == "1"


# Forgetting


async def test_only_effects_carried_out_long_ago_are_forgotten(
    store: Store, database: Database, clock: SetClock
) -> None:
    for id, status in (("a", "sent"), ("b", "sent"), ("c", "waiting"), ("d", "held"), ("e", "parked")):
        await put(store, id, held=status == "held")
        async with store.unit() as unit:
            owed: Any = next((o for o in [await unit.outbox.head(A, unit.now)] if o and o.id == id), None)
            if status == "sent":
                await unit.outbox.finish(owed)
        if id == "a":
            clock.pass_ms(1)
    async with store.unit() as unit:
        await unit.outbox.prune(START + KEPT_MS)
    assert await count(database, "effect") == 5
    async with store.unit() as unit:
        await unit.outbox.prune(START + KEPT_MS + 1)
    assert sorted(await statuses(database)) == ["b", "c", "d", "e"]
    async with store.unit() as unit:
        await unit.outbox.prune(START + 100 * KEPT_MS)
    assert sorted(await statuses(database)) == ["c", "d", "e"]


async def test_a_lane_is_busy_while_something_waits_in_it_and_shortly_after(
    store: Store, clock: SetClock, database: Database
) -> None:
    kick = Kick(RoomId("!a:example.org"), UserId("@ana:example.org"), "out")
    async with store.unit() as unit:
        assert not await unit.outbox.is_busy(kick.lane, 0)
        await unit.outbox.put("one", kick, unit.now)
        assert await unit.outbox.is_busy(kick.lane, unit.now + 1)
        owed = await unit.outbox.head(kick.lane, unit.now)
        assert owed is not None
        await unit.outbox.finish(owed)
        assert await unit.outbox.is_busy(kick.lane, unit.now)
        assert not await unit.outbox.is_busy(kick.lane, unit.now + 1)
        assert not await unit.outbox.is_busy("invite !b:example.org @ana:example.org", 0)
