"""A rush on the seats of a group: a thousand requests lie in the journal, and inbox workers fall upon them.

python -m tests.store.rush URL      says `ready`, waits for a line, works off what is journaled there, and ends
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from appservice import routes
from appservice.domain.code import code_hash, code_text
from appservice.domain.group import Group
from appservice.domain.ids import EventId, Number, RoomId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.store import db
from appservice.store.db import Database
from appservice.store.inbox import Arrival, NewArrival
from appservice.store.rooms import Direct, DirectStatus, Room, RoomKind
from appservice.store.unit import Store, Unit
from appservice.store.vouches import Code, Vouch
from appservice.workers.inbox import inbox_lanes
from tests.store.engine import START, gathered
from tests.store.given import CONFIG, DESK, GROUP, ROOM, group_exists

Work = Callable[[], Awaitable[int]]
"""What works off the journal and gives how many arrivals it handled."""
CONCIERGES = 5
WIDTH = 8
"""Units in flight in one process."""
LIMIT_S = 100
DAY_MS = 24 * 3_600_000
REPOSITORY = Path(__file__).resolve().parents[2]
_SEATS = (
    "SELECT g.cap, (SELECT COUNT(*) FROM member m WHERE m.group_id = g.id AND m.presence IN ('invited', 'joined'))"
    " + (SELECT COUNT(*) FROM code c WHERE c.group_id = g.id AND c.status = 'live'),"
    " (SELECT COUNT(*) FROM waiting w WHERE w.group_id = g.id) FROM coterie_group g"
)


class Running:
    """A clock that runs, from the time on at which the others stand."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def now(self) -> int:
        return START + int((time.monotonic() - self._since) * 1000)


# What is there before


def person(n: int) -> UserId:
    """A concierge (from 1 on, the first is the owner), then a member, then somebody invited."""
    return GROUP.owner if n == 1 else UserId(f"@seated{n}:example.org")


def direct_of(user_id: str) -> RoomId:
    return RoomId(f"!direct-{user_id[1:].replace(':', '-')}:example.org")


@dataclass
class Rush:
    """A group of `cap` seats: `joined` people (the first five are concierges), `invited` ones, `codes` live codes."""

    cap: int
    joined: int
    invited: int
    codes: int = 0
    texts: list[str] = field(default_factory=list)
    asked: list[NewArrival] = field(default_factory=list)

    async def begin(self, store: Store) -> None:
        """Write the group down, and whom the service can talk to."""
        group: Group = replace(GROUP, cap=self.cap)
        await group_exists(store, group)
        async with store.unit() as unit:
            for n in range(1, self.joined + 1):
                number = await unit.groups.next_number(group.id)
                power = Role.OWNER if n == 1 else Role.CONCIERGE if n <= CONCIERGES else 0
                await unit.groups.save_member(
                    Member(group.id, person(n), Presence.JOINED, power, number, f"Seated {n}", joined_at=START), START
                )
                await _can_be_told(unit, person(n))
            for n in range(self.joined + 1, self.joined + self.invited + 1):
                invited = Member(group.id, person(n), Presence.INVITED, invited_by=person(1), sponsor=Number(1))
                await unit.groups.save_member(invited, START)
                await unit.timers.set("invitation", f"{group.id} {person(n)}", START + 7 * DAY_MS)
            for n in range(self.codes):
                code = Code(f"code{n}", group.id, Number(n % CONCIERGES + 1))
                self.texts.append(code_text(CONFIG.appservice.as_token, code.id))
                await unit.codes.add(code, code_hash(self.texts[-1]), START + 7 * DAY_MS)
                await unit.timers.set("code", code.id, START + 7 * DAY_MS)

    # What is asked; each in a lane of its own, so that only the group's lock keeps them apart

    def invite(self, concierge: int, invitee: str) -> str:
        """A concierge types `!invite`; the event's id."""
        return self.say(person(concierge), f"!invite {invitee}")

    def say(self, sender: UserId, body: str) -> str:
        content = {"msgtype": "m.text", "body": body}
        return self._event(direct_of(sender), "m.room.message", sender, content)

    def react(self, sender: UserId, event_id: str, key: str) -> str:
        """Somebody reacts in the desk."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return self._event(DESK, "m.reaction", sender, {"m.relates_to": relation})

    def membership(self, user_id: UserId, membership: str, lane: str | None = None) -> str:
        content = {"membership": membership}
        return self._event(ROOM, "m.room.member", user_id, content, lane=lane, state_key=user_id)

    def _event(self, room: str, type: str, sender: str, content: Any, *, lane: str | None = None, **more: Any) -> str:
        id = f"$asked{len(self.asked)}"
        raw = {"event_id": id, "room_id": room, "type": type, "sender": sender, "content": content, **more}
        self.asked.append(NewArrival(id, lane or f"!lane{len(self.asked)}", type, json.dumps(raw)))
        return id

    async def journal(self, store: Store, seed: int) -> None:
        """Have everything that is asked arrive at once, in an order of chance."""
        random.Random(seed).shuffle(self.asked)
        await store.journal(self.asked)


async def know(store: Store, *people: UserId) -> None:
    """Have people in a direct room with the service."""
    async with store.unit() as unit:
        for one in people:
            await _can_be_told(unit, one)


async def _can_be_told(unit: Unit, user_id: UserId) -> None:
    await unit.rooms.add(Room(direct_of(user_id), RoomKind.DIRECT, user_id))
    await unit.rooms.save_direct(Direct(user_id, direct_of(user_id), DirectStatus.JOINED))


async def vouch_for(store: Store, n: int, sponsor: int) -> tuple[str, UserId]:
    """A member's word for a person lies before the concierges; the line in the desk, and the person."""
    vouch = Vouch(f"vouch{n}", GROUP.id, Number(sponsor), UserId(f"@vouched{n}:example.org"), "")
    assert vouch.user_id is not None
    async with store.unit() as unit:
        await unit.vouches.add(vouch, START)
        await unit.vouches.set_event(vouch.id, EventId(f"$line{n}"))
    return f"$line{n}", vouch.user_id


# Who works on it


async def work_off(database: Database) -> int:
    """Work as the service's inbox does until nothing waits; how many arrivals were handled here."""
    clock, handled = Running(), 0
    store = Store(database, clock.now)

    async def handle(unit: Unit, arrival: Arrival) -> None:
        nonlocal handled
        await routes.handle(unit, CONFIG, arrival)
        handled += 1

    lanes = inbox_lanes(store, clock, handle, lambda: None, WIDTH)
    working = asyncio.create_task(lanes.run())
    try:
        async with asyncio.timeout(LIMIT_S):
            while not working.done() and await _waits(store):  # noqa: ASYNC110 - another process may be at it too
                await asyncio.sleep(0.05)
    finally:
        lanes.stop()
        await working
    return handled


async def _waits(store: Store) -> bool:
    async with store.look() as unit:
        return await unit.inbox.next_due_at() is not None


class Crew:
    """Two processes that each `work_off` the same database at the same time. They end with us."""

    def __init__(self) -> None:
        argv = [sys.executable, "-m", "tests.store.rush"]
        pipe = subprocess.PIPE
        self._processes = [subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, cwd=REPOSITORY) for _ in "ab"]

    async def work_off(self, url: str) -> list[int]:
        """How many arrivals each has handled."""
        await gathered(asyncio.to_thread(self._ask, process, url) for process in self._processes)
        asked = [asyncio.to_thread(self._ask, process, "go") for process in self._processes]
        return [int(line) for line in await gathered(asked)]

    @staticmethod
    def _ask(process: subprocess.Popen[str], line: str) -> str:
        assert process.stdin is not None and process.stdout is not None
        print(line, file=process.stdin, flush=True)
        answer = process.stdout.readline()
        assert answer, f"ended with exit code {process.wait(10)}, see above"
        return answer

    def end(self) -> None:
        for process in self._processes:
            process.communicate(timeout=10)


async def _serve() -> None:
    logging.basicConfig()
    while url := (await asyncio.to_thread(sys.stdin.readline)).strip():
        async with db.opened(url) as database:
            print("ready", flush=True)
            if await asyncio.to_thread(sys.stdin.readline):
                print(await work_off(database), flush=True)


# Who watches


class Look(NamedTuple):
    """A group at one moment: seats that it has, seats that are taken, people who wait."""

    cap: int
    taken: int
    waiting: int


class Watch:
    """Counts the seats over and over, on a connection of its own; each look is one snapshot of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None
        self.looks: list[Look] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()

    async def _look(self) -> None:
        async with self._database.reading() as connection:
            while True:
                self.looks.append(Look(*await connection.fetchrow(_SEATS)))
                await asyncio.sleep(0.002)


if __name__ == "__main__":
    asyncio.run(_serve())
