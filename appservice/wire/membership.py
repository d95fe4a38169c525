"""`m.room.member`: who is invited, joins, leaves."""

from dataclasses import dataclass

from appservice.domain.ids import UserId
from appservice.wire.content import at
from appservice.wire.event import Event

TYPE = "m.room.member"
MEMBERSHIPS = ("invite", "join", "leave", "ban", "knock")


@dataclass(frozen=True, slots=True)
class Membership:
    """The standing of `user_id` in a room from now on, as `sender` made it."""

    user_id: UserId
    membership: str
    sender: UserId
    is_direct: bool


def parse_membership(event: Event) -> Membership | None:
    """Give the membership change, or None where it is not one."""
    membership = event.content.get("membership")
    if not event.state_key or membership not in MEMBERSHIPS:
        return None
    is_direct = at(event.content, "is_direct") is True
    return Membership(UserId(event.state_key), membership, event.sender, is_direct)
