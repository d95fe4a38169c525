"""`GET /sync` for an application service's crypto traffic, with filters and account data. Rooms are not given by it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tests.flows.homeserver_calls import CLIENT, SEG, Call, Cut
from tests.flows.homeserver_events import Json, Refused, forbidden
from tests.flows.homeserver_rooms import Room

if TYPE_CHECKING:
    from tests.flows.homeserver import FakeHomeserver

LISTENED = 1.0  # seconds for which a client that polled still counts as one that listens
GLANCE = 0.02  # seconds between looks at whether the client is still there, and who has joined


@dataclass(frozen=True)
class Token:
    """How far a client has come in the three streams: room events, to-device messages, changed devices."""

    order: int
    to_device: int
    changes: int

    @classmethod
    def parse(cls, text: str) -> Self:
        kind, _, rest = text.partition("s")
        try:
            order, to_device, changes = (int(part) for part in rest.split("_"))
        except ValueError:
            raise Refused(400, "M_UNKNOWN", "Invalid stream token") from None
        if kind:
            raise Refused(400, "M_UNKNOWN", "Invalid stream token")
        return cls(order, to_device, changes)

    def __str__(self) -> str:
        return f"s{self.order}_{self.to_device}_{self.changes}"


class Polls:
    """Which devices of the service listen, and how far they have come."""

    def __init__(self, hs: FakeHomeserver) -> None:
        self.hs = hs
        self.waiting: dict[tuple[str, str | None], int] = {}
        self.since: dict[tuple[str, str | None], Token | None] = {}
        self.last_at: dict[tuple[str, str | None], float] = {}
        self.generation = 0

    def cut_all(self) -> None:
        """Every poll under way is cut, as when the homeserver restarts."""
        self.generation += 1
        self.hs.crypto.wake()

    @property
    def idle(self) -> bool:
        """Whoever listens has fetched all there is, and come back for more."""
        listening = [who for who, at in self.last_at.items() if self.waiting.get(who) or _now() - at < LISTENED]
        return not any(answer(self.hs, *who, self.since[who])[1] for who in listening)

    async def wait(self, call: Call, seconds: float) -> None:
        """Return at news, or when the time is up; what waits is no request under way."""
        who, generation, until = (call.user, call.device), self.generation, _now() + seconds
        news = self.hs.crypto.news
        self.waiting[who] = self.waiting.get(who, 0) + 1
        self.hs.requests_in_flight(-1)
        try:
            while not news.is_set() and not answer(self.hs, *who, self.since[who])[1] and _now() < until:
                try:
                    async with asyncio.timeout(min(GLANCE, max(0.0, until - _now()))):
                        await news.wait()
                except TimeoutError:
                    pass
                faults = self.hs.faults
                if call.is_gone() or faults.down or faults.closing or generation != self.generation:
                    raise Cut
        finally:
            self.waiting[who] -= 1
            self.hs.requests_in_flight(+1)
            self.last_at[who] = _now()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def sync(call: Call) -> Json:
    """As Synapse answers where the filter wants no rooms: at once when there is news, or when the time is up."""
    hs, query = call.hs, call.query
    if call.user == hs.sender:
        raise Refused(500, "M_UNKNOWN", "Internal server error")  # so does Synapse to the registration's sender
    _check_filter(call)
    since = Token.parse(query["since"]) if "since" in query else None
    if since is not None and call.device is not None:
        hs.world.keys.acknowledge(call.user, call.device, since.to_device)
    hs.polls.since[call.user, call.device] = since
    hs.polls.last_at[call.user, call.device] = _now()
    until = _now() + int(query.get("timeout", "0")) / 1000
    while True:
        found, is_news = answer(hs, call.user, call.device, since)
        left = until - _now()
        if is_news or since is None or left <= 0 or query.get("full_state") == "true":
            return found
        await hs.polls.wait(call, left)


def answer(hs: FakeHomeserver, user: str, device: str | None, since: Token | None) -> tuple[Json, bool]:
    """The answer, and whether it says anything new."""
    keys = hs.world.keys
    messages, to_device = keys.waiting(user, device, since.to_device if since else 0) if device else ([], keys.position)
    found: Json = {"next_batch": str(Token(_order(hs), to_device, keys.position))}
    if messages:
        found["to_device"] = {"events": messages}
    lists = _device_lists(hs, user, since) if since else {}
    if lists:
        found["device_lists"] = lists
    found["device_one_time_keys_count"] = keys.counts(user, device) if device else {}
    found["device_unused_fallback_key_types"] = keys.unused_fallbacks(user, device) if device else []
    return found, bool(messages or lists)


def _order(hs: FakeHomeserver) -> int:
    return max((room.events[-1].order for room in hs.world.rooms.values()), default=0)


def _device_lists(hs: FakeHomeserver, user: str, since: Token) -> Json:
    """Whose devices to ask for again, and whom to forget.

    With a filter that wants no rooms Synapse tells of changes in shared rooms and of the rooms that the client itself
    has joined, but not of others who join: their members' events are filtered out before it looks.
    """
    joined = hs.world.rooms_of(user)
    shared = {room.room_id for room in joined}
    changed = {
        change.user
        for change in hs.world.keys.changes
        if change.position > since.changes and (change.user == user or change.rooms & shared)
    }
    moved = [room for room in hs.world.rooms.values() if _membership_at(room, user, since.order) is not None]
    left: set[str] = set()
    for room in moved:
        was, now = _membership_at(room, user, since.order), room.membership(user)
        changed |= room.joined if now == "join" and was != "join" else set()
        left |= room.joined if was == "join" and now != "join" else set()
    left -= {member for room in joined for member in room.joined} | {user}
    return {name: sorted(users) for name, users in (("changed", changed), ("left", left)) if users}


def _membership_at(room: Room, user: str, order: int) -> str | None:
    """Somebody's membership at that time, if it was set again since."""
    event = room.state.get(("m.room.member", user))
    if event is None or event.order <= order:
        return None
    while event is not None and event.order > order:
        event = event.previous
    return "leave" if event is None else str(event.original.get("membership"))


# ---- filters -------------------------------------------------------------------------------
def _check_filter(call: Call) -> None:
    """The fake gives neither rooms nor account data nor presence: a filter has to say so."""
    text = call.query.get("filter", "{}")
    found = json.loads(text) if text.startswith("{") else _filter(call, text)
    blocked = {
        "rooms": found.get("room", {}).get("rooms") == [] or "*" in found.get("room", {}).get("not_rooms", []),
        "account_data": _blocks(found.get("account_data", {})),
        "presence": _blocks(found.get("presence", {})),
    }
    wanted = [name for name, is_blocked in blocked.items() if not is_blocked]
    if wanted:
        raise Refused(400, "M_UNRECOGNIZED", f"The fake homeserver gives no {', '.join(wanted)} by /sync")


def _blocks(part: Json) -> bool:
    return part.get("types") == [] or "*" in part.get("not_types", [])


def _filter(call: Call, filter_id: str) -> Json:
    filters = call.hs.world.keys.filters
    if not filter_id.isdecimal():
        raise Refused(400, "M_UNKNOWN", "Invalid filter_id")
    if int(filter_id) >= len(filters) or filters[int(filter_id)][0] != call.user:
        raise Refused(404, "M_NOT_FOUND", "No such filter")
    return filters[int(filter_id)][1]


def _own(call: Call) -> str:
    if call.args[0] != call.user:
        raise forbidden("Cannot do that for other users")
    return call.user


def put_filter(call: Call) -> Json:
    filters, wanted = call.hs.world.keys.filters, (_own(call), call.body)
    if wanted not in filters:
        filters.append(wanted)
    return {"filter_id": str(filters.index(wanted))}


def get_filter(call: Call) -> Json:
    _own(call)
    return _filter(call, call.args[1])


# ---- account data --------------------------------------------------------------------------
def put_account_data(call: Call) -> Json:
    call.hs.world.keys.account_data.setdefault(_own(call), {})[call.args[1]] = call.body
    return {}


def get_account_data(call: Call) -> Json:
    found: dict[str, Any] = call.hs.world.keys.account_data.get(_own(call), {})
    if call.args[1] not in found:
        raise Refused(404, "M_NOT_FOUND", "Account data not found")
    return dict(found[call.args[1]])


SYNC_ENDPOINTS = (
    ("GET", f"{CLIENT}/sync", sync),
    ("POST", f"{CLIENT}/user{SEG}/filter", put_filter),
    ("GET", f"{CLIENT}/user{SEG}/filter{SEG}", get_filter),
    ("PUT", f"{CLIENT}/user{SEG}/account_data{SEG}", put_account_data),
    ("GET", f"{CLIENT}/user{SEG}/account_data{SEG}", get_account_data),
)
