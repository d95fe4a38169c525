"""The end-to-end encryption of one device: nio's Olm machine, used as Element uses its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import nio
from nio.crypto import DeviceStore, GroupSessionStore, SessionStore
from nio.crypto.olm_machine import Olm
from nio.responses import EmptyResponse

from tests.harness.answers import accepted
from tests.harness.sighting import Event, Sightings, is_ciphertext

ToDevice = dict[str, dict[str, Any]]
"""`{user: {device: content}}`, as `PUT /sendToDevice` has it."""


class NoStore:
    """Where nio would keep keys: a device here lives as long as its object, and takes everybody's for good enough.

    nio's own store in memory took half of the time of a test with twenty people (SQL by way of peewee).
    """

    def __init__(self, *_: Any) -> None:
        self.load_sessions, self.load_inbound_group_sessions = SessionStore, GroupSessionStore
        self.load_device_keys, self.load_outgoing_key_requests, self.load_encrypted_rooms = DeviceStore, dict, set

    def _nothing(self, *_: Any) -> None: ...

    load_account = save_account = save_session = save_inbound_group_session = save_device_keys = _nothing
    add_outgoing_key_request = remove_outgoing_key_request = save_encrypted_rooms = _nothing
    is_device_verified = is_device_blacklisted = _nothing

    def is_device_ignored(self, _: Any) -> bool:
        """Ignored is nio's word for a device that is not verified and gets keys."""
        return True


class Device:
    """What a client does for encryption beside its sync, which feeds nio with keys and device lists.

    nio's own sending is not used: it gives room keys to people who are only invited, whatever the history
    visibility, and keeps a session that was half shared when the members changed.
    """

    def __init__(self, client: nio.AsyncClient, seen: Sightings) -> None:
        self.client = client
        self.seen = seen
        self.confides_in: frozenset[str] | None = None  # None: in everybody who may read; see Visitor
        self._one_at_a_time = asyncio.Lock()
        self._held: list[ToDevice] | None = None
        self._held_from: tuple[str, ...] = ()

    @property
    def olm(self) -> Olm:
        assert self.client.olm, "not logged in"
        return self.client.olm

    # -- after every sync ----------------------------------------------------------------------

    def take_sync(self, raw: dict[str, Any]) -> None:
        """Decrypt what a sync answer brings, in place, and what waited for its keys; note changes of members."""
        self.olm.uploaded_key_count = raw.get("device_one_time_keys_count", {}).get("signed_curve25519", 0)
        for room_id, part in _rooms(raw):
            timeline = part.get("timeline", {}).get("events", [])
            if any(e["type"] == "m.room.member" for e in (*part.get("state", {}).get("events", []), *timeline)):
                self.olm.outbound_group_sessions.pop(room_id, None)
            timeline[:] = [self.reveal(room_id, event) for event in timeline]
        for event in filter(is_ciphertext, self.seen.all):
            event.update(self.reveal(event["room_id"], event))  # the same dict is in the room's timeline

    async def tend_keys(self) -> None:
        """Upload, query, claim and send what nio found necessary; what fails is tried after the next sync."""
        if self.client.should_upload_keys:
            await self.client.keys_upload()
        await self._query()
        if self.client.should_claim_keys:
            await self.client.keys_claim(self.client.get_users_for_key_claiming())
        await self.client.send_to_device_messages()

    def reveal(self, room_id: str, event: Event) -> Event:
        """The event as its sender wrote it, marked `encrypted`; itself if it is in clear or there is no key for it."""
        if not is_ciphertext(event) or not self.has_key(room_id, event["content"]):
            return event
        try:
            plain = self.olm.decrypt_megolm_event(nio.MegolmEvent.from_dict(event), room_id).source
            return {**event, "type": plain["type"], "content": plain["content"], "encrypted": True}
        except (nio.EncryptionError, KeyError):  # a key that begins after this message, or no event inside
            return event

    def has_key(self, room_id: str, content: dict[str, Any]) -> bool:
        """Whether a key of the session came here by which this `m.room.encrypted` was encrypted, be it a later one."""
        sender_key, session_id = content.get("sender_key"), content.get("session_id")
        return self.olm.inbound_group_store.get(room_id, sender_key, session_id) is not None

    # -- sending -------------------------------------------------------------------------------

    async def encrypt(self, room_id: str, event_type: str, content: dict[str, Any]) -> dict[str, Any]:
        """The content of the `m.room.encrypted` that carries this event, its key shared with who may read it."""
        async with self._one_at_a_time:
            await self._query()
            while self.olm.should_share_group_session(room_id):
                await self._share_session(room_id)
            sealed: dict[str, Any] = self.olm.group_encrypt(room_id, {"type": event_type, "content": content})
        relation = {"m.relates_to": content["m.relates_to"]} if "m.relates_to" in content else {}
        return sealed | relation

    @contextlib.asynccontextmanager
    async def keys_held_back(self, *users: str, release: bool = True) -> AsyncIterator[None]:
        """New room keys for these users, or for all, leave at the end of the block, or never."""
        self.olm.outbound_group_sessions.clear()
        self._held, self._held_from = [], users
        try:
            yield
        finally:
            held, self._held = self._held, None
            self.olm.outbound_group_sessions.clear()
        for messages in held if release else ():
            await self._send_to_devices(messages)

    async def _query(self) -> None:
        if self.confides_in is not None:
            self.olm.users_for_key_query.intersection_update(self.confides_in)
        if self.client.should_query_keys:
            answer = await self.client.keys_query()
            if isinstance(answer, nio.KeysQueryResponse) and answer.changed:
                self.olm.outbound_group_sessions.clear()

    async def _share_session(self, room_id: str) -> None:
        users = [one for one in self.seen.readers(room_id) if self.confides_in is None or one in self.confides_in]
        if missing := self.olm.get_missing_sessions(users):
            accepted(await self.client.keys_claim(missing))
        shares = list(self.olm.share_group_session_parallel(room_id, users))
        session = self.olm.outbound_group_sessions[room_id]
        await asyncio.gather(*(self._send_to_devices(share["messages"]) for _, share in shares))
        session.shared = True  # if the members changed meanwhile it is forgotten, and another one follows

    async def _send_to_devices(self, messages: ToDevice) -> None:
        if self._held is not None:
            held = {user: sent for user, sent in messages.items() if not self._held_from or user in self._held_from}
            self._held.append(held)
            messages = {user: sent for user, sent in messages.items() if user not in held}
        if messages:
            request = nio.Api.to_device(self.client.access_token, "m.room.encrypted", {"messages": messages}, uuid4())
            accepted(await self.client._send(EmptyResponse, *request))


def _rooms(raw: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("join", "leave"):
        yield from raw.get("rooms", {}).get(kind, {}).items()
