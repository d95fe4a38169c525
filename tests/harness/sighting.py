"""What one client has seen: timelines, state, invites; pure bookkeeping over sync answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Event = dict[str, Any]
"""A raw event as the client received it, with `room_id` added (sync leaves it out).

What came encrypted has type and content as its sender wrote them, and `"encrypted": True`; while the client
has no key for it, it is the `m.room.encrypted` that it was.
"""

Predicate = Callable[[Event], object] | str
"""What to look for: a function of the raw event, or a text that its body contains."""


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation as the invited client sees it; `state` are the stripped events."""

    room_id: str
    sender: str
    is_direct: bool
    state: tuple[Event, ...]

    @property
    def name(self) -> str | None:
        for event in self.state:
            if event.get("type") == "m.room.name":
                return str(event["content"].get("name"))
        return None


class Sightings:
    """Everything that came down one client's sync, in order."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.all: list[Event] = []
        self.timeline: defaultdict[str, list[Event]] = defaultdict(list)
        self.state: defaultdict[str, dict[tuple[str, str], Event]] = defaultdict(dict)
        self.invites: dict[str, Invite] = {}
        self.direct_rooms: set[str] = set()
        self._known: set[str] = set()

    def take_sync(self, rooms: dict[str, Any]) -> list[Invite]:
        """Record the `rooms` part of a sync answer; the invitations that are new."""
        fresh, before = [], len(self.all)
        for room_id, part in rooms.get("invite", {}).items():
            invite = _parse_invite(room_id, part["invite_state"]["events"], self.user_id)
            if self.invites.get(room_id) != invite:
                fresh.append(invite)
            self.invites[room_id] = invite
            if invite.is_direct:
                self.direct_rooms.add(room_id)
        for kind in ("join", "leave"):
            for room_id, part in rooms.get(kind, {}).items():
                self.invites.pop(room_id, None)
                self._take_room(room_id, part)
        # One answer groups by room; what was said in reply must still come after what it replies to.
        self.all[before:] = sorted(self.all[before:], key=lambda event: event["origin_server_ts"])
        return fresh

    def _take_room(self, room_id: str, part: dict[str, Any]) -> None:
        for event in part.get("state", {}).get("events", []):
            self.state[room_id][event["type"], event["state_key"]] = {**event, "room_id": room_id}
        for raw in part.get("timeline", {}).get("events", []):
            event = {**raw, "room_id": room_id}
            if "state_key" in event:
                self.state[room_id][event["type"], event["state_key"]] = event
            if event["event_id"] not in self._known:  # joining again repeats history
                self._known.add(event["event_id"])
                self.timeline[room_id].append(event)
                self.all.append(event)

    def readers(self, room_id: str) -> list[str]:
        """Whom a client gives its room keys to: who has joined, and who is invited unless history is for the joined."""
        state = self.state[room_id]
        visibility = state.get(("m.room.history_visibility", ""), {"content": {}})["content"]
        meant = {"join"} if visibility.get("history_visibility") == "joined" else {"join", "invite"}
        members = (event for (kind, _), event in state.items() if kind == "m.room.member")
        return [event["state_key"] for event in members if event["content"].get("membership") in meant]

    def redacted(self, room_id: str) -> set[str]:
        """Ids of events that the client saw redacted."""
        return {redacts(e) for e in self.timeline[room_id] if e["type"] == "m.room.redaction"}

    def reactions(self, room_id: str, event_id: str) -> dict[str, set[str]]:
        """`{key: {sender}}` of the reactions that stand under an event."""
        gone, found = self.redacted(room_id), defaultdict(set)
        for event in self.timeline[room_id]:
            relation = _relation(event)
            if event["type"] != "m.reaction" or relation.get("rel_type") != "m.annotation":
                continue
            key = relation.get("key")
            meant = relation.get("event_id") == event_id and event["event_id"] not in gone
            if meant and isinstance(key, str):
                found[key].add(event["sender"])
        return dict(found)

    def last_edit(self, room_id: str, event_id: str) -> dict[str, Any] | None:
        """`m.new_content` of the newest valid edit: same sender, not redacted; None without one."""
        gone = self.redacted(room_id)
        original = next((e for e in self.timeline[room_id] if e["event_id"] == event_id), None)
        for event in reversed(self.timeline[room_id]):
            relation = _relation(event)
            if relation.get("rel_type") != "m.replace" or relation.get("event_id") != event_id:
                continue
            new = event["content"].get("m.new_content")
            own = original is None or event["sender"] == original["sender"]
            if own and isinstance(new, dict) and event["event_id"] not in gone:
                return new
        return None


def matches(predicate: Predicate, event: Event) -> bool:
    """Whether the event is meant; a predicate that trips over a missing key means no."""
    if isinstance(predicate, str):
        return predicate in str(event["content"].get("body", ""))
    try:
        return bool(predicate(event))
    except (KeyError, IndexError, TypeError, AttributeError):
        return False


def is_ciphertext(event: Event) -> bool:
    """Whether the event is an encrypted one that nobody has decrypted."""
    return event["type"] == "m.room.encrypted" and "ciphertext" in event["content"] and "state_key" not in event


def redacts(event: Event) -> str:
    """The id that a redaction removes: in the content since room version 11, at the top before."""
    return str(event["content"].get("redacts") or event.get("redacts"))


def kind(event: Event) -> str:
    """What an event is to a reader: `message` (a new one), `edit`, `reaction`, `redaction`, `state` or `other`."""
    if "state_key" in event:
        return "state"
    if event["type"] == "m.room.message":
        return "edit" if _relation(event).get("rel_type") == "m.replace" else "message"
    return {"m.reaction": "reaction", "m.room.redaction": "redaction"}.get(event["type"], "other")


def describe(events: Iterable[Event]) -> str:
    """One short line per event, for messages of failed waits."""
    return "\n".join(f"  {_line(event)}" for event in events) or "  (nothing)"


def _line(event: Event) -> str:
    content = str(event["content"].get("body") or event["content"])
    text = content if len(content) <= 300 else content[:300] + "…"
    key = f" [{event['state_key']}]" if event.get("state_key") else ""
    return f"{event['room_id'][:8]} {event['event_id'][:8]} {event['sender']} {event['type']}{key}: {text!r}"


def _relation(event: Event) -> dict[str, Any]:
    relation = event["content"].get("m.relates_to")
    return relation if isinstance(relation, dict) else {}


def _parse_invite(room_id: str, state: list[Event], user_id: str) -> Invite:
    own = next(e for e in state if e["type"] == "m.room.member" and e["state_key"] == user_id)
    return Invite(room_id, own["sender"], own["content"].get("is_direct") is True, tuple(state))
