"""A rush on the last seats of a group, with real clients: at every event of the room the cap holds."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from tests.harness.circle import Circle, CircleFactory
from tests.harness.person import Person, PersonFactory
from tests.harness.service import ServiceFactory
from tests.harness.synapse import Synapse

CODE = re.compile(r"\b(?:[2-9a-z]{4}-){2}[2-9a-z]{4}\b")
PLACE = re.compile(r"full: (@\S+) is no\. (\d+) on the waitlist")
INVITED = re.compile(r"Invited (@\S+) to “Wool circle”")
PATIENCE = 60
_numbers = itertools.count(1)


@dataclass
class Crowd:
    """People who have accounts, and no client until they need one."""

    bot: str
    homes: dict[str, Synapse] = field(default_factory=dict)
    clients: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def gather(self, count: int, *places: Synapse) -> list[str]:
        """New accounts, in turn on each of the homeservers; their ids."""
        for place in itertools.islice(itertools.cycle(places), count):
            name = f"crowd{next(_numbers)}"
            await place.register_user(name, name, name.capitalize())
            self.homes[place.user_id(name)] = place
        return list(self.homes)[-count:]

    async def log_in(self, user_id: str, *, auto_join: bool = True) -> Person:
        name = user_id[1:].partition(":")[0]
        accepts = {self.bot} if auto_join else set()
        return await self.clients.enter_async_context(
            Person(self.homes[user_id].url, name, name, auto_join_from=accepts)
        )


@pytest_asyncio.fixture
async def crowd() -> AsyncIterator[Crowd]:
    crowd = Crowd("")
    async with crowd.clients:
        yield crowd


def assert_never_beyond(here: Circle, cap: int) -> None:
    """The owner's client has seen every change of the room since its first member came."""
    members = {here.owner.user_id: "invite"}
    full = 0
    for event in here.owner.timeline(here.group):
        if event["type"] == "m.room.member" and event["state_key"] != here.bot:
            members[event["state_key"]] = event["content"]["membership"]
            taken = sum(standing in ("join", "invite") for standing in members.values())
            assert taken <= cap, (taken, event)
            full += taken == cap
    assert full, "it was never full: nothing was put to the test"


async def codes_of(concierge: Person, direct: str, bot: str, count: int) -> list[str]:
    """Invitation codes that a concierge has asked for by direct message."""
    for _ in range(count):
        await concierge.say(direct, "!code")

    def found() -> list[str]:
        said = [e["content"]["body"] for e in concierge.new_messages(direct, bot)]
        return [code[0] for body in said if "It lets one person into" in body and (code := CODE.search(body))]

    await concierge.sees_that(lambda: len(found()) == count, timeout=PATIENCE)
    return found()


async def answers_to(concierge: Person, direct: str, bot: str, count: int) -> str:
    """What a concierge was told about the people whom they have asked to be invited."""

    def found() -> list[str]:
        said = [e["content"]["body"] for e in concierge.new_messages(direct, bot)]
        return [body for body in said if INVITED.search(body) or PLACE.search(body)]

    await concierge.sees_that(lambda: len(found()) == count, timeout=PATIENCE)
    return "\n".join(found())


async def rush(
    here: Circle, crowd: Crowd, concierges: list[Person], places: tuple[Synapse, ...], asked: int
) -> list[str]:
    """Everything at once: the concierges invite `asked` people, and each two codes of theirs are brought by newcomers
    who join at once. Gives who waits, in order, when all who were invited are in."""
    bot, group = here.bot, here.group
    crowd.bot = bot
    directs = [(one, await one.create_direct(bot, joined_within=20)) for one in concierges]
    codes = [await codes_of(one, direct, bot, 2) for one, direct in directs]
    bringing = list(zip(await crowd.gather(2 * len(concierges), *places), itertools.chain(*codes), strict=True))
    newcomers = [await crowd.log_in(user_id) for user_id, _ in bringing]
    to_bot = [await one.create_direct(bot, joined_within=20) for one in newcomers]
    invitees = await crowd.gather(asked, *places)
    asking = [(concierge, room, invitees[n :: len(concierges)]) for n, (concierge, room) in enumerate(directs)]
    await asyncio.gather(
        *(concierge.say(room, f"!invite {one}") for concierge, room, theirs in asking for one in theirs),
        *(one.say(room, code) for one, room, (_, code) in zip(newcomers, to_bot, bringing, strict=True)),
    )
    await asyncio.gather(*(one.sees_join(group, one.user_id, timeout=PATIENCE) for one in newcomers))
    said = "\n".join([await answers_to(one, room, bot, len(theirs)) for one, room, theirs in asking])
    let_in = INVITED.findall(said)
    order = {int(place): user_id for user_id, place in PLACE.findall(said)}
    assert sorted(order) == list(range(1, len(order) + 1)), "each place is told once"
    assert sorted([*let_in, *order.values()]) == sorted(invitees), "each person is answered for once"
    await asyncio.gather(*(crowd.log_in(user_id) for user_id in let_in))
    await asyncio.gather(*(here.owner.sees_join(group, user_id, timeout=PATIENCE) for user_id in let_in))
    everybody = {bot, here.owner.user_id, *let_in}.union(one.user_id for one in (*concierges, *newcomers))
    assert await here.owner.joined_members(group) == everybody
    here.people += newcomers
    return [order[place] for place in sorted(order)]


async def next_is_invited(here: Circle, user_id: str, asker: Person) -> None:
    """The owner sees the invitation, and who had asked for it is told."""
    meant = {"membership": "invite"}.items()
    await here.owner.sees(
        here.group,
        lambda e: e["type"] == "m.room.member" and e["state_key"] == user_id and meant <= e["content"].items(),
        timeout=PATIENCE,
    )
    await asker.direct_message_from(here.bot, f"I have invited {user_id}, who was next", timeout=PATIENCE)


def who_asked(concierges: list[Person], user_id: str) -> Person:
    """The concierge who has typed `!invite` for a person."""
    typed = f"!invite {user_id}"
    return next(one for one in concierges if any(e["content"].get("body") == typed for e in one.seen.all))


@pytest.mark.slow
async def test_of_forty_six_who_come_at_once_eight_get_the_eight_seats_and_the_others_wait_in_order(
    database: str, synapse: Synapse, person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory, crowd: Crowd
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]}, appservice={"database": database})
    here = await circle(["ben", "cleo", "dora"], rosa=rosa, service=service, cap=12)
    concierges = list(here)
    waiting = await rush(here, crowd, concierges, (synapse,), asked=40)
    assert len(waiting) == 38
    assert_never_beyond(here, 12)

    await here.people[3].leave(here.group)
    await next_is_invited(here, waiting[0], who_asked(concierges, waiting[0]))
    shy = await crowd.log_in(waiting[0], auto_join=False)
    await shy.leave((await shy.invited_to(lambda invite: invite.name == "Wool circle")).room_id)
    await next_is_invited(here, waiting[1], who_asked(concierges, waiting[1]))
    await asyncio.gather(*(one.leave(here.group) for one in here.people[4:6]))
    for user_id in waiting[2:4]:
        await next_is_invited(here, user_id, who_asked(concierges, user_id))
    await asyncio.gather(*(crowd.log_in(user_id) for user_id in waiting[1:4]))
    for user_id in waiting[1:4]:
        await rosa.sees_join(here.group, user_id, timeout=PATIENCE)
    assert len(await rosa.joined_members(here.group)) == 12 + 1
    invited = [
        e["state_key"]
        for e in rosa.timeline(here.group)
        if e["type"] == "m.room.member" and e["content"]["membership"] == "invite" and e["state_key"] in waiting
    ]
    assert sorted(invited) == sorted(waiting[:4])
    assert invited[:2] == waiting[:2]
    await concierges[0].say(here.desk, "!waitlist")
    listed = await concierges[0].sees(here.desk, "Waiting for a seat in “Wool circle”:")
    assert len(listed["content"]["body"].splitlines()) == 1 + 34
    assert_never_beyond(here, 12)
    assert here.errors() == []


@pytest.mark.slow
async def test_people_of_two_homeservers_who_come_at_once_never_exceed_the_cap(
    federated: tuple[Synapse, Synapse],
    person: PersonFactory,
    coterie: ServiceFactory,
    circle: CircleFactory,
    crowd: Crowd,
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    here = await circle(["ben"], rosa=rosa, service=service, cap=9)
    await here.appoint(await person("rena", on=federated[1]))
    concierges = list(here)
    waiting = await rush(here, crowd, concierges, federated, asked=12)
    assert len(waiting) == 10
    assert_never_beyond(here, 9)
    remote = here.people[3]
    assert remote.user_id.endswith(federated[1].server_name)
    await remote.leave(here.group)
    await next_is_invited(here, waiting[0], who_asked(concierges, waiting[0]))
    assert_never_beyond(here, 9)
    assert here.errors() == []
