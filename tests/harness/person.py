"""A member at an ordinary client: matrix-nio, driven by verbs."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import nio
from nio.crypto.attachments import decrypt_attachment

from tests.harness.answers import MatrixError, accepted
from tests.harness.sighting import Event, Invite, kind
from tests.harness.signing import Identity
from tests.harness.watcher import Watcher

__all__ = ["ENCRYPTED", "Event", "Invite", "MatrixError", "Person", "PersonFactory"]

ENCRYPTED = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
"""For the `initial_state` of a room that is to be encrypted from its first message."""


class Person(Watcher):
    """What a member can do and look at, on top of what they see.

    async with Person(homeserver.url, "ana", "secret", auto_join_from={bot}) as ana:
        await ana.say(room, "+2", reply_to=card)
        await ana.direct_message_from(bot, "Receipt")

    Messages into encrypted rooms are encrypted, reactions never are.
    """

    # -- devices -------------------------------------------------------------------------------

    async def another_device(self) -> Self:
        """Log in again: a client of its own, which closes with this one."""
        device = type(self)(self.client.homeserver, self.client.user, self.password)
        self.others.append(device)
        await device.start()
        return device

    async def log_out(self) -> None:
        """Remove this device; it sees nothing more."""
        await self.stop_syncing()
        await self.request("POST", "/_matrix/client/v3/logout")

    async def cross_sign(self) -> None:
        """Set up cross-signing as Element does at the first log-in, and sign all devices that are there now."""
        path = "/_matrix/client/v3/keys"
        identity = Identity(self.user_id)
        await self.request("POST", f"{path}/device_signing/upload", identity.keys())
        known = await self.request("POST", f"{path}/query", {"device_keys": {self.user_id: []}})
        devices = known["device_keys"][self.user_id]
        signed = {device_id: identity.sign_device(keys) for device_id, keys in devices.items()}
        answer = await self.request("POST", f"{path}/signatures/upload", {self.user_id: signed})
        assert not answer["failures"], answer

    def keys_held_back(self, *users: str, release: bool = True) -> contextlib.AbstractAsyncContextManager[None]:
        """`async with ana.keys_held_back(bot):` what she says arrives, its keys only at the end of the block.

        Without users nobody gets them; without `release` they never come.
        """
        return self.device.keys_held_back(*users, release=release)

    # -- speaking ------------------------------------------------------------------------------

    async def create_direct(self, user_id: str, *, joined_within: float | None = 10, encrypted: bool = True) -> str:
        """Open a direct room as Element does, encrypted; its id, once the other side has joined (None: at once)."""
        guests = {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "can_join"}}
        room_id = await self.create_room(
            is_direct=True,
            preset="trusted_private_chat",
            invite=[user_id],
            initial_state=[guests, ENCRYPTED] if encrypted else [guests],
        )
        self.seen.direct_rooms.add(room_id)
        if joined_within is not None:
            await self.sees_join(room_id, user_id, timeout=joined_within)
        return room_id

    async def create_room(self, **body: Any) -> str:
        """`POST /createRoom` with this body; the room id, once the own client knows if it has to be encrypted, and for
        whom."""
        room_id = str((await self.request("POST", "/_matrix/client/v3/createRoom", body))["room_id"])
        if ENCRYPTED in body.get("initial_state", ()):
            await self.sees(room_id, lambda event: event["type"] == ENCRYPTED["type"])
            for guest in body.get("invite", ()):
                await self.sees(room_id, lambda event: event.get("state_key") == guest)  # noqa: B023
        return room_id

    async def turn_on_encryption(self, room: str) -> None:
        """Encrypt the room from now on; returns when the own client knows."""
        event_id = await self.put_state(room, ENCRYPTED["type"], ENCRYPTED["content"])
        await self.sees(room, lambda event: event["event_id"] == event_id)

    async def say(
        self, room: str, body: str, *, reply_to: str | None = None, formatted: str | None = None, clear: bool = False
    ) -> str:
        """Send an `m.text`; its event id. `clear`: not encrypted even where the room is."""
        content: dict[str, Any] = {"msgtype": "m.text", "body": body}
        if formatted is not None:
            content |= {"format": "org.matrix.custom.html", "formatted_body": formatted}
        if reply_to is not None:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
        return await self.send_event(room, "m.room.message", content, clear=clear)

    async def edit(self, room: str, event_id: str, body: str) -> str:
        """Replace the text of an own message; the id of the edit."""
        new = {"msgtype": "m.text", "body": body}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        content = {**new, "body": f"* {body}", "m.new_content": new, "m.relates_to": relation}
        return await self.send_event(room, "m.room.message", content)

    async def react(self, room: str, event_id: str, key: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send_event(room, "m.reaction", {"m.relates_to": relation})

    async def send_image(self, room: str, png: bytes, *, name: str = "picture.png") -> str:
        """Upload a PNG, encrypted where the room is, and send it as `m.image`; the event id."""
        secret = await self.is_encrypted(room)
        uploaded, key = await self.client.upload(
            lambda *_: png, "image/png", None if secret else name, encrypt=secret, filesize=len(png)
        )
        url = accepted(uploaded).content_uri
        width, height = struct.unpack(">II", png[16:24])
        info = {"mimetype": "image/png", "size": len(png), "w": width, "h": height}
        file = {"file": {**key, "url": url}} if key else {"url": url}
        content = {"msgtype": "m.image", "body": name, **file, "info": info}
        return await self.send_event(room, "m.room.message", content)

    async def download(self, url: str) -> bytes:
        """A file of the media repository, read with the own token."""
        path = f"/_matrix/client/v1/media/download/{url.removeprefix('mxc://')}"
        headers = {"Authorization": f"Bearer {self.client.access_token}"}
        answer = await self.client.send("GET", path, None, headers)
        assert answer.status == 200, answer
        return bytes(await answer.read())

    async def attachment(self, content: dict[str, Any]) -> bytes:
        """The picture or file of a message's content, decrypted if it came encrypted."""
        file = content.get("file")
        if file is None:
            return await self.download(content["url"])
        sealed = await self.download(file["url"])
        return bytes(decrypt_attachment(sealed, file["key"]["k"], file["hashes"]["sha256"], file["iv"]))

    async def send_event(self, room: str, event_type: str, content: dict[str, Any], *, clear: bool = False) -> str:
        """Send any content, well formed or not; the event id."""
        if event_type != "m.reaction" and not clear and await self.is_encrypted(room):
            content = await self.device.encrypt(room, event_type, content)
            event_type = "m.room.encrypted"
        request = nio.Api.room_send(self.client.access_token, room, event_type, content, uuid4())
        return str(accepted(await self.client._send(nio.RoomSendResponse, *request, (room,))).event_id)

    async def is_encrypted(self, room: str) -> bool:
        """Whether the room is encrypted as far as the own client knows, which waits for a room that is new to it."""
        state = self.seen.state[room]
        if ("m.room.create", "") not in state:
            with contextlib.suppress(MatrixError):  # not in the room: whoever sends will be told
                if await self.state(room, ENCRYPTED["type"]):
                    await self.sees_that(lambda: ("m.room.encryption", "") in state)
        return ("m.room.encryption", "") in state

    async def put_state(self, room: str, event_type: str, content: dict[str, Any], key: str = "") -> str:
        return str(accepted(await self.client.room_put_state(room, event_type, content, key)).event_id)

    async def redact(self, room: str, event_id: str, reason: str | None = None) -> str:
        return str(accepted(await self.client.room_redact(room, event_id, reason)).event_id)

    async def join(self, room: str) -> None:
        """Join, and return when the room is in the own sync."""
        accepted(await self.client.join(room))
        await self.sees_join(room, self.user_id)

    async def leave(self, room: str) -> None:
        accepted(await self.client.room_leave(room))

    async def kick(self, room: str, user_id: str, reason: str | None = None) -> None:
        accepted(await self.client.room_kick(room, user_id, reason))

    async def invite(self, room: str, user_id: str) -> None:
        accepted(await self.client.room_invite(room, user_id))

    # -- looking -------------------------------------------------------------------------------

    def reactions(self, room: str, event_id: str) -> dict[str, set[str]]:
        """`{key: {sender}}` as the client shows them."""
        return self.seen.reactions(room, event_id)

    def last_edit_of(self, room: str, event_id: str) -> dict[str, Any] | None:
        """The newest `m.new_content` for an event, None while it was never edited."""
        return self.seen.last_edit(room, event_id)

    def shown(self, room: str, event_id: str) -> dict[str, Any]:
        """The content of an event as the client shows it now: of its newest edit, if there is one."""
        original = next(e for e in self.seen.timeline[room] if e["event_id"] == event_id)
        return self.seen.last_edit(room, event_id) or dict(original["content"])

    def new_messages(self, room: str, by: str) -> list[Event]:
        """Messages of a sender in a room, without edits: what makes a room unread."""
        return [e for e in self.seen.timeline[room] if e["sender"] == by and kind(e) == "message"]

    def direct_messages(self, by: str) -> list[Event]:
        """New messages of a sender in direct rooms, in the order in which they came."""
        told = (e for e in self.seen.all if e["sender"] == by and kind(e) == "message")
        return [e for e in told if e["room_id"] in self.seen.direct_rooms]

    async def state(self, room: str, event_type: str, key: str = "") -> dict[str, Any] | None:
        """Content of a state event as the homeserver has it now; None if there is none."""
        try:
            path = f"{_room(room)}/state/{quote(event_type, safe='')}/{quote(key, safe='')}"
            return await self.request("GET", path)
        except MatrixError as error:
            if error.errcode == "M_NOT_FOUND":
                return None
            raise

    async def joined_members(self, room: str) -> set[str]:
        return set((await self.request("GET", f"{_room(room)}/joined_members"))["joined"])

    async def messages(self, room: str, limit: int = 100) -> list[Event]:
        """The room's history as the homeserver shows it to this person, oldest first."""
        answer = await self.request("GET", f"{_room(room)}/messages?dir=b&limit={limit}")
        return [self.device.reveal(room, event) for event in reversed(answer["chunk"])]


def _room(room_id: str) -> str:
    return f"/_matrix/client/v3/rooms/{quote(room_id, safe='')}"


PersonFactory = Callable[..., Awaitable[Person]]
"""`await person("ana")`, the fixture of the end-to-end tests."""
