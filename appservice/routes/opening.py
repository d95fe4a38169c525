"""Opening what came encrypted, in the unit that acts on it: to everything after it, it is an event like any other."""

import logging
from dataclasses import replace

from appservice.actions import keyless
from appservice.matrix.crypto.reading import NoKey, Unreadable, read
from appservice.store.inbox import Arrival
from appservice.store.unit import Unit
from appservice.wire import encrypted, message, pledge_event

log = logging.getLogger("coterie.inbox")

_SAID = (message.TYPE, pledge_event.TYPE)
"""What may come encrypted. Of anything else (removals, memberships) the homeserver has to have judged whether its
sender may do it, and what it cannot read it has not judged."""


async def opened(unit: Unit, passphrase: str, arrival: Arrival) -> Arrival | None:
    """Give an arrival as its sender has written it, or None where it waits for its key from now on. What can never be
    read stays as it is."""
    if arrival.type != encrypted.TYPE:
        return arrival
    if await keyless.is_behind(unit, arrival):
        return None
    found = await read(unit.keys, passphrase, arrival.content, unit.now)
    if isinstance(found, NoKey):
        await keyless.wait(unit, arrival, found.session_id)
        return None
    if isinstance(found, Unreadable):
        log.warning("arrival a%d cannot be read: %s", arrival.seq, found.why)
        return arrival
    if found["type"] not in _SAID:
        return arrival
    return replace(arrival, type=found["type"], content=found, was_encrypted=True)
