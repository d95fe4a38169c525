"""Keys: who may be read with which, what waits for one, and what is never written twice."""

import asyncio
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import attrs
import pytest
from mautrix.crypto.store.asyncpg.upgrade import upgrade_table
from mautrix.util.async_db import Database as AsyncDatabase

import appservice.matrix.crypto  # noqa: F401  - takes the place of python-olm
from appservice.domain.duration import DAY_MS
from appservice.domain.ids import RoomId
from appservice.matrix.crypto.machine import Machine
from appservice.matrix.crypto.sessions import MOST_SESSIONS
from appservice.store.db import Database
from appservice.store.inbox import KEPT_KEYLESS_MS, KEY_WAIT_MS, NewArrival
from appservice.store.keys import KEPT_MS, Inbound, Outbound
from appservice.store.lent import LentDatabase
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Store
from tests.store.engine import START, SetClock, fetch, gathered
from tests.store.given import DEADLINE, GROUP, ROOM, arrival, group_exists, member

ANA, OTTO = "@ana:example.org", "@otto:example.org"
KEY = Inbound(ROOM, "session", ANA, "curve", "pickle", 0)
OURS = Outbound(ROOM, "ours", "pickle", 0, 0, START, [(ANA, "A1")], START + 60_000)
ENCRYPTION = {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 5}


@pytest.fixture
async def room(store: Store) -> Room:
    room = Room(ROOM, RoomKind.GROUP, GROUP.id, ENCRYPTION)
    async with store.unit() as unit:
        await unit.rooms.add(room)
    return room


async def test_a_key_reads_only_what_the_person_wrote_who_gave_it(store: Store) -> None:
    async with store.unit() as unit:
        assert await unit.keys.put_inbound(KEY, START)
        assert await unit.keys.put_inbound(replace(KEY, user_id=OTTO, session="copied"), START)
    async with store.look() as unit:
        assert await unit.keys.inbound(ROOM, "session", ANA) == KEY
        assert (await unit.keys.inbound(ROOM, "session", OTTO) or KEY).session == "copied"
        assert await unit.keys.inbound("!elsewhere", "session", ANA) is None
        assert await unit.keys.inbound(ROOM, "session", "@mia:example.org") is None


async def test_a_key_that_reads_less_takes_no_key_away_that_reads_more(store: Store) -> None:
    later, earlier = replace(KEY, first_index=5, session="later"), replace(KEY, first_index=2, session="earlier")
    async with store.unit() as unit:
        assert await unit.keys.put_inbound(later, START)
        assert await unit.keys.put_inbound(earlier, START)
        assert not await unit.keys.put_inbound(later, START)
        assert await unit.keys.inbound(ROOM, "session", ANA) == earlier


async def test_each_place_of_a_session_is_one_event_for_ever(store: Store) -> None:
    async with store.unit() as unit:
        assert await unit.keys.is_first("session", ANA, 3, "$a", START)
        assert await unit.keys.is_first("session", ANA, 3, "$a", START)  # read again after a crash
        assert not await unit.keys.is_first("session", ANA, 3, "$b", START)
        assert await unit.keys.is_first("session", ANA, 4, "$b", START)
        assert await unit.keys.is_first("another", ANA, 3, "$b", START)
        assert await unit.keys.is_first("session", OTTO, 3, "$b", START)  # who has stolen it


async def test_of_many_events_at_the_same_place_one_counts(store: Store) -> None:
    async def read(event_id: str) -> bool:
        async with store.unit() as unit:
            return await unit.keys.is_first("session", ANA, 0, event_id, unit.now)

    assert sum(await gathered(read(f"${number}") for number in range(30))) == 1


async def test_a_key_is_kept_while_it_is_in_use(store: Store) -> None:
    async with store.unit() as unit:
        await unit.keys.put_inbound(KEY, START)
        await unit.keys.put_inbound(replace(KEY, user_id=OTTO), START)
        await unit.keys.is_first("session", ANA, 0, "$a", START + KEPT_MS)
        await unit.keys.prune(START + KEPT_MS + 1)
        assert await unit.keys.inbound(ROOM, "session", ANA) is not None
        assert await unit.keys.inbound(ROOM, "session", OTTO) is None
        await unit.keys.prune(START + 2 * KEPT_MS + 1)
        assert await unit.keys.inbound(ROOM, "session", ANA) is None


async def test_keys_are_kept_for_a_week(store: Store) -> None:
    async with store.unit() as unit:
        await unit.keys.put_inbound(KEY, START)
        await unit.keys.is_first("session", ANA, 0, "$a", START)
        await unit.keys.prune(START + KEPT_MS)
        assert await unit.keys.inbound(ROOM, "session", ANA) is not None
        await unit.keys.prune(START + KEPT_MS + 1)
        assert await unit.keys.inbound(ROOM, "session", ANA) is None
        assert not await unit.keys.is_first("session", ANA, 0, "$b", START)  # a key that comes back reads nothing again


async def test_our_session_is_of_no_use_once_others_may_read(store: Store, room: Room) -> None:
    async with store.unit() as unit:
        await unit.keys.put_outbound(OURS)
        assert await unit.keys.outbound(ROOM) == OURS
        await unit.rooms.changed([ROOM, "!unknown"])
        assert await unit.keys.outbound(ROOM) is None
        await unit.keys.put_outbound(replace(OURS, epoch=1))
        assert await unit.keys.outbound(ROOM) == replace(OURS, epoch=1)


async def test_who_comes_or_goes_is_noted_with_the_journal(store: Store, room: Room) -> None:
    async with store.unit() as unit:
        await unit.keys.put_outbound(OURS)
    await store.journal([replace(arrival("$joined", ROOM), member=OTTO)])
    async with store.look() as unit:
        assert await unit.keys.outbound(ROOM) is None


async def test_a_room_that_is_encrypted_stays_so(store: Store, room: Room) -> None:
    async with store.unit() as unit:
        await unit.rooms.add(Room(ROOM, RoomKind.GROUP, GROUP.id))
        assert await unit.rooms.get(ROOM) == room


async def test_the_rooms_of_a_person_are_those_that_their_new_device_concerns(store: Store) -> None:
    await group_exists(store, members=2)
    ana = member(1).user_id
    async with store.unit() as unit:
        for room_id, kind, subject, encryption in (
            (ROOM, RoomKind.GROUP, GROUP.id, ENCRYPTION), ("!ana", RoomKind.DIRECT, ana, ENCRYPTION),
            ("!clear", RoomKind.DIRECT, ana, None), ("!otto", RoomKind.DIRECT, OTTO, ENCRYPTION),
            ("!elsewhere", RoomKind.GROUP, "g2", ENCRYPTION),
        ):  # fmt: skip
            await unit.rooms.add(Room(RoomId(room_id), kind, subject, encryption))
        assert await unit.rooms.shared_with(ana) == ["!ana", ROOM]


# What waits for its key


def said(event_id: str, by: str = ANA) -> NewArrival:
    return NewArrival(event_id, ROOM, "m.room.encrypted", json.dumps({"sender": by}))


async def wait(store: Store, event_id: str, session_id: str = "session") -> None:
    await store.journal([said(event_id)])
    async with store.unit() as unit:
        (one,) = [one for one in await unit.inbox.due(ROOM, unit.now, 9) if one.id == event_id]
        await unit.inbox.wait_for_key(one, session_id)


async def due(store: Store) -> list[str]:
    async with store.look() as unit:
        return [one.id for one in await unit.inbox.due(ROOM, unit.now, 99)]


async def test_what_waits_for_a_key_is_due_in_its_place_when_it_comes(store: Store) -> None:
    await wait(store, "$a")
    await wait(store, "$b", "another")
    await store.journal([arrival("$c", ROOM)])
    assert await due(store) == ["$c"]
    async with store.unit() as unit:
        await unit.inbox.key_came("!elsewhere", "session", unit.now)
        assert [one.id for one in await unit.inbox.keyless(ROOM, "session")] == ["$a"]
        await unit.inbox.key_came(ROOM, "session", unit.now)
    assert await due(store) == ["$a", "$c"]


async def test_what_a_person_says_next_waits_for_what_has_no_key_yet(store: Store) -> None:
    await wait(store, "$a")
    await store.journal([said("$b"), said("$by another", OTTO)])
    async with store.unit() as unit:
        after, others = await unit.inbox.due(ROOM, unit.now, 9)
        assert await unit.inbox.waits_since(after, START - 1) == START
        assert await unit.inbox.waits_since(after, START) is None
        assert await unit.inbox.waits_since(others, START - 1) is None
        await unit.inbox.put_off(after, START + 60_000)
    assert await due(store) == ["$by another"]
    async with store.unit() as unit:
        await unit.inbox.key_came(ROOM, "session", unit.now)
    assert await due(store) == ["$a", "$b", "$by another"]


async def test_a_close_waits_five_minutes_for_a_key(store: Store, clock: SetClock) -> None:
    clock.at = DEADLINE - 1
    await wait(store, "$late key")
    for after, waited_for in ((0, True), (KEY_WAIT_MS - 1, True), (KEY_WAIT_MS, False)):
        clock.at = DEADLINE - 1 + after
        async with store.unit() as unit:
            assert await unit.inbox.is_waiting_before(DEADLINE, unit.now) is waited_for


async def test_what_its_sender_removes_before_its_key_comes_is_never_read(store: Store, database: Database) -> None:
    await wait(store, "$a")
    async with store.unit() as unit:
        assert not await unit.inbox.removed("$unknown", ANA)
        assert not await unit.inbox.removed("$a", OTTO)
        assert await unit.inbox.removed("$a", ANA)
        await unit.inbox.key_came(ROOM, "session", unit.now)
    assert await due(store) == []
    assert await fetch(database, "SELECT status, content FROM arrival") == [("done", None)]


async def test_after_a_week_nothing_waits_for_its_key_any_more(store: Store, clock: SetClock) -> None:
    await wait(store, "$a")
    async with store.unit() as unit:
        await unit.inbox.prune(START + KEPT_KEYLESS_MS)
        assert len(await unit.inbox.keyless(ROOM, "session")) == 1
        await unit.inbox.prune(START + KEPT_KEYLESS_MS + DAY_MS)
        assert await unit.inbox.keyless(ROOM, "session") == []


async def test_no_arrival_sleeps_on_when_its_key_comes_in_the_same_moment(stores: list[Store]) -> None:
    """Whoever does not find the key waits for it, and whoever brings it wakes those who wait, at the same time."""

    async def look(store: Store, number: int) -> None:
        async with store.unit() as unit:
            (one,) = [one for one in await unit.inbox.due(ROOM, unit.now, 99) if one.id == f"${number}"]
            if await unit.keys.inbound(ROOM, f"s{number}", ANA) is None:
                await unit.keys.hold(f"s{number}")
                if await unit.keys.inbound(ROOM, f"s{number}", ANA) is None:
                    await asyncio.sleep(0.001)
                    await unit.inbox.wait_for_key(one, f"s{number}")

    async def bring(store: Store, number: int) -> None:
        async with store.unit() as unit:
            await unit.keys.hold(f"s{number}")
            await unit.keys.put_inbound(replace(KEY, session_id=f"s{number}"), unit.now)
            await unit.inbox.key_came(ROOM, f"s{number}", unit.now)

    numbers = range(40)
    await stores[0].journal([said(f"${number}") for number in numbers])
    await gathered(work for number in numbers for work in (look(stores[0], number), bring(stores[-1], number)))
    assert sorted(await due(stores[0])) == sorted(f"${number}" for number in numbers)


# What is lent to mautrix


def machine(database: Database) -> Machine:
    from mautrix.client import Client

    return Machine(Client(mxid="@coterie:example.org", base_url="http://127.0.0.1:1"), LentDatabase(database), "p" * 64)


async def test_what_mautrix_keeps_is_undone_with_the_unit(store: Store, database: Database) -> None:
    bot = machine(database)
    await bot.load()
    before = bot.keys.identity_key
    with pytest.raises(ZeroDivisionError):
        async with store.unit() as unit:
            with bot.lent.lending(unit.connection):
                await bot.store.put_account(bot.keys.__class__())
                await bot.store.put_devices(ANA, {})
                raise ZeroDivisionError
    await bot.reload()
    assert bot.keys.identity_key == before
    assert await bot.store.get_devices(ANA) is None


async def test_two_machines_keep_their_sessions_and_devices(store: Store, database: Database) -> None:
    """mautrix's store works on our tables, on both engines: accounts, Olm sessions, device lists, cross-signing."""
    from mautrix.types import CrossSigner, CrossSigningUsage, DeviceIdentity, TrustState

    bot = machine(database)
    await bot.load()
    other = bot.keys.__class__()
    other.generate_one_time_keys(1)
    (one_time_key,) = other.one_time_keys["curve25519"].values()
    device = DeviceIdentity(ANA, "A1", other.identity_key, other.signing_key, TrustState.UNVERIFIED, False, "Ana's 📱")
    await bot.store.put_devices(ANA, {"A1": device})
    session = bot.keys.new_outbound_session(other.identity_key, one_time_key)
    await bot.store.add_session_with(device, session)
    await bot.store.put_cross_signing_key(ANA, CrossSigningUsage.MASTER, "m" * 43)
    await bot.store.put_signature(CrossSigner(ANA, "k"), CrossSigner(ANA, "m"), "s" * 88)
    again = machine(database)
    await again.load()
    assert again.keys.identity_key == bot.keys.identity_key
    assert await again.store.get_devices(ANA) == {"A1": device}
    assert (await again.store.session_with(device)).id == session.id
    twin = attrs.evolve(device, user_id=OTTO)
    assert await again.store.session_with(twin) is None  # who only names the key has not shown that it is theirs
    assert (await again.store.get_cross_signing_keys(ANA))[CrossSigningUsage.MASTER].key == "m" * 43
    assert await again.store.is_key_signed_by(CrossSigner(ANA, "k"), CrossSigner(ANA, "m"))


async def test_whoever_names_anothers_identity_key_takes_no_session_from_them(store: Store, database: Database) -> None:
    from mautrix.types import DeviceIdentity, TrustState

    bot = machine(database)
    await bot.load()
    nina = bot.keys.__class__()
    nina.generate_one_time_keys(1)
    (one_time_key,) = nina.one_time_keys["curve25519"].values()
    device = DeviceIdentity(ANA, "A1", nina.identity_key, nina.signing_key, TrustState.UNVERIFIED, False, "Ana's")
    begun, by_her = (bot.keys.new_outbound_session(nina.identity_key, one_time_key) for _ in range(2))
    await bot.store.add_session_with(device, begun)
    await bot.store.add_session(nina.identity_key, by_her)
    for number in range(2 * MOST_SESSIONS):
        twin = attrs.evolve(device, user_id=OTTO, device_id=f"O{number}")
        await bot.store.add_session_with(twin, bot.keys.new_outbound_session(nina.identity_key, one_time_key))
    assert {begun.id, by_her.id} < {session.id for session in await bot.store.get_sessions(nina.identity_key)}
    for _ in range(2 * MOST_SESSIONS):
        await bot.store.add_session(nina.identity_key, bot.keys.new_outbound_session(nina.identity_key, one_time_key))
    kept = [session.id for session in await bot.store.get_sessions(nina.identity_key)]
    assert begun.id in kept and by_her.id not in kept and len(kept) == 1 + 2 * MOST_SESSIONS + MOST_SESSIONS


async def test_the_tables_of_mautrix_are_as_mautrix_makes_them(tmp_path: Path, url: str, engine: str) -> None:
    if engine != "sqlite":
        pytest.skip("the same statements make both")
    theirs = AsyncDatabase.create(f"sqlite://{tmp_path / 'theirs.db'}", upgrade_table=upgrade_table)
    await theirs.start()
    await theirs.stop()

    def shapes(file: str) -> dict[str, list[tuple[object, ...]]]:
        with sqlite3.connect(file) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {
                name: sorted(row[1:4] for row in connection.execute(f"PRAGMA table_info({name})"))
                for name in names
                if name.startswith("crypto_")
            }

    ours, made = shapes(url.removeprefix("sqlite://")), shapes(str(tmp_path / "theirs.db"))
    assert len(ours) == 6
    ours["crypto_olm_session"].remove(("owner", "TEXT", 1))
    assert ours == {name: made[name] for name in ours}
