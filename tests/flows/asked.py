"""Questions in the group as a test asks them, and what the desk rings about them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.flows.growth import name_of
from tests.flows.helped import line_now, lines
from tests.flows.homeserver_events import Event
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey


async def asks(play: Journey, person: Person, text: str = "Is it soft?", *, to: Person | None = None) -> str:
    """Somebody mentions a concierge, ben unless another is named."""
    event_id = person.say(play.group, text, mentions=[(to or play.ben).mxid])
    await play.rest()
    return event_id


async def replies(play: Journey, person: Person, text: str, to: str) -> str:
    """Somebody answers an event in the group."""
    return await play.say(person, text, reply_to=to)


def in_thread(root: str) -> dict[str, Any]:
    """What a message in a thread carries, as Element writes it."""
    last = {"m.in_reply_to": {"event_id": root}, "is_falling_back": True}
    return {"m.relates_to": {"rel_type": "m.thread", "event_id": root, **last}}


async def types(
    play: Journey, person: Person, text: str, line: Event | None = None, *, mentions: Iterable[str] = ()
) -> str:
    """A concierge types something in the thread of a question, the newest unless another is named."""
    thread = in_thread((line or lines(play)[-1]).event_id)
    event_id = person.say(play.desk, text, mentions=mentions, **thread)
    await play.rest()
    return event_id


def shown(play: Journey) -> list[str]:
    """What the lines about questions say now, oldest first."""
    return [line_now(play, line) for line in lines(play)]


def rings(play: Journey) -> list[tuple[str, set[str]]]:
    """What has rung somebody at the desk, in order: its first line and whom (by name)."""
    found = []
    for event in play.bot_events(play.desk, "m.room.message"):
        if event.original.get("msgtype") == "m.text":
            whom = {name_of(mxid) for mxid in event.original["m.mentions"]["user_ids"]}
            found.append((str(event.original["body"]).split("\n")[0], whom))
    return found


async def facts(play: Journey) -> list[str]:
    """What the ledger says has happened to questions, in order."""
    rows = await play.service.rows("SELECT fact FROM ledger WHERE fact LIKE 'question%' ORDER BY seq")
    return [str(row["fact"]).removeprefix("question_") for row in rows]


async def statuses(play: Journey) -> list[str]:
    rows = await play.service.rows("SELECT status FROM question ORDER BY asked_at, id")
    return [str(row["status"]) for row in rows]


async def answered_at(play: Journey) -> int | None:
    """When (ms) the clock of the only question stopped."""
    [row] = await play.service.rows("SELECT state FROM question")
    answers = json.loads(row["state"])["answers"]
    return min((one["at"] for one in answers if not one["is_peer"]), default=None)
