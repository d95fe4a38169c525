"""Reading what people have encrypted, by the Megolm sessions that they gave us. No network, so it belongs in a unit."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appservice.matrix.body import read_json
from appservice.matrix.olm import InboundGroupSession, OlmGroupSessionError
from appservice.store.keys import Inbound, Keys
from appservice.wire.content import mapping_at, text_at
from appservice.wire.encrypted import MEGOLM

_SESSION_ID = re.compile("[A-Za-z0-9+/]{43}")
"""A public key in unpadded base64. For anything else no key ever comes, and some of it no database takes."""


@dataclass(frozen=True, slots=True)
class NoKey:
    """It cannot be read before the key of this session has come, or an earlier state of it."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """It will never be read; `why` is for the log."""

    why: str


async def read(keys: Keys, passphrase: str, raw: Mapping[str, Any], now: int) -> dict[str, Any] | NoKey | Unreadable:
    """Give an encrypted event as it was before, with what only its envelope can say.

    Who has sent it is who gave us the session: nobody can pass off another's words as their own, nor have a message
    count twice (`now`, ms, is when it was read first).
    """
    content = mapping_at(raw, "content") or {}
    session_id, ciphertext = text_at(content, "session_id"), content.get("ciphertext")
    if content.get("algorithm") != MEGOLM or session_id is None or not isinstance(ciphertext, str):
        return Unreadable("not Megolm" if content else "redacted")
    if not _SESSION_ID.fullmatch(session_id):
        return Unreadable("not the id of a session")
    whose = (str(raw["room_id"]), session_id, str(raw["sender"]))
    found = _decrypted(await keys.inbound(*whose), passphrase, session_id, ciphertext)
    if isinstance(found, NoKey):
        await keys.hold(session_id)
        found = _decrypted(await keys.inbound(*whose), passphrase, session_id, ciphertext)
    if isinstance(found, NoKey | Unreadable):
        return found
    text, index = found
    plain = _plain(text)
    if plain is None or plain.get("room_id") != raw["room_id"]:
        return Unreadable("not an event of this room")
    if not await keys.is_first(session_id, str(raw["sender"]), index, str(raw["event_id"]), now):
        return Unreadable("a replay")
    inner = dict(mapping_at(plain, "content") or {})
    if "m.relates_to" in content:
        inner.setdefault("m.relates_to", content["m.relates_to"])
    return {**raw, "type": plain.get("type"), "content": inner}


def _decrypted(
    inbound: Inbound | None, passphrase: str, session_id: str, ciphertext: str
) -> tuple[str, int] | NoKey | Unreadable:
    if inbound is None:
        return NoKey(session_id)
    try:
        text, index = InboundGroupSession.from_pickle(inbound.session, passphrase).decrypt(ciphertext)
        return text, index
    except OlmGroupSessionError as error:
        if "UNKNOWN_MESSAGE_INDEX" in str(error):
            return NoKey(session_id)
        return Unreadable(str(error).partition(":")[0])


def _plain(text: str) -> dict[str, Any] | None:
    try:
        plain = read_json(text.encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return plain if isinstance(plain, dict) else None


def inbound_of(room_id: str, user_id: str, sender_key: str, session_key: str, passphrase: str) -> Inbound:
    """Give the session of a room key. Raises OlmGroupSessionError."""
    session = InboundGroupSession(session_key)
    return Inbound(
        room_id, session.id, user_id, sender_key, session.pickle(passphrase).decode(), session.first_known_index
    )


def plaintext(room_id: str, type: str, content: Mapping[str, Any]) -> str:
    """Give what is encrypted of an event."""
    return json.dumps({"room_id": room_id, "type": type, "content": content})
