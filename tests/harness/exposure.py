"""Whether an event of the service names a member: no Matrix id and no display name belongs into what it writes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.harness.person import Event

_USER_ID = re.compile(r"@[\w.=/+-]+:[\w.-]+(?::\d+)?")
_QUOTED = re.compile(
    r"^Invited @|^@\S+ (?:could not be|has not answered|is a concierge|does not wait)|vouches for a person: @"
    r"|is full: @|^Waiting for a seat in |I have invited @|invited @\S+ past me|@coterie_?\w*:"
)
"""Sentences that quote an id to who typed it, or in the desk to who has to decide on it, of people who have no alias;
and the service's own account."""


def exposed(event: Event, names: Iterable[str] = ()) -> str | None:
    """What an event gives away of a person, or None. Mentions are the protocol's, as are members and power levels."""
    if event["type"] in ("m.room.member", "m.room.power_levels", "m.room.create"):
        return None
    text = str({key: value for key, value in event["content"].items() if key != "m.mentions"})
    ids = [found for found in _USER_ID.findall(text) if not found.rstrip(".").endswith(":example.org")]
    if ids and not _QUOTED.search(str(event["content"].get("body", ""))):
        return f"{ids[0]} in {text}"
    return next((f"{name} in {text}" for name in names if re.search(rf"\b{re.escape(name)}\b", text)), None)
