"""Whether the service ever exposed somebody: members' Matrix ids and display names have no place in what it writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import Event
from tests.flows.homeserver_rooms import Room
from tests.flows.journey import Journey

_MEMBER, _MENTIONS = "m.room.member", "m.mentions"
_PROTOCOL = ("m.room.power_levels", "m.room.create")
_USER_ID = re.compile(r"@[^\s:\"@]+:[\w.-]+")


async def exposures(play: Journey) -> list[str]:
    """Every place in which the service wrote a member's id or display name, and every id in the ledger."""
    found = [line for event in play.hs.events_by(play.hs.bot) for line in _in_event(play.hs, event)]
    for row in await play.service.rows("SELECT fact, detail FROM ledger"):
        found += [f"ledger {row['fact']}: {row['detail']}"] if _USER_ID.search(row["detail"]) else []
    return found


def _in_event(hs: FakeHomeserver, event: Event) -> list[str]:
    if event.type in _PROTOCOL:
        return []
    content = {"reason": event.original.get("reason")} if event.type == _MEMBER else event.original
    written = "\n".join(_texts(content))
    exposed = [name for name in _names_of_members(hs, event.order) if _shows(written, name)]
    return [f"{event.type} in {hs.room(event.room_id)!r}: {name} in {written!r}" for name in exposed
            if not _was_typed_by_its_readers(hs, event, name)]  # fmt: skip


def _shows(written: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", written) is not None


def _texts(value: Any) -> Iterator[str]:
    """Every text in a content, keys included, but for the mentions: clients need ids there."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            if key != _MENTIONS:
                yield from _texts(inner)


def _names_of_members(hs: FakeHomeserver, order: int) -> set[str]:
    """Ids of who was in a group at that moment, and their display names there where these say more than the id."""
    found: set[str] = set()
    for room in hs.world.rooms.values():
        if room.content("shop.coterie.group"):
            now: dict[str, Event] = {}
            for event in room.events:
                if event.type == _MEMBER and event.order < order:
                    now[str(event.state_key)] = event
            for user_id, event in now.items():
                if event.original.get("membership") == "join" and not hs.is_service_user(user_id):
                    found |= {user_id, *_display_name(user_id, event)}
    return found


def _display_name(user_id: str, event: Event) -> set[str]:
    name = event.original.get("displayname")
    usual = user_id[1:].partition(":")[0]
    return {name} if isinstance(name, str) and len(name) > 3 and name != usual else set()


def _was_typed_by_its_readers(hs: FakeHomeserver, event: Event, name: str) -> bool:
    """Whether whoever reads this has typed it before: in their direct messages anywhere, in a desk in that desk."""
    room = hs.room(event.room_id)
    rooms = list(hs.world.rooms.values()) if _is_direct(hs, room) else [room]
    readers = {user for user in room.members if not hs.is_service_user(user)}
    return any(
        earlier.sender in readers and earlier.order < event.order and name in str(earlier.original.get("body"))
        for other in rooms
        for earlier in other.events
        if earlier.type == "m.room.message"
    )


def _is_direct(hs: FakeHomeserver, room: Room) -> bool:
    return len(room.members) == 2 and not room.content("shop.coterie.group") and not room.name.startswith("Desk: ")
