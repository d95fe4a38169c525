"""Leaving, being forgotten and closing a group, on real homeservers that federate."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.harness.circle import CircleFactory
from tests.harness.person import Event, PersonFactory
from tests.harness.service import Service, ServiceFactory
from tests.harness.synapse import Synapse

DAY_MS = 24 * 3_600_000


def rows(service: Service, table: str) -> list[tuple[Any, ...]]:
    """A table of the service's database, as it is on the disk."""
    with closing(sqlite3.connect(service.directory / "coterie.db")) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def dump(service: Service) -> str:
    """Every row of every table."""
    tables = [row[1] for row in rows(service, "sqlite_master") if row[0] == "table"]
    return "\n".join(str(row) for table in tables for row in rows(service, table))


async def a_day_passes(service: Service) -> None:
    """What is due within a day is due now."""
    await service.stop()
    with closing(sqlite3.connect(service.directory / "coterie.db")) as connection, connection:
        connection.execute("UPDATE timer SET due_at = due_at - ?", (DAY_MS,))
    await service.start()


def is_out(user_id: str, reason: str | None = None) -> Any:
    def leaves(event: Event) -> bool:
        content = event["content"]
        out = event.get("state_key") == user_id and content.get("membership") == "leave"
        return bool(out and (reason is None or content.get("reason") == reason))

    return leaves


async def test_a_member_of_another_server_reads_their_file_and_is_forgotten(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    here = await circle(["ben"], [await person("rena", on=federated[1])], rosa=rosa, service=service)
    _, rena = here
    room = await rena.create_direct(here.bot)
    await rena.say(room, "!alias Otter")
    await rena.sees(room, "I call you Otter")
    await rena.say(room, "!mydata")
    sent = await rena.sees(room, lambda e: e["content"].get("msgtype") == "m.file")
    file = json.loads(await rena.attachment(sent["content"]))
    assert [group["alias"] for group in file["groups"]] == ["Otter"] and "@" not in json.dumps(file)
    asked = await rena.say(room, "!forget me confirm")
    await rena.sees(here.group, is_out(rena.user_id, "left by their own wish"))
    await rena.sees(room, lambda e: e["content"].get("msgtype") == "m.file", after=asked)
    done = await rena.sees(room, "It is done: I have erased you", timeout=30, after=asked)
    await rena.sees(room, is_out(here.bot), timeout=30, after=done["event_id"])
    assert rena.user_id not in dump(service) and "erased 3" in dump(service) and here.errors() == []


@pytest.mark.slow
async def test_a_closed_group_is_empty_on_every_server(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id], "retention_days": 0})
    people = [await person("ana"), await person("rena", on=federated[1])]
    here = await circle(["ben"], people, rosa=rosa, service=service)
    ben, ana, rena = here
    await rosa.say(here.direct, "!sunset confirm")
    news = await rena.sees(here.group, "This group closes on")
    assert news["content"]["msgtype"] == "m.notice"
    await a_day_passes(service)
    for one in (rosa, ben, ana, rena):
        await one.sees(here.group, is_out(one.user_id, "the group has closed"), timeout=30)
    await rosa.sees(here.desk, is_out(rosa.user_id), timeout=30)
    await ben.sees(here.desk, is_out(ben.user_id), timeout=30)
    await a_day_passes(service)  # the few minutes after which the bot leaves, and the rest
    await rosa.sees_that(lambda: "closed" in str(rows(service, "coterie_group")), timeout=30)
    await a_day_passes(service)
    await rosa.sees(here.direct, is_out(here.bot), timeout=60)
    members = rows(service, "member")
    assert sorted(row[1] for row in members) == ["erased 1", "erased 2", "erased 3", "erased 4"]
    assert here.errors() == []
