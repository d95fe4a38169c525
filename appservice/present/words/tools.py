"""What is said around the concierge's tools: canned drafts, pledges written down for members, reports, card links."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy
from appservice.domain.member import Member
from appservice.domain.product import Product
from appservice.domain.refusal import Reason
from appservice.present.amounts import moment, money
from appservice.present.text import Text, esc, pages, short

# Canned drafts


def canned_draft(alias: str, text: str) -> Text:
    """Show a draft to a concierge, who copies what is right of it."""
    head = f"A draft for {alias}. I send it to nobody: copy it, change what is not true, and send it yourself."
    body = esc(text).replace("\n", "<br>")
    return Text(f"{head}\n\n{text}", f"{esc(head)}<blockquote>{body}</blockquote>")


def canned_list(drafts: Mapping[str, str]) -> list[str]:
    """List drafts by name, with how they begin, in as many messages as it takes."""
    if not drafts:
        return ["There are no drafts yet. To keep one: !canned add delivery Hello {alias}, it comes on {day}."]
    lines = [f"• {name}: {short(text)}" for name, text in drafts.items()]
    return ["\n".join(page) for page in pages(["Drafts, for use in a question's thread:", *lines])]


# Pledges written down for members


def proposal(by: Member, group: Group, product: Product, buy: GroupBuy, words: str, *, until: int) -> str:
    """Ask a member whether this is what they want to pledge."""
    return (
        f"{called(by)}, a concierge of “{group.name}”, has written down for you: {product.name}, {words}. That would "
        f"be your whole pledge in this group buy ({buy.id}, {price_now(buy, group)}).\n"
        f"If that is what you want, put ✅ on this message by {moment(min(until, buy.terms.deadline_at), group)}. "
        f"Without it nothing is pledged. Or send me what you want instead: !pledge {words} {buy.id}"
    )


def proposed(to: Member) -> str:
    return f"I have asked {called(to)} by direct message. Nothing is pledged until they put ✅ on it."


def pledged_for(product: Product, buy: GroupBuy, words: str, *, waits: bool) -> str:
    place = " It waits for a place as of now." if waits else ""
    return (
        f"Pledged: {product.name}, {words}.{place} !withdraw {buy.id} takes it back, and so does taking your ✅ away."
    )


def confirmed_in_desk(member: Member, by: Member, product: Product, buy: GroupBuy, words: str) -> str:
    return f"{called(member)} has confirmed what {called(by)} wrote down: {product.name}, {words} ({buy.id})."


# Reports


def report(reporter: Member, concerned: Member, group: Group, why: str) -> str:
    """Pass on what a member says about another, to who can do something about it."""
    return (
        f"{called(reporter)} reports {called(concerned)} in “{group.name}”:\n{why}\n"
        f"I have told nobody else, and {called(concerned)} does not know of it. What is to be done is yours to decide; "
        f"to ask further, write to {called(reporter)}."
    )


def reported(*, own: bool) -> str:
    whom = "the group's owners" if own else "the operator's people, since nobody else owns the group"
    return f"I have passed that on to {whom}, under your alias, and to nobody else."


# Links to cards


def card_link(name: str, price: str, link: str) -> Text:
    """Give what a concierge can copy into an answer."""
    return Text(f"{name}, {price}\n{link}", f'<a href="{esc(link)}">{esc(name)}</a>, {esc(price)}<br>{esc(link)}')


def price_now(buy: GroupBuy, group: Group) -> str:
    """Give the price at which a buy stands as of now."""
    clearing, currency = buy.clearing(), buy.terms.currency
    if clearing is not None:
        return f"{money(clearing.unit_price, currency, group.locale)} each as of now"
    first = buy.terms.tiers[0]
    return f"{money(first.unit_price, currency, group.locale)} each once {first.minimum} are pledged"


def called(member: Member) -> str:
    return member.alias or f"Member {member.number}"


def _no_canned(d: Mapping[str, Any]) -> str:
    known: Sequence[str] = d["known"]
    there = f"There are: {', '.join(known[:20])}." if known else "There are none yet; !canned add makes one."
    return f"There is no draft “{short(d['name'], 30)}”. {there}"


def _canned_needs(d: Mapping[str, Any]) -> str:
    unknown = f"{d['name']} has nothing to fill in for {', '.join(d['unknown'])}. " if d["unknown"] else ""
    if not d["missing"]:
        return f"{unknown}Write it like this: !canned {d['name']}"
    example = " ".join(f'{name}="…"' for name in d["missing"])
    return f"{unknown}I need {', '.join(d['missing'])} for it: !canned {d['name']} {example}"


_OVER = {
    "confirmed": "You have confirmed that before, so nothing changed.",
    "replaced": "A newer message from me has taken its place, so nothing changed: put your ✅ on that one.",
    "expired": "That was more than three days ago, so nothing is pledged.",
}

TOOLS: Mapping[Reason, Callable[[Mapping[str, Any]], str]] = {
    Reason.NO_CANNED: _no_canned,
    Reason.CANNED_NEEDS: _canned_needs,
    Reason.TOO_MANY_CANNED: lambda d: (
        f"There are {d['most']} drafts, and no more are kept. Remove one first: !canned remove and its name."
    ),
    Reason.PROPOSED_ALREADY: lambda d: (
        f"I have asked {d['alias']} just that, and they have not answered yet. Nothing is pledged until they put ✅ on "
        "it."
    ),
    Reason.PROPOSAL_OVER: lambda d: f"{_OVER[d['why']]} To set your pledge yourself: !pledge 2 {d['buy']}",
    Reason.TOO_MANY_REPORTS: lambda d: (
        f"I have passed {d['most']} reports of yours on within a day, so this one waits: send it again tomorrow."
    ),
    Reason.NOBODY_TO_REPORT_TO: lambda d: (
        "There is nobody to whom I could pass that on without telling the person concerned, so I have told nobody. "
        f"Write to the people who run {d['domain']}."
    ),
    Reason.NO_CARD: lambda d: "That has no card in the group, so there is nothing to link to.",
}
