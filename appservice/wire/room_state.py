"""A room as our homeserver has it, as the answer to `Inspect` brings it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appservice.domain.ids import EventId, RoomId, UserId
from appservice.wire.content import at, integer_at, mapping_at, readable, text_at
from appservice.wire.membership import LONGEST_NAME, MEMBERSHIPS
from appservice.wire.membership import TYPE as MEMBER

CREATE = "m.room.create"
_CREATORS_RULE = "12"
"""The first room version whose creators outrank everybody."""


@dataclass(frozen=True, slots=True)
class StateEvent:
    """A piece of state: who set it, or emptied it by removing the event; to what, when (ms, by the sender's server)."""

    event_id: EventId
    sender: UserId
    content: Mapping[str, Any]
    sent_at: int


@dataclass(frozen=True, slots=True)
class InRoom:
    """A person who is in a room, invited, banned or asking to enter (`membership`), since `sent_at` (ms)."""

    user_id: UserId
    membership: str
    sender: UserId
    sent_at: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RoomState:
    """What a room is like. `events` has the state but memberships, by type and state key; `members` everybody but
    those who have left, the longest there first; `aliases` are those at our homeserver, in whose directory it is
    `listed`.

    `creators` outrank everybody (nobody does so below version 12). What changed here after `asked_at` (ms) is newer.
    """

    room_id: RoomId
    version: str
    events: Mapping[tuple[str, str], StateEvent] = field(default_factory=dict)
    members: tuple[InRoom, ...] = ()
    creators: frozenset[UserId] = frozenset()
    aliases: tuple[str, ...] = ()
    listed: bool = False
    asked_at: int = 0

    def content(self, type: str, state_key: str = "") -> Mapping[str, Any]:
        """Give the content of a piece of state, empty where there is none."""
        event = self.events.get((type, state_key))
        return event.content if event else {}

    def contents(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Give the content of every piece of state."""
        return {key: event.content for key, event in self.events.items()}

    def with_membership(self, *memberships: str) -> list[InRoom]:
        """Give those who stand so with the room, the longest first."""
        return [person for person in self.members if person.membership in memberships]


def parse_room(answer: Mapping[str, Any]) -> RoomState | None:
    """Give the room, or None where it is not readable as one. Events with an odd type, key or sender are left out."""
    room_id, raw = text_at(answer, "room_id"), answer.get("state")
    if room_id is None or not isinstance(raw, list):
        return None
    found = [(key, event) for one in raw if (key := _key(one)) and (event := _event(one))]
    events = {key: event for key, event in found if key[0] != MEMBER}
    members = [_member(UserId(key[1]), event) for key, event in found if key[0] == MEMBER and key[1].startswith("@")]
    created = events.get((CREATE, ""))
    version = (text_at(created.content, "room_version") or "1") if created else "1"
    aliases = answer.get("aliases")
    return RoomState(
        room_id=RoomId(room_id),
        version=version,
        events=events,
        members=tuple(sorted((one for one in members if one), key=lambda one: (one.sent_at, one.user_id))),
        creators=_creators(created, version) if created else frozenset(),
        aliases=tuple(alias for alias in aliases if isinstance(alias, str)) if isinstance(aliases, list) else (),
        listed=answer.get("listed") is True,
        asked_at=integer_at(answer, "asked_at") or 0,
    )


def _key(raw: object) -> tuple[str, str] | None:
    type, state_key = text_at(raw, "type"), at(raw, "state_key")
    key = "" if state_key == "" else text_at(raw, "state_key")
    return None if type is None or key is None else (type, key)


def _event(raw: object) -> StateEvent | None:
    event_id, sender, content = text_at(raw, "event_id"), text_at(raw, "sender"), mapping_at(raw, "content")
    if event_id is None or sender is None or content is None:
        return None
    changed_by = UserId(text_at(raw, "redacted_by") or sender)
    return StateEvent(EventId(event_id), changed_by, content, integer_at(raw, "origin_server_ts") or 0)


def _member(user_id: UserId, event: StateEvent) -> InRoom | None:
    membership = event.content.get("membership")
    if membership not in MEMBERSHIPS or membership == "leave":
        return None
    name = event.content.get("displayname")
    shown = readable(name[:LONGEST_NAME]) if isinstance(name, str) and name.strip() else None
    return InRoom(user_id, membership, event.sender, event.sent_at, shown)


def _creators(created: StateEvent, version: str) -> frozenset[UserId]:
    """Tell who outranks everybody: from version 12 on the sender of the first event and who is named there."""
    if version.isdecimal() and int(version) < int(_CREATORS_RULE):
        return frozenset()
    named = created.content.get("additional_creators")
    others = [UserId(one) for one in named if isinstance(one, str)] if isinstance(named, list) else []
    return frozenset({created.sender, *others})
