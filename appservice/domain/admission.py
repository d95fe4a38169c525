"""Who may get a seat: the one rule behind every door into a group."""

import re

from appservice.domain.ids import UserId
from appservice.domain.member import Member, Presence
from appservice.domain.refusal import Reason, Refusal, refuse

_USER_ID = re.compile(
    r"@[\x21-\x39\x3b-\x7e]+:(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?)(?::\d{1,5})?"
)


def parse_user_id(text: str) -> UserId | None:
    """Give a Matrix user id as the spec allows it (historical grammar, at most 255 bytes), or None."""
    return UserId(text) if len(text.encode("utf-8", "replace")) <= 255 and _USER_ID.fullmatch(text) else None


def admit(*, cap: int, seats_taken: int, invitee: Member | None) -> Refusal | None:
    """Give None where a seat may be taken for the invitee, else why not.

    `seats_taken` counts joined members and standing invitations, read under the group's lock.
    """
    if invitee is not None and invitee.presence is Presence.JOINED:
        return refuse(Reason.ALREADY_HERE)
    if invitee is not None and invitee.presence is Presence.INVITED:
        return refuse(Reason.ALREADY_INVITED)
    if seats_taken >= cap:
        return refuse(Reason.GROUP_FULL, cap=cap)
    return None
