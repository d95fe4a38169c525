"""The outbox: effects are carried out lane by lane, tried again with back-off, at least once."""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from appservice.clock import Clock
from appservice.domain.effect import (
    CreateRoom,
    Effect,
    Inspect,
    Invite,
    Join,
    ReadBack,
    ReadEvent,
    Redact,
    SendChart,
    SendEvent,
    SendFile,
    Unlist,
)
from appservice.matrix.homeserver import DirectRoomLost, HomeserverError
from appservice.routes import ANSWER, DIRECT_LOST
from appservice.store.db import is_transient
from appservice.store.inbox import MOST_ATTEMPTS, NewArrival
from appservice.store.outbox import Owed
from appservice.store.rooms import RoomKind
from appservice.store.unit import Store, Unit
from appservice.wire import reaction
from appservice.workers.lanes import Lanes

log = logging.getLogger("coterie.outbox")

LONGEST_WAIT_MS = 300_000
_REMOTE_ATTEMPTS = 6
"""How often an invitation or a join is tried while another server fails; then whoever asked is told."""
_KNOCKS = 4
"""How often it is tried to enter a room that does not let the bot in."""

_SILENT_ATTEMPTS = 12
"""The same where nothing was answered at all, which our own homeserver's restart explains as well: half an hour."""
_LOST_ATTEMPTS = 20
"""How often something is tried in a person's direct rooms that is refused there; then it is a fault like any other."""
_ANSWERED = (CreateRoom, Invite, Join, ReadEvent, ReadBack, Inspect, Unlist, SendChart, SendFile)
"""What may well be refused: whoever asked is told. Any other refusal is a fault, set aside for the operator."""

Perform = Callable[[Effect, str], Awaitable[dict[str, Any]]]


def outbox_lanes(
    store: Store,
    clock: Clock,
    perform: Perform,
    answered: Callable[[], None],
    width: int = 8,
    *,
    doors: bool | None = None,
) -> Lanes:
    """Give the worker of the outbox; `answered` is called when an answer has come in.

    With `doors`, of joins and invitations only, for which other servers are asked and may be slow; with False, of all
    else. Two workers, so that a server which hangs holds up nobody here.
    """

    async def due_lanes(now: int, limit: int) -> list[str]:
        async with store.look() as unit:
            return await unit.outbox.due_lanes(now, limit, doors=doors)

    async def next_due() -> int | None:
        async with store.look() as unit:
            return await unit.outbox.next_due_at()

    async def work(lane: str) -> None:
        if await send_head(store, clock, perform, lane):
            answered()

    return Lanes("outbox", clock, due_lanes, next_due, work, width)


async def send_head(store: Store, clock: Clock, perform: Perform, lane: str) -> bool:
    """Carry out the first effect of a lane, if it is due; tells whether its answer has come in as an arrival."""
    async with store.look() as unit:
        owed = await unit.outbox.head(lane, unit.now)
    if owed is None:
        return False
    try:
        return await _done(store, owed, await perform(owed.effect, owed.id))
    except HomeserverError as error:
        return await _failed(store, clock, owed, error)
    except Exception as error:
        if is_transient(error):
            raise
        log.debug("effect e%d", owed.seq, exc_info=error)
        return await _failed(store, clock, owed, _fault(owed, error))


def _fault(owed: Owed, error: Exception) -> HomeserverError:
    """Give what was not foreseen as an error that is tried again, and in the end refused: its lane has to go on."""
    status = 0 if owed.attempts + 1 < MOST_ATTEMPTS else 400
    return HomeserverError(status, "UNFORESEEN", f"{type(error).__name__}: {error}")


async def _done(store: Store, owed: Owed, outcome: dict[str, Any]) -> bool:
    answer = getattr(owed.effect, "answer", None)
    async with store.unit() as unit:
        if not await unit.outbox.finish(owed) or answer is None:
            return False
        content = outcome | {"subject": getattr(owed.effect, "subject", ""), "effect": _brief(owed.effect)}
        lane = str(outcome.get("room_id", owed.lane))
        arrival = NewArrival(f"answer {owed.id}", lane, ANSWER + answer, json.dumps(content))
        await unit.inbox.journal([arrival], unit.now)
        return True


async def _failed(store: Store, clock: Clock, owed: Owed, error: HomeserverError) -> bool:
    if _may_succeed(owed, error) and not _is_hopeless(owed, error):
        wait_ms = error.retry_after_ms or min(1000 * 2**owed.attempts, LONGEST_WAIT_MS)
        async with store.unit() as unit:
            await unit.outbox.postpone(owed, clock.now() + wait_ms, str(error))
        log.warning("effect e%d (%s) waits %d ms: %s", owed.seq, _kind(owed), wait_ms, error.errcode)
        return False
    if isinstance(owed.effect, _ANSWERED) and owed.effect.answer is not None:
        log.warning("effect e%d (%s) was refused: %s", owed.seq, _kind(owed), error.errcode)
        return await _done(store, owed, {"error": "UNREACHABLE" if error.status >= 500 else error.errcode})
    if isinstance(error, DirectRoomLost) and owed.attempts < _LOST_ATTEMPTS:
        return await _wait_for_another(store, clock, owed, error)
    said = owed.effect
    if isinstance(said, SendEvent | Redact) and error.status in (403, 404) and await _is_let_go(store, owed, said):
        return True
    async with store.unit() as unit:
        await unit.outbox.park(owed, str(error))
    log.error("effect e%d (%s) was refused, parked: see coterie parked (%s)", owed.seq, _kind(owed), error.errcode)
    return False


async def _wait_for_another(store: Store, clock: Clock, owed: Owed, error: DirectRoomLost) -> bool:
    """Keep what the bot may not say in a person's direct room until they have another."""
    async with store.unit() as unit:
        await unit.outbox.postpone(owed, clock.now() + min(1000 * 2**owed.attempts, LONGEST_WAIT_MS), str(error))
        await _lose_direct(unit, owed, error.user_id, error.room_id)
    return True


async def _is_let_go(store: Store, owed: Owed, said: SendEvent | Redact) -> bool:
    """Let go what is refused in a direct room, and a sign in a room that is none of ours any more. Where the bot may
    not even speak, the room is lost; that it may not remove what its person wrote is no reason to leave."""
    is_sign = isinstance(said, SendEvent) and said.type == reaction.TYPE
    async with store.unit() as unit:
        room = await unit.rooms.get(said.room_id)
        if not is_sign if room is None else room.kind is not RoomKind.DIRECT:
            return False
        await unit.outbox.finish(owed)
        if room is not None and isinstance(said, SendEvent):
            await _lose_direct(unit, owed, room.subject, room.room_id)
        return True


async def _lose_direct(unit: Unit, owed: Owed, user_id: str, room_id: str) -> None:
    content = json.dumps({"subject": user_id, "room_id": room_id})
    arrival = NewArrival(f"lost {owed.id} {owed.attempts}", room_id, ANSWER + DIRECT_LOST, content)
    await unit.inbox.journal([arrival], unit.now)


def _may_succeed(owed: Owed, error: HomeserverError) -> bool:
    """Tell whether trying again can help; a remote invitation may be there before it can be accepted (403)."""
    enters = isinstance(owed.effect, Join) or (isinstance(owed.effect, Inspect) and owed.effect.join)
    return error.is_temporary or (enters and error.status == 403)


def _is_hopeless(owed: Owed, error: HomeserverError) -> bool:
    """Tell whether another server has failed us often enough; our own may take for ever."""
    most = {0: _SILENT_ATTEMPTS, 403: _KNOCKS}.get(error.status, _REMOTE_ATTEMPTS)
    ours = error.status in (401, 408, 425, 429)
    return isinstance(owed.effect, _ANSWERED) and not ours and owed.attempts + 1 >= most


def _brief(effect: Effect) -> dict[str, Any]:
    """Give what identifies the effect, without contents."""
    return {name: value for name, value in asdict(effect).items() if name in ("room_id", "user_id", "event_id")}


def _kind(owed: Owed) -> str:
    return type(owed.effect).__name__
