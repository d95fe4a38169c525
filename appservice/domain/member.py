"""Who a person is in a group, and what that allows."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from appservice.domain.ids import GroupId, Number, UserId


class Role(IntEnum):
    """A person's standing in a group; the values are Matrix power levels."""

    STRANGER = -1
    MEMBER = 0
    CONCIERGE = 50
    OWNER = 100

    @classmethod
    def of(cls, power: int) -> "Role":
        """Give the role that a power level stands for."""
        if power >= cls.OWNER:
            return cls.OWNER
        return cls.CONCIERGE if power >= cls.CONCIERGE else cls.MEMBER


class Presence(StrEnum):
    """Where a person stands with a group's room. INVITED and JOINED take a seat."""

    INVITED = "invited"
    JOINED = "joined"
    LEFT = "left"
    BANNED = "banned"

    @property
    def takes_seat(self) -> bool:
        """Tell whether a seat is taken."""
        return self in (Presence.INVITED, Presence.JOINED)


_ERASED = "erased "


def erased_id(number: int) -> UserId:
    """Give what stands in the place of a Matrix id that was erased."""
    return UserId(f"{_ERASED}{number}")


def is_erased(user_id: str) -> bool:
    """Tell whether a person was erased, so that nothing can be said to them."""
    return user_id.startswith(_ERASED)


@dataclass(frozen=True, slots=True)
class Member:
    """A person known to a group. `number` and `alias` exist from the first joining on.

    `sponsor` is the number of who vouched for them, `joined_at` (ms) their first joining, `suspended` why they may not
    vouch, `name_key` the folded form of their display
    name in the room. `duty` is None until they have said whether they are on duty; a `machine` is another program's
    account.
    """

    group_id: GroupId
    user_id: UserId
    presence: Presence
    power: int = 0
    number: Number | None = None
    alias: str | None = None
    invited_by: UserId | None = None
    sponsor: Number | None = None
    joined_at: int | None = None
    suspended: str | None = None
    name_key: str | None = None
    duty: bool | None = None
    machine: bool = False

    @property
    def role(self) -> Role:
        """The role in the group: a stranger where not joined."""
        return Role.of(self.power) if self.presence is Presence.JOINED else Role.STRANGER

    @property
    def takes_seat(self) -> bool:
        """Tell whether a seat is taken by this person."""
        return self.presence.takes_seat
