"""!buy, !pledge, !withdraw."""

import re
from collections.abc import Mapping, Sequence

from appservice.actions import buys as action
from appservice.actions import pledges, products
from appservice.actions.work import Work
from appservice.commands.command import Call, Command, call_example, my_groups, one_group, usage
from appservice.commands.deadline import parse_deadline
from appservice.domain.cause import Place
from appservice.domain.clearing import Tier
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Set, Terms, Withdraw
from appservice.domain.ids import BuyId, EventId, GroupId
from appservice.domain.member import Member, Role
from appservice.domain.money import parse_amount
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import answer
from appservice.present.words import buys as say
from appservice.wire.pledge import WholePledge, parse_whole

_BUY = '!buy open "Merino throw" 10:79 25:69 until friday 18:00 (then, if wanted: cap 100, pack 5), or !buy close'
_PLEDGE = "!pledge 3, or !pledge 2-4, or !pledge 2 max 9.00"
_WITHDRAW = "!withdraw"
_TIER = re.compile(r"(\d{1,7}):(\S{1,20})", re.ASCII)
_LIMIT = re.compile(r"\b(cap|pack)\s+(\d{1,7})\b", re.IGNORECASE | re.ASCII)


async def _buy(work: Work, call: Call) -> Refusal | None:
    words = call.words()
    found = await one_group(work, call, Role.CONCIERGE, words, call_example("buy", call))
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    match words:
        case ["open", *rest] if rest:
            return await _open(work, call, group, member, rest)
        case ["close"] | ["close", _]:
            buy_id = await one_buy(work, call, words[1] if len(words) == 2 else None, group)
            if isinstance(buy_id, Refusal):
                return buy_id
            await action.close(work, member, buy_id)
            return None
        case _:
            return usage(_BUY)


async def _open(work: Work, call: Call, group: Group, member: Member, words: list[str]) -> Refusal | None:
    first_tier = next((n for n, word in enumerate(words) if _TIER.fullmatch(word)), None)
    until = next((n for n, word in enumerate(words) if word.lower() == "until"), None)
    if first_tier is None or until is None or until < first_tier:
        return usage(_BUY)
    product = await products.find(work, group.id, " ".join(words[:first_tier]), call.reply_to)
    if isinstance(product, Refusal):
        return product
    tiers = _tiers(words[first_tier:until], product.currency)
    if isinstance(tiers, Refusal):
        return tiers
    tail = " ".join(words[until + 1 :])
    limits = {match[1].lower(): int(match[2]) for match in _LIMIT.finditer(tail)}
    when = " ".join(_LIMIT.sub(" ", tail).split())
    deadline_at = parse_deadline(when, work.cause.received_at, group.time_zone)
    if isinstance(deadline_at, Refusal):
        return deadline_at
    terms = Terms(product.currency, tiers, deadline_at, limits.get("pack", 1), limits.get("cap"))
    opened = await action.open_buy(work, member, product, terms)
    if isinstance(opened, Refusal):
        return opened
    await work.owe(answer(work.cause, say.buy_opened(product, deadline_at, group)))
    return None


def _tiers(words: Sequence[str], currency: str) -> tuple[Tier, ...] | Refusal:
    tiers = []
    for word in words:
        match = _TIER.fullmatch(word)
        if match is None:
            return refuse(Reason.BAD_TIERS, why="format", tier=word[:40])
        price = parse_amount(match[2], currency)
        if price is None:
            return refuse(Reason.BAD_AMOUNT, amount=match[2], currency=currency)
        tiers.append(Tier(int(match[1]), price))
    return tuple(tiers)


async def _pledge(work: Work, call: Call) -> Refusal | None:
    words = call.words()
    found = await find_buy(work, call, words, call_example("pledge", call), former=words[:1] == ["0"])
    if isinstance(found, Refusal):
        return found
    buy, member, words = found
    if not words:
        return usage(_PLEDGE)
    return await pledge_whole(work, buy, member, " ".join(words))


async def pledge_whole(work: Work, buy: GroupBuy, member: Member, text: str) -> Refusal | None:
    """Set a member's whole pledge to what they wrote."""
    whole = parse_whole(text, buy.terms.currency)
    if isinstance(whole, Refusal):
        return whole
    await pledges.pledge(work, buy.id, _request(work, member, whole))
    return None


def _request(work: Work, member: Member, whole: WholePledge) -> Set | Withdraw:
    cause = work.cause
    if whole.quantity == 0:
        return Withdraw(pledges.pledger_of(member), cause.received_at)
    return Set(
        pledges.pledger_of(member),
        whole.quantity,
        whole.flex,
        whole.max_price,
        cause.id,
        cause.position,
        cause.received_at,
    )


async def _withdraw(work: Work, call: Call) -> Refusal | None:
    found = await find_buy(work, call, call.words(), "!withdraw", former=True)
    if isinstance(found, Refusal):
        return found
    buy, member, words = found
    if words or member.number is None:
        return usage(_WITHDRAW)
    await pledges.pledge(work, buy.id, Withdraw(pledges.pledger_of(member), work.cause.received_at))
    return None


async def find_buy(
    work: Work, call: Call, words: list[str], example: str, *, former: bool = False
) -> tuple[GroupBuy, Member, list[str]] | Refusal:
    """Give the one buy that a member can mean: by the card replied to, by its id as the last word, or the only one.

    `example` is what they typed, to which the id of one of several buys can be added. With `former`, buys of groups
    that they have left count as well: pledges bind, so they can be withdrawn.
    """
    groups = await my_groups(work, call, Role.MEMBER)
    if former:
        groups += await work.unit.groups.former_of_person(work.cause.sender)
    members = {group.id: member for group, member in groups}
    replied = await buy_of_card(work, call.reply_to)
    if replied is not None:
        member = await _member_in(work, replied, members)
        return (replied, member, words) if member else refuse(Reason.NOT_A_MEMBER)
    named = await work.unit.buys.find(words[-1]) if words else None
    member = await _member_in(work, named, members) if named else None
    if named is not None and member is not None:
        return named, member, words[:-1]
    live: dict[BuyId, Member] = {}
    for id, member in members.items():
        for buy_id in await work.unit.buys.live_of(id):
            live.setdefault(buy_id, member)
    match list(live.items()):
        case [(buy_id, member)]:
            return await work.unit.buys.get(buy_id), member, words
        case []:
            return refuse(Reason.NO_BUY)
        case _:
            return await _which(work, list(live), example)


async def _member_in(work: Work, buy: GroupBuy, members: Mapping[GroupId, Member]) -> Member | None:
    """Give as which member somebody can take part in a buy, which may be shown in several of their groups."""
    groups = await work.unit.buys.groups_of(buy)
    return next((members[group_id] for group_id in groups if group_id in members), None)


async def buy_of_card(work: Work, event_id: EventId | None) -> GroupBuy | None:
    """Give the buy whose card an event is or was."""
    buy_id = await work.unit.buys.shown_by(event_id) if event_id else None
    return await work.unit.buys.get(buy_id) if buy_id else None


async def one_buy(work: Work, call: Call, named: str | None, group: Group) -> BuyId | Refusal:
    """Give the one buy of a group that a concierge means: by id, by the card replied to, or the only open one."""
    if named is not None:
        buy = await work.unit.buys.find(named)
        return buy.id if buy is not None and buy.group_id == group.id else refuse(Reason.NO_BUY)
    replied = await buy_of_card(work, call.reply_to)
    if replied is not None and replied.group_id == group.id:
        return replied.id
    match await work.unit.buys.live_of(group.id):
        case [buy_id]:
            return buy_id
        case []:
            return refuse(Reason.NO_BUY)
        case several:
            return await _which(work, several, "!buy close")


async def _which(work: Work, buy_ids: Sequence[BuyId], example: str) -> Refusal:
    choices = []
    for buy_id in buy_ids[:10]:
        buy = await work.unit.buys.get(buy_id)
        product = await work.unit.products.get(buy.product_id)
        choices.append((product.name, buy_id, f"{example[:60]} {buy_id}"))
    return refuse(Reason.WHICH_BUY, choices=choices)


COMMANDS = (
    Command("buy", _BUY, "open a group buy, or close it before its deadline", Role.CONCIERGE, _buy),
    Command(
        "pledge", _PLEDGE, "say how many you take in all; 0 takes it back", Role.MEMBER, _pledge,
        frozenset({Place.GROUP, Place.DIRECT}),
    ),
    Command(
        "withdraw", _WITHDRAW, "take your pledge back", Role.MEMBER, _withdraw,
        frozenset({Place.GROUP, Place.DIRECT}),
    ),
)  # fmt: skip
