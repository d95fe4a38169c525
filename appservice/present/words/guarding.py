"""What the concierges are told of who touched the group's door, and the list of what happened to people and policy."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from appservice.domain import guarding
from appservice.domain.group import Group
from appservice.present.amounts import percent
from appservice.present.text import Text, esc

SOMEBODY, OPERATOR, SERVICE = "Somebody who is no member", "The operator's account", "The service"
"""Who did something, where it was no member of the group."""
A_PERSON = "a person who is no member"
_NAMED = 5

_WHAT: Mapping[str, str] = {
    guarding.JOIN_RULES: "who may join",
    guarding.HISTORY: "who can read what was said before",
    guarding.GUESTS: "whether guests may enter",
    guarding.POWER_LEVELS: "who may do what (the power levels)",
    guarding.ENCRYPTION: "the encryption",
    guarding.SERVER_ACL: "which servers may take part",
    guarding.CANONICAL_ALIAS: "the room's address",
    guarding.THIRD_PARTY_INVITE: "who is invited by e-mail or phone",
    "m.room.tombstone": "whether the room has been replaced by another",
    "m.room.policy": "the policy server",
    "m.space.child": "what belongs to the room as a space",
    "m.space.parent": "to which space the room belongs",
    "im.vector.modular.widgets": "the widgets",
    "m.widget": "the widgets",
    "m.room.retention": "for how long messages are kept",
    "io.element.widgets.layout": "the layout of the widgets",
    "shop.coterie.group": "the mark by which clients know the group and its cap",
}


def _where(*, in_desk: bool) -> str:
    return "in this desk" if in_desk else "in the group's room"


def restored(who: str, type: str, *, in_desk: bool) -> str:
    return f"{who} changed {_what(type)} {_where(in_desk=in_desk)}. I have put it back."


def beyond_me(who: str, whom: Sequence[str]) -> str:
    """Say that these have as much power as the service; of many, five are named."""
    if len(whom) == 1:
        return (
            f"{who} gave {whom[0]} as much power in the room as I have, and I cannot take it back: {whom[0]} counts as "
            "an owner now. Only they can step down."
        )
    return (
        f"{who} gave {_listed(whom)} as much power in the room as I have, and I cannot take it back: they count as "
        "owners now. Only they can step down."
    )


def _listed(names: Sequence[str]) -> str:
    *others, last = [*names[:_NAMED], *([f"{len(names) - _NAMED} others"] if len(names) > _NAMED else [])]
    return f"{', '.join(others)} and {last}"


def came_in_beyond_me(whom: str, group: Group) -> str:
    return (
        f"{whom} came in although all {group.cap} seats are taken, and has as much power in the room as I have: I "
        "cannot remove them, and they take a seat over the cap."
    )


def invited_beyond_me(who: str, whom: str) -> str:
    return (
        f"{who} invited {whom} past me, who has as much power in the room as I have: I cannot take it back, and they "
        "take a seat when they come in."
    )


def stepped_down(who: str) -> str:
    return f"{who} gave up power in the group's room."


def encrypted(who: str, *, in_desk: bool, can_read: bool) -> str:
    turned_on = f"{who} turned encryption on {_where(in_desk=in_desk)}. It stays on. "
    if can_read:
        return turned_on + "From now on I act only on commands and pledges there that come encrypted."
    return (
        turned_on + "It is of a kind that I cannot read, so I see nothing of what is written there. Use direct messages"
        " instead, and ask an owner to make a new group."
    )


def invitation_withdrawn(who: str, whom: str) -> str:
    return f"{who} invited {whom} past me, and I have taken it back: seats are counted here. Send: !invite {whom}"


def listed(*, in_desk: bool) -> str:
    room = "This desk" if in_desk else "The group's room"
    return f"{room} stood in the homeserver's public directory. I am taking it out."


def still_listed(*, in_desk: bool) -> str:
    room = "This desk" if in_desk else "The group's room"
    return f"{room} stands in the homeserver's public directory, and I may not take it out. Ask the operator to do it."


def alias_stays(alias: str, *, in_desk: bool) -> str:
    room = "this desk" if in_desk else "the group's room"
    return (
        f"The address {alias} leads to {room}: anybody can learn from it that the room exists, nobody comes in by it. "
        "Any member can make one; I may not remove it. Ask whoever made it, or the homeserver's operator, to delete it."
    )


def _what(type: str) -> str:
    return _WHAT.get(type, "the policy")


# The audit

Detail = Mapping[str, Any]


class _Known(dict[str, Any]):
    """What is known of a fact; an entry of an older version may lack something."""

    def __missing__(self, name: str) -> str:
        return "?"


def _fact(text: str) -> Callable[[str, str, Detail], str]:
    """Give a fact's words: {who} did it, {whom} it is about; the rest is the entry's detail."""

    def words(who: str, whom: str, detail: Detail) -> str:
        return text.format_map(_Known({**detail, "who": who, "whom": whom})).rstrip(". ")

    return words


def _left(who: str, whom: str, detail: Detail) -> str:
    return "an invitation was declined, or taken back" if whom == SOMEBODY else f"{whom} left, or was removed"


def _restored(who: str, whom: str, detail: Detail) -> str:
    desk = ", in the desk" if detail.get("in_desk") else ""
    return f"{who} changed {_what(str(detail.get('what')))}{desk}; put back"


def _commission(who: str, whom: str, detail: Detail) -> str:
    rate = detail.get("basis_points")
    return f"{who} " + ("ended the commission" if rate is None else f"set the commission to {percent(rate)}")


BY_ITSELF = "by itself"
"""Who did what nobody had to ask for: a deadline, a timer, a report of Stripe's."""
_BUYS = {
    "drafted": "{who} drew up group buy {buy}",
    "scheduled": "group buy {buy} was scheduled",
    "opened": "group buy {buy} opened ({who})",
    "improved": "{who} changed the terms of {buy}",
    "extended": "{who} moved the closing of {buy} later",
    "shortened": "{who} moved the closing of {buy} earlier",
    "grace": "{buy} stays open longer, since the service was away",
    "closing": "{buy} closed to pledges ({who})",
    "succeeded": "{buy} came to {total} units",
    "failed": "{buy} did not reach its minimum",
    "advanced": "{buy} is {status} ({who}). {note}",
    "cancelled": "{who} cancelled {buy}: {reason}",
    "payment": "a payment of {whom} was recorded in {buy} ({who}). {note}",
    "payment_reversed": "a payment of {whom} was taken out of the books of {buy} ({who}). {note}",
    "refund": "{whom} was paid back in {buy} ({who}). {note}",
    "dropped": "{whom}'s order in {buy} ended unpaid ({who})",
    "absorbed": "{who} goes on with {buy} without {units} units. {note}",
    "house_took": "{who} took units of {buy} for the house",
    "delivered": "{who} entered what arrived of {buy}",
}
AUDITED: Mapping[str, Callable[[str, str, Detail], str]] = {
    **{fact: _fact(text) for fact, text in _BUYS.items()},
    "group_created": _fact("the group was made, with {cap} seats"),
    "adopted": _fact("{who} had the room adopted, with {members} members and {cap} seats"),
    "cap_changed": _fact("{who} changed the cap from {before} to {cap}"),
    "pledges_private": _fact("{who} had pledges made by direct message only"),
    "pledges_open": _fact("{who} let everybody see pledges again"),
    "hours_set": _fact("{who} set the service hours: {hours}"),
    "commission_set": _commission,
    "machine_on": _fact("{who} marked {whom} as a machine account"),
    "machine_off": _fact("{who} let {whom} count as a person again"),
    "concierge_added": _fact("{who} made {whom} a concierge"),
    "concierge_removed": _fact("{who} made {whom} an ordinary member again"),
    "handed_over": _fact("{who} handed the group over to {whom}"),
    "stepped_down": _fact("{who} gave up power in the room"),
    "owner_by_power": _fact("{who} gave {whom} as much power as the service has; counts as an owner"),
    "joined": _fact("{whom} joined"),
    "invited": _fact("{who} invited somebody"),
    "left": _left,
    "banned": _fact("{whom} was banned"),
    "turned_away": _fact("{whom} came in without a seat and was removed; all {cap} were taken"),
    "alias": _fact("{whom} chose this alias"),
    "vouch_approved": _fact("{who} approved whom {whom} vouched for"),
    "vouch_declined": _fact("{who} declined whom {whom} vouched for"),
    "vouch_expired": _fact("nobody decided in time on what {whom} had asked for"),
    "code_approved": _fact("{who} approved an invitation code for {whom}"),
    "code_declined": _fact("{who} declined an invitation code for {whom}"),
    "code_made": _fact("{whom} got an invitation code"),
    "code_used": _fact("an invitation code of {whom} was used"),
    "suspended": _fact("{who} suspended {whom}'s right to vouch"),
    "unsuspended": _fact("{who} gave {whom} the right to vouch back"),
    "restored": _restored,
    "encryption_on": _fact("{who} turned encryption on"),
    "invitation_withdrawn": _fact("{who} invited somebody past the service; taken back"),
    "unlisted": _fact("the room stood in the public directory and was taken out"),
    "forgotten": _fact("{whom} was forgotten as they wished"),
    "sunset": _fact("{who} announced the group's end"),
    "sunset_cancelled": _fact("{who} took the group's end back"),
    "everybody_out": _fact("the group's end: everybody was removed"),
}
"""The facts about people, policy, powers and group buys, and how each reads."""


def audit(group: Group, lines: Sequence[tuple[int, str]]) -> Text:
    """List what happened, newest first, each with its time (ms) in the group's time zone."""
    if not lines:
        return Text(f"Nothing has happened to people or policy in “{group.name}” yet.")
    head = f"People, policy and powers in “{group.name}”, newest first ({group.time_zone} time):"
    rows = [f"{_time(at, group)} {line}" for at, line in lines]
    items = "".join(f"<li>{esc(row)}</li>" for row in rows)
    return Text("\n".join([head, *(f"• {row}" for row in rows)]), f"{esc(head)}<ul>{items}</ul>")


def _time(at: int, group: Group) -> str:
    time = datetime.fromtimestamp(at / 1000, UTC)
    return str(format_datetime(time, "d MMM y, HH:mm", tzinfo=ZoneInfo(group.time_zone), locale=group.locale))
