"""The map: what arrives → how it is read → which use case acts on it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from appservice.actions import buys, directs, groups, pledges, products
from appservice.actions.work import Work
from appservice.commands import table
from appservice.commands.buys import buy_of_card, find_buy
from appservice.commands.command import Call
from appservice.config import Config
from appservice.domain.cause import Cause, Place, Way
from appservice.domain.group_buy import Add, GroupBuy
from appservice.domain.ids import BuyId, EventId, GroupId, ProductId, RoomId, UserId
from appservice.domain.member import Presence
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.matrix.intake import MALFORMED
from appservice.store.inbox import KEPT_MS, Arrival
from appservice.store.rooms import Room, RoomKind
from appservice.store.timers import Timer
from appservice.store.unit import Unit
from appservice.wire import group_buy as wire_buy
from appservice.wire import membership, message, reaction, redaction
from appservice.wire.content import integer_at
from appservice.wire.event import Event, parse_event
from appservice.wire.membership import Membership, parse_membership
from appservice.wire.message import Message, parse_message, parse_picture
from appservice.wire.pledge import is_pledge_button, looks_like_pledge, parse_more
from appservice.wire.reaction import parse_reaction

ANSWER = "coterie.answer."
_PLACES = {RoomKind.GROUP: Place.GROUP, RoomKind.DESK: Place.DESK, RoomKind.DIRECT: Place.DIRECT}
_WAYS = {message.TYPE: Way.MESSAGE, reaction.TYPE: Way.REACTION, redaction.TYPE: Way.REDACTION}


class Malformed(Exception):
    """What arrived cannot be read at all; it is parked for the operator."""


# What is written down


async def wanted(unit: Unit, config: Config, events: list[Event]) -> set[str]:
    """Give the ids of the events that are to be journaled; the rest is chatter, and is never written anywhere."""
    found: set[str] = set()
    rooms: dict[str, Room | None] = {}
    for event in events:
        if event.type not in ROUTES or (event.sender == config.bot_mxid and event.type != membership.TYPE):
            continue
        if event.room_id not in rooms:
            rooms[event.room_id] = await unit.rooms.get(event.room_id)
        if await _is_wanted(unit, config, event, rooms[event.room_id], found):
            found.add(event.event_id)
    return found


async def _is_wanted(unit: Unit, config: Config, event: Event, room: Room | None, before: set[str]) -> bool:
    if event.type == membership.TYPE:
        return room is not None or event.state_key == config.bot_mxid
    if room is None:
        return False
    match event.type:
        case message.TYPE:
            typed = parse_message(event.content)
            if typed is None:
                return False
            if typed.edits is not None:
                known = typed.edits in before or bool(await unit.inbox.known([typed.edits]))
                return known or typed.body.startswith("!")
            return room.kind is RoomKind.DIRECT or _is_addressed(typed)
        case reaction.TYPE:
            reacted = parse_reaction(event.content)
            return reacted is not None and is_pledge_button(reacted.key)
        case redaction.TYPE:
            redacts = event.redacts
            if redacts is None:
                return False
            known = redacts in before or bool(await unit.inbox.known([redacts]))
            return known or await unit.buys.card_by_event(redacts) is not None
        case _:
            return True


def _is_addressed(typed: Message) -> bool:
    return typed.body.startswith("!") or (typed.reply_to is not None and looks_like_pledge(typed.body))


# What is acted on


async def handle(unit: Unit, config: Config, arrival: Arrival) -> None:
    """Act on one arrival inside a unit."""
    if arrival.type.startswith(ANSWER):
        work = Work(unit, config, Cause(arrival.id, arrival.received_at, arrival.seq))
        await ANSWERS[arrival.type.removeprefix(ANSWER)](work, arrival.content)
        return
    event = parse_event(arrival.content)
    if event is None or arrival.type == MALFORMED:
        raise Malformed("this is not an event")
    room = await unit.rooms.get(event.room_id)
    place = _PLACES[room.kind] if room else Place.DIRECT
    way = _WAYS.get(event.type, Way.OTHER)
    cause = Cause(arrival.id, arrival.received_at, arrival.seq, event.sender, event.room_id, place, way)
    await ROUTES[event.type](Work(unit, config, cause), event, room)


async def fire(unit: Unit, config: Config, timer: Timer) -> None:
    """Act on one due timer inside a unit."""
    cause = Cause(f"timer {timer.kind} {timer.subject} {timer.due_at}", unit.now)
    await TIMERS[timer.kind](Work(unit, config, cause), timer.subject)


async def _on_message(work: Work, event: Event, room: Room | None) -> None:
    typed = parse_message(event.content)
    if typed is None or room is None:
        return
    if typed.edits is not None:
        await pledges.edited(work, typed.edits)
    elif typed.body.startswith("!") and typed.body[1:2].isalpha():
        name, *rest = typed.body[1:].split(None, 1)
        await table.run(work, name, _call(work, room, "".join(rest).strip(), typed))
    else:
        await _on_words(work, room, typed)


async def _on_words(work: Work, room: Room, typed: Message) -> None:
    """Read what is no command: a pledge by reply to a card, or a pledge by direct message."""
    is_pledge = looks_like_pledge(typed.body)
    buy = await buy_of_card(work, typed.reply_to) if is_pledge else None
    if buy is not None:
        await _pledge_more(work, buy, typed.body)
    elif room.kind is RoomKind.DIRECT:
        if not is_pledge:
            await work.refuse(refuse(Reason.NOT_UNDERSTOOD))
            return
        found = await find_buy(work, _call(work, room, "", typed), typed.body.split(), typed.body)
        if isinstance(found, Refusal):
            await work.refuse(found)
        else:
            buy, _, words = found
            await _pledge_more(work, buy, " ".join(words))


async def _on_reaction(work: Work, event: Event, room: Room | None) -> None:
    reacted = parse_reaction(event.content)
    buy = await buy_of_card(work, reacted.event_id) if reacted and is_pledge_button(reacted.key) else None
    if reacted is not None and buy is not None:
        await _pledge_more(work, buy, reacted.key)


async def _pledge_more(work: Work, buy: GroupBuy, text: str) -> None:
    member = await work.unit.groups.member(buy.group_id, work.cause.sender)
    if member is None or member.presence is not Presence.JOINED or member.number is None:
        await work.refuse(refuse(Reason.NOT_A_MEMBER))
        return
    more = parse_more(text)
    if isinstance(more, Refusal):
        await work.refuse(more)
        return
    cause = work.cause
    await pledges.pledge(work, buy.id, Add(member.number, more.units, cause.id, cause.position, cause.received_at))


async def _on_redaction(work: Work, event: Event, room: Room | None) -> None:
    if event.redacts is not None and not await buys.card_removed(work, event.redacts):
        await pledges.taken_back(work, event.redacts)


async def _on_membership(work: Work, event: Event, room: Room | None) -> None:
    change = parse_membership(event)
    if change is None:
        return
    if change.user_id == work.config.bot_mxid:
        await _on_own_membership(work, event.room_id, change, room)
    elif room is not None and room.kind is RoomKind.GROUP:
        await _on_group_membership(work, GroupId(room.subject), change)
    elif room is not None and room.kind is RoomKind.DIRECT:
        await _on_direct_membership(work, event.room_id, UserId(room.subject), change)


async def _on_own_membership(work: Work, room_id: RoomId, change: Membership, room: Room | None) -> None:
    if change.membership == "invite" and room is None:
        if change.is_direct:
            await directs.accept(work, room_id, change.sender)
        else:
            await directs.decline(work, room_id)
    elif change.membership in ("leave", "ban") and room is not None and room.kind is RoomKind.DIRECT:
        await directs.person_left(work, UserId(room.subject), room_id)


async def _on_group_membership(work: Work, group_id: GroupId, change: Membership) -> None:
    if change.membership == "join":
        await groups.joined(work, group_id, change.user_id)
    elif change.membership in ("leave", "ban"):
        await groups.left(work, group_id, change.user_id)


async def _on_direct_membership(work: Work, room_id: RoomId, person: UserId, change: Membership) -> None:
    if change.user_id != person:
        if change.membership in ("join", "invite"):
            await directs.person_left(work, person, room_id)
    elif change.membership == "join":
        await directs.person_joined(work, person, room_id)
    elif change.membership in ("leave", "ban"):
        await directs.person_left(work, person, room_id)


async def _on_buy_state(work: Work, event: Event, room: Room | None) -> None:
    if event.state_key is not None and room is not None and room.kind is RoomKind.GROUP:
        await buys.restore_state(work, event.state_key)


def _call(work: Work, room: Room, rest: str, typed: Message) -> Call:
    group_id = None if room.kind is RoomKind.DIRECT else GroupId(room.subject)
    return Call(work.cause.place, rest, typed.reply_to, group_id)


# What comes back from the homeserver


Answer = Mapping[str, Any]


async def _on_group_room(work: Work, answer: Answer) -> None:
    await _on_room(work, answer, RoomKind.GROUP)


async def _on_desk_room(work: Work, answer: Answer) -> None:
    await _on_room(work, answer, RoomKind.DESK)


async def _on_room(work: Work, answer: Answer, kind: RoomKind) -> None:
    group_id = GroupId(answer["subject"])
    if "error" in answer:
        await groups.room_refused(work, group_id, answer["error"])
    else:
        await groups.room_made(work, group_id, RoomId(answer["room_id"]), kind)


async def _on_direct_room(work: Work, answer: Answer) -> None:
    if "error" in answer:
        await directs.not_made(work, UserId(answer["subject"]), None)
    else:
        await directs.made(work, UserId(answer["subject"]), RoomId(answer["room_id"]))


async def _on_direct_invited(work: Work, answer: Answer) -> None:
    if "error" in answer:
        await directs.not_made(work, UserId(answer["subject"]), RoomId(answer["effect"]["room_id"]))


async def _on_direct_joined(work: Work, answer: Answer) -> None:
    room_id = RoomId(answer["effect"]["room_id"])
    if "error" in answer or answer["said"] is None:
        await directs.not_joined(work, room_id)
    else:
        since = work.unit.now - KEPT_MS // 2
        said = [raw for raw in answer["said"] if _is_to_be_heard(raw, since)]
        await directs.joined(work, UserId(answer["subject"]), room_id, said)


def _is_to_be_heard(raw: object, since: int) -> bool:
    """Tell whether an event that did not pass the intake is one to act on. What is older than the journal remembers
    would be acted on a second time in a room that is used again."""
    event, sent_at = parse_event(raw), integer_at(raw, "origin_server_ts")
    return event is not None and event.type in ROUTES and sent_at is not None and sent_at > since


async def _on_invited(work: Work, answer: Answer) -> None:
    if "error" in answer:
        group_id, room_id = GroupId(answer["subject"]), RoomId(answer["effect"]["room_id"])
        user_id = UserId(answer["effect"]["user_id"])
        await groups.invitation_failed(work, group_id, room_id, user_id, answer["error"])


async def _on_card(work: Work, answer: Answer) -> None:
    await buys.card_sent(work, BuyId(answer["subject"]), RoomId(answer["room_id"]), EventId(answer["event_id"]))


async def _on_product_card(work: Work, answer: Answer) -> None:
    await products.shown(work, ProductId(answer["subject"]), EventId(answer["event_id"]))


async def _on_picture(work: Work, answer: Answer) -> None:
    picture = None if "error" in answer else parse_picture(answer["event"].get("content"))
    await products.picture_read(work, answer["subject"], picture)


# What is due


async def _on_deadline(work: Work, subject: str) -> None:
    await buys.settle(work, BuyId(subject))


async def _on_hour(work: Work, subject: str) -> None:
    await buys.announce_last_hour(work, BuyId(subject))


async def _on_card_due(work: Work, subject: str) -> None:
    await buys.refresh_card(work, BuyId(subject))


async def _on_state_due(work: Work, subject: str) -> None:
    await buys.forget_state(work, BuyId(subject))


async def _on_invitation_due(work: Work, subject: str) -> None:
    group_id, _, user_id = subject.partition(" ")
    await groups.invitation_expired(work, GroupId(group_id), UserId(user_id))


PRUNE = "prune"
PRUNE_EVERY_MS = 6 * 3_600_000


async def _on_prune(work: Work, subject: str) -> None:
    await work.unit.inbox.prune(work.unit.now)
    await work.unit.outbox.prune(work.unit.now)
    await work.unit.timers.set(PRUNE, subject, work.unit.now + PRUNE_EVERY_MS)


ROUTES: Mapping[str, Callable[[Work, Event, Room | None], Awaitable[None]]] = {
    message.TYPE: _on_message,
    reaction.TYPE: _on_reaction,
    redaction.TYPE: _on_redaction,
    membership.TYPE: _on_membership,
    wire_buy.TYPE: _on_buy_state,
}
ANSWERS: Mapping[str, Callable[[Work, Answer], Awaitable[None]]] = {
    "group_room": _on_group_room,
    "desk_room": _on_desk_room,
    "direct_room": _on_direct_room,
    "direct_invited": _on_direct_invited,
    "direct_joined": _on_direct_joined,
    "invited": _on_invited,
    "card": _on_card,
    "product_card": _on_product_card,
    "picture": _on_picture,
}
TIMERS: Mapping[str, Callable[[Work, str], Awaitable[None]]] = {
    "deadline": _on_deadline,
    "hour": _on_hour,
    "card": _on_card_due,
    "state": _on_state_due,
    "invitation": _on_invitation_due,
    PRUNE: _on_prune,
}
