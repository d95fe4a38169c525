"""The envelope of an event as the homeserver pushes it (application service API, PUT /transactions)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appservice.domain.ids import EventId, RoomId, UserId
from appservice.wire.content import integer_at, mapping_at, text_at

UNREADABLE = "coterie.unreadable"
"""Stands for the type of an event whose type or state key is no text that could be kept. Clients can send such events;
they concern nobody here."""


@dataclass(frozen=True, slots=True)
class Event:
    """A room event. `state_key` is None for message-like events; `redacts` is filled for redactions; `was_encrypted`
    tells that homeservers could not read it. `sent_at` (ms) is when its sender's homeserver says that it was sent."""

    event_id: EventId
    room_id: RoomId
    type: str
    sender: UserId
    state_key: str | None
    content: Mapping[str, Any]
    redacts: EventId | None = None
    was_encrypted: bool = False
    sent_at: int | None = None


def parse_event(raw: object, *, was_encrypted: bool = False) -> Event | None:
    """Give the event, or None where the envelope is not that of an event."""
    if not isinstance(raw, dict):
        return None
    event_id, room_id, sender = (text_at(raw, name) for name in ("event_id", "room_id", "sender"))
    content, raw_type, raw_key = mapping_at(raw, "content"), raw.get("type"), raw.get("state_key")
    if event_id is None or room_id is None or sender is None or content is None:
        return None
    if (event_id[0], room_id[0], sender[0]) != ("$", "!", "@"):  # our own ids of arrivals begin otherwise
        return None
    if not isinstance(raw_type, str) or not isinstance(raw_key, str | None):
        return None
    type, state_key = text_at(raw, "type"), "" if raw_key == "" else text_at(raw, "state_key")
    if type is None or (raw_key is not None and state_key is None):
        type, state_key = UNREADABLE, None
    redacts = text_at(content, "redacts") or text_at(raw, "redacts")
    return Event(
        EventId(event_id), RoomId(room_id), type, UserId(sender), state_key, content,
        EventId(redacts) if redacts else None, was_encrypted, integer_at(raw, "origin_server_ts"),
    )  # fmt: skip
