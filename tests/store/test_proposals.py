"""Proposals when things happen at once: of all the ✅ one pledges, of two who ask at once one does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from appservice.actions import proposing
from appservice.actions.work import Work
from appservice.domain.cause import Cause, Place, Way
from appservice.domain.group_buy import Status
from appservice.domain.ids import BuyId, EventId, GroupId, Number, RoomId, UserId
from appservice.domain.refusal import Reason, Refusal
from appservice.store.db import Database
from appservice.store.proposals import Proposal
from appservice.store.rooms import Direct, DirectStatus, Room, RoomKind
from appservice.store.unit import Store
from tests.store.engine import START, at_once, fetch
from tests.store.given import BUY, CONFIG, DESK, GROUP, buy_exists, member

QUESTION = EventId("$question")
WHO, DIRECT = member(2), RoomId("!direct2:example.org")
PROPOSAL = Proposal("pr1", GROUP.id, Number(2), BUY.id, "2", Number(1), START, QUESTION)


async def begin(store: Store, *proposals: Proposal) -> None:
    """A buy in a group of three, the second of whom has a direct room with the service."""
    await buy_exists(store, replace(BUY, status=Status.OPEN), members=3)
    async with store.unit() as unit:
        await unit.rooms.add(Room(DIRECT, RoomKind.DIRECT, WHO.user_id))
        await unit.rooms.save_direct(Direct(WHO.user_id, DIRECT, DirectStatus.JOINED))
        for proposal in proposals:
            await unit.proposals.add(proposal)
            if proposal.event_id is not None:
                await unit.proposals.set_event(proposal.id, proposal.event_id)


async def say_yes(store: Store, n: int, sender: UserId = WHO.user_id) -> None:
    async with store.unit() as unit:
        cause = Cause(f"$yes{n}", unit.now, n, sender, DIRECT, Place.DIRECT, Way.REACTION)
        await proposing.confirmed(Work(unit, CONFIG, cause), QUESTION)


async def ask(store: Store, n: int, words: str = "2") -> Refusal | None:
    async with store.unit() as unit:
        cause = Cause(f"$asked{n}", unit.now, n, member(n).user_id, DESK, Place.DESK, Way.MESSAGE)
        buy = await unit.buys.get(BUY.id)
        return await proposing.propose(Work(unit, CONFIG, cause), GROUP.id, member(n), WHO, buy, words)


async def told(database: Database) -> list[str]:
    """What is owed to the member by direct message, in order."""
    rows = await fetch(database, "SELECT content FROM effect WHERE kind = 'Tell' ORDER BY seq")
    return [json.loads(content)["content"]["body"] for (content,) in rows]


@pytest.mark.parametrize("seed", range(3))
async def test_of_signs_that_come_at_once_one_pledges(stores: list[Store], database: Database, seed: int) -> None:
    await begin(stores[0], PROPOSAL)
    await at_once([say_yes(stores[n % len(stores)], n) for n in range(8)], seed)
    assert await fetch(database, "SELECT number, quantity FROM tranche") == [(2, 2)]
    assert await fetch(database, "SELECT COUNT(*) FROM ledger WHERE fact = 'pledged'") == [(1,)]
    said = await told(database)
    assert [line.startswith("Pledged: ") for line in said] == [True] + [False] * 7
    assert all(line.startswith("You have confirmed that before") for line in said[1:])


@pytest.mark.parametrize("seed", range(3))
async def test_of_concierges_who_ask_the_same_at_once_one_does(
    stores: list[Store], database: Database, seed: int
) -> None:
    await begin(stores[0])
    answers = await at_once([ask(stores[n % len(stores)], n) for n in (1, 3)], seed)
    assert [answer.reason for answer in answers if answer] == [Reason.PROPOSED_ALREADY]
    assert len(await told(database)) == len(await fetch(database, "SELECT id FROM proposal")) == 1


async def test_of_different_words_at_once_the_later_count(stores: list[Store], database: Database) -> None:
    await begin(stores[0])
    answers = await at_once([ask(stores[n % len(stores)], n, f"{n}") for n in (1, 3)])
    assert answers == [None, None]
    asked = [line.split("Merino throw, ")[1][0] for line in await told(database)]
    newest = await fetch(database, "SELECT words FROM proposal ORDER BY made_at DESC")
    assert [words for (words,) in newest] == asked[::-1]


@pytest.mark.parametrize("seed", range(3))
async def test_who_is_forgotten_as_they_say_yes_is_in_or_out_but_never_stuck(
    stores: list[Store], database: Database, seed: int
) -> None:
    await begin(stores[0], PROPOSAL)

    async def forget() -> None:
        async with stores[-1].unit() as unit:
            await unit.groups.lock(GROUP.id)
            await unit.buys.lock(BUY.id)
            await unit.erasing.in_group(GROUP.id, WHO.user_id, 2)

    await at_once([say_yes(stores[0], 1), forget()], seed)
    assert await fetch(database, "SELECT id FROM proposal") == []
    assert await fetch(database, "SELECT quantity FROM tranche") in ([], [(2,)])


@pytest.mark.parametrize("sender", [member(1).user_id, member(3).user_id, UserId("@stranger:example.org")])
async def test_the_sign_of_somebody_else_confirms_nothing(store: Store, database: Database, sender: UserId) -> None:
    await begin(store, PROPOSAL)
    await say_yes(store, 1, sender)
    assert await fetch(database, "SELECT * FROM tranche") == [] and await told(database) == []


async def test_a_proposal_is_found_as_it_was_written_down(store: Store) -> None:
    older = replace(PROPOSAL, id="pr0", made_at=START - 1, event_id=None, words="2-4 max 9.00")
    await begin(store, PROPOSAL, older)
    async with store.unit() as unit:
        assert await unit.proposals.get("pr0") == older and await unit.proposals.by_event(QUESTION) == PROPOSAL
        assert await unit.proposals.newest(GROUP.id, 2, BUY.id) == PROPOSAL
        assert await unit.proposals.newest(GROUP.id, 3, BUY.id) is None
        assert await unit.proposals.newest(GroupId("g2"), 2, BuyId("b1")) is None
        assert await unit.proposals.is_sending_to(WHO.user_id)
        assert not await unit.proposals.is_sending_to(member(3).user_id)
        await unit.proposals.confirm("pr1")
        await unit.proposals.prune(START)
        assert await unit.proposals.get("pr0") is None
        assert await unit.proposals.get("pr1") == replace(PROPOSAL, words="")


async def test_drafts_are_kept_by_group_and_name(store: Store) -> None:
    await begin(store)
    async with store.unit() as unit:
        for name, text in (("b", "Second"), ("a", "First"), ("b", "Zweiter 🕯")):
            await unit.canned.save(GROUP.id, name, text)
        assert await unit.canned.all(GROUP.id) == {"a": "First", "b": "Zweiter 🕯"}
        assert await unit.canned.all("g2") == {}
        await unit.canned.remove("g2", "a")
        await unit.canned.remove(GROUP.id, "b")
        assert await unit.canned.all(GROUP.id) == {"a": "First"}
