"""`m.room.member`: who is invited, joins, leaves."""

from dataclasses import dataclass

from appservice.domain.ids import UserId
from appservice.wire.content import at, readable
from appservice.wire.event import Event

TYPE = "m.room.member"
LONGEST_NAME = 255
MEMBERSHIPS = ("invite", "join", "leave", "ban", "knock")


@dataclass(frozen=True, slots=True)
class Membership:
    """The standing of `user_id` in a room from now on, as `sender` made it; `name` is their display name there."""

    user_id: UserId
    membership: str
    sender: UserId
    is_direct: bool
    name: str | None = None


def parse_membership(event: Event) -> Membership | None:
    """Give the membership change, or None where it is not one."""
    membership = event.content.get("membership")
    if not event.state_key or membership not in MEMBERSHIPS:
        return None
    is_direct = at(event.content, "is_direct") is True
    name = event.content.get("displayname")
    shown = readable(name[:LONGEST_NAME]) if isinstance(name, str) and name.strip() else None
    return Membership(UserId(event.state_key), membership, event.sender, is_direct, shown)
