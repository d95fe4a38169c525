"""Why something about orders, payments, offers or a delivery was not done, and what to do."""

from collections.abc import Callable, Mapping
from typing import Any

from appservice.domain.group_buy import Status
from appservice.domain.refusal import Reason
from appservice.present.amounts import money
from appservice.present.text import short
from appservice.present.words.buy_refusals import stands, units


def _too_much(d: Mapping[str, Any]) -> str:
    if d["most"] <= 0:
        return "Nothing was paid for that order beyond what it comes to, so there is nothing to refund."
    most = money(d["most"], d["currency"], "en")
    return f"A refund is above zero and at most {most}: so much was paid beyond what that order comes to."


def _not_collecting(d: Mapping[str, Any]) -> str:
    if d["status"] in (Status.OPEN, Status.CLOSING):
        return f"This group buy {stands(d['status'])}: it has no orders yet. To end it now: !buy close"
    return f"Units are offered and taken over only while a group buy is being paid. This one {stands(d['status'])}."


def _not_arrived(d: Mapping[str, Any]) -> str:
    if d["status"] is Status.ORDERED:
        return "What came is entered once it is there: write !buy arrived first."
    return f"What came is entered between !buy arrived and !buy handing-out. This group buy {stands(d['status'])}."


def _not_cleared(d: Mapping[str, Any]) -> str:
    if d["status"] is None:
        return "No group buy of this group has succeeded yet, so there are no orders to export."
    return f"This group buy {stands(d['status'])}: it has no orders to export."


def _bad_shares(d: Mapping[str, Any]) -> str:
    of = f" of {d['variant']}" if d.get("variant") else ""
    match d["why"]:
        case "negative":
            return "Units that arrived are counted from 0 up."
        case "unknown":
            return f"Nobody ordered anything{of}, so there is nobody to share it out to."
        case "too_many":
            if not d["most"]:
                return f"The order {short(d['order'])} has no units{of}, so it gets none."
            return f"The order {short(d['order'])} gets 0 to {units(d['most'])}{of}, not more than were ordered."
        case _:
            return (
                f"By hand you shared out {units(d['given'])}{of}, but {units(d['expected'])} are to be shared out. Let "
                "the numbers add up."
            )


def _at_risk(d: Mapping[str, Any]) -> str:
    are = "is" if d["units"] == 1 else "are"
    return (
        f"{units(d['units'])} {are} missing to a full order. Decide first: !buy offer asks those who wait, "
        f"!buy house {d['units']} takes the rest for the house, !buy absorb goes on without, !buy cancel calls it off."
    )


def _offers_stand(d: Mapping[str, Any]) -> str:
    offers = "1 offer is" if d["count"] == 1 else f"{d['count']} offers are"
    return f"{offers} not answered yet. Wait for the answers, or until the time for them is over."


ORDERS: Mapping[Reason, Callable[[Mapping[str, Any]], str]] = {
    Reason.NO_ORDER: lambda d: "There is no such order. Its id is in the desk's list, and on the receipt as reference.",
    Reason.NOTHING_OWED: lambda d: "Nothing is owed on that order: it is paid, dropped or cancelled.",
    Reason.NOT_DUE: lambda d: "That order can still be paid in time. Drop it when its day to pay is over.",
    Reason.MONEY_CAME: lambda d: (
        f"{money(d['amount'], d['currency'], 'en')} came for that order, so it is not dropped by itself. A concierge "
        "decides: !order <id> drop, and then !order <id> refund."
    ),
    Reason.PAYMENT_KNOWN: lambda d: (
        f"A payment with the reference {short(d['reference'])} is in the books already, so it is not counted again."
    ),
    Reason.NO_PAYMENT: lambda d: (
        f"There is no payment {short(d['reference'])} to undo in this group buy: it was mistyped, is a refund, or was "
        "undone before."
    ),
    Reason.TOO_MUCH: _too_much,
    Reason.WRONG_CURRENCY: lambda d: (
        f"This group buy is in {d['currency']}, so a payment in {short(d['given'])} is not counted for it."
    ),
    Reason.NOTE_NEEDED: lambda d: (
        "That needs a note, so that others understand it later: add a few words, as in "
        f"{d.get('example', '!order <id> paid 79.00 in cash')}"
    ),
    Reason.NO_OFFER: lambda d: "Nothing is offered to you now: the offer was answered, or its time is over.",
    Reason.NOTHING_FREE: lambda d: "No units are free, so there is nothing to offer.",
    Reason.NOBODY_WAITS: lambda d: (
        "Nobody waits who could be asked. There remain: !buy house 3 for the house, !buy absorb to go on without, "
        "!buy cancel."
    ),
    Reason.OFFERS_STAND: _offers_stand,
    Reason.AT_RISK: _at_risk,
    Reason.NOT_SHORT: lambda d: "This group buy is not short of anything now, so there is nothing to make up for.",
    Reason.NOT_COLLECTING: _not_collecting,
    Reason.NOT_ARRIVED: _not_arrived,
    Reason.BAD_SHARES: _bad_shares,
    Reason.NO_SUCH_BUY: lambda d: f"“{short(d['given'])}” is no group buy of this group. Its id stands on its card.",
    Reason.NOT_CLEARED: _not_cleared,
}
