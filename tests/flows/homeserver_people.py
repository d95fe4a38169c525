"""People in the fake homeserver's rooms. They act at once, without HTTP, and may send what they like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.flows.homeserver_attachments import seal_file
from tests.flows.homeserver_device import Device
from tests.flows.homeserver_events import Event, Json
from tests.flows.homeserver_mischief import Mischief
from tests.flows.homeserver_rooms import Room
from tests.flows.homeserver_world import World


class Person:
    """One account that a human (or an odd program) uses. Methods that send return the event id.

    What the room's rules do not allow raises `Refused`; `force=True` sends it all the same, as a remote
    server might. Content is not looked at: NUL, lone surrogates, wrong types and 60 KiB bodies pass.
    """

    def __init__(self, world: World, mxid: str, *, auto_join: bool = False) -> None:
        self.world = world
        self.mxid = mxid
        self.auto_join = auto_join

    def __repr__(self) -> str:
        return f"<Person {self.mxid}>"

    def _relates(self, relation: Json | None, mentions: Iterable[str]) -> Json:
        users = list(mentions)
        content: Json = {"m.mentions": {"user_ids": users} if users else {}}
        return {**content, "m.relates_to": relation} if relation else content

    # ---- rooms ---------------------------------------------------------------------------
    @property
    def invitations(self) -> list[Room]:
        """Rooms that this person is invited to now."""
        return self.world.rooms_of(self.mxid, "invite")

    @property
    def rooms(self) -> list[Room]:
        return self.world.rooms_of(self.mxid)

    def create_direct(self, other: str) -> str:
        """A direct room as Element makes it; returns its id. The other one has to join."""
        body = {"preset": "trusted_private_chat", "is_direct": True, "invite": [other]}
        return self.create_room(**body)

    def create_room(self, **body: Any) -> str:
        """Any other room, by the body of `createRoom`; returns its id."""
        return self.world.create_room(self.mxid, body).room_id

    def join(self, room_id: str) -> str:
        return self.world.set_membership(self.mxid, room_id, self.mxid, "join").event_id

    def join_all(self) -> list[str]:
        """Accept every invitation; returns the room ids."""
        rooms = [room.room_id for room in self.invitations]
        for room_id in rooms:
            self.join(room_id)
        return rooms

    def leave(self, room_id: str, reason: str | None = None) -> str:
        """Leave, or decline an invitation."""
        extra = {"reason": reason} if reason else {}
        return self.world.set_membership(self.mxid, room_id, self.mxid, "leave", extra).event_id

    def invite(self, room_id: str, who: str) -> str:
        return self.world.set_membership(self.mxid, room_id, who, "invite").event_id

    def kick(self, room_id: str, who: str) -> str:
        return self.world.set_membership(self.mxid, room_id, who, "kick").event_id

    def ban(self, room_id: str, who: str) -> str:
        return self.world.set_membership(self.mxid, room_id, who, "ban").event_id

    def set_name(self, room_id: str, displayname: Any) -> str:
        """Change this person's name in one room (any JSON value)."""
        content = {"membership": "join", "displayname": displayname}
        return self.put_state(room_id, "m.room.member", content, state_key=self.mxid)

    def make_alias(self, room_id: str, localpart: str) -> str:
        """An address for a room at this person's server; returns it. No event tells of it."""
        alias = f"#{localpart}:{self.mxid.partition(':')[2]}"
        self.world.make_alias(self.mxid, room_id, alias)
        return alias

    def publish(self, room_id: str, *, listed: bool = True, force: bool = False) -> None:
        """Put a room into the directory, or take it out."""
        self.world.list_room(self.mxid, room_id, listed=listed, force=force)

    # ---- devices -------------------------------------------------------------------------
    @property
    def devices(self) -> list[Device]:
        """This person's devices, the one that writes first; everybody has one from the beginning."""
        return self.world.crypto.devices(self.mxid)

    @property
    def device(self) -> Device:
        return self.devices[0]

    def add_device(self, *, is_verified: bool = False) -> Device:
        """One more device. `is_verified`: signed by this person's cross-signing keys, made if there are none."""
        self.devices  # noqa: B018 - the first one comes first
        device = self.world.crypto.add_device(self.mxid)
        if is_verified:
            self.verify(device)
        return device

    def remove_device(self, device: Device) -> None:
        """Log a device out. Without any, a person can neither read nor write what is encrypted."""
        self.world.crypto.remove_device(self.mxid, device.device_id)

    def use(self, device: Device) -> None:
        """Write with this device from now on."""
        self.devices.remove(device)
        self.devices.insert(0, device)

    def verify(self, *devices: Device) -> None:
        """Sign own devices (all, if none is named) with this person's cross-signing keys, made if there are none."""
        self.world.crypto.cross_sign(self.mxid, devices or tuple(self.devices))

    @property
    def mischief(self) -> Mischief:
        """Encrypted messages and keys as no honest client would send them."""
        return Mischief(self.world, self.device)

    def reads(self, event_id: str) -> Json:
        """The content inside an encrypted event, by this person's own devices; raises `Unreadable` if they cannot."""
        event = next(event for room in self.world.rooms.values() if (event := room.event(event_id)))
        return self.world.crypto.read(event, self.mxid)[1]

    # ---- events --------------------------------------------------------------------------
    def send(self, room_id: str, type: str, content: Json, *, force: bool = False, clear: bool = False) -> str:
        """Encrypted where the room is; `clear` sends it as it is all the same."""
        if clear or not self.world.crypto.encrypts(room_id, type):
            return self.world.send(self.mxid, room_id, type, content, force=force).event_id
        return self.world.crypto.send(self.mxid, room_id, type, content, force=force).event_id

    def put_state(self, room_id: str, type: str, content: Json, *, state_key: str = "", force: bool = False) -> str:
        return self.world.put_state(self.mxid, room_id, type, state_key, content, force=force).event_id

    def say(
        self,
        room_id: str,
        body: Any,
        *,
        reply_to: str | None = None,
        mentions: Iterable[str] = (),
        msgtype: str = "m.text",
        clear: bool = False,
        **extra: Any,
    ) -> str:
        """A message; `extra` is mixed into the content. `clear`: not encrypted, whatever the room wants."""
        relation = {"m.in_reply_to": {"event_id": reply_to}} if reply_to else None
        content = {"msgtype": msgtype, "body": body, **self._relates(relation, mentions), **extra}
        return self.send(room_id, "m.room.message", content, clear=clear)

    def image(
        self,
        room_id: str,
        body: str = "picture.png",
        *,
        data: bytes = b"\x89PNG\r\n\x1a\n",
        mime: str = "image/png",
        reply_to: str | None = None,
        **extra: Any,
    ) -> str:
        """A picture, whose file the service can download; encrypted where the room is."""
        info = {"mimetype": mime, "size": len(data), "w": 640, "h": 480}
        if self.world.crypto.encrypts(room_id, "m.room.message") and not extra.get("clear"):
            sealed, file = seal_file(data)
            where: Json = {"file": {**file, "url": self.world.store_media(sealed, "application/octet-stream")}}
        else:
            where = {"url": self.world.store_media(data, mime)}
        return self.say(room_id, body, reply_to=reply_to, msgtype="m.image", info=info, **where, **extra)

    def react(self, room_id: str, event_id: str, key: str, *, force: bool = False) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return self.send(room_id, "m.reaction", {"m.relates_to": relation}, force=force)

    def edit(self, room_id: str, event_id: str, body: Any, *, clear: bool = False, **extra: Any) -> str:
        new = {"msgtype": "m.text", "body": body, "m.mentions": {}, **extra}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        content = {**new, "body": f"* {body}", "m.new_content": new, "m.relates_to": relation}
        return self.send(room_id, "m.room.message", content, clear=clear)

    def redact(self, room_id: str, event_id: str, reason: str | None = None, *, force: bool = False) -> str:
        content = {"reason": reason} if reason else {}
        return self.world.redact(self.mxid, room_id, event_id, content, force=force).event_id

    # ---- what this person sees -----------------------------------------------------------
    def sees(self, room_id: str) -> list[Event]:
        """The part of a timeline that this person can read."""
        return self.world.room(room_id).visible_to(self.mxid)

    def heard(self, room_id: str, by: str | None = None) -> list[str]:
        """Bodies of the messages that this person can read, newest edits applied, own ones left out."""
        room = self.world.room(room_id)
        visible = {event.event_id for event in self.sees(room_id)}
        return [
            str(room.content_now(event).get("body", ""))
            for event in room.messages(by)
            if event.event_id in visible and event.sender != self.mxid and event.readable_by(self.mxid)
        ]
