"""A day at the desk on real Synapse: at its end every question is accounted for, and the group was left in peace."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter

import pytest

from tests.e2e.asked import Asked, aliases, kept
from tests.e2e.conftest import in_days
from tests.e2e.day import AT_ONCE, PATIENCE, Day
from tests.harness.circle import BUY, CircleFactory
from tests.harness.person import Person, PersonFactory
from tests.harness.service import ServiceFactory
from tests.harness.sighting import kind
from tests.harness.synapse import Synapse
from tests.harness.visitor import Visitor

SIGNS = {"open": "❔", "claimed": "👀", "waiting_member": "💬", "snoozed": "💤", "resolved": "✅"}
BUYS = ("Merino throw", "Linen towel")
MOST_OF_A_BUY = 6
"""New messages of the service in a group, for a buy that crosses two tiers."""


async def test_after_a_small_day_every_question_is_accounted_for(
    person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    await spend(person, coterie, circle, members=10, questions=12)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_after_a_day_of_sixty_members_every_question_is_accounted_for(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    await spend(person, coterie, circle, members=60, questions=120, second=federated[1])


async def spend(
    person: PersonFactory,
    coterie: ServiceFactory,
    circle: CircleFactory,
    *,
    members: int,
    questions: int,
    second: Synapse | None = None,
) -> None:
    """Half of the questions in the morning, some while the service is down, the rest in the afternoon."""
    day = await begin(person, coterie, circle, members, second)
    here, service, ben = day.here, day.here.service, day.concierges[0]
    morning, outage = questions // 2, questions // 5

    await asyncio.gather(day.ask(morning), day.pledge(day.members[: members // 5], 1))
    await service.stop()
    await asyncio.gather(day.race(), day.ask(outage, "outage"), day.pledge(day.members[members // 5 : members // 2], 2))
    await service.start()
    await day.ask(questions - morning - outage)
    await day.pledge(day.members[members // 2 :][: members // 5], 2)
    for name, card in zip(BUYS, day.cards, strict=True):
        await ben.sees(here.group, f"{name}: {2 * members // 5} are reached", timeout=PATIENCE)
        await here.owner.say(here.desk, f"!buy close {ben.shown(here.group, card)[BUY]['id']}")
        await ben.sees(here.group, f"{name}: closed with", timeout=PATIENCE)

    await the_database_has_each_as_it_should(day)
    for one in day.concierges[:2]:
        await the_desk_shows_each_once(day, one)
    the_group_was_left_in_peace(day)
    assert here.errors() == []


async def begin(
    person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory, members: int, second: Synapse | None
) -> Day:
    """A group of three concierges, one of them on a second homeserver if there is one, and two open group buys."""
    rosa, ben, dora = await person("rosa"), await person("ben"), await person("dora")
    cleo = await person("cleo", on=second) if second else await person("cleo")
    service = await coterie(groups={"owners": [rosa.user_id], "time_zone": "Europe/Vienna"})
    here = await circle([ben, dora], rosa=rosa, service=service)
    await here.appoint(cleo)
    gate = asyncio.Semaphore(AT_ONCE)
    reads = [here.bot, rosa.user_id, *(one.user_id for one in (ben, cleo, dora))]

    async def join(n: int) -> Visitor:
        async with gate:
            one = await person(f"m{n}x", client=Visitor, auto_join_from={here.bot})
            assert isinstance(one, Visitor)
            await rosa.say(here.direct, f"!invite {one.user_id}")
            await rosa.sees(here.group, lambda e: e.get("state_key") == one.user_id, timeout=PATIENCE)
            await one.come_in(here.group, reads)
            return one

    there = await asyncio.gather(*(join(n) for n in range(members)))
    day = Day(here, [ben, cleo, dora], there)
    day.alias = {one: await here.alias_of(one) for one in (ben, cleo, dora)}
    few, many = members // 5, 2 * members // 5
    for name in BUYS:
        await day.open_buy(name, f"{few}:79 {many}:69 until {in_days(5)} 18:00")
    return day


async def the_database_has_each_as_it_should(day: Day) -> None:
    """The script's own ledger and the table say the same."""
    wanted = {asked.event_id: asked.expected() for asked in day.asked if asked.is_known}
    rows, claimants = kept(day.here)
    for _ in range(3 * PATIENCE):
        if rows == wanted:
            break
        await asyncio.sleep(0.3)
        rows, claimants = kept(day.here)
    missing = [asked for asked in day.asked if asked.is_known and asked.event_id not in rows]
    assert not missing, missing
    assert rows.keys() == wanted.keys()
    for id, one in wanted.items():
        assert {key: rows[id][key] for key in one} == one, named(day, id)
    for asked in day.asked:
        if asked.is_known:
            one_of = {one.user_id for one in asked.claimant} or {None}
            assert claimants[asked.event_id] in one_of, asked


def named(day: Day, event_id: str) -> str:
    """Which question it is, for a failure."""
    return next(f"no. {asked.no}, {asked.way}" for asked in day.asked if asked.event_id == event_id)


async def the_desk_shows_each_once(day: Day, one: Person) -> None:
    """One thread for each question, whose first line says how it stands; rung once, and for what was new in it."""
    here, desk = day.here, day.here.desk
    typed = await one.say(desk, "!help")
    await one.sees(desk, lambda e: e["sender"] == here.bot and kind(e) == "message", after=typed, timeout=PATIENCE)
    known, called = [asked for asked in day.asked if asked.is_known], aliases(here)
    with contextlib.suppress(AssertionError):
        await one.sees_that(lambda: not any(wrong(day, one, asked, called) for asked in known), timeout=PATIENCE)
    for asked in known:
        assert wrong(day, one, asked, called) == "", f"no. {asked.no}, {asked.way}: {asked.expected()}"
    assert len(lines(day, one, " asks")) == len(known)
    rung = [e for e in one.new_messages(desk, here.bot) if e["content"]["msgtype"] == "m.text"]
    assert len(rung) == day.rings
    assert one.undecryptable(desk) == {}
    assert one.sent_in_clear(desk, here.bot) == []


def lines(day: Day, one: Person, words: str) -> list[str]:
    """The lines in the desk that say so and stand, by their ids."""
    said, gone = one.new_messages(day.here.desk, day.here.bot), one.seen.redacted(day.here.desk)
    return [e["event_id"] for e in said if words in e["content"]["body"] and e["event_id"] not in gone]


def wrong(day: Day, one: Person, asked: Asked, called: dict[str, str]) -> str:
    """What the desk shows of a question that is not as it should be; empty if all is well."""
    found = lines(day, one, asked.mark if asked.texts else asked.event_id)
    if len(found) != 1:
        return f"{len(found)} lines"
    body = str(one.shown(day.here.desk, found[0])["body"])
    again, how = ", again" if asked.episode > 1 else "", " directly" if asked.is_direct else ""
    head = f"{SIGNS[asked.status]} {called[asked.asker.user_id]} asks{how}{again} · "
    says = "\n".join(f"> {text}" for text in dict.fromkeys(asked.texts)) or "> (removed)"
    is_well = body.startswith(head) and f"\n{says}\n" in body
    return "" if is_well and any(fact in body for fact in facts(asked, called)) else body


def facts(asked: Asked, called: dict[str, str]) -> list[str]:
    """What the line may say of who has done something."""
    has = [called[one.user_id] for one in asked.claimant]
    if asked.status == "open":
        return ["👀 takes it"]
    if asked.status == "claimed":
        return [f"{name} has it." for name in has]
    if asked.status == "snoozed":
        return ["Put off until "]
    if asked.credited is not None:
        return [f"Closed: {called[asked.credited.user_id]}’s answer was accepted."]
    if not asked.texts:
        return ["Taken back by its asker."]
    by = [f"Answered by {called[asked.answered.user_id]} after "] if asked.answered else []
    return [f"Closed by {called[asked.resolved_by.user_id]}."] if asked.resolved_by else by


def the_group_was_left_in_peace(day: Day) -> None:
    """Cards, tier news and results, and nothing else; a clerk of the questions is not heard."""
    here, ben = day.here, day.concierges[0]
    posted = [e["content"]["body"].split("\n")[0] for e in ben.new_messages(here.group, here.bot)]
    for name in BUYS:
        own = Counter(re.sub(r"\d+", "n", line).split(",")[0].split(" with ")[0] for line in posted if name in line)
        assert own == {
            name: 1,
            f"Group buy: {name}": 1,
            f"{name}: the minimum order is reached": 1,
            f"{name}: n are reached": 1,
            f"{name}: closed": 1,
        }
        assert own.total() <= MOST_OF_A_BUY
    assert all(any(name in line for name in BUYS) for line in posted), posted
