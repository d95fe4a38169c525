"""`m.reaction`: a key on an event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appservice.domain.ids import EventId
from appservice.wire.content import at, text_at

TYPE = "m.reaction"
OFFERED = ("+1", "+2", "+5")
"""Text keys that the service puts on a card as buttons; keycap emoji break in Element."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction by its key; variation selectors are taken off."""

    key: str
    event_id: EventId


def parse_reaction(content: Mapping[str, Any]) -> Reaction | None:
    """Give the reaction, or None where it is not one."""
    key = text_at(content, "m.relates_to", "key", longest=100)
    event_id = text_at(content, "m.relates_to", "event_id")
    if at(content, "m.relates_to", "rel_type") != "m.annotation" or key is None or event_id is None:
        return None
    return Reaction(key.replace("\ufe0f", "").strip(), EventId(event_id))


def format_reaction(event_id: str, key: str) -> dict[str, Any]:
    """Give the content of a reaction."""
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": key}}
