"""A rush on the seats: however many ask at once, and in however many processes, the cap holds at every moment.

Real arrivals by the real routes in the real worker; on SQLite in this process, on PostgreSQL in two others that share
the database. Each arrival has a lane of its own, so that nothing but the group's lock keeps them apart.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from appservice.store.db import Database
from appservice.store.unit import Store
from tests.store.engine import POSTGRES, SQLITE, fetch
from tests.store.given import ROOM
from tests.store.rush import CONCIERGES, Rush, Watch, Work, know, person, vouch_for

SIGN = "SendEvent"


async def rushed(rush: Rush, work: Work, database: Database, store: Store, seed: int) -> None:
    """Let it all happen at once: whenever anybody looks no more seats are taken than there are, and none is free while
    somebody waits; at the end everything is handled, and two processes have both had their part."""
    await rush.journal(store, seed)
    async with Watch(database) as watch:
        assert await work() == len(rush.asked)
    assert len(set(watch.looks)) > 5, "it was over before anybody looked"
    assert [look for look in watch.looks if look.taken > look.cap] == []
    assert [look for look in watch.looks if look.taken < look.cap and look.waiting] == []
    assert await fetch(database, "SELECT id, status, error FROM arrival WHERE status <> 'done'") == []


@dataclass
class Owed:
    """One effect; `seq` is the order in which they came to be owed."""

    seq: int
    cause: str
    kind: str
    content: dict[str, Any]

    @property
    def body(self) -> str:
        return str(self.content["content"].get("body", ""))


async def owed(database: Database, *kinds: str) -> list[Owed]:
    """What was owed, in order, of some kinds."""
    rows = await fetch(database, "SELECT seq, id, kind, content FROM effect ORDER BY seq")
    every = [Owed(seq, id.rpartition(":")[0], kind, json.loads(content)) for seq, id, kind, content in rows]
    return [one for one in every if one.kind in kinds]


async def invited(database: Database) -> list[str]:
    """Everybody to whom an invitation to the group leaves, in order."""
    return [one.content["user_id"] for one in await owed(database, "Invite") if one.content["room_id"] == ROOM]


async def waitlist(database: Database) -> list[str]:
    """Everybody who waits, in order."""
    return [user_id for (user_id,) in await fetch(database, "SELECT user_id FROM waiting ORDER BY position")]


async def presences(database: Database) -> dict[str, int]:
    return dict(await fetch(database, "SELECT presence, COUNT(*) FROM member GROUP BY presence"))


async def answers(database: Database, asked: dict[str, str]) -> dict[str, str]:
    """By event, the one answer that each request got, under its one sign."""
    signs = Counter(one.cause for one in await owed(database, SIGN))
    assert {event: signs[event] for event in asked} == dict.fromkeys(asked, 1)
    own = {event: [] for event in asked}  # type: dict[str, list[str]]
    for one in await owed(database, "Tell"):
        if one.cause in asked and " has become free" not in one.body and "invitation code for" not in one.body:
            own[one.cause].append(one.body)
    assert {len(lines) for lines in own.values()} == {1}
    return {event: line for event, (line,) in own.items()}


async def listed_in_order(database: Database, asked: dict[str, str]) -> list[str]:
    """Everybody who was told a place on the waitlist, in the order in which they were."""
    told = [one for one in await owed(database, "Tell") if one.cause in asked and " on the waitlist" in one.body]
    return [asked[one.cause] for one in told]


def places_told(asked: dict[str, str], told: dict[str, str]) -> dict[str, int]:
    """The place on the waitlist that was told about each person who got one."""
    found = {}
    for event, line in told.items():
        if " on the waitlist" in line:
            assert asked[event] in line
            found[asked[event]] = int(line.partition(" is no. ")[2].split()[0])
    return found


@pytest.mark.parametrize("engine", [SQLITE, pytest.param(POSTGRES, marks=pytest.mark.slow)], indirect=True)
async def test_of_a_thousand_who_ask_at_once_forty_get_the_forty_seats(
    work: Work, database: Database, store: Store
) -> None:
    """160 of 200 seats are taken and 15 are reserved by codes, each of which two people try; 985 are invited."""
    rush = Rush(cap=200, joined=90, invited=70, codes=15)
    await rush.begin(store)
    invitees = [f"@invitee{n}:example.org" for n in range(985)]
    asked = {rush.invite(n % CONCIERGES + 1, invitee): invitee for n, invitee in enumerate(invitees)}
    newcomers = [f"@newcomer{n}:example.org" for n in range(30)]
    await know(store, *newcomers)
    tried = {rush.say(newcomer, rush.texts[n // 2]): newcomer for n, newcomer in enumerate(newcomers)}
    await rushed(rush, work, database, store, seed=1)

    assert await presences(database) == {"joined": 90, "invited": 110}
    assert await fetch(database, "SELECT status, COUNT(*) FROM code GROUP BY status") == [("used", 15)]
    assert await fetch(database, "SELECT kind, COUNT(*) FROM timer GROUP BY kind") == [("invitation", 110)]
    assert await fetch(database, "SELECT COUNT(*) FROM ledger WHERE fact = 'code_used'") == [(15,)]

    seated, waiting = await invited(database), await waitlist(database)
    assert len(seated) == len(set(seated)) == 40
    with_code = [one for one in seated if one in newcomers]
    assert sorted(newcomers.index(one) // 2 for one in with_code) == list(range(15)), "each code lets one person in"
    without = [one for one in seated if one not in newcomers]
    assert len(without) == 25
    assert len(waiting) == 960
    assert sorted(without + waiting) == sorted(invitees), "nobody is lost, nobody has two outcomes"

    told = await answers(database, asked)
    assert {asked[event] for event, line in told.items() if line.startswith("Invited @")} == set(without)
    assert places_told(asked, told) == {one: place for place, one in enumerate(waiting, 1)}
    redeemed = await answers(database, tried)
    good = {tried[event] for event, line in redeemed.items() if line.startswith("The code is good")}
    assert good == set(with_code)
    guessed = await fetch(database, "SELECT user_id FROM guess ORDER BY user_id")
    assert guessed == [(one,) for one in sorted(set(newcomers) - good)]


async def test_seats_given_back_in_the_rush_go_to_those_who_wait_in_their_order(
    work: Work, database: Database, store: Store
) -> None:
    """Fifty decline, half of them in one unit, and nine join, while three hundred are invited for fifteen seats; ten of
    those who decline are invited anew at the same time."""
    rush = Rush(cap=200, joined=90, invited=95)
    await rush.begin(store)
    declining = [person(n) for n in range(91, 141)]
    left = {rush.membership(one, "leave", ROOM if n % 2 else None) for n, one in enumerate(declining)}
    joining = [person(n) for n in range(141, 150)]
    for one in joining:
        rush.membership(one, "join")
    invitees = [f"@invitee{n}:example.org" for n in range(300)] + declining[:10]
    asked = {rush.invite(n % CONCIERGES + 1, invitee): invitee for n, invitee in enumerate(invitees)}
    await rushed(rush, work, database, store, seed=2)

    told = await answers(database, asked)
    too_early = {asked[event] for event, line in told.items() if "already" in line}
    assert too_early < set(declining[:10])
    seated, waiting = await invited(database), await waitlist(database)
    assert len(seated) == len(set(seated)) == 15 + 50
    assert sorted(seated + waiting) == sorted(set(invitees) - too_early), "nobody is lost, nobody has two outcomes"
    assert await presences(database) == {
        "joined": 99, "invited": 101, "left": 50 - len(set(declining) & set(seated)),
    }  # fmt: skip

    # whoever got a place on the waitlist was let in in that order, or waits in that order
    listed = await listed_in_order(database, asked)
    let_in = [one.content["user_id"] for one in await owed(database, "Invite") if one.cause in left]
    assert let_in + waiting == listed
    news = [one.body for one in await owed(database, "Tell") if one.cause in left and "has become free" in one.body]
    assert [next(user for user in let_in if user in line) for line in news] == let_in, "each is announced once"
    numbers = await fetch(database, "SELECT number FROM member WHERE number > 90 ORDER BY number")
    assert numbers == [(n,) for n in range(91, 100)]
    assert await fetch(database, "SELECT COUNT(*) FROM alias") == [(9,)]


async def test_a_cap_that_is_changed_in_the_rush_holds_from_that_moment_on(
    work: Work, database: Database, store: Store
) -> None:
    rush = Rush(cap=200, joined=90, invited=100)
    await rush.begin(store)
    caps = {rush.say(person(1), f"!cap {cap}"): cap for cap in (100, 204, 208, 216, 224, 232)}
    invitees = [f"@invitee{n}:example.org" for n in range(200)]
    asked = {rush.invite(n % CONCIERGES + 1, invitee): invitee for n, invitee in enumerate(invitees)}
    await rushed(rush, work, database, store, seed=3)

    ((cap,),) = await fetch(database, "SELECT cap FROM coterie_group")
    assert cap == 232, "none of the lower ones is below the seats that are taken when it comes after"
    told = await answers(database, dict.fromkeys(caps, ""))
    assert " seats are taken, so the cap cannot be lower" in next(told[event] for event in caps if caps[event] == 100)
    seated, waiting = await invited(database), await waitlist(database)
    assert len(seated) == len(set(seated)) == 42
    assert sorted(seated + waiting) == sorted(invitees)
    told = await answers(database, asked)
    listed = await listed_in_order(database, asked)
    let_in = [one.content["user_id"] for one in await owed(database, "Invite") if one.cause in caps]
    assert let_in + waiting == listed


async def test_of_concierges_who_decide_the_same_vouch_at_once_one_counts(
    work: Work, database: Database, store: Store
) -> None:
    """Forty vouches for eight seats; each gets ✅ from two concierges, every other one ❌ from a third as well."""
    rush = Rush(cap=200, joined=90, invited=102)
    await rush.begin(store)
    lines, people = {}, {}
    for n in range(40):
        line, user_id = await vouch_for(store, n, sponsor=10 + n)
        keys = ["✅", "✅"] + ["❌"] * (n % 2)
        people[line] = user_id
        for by, key in enumerate(keys, 1):
            lines[rush.react(person(by), line, key)] = (line, key)
    await rushed(rush, work, database, store, seed=4)

    edits = [one for one in await owed(database, SIGN) if one.content["type"] == "m.room.message"]
    decisive = {lines[one.cause][0]: lines[one.cause][1] for one in edits}
    assert len(edits) == len(decisive) == 40, "each line is edited once"
    approved = {people[line] for line, key in decisive.items() if key == "✅"}
    assert {people[f"$line{n}"] for n in range(0, 40, 2)} <= approved < set(people.values())
    vouches = await fetch(database, "SELECT event_id, status, user_id FROM vouch")
    word = {"✅": "approved", "❌": "declined"}
    assert sorted(vouches) == sorted((line, word[key], None) for line, key in decisive.items())
    facts = dict(await fetch(database, "SELECT fact, COUNT(*) FROM ledger GROUP BY fact"))
    assert facts == {"vouch_approved": len(approved), "vouch_declined": 40 - len(approved)}
    sponsors = Counter(one.content["user_id"] for one in await owed(database, "Tell"))
    assert sponsors == {person(10 + n): 1 for n in range(40)}

    seated, waiting = await invited(database), await waitlist(database)
    assert len(seated) == 8
    assert sorted(seated + waiting) == sorted(approved)


async def test_one_person_who_comes_by_every_door_at_once_takes_one_seat(
    work: Work, database: Database, store: Store
) -> None:
    """Each of twenty is invited by five concierges, approved on the word of two members, and brings two codes."""
    rush = Rush(cap=200, joined=90, invited=20, codes=15)
    await rush.begin(store)
    people = [f"@vouched{n}:example.org" for n in range(20)]
    await know(store, *people)
    for n, one in enumerate(people):
        for concierge in range(1, CONCIERGES + 1):
            rush.invite(concierge, one)
        line, _ = await vouch_for(store, n, sponsor=10 + n)
        rush.react(person(1), line, "✅")
        rush.react(person(2), line, "✅")
        if n < 7:
            rush.say(one, rush.texts[2 * n])
            rush.say(one, rush.texts[2 * n + 1])
    await rushed(rush, work, database, store, seed=5)

    assert sorted(await invited(database)) == sorted(people)
    assert await waitlist(database) == []
    assert await presences(database) == {"joined": 90, "invited": 40}
    codes = dict(await fetch(database, "SELECT status, COUNT(*) FROM code GROUP BY status"))
    facts = dict(await fetch(database, "SELECT fact, COUNT(*) FROM ledger GROUP BY fact"))
    assert codes["live"] >= 8, "of two codes one is used at most, and the other can be handed to somebody else"
    assert codes.get("used", 0) == facts.get("code_used", 0) == 15 - codes["live"]
    assert facts["vouch_approved"] == 20
    assert await fetch(database, "SELECT COUNT(*) FROM guess") == [(0,)]
