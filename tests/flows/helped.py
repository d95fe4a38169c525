"""Questions and help rooms as a test sees them: lines in the desk, rooms of two people and the service."""

from __future__ import annotations

from typing import Any

from tests.flows.homeserver_events import Event
from tests.flows.homeserver_people import Person
from tests.flows.homeserver_rooms import Room
from tests.flows.journey import Journey


def lines(play: Journey, desk: str | None = None) -> list[Event]:
    """The lines in the desk that are about a question."""
    return [e for e in play.hs.room(desk or play.desk).messages(play.hs.bot) if " asks" in str(e.content.get("body"))]


def line_now(play: Journey, line: Event) -> str:
    return str(play.hs.room(line.room_id).content_now(line)["body"])


def thread(play: Journey) -> list[str]:
    """What the service has said in threads of the desk."""
    said = play.hs.room(play.desk).messages(play.hs.bot)
    return [str(e.content["body"]) for e in said if e.content.get("m.relates_to", {}).get("rel_type") == "m.thread"]


def help_rooms(play: Journey) -> list[Room]:
    """Every help room that was ever made, oldest first."""
    return [room for room in play.hs.world.rooms.values() if str(room.name).startswith("Help for ")]


def help_room(play: Journey) -> Room:
    """The only help room."""
    [room] = help_rooms(play)
    return room


async def ask(play: Journey, person: Person, text: str = "Is it soft?") -> Event:
    """A member asks directly; gives the line in the desk."""
    await play.tell(person, text)
    return lines(play)[-1]


async def take(play: Journey, concierge: Person, line: Event | None = None) -> str:
    """A concierge takes a question, the newest unless another is named."""
    return await play.decide(concierge, (line or lines(play)[-1]).event_id, "👀")


async def helped(play: Journey, text: str = "Is it soft?") -> Room:
    """Ana has asked directly, ben has taken it; gives their room."""
    await ask(play, play.ana, text)
    await take(play, play.ben)
    return help_room(play)


async def questions(play: Journey) -> list[dict[str, Any]]:
    """The questions as they are kept, oldest first."""
    rows = await play.service.rows("SELECT * FROM question ORDER BY asked_at, id")
    return [dict(row) for row in rows]


async def standing(play: Journey) -> tuple[str, str | None, bool]:
    """Of the only question: its status, its claimant by name, and whether its asker waits for an answer."""
    [row] = await play.service.rows(
        "SELECT q.status, q.waits, m.user_id FROM question q LEFT JOIN member m"
        " ON m.group_id = q.group_id AND m.number = q.claimant"
    )
    claimant = str(row["user_id"]).split(":")[0].removeprefix("@") if row["user_id"] else None
    return str(row["status"]), claimant, bool(row["waits"])


def people(room: Room, play: Journey) -> set[str]:
    """Who is in a room beside the service, by name."""
    return {user.split(":")[0].removeprefix("@") for user in room.joined - {play.hs.bot}}


def said(room: Room, play: Journey) -> list[str]:
    """What the service has said in a room."""
    return [str(event.content["body"]) for event in room.messages(play.hs.bot)]


async def later(play: Journey, ms: int) -> None:
    play.service.clock.advance(ms)
    play.service.ring()
    await play.rest()


async def off_duty(play: Journey, concierge: Person) -> None:
    """A concierge goes off duty."""
    await play.say(concierge, "!duty off", to=play.desk)


async def ask_all(play: Journey, person: Person, text: str = "!ask Is it soft?") -> str:
    """Somebody asks in the group; gives the message."""
    return await play.say(person, text)
