"""The envelope of an event as the homeserver pushes it (application service API, PUT /transactions)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appservice.domain.ids import EventId, RoomId, UserId
from appservice.wire.content import mapping_at, text_at


@dataclass(frozen=True, slots=True)
class Event:
    """A room event. `state_key` is None for message-like events; `redacts` is filled for redactions."""

    event_id: EventId
    room_id: RoomId
    type: str
    sender: UserId
    state_key: str | None
    content: Mapping[str, Any]
    redacts: EventId | None = None


def parse_event(raw: object) -> Event | None:
    """Give the event, or None where the envelope is not that of an event."""
    fields = [text_at(raw, name) for name in ("event_id", "room_id", "type", "sender")]
    content = mapping_at(raw, "content")
    if content is None or any(field is None for field in fields):
        return None
    event_id, room_id, type, sender = (field or "" for field in fields)
    raw_key = raw.get("state_key") if isinstance(raw, dict) else None
    state_key = "" if raw_key == "" else text_at(raw, "state_key")
    if raw_key is not None and state_key is None:
        return None
    redacts = text_at(content, "redacts") or text_at(raw, "redacts")
    return Event(
        EventId(event_id), RoomId(room_id), type, UserId(sender), state_key, content,
        EventId(redacts) if redacts else None,
    )  # fmt: skip
