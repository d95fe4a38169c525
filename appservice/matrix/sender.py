"""Carries effects out on the homeserver. Each may be carried out again after a crash, and says so to nobody twice."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, assert_never

from appservice.domain.effect import (
    CODE,
    CreateRoom,
    Effect,
    EndCheckout,
    Inspect,
    Invite,
    Join,
    Kick,
    Leave,
    Pin,
    ReadBack,
    ReadEvent,
    Redact,
    SendChart,
    SendEvent,
    SendFile,
    SendPicture,
    SendState,
    Tell,
    TellCode,
    TellFile,
    Unlist,
)
from appservice.domain.guarding import ENCRYPTION, POWER_LEVELS, Rules, beyond, is_encrypted
from appservice.domain.ids import RoomId
from appservice.matrix.chart import draw
from appservice.matrix.crypto.crypto import Crypto
from appservice.matrix.files import Files, NoPicture
from appservice.matrix.homeserver import DirectRoomLost, Homeserver, HomeserverError
from appservice.matrix.rooms import REQUEST, encryption_in
from appservice.wire import encrypted, reaction, started
from appservice.wire.content import at
from appservice.wire.event import Event, parse_event

log = logging.getLogger("coterie.sender")

_PINNED = "m.room.pinned_events"
_RECENT = 20
"""How many events of a direct room are looked at for what was said before the bot came in."""

_IN_CLEAR = (reaction.TYPE, started.TYPE)
"""What is never encrypted: clients show no reaction that is, and what the bot sends to itself tells nothing."""

Outcome = dict[str, Any]
_KEPT_OF_STATE = ("type", "state_key", "sender", "content", "event_id", "origin_server_ts")
_KEPT_OF_MEMBER = ("membership", "displayname")
_STAYS = (400, 403, 404)
"""Answers to a wish to remove an alias that say that it is not to be, or is not there."""

DirectRoomOf = Callable[[str], Awaitable[RoomId | None]]
KnownRooms = Callable[[], Awaitable[set[str]]]
CodeOf = Callable[[str], str]
End = Callable[[str], Awaitable[None]]
Wanted = Callable[[list[Event]], Awaitable[set[str]]]


class Sender:
    """Carries out one effect at a time; what comes back is the answer that re-enters as an arrival."""

    def __init__(
        self,
        homeserver: Homeserver,
        direct_room_of: DirectRoomOf,
        known_rooms: KnownRooms,
        code_of: CodeOf,
        end_checkout: End,
        wanted: Wanted,
        crypto: Crypto,
    ) -> None:
        self._homeserver = homeserver
        self._direct_room_of = direct_room_of
        self._known_rooms = known_rooms
        self._code_of = code_of
        self._end_checkout = end_checkout
        self._wanted = wanted
        self._crypto = crypto
        self._files = Files(homeserver, crypto.is_encrypted)

    async def perform(self, effect: Effect, id: str) -> Outcome:
        """Carry out an effect; `id` is the Matrix transaction id. Raises HomeserverError."""
        hs = self._homeserver
        match effect:
            case SendEvent(room_id, type, content):
                return {"room_id": room_id, "event_id": await self._send(room_id, type, content, id)}
            case Tell(user_id, content):
                event_id = await self._tell(user_id, content, id)
                return {"room_id": await self._direct(user_id), "event_id": event_id}
            case SendFile(room_id, name, mimetype, text):
                content = await self._files.attached(room_id, name, mimetype, text.encode(), name)
                return {"event_id": await self._send(room_id, "m.room.message", content, id)}
            case SendChart(room_id, name, body, chart):
                image = await self._files.shown(room_id, name, await asyncio.to_thread(draw, chart), body)
                return {"event_id": await self._send(room_id, "m.room.message", image, id)}
            case SendPicture(room_id, content):
                return await self._picture(room_id, content, id)
            case TellFile(user_id, name, mimetype, text, body):
                direct_id = await self._direct(user_id)
                content = await self._files.attached(direct_id, name, mimetype, text.encode(), body)
                return {"event_id": await self._tell(user_id, content, id)}
            case TellCode(user_id, code_id, content):
                said = _with_code(content, self._code_of(code_id))
                return {"event_id": await self._tell(user_id, said, id, secret=True)}
            case SendState(room_id, type, state_key, content, reach):
                if reach is not None:
                    content = await self._sparing(room_id, content, reach)
                return {"event_id": await hs.set_state(room_id, type, state_key, content)}
            case Pin(room_id, pinned, unpinned, last):
                return await self._pin(room_id, pinned, set(unpinned), last=last)
            case Redact(room_id, event_id, reason, by):
                if by is None or await self._is_by(room_id, event_id, by):
                    await hs.redact(room_id, event_id, reason, id)
                return {}
            case CreateRoom(request):
                return {"room_id": await self._create(dict(request), id), "encryption": encryption_in(request)}
            case Invite(room_id, user_id, _, _, is_direct):
                return await self._invite(room_id, user_id, is_direct)
            case Kick(room_id, user_id, reason, invited_only):
                if invited_only and not await self._is_invited(room_id, user_id):
                    return {}
                return await self._kick(room_id, user_id, reason)
            case Join(room_id, _, user_id):
                return await self._join(room_id, user_id)
            case Leave(room_id):
                return await self._leave(room_id)
            case ReadEvent(room_id, event_id):
                raw = await hs.event(room_id, event_id) | {"room_id": room_id}
                plain = await self._crypto.plain(raw)
                newest = at(raw, "unsigned", "m.relations", "m.replace")
                if not isinstance(newest, dict) or newest.get("type") != raw["type"]:  # both encrypted, or neither
                    newest = None
                edit = await self._crypto.plain(newest | {"room_id": room_id}) if newest else None
                return {"event": plain, "was_encrypted": plain["type"] != raw["type"], "edit": edit}
            case ReadBack(room_id, since):
                return {"room_id": room_id, "events": await self._missed(room_id, since)}
            case Inspect(room_id, _, _, asked_at, join):
                return await self._inspect(room_id, asked_at, join)
            case Unlist(room_id, aliases):
                return await self._unlist(room_id, aliases)
            case EndCheckout(session_id):
                await self._end_checkout(session_id)
                return {}
            case _:
                assert_never(effect)

    async def _is_by(self, room_id: str, event_id: str, user_id: str) -> bool:
        try:
            event = await self._homeserver.event(room_id, event_id)
        except HomeserverError as error:
            if error.status in (403, 404):
                return False
            raise
        return event.get("sender") == user_id

    async def _direct(self, user_id: str) -> RoomId:
        direct_id = await self._direct_room_of(user_id)
        if direct_id is None:
            raise HomeserverError(0, "NO_DIRECT_ROOM", "the direct room is not there yet")
        return direct_id

    async def _tell(self, user_id: str, content: Any, id: str, *, secret: bool = False) -> str:
        direct_id = await self._direct(user_id)
        try:
            return await self._send(direct_id, "m.room.message", content, id, secret=secret)
        except HomeserverError as error:
            if error.status in (403, 404):
                raise DirectRoomLost(user_id, direct_id, error) from error
            raise

    async def _picture(self, room_id: str, content: Mapping[str, Any], id: str) -> Outcome:
        """Send a picture, or nothing where it cannot be shown; a repeat stores it again, but sends it once."""
        try:
            image = await self._files.pictured(room_id, content)
        except NoPicture as reason:
            log.warning("a picture was left out: %s", reason)
            return {"error": str(reason)}
        return {"event_id": await self._send(room_id, "m.room.message", image, id)}

    async def _send(self, room_id: str, type: str, content: Any, id: str, *, secret: bool = False) -> str:
        if type not in _IN_CLEAR:
            encrypted_content = await self._crypto.encrypt(room_id, type, content)
            if encrypted_content is not None:
                type, content = encrypted.TYPE, encrypted_content
        try:
            return await self._homeserver.send(room_id, type, content, id, secret=secret)
        except HomeserverError as error:
            if error.errcode == "M_DUPLICATE_ANNOTATION":  # the same reaction is there already
                return ""
            raise

    async def _sparing(self, room_id: str, power_levels: Mapping[str, Any], reach: int) -> dict[str, Any]:
        """Give power levels that take nothing from anybody else whom the bot cannot lower."""
        found = beyond(Rules(power_levels, reach=reach), await self._homeserver.state(room_id, POWER_LEVELS))
        spared = {user: level for user, level in found.items() if user != self._homeserver.bot}
        return {**power_levels, "users": {**power_levels["users"], **spared}}

    async def _pin(self, room_id: str, pinned: str | None, unpinned: set[str], *, last: bool) -> Outcome:
        """Read, change and write the pins: concierges pin too."""
        content = await self._homeserver.state(room_id, _PINNED)
        pins = content.get("pinned")  # concierges write it too
        before = [event for event in pins if isinstance(event, str)] if isinstance(pins, list) else []
        rest = [event for event in before if event not in unpinned and event != pinned]
        new = [pinned] if pinned else []
        after = [*rest, *new] if last else [*new, *rest]
        if after != before:
            await self._homeserver.set_state(room_id, _PINNED, "", {"pinned": after})
        return {}

    async def _create(self, request: dict[str, Any], id: str) -> str:
        """Make a room, unless a try before this one did and its answer was lost."""
        known = await self._known_rooms()
        for room_id in await self._homeserver.joined_rooms():
            if room_id not in known:
                created = await self._homeserver.state(room_id, "m.room.create")
                if created.get(REQUEST) == id:
                    return room_id
        creation = {**request.get("creation_content", {}), REQUEST: id}
        return await self._homeserver.create_room(request | {"creation_content": creation})

    async def _invite(self, room_id: str, user_id: str, is_direct: bool) -> Outcome:
        """Invite a person. For a direct room by its membership event: /invite cannot say `is_direct`."""
        try:
            if is_direct:
                content = {"membership": "invite", "is_direct": True}
                await self._homeserver.set_state(room_id, "m.room.member", user_id, content)
            elif await self._homeserver.is_unknown(user_id):
                raise HomeserverError(404, "M_NOT_FOUND", "there is no such account")
            else:
                await self._homeserver.invite(room_id, user_id)
        except HomeserverError as error:
            if error.status == 403 and user_id in await self._homeserver.members(room_id):
                return {"user_id": user_id}
            raise
        return {"user_id": user_id}

    async def _is_invited(self, room_id: str, user_id: str) -> bool:
        standing = await self._homeserver.state(room_id, "m.room.member", user_id)
        return standing.get("membership") == "invite"

    async def _kick(self, room_id: str, user_id: str, reason: str) -> Outcome:
        try:
            await self._homeserver.kick(room_id, user_id, reason)
        except HomeserverError as error:
            if error.status != 403 or user_id in await self._homeserver.members(room_id):
                raise
        await self._crypto.others_read(room_id)
        return {}

    async def _join(self, room_id: str, user_id: str) -> Outcome:
        """Join a direct room, and bring whether it is encrypted and what was said before: the homeserver does not push
        that. A room with more than two people in it is no direct room, and is left at once."""
        await self._homeserver.join(room_id)
        if set(await self._homeserver.members(room_id)) - {self._homeserver.bot, user_id}:
            await self._homeserver.leave(room_id)
            return {"room_id": room_id, "said": None}
        recent = await self._homeserver.recent(room_id, _RECENT)
        said = [event for event in recent if event.get("sender") == user_id and "state_key" not in event]
        encryption = await self._homeserver.state(room_id, ENCRYPTION)
        return {
            "room_id": room_id,
            "encryption": encryption if is_encrypted(encryption) else None,
            "said": [event | {"room_id": room_id} for event in said],
        }

    async def _leave(self, room_id: str) -> Outcome:
        try:
            await self._homeserver.leave(room_id)
        except HomeserverError as error:
            if error.status not in (403, 404):  # it is out already
                raise
        return {}

    async def _missed(self, room_id: str, since: int) -> list[dict[str, Any]]:
        """Give the messages of a room that the service has to know; of the others, nothing may be written down."""
        raw = [event | {"room_id": room_id} for event in await self._homeserver.written_since(room_id, since)]
        parsed = [event for event in map(parse_event, raw) if event is not None and event.state_key is None]
        wanted = await self._wanted(parsed)
        return [event for event in raw if event.get("event_id") in wanted]

    async def _inspect(self, room_id: str, asked_at: int, join: bool) -> Outcome:
        """Bring what our homeserver has of a room; of those who left it, nothing."""
        if join:
            await self._homeserver.join(room_id)
        state = await self._homeserver.whole_state(room_id)
        return {
            "room_id": room_id,
            "state": [_shortened(event) for event in state if not _is_gone(event)],
            "aliases": await self._homeserver.aliases(room_id),
            "listed": await self._homeserver.is_listed(room_id),
            "asked_at": asked_at,
        }

    async def _unlist(self, room_id: str, aliases: Sequence[str]) -> Outcome:
        left = [alias for alias in aliases if not await self._goes(self._homeserver.remove_alias(alias))]
        return {"room_id": room_id, "left": left, "listed": not await self._goes(self._homeserver.unlist(room_id))}

    async def _goes(self, removal: Awaitable[None]) -> bool:
        """Tell whether something is gone now."""
        try:
            await removal
        except HomeserverError as error:
            if error.status not in _STAYS:
                raise
            return error.errcode == "M_NOT_FOUND"
        return True


def _with_code(content: Mapping[str, Any], code: str) -> dict[str, Any]:
    """Put a code where what is said has its place."""
    texts = {key: content[key].replace(CODE, code) for key in ("body", "formatted_body") if key in content}
    return {**content, **texts}


def _is_gone(event: Mapping[str, Any]) -> bool:
    """Tell whether an event says that somebody has left; those may be many times those who are there."""
    return event.get("type") == "m.room.member" and event["content"].get("membership") == "leave"


def _shortened(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is asked of a state event; of a member only where they stand and what they are called."""
    short = {key: event[key] for key in _KEPT_OF_STATE if key in event}
    removal = (event.get("unsigned") or {}).get("redacted_because")
    if isinstance(removal, dict):
        short["redacted_by"] = removal.get("sender")
    if event.get("type") == "m.room.member":
        content = event["content"]
        short["content"] = {key: content[key] for key in _KEPT_OF_MEMBER if key in content}
    return short
