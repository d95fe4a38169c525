"""The journal of arrivals: each is written down once, handled once, and never lost."""

import asyncio
import json
import random

import asyncpg
import pytest

from appservice.store.db import Database
from appservice.store.inbox import KEPT_MS, MOST_ATTEMPTS, Arrival
from appservice.store.unit import Store
from tests.store.engine import START, SetClock, count, fetch, gathered
from tests.store.given import arrival

LANE = "!room"


async def due(store: Store, lane: str = LANE, limit: int = 50) -> list[Arrival]:
    async with store.look() as unit:
        return await unit.inbox.due(lane, unit.now, limit)


# Writing down


async def test_an_arrival_is_read_back_as_it_was_journaled(store: Store) -> None:
    raw = {"body": "\0 \ud800 🕯", "n": 10**4000, "f": 1.5, "deep": [[[{}]]]}
    assert await store.journal([arrival("$a", LANE, "m.room.message", json.dumps(raw))]) == 1
    assert await due(store) == [Arrival(1, "$a", LANE, "m.room.message", raw, START, 0)]


async def test_a_batch_is_due_in_its_order(store: Store) -> None:
    names = [f"${n}" for n in random.Random(5).sample(range(1000), 60)]
    assert await store.journal([arrival(name, LANE) for name in names]) == 60
    assert [one.id for one in await due(store)] == names[:50]
    assert [one.id for one in await due(store, limit=3)] == names[:3]


async def test_a_repeat_in_the_same_batch_is_written_once(store: Store, database: Database) -> None:
    assert await store.journal([arrival("$a"), arrival("$b"), arrival("$a"), arrival("$a", "!other")]) == 2
    assert await fetch(database, "SELECT id, lane FROM arrival ORDER BY seq") == [
        ("$a", "!group:example.org"),
        ("$b", "!group:example.org"),
    ]


async def test_a_repeat_in_a_later_batch_changes_nothing(store: Store, database: Database, clock: SetClock) -> None:
    await store.journal([arrival("$a", LANE)])
    before = await fetch(database, "SELECT * FROM arrival")
    clock.pass_ms(5)
    assert await store.journal([arrival("$a", "!other", "other", '{"other": 1}')]) == 0
    assert await fetch(database, "SELECT * FROM arrival") == before


async def test_a_repeat_of_what_is_done_is_not_done_again(store: Store) -> None:
    await store.journal([arrival("$a", LANE)])
    async with store.unit() as unit:
        assert await unit.inbox.claim((await unit.inbox.due(LANE, unit.now, 1))[0])
    assert await store.journal([arrival("$a", LANE)]) == 0
    assert await due(store) == []


async def test_the_same_batch_arriving_many_times_at_once_is_written_once(store: Store, database: Database) -> None:
    batch = [arrival(f"${n}", LANE) for n in range(20)]
    assert sum(await gathered(store.journal(batch) for _ in range(8))) == 20
    assert await fetch(database, "SELECT id FROM arrival ORDER BY seq") == [(one.id,) for one in batch]


async def test_overlapping_batches_at_once_lose_nothing_and_double_nothing(store: Store, database: Database) -> None:
    """In opposite order PostgreSQL may have to break a deadlock; the homeserver then sends that batch again."""
    names = [f"${n}" for n in range(12)]

    async def deliver(seed: int) -> int:
        batch = [arrival(name, LANE) for name in random.Random(seed).sample(names, 9)]
        while True:
            try:
                return await store.journal(batch)
            except asyncpg.DeadlockDetectedError:
                await asyncio.sleep(0)

    new = await gathered(deliver(seed) for seed in range(4))
    written = await fetch(database, "SELECT id FROM arrival ORDER BY id")
    assert sum(new) == len(written) == len(set(written))
    assert {id for (id,) in written} == {
        name for seed in range(4) for name in random.Random(seed).sample(names, 9)
    }  # fmt: skip


async def test_known_ids_are_those_that_were_journaled_whatever_became_of_them(store: Store) -> None:
    await store.journal([arrival("$waiting"), arrival("$done", LANE)])
    async with store.unit() as unit:
        await unit.inbox.claim((await unit.inbox.due(LANE, unit.now, 1))[0])
        assert await unit.inbox.known(["$done", "$none", "$waiting"]) == {"$done", "$waiting"}
        assert await unit.inbox.known([]) == set()


async def test_a_batch_that_fails_half_way_leaves_nothing(store: Store, database: Database) -> None:
    broken = arrival("$b", content=None)  # type: ignore[arg-type]
    object.__setattr__(broken, "lane", None)
    with pytest.raises(Exception, match=r"(?i)not.null"):
        await store.journal([arrival("$a"), broken])
    assert await count(database, "arrival") == 0


# Handling


async def test_a_done_arrival_keeps_its_id_and_loses_its_content(store: Store, database: Database) -> None:
    await store.journal([arrival("$a", LANE, content='{"secret": 1}')])
    async with store.unit() as unit:
        assert await unit.inbox.claim((await unit.inbox.due(LANE, unit.now, 1))[0])
    assert await fetch(database, "SELECT id, status, content, error FROM arrival") == [("$a", "done", None, None)]
    assert await due(store) == []


async def test_of_many_who_claim_an_arrival_at_once_one_gets_it(store: Store, database: Database) -> None:
    await store.journal([arrival("$a", LANE)])
    (one,) = await due(store)
    together = asyncio.Barrier(6)

    async def claim() -> bool:
        await together.wait()
        async with store.unit() as unit:
            claimed = await unit.inbox.claim(one)
            if claimed:
                await unit.settings.put(f"by {id(asyncio.current_task())}", "")
            return claimed

    assert sorted(await gathered(claim() for _ in range(6))) == [False] * 5 + [True]
    assert await count(database, "setting") == 1


async def test_a_claim_that_was_undone_is_free_for_others(store: Store) -> None:
    await store.journal([arrival("$a", LANE)])
    (one,) = await due(store)
    with pytest.raises(ZeroDivisionError):
        async with store.unit() as unit:
            assert await unit.inbox.claim(one)
            raise ZeroDivisionError
    async with store.unit() as unit:
        assert await unit.inbox.claim(one)


async def test_lanes_are_due_longest_waiting_first(store: Store) -> None:
    await store.journal([arrival("$1", "!b"), arrival("$2", "!a"), arrival("$3", "!b"), arrival("$4", "!c")])
    async with store.look() as unit:
        assert await unit.inbox.due_lanes(unit.now, 10) == ["!b", "!a", "!c"]
        assert await unit.inbox.due_lanes(unit.now, 2) == ["!b", "!a"]


async def test_nothing_is_due_in_an_empty_journal(store: Store) -> None:
    async with store.look() as unit:
        assert await unit.inbox.due_lanes(unit.now, 10) == []
        assert await unit.inbox.next_due_at() is None
        assert await unit.inbox.due(LANE, unit.now, 10) == []
        assert not await unit.inbox.is_waiting_before(unit.now + 1, unit.now)


async def test_a_failed_arrival_is_tried_again_ever_later_and_parked_at_last(
    store: Store, database: Database, clock: SetClock
) -> None:
    await store.journal([arrival("$bad", LANE, content='{"kept": 1}'), arrival("$good", LANE)])
    waits = []
    for attempt in range(1, MOST_ATTEMPTS + 1):
        bad = (await due(store))[0]
        assert (bad.id, bad.attempts) == ("$bad", attempt - 1)
        async with store.unit() as unit:
            assert await unit.inbox.fail(bad, f"trouble {attempt}", unit.now) is (attempt == MOST_ATTEMPTS)
        assert [one.id for one in await due(store)] == ["$good"]  # it does not hold up the others
        ((due_at,),) = await fetch(database, "SELECT due_at FROM arrival WHERE id = '$bad'")
        waits.append(due_at - clock.at)
        clock.at = due_at - 1
        assert [one.id for one in await due(store)] == ["$good"]
        clock.at = due_at
    assert waits == [1_000, 4_000, 16_000, 64_000, 256_000]
    assert await fetch(database, "SELECT status, attempts, content, error FROM arrival WHERE id = '$bad'") == [
        ("parked", MOST_ATTEMPTS, '{"kept": 1}', f"trouble {MOST_ATTEMPTS}")
    ]
    clock.pass_ms(10**9)
    assert [one.id for one in await due(store)] == ["$good"]


async def test_the_next_due_time_is_that_of_the_first_waiting_arrival(store: Store, clock: SetClock) -> None:
    await store.journal([arrival("$a", LANE)])
    (one,) = await due(store)
    async with store.unit() as unit:
        await unit.inbox.fail(one, "trouble", unit.now)
        assert await unit.inbox.next_due_at() == START + 1_000
        assert await unit.inbox.due_lanes(unit.now, 10) == []


async def test_failing_what_another_worker_has_done_changes_nothing(store: Store, database: Database) -> None:
    await store.journal([arrival("$a", LANE)])
    (one,) = await due(store)
    async with store.unit() as unit:
        await unit.inbox.claim(one)
        await unit.inbox.fail(one, "late", unit.now)
    assert await fetch(database, "SELECT status, attempts, error FROM arrival") == [("done", 0, None)]


async def test_a_long_error_is_cut(store: Store, database: Database) -> None:
    await store.journal([arrival("$a", LANE)])
    async with store.unit() as unit:
        await unit.inbox.fail((await unit.inbox.due(LANE, unit.now, 1))[0], "é" * 9_000, unit.now)
    assert await fetch(database, "SELECT error FROM arrival") == [("é" * 500,)]


@pytest.mark.parametrize("error", ["NUL \0 in it", "a lone \ud800 surrogate"])
async def test_an_error_that_quotes_what_cannot_be_stored_does_not_fail_itself(store: Store, error: str) -> None:
    await store.journal([arrival("$a", LANE)])
    async with store.unit() as unit:
        await unit.inbox.fail((await unit.inbox.due(LANE, unit.now, 1))[0], error, unit.now)


async def test_one_arrival_that_cannot_be_read_does_not_hold_up_its_lane(store: Store, database: Database) -> None:
    await store.journal([arrival("$broken", LANE, content="[" * 100_000), arrival("$good", LANE)])
    assert [one.id for one in await due(store)] == ["$broken", "$good"]


# Forgetting


async def test_ids_are_remembered_for_their_time_and_then_forgotten(
    store: Store, database: Database, clock: SetClock
) -> None:
    for name in ("$old", "$young"):
        await store.journal([arrival(name, LANE)])
        async with store.unit() as unit:
            await unit.inbox.claim((await unit.inbox.due(LANE, unit.now, 1))[0])
        clock.pass_ms(1)
    await store.journal([arrival("$waiting", LANE)])
    await store.journal([arrival("$parked", LANE)])
    async with store.unit() as unit:
        for _ in range(MOST_ATTEMPTS):
            parked = next(a for a in await unit.inbox.due(LANE, unit.now + 10**9, 10) if a.id == "$parked")
            await unit.inbox.fail(parked, "trouble", unit.now)
        await unit.inbox.prune(START + KEPT_MS)
    assert await count(database, "arrival") == 4
    async with store.unit() as unit:
        await unit.inbox.prune(START + KEPT_MS + 1)
    assert await fetch(database, "SELECT id FROM arrival ORDER BY seq") == [("$young",), ("$waiting",), ("$parked",)]
    async with store.unit() as unit:
        await unit.inbox.prune(START + 100 * KEPT_MS)
    assert await fetch(database, "SELECT id FROM arrival ORDER BY seq") == [("$waiting",), ("$parked",)]


async def test_places_in_the_journal_are_never_used_again(store: Store) -> None:
    await store.journal([arrival("$a", LANE)])
    async with store.unit() as unit:
        await unit.inbox.claim((await unit.inbox.due(LANE, unit.now, 1))[0])
        await unit.inbox.prune(START + 2 * KEPT_MS)
    await store.journal([arrival("$b", LANE)])
    assert [one.seq for one in await due(store)] == [2]
