"""A person is taken out of what was sent and received, and nobody else is; on both engines."""

from typing import Any

import pytest

from appservice.domain.effect import Kick, SendState, Tell
from appservice.domain.ids import RoomId, UserId
from appservice.store.db import Database
from appservice.store.inbox import NewArrival
from appservice.store.outbox import Owed
from appservice.store.unit import Store
from tests.store.engine import fetch

ANA, OTTO = UserId("@ana_x:h.example"), UserId("@otto:h.example")
OTHERS = ["@ana_x:h.example.org", "@ana_x:h.example:8448", "@anaxx:h.example", "@ana_x:h.exampl"]
"""Ids that are nearly hers: one begins with it, one fits it as a pattern of SQL."""
ROOM = RoomId("!group")


def notice(body: str) -> dict[str, Any]:
    return {"msgtype": "m.notice", "body": body}


async def send(store: Store, lane: str) -> None:
    """The first effect of a lane has been carried out."""
    async with store.unit() as unit:
        owed = await unit.outbox.head(lane, unit.now)
        assert isinstance(owed, Owed) and await unit.outbox.finish(owed)


async def test_what_was_sent_to_a_person_leaves_no_trace_of_them(store: Store, database: Database) -> None:
    kicks = [Kick(ROOM, UserId(person), "left by their own wish") for person in (ANA, *OTHERS)]
    async with store.unit() as unit:
        for n, kick in enumerate(kicks):
            await unit.outbox.put(f"$cause:{n}", kick, unit.now)
    for kick in kicks:
        await send(store, kick.lane)
    async with store.unit() as unit:
        await unit.erasing.traces(ANA)
    assert await fetch(database, "SELECT lane FROM effect ORDER BY seq") == [
        (f"invite !group {person}",) for person in OTHERS
    ]


async def test_what_others_have_not_come_for_keeps_its_sense_without_the_id(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        held = Tell(OTTO, notice(f"{ANA} has not answered. {ANA}, {OTHERS[0]}"))
        await unit.outbox.put("timer invitation g @ana_x:h.example 1:0", held, unit.now, held=True)
        await unit.outbox.put("$own:0", Tell(ANA, notice("Hello")), unit.now, held=True)
        await unit.erasing.traces(ANA)
        await unit.outbox.release(held.lane, unit.now)
        owed = await unit.outbox.head(held.lane, unit.now)
    [(id, lane)] = await fetch(database, "SELECT id, lane FROM effect")
    assert ANA not in id.replace(OTHERS[0], "") and lane == held.lane
    assert owed is not None and isinstance(owed.effect, Tell)
    somebody = "somebody who was erased"
    assert owed.effect.content["body"] == f"{somebody} has not answered. {somebody}, {OTHERS[0]}"


async def test_what_was_set_aside_and_names_them_is_given_up(store: Store, database: Database) -> None:
    content = {"users": {ANA: 50}}
    async with store.unit() as unit:
        for n, users in enumerate((content, {"users": {OTHERS[0]: 50}})):
            await unit.outbox.put(f"${n}:0", SendState(RoomId(f"!{n}"), "m.room.power_levels", "", users), unit.now)
            owed = await unit.outbox.head(f"!{n}", unit.now)
            assert owed is not None
            await unit.outbox.park(owed, f"403 M_FORBIDDEN: {next(iter(users['users']))} is stronger")
        await unit.erasing.traces(ANA)
    rows = await fetch(database, "SELECT status, content IS NULL, error FROM effect ORDER BY seq")
    assert [(status, bool(gone), error) for status, gone, error in rows] == [
        ("dropped", True, None),
        ("parked", False, f"403 M_FORBIDDEN: {OTHERS[0]} is stronger"),
    ]


@pytest.mark.parametrize("person", [ANA, OTTO, *OTHERS])
async def test_what_still_waits_is_found_by_the_very_id(store: Store, person: str) -> None:
    async with store.unit() as unit:
        await unit.outbox.put("$a:0", SendState(ROOM, "m.room.power_levels", "", {"users": {ANA: 50}}), unit.now)
        assert await unit.erasing.is_owed(person) is (person == ANA)
    async with store.unit() as unit:
        owed = await unit.outbox.head(ROOM, unit.now)
        assert owed is not None
        await unit.outbox.finish(owed)
        await unit.inbox.journal([NewArrival("$e", "!r", "m.room.member", f'{{"state_key": "{ANA}"}}')], unit.now)
        assert await unit.erasing.is_owed(person) is (person == ANA)


async def test_a_person_is_out_of_the_policy_kept_of_an_adopted_room(store: Store, database: Database) -> None:
    kept = f'{{"m.room.power_levels": {{"users": {{"{ANA}": 50, "{OTTO}": 100}}}}, "list": ["{ANA}", 1]}}'
    async with store.unit() as unit:
        await unit._connection.execute(
            "INSERT INTO coterie_group (id, name, owner, cap, currency, locale, time_zone, status, created_at, kept)"
            " VALUES ('g', 'G', $1, 9, 'EUR', 'en', 'UTC', 'open', 1, $2)",
            OTTO, kept,
        )  # fmt: skip
        await unit.erasing.in_group("g", ANA, None)
        group = await unit.groups.get("g")
    assert group.kept == {"m.room.power_levels": {"users": {OTTO: 100}}, "list": [1]} and group.owner == OTTO
