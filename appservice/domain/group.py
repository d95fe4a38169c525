"""A group: one invite-only room with a cap, and its desk."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from appservice.domain.ids import EventId, GroupId, RoomId, UserId
from appservice.domain.service_hours import Hours


class GroupStatus(StrEnum):
    """CREATING until the homeserver has made both rooms; CLOSING from `!sunset` until everybody has left."""

    CREATING = "creating"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the database has it; `room_id` and `desk_id` are known once the rooms exist.

    `bot_power` is the bot's power level in an adopted room, None in one that it has created. `kept` has the content of
    policy events as it was at adoption, by type. `shown_at` (ms) is when the cards were last posted for newcomers. With
    `private_pledges` one pledges by direct message only. Rooms that the service makes for an `encrypted` group are
    encrypted from the start; what they are by now, each room says. `commission` is what concierges get of what is sold,
    in hundredths of a per cent; None where that is nobody's business. `card_id` is the group's own card, `card_shown`
    its content as JSON.
    """

    id: GroupId
    name: str
    owner: UserId
    cap: int
    currency: str
    locale: str
    time_zone: str
    status: GroupStatus = GroupStatus.CREATING
    room_id: RoomId | None = None
    desk_id: RoomId | None = None
    bot_power: int | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    shown_at: int = 0
    private_pledges: bool = False
    encrypted: bool = False
    hours: Hours = field(default_factory=Hours)
    commission: int | None = None
    card_id: EventId | None = None
    card_shown: str | None = None

    def with_rooms(self, *, room_id: RoomId | None = None, desk_id: RoomId | None = None) -> "Group":
        """Give the group with a room that now exists; open once it has both."""
        group = replace(self, room_id=room_id or self.room_id, desk_id=desk_id or self.desk_id)
        return replace(group, status=GroupStatus.OPEN) if group.room_id and group.desk_id else group

    def is_beyond(self, power: int) -> bool:
        """Tell whether a power level in the room is out of the bot's reach: in an adopted one, its own and above."""
        return self.bot_power is not None and power >= self.bot_power
