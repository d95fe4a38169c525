"""A real `kill -9` of the service, again and again while people pledge: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appservice.domain.clearing import Tier, Tranche, clear
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import BUY, ORDER, Journey, name_of
from tests.flows.service import TOKENS, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
KILLS = 14
TIERS = [Tier(40, 7900), Tier(90, 6900), Tier(9_000, 100)]


@pytest.fixture
async def hs() -> AsyncIterator[FakeHomeserver]:
    async with FakeHomeserver(clock=lambda: time.time_ns() // 1_000_000, **TOKENS) as server:
        yield server


@pytest.fixture
async def program(
    request: pytest.FixtureRequest, hs: FakeHomeserver, database: str, tmp_path: Path
) -> AsyncIterator[Program]:
    async with Program(hs, tmp_path, database, encrypted="sealed" in request.fixturenames) as running:
        yield running
        await running.assert_nothing_set_aside()


class Killer:
    """Kills the service at random moments of its start, and while it works, and starts it again at once."""

    def __init__(self, program: Program, seed: int) -> None:
        self.program = program
        self.rng = random.Random(seed)
        self.kills = 0

    async def work(self) -> None:
        while True:
            if self.rng.random() < 0.5:
                await asyncio.sleep(self.rng.uniform(0, 1.5))
            else:  # however long a loaded machine takes to start it: else it would never come to work
                await self.program.healthy()
                await asyncio.sleep(self.rng.uniform(0, 2.2))
            await self.program.kill9()
            self.kills += 1
            self.program.spawn()


async def pledge_in_every_way(play: Journey, people: list[Person], rng: random.Random) -> dict[str, int]:
    """Sixty-four pledges and some second thoughts; gives, by name, the units that must stand in the end."""
    directs = {person.mxid: person.create_direct(play.hs.bot) for person in people[::2]}
    wanted: Counter[str] = Counter()
    for person in people[::2]:  # the bot is not in yet: no homeserver pushes this
        person.say(directs[person.mxid], "+1")
        wanted[name_of(person.mxid)] += 1
    keys = {person.mxid: ["+1", "+2", "+5"] for person in people}
    for number in range(60):
        await asyncio.sleep(rng.uniform(0, 0.25))
        person, units = people[number % len(people)], rng.randint(1, 4)
        if number % 3 == 0 and keys[person.mxid]:
            key = keys[person.mxid].pop()
            event_id, units = person.react(play.group, play.card, key), int(key)
        elif number % 3 == 1 and person.mxid in directs:
            event_id = person.say(directs[person.mxid], f"+{units}")
        else:
            event_id = person.say(play.group, f"+{units}", reply_to=play.card)
        if number % 10 == 9:
            await asyncio.sleep(rng.uniform(0, 0.6))
            person.redact(play.hs.event(event_id).room_id, event_id)
        else:
            wanted[name_of(person.mxid)] += units
    last = people[-1]
    last.say(play.group, f"!pledge {wanted[name_of(last.mxid)] + 3}")
    wanted[name_of(last.mxid)] += 3
    return dict(wanted)


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_lost_or_doubled_however_often_the_service_is_killed(
    engine: str, program: Program, hs: FakeHomeserver, seed: int
) -> None:
    await play_it(program, hs, seed)


@pytest.mark.parametrize("seed", [3, 4])
async def test_nor_are_keys_and_what_they_open_where_rooms_are_encrypted(
    engine: str, sealed: None, program: Program, hs: FakeHomeserver, seed: int
) -> None:
    await play_it(program, hs, seed)
    room = hs.room_named("Wool circle")
    assert all(event.sealed for event in room.messages())
    assert not await program.rows("SELECT id FROM arrival WHERE status = 'keyless'")


async def play_it(program: Program, hs: FakeHomeserver, seed: int) -> None:
    """A whole group buy while the service is killed again and again."""
    play, killer, rng = Journey(hs, program), Killer(program, seed), random.Random(seed)
    await program.start()
    killing = asyncio.create_task(killer.work())
    await play.make_group(cap=20)
    direct = await play.direct(play.rosa)
    people = [play.person(f"m{n}") for n in range(1, 9)]
    play.rosa.say(direct, f"!concierge add {play.ben.mxid}")
    for person in people:
        play.rosa.say(direct, f"!invite {person.mxid}")
    await play.rest()
    tiers = " ".join(f"{tier.minimum}:{tier.unit_price // 100}" for tier in TIERS)
    await play.open_buy(f"!buy open merino-throw {tiers} until in 3 days cap 10000")
    wanted = await pledge_in_every_way(play, people, rng)
    await play.rest()
    assert await play.units() == wanted, await what_became(play, wanted)
    play.ben.say(play.group, "!buy close")
    while killer.kills < KILLS:
        assert not killing.done(), killing
        await asyncio.sleep(0.1)
    killing.cancel()
    await asyncio.gather(killing, return_exceptions=True)
    await program.kill9()
    await program.start()
    await all_done(play)
    await check(play, hs, people, wanted)
    await program.stop()


async def what_became(play: Journey, wanted: dict[str, int]) -> str:
    """What became of all that was said by those whose units are not as wanted: it names the event that was lost."""
    arrivals = {row["id"]: row["status"] for row in await play.service.rows("SELECT id, status FROM arrival")}
    booked: dict[str, list[str]] = {}
    for row in await play.service.rows("SELECT cause, fact, units FROM ledger ORDER BY seq"):
        booked.setdefault(row["cause"], []).append(f"{row['fact']} {row['units']}")
    units = await play.units()
    return "\n".join(
        f"{name} {event.event_id} {'group' if event.room_id == play.group else 'direct'} {event.type}"
        f" {event.original.get('body', event.original.get('m.relates_to', {}).get('key'))}"
        f"{' (redacted)' if event.redaction else ''},"
        f" arrival: {arrivals.get(event.event_id)}, ledger: {booked.get(event.event_id)}"
        for name in wanted
        if units.get(name) != wanted[name]
        for event in play.hs.events_by(play.person(name))
        if event.state_key is None
    )


async def all_done(play: Journey) -> None:
    """Returns when the buy has ended and its card says so, which may take five seconds."""
    async with asyncio.timeout(60):
        while "Closed at" not in play.card_text:  # noqa: ASYNC110 - the fake tells nobody
            await asyncio.sleep(0.1)
    await play.rest()


async def check(play: Journey, hs: FakeHomeserver, people: list[Person], wanted: dict[str, int]) -> None:
    """What was pledged is what stands, was cleared, is owed and was told, once each."""
    rows = await play.service.rows("SELECT t.id, t.quantity, m.user_id FROM tranche t JOIN member m"
                                   " ON m.number = t.number ORDER BY t.position, t.id")  # fmt: skip
    cleared = clear(TIERS, [Tranche(row["id"], row["quantity"]) for row in rows], cap=10_000)
    assert cleared is not None and cleared.total == sum(wanted.values())
    orders: Counter[str] = Counter()
    for row in rows:
        orders[name_of(row["user_id"])] += cleared.units[row["id"]]
    assert await play.units() == wanted, await what_became(play, wanted)
    assert await play.orders() == {n: (u, cleared.unit_price, u * cleared.unit_price) for n, u in orders.items()}
    ledger = await play.ledger()
    for name, units in wanted.items():
        assert sum(line[2] for line in ledger if line[1] == name and line[0] in ("pledged", "withdrawn")) == units
    for person in people:  # by event id: what a client shows
        receipts = [event for event in hs.direct_events(person) if ORDER in event.content]
        assert len({event.event_id for event in receipts}) == len(receipts) == 1, person
        assert receipts[0].content[ORDER]["units"] == wanted[name_of(person.mxid)]
    names = Counter(room.name for room in hs.world.rooms.values() if room.name not in ("", "Coterie"))
    assert set(names.values()) == {1}, names
    assert play.room.joined == {hs.bot, play.rosa.mxid, play.ben.mxid, *(person.mxid for person in people)}
    cards = [event for event in hs.cards(play.group) if "tiers" in event.content[BUY]]
    assert len(cards) == 1 and play.room.pinned == []
    assert "Closed at" in play.card_text and play.card_now[BUY]["total"] == cleared.total
    posted = play.posted()
    assert len(posted) == len(set(posted)) == 5, posted  # product, card, two tiers, the end
    for event in play.room.messages():
        if event.sender != hs.bot:
            assert play.signs(event.event_id) == ["✅"], event.body
    hs.assert_conformant()
