"""One room as a homeserver keeps it: state, members, power levels, and who sees what. In memory, no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tests.flows.homeserver_events import Event, Json, Refused, forbidden

CREATOR_RULES = frozenset({"12"})  # room versions whose creators outrank everyone
STRIPPED = [
    "m.room.create",
    "m.room.join_rules",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.encryption",
]


class Room:
    """The events of one room in order, with the state that follows from them."""

    def __init__(self, room_id: str, version: str) -> None:
        self.room_id = room_id
        self.version = version
        self.events: list[Event] = []
        self.state: dict[tuple[str, str], Event] = {}
        self._by_id: dict[str, Event] = {}

    def append(self, event: Event) -> None:
        self.events.append(event)
        self._by_id[event.event_id] = event
        if event.state_key is not None:
            self.state[event.type, event.state_key] = event

    # ---- views ---------------------------------------------------------------------------
    def __repr__(self) -> str:
        return f"<Room {self.name or self.room_id}: {len(self.events)} events, {sorted(self.joined)}>"

    def content(self, type: str, state_key: str = "") -> Json:
        """Content of a piece of current state, `{}` if there is none."""
        event = self.state.get((type, state_key))
        return event.content if event else {}

    @property
    def name(self) -> str:
        return str(self.content("m.room.name").get("name", ""))

    @property
    def members(self) -> dict[str, str]:
        """Membership of everyone who ever had one."""
        return {
            key: str(event.content.get("membership", "leave"))
            for (type, key), event in self.state.items()
            if type == "m.room.member"
        }

    @property
    def joined(self) -> set[str]:
        return {user for user, membership in self.members.items() if membership == "join"}

    @property
    def invited(self) -> set[str]:
        return {user for user, membership in self.members.items() if membership == "invite"}

    @property
    def pinned(self) -> list[str]:
        return list(self.content("m.room.pinned_events").get("pinned", []))

    def membership(self, user: str) -> str:
        return str(self.content("m.room.member", user).get("membership", "leave"))

    def event(self, event_id: str) -> Event | None:
        return self._by_id.get(event_id)

    def messages(self, by: str | None = None) -> list[Event]:
        """Messages that stand in the timeline: no edits, nothing redacted. Fails on one that nobody could read."""
        for event in self.events:
            unread = event.sealed is None and event.redaction is None and event.unread_by
            assert not unread, f"{event.event_id} was read by nobody: {unread}"
        return [
            event
            for event in self.events
            if event.type == "m.room.message"
            and event.redaction is None
            and event.replaces is None
            and by in (None, event.sender)
        ]

    def content_now(self, event: Event) -> Json:
        """Content of a message after its newest edit by its own author."""
        edits = (
            edit.content["m.new_content"]
            for edit in reversed(self.events)
            if edit.replaces == event.event_id
            and edit.sender == event.sender
            and edit.redaction is None
            and isinstance(edit.content.get("m.new_content"), dict)
        )
        return dict(next(edits, event.content))

    def edits(self, event_id: str) -> list[Event]:
        return [event for event in self.events if event.replaces == event_id]

    def stripped(self, inviter: str) -> list[Json]:
        """The state that an invitation shows."""
        keys = [*((type, "") for type in STRIPPED), ("m.room.member", inviter)]
        return [
            {"type": type, "state_key": key, "sender": event.sender, "content": event.content}
            for type, key in keys
            if (event := self.state.get((type, key))) is not None
        ]

    # ---- who sees what -------------------------------------------------------------------
    def visible_to(self, user: str) -> list[Event]:
        """Timeline events that history visibility lets this user read now."""
        sights = list(self._sights(user))
        joins = [index for index, (_, after) in enumerate(sights) if after[0] == "join"]
        last_join = joins[-1] if joins else -1
        return [
            event
            for index, (event, (before, after)) in enumerate(zip(self.events, sights, strict=True))
            if any(_readable(*moment, index <= last_join) for moment in (before, after))
        ]

    def _sights(self, user: str) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
        """For each event this user's membership and the visibility, before and after the event."""
        now = ("leave", "shared")
        for event in self.events:
            before = now
            if event.type == "m.room.member" and event.state_key == user:
                now = (str(event.original.get("membership")), now[1])
            elif event.type == "m.room.history_visibility" and event.state_key == "":
                now = (now[0], str(event.original.get("history_visibility")))
            yield before, now

    # ---- power ---------------------------------------------------------------------------
    @property
    def creators(self) -> set[str]:
        create = self.state.get(("m.room.create", ""))
        if create is None or self.version not in CREATOR_RULES:
            return set()
        return {create.sender, *create.content.get("additional_creators", [])}

    def level(self, user: str) -> float:
        """Power level; infinite for the creators of a version 12 room."""
        if user in self.creators:
            return math.inf
        levels = self.content("m.room.power_levels")
        if not levels and self.events and self.events[0].sender == user:
            return 100
        return _number(_map(levels, "users").get(user), _number(levels.get("users_default"), 0))

    def named_level(self, action: str, default: int) -> float:
        return _number(self.content("m.room.power_levels").get(action), default)

    def send_level(self, type: str, *, state: bool) -> float:
        levels = self.content("m.room.power_levels")
        usual = self.named_level("state_default", 50) if state else self.named_level("events_default", 0)
        return _number(_map(levels, "events").get(type), usual if levels else 0)

    def check_send(self, sender: str, type: str, state_key: str | None, content: Json) -> None:
        """Refuse what this sender may not send here."""
        if self.membership(sender) != "join":
            raise forbidden(f"User {sender} not in room {self.room_id}")
        level, needed = self.level(sender), self.send_level(type, state=state_key is not None)
        if level < needed:
            raise forbidden(
                "You don't have permission to post that to the room. "
                f"user_level ({level:.0f}) < send_level ({needed:.0f})"
            )
        if state_key is not None and state_key.startswith("@") and state_key != sender:
            raise forbidden("You are not allowed to set others state")
        if type == "m.room.power_levels" and state_key == "":
            self._check_power_levels(sender, content)

    def _check_power_levels(self, sender: str, new: Json) -> None:
        for creator in sorted(self.creators & set(_map(new, "users"))):
            raise Refused(400, "M_UNKNOWN", f"Creator user {creator} must not appear in content.users")
        if ("m.room.power_levels", "") not in self.state:  # the first ones may say anything
            return
        old, level = self.content("m.room.power_levels"), self.level(sender)
        for path, was, becomes in _changed_levels(old, new):
            for value in (was, becomes):
                if value is not None and not isinstance(value, int):
                    raise Refused(400, "M_BAD_JSON", f'"{path[-1]}": {value!r} is not of type integer')
                if value is not None and value > level:
                    raise forbidden(f"You don't have permission to change the power level of {path[-1]}")
            if path[0] == "users" and path[1] != sender and was is not None and was >= level:
                raise forbidden("You don't have permission to remove ops level equal to your own")

    # ---- membership ----------------------------------------------------------------------
    def check_membership(self, sender: str, target: str, action: str) -> None:
        """Refuse a join, invite, leave, kick, ban or unban that Synapse would refuse."""
        current = self.membership(target)
        if current == "ban" and action in ("join", "invite", "kick"):
            raise Refused(403, "M_BAD_STATE", f"Cannot {action} user who was banned")
        if action == "join":
            self._check_join(target, current)
        elif action == "leave":
            if ("m.room.member", target) not in self.state:
                raise forbidden(f"User {target} not in room {self.room_id}")
        else:
            self._check_power_over(sender, target, action, current)

    def _check_join(self, user: str, current: str) -> None:
        first = len(self.events) == 1 and self.events[0].sender == user
        public = self.content("m.room.join_rules").get("join_rule") == "public"
        if current not in ("join", "invite") and not first and not public:
            raise forbidden("You are not invited to this room.")

    def _check_power_over(self, sender: str, target: str, action: str, current: str) -> None:
        if self.membership(sender) != "join":
            raise forbidden(f"{sender} not in room {self.room_id}.")
        level = self.level(sender)
        if action == "invite":
            if current == "join":
                raise forbidden(f"{target} is already in the room.")
            if level < self.named_level("invite", 0):
                raise forbidden("You don't have permission to invite users")
            return
        if action == "unban" and current != "ban":
            raise Refused(403, "M_BAD_STATE", "Cannot unban user who was not banned")
        if action == "kick" and current not in ("join", "invite", "knock"):
            raise forbidden("The target user is not in the room")
        needed = self.named_level("ban" if action == "unban" else action, 50)
        if level < needed or level <= self.level(target):
            raise forbidden(f"You cannot {action} user {target}.")


def _readable(membership: str, visibility: str, joined_since: bool) -> bool:
    if visibility == "world_readable" or membership == "join":
        return True
    if visibility == "invited":
        return membership == "invite"
    return visibility == "shared" and joined_since


def _map(content: Json, key: str) -> Json:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _number(value: Any, default: float) -> float:
    return value if isinstance(value, int) else default


def _changed_levels(old: Json, new: Json) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    for key in sorted({*old, *new}):
        was, becomes = old.get(key), new.get(key)
        if isinstance(was, dict) or isinstance(becomes, dict):
            for inner in sorted({*_map(old, key), *_map(new, key)}):
                pair = _map(old, key).get(inner), _map(new, key).get(inner)
                if pair[0] != pair[1]:
                    yield (key, inner), *pair
        elif was != becomes:
            yield (key,), was, becomes
