"""!buy: a concierge opens a group buy, changes it, ends it, and takes it through to its handing out."""

from collections.abc import Awaitable, Callable, Mapping

from appservice.actions import buys as action
from appservice.actions import links, orders, products, repeating
from appservice.actions.work import Work
from appservice.commands import sharing
from appservice.commands.choosing import AHEAD, CLEARED, LIVE, OVER, is_like_an_id, own_buy
from appservice.commands.command import Call, Command, call_example, one_group, usage
from appservice.commands.deadline import parse_deadline
from appservice.commands.delivery import parse_delivery
from appservice.commands.terms import parse_changes, parse_terms, split_product
from appservice.domain.cause import Place
from appservice.domain.duration import HOUR_MS
from appservice.domain.fulfilment import Absorb, HouseTake, Offer, Request
from appservice.domain.group import Group
from appservice.domain.group_buy import Advance, Cancel, Extend, GroupBuy, Improve, Shorten, Status, Terms
from appservice.domain.ids import Number
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import without_ids
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words import buys as say

_OPEN = '!buy open "Merino throw" 10:79 25:69 until friday 18:00'
_OPTIONS = "cap 100, pack 5, least 2, most 10, step 2, variants S, M, L, shared 45.00, tax 20%, opens monday 9:00"
_CHANGE = "!buy change k3x9qf 10:75 25:65 cap 120"
_EXTEND = "!buy extend k3x9qf until friday 18:00"
_SHORTEN = "!buy shorten k3x9qf until friday 18:00"
_REPEAT = "!buy repeat k3x9qf until friday 18:00"
_CLOSE = "!buy close k3x9qf"
_CANCEL = "!buy cancel k3x9qf The supplier has none left"
_OFFER = "!buy offer k3x9qf"
_HOUSE = "!buy house k3x9qf 3, or with a variant: !buy house k3x9qf 3 M"
_DELIVER = "!buy deliver k3x9qf 17, or with variants and a rule: !buy deliver k3x9qf S 10, M 7 pro rata"
EXAMPLES = (
    (_OPEN, "open a group buy"),
    (_CHANGE, "better its terms"),
    (_EXTEND, "have it close later"),
    (_SHORTEN, "have it close sooner"),
    (sharing.SHARE, "show it in another group as well"),
    (_CLOSE, "end it now, and clear it"),
    (_CANCEL, "call it off, with the reason"),
    (_OFFER, "ask those again who wait or have declined"),
    ("!buy house k3x9qf 3", "take for the house what nobody has"),
    ("!buy absorb k3x9qf The supplier agrees", "go on without what is missing"),
    ("!buy ordered k3x9qf by e-mail", "say that it is ordered from the supplier"),
    ("!buy arrived k3x9qf", "say that it has come"),
    ("!buy deliver k3x9qf 17", "enter how much came, if it is less"),
    ("!buy handing-out k3x9qf Saturday at Ben's, 10 to 12", "tell everyone where and when to collect"),
    ("!buy done k3x9qf", "say that everything is handed out"),
    (_REPEAT, "open it again on the same terms"),
    ("!buy k3x9qf", "in the desk: get a link to its card"),
)
"""What can be typed after !buy, in the order of a buy's life: an example of each word, and what it does."""
_LONGEST_NOTE = 300
_STEPS: Mapping[str, Status] = {
    "ordered": Status.ORDERED,
    "arrived": Status.ARRIVED,
    "handing-out": Status.HANDING_OUT,
    "done": Status.DONE,
}

_Words = list[str]
_Run = Callable[[Work, Call, Group, Member, _Words], Awaitable[Refusal | None]]


async def _buy(work: Work, call: Call) -> Refusal | None:
    words = call.words()
    if words[:1] == ["share"]:
        return await sharing.share(work, call, words[1:])
    free_text = words[:1] and words[0].lower() in ("cancel", *_STEPS, "absorb")
    example = call_example("buy", call)
    found = await one_group(work, call, Role.CONCIERGE, words, example, free_text=bool(free_text))
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    run = _WORDS.get(words[0].lower()) if words else None
    if run is None and len(words) == 1 and call.place is Place.DESK and is_like_an_id(words[0]):
        return await _card(work, group, words[0])
    return await run(work, call, group, member, words) if run else usage(_ALL)


async def _card(work: Work, group: Group, named: str) -> Refusal | None:
    buy = await work.unit.buys.find(named.lower())
    if buy is None or group.id not in await work.unit.buys.groups_of(buy):
        return refuse(Reason.NO_SUCH_BUY, given=named)
    return await links.buy_card(work, group, buy)


async def _open(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    named, offered = split_product(words[1:])
    if not offered or any(word.lower() == "until" for word in named):
        return usage(f"{_OPEN} (then, if wanted, in any order: {_OPTIONS})")
    product = await products.find(work, group.id, " ".join(named), call.reply_to)
    if isinstance(product, Refusal):
        return product
    terms = parse_terms(offered, product.currency, work.cause.received_at, group.time_zone)
    if isinstance(terms, Refusal):
        return terms
    buy = await action.open_buy(work, member, product, terms)
    if isinstance(buy, Refusal):
        return buy
    said = say.buy_scheduled(product, buy, group) if buy.status is Status.SCHEDULED else None
    await work.owe(answer(work.cause, said or say.buy_opened(product, terms.deadline_at, group)))
    return None


async def _repeat(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    found = await own_buy(work, call, group, words[1:], (*CLEARED, *OVER), "!buy repeat")
    if isinstance(found, Refusal):
        return found
    earlier, when = found
    if len(when) < 2 or when[0].lower() != "until":
        return usage(_REPEAT)
    deadline_at = parse_deadline(" ".join(when[1:]), work.cause.received_at, group.time_zone)
    if isinstance(deadline_at, Refusal):
        return deadline_at
    buy = await repeating.repeat(work, member, earlier.id, deadline_at)
    if isinstance(buy, Refusal):
        return buy
    product = await work.unit.products.get(buy.product_id)
    await work.owe(answer(work.cause, say.buy_opened(product, deadline_at, group)))
    return None


async def _change(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    found = await own_buy(work, call, group, words[1:], AHEAD, "!buy change")
    if isinstance(found, Refusal):
        return found
    buy, words = found
    terms = _changes(work, group, buy, words) if words else usage(_CHANGE)
    if isinstance(terms, Refusal):
        return terms
    after = await action.change(work, member, buy.id, Improve(terms, work.cause.received_at))
    if isinstance(after, Refusal):
        return after
    product = await work.unit.products.get(buy.product_id)
    await work.owe(answer(work.cause, say.terms_changed(product, after)))
    return None


def _changes(work: Work, group: Group, buy: GroupBuy, words: _Words) -> Terms | Refusal:
    is_planned = buy.status.is_planned
    return parse_changes(words, buy.terms, work.cause.received_at, group.time_zone, is_planned=is_planned)


async def _move(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    later = words[0].lower() == "extend"
    found = await own_buy(work, call, group, words[1:], LIVE, f"!buy {words[0].lower()}")
    if isinstance(found, Refusal):
        return found
    buy, when = found
    if when and when[0].lower() == "until":
        when = when[1:]
    if not when:
        return usage(_EXTEND if later else _SHORTEN)
    at = work.cause.received_at
    deadline_at = parse_deadline(" ".join(when), at, group.time_zone)
    if isinstance(deadline_at, Refusal):
        return deadline_at
    after = await action.change(work, member, buy.id, Extend(deadline_at, at) if later else Shorten(deadline_at, at))
    if isinstance(after, Refusal):
        return after
    product = await work.unit.products.get(buy.product_id)
    await work.owe(answer(work.cause, say.closes_now(product, after, group)))
    return None


async def _close(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    found = await own_buy(work, call, group, words[1:], LIVE, "!buy close")
    if isinstance(found, Refusal):
        return found
    buy, rest = found
    if rest:
        return refuse(Reason.NO_BUY) if len(rest) == 1 else usage(_CLOSE)
    await action.close(work, member, buy.id)
    return None


async def _cancel(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    found = await own_buy(work, call, group, words[1:], (*AHEAD, *CLEARED), "!buy cancel", free_text=True)
    if isinstance(found, Refusal):
        return found
    buy, rest = found
    reason = _note(rest)
    if not reason:
        return usage(_CANCEL)
    if not buy.status.is_cleared:
        return await action.cancel(work, member, buy.id, reason)
    return await _settle(work, buy, Cancel(reason, _number(member)), member)


async def _advance(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    step = words[0].lower()
    found = await own_buy(work, call, group, words[1:], CLEARED, f"!buy {step}", free_text=True)
    if isinstance(found, Refusal):
        return found
    buy, rest = found
    return await _settle(work, buy, Advance(_STEPS[step], _number(member), _note(rest)), member)


async def _absorb(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    found = await own_buy(work, call, group, words[1:], CLEARED, "!buy absorb", free_text=True)
    if isinstance(found, Refusal):
        return found
    buy, rest = found
    return await _settle(work, buy, Absorb(_number(member), _note(rest)), member)


async def _offer(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    found = await own_buy(work, call, group, words[1:], CLEARED, "!buy offer")
    if isinstance(found, Refusal):
        return found
    buy, rest = found
    answer_by = work.unit.now + work.config.purchase.offer_hours * HOUR_MS
    return usage(_OFFER) if rest else await _settle(work, buy, Offer(answer_by, work.unit.now, again=True), member)


async def _house(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    found = await own_buy(work, call, group, words[1:], CLEARED, "!buy house")
    if isinstance(found, Refusal):
        return found
    buy, rest = found
    if not rest or not rest[0].isascii() or not rest[0].isdigit() or len(rest[0]) > 6:
        return usage(_HOUSE)
    return await _settle(work, buy, HouseTake(int(rest[0]), _number(member), " ".join(rest[1:]) or None), member)


async def _deliver(work: Work, call: Call, group: Group, member: Member, words: _Words) -> Refusal | None:
    found = await own_buy(work, call, group, words[1:], CLEARED, "!buy deliver")
    if isinstance(found, Refusal):
        return found
    buy, rest = found
    request = parse_delivery(" ".join(rest), buy.terms.variants, _number(member))
    return usage(_DELIVER) if request is None else await _settle(work, buy, request, member)


async def _settle(work: Work, buy: GroupBuy, request: Request, member: Member) -> Refusal | None:
    refusal = await orders.carry_out(work, buy.id, request, member.number)
    if refusal is None:
        await work.owe(*acknowledge(work.cause))
    return refusal


def _number(member: Member) -> Number:
    if member.number is None:
        raise LookupError("a concierge has joined and has a number")
    return member.number


def _note(words: _Words) -> str:
    return without_ids(" ".join(" ".join(words).split()))[:_LONGEST_NOTE]


_WORDS: Mapping[str, _Run] = {
    "open": _open,
    "repeat": _repeat,
    "change": _change,
    "extend": _move,
    "shorten": _move,
    "close": _close,
    "cancel": _cancel,
    **dict.fromkeys(_STEPS, _advance),
    "absorb": _absorb,
    "offer": _offer,
    "house": _house,
    "deliver": _deliver,
}

_BUY = f"{_OPEN} (other words after !buy: {', '.join(example.split()[1] for example, _ in EXAMPLES[1:-1])})"
_ALL = "".join(f"\n• {example}: {summary}" for example, summary in EXAMPLES)

COMMANDS = (
    Command("buy", _BUY, "open a group buy, change it, or take it through to its handing out", Role.CONCIERGE, _buy),
)
