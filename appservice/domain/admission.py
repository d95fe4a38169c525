"""Who may get a seat: the one rule behind every door into a group, before the fact and after it."""

import re
from enum import Enum

from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import UserId
from appservice.domain.member import Member, Presence
from appservice.domain.refusal import Reason, Refusal, refuse

_USER_ID = re.compile(
    r"@[\x21-\x39\x3b-\x7e]+:(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?)(?::\d{1,5})?"
)


class Seat(Enum):
    """What a person finds who may come: a FREE seat, or NONE but the waitlist."""

    FREE = "free"
    NONE = "none"


def parse_user_id(text: str) -> UserId | None:
    """Give a Matrix user id as the spec allows it (historical grammar, at most 255 bytes), or None."""
    return UserId(text) if len(text.encode("utf-8", "replace")) <= 255 and _USER_ID.fullmatch(text) else None


def enter(group: Group, seats_taken: int, person: Member | None) -> Seat | Refusal:
    """Tell what a person finds who is about to enter, or has just entered: a seat of their own, a free one, or none.

    `seats_taken` counts joined members, standing invitations and live codes, read under the group's lock. Who has a
    seat never loses it here, also where more are taken than the cap has, as in a room that was adopted. Such a room
    takes people in while its desk is being made.
    """
    if group.status in (GroupStatus.CLOSING, GroupStatus.CLOSED):
        return refuse(Reason.GROUP_CLOSING)
    if person is not None and person.presence is Presence.BANNED:
        return refuse(Reason.BANNED)
    if person is not None and person.takes_seat:
        return Seat.FREE
    return Seat.FREE if seats_taken < group.cap else Seat.NONE


def admit(group: Group, seats_taken: int, invitee: Member | None) -> Seat | Refusal:
    """Tell what a person finds who is about to be invited, or why they are not."""
    if invitee is not None and invitee.presence is Presence.JOINED:
        return refuse(Reason.ALREADY_HERE)
    if invitee is not None and invitee.presence is Presence.INVITED:
        return refuse(Reason.ALREADY_INVITED)
    found = enter(group, seats_taken, invitee)
    return Seat.NONE if found is Seat.FREE and seats_taken >= group.cap else found
