"""A fake homeserver over real HTTP that behaves as Synapse does towards an application service.

    async with FakeHomeserver() as hs:
        hs.connect(service_url)                     # deliveries begin
        ana = hs.user("@ana:fake.test")
        direct = ana.create_direct(hs.bot)
        await hs.quiet()                            # the service has joined
        ana.say(direct, "!help")
        await hs.quiet()
        assert "!pledge" in hs.direct_messages(ana)[-1]
        hs.assert_conformant()

Everything is in memory; what is random comes from one seed. README.md in this folder has the whole list.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from types import TracebackType

from aiohttp import web

from tests.flows.homeserver_api import ClientApi
from tests.flows.homeserver_attachments import open_file
from tests.flows.homeserver_calls import SentRequest
from tests.flows.homeserver_delivery import Delivery
from tests.flows.homeserver_events import Event, Json, Refused
from tests.flows.homeserver_faults import Faults
from tests.flows.homeserver_people import Person
from tests.flows.homeserver_rooms import Room
from tests.flows.homeserver_spec import Validate, load_validator, violations
from tests.flows.homeserver_sync import Polls
from tests.flows.homeserver_world import World

CARD = "shop.coterie.group_buy"


class NotQuiet(AssertionError):
    """The service did not come to rest in time; the message says what was still going on."""


class FakeHomeserver:
    """One homeserver with one application service. Arguments name what the registration would say.

    `validate` gets every event of the service in client format and raises on a bad one; by default the
    spec's schemas, where they are at hand (`homeserver_spec`). `clock` gives `origin_server_ts` in ms.
    """

    def __init__(
        self,
        *,
        domain: str = "fake.test",
        bot_username: str = "coterie",
        as_token: str = "as-token",
        hs_token: str = "hs-token",
        appservice_id: str = "coterie",
        seed: int = 0,
        validate: Validate | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self.domain = domain
        self.bot = f"@{bot_username}:{domain}"
        self.sender = f"@_{bot_username}_sender:{domain}"
        self.as_token, self.hs_token, self.appservice_id = as_token, hs_token, appservice_id
        self.rng = random.Random(seed)
        self.faults = Faults(random.Random(self.rng.random()))
        self.delivery = Delivery(hs_token, random.Random(self.rng.random()))
        self.sent: list[SentRequest] = []
        self.failures: list[str] = []
        self.spec_violations: list[str] = []
        self.text_refusal: Refused | None = None
        self.answered_paths: dict[str, str] = {}
        self.answered_transactions: dict[tuple[str, str, str | None, str], str] = {}
        self.url = ""
        self._own = re.compile(rf"@{re.escape(bot_username)}(_.*)?:{re.escape(domain)}")
        self.world = World(domain, clock=clock, is_service=self.is_service_user)
        self.crypto = self.world.crypto
        self.polls = Polls(self)
        self._validate = validate or load_validator()
        self._people: dict[str, Person] = {}
        self._last_activity = 0.0
        self._api = ClientApi(self)
        self._runner: web.AppRunner | None = None
        self.world.observers.append(self._seen)

    # ---- life ----------------------------------------------------------------------------
    async def start(self, port: int = 0) -> FakeHomeserver:
        """Listen on 127.0.0.1; `url` is set."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._api.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.delivery.start()
        return self

    async def close(self) -> None:
        self.faults.closing = True
        self.polls.cut_all()
        await self.delivery.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> FakeHomeserver:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def connect(self, service_url: str | None) -> None:
        """Where the service listens; deliveries begin (None: they stop)."""
        self.delivery.service_url = service_url

    def restart(self) -> None:
        """What a restart of Synapse on SQLite changes: it forgets the answers to requests without a device,
        and counts its transaction ids from 1. Polls are cut."""
        self.answered_paths.clear()
        self.polls.cut_all()
        self.delivery.restart_ids()

    def go_down(self) -> None:
        """Cut every connection and deliver nothing, until `come_up()`."""
        self.faults.down = True
        self.polls.cut_all()
        self.delivery.pause()

    def come_up(self) -> None:
        self.faults.down = False
        self.delivery.resume()

    def pause_delivery(self) -> None:
        self.delivery.pause()

    def resume(self) -> None:
        self.delivery.resume()

    def touch(self) -> None:
        """Something happened between service and homeserver just now."""
        self._last_activity = asyncio.get_running_loop().time()

    def requests_in_flight(self, change: int) -> None:
        """A request that only waits for news is none that is under way."""
        self._api.in_flight += change

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, and nothing waits to be delivered or fetched by who listens."""
        return self.delivery.idle and not self._api.in_flight and self.polls.idle

    async def quiet(self, timeout: float = 10.0, settle: float = 0.2) -> None:  # noqa: ASYNC109
        """Returns when everything is delivered and the service has sent nothing for `settle` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        self.touch()
        while True:
            last = max(self._last_activity, self.delivery.last_activity)
            if self.is_idle and loop.time() - last >= settle:
                return
            if loop.time() > deadline:
                raise NotQuiet(self._unrest(timeout))
            await asyncio.sleep(min(0.01, settle))

    def _unrest(self, timeout: float) -> str:
        lines = [
            f"not quiet after {timeout} s: {self.delivery.waiting} events wait, "
            f"{self._api.in_flight} requests under way, all fetched by /sync: {self.polls.idle}",
            *(f"  delivery {a.txn_id}: {a.status} {a.note}" for a in self.delivery.attempts[-5:]),
            *(f"  service  {request}" for request in self.sent[-10:]),
        ]
        return "\n".join(lines)

    # ---- who is who ----------------------------------------------------------------------
    def is_service_user(self, mxid: str) -> bool:
        return mxid == self.sender or self._own.fullmatch(mxid) is not None

    def user(self, mxid: str, *, displayname: str | None = None, auto_join: bool | None = None) -> Person:
        """A person, local or remote, the same object each time. `auto_join` accepts every invitation."""
        if mxid not in self._people:
            self._people[mxid] = Person(self.world, mxid)
            self.world.account(mxid)
        if displayname is not None:
            self.world.account(mxid)["displayname"] = displayname
        if auto_join is not None:
            self._people[mxid].auto_join = auto_join
        return self._people[mxid]

    def refuse_invites(self, who: str, refusal: Refused | None) -> None:
        """Answer invitations of a person, or of everyone on a server, so: INVITE_BLOCKED, UNKNOWN_USER,
        UNREACHABLE or any other refusal; None ends it."""
        if refusal is None:
            self.world.invite_refusals.pop(who, None)
        else:
            self.world.invite_refusals[who] = refusal

    # ---- views for assertions ------------------------------------------------------------
    def room(self, room_id: str) -> Room:
        return self.world.room(room_id)

    def room_named(self, name: str) -> Room:
        """The one room with this name."""
        found = [room for room in self.world.rooms.values() if room.name == name]
        assert len(found) == 1, f"{len(found)} rooms are named {name!r}: {list(self.world.rooms.values())}"
        return found[0]

    def event(self, event_id: str) -> Event:
        rooms = self.world.rooms.values()
        found = next((event for room in rooms if (event := room.event(event_id))), None)
        assert found is not None, f"there is no event {event_id}"
        return found

    def events_by(self, user: str | Person) -> list[Event]:
        """Everything that this account did, in all rooms, in order."""
        events = (event for room in self.world.rooms.values() for event in room.events)
        return sorted((event for event in events if event.sender == _id(user)), key=lambda e: e.order)

    def timeline(self, room_id: str) -> list[tuple[str, str]]:
        """(sender, body) of the messages that stand in a room, newest edits applied."""
        room = self.room(room_id)
        return [(e.sender, str(room.content_now(e).get("body", ""))) for e in room.messages()]

    def direct_rooms(self, user: str | Person) -> list[Room]:
        """Direct rooms of the bot with this person, oldest first."""
        pair = {self.bot, _id(user)}
        return [room for room in self.world.rooms.values() if set(room.members) == pair and _is_direct(room)]

    def direct_events(self, user: str | Person) -> list[Event]:
        """The bot's direct messages that this person can read, in order."""
        return [
            event
            for room in self.direct_rooms(user)
            for event in room.visible_to(_id(user))
            if event in room.messages(self.bot) and event.readable_by(_id(user))
        ]

    def direct_messages(self, user: str | Person) -> list[str]:
        """Their bodies, newest edits applied. What was sent before the person joined is not among them."""
        found = self.direct_events(user)
        return [str(self.room(e.room_id).content_now(e).get("body", "")) for e in found]

    def reactions(self, event_id: str, by: str | Person | None = None) -> list[tuple[str, str]]:
        """(sender, key) of the reactions that stand on an event, in order."""
        room = self.room(self.event(event_id).room_id)
        return [
            (event.sender, str(event.relation.get("key")))
            for event in room.events
            if event.type == "m.reaction"
            and event.relation.get("event_id") == event_id
            and event.redaction is None
            and (by is None or event.sender == _id(by))
        ]

    def bot_reactions(self, event_id: str) -> list[str]:
        """Keys of the bot's reactions that stand on an event."""
        return [key for _, key in self.reactions(event_id, self.bot)]

    def cards(self, room_id: str, key: str = CARD) -> list[Event]:
        """The bot's messages with this key in a room, as first sent, oldest first."""
        return [event for event in self.room(room_id).messages(self.bot) if key in event.content]

    def card(self, room_id: str, key: str = CARD) -> Json:
        """Content of the newest card in a room, newest edit applied."""
        found = self.cards(room_id, key)
        assert found, f"no message with {key} in {self.room(room_id)!r}"
        return self.room(room_id).content_now(found[-1])

    def requests(self, pattern: str) -> list[SentRequest]:
        """The service's requests whose "METHOD path" matches."""
        return [request for request in self.sent if re.search(pattern, request.line)]

    def assert_conformant(self) -> None:
        """Nothing that the service sent broke the spec, was a request that is never right, or could not be read by
        somebody who should; and no key went to somebody who should not have it."""
        found = [*self.spec_violations, *self.failures, *self.crypto.complaints()]
        assert not found, "\n".join(found)

    def sealed_file(self, content: Json) -> tuple[bytes, str]:
        """The file of a picture or attachment, decrypted where it is encrypted, and its type."""
        file = content.get("file")
        data, mime = self.world.media[str((file or content)["url"]).rpartition("/")[2]]
        return (open_file(data, file), str(content.get("info", {}).get("mimetype", mime))) if file else (data, mime)

    # ---- what each new event sets off ----------------------------------------------------
    def _seen(self, event: Event) -> None:
        if self.is_service_user(event.sender) and self._validate is not None:
            self.spec_violations += violations(self._validate, event.client())
            if event.sealed is not None:
                inside = {**event.client(), "type": event.type, "content": event.original}
                self.spec_violations += violations(self._validate, inside)
        if self._concerns_service(event):
            self.delivery.enqueue(event)
        if event.type == "m.room.member" and event.content.get("membership") == "invite":
            person = self._people.get(str(event.state_key))
            if person is not None and person.auto_join:
                asyncio.get_running_loop().call_soon(self._accept, person, event.room_id)

    def _concerns_service(self, event: Event) -> bool:
        """As Synapse decides: what touches accounts of the service, and rooms where one of them is joined."""
        target = str(event.state_key) if event.type == "m.room.member" else ""
        if self.is_service_user(event.sender) or self.is_service_user(target):
            return True
        return any(self.is_service_user(user) for user in self.room(event.room_id).joined)

    def _accept(self, person: Person, room_id: str) -> None:
        if self.room(room_id).membership(person.mxid) == "invite":
            person.join(room_id)
            self.touch()


def _id(user: str | Person) -> str:
    return user.mxid if isinstance(user, Person) else user


def _is_direct(room: Room) -> bool:
    return any(event.original.get("is_direct") is True for event in room.events if event.type == "m.room.member")
