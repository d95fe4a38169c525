"""A group: one invite-only room with a cap, and its desk."""

from dataclasses import dataclass, replace
from enum import StrEnum

from appservice.domain.ids import GroupId, RoomId, UserId


class GroupStatus(StrEnum):
    """CREATING until the homeserver has made both rooms."""

    CREATING = "creating"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the database has it; `room_id` and `desk_id` are known once the rooms exist."""

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

    def with_rooms(self, *, room_id: RoomId | None = None, desk_id: RoomId | None = None) -> "Group":
        """Give the group with a room that now exists; open once it has both."""
        group = replace(self, room_id=room_id or self.room_id, desk_id=desk_id or self.desk_id)
        return replace(group, status=GroupStatus.OPEN) if group.room_id and group.desk_id else group
