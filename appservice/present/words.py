"""Sentences that people read; those of cards and news stand with their layout. One voice: short, plain, no cheer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from appservice.domain.group import Group
from appservice.domain.product import Product
from appservice.domain.refusal import Reason, Refusal
from appservice.present.amounts import moment, money
from appservice.present.text import Text, esc

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
        f"To keep people's names private, !{d['command']} does not work in the group, and "
        "your message was removed there. Send it to me here instead."
    ),
    Reason.OTHER_PLACE: lambda d: (
        f"!{d['command']} does not work here. Send it to me by direct message"
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
    Reason.BAD_CAP: lambda d: f"A group's cap is from 2 to {d['most']}.",
    Reason.UNKNOWN_COMMAND: lambda d: (
        f"There is no !{d['command']}. " + (f"Did you mean !{d['close']}? " if d.get("close") else "") + HELP_HINT
    ),
    Reason.NOT_UNDERSTOOD: lambda d: (
        "I am the group's stage crew and read commands only; to reach a person, write in the group. " + HELP_HINT
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
    Reason.GROUP_FULL: lambda d: f"The group is full: all {d['cap']} seats are taken.",
    Reason.ALREADY_HERE: lambda d: "That person is already in the group.",
    Reason.ALREADY_INVITED: lambda d: "That person is already invited and has not answered yet.",
    Reason.ALREADY_CONCIERGE: lambda d: "That person is a concierge of the group already.",
    Reason.NO_CONCIERGE: lambda d: "That person is no concierge of the group.",
    Reason.OWN_ACCOUNT: lambda d: "That is my own account.",
    Reason.STILL_CREATING: lambda d: "The group's rooms are still being made. Try again in a moment.",
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


def group_creating(name: str) -> str:
    return f"Making the group “{name}” and its desk."


def group_ready(group: Group) -> str:
    return (
        f"“{group.name}” is ready (id {group.id}): I have invited you to the group and to its desk, the private room "
        f"of its concierges. Up to {group.cap} people; nobody can find it or see what was said before they joined. "
        "Whoever is invited, and their server, can read the group's name before joining.\n"
        "Next, here: !invite @ana:example.org and !concierge add @ben:example.org"
    )


def group_failed(name: str, error: str) -> str:
    return (
        f"The homeserver would not make the room for “{name}” ({error}). Ask its operator, then make the group again."
    )


def invitation_failed(user_id: str, errcode: str) -> str:
    return f"{user_id} could not be invited: {_why_not_invited(errcode)}. The seat is free again."


def desk_invitation_failed(user_id: str, errcode: str) -> str:
    return (
        f"{user_id} could not be invited into the desk: {_why_not_invited(errcode)}. To try again, take them off "
        "with !concierge remove and add them once more."
    )


def _why_not_invited(errcode: str) -> str:
    return {
        "M_INVITE_BLOCKED": "they do not accept invitations from people they do not know",
        "M_NOT_FOUND": "there is no such account",
        "UNREACHABLE": "their server cannot be reached",
    }.get(errcode, "their server or ours refused it")


def invitation_expired(user_id: str, group: Group) -> str:
    return f"{user_id} has not answered the invitation to “{group.name}”. It has expired, and the seat is free again."


def product_posted(product: Product) -> str:
    return (
        f"Posted {product.name}, SKU {product.sku}. To open a group buy of it: "
        f"!buy open {product.sku} 10:79 25:69 until friday 18:00"
    )


def invited(user_id: str, group: Group) -> str:
    return f"Invited {user_id} to “{group.name}”."


def concierge_added(user_id: str, group: Group) -> str:
    return f"{user_id} is a concierge of “{group.name}” now, and invited to the desk."


def concierge_removed(user_id: str, group: Group) -> str:
    return f"{user_id} is no concierge of “{group.name}” any more, and out of the desk."


def not_a_picture() -> str:
    return "The message you replied to is no picture I can use, so the product was posted without one."


def state_restored() -> str:
    return (
        "Someone changed a group buy's state event by hand; I put it back. Open a group buy with !buy open and end "
        "it with !buy close."
    )


def buy_opened(product: Product, deadline_at: int, group: Group) -> str:
    return (
        f"The group buy of {product.name} is open until {moment(deadline_at, group)}. If that is not the time you "
        "meant, end it with !buy close before anyone pledges, and open it again."
    )


def help_text(commands: Sequence[tuple[str, str]], *, joined: bool) -> Text:
    """List what a person can type here, each with what it does."""
    buttons = "On a group buy's card you can also react +1, +2 or +5, or reply with a number like +2."
    signs = "✅ you are in, ⏳ you wait for a place or a lower price, ⚠️ see what I wrote to you."
    tail = [buttons, signs] if joined else []
    if not commands:
        tail = ["There is nothing you can do here yet. If you were invited to a group, join its room first."]
    plain = [f"{usage}: {summary}" for usage, summary in commands]
    rows = "".join(f"<li><code>{esc(usage)}</code>: {esc(summary)}</li>" for usage, summary in commands)
    html = (f"<ul>{rows}</ul>" if rows else "") + "".join(f"<p>{esc(line)}</p>" for line in tail)
    return Text("\n".join(plain + tail), html)
