"""Why something was not done: one sentence for each reason, and what to do. Buys and orders have their own files."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from appservice.domain.money import exponent
from appservice.domain.refusal import Reason, Refusal
from appservice.present.text import short
from appservice.present.words.adoption import unadoptable
from appservice.present.words.buy_refusals import BUYING
from appservice.present.words.order_refusals import ORDERS
from appservice.present.words.tools import TOOLS

HELP_HINT = "Send me !help to see what you can do."


def refusal(refused: Refusal) -> str:
    """Say why nothing was done, and what to do."""
    return _REFUSALS[refused.reason](refused.details)


def _bad_amount(d: Mapping[str, Any]) -> str:
    places = exponent(d["currency"])
    example = f"89 or 89.{'0' * places}" if places else "89, without decimals"
    if isinstance(d["amount"], int):  # in minor units, and out of bounds
        return "An amount must be above zero and not astronomical."
    return f"“{short(d['amount'])}” is no amount in {d['currency']}. Write it like {example}."


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
    Reason.NOT_IN_HELP: lambda d: (
        f"!{d['command']} is not for both in a private room, so I removed your message there. "
        + ("Write it in the desk instead." if d.get("desk") else "Send it to me here instead.")
    ),
    Reason.IN_CLEAR: lambda d: (
        "That came unencrypted in an encrypted room, where homeservers can read it, so I did nothing with it. Send it "
        "again with a client that encrypts, such as Element."
    ),
    Reason.NO_KEY: lambda d: (
        "I cannot read what you wrote there: your client has not given me its key. If the key comes, I act on it as of "
        "when you wrote; if I do not put a ✅ to it soon, write it again."
    ),
    Reason.USAGE: lambda d: "Write it like this:" + ("" if d["usage"].startswith("\n") else " ") + str(d["usage"]),
    Reason.BAD_NAME: lambda d: 'A name is 1 to 80 visible characters on one line, in quotes: "Merino throw".',
    Reason.BAD_AMOUNT: _bad_amount,
    Reason.BAD_LINK: lambda d: "That is no link. It has to start with https:// and lead to the shop.",
    Reason.BAD_PERIOD: lambda d: {
        "future": "That period has not begun yet: name days that are over, or today.",
        "order": "That period ends before it begins: write the earlier day first.",
        "long": "That is too long: at most 366 days.",
    }[d["why"]],
    Reason.TOO_LONG: lambda d: f"That is too long: at most {d['most']} characters, please.",
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
    Reason.BAD_HOURS: lambda d: {
        "format": (
            (f"I could not read “{short(d['word'])}”. " if "word" in d else "I could not read these hours. ")
            + "Write days, then times: !hours mon-fri 9:00-18:00, sat 10:00-14:00. !hours always takes them away."
        ),
        "order": f"“{short(d.get('word', ''))}” ends before it begins. Over midnight, write two: fri 20-24, sat 0-2.",
        "holidays": (
            f"I know no public holidays of {short(d.get('word', ''))}. Write a country and, where it matters, its part "
            "by their ISO codes, like holidays DE-BE, at the end."
        ),
    }[d["why"]],
    Reason.BAD_COMMISSION: lambda d: (
        "A commission is above 0 and at most 100 per cent, with up to two decimals: !commission 7.5%, or "
        "!commission off."
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
    Reason.NO_QUESTION: lambda d: (
        "You have no open question. Ask first: send it to me here, or write !ask and the question in the group."
    ),
    Reason.NO_BUY: lambda d: "There is no open group buy that this could be for.",
    Reason.WHICH_BUY: lambda d: _choices("Which group buy? Reply to its card, or add its id at the end:", d["choices"]),
    Reason.NO_PRODUCT: lambda d: (
        f'There is no product “{short(d["product"])}” in this group. Add it first: !product add "Name" 89.00 https://…'
    ),
    Reason.NOTHING_TO_RECOMMEND: lambda d: (
        f"There is no product “{short(d['product'])}” in this group. Reply to its card with !recommend and why it is "
        "good, or write its SKU before that."
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
    Reason.QUESTION_TAKEN: lambda d: f"{d['by']} was faster and has that question. They can hand it over with !hand.",
    Reason.QUESTION_DONE: lambda d: "That question is answered or closed; its asker's next message opens it again.",
    Reason.NOT_YOUR_QUESTION: lambda d: (
        f"That is {'your' if d['you'] else 'their'} own question: another concierge has to take it."
    ),
    Reason.ALREADY_YOURS: lambda d: f"{'You' if d['you'] else 'They'} have that question already.",
    Reason.TOO_LATE_TO_UNDO: lambda d: "That question was closed more than a week ago and stays so. Ask again.",
    Reason.WHICH_QUESTION: lambda d: (
        "You have several open questions. Write it as a reply to the message in which you asked the one you mean."
        if d.get("own")
        else ("You have taken several questions. " if d["taken"] else "That is about a question. ")
        + "Write it in the question's thread here in the desk, or as a reply to its line."
    ),
    Reason.STILL_CREATING: lambda d: "The group's rooms are still being made. Try again in a moment.",
    Reason.GROUP_CLOSING: lambda d: "The group is being closed: nobody comes in, and nothing is changed any more.",
    Reason.BANNED: lambda d: (
        "You were banned from the group, so the code does not let you in."
        if d.get("you")
        else "That person was banned from the group. If they shall come back, a concierge lifts the ban in the room "
        "first."
    ),
    Reason.ALIAS_TAKEN: lambda d: (
        f"“{short(d['alias'])}” is, was, or looks like somebody else's. Take another: !alias Otter"
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
        f"A group buy ({d['buy']}) is still to end. "
        + ("Take it to !buy done, or !buy cancel it" if d["own"] else "It is another group's, shared here: wait")
        + ", then send the same again."
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
    Reason.EDITED: lambda d: (
        "Editing changes nothing: what counts is what you wrote first"
        + (
            f", so your pledge stays at {d['units']}. To change it, write !pledge and the number you want; !withdraw "
            "takes it back."
            if d.get("units")
            else ". If you want something else, send it as a new message."
        )
    ),
    **BUYING,
    **ORDERS,
    **TOOLS,
    Reason.NOT_SKU: lambda d: "A SKU has letters, digits, dots and dashes, at most 40 of them.",
    Reason.SKU_TAKEN: lambda d: f"The SKU {d['sku']} is taken in this group.",
}
