"""The map: what arrives → how it is read → which use case acts on it.

`wanted` says what is written down; `arrivals`, `answers` and `dues` have one table each.
"""

from appservice.actions import reports
from appservice.actions.work import Work
from appservice.config import Config
from appservice.domain.cause import Cause, Place, Way
from appservice.matrix.intake import MALFORMED
from appservice.payment import report
from appservice.routes.answers import ANSWERS
from appservice.routes.arrivals import ROUTES
from appservice.routes.dues import PRUNE, PRUNE_EVERY_MS, TIMERS
from appservice.routes.opening import opened
from appservice.routes.wanted import wanted
from appservice.store.inbox import Arrival
from appservice.store.rooms import RoomKind
from appservice.store.timers import Timer
from appservice.store.unit import Unit, fresh_id
from appservice.wire import message, pledge_event, reaction, redaction
from appservice.wire.event import parse_event
from appservice.wire.remark import thread_of

__all__ = [
    "ANSWER", "ANSWERS", "DIRECT_LOST", "PRUNE", "PRUNE_EVERY_MS", "ROUTES", "TIMERS", "Malformed", "fire",
    "handle", "opened", "wanted",
]  # fmt: skip

ANSWER = "coterie.answer."
DIRECT_LOST = "direct_lost"
"""The answer to whatever could not be said in a person's direct room, as the bot may not speak there."""
_PLACES = {
    RoomKind.GROUP: Place.GROUP, RoomKind.DESK: Place.DESK, RoomKind.DIRECT: Place.DIRECT, RoomKind.HELP: Place.HELP,
}  # fmt: skip
_WAYS = {
    message.TYPE: Way.MESSAGE,
    pledge_event.TYPE: Way.MESSAGE,
    reaction.TYPE: Way.REACTION,
    redaction.TYPE: Way.REDACTION,
}


class Malformed(Exception):
    """What arrived cannot be read at all; it is parked for the operator."""


async def handle(unit: Unit, config: Config, arrival: Arrival) -> None:
    """Act on one arrival inside a unit."""
    if arrival.type == report.TYPE:
        work = Work(unit, config, Cause(arrival.id, arrival.received_at, arrival.seq))
        await reports.heard(work, report.from_json(arrival.content))
        return
    if arrival.type.startswith(ANSWER):
        work = Work(unit, config, Cause(arrival.id, arrival.received_at, arrival.seq))
        await ANSWERS[arrival.type.removeprefix(ANSWER)](work, arrival.content)
        return
    event = parse_event(arrival.content, was_encrypted=arrival.was_encrypted)
    if event is None or arrival.type == MALFORMED:
        raise Malformed("this is not an event")
    if event.was_encrypted and event.event_id not in await wanted(unit, config, [event]):
        await unit.inbox.forget(arrival.seq)
        return
    room = await unit.rooms.get(event.room_id)
    place = _PLACES[room.kind] if room else Place.DIRECT
    way = _WAYS.get(event.type, Way.OTHER)
    is_encrypted = room is not None and room.encryption is not None
    in_clear = way is Way.MESSAGE and is_encrypted and not event.was_encrypted
    thread = thread_of(event.content) if way is Way.MESSAGE else None
    cause = Cause(
        arrival.id, arrival.received_at, arrival.seq, event.sender, event.room_id, place, way, in_clear, thread,
        event.sent_at,
    )  # fmt: skip
    await ROUTES[event.type](Work(unit, config, cause), event, room)


async def fire(unit: Unit, config: Config, timer: Timer) -> None:
    """Act on one due timer inside a unit."""
    # A subject may name a person, which the ledger must not; and the same timer may be due twice in a millisecond.
    cause = Cause(f"timer {timer.kind} {fresh_id(12)}", unit.now)
    await TIMERS[timer.kind](Work(unit, config, cause), timer.subject)
