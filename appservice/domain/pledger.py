"""Who pledges: a member of one of the groups in which a buy is shown."""

from dataclasses import dataclass

from appservice.domain.ids import GroupId, Number


@dataclass(frozen=True, slots=True, order=True)
class Pledger:
    """A member by group and number. A buy may be shown in several groups; numbers are unique within one only."""

    group_id: GroupId
    number: Number
