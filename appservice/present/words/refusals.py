"""Why something was not done: one sentence for each reason, and what to do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from appservice.domain.refusal import Reason, Refusal
from appservice.present.amounts import money
from appservice.present.words.adoption import unadoptable

HELP_HINT = "Send me !help to see what you can do."


def refusal(refused: Refusal) -> str:
    """Say why nothing was done, and what to do."""
    return _REFUSALS[refused.reason](refused.details)


def _short(text: object, most: int = 60) -> str:
    """Give what a person typed as it may be quoted back to them."""
    quoted = str(text)
    return quoted if len(quoted) <= most else f"{quoted[:most]}…"


def _bad_tiers(d: Mapping[str, Any]) -> str:
    match d["why"]:
        case "count":
            return f"A group buy has 1 to {d['most']} price tiers, as in: 10:79 25:69."
        case "minimum":
            return f"A tier's minimum is a whole number from 1 to {d['most']}."
        case "above_price":
            single = money(d["price"], d["currency"], "en")
            return f"A group buy is for less: its first price is above the product's own, {single}."
        case "price":
            return "A tier's price must be above zero and not astronomical."
        case "format":
            return f"“{d['tier']}” is no tier. Write minimum:price, as in 10:79 for “from 10 units, 79 each”."
        case "minimums_rise":
            return (
                f"Tiers go up: after {d['first'].minimum} comes a larger minimum than {d['second'].minimum}. "
                "Write the smallest first."
            )
        case "prices_fall":
            return f"The price must fall from tier to tier; the one at {d['second'].minimum} does not."
        case "cap_below_tier":
            return (
                f"With a cap of {d['cap']} (in packs of {d['pack']}) the last tier can never be reached. "
                "Raise the cap or leave that tier out."
            )
        case _:
            return "The pack and the cap are whole numbers from 1 up."


def _bad_deadline(d: Mapping[str, Any]) -> str:
    if d["why"] == "past":
        return "That deadline has already passed. Give one to come, as in: until friday 18:00."
    if d["why"] == "far":
        return "That deadline is more than a year away. Give a nearer one, as in: until friday 18:00."
    return "I could not read the deadline. Write it like: until friday 18:00, or: until 2026-11-27 18:00."


def _choices(what: str, choices: Sequence[tuple[str, str, str]]) -> str:
    lines = "\n".join(f"• {name}: {example}" for name, _, example in choices)
    return f"{what}\n{lines}"


_REFUSALS: Mapping[Reason, Callable[[Mapping[str, Any]], str]] = {
    Reason.NOT_ALLOWED: lambda d: "Only concierges of the group can do that.",
    Reason.NOT_A_MEMBER: lambda d: "Only members of the group can do that.",
    Reason.OWNERS_ONLY: lambda d: (
        "Only owners can do that. "
        + str(d.get("hint", "Ask the operator of this service to list you in groups.owners."))
    ),
    Reason.WRONG_PLACE: lambda d: (
        f"!{d['command']} is not for the eyes of the whole group, so I removed your message there. "
        + ("Write it in the desk instead." if d.get("desk") else "Send it to me here instead.")
    ),
    Reason.OTHER_PLACE: lambda d: (
        f"!{d['command']} does not work here. Write it in the desk."
        if d.get("desk")
        else f"!{d['command']} does not work here. Send it to me by direct message"
        + (" or write it in the group." if d["command"] in ("pledge", "withdraw") else ".")
    ),
    Reason.USAGE: lambda d: f"Write it like this: {d['usage']}",
    Reason.BAD_NAME: lambda d: 'A name is 1 to 80 visible characters on one line, in quotes: "Merino throw".',
    Reason.BAD_AMOUNT: lambda d: f"“{_short(d['amount'])}” is no amount in {d['currency']}. Write it like 89 or 89.00.",
    Reason.BAD_LINK: lambda d: "That is no link. It has to start with https:// and lead to the shop.",
    Reason.BAD_QUANTITY: lambda d: (
        f"I need a whole number of units, from 1 to {d['most']:,} in all: +2, or !pledge 3, or !pledge 2-4."
    ),
    Reason.BAD_TIERS: _bad_tiers,
    Reason.BAD_DEADLINE: _bad_deadline,
    Reason.BAD_USER_ID: lambda d: "I need a whole Matrix id, as in @ana:example.org.",
    Reason.BAD_ALIAS: lambda d: (
        "An alias has 2 to 32 letters, digits and spaces (also - ' . _ &), with two letters at least: !alias Otter"
    ),
    Reason.REVEALING_ALIAS: lambda d: (
        "That looks like a phone number or an address, and everybody in the group would read it. Take another: "
        "!alias Otter"
    ),
    Reason.RESERVED_ALIAS: lambda d: "That could be taken for the service or for a role. Take another: !alias Otter",
    Reason.BAD_CODE: lambda d: (
        "That code is not good: it was mistyped, used before, or is older than 7 days. Ask whoever gave it to you."
    ),
    Reason.BAD_CAP: lambda d: f"A group's cap is from 2 to {d['most']}.",
    Reason.UNKNOWN_COMMAND: lambda d: (
        f"There is no !{d['command']}. " + (f"Did you mean !{d['close']}? " if d.get("close") else "") + HELP_HINT
    ),
    Reason.NOT_UNDERSTOOD: lambda d: (
        "I am the group's stage crew and read commands only; to reach a person, write in the group. " + HELP_HINT
    ),
    Reason.STRANGER: lambda d: (
        "I look after groups that people are invited to. If somebody gave you an invitation code, send it to me here. "
        "If you were invited, join the group's room first."
    ),
    Reason.NO_GROUP: lambda d: (
        "I know of no group in which you could do that. If you were invited, join the group's room first."
    ),
    Reason.WHICH_GROUP: lambda d: _choices("In which group? Add its id at the end:", d["choices"]),
    Reason.NO_BUY: lambda d: "There is no open group buy that this could be for.",
    Reason.WHICH_BUY: lambda d: _choices("Which group buy? Reply to its card, or add its id at the end:", d["choices"]),
    Reason.NO_PRODUCT: lambda d: (
        f'There is no product “{_short(d["product"])}” in this group. Add it first: !product add "Name" 89.00 https://…'
    ),
    Reason.WHICH_PRODUCT: lambda d: _choices("Several products match. Name one by its SKU:", d["choices"]),
    Reason.BAD_ROOM: lambda d: (
        "I need the room's own id, as in !adopt !OurRoom:example.org. Element shows it in the room's settings, under "
        "Advanced."
    ),
    Reason.UNADOPTABLE: unadoptable,
    Reason.NO_ADOPTION: lambda d: "You have not asked me to adopt that room, so there is nothing to cancel.",
    Reason.GROUP_FULL: lambda d: f"The group is full: all {d['cap']} seats are taken.",
    Reason.ALREADY_HERE: lambda d: (
        "You are in the group already; the code still lets somebody else in."
        if d.get("you")
        else "That person is already in the group."
    ),
    Reason.ALREADY_INVITED: lambda d: (
        "You are invited already: accept that. The code still lets somebody else in."
        if d.get("you")
        else "That person is already invited and has not answered yet."
    ),
    Reason.ALREADY_CONCIERGE: lambda d: "That person is a concierge of the group already.",
    Reason.NO_CONCIERGE: lambda d: "That person is no concierge of the group.",
    Reason.OWN_ACCOUNT: lambda d: "That is my own account.",
    Reason.STILL_CREATING: lambda d: "The group's rooms are still being made. Try again in a moment.",
    Reason.GROUP_CLOSING: lambda d: "The group is being closed: nobody comes in, and nothing is changed any more.",
    Reason.BANNED: lambda d: (
        "You were banned from the group, so the code does not let you in."
        if d.get("you")
        else "That person was banned from the group. If they shall come back, a concierge lifts the ban in the room "
        "first."
    ),
    Reason.ALIAS_TAKEN: lambda d: (
        f"“{_short(d['alias'])}” is, was, or looks like somebody else's. Take another: !alias Otter"
    ),
    Reason.TOO_MANY_ALIASES: lambda d: (
        f"You have had {d['most']} aliases, and no more are given to one person: none is ever used again. You can go "
        "back to one of yours."
    ),
    Reason.NO_SUCH_MEMBER: lambda d: "I know of nobody in the group whom that could be.",
    Reason.CAP_BELOW: lambda d: f"{d['taken']} seats are taken, so the cap cannot be lower than that.",
    Reason.NOT_WAITING: lambda d: "That person does not wait for a seat.",
    Reason.ALREADY_OWNER: lambda d: "That person owns the group already.",
    Reason.OWNER_STAYS: lambda d: (
        f"You own “{d['group']}”. Hand it over first (!handover @ben:example.org {d['id']}) or close it (!sunset "
        f"{d['id']}), then ask me again."
    ),
    Reason.BEYOND_ME: lambda d: (
        "I cannot take you out, since you have as much power in the room as I do. Leave it in your client."
    ),
    Reason.BUYS_OPEN: lambda d: (
        "A group buy is still open, or is being cleared. End it with !buy close, then send the same again."
    ),
    Reason.NOT_CLOSING: lambda d: "The group is not being closed.",
    Reason.JUST_SENT: lambda d: (
        f"I have just sent you that. Ask again {d['minutes']} minutes later, if something has changed."
    ),
    Reason.TOO_NEW: lambda d: (
        f"You can vouch for others once you have been in the group for {d['days']} days. Until then a concierge can "
        "invite whom you name to them."
    ),
    Reason.SUSPENDED: lambda d: f"You cannot vouch for others for now. The concierges' reason: {d['why']}",
    Reason.NOT_SUSPENDED: lambda d: "That person can vouch for others already.",
    Reason.DECIDES_THEMSELVES: lambda d: (
        "Concierges and owners decide about vouches themselves, so there is nothing to take away. An owner can make a "
        "concierge an ordinary member first: !concierge remove @ben:example.org"
    ),
    Reason.ONE_AT_A_TIME: lambda d: "I invite one person at a time, so I have invited nobody. Send one line for each.",
    Reason.TOO_MANY_VOUCHES: lambda d: (
        f"The concierges have {d['most']} people of yours before them. Wait for their answer, then name the next."
    ),
    Reason.ALREADY_VOUCHED: lambda d: "Somebody has vouched for that person already.",
    Reason.TOO_MANY_CODES: lambda d: (
        f"You have {d['most']} invitation codes that are not used yet. When one is used, or has expired, you can get "
        "another."
    ),
    Reason.CODES_OFF: lambda d: (
        f"Invitation codes work only while a group has fewer than {d['limit']} members. A member can vouch instead: "
        "!invite and the person's Matrix id, sent to me."
    ),
    Reason.TOO_MANY_GUESSES: lambda d: (
        "Too many wrong codes came from you, so I look at no more of them for an hour. Ask whoever gave you the code."
    ),
    Reason.TOO_LATE: lambda d: (
        "Too late: this group buy is closed, so nothing changed. If you are in, your receipt says what you owe."
    ),
    Reason.NOT_OPEN: lambda d: "This group buy is not open any more.",
    Reason.NOTHING_PLEDGED: lambda d: "You have pledged nothing in this group buy, so there is nothing to withdraw.",
    Reason.EDITED: lambda d: (
        "Editing changes nothing: what counts is what you wrote first"
        + (
            f", so your pledge stays at {d['units']}. To change it, write !pledge and the number you want; !withdraw "
            "takes it back."
            if d.get("units")
            else ". If you want something else, send it as a new message."
        )
    ),
    Reason.ALREADY_OPEN: lambda d: f"There is an open group buy for this product already ({d['buy']}).",
    Reason.NOT_SKU: lambda d: "A SKU has letters, digits, dots and dashes, at most 40 of them.",
    Reason.SKU_TAKEN: lambda d: f"The SKU {d['sku']} is taken in this group.",
}
