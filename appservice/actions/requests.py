"""What concierges' own clients and bots ask for by events: a product, a whole group buy.

Requests come as the state event `shop.coterie.group_buy`, which is a buy's published picture at the same time, or as
messages with a key of ours. Whatever comes of one in state, the picture is what stands there afterwards.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from appservice.actions import orders, products
from appservice.actions.buys import open_buy, opened_by_now, too_dear
from appservice.actions.cards import is_encrypted
from appservice.actions.desk import tell_desk
from appservice.actions.guarding import somebody
from appservice.actions.pictures import picture_here, shown_here
from appservice.actions.recording import record
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.domain.effect import SendState
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import (
    Advance,
    Cancel,
    Close,
    Extend,
    GroupBuy,
    Improve,
    Request,
    Shorten,
    Status,
    Terms,
)
from appservice.domain.ids import ALPHABET, BuyId, GroupId, Number
from appservice.domain.member import Member, Role
from appservice.domain.money import exponent
from appservice.domain.product import Product
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge
from appservice.present.words import buys as say
from appservice.present.words.refusals import refusal as sentence
from appservice.store.unit import Unit
from appservice.wire import group_buy as wire_buy
from appservice.wire import product as wire_product
from appservice.wire.buy_request import BuyRequest, parse_buy_request
from appservice.wire.event import Event
from appservice.wire.keyed import Keyed
from appservice.wire.message import parse_picture

LONGEST_MS = 366 * DAY_MS
"""So far ahead a buy may close."""
_ID_LENGTH = 6
_TOLD_AGAIN_MS = 10 * MINUTE_MS
_MOST_TOLD = 20
"""What the desk is told of one person's refused requests in an hour; the rest is put back silently."""
_STEPS = (Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE)
_ENDS = (Status.CLOSING, Status.CANCELLED, *_STEPS)
_IN_SEALED_STATE = {"version", "id", "status", "closes_at", "card", "reason"}
_BEGINNINGS = (None, Status.OPEN, Status.SCHEDULED)


async def may_ask(unit: Unit, group_id: str, user_id: str) -> bool:
    """Tell whether a person's messages may ask for something by a key."""
    member = await unit.groups.member(group_id, user_id)
    return member is not None and member.role >= Role.CONCIERGE


async def by_state(work: Work, group_id: GroupId, event: Event) -> None:
    """Do what a state event in a group's room asks for, or tell the desk why not; then put the picture there.

    A state key that is a user's id names no buy, and nobody but that user may write to it.
    """
    state_key = event.state_key or ""
    group = await work.unit.groups.get(group_id)
    stands = await picture_here(work, group, state_key)
    if state_key.startswith("@") or group.status is GroupStatus.CLOSED or stands == event.content == {}:
        return
    refusal = None if stands == event.content else await _ask_in_state(work, group, state_key, event)
    stands = await picture_here(work, group, state_key)
    if stands is not None:
        await work.owe(SendState(event.room_id, wire_buy.TYPE, state_key, stands))
    if refusal is not None:
        await _tell_why(work, group, state_key, sentence(refusal))


async def _ask_in_state(work: Work, group: Group, state_key: str, event: Event) -> Refusal | None:
    member = await _asker(work, group, state_key)
    if isinstance(member, Refusal):
        return member
    if await is_encrypted(work, event.room_id) and not await _only_ends(work, group, state_key, event):
        return refuse(Reason.TERMS_IN_CLEAR)
    request = parse_buy_request(event.content)
    if isinstance(request, Refusal):
        return request
    if request.id not in (None, state_key):
        return refuse(Reason.BAD_REQUEST, field="id", why="wrong")
    return await _ask(work, group, member, replace(request, id=state_key))


async def _only_ends(work: Work, group: Group, state_key: str, event: Event) -> bool:
    """Tell whether a state event asks at most to close or cancel a buy, and tells nothing else of it."""
    buy = await shown_here(work, group, state_key)
    stands = wire_buy.format_sealed_state(buy, None) if buy else {}
    is_end = event.content.get("status") in (None, "closing", "closed", "cancelled", stands.get("status"))
    moves = event.content.get("closes_at", stands.get("closes_at")) != stands.get("closes_at")
    return buy is not None and is_end and not moves and event.content.keys() <= _IN_SEALED_STATE


async def by_message(work: Work, group_id: GroupId, event: Event, keyed: Keyed) -> bool:
    """Do what a message asks for by a key of ours, or say why not; False where it is by nobody who may ask."""
    if not await may_ask(work.unit, group_id, work.cause.sender):
        return False
    if await work.refuse_clear():
        return True
    group = await work.unit.groups.get(group_id)
    refusal = await _ask_by_message(work, group, event, keyed)
    if refusal is not None:
        await work.refuse(refusal)
    return True


async def _ask_by_message(work: Work, group: Group, event: Event, keyed: Keyed) -> Refusal | None:
    if len(keyed.values) > 1:
        return refuse(Reason.BAD_REQUEST, field="", why="two")
    [(type, value)] = keyed.values.items()
    if type == wire_product.TYPE:
        member = await _asker(work, group, None)
        return member if isinstance(member, Refusal) else await _post(work, group, member, event, value)
    request = parse_buy_request(value)
    if isinstance(request, Refusal):
        return request
    member = await _asker(work, group, request.id)
    return member if isinstance(member, Refusal) else await _ask(work, group, member, request)


async def _post(work: Work, group: Group, member: Member, event: Event, value: object) -> Refusal | None:
    """Take a message in the group's room for the product's card; of one in the desk, the service posts the card."""
    wanted = wire_product.parse_product(value, group.currency)
    if isinstance(wanted, Refusal):
        return wanted
    card = work.cause.event_id if event.room_id == group.room_id else None
    shown = parse_picture(event.content)
    request = products.AddProduct(wanted.name, wanted.price, wanted.link, wanted.sku, picture=shown, card=card)
    return await products.add(work, member, request)


async def _asker(work: Work, group: Group, buy_id: str | None) -> Member | Refusal:
    """Give as which concierge somebody asks: of the group that a buy belongs to, or where there is none, of this."""
    buy = await shown_here(work, group, buy_id)
    member = await work.unit.groups.member(buy.group_id if buy else group.id, work.cause.sender)
    if member is None or member.number is None or member.role < Role.CONCIERGE:
        return refuse(Reason.NOT_ALLOWED)
    owner = await work.unit.groups.get(member.group_id)
    return member if owner.status is GroupStatus.OPEN else refuse(Reason.GROUP_CLOSING)


async def _ask(work: Work, group: Group, member: Member, request: BuyRequest) -> Refusal | None:
    buy = await shown_here(work, group, request.id)
    if buy is None:
        return await _open(work, member, request)
    product = await work.unit.products.get(buy.product_id)
    if not _names(request, product):
        return refuse(Reason.BAD_REQUEST, field="product", why="fixed")
    before = await opened_by_now(work, await work.unit.buys.lock(buy.id))
    at = work.cause.received_at
    steps = _mismatch(request, product, at) or _steps(before, request, at, member)
    if isinstance(steps, Refusal):
        return steps
    if before.status.is_cleared:
        for step in steps:
            refusal = await _carry_on(work, before, step, member.number)
            if refusal is not None:
                return refusal
    elif steps:
        return await _change(work, before, steps, member.number)
    return None


async def _open(work: Work, member: Member, request: BuyRequest) -> Refusal | None:
    if request.id is not None and not await _is_fresh(work, request.id):
        return refuse(Reason.BAD_BUY_ID)
    there = {"product": request.product_id or request.sku, "tiers": request.terms.get("tiers"),
             "closes_at": request.terms.get("deadline_at")}  # fmt: skip
    for field, value in there.items():
        if value is None:
            return refuse(Reason.BAD_REQUEST, field=field, why="missing")
    if request.status not in _BEGINNINGS:
        return refuse(Reason.BAD_REQUEST, field="status", why="wrong")
    known = await work.unit.products.of_group(member.group_id)
    product = next((product for product in known if _names(request, product)), None)
    if product is None:
        return refuse(Reason.NO_PRODUCT, product=request.sku or request.product_id)
    mismatch = _mismatch(request, product, work.cause.received_at)
    if mismatch is not None:
        return mismatch
    buy_id = BuyId(request.id) if request.id else None
    opened = await open_buy(work, member, product, Terms(product.currency, **request.terms), buy_id)
    return opened if isinstance(opened, Refusal) else None


async def _is_fresh(work: Work, buy_id: str) -> bool:
    """Tell whether a new buy may have an id: six characters that people do not mistake, and no buy has had it."""
    is_one = len(buy_id) == _ID_LENGTH and set(buy_id) <= set(ALPHABET)
    return is_one and await work.unit.buys.find(buy_id) is None


def _names(request: BuyRequest, product: Product) -> bool:
    return request.product_id in (None, product.id) and request.sku in (None, product.sku)


def _mismatch(request: BuyRequest, product: Product, at: int) -> Refusal | None:
    """Say where the amounts are meant in another currency than the product's, or the times are years ahead."""
    if request.currency not in (None, product.currency):
        return refuse(Reason.BAD_REQUEST, field="priceCurrency", why="wrong")
    if request.exponent not in (None, exponent(product.currency)):
        return refuse(Reason.BAD_REQUEST, field="exponent", why="wrong")
    times = (request.terms.get("deadline_at"), request.terms.get("opens_at"))
    return refuse(Reason.BAD_DEADLINE, why="far") if any(time and time > at + LONGEST_MS for time in times) else None


def _steps(buy: GroupBuy, request: BuyRequest, at: int, member: Member) -> Sequence[Request] | Refusal:
    """Give what is to be asked of a buy so that it comes to be as somebody wants it; nothing where it is already."""
    wanted = replace(buy.terms, **request.terms)
    moved = replace(buy.terms, deadline_at=wanted.deadline_at)
    stands = (buy.status, Status.SUCCEEDED) if buy.status.is_cleared else (buy.status,)
    if request.status in _ENDS and request.status not in stands:
        if wanted not in (buy.terms, moved):
            return refuse(Reason.BAD_REQUEST, field="", why="two")
        return _end(request, at, member)
    if request.status in (Status.OPEN, Status.SCHEDULED) and not (buy.status.is_planned or buy.status is Status.OPEN):
        return refuse(Reason.WRONG_STEP, status=buy.status, to=Status.OPEN, allowed=())
    if request.status not in (*_BEGINNINGS, *stands):
        return refuse(Reason.BAD_REQUEST, field="status", why="wrong")
    if buy.status.is_planned:
        return [Improve(wanted, at)] if wanted != buy.terms else []
    improved = replace(wanted, deadline_at=buy.terms.deadline_at)
    steps: list[Request] = [Improve(improved, at)] if improved != buy.terms else []
    if wanted.deadline_at > buy.terms.deadline_at:
        steps.append(Extend(wanted.deadline_at, at))
    elif wanted.deadline_at < buy.terms.deadline_at:
        steps.append(Shorten(wanted.deadline_at, at))
    return steps


def _end(request: BuyRequest, at: int, member: Member) -> Sequence[Request] | Refusal:
    number = Number(member.number or 0)
    match request.status:
        case Status.CLOSING:
            return [Close(at + 1)]  # as for !buy close: what came in the same transaction still counts
        case Status.CANCELLED:
            missing = refuse(Reason.BAD_REQUEST, field="reason", why="missing")
            return [Cancel(request.reason, number)] if request.reason else missing
        case status:
            return [Advance(status or Status.DONE, number, request.reason)]


async def _change(work: Work, before: GroupBuy, steps: Sequence[Request], actor: Number | None) -> Refusal | None:
    """Decide all of the steps, one after another; where one is refused, none is taken."""
    facts: list[group_buy.Fact] = []
    after = before
    for step in steps:
        outcome = group_buy.decide(after, step)
        if isinstance(outcome, Refusal):
            return outcome
        dear = await too_dear(work, after, step)
        if dear is not None:
            return dear
        for fact in outcome:
            after = group_buy.evolve(after, fact)
        facts += outcome
    await record(work, before, facts, actor)
    await work.owe(*acknowledge(work.cause))
    return None


async def _carry_on(work: Work, buy: GroupBuy, step: Request, actor: Number | None) -> Refusal | None:
    """Take a step with a buy that has succeeded, and has orders."""
    if not isinstance(step, Advance | Cancel):
        return refuse(Reason.NOT_OPEN)
    refusal = await orders.carry_out(work, buy.id, step, actor)
    if refusal is None:
        await work.owe(*acknowledge(work.cause))
    return refusal


async def _tell_why(work: Work, group: Group, state_key: str, why: str) -> None:
    """Tell the desk why a state event was put back; the same of one person not twice in ten minutes, and not without
    end."""
    who = await somebody(work, group, work.cause.sender)
    now, subject = work.unit.now, f"requests {group.id} {who.number}"
    what = hashlib.sha256(f"{state_key} {why}".encode()).hexdigest()[:16]
    if not await work.unit.told.again(subject, what, now, _TOLD_AGAIN_MS):
        return
    if await work.unit.told.count(subject, now - HOUR_MS) <= _MOST_TOLD:
        await tell_desk(work, group, say.request_refused(who.name, why))
