"""What the service keeps, as a whole: for tests that ask whether somebody was forgotten."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import Service

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgres": "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
}


async def kept(service: Service) -> dict[str, list[str]]:
    """Every row of every table there is, as text."""
    engine = "sqlite" if service.database.startswith("sqlite") else "postgres"
    tables = [row["name"] for row in await service.rows(_TABLES[engine])]
    assert {"arrival", "effect", "ledger", "member"} <= set(tables)
    return {name: [str(row) for row in await service.rows(f'SELECT * FROM "{name}"')] for name in tables}


async def mentions(service: Service, *words: str) -> list[str]:
    """The rows in which one of these words stands, whatever the case of its letters."""
    found = [f"{table}: {row}" for table, rows in (await kept(service)).items() for row in rows]
    return [row for row in found if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", row, re.I) for word in words)]


def file_of(play: Journey, person: Person) -> dict[str, Any]:
    """The newest file that a person was sent."""
    content = [event.content for event in play.hs.direct_events(person) if event.content.get("msgtype") == "m.file"][-1]
    data, mime = play.hs.world.media[content["url"].rpartition("/")[2]]
    assert content["info"] == {"mimetype": mime, "size": len(data)}
    read: dict[str, Any] = json.loads(data)
    return read


def count_files(play: Journey, person: Person) -> int:
    """How many files a person was sent."""
    return len([event for event in play.hs.direct_events(person) if event.content.get("msgtype") == "m.file"])
