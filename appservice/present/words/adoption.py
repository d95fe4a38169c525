"""What is said of adopting a room that was there before."""

from collections.abc import Iterator, Mapping
from typing import Any

from appservice.domain.adoption import Change, Plan
from appservice.domain.group import Group
from appservice.domain.member import Role
from appservice.present.text import Text, esc

_CHANGES: Mapping[Change, str] = {
    Change.JOIN_RULE: "The room becomes invite-only.",
    Change.HISTORY: (
        "Newcomers see nothing from before they join. What was written until now stays as visible as it was then."
    ),
    Change.GUESTS: "Guests without an account cannot come in.",
    Change.ADDRESSES: "The room's addresses are removed, as anybody can look them up.",
    Change.LISTING: "The room is taken out of this server's directory.",
}


def unadoptable(d: Mapping[str, Any]) -> str:
    """Say why a room cannot be adopted, and what would help."""
    match d["why"]:
        case "ours":
            return "That room is one of mine already."
        case "owner":
            return (
                "Only an owner of the room can have it adopted: somebody who is in it with power level 100. I stay out "
                "of it."
            )
        case "power":
            return (
                f"My power level in that room is {d['level']}, and I need {d['needed']}: nobody may be above me there, "
                f"nor any right. Set it to {d['needed']} in the room's member list, then send the same again."
            )
        case "much":
            return (
                f"My power level in that room is {d['level']}, and I can keep account of {d['most']} at most. Have it "
                "set to 100 or 101 in the room's member list, or make a new group: !group create"
            )
        case "asked":
            return (
                "Another owner has asked me to adopt that room, and nothing changes by your message. They confirm it, "
                "or drop it with !adopt, the room's id and cancel; else it is dropped after a day."
            )
        case "creator":
            return (
                f"In a room of version {d['version']} nobody outranks those who made it, so I could not keep it as a "
                "group has to be. Make a new one: !group create"
            )
        case "version":
            return (
                f"That room has version {d['version']}; I adopt versions 10 and 11. Upgrade it to one of these, or "
                "make a new group: !group create"
            )
        case "replaced":
            return "That room was replaced by another one. Have the new one adopted."
        case "encryption":
            return (
                "That room is encrypted in a way that I cannot read, and encryption cannot be changed. Make a new "
                "group: !group create"
            )
        case "people":
            return f"More than {d['most']} people are in that room, and a group has {d['most']} at most."
        case _:
            return "That is a space or a room of another special kind, not one for talking."


def let_me_in(room_id: str, errcode: str) -> str:
    """Say how the bot gets into a room."""
    why = "its server cannot be reached" if errcode == "UNREACHABLE" else "I am not invited"
    return (
        f"I cannot get into {room_id}: {why}. Invite me there within a day: I look at the room as soon as I am in. To "
        "be adopted it has to give me power level 100 as well, in its member list."
    )


def proposal(plan: Plan, room_id: str) -> Text:
    """Say what adopting a room would change, and how to have it done. Nobody is named."""
    head = f"I can adopt “{plan.name}”. Nothing has changed yet; this is what I would do:"
    confirm = f"!adopt {room_id} confirm"
    tail = f"To drop it, send !adopt {room_id} cancel; I also leave if I hear nothing for a day. To do it, send:"
    rows = list(_rows(plan))
    items = "".join(f"<li>{esc(row)}</li>" for row in rows)
    return Text(
        "\n".join([head, *(f"• {row}" for row in rows), tail, confirm]),
        f"<p>{esc(head)}</p><ul>{items}</ul><p>{esc(tail)}<br><code>{esc(confirm)}</code></p>",
    )


def _rows(plan: Plan) -> Iterator[str]:
    owners, concierges = plan.count(Role.OWNER), plan.count(Role.CONCIERGE)
    members = len(plan.joined) - owners - concierges
    counts = f"{_count(owners, 'owner')}, {_count(concierges, 'concierge')}, {_count(members, 'member')}"
    yield (
        f"Everybody stays: {counts}. Owners are those with power level 100 or more, concierges those with 50 or more, "
        "other programs' accounts among them; all others get 0."
    )
    yield from _seats(plan)
    yield "From now on only I invite: !invite, sent to me."
    yield from (_CHANGES[change] for change in plan.changes)
    yield (
        "Only I may change who comes in, what newcomers see, and who has which power. Name, topic, picture and pins "
        "are the concierges' business."
    )
    if plan.equals:
        yield (
            f"{_count(plan.equals, 'person has', 'people have')} as much power as I and could change this all the "
            "same; I put it back within seconds and tell the desk."
        )
    if plan.kept or plan.encryption is not None:
        yield "Encryption, widgets, spaces and the list of servers that are let in stay as they are."
    if plan.encryption is not None:
        yield (
            "The room is encrypted: what I write there is encrypted too, and I act only on messages that came "
            "encrypted."
        )
    yield "Everybody gets an alias, and one message in the room says so. A desk is made, for owners and concierges."


def _seats(plan: Plan) -> Iterator[str]:
    there = len(plan.joined)
    if there >= plan.cap:
        yield f"Up to {plan.cap} people, and {there} are there: nobody else comes in while it is so."
    else:
        yield f"Up to {plan.cap} people."
    if plan.invited:
        yield f"{_count(len(plan.invited), 'open invitation stays', 'open invitations stay')} good."
    if plan.uninvited:
        found = _count(len(plan.uninvited), "invitation finds", "invitations find")
        yield f"{found} no seat: I take back what has no seat, and invite them again when one is free."


def _count(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def dropped(room_id: str) -> str:
    return f"I have left {room_id} again. Nothing was changed there."


def not_confirmed(room_id: str) -> str:
    return f"You have not told me within a day to adopt {room_id}, so I am out of it again. Nothing was changed there."


def adopted_here(group: Group, bot: str) -> Text:
    """Say to everybody in a room, once, what it is from now on."""
    lines = (
        f"At the wish of its owner I run this room from now on, as the group “{group.name}”.",
        "I read it to find pledges and commands, and the concierges see questions that are put to them. People answer "
        "you, not I. Only I invite, and newcomers see nothing from before they join.",
        f"I speak of each of you by an alias. Send me, {bot}, a direct message: !mydata says which is yours, and "
        "!alias Otter makes it another.",
    )
    return Text("\n".join(lines), "".join(f"<p>{esc(line)}</p>" for line in lines))
