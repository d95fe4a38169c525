"""What is written down at all: the journal keeps no chatter."""

from collections.abc import Collection

from appservice.actions import asking, helping, proposing, vouching
from appservice.actions.guarding import can_redact
from appservice.actions.requests import may_ask
from appservice.config import Config
from appservice.domain.guarding import ENCRYPTION
from appservice.domain.ids import UserId
from appservice.domain.recommendation import LIKES
from appservice.present.words.questions import ASK, DONE, TAKE
from appservice.routes.arrivals import POLICY, ROUTES
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Unit
from appservice.wire import encrypted, membership, message, reaction, redaction, started
from appservice.wire.event import Event
from appservice.wire.keyed import parse_keyed
from appservice.wire.message import Message, parse_message
from appservice.wire.pledge import is_pledge_button, looks_like_pledge
from appservice.wire.reaction import Reaction, parse_reaction
from appservice.wire.remark import parse_remark


async def wanted(unit: Unit, config: Config, events: list[Event]) -> set[str]:
    """Give the ids of the events that are to be journaled; the rest is chatter, and is never written anywhere."""
    found: set[str] = set()
    rooms: dict[str, Room | None] = {}
    for event in events:
        if event.type == started.TYPE:
            found |= {event.event_id} if event.sender == config.bot_mxid else set()
            continue
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
    if event.type in POLICY:
        return room.kind.is_of_group or event.type == ENCRYPTION
    match event.type:
        case encrypted.TYPE:
            return bool(event.content) and event.state_key is None
        case message.TYPE:
            is_keyed = room.kind.is_of_group and parse_keyed(event.content) is not None
            if is_keyed and await may_ask(unit, room.subject, event.sender):
                return True
            if room.kind is RoomKind.HELP:
                return await helping.concerns(unit, room, event, before)
            typed = parse_message(event.content)
            if typed is None:
                says = room.kind is not RoomKind.DESK and _says_something(event)
                return says and (room.kind is RoomKind.DIRECT or await _asks(unit, config, room, event, before))
            if typed.edits is not None:
                known = typed.edits in before or bool(await unit.inbox.known([typed.edits]))
                marked = bool(await unit.questions.roles(typed.edits))  # ❓ on chatter: that came unjournaled
                return known or marked or typed.body.startswith("!")
            if room.kind is RoomKind.DIRECT or await _is_addressed(unit, typed):
                return True
            return room.kind is RoomKind.GROUP and await _asks(unit, config, room, event, before)
        case reaction.TYPE:
            reacted = parse_reaction(event.content)
            if room.kind is RoomKind.HELP:
                return reacted is not None and reacted.key == DONE
            if reacted is not None and await _is_about_question(unit, room, event.sender, reacted, before):
                return True
            if reacted is not None and reacted.key in LIKES:
                return await _is_card(unit, reacted.event_id)
            if reacted is not None and room.kind is RoomKind.DIRECT and reacted.key == proposing.YES:
                is_known = await unit.proposals.by_event(reacted.event_id) is not None
                return is_known or await unit.proposals.is_sending_to(event.sender)
            decides = reacted is not None and room.kind is RoomKind.DESK and reacted.key in (vouching.YES, vouching.NO)
            return decides or (reacted is not None and is_pledge_button(reacted.key))
        case redaction.TYPE:
            redacts = event.redacts
            if redacts is None:
                return False
            known = redacts in before or bool(await unit.inbox.known([redacts]))
            if known or await unit.buys.card_by_event(redacts) is not None:
                return True
            if await unit.questions.roles(redacts):
                return True
            if await unit.recommendations.by_event(redacts) is not None:
                return True
            if room.kind is RoomKind.DESK and await unit.vouches.by_event(redacts) is not None:
                return True
            return room.kind.is_of_group and await can_redact(unit, config, room.subject, event.sender)
        case _:
            return True


async def _asks(unit: Unit, config: Config, room: Room, event: Event, before: Collection[str]) -> bool:
    """Tell whether something said in a group has to do with a question."""
    remark = parse_remark(event.content)
    return remark is not None and await asking.concerns(unit, config, room, event.sender, remark, before)


async def _is_about_question(
    unit: Unit, room: Room, sender: UserId, reacted: Reaction, before: Collection[str]
) -> bool:
    return reacted.key in (TAKE, DONE, ASK) and await asking.may_react(
        unit, room, sender, reacted.key, reacted.event_id, before
    )


def _says_something(event: Event) -> bool:
    """Tell whether a picture or the like is a new message of a person."""
    remark = parse_remark(event.content)
    return remark is not None and not remark.is_notice and remark.edits is None


async def _is_card(unit: Unit, event_id: str) -> bool:
    return await unit.buys.shown_by(event_id) is not None or await unit.products.by_event(event_id) is not None


async def _is_addressed(unit: Unit, typed: Message) -> bool:
    if typed.body.startswith("!"):
        return True
    if typed.reply_to is None:
        return False
    buy_id = await unit.buys.shown_by(typed.reply_to)
    variants = (await unit.buys.get(buy_id)).terms.variants if buy_id else ()
    return looks_like_pledge(typed.body, variants)
