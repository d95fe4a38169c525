"""The main job as people play it: a group, its people, a product, a group buy, pledges, the end, receipts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace

from tests.flows.growth import Growth, name_of
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import Event, Json
from tests.flows.homeserver_people import Person
from tests.flows.homeserver_rooms import Room
from tests.flows.service import DAY, Service

BUY = "shop.coterie.group_buy"
PRODUCT = "shop.coterie.product"
ORDER = "shop.coterie.order"
THROW = '!product add "Merino throw" 89.00 https://shop.example/throw'
WELCOME = re.compile("Welcome (back )?to “")
OPEN = "!buy open merino-throw 10:79 25:69 until friday 18:00"


@dataclass
class Journey(Growth):
    """The people, and what has come about so far. Every step returns once the service rests."""

    hs: FakeHomeserver
    service: Service
    group: str = ""
    desk: str = ""
    product: str = ""
    card: str = ""
    buy: str = ""
    directs: dict[str, str] = field(default_factory=dict)

    # ---- people --------------------------------------------------------------------------
    def person(self, name: str, *, auto_join: bool | None = None) -> Person:
        """`ana` at the service's homeserver, or any whole id; accepts every invitation unless told otherwise."""
        mxid = name if name.startswith("@") else f"@{name}:{self.hs.domain}"
        is_new = mxid not in self.hs.world.accounts
        return self.hs.user(mxid, auto_join=True if auto_join is None and is_new else auto_join)

    rosa = property(lambda self: self.person("rosa"))
    ben = property(lambda self: self.person("ben"))
    ana = property(lambda self: self.person("ana"))
    otto = property(lambda self: self.person("otto"))
    mia = property(lambda self: self.person("mia"))

    async def direct(self, person: Person) -> str:
        """The direct room of a person with the bot; they open one if there is none."""
        rooms = [room for room in self.hs.direct_rooms(person) if person.mxid in room.joined]
        if not rooms:
            self.directs[person.mxid] = person.create_direct(self.hs.bot)
            await self.rest()
            return self.directs[person.mxid]
        return rooms[-1].room_id

    def direct_rooms(self, person: Person) -> list[Room]:
        """The direct rooms of a person in which the bot is."""
        return [room for room in self.hs.direct_rooms(person) if self.hs.bot in room.joined]

    async def leave_direct(self, person: Person) -> None:
        """A person leaves the direct room in which they were welcomed: whatever is told them next needs a new one."""
        for room in self.direct_rooms(person):
            person.leave(room.room_id)
        await self.rest()
        assert self.direct_rooms(person) == []

    async def rest(self) -> None:
        await self.service.rest()

    async def say(self, person: Person, body: str, *, to: str | None = None, reply_to: str | None = None) -> str:
        """Somebody says something in the group (or elsewhere), and the service has dealt with it."""
        event_id = person.say(to or self.group, body, reply_to=reply_to)
        await self.rest()
        return event_id

    async def tell(self, person: Person, body: str, *, reply_to: str | None = None) -> str:
        """Somebody says something to the bot by direct message."""
        return await self.say(person, body, to=await self.direct(person), reply_to=reply_to)

    async def days(self, days: float) -> None:
        """Time passes at a stroke, as when the service was down: everything due by then is done then."""
        self.service.clock.advance(int(days * DAY))
        self.service.ring()
        await self.rest()

    async def configure(self, **groups: object) -> None:
        """The operator changes the section `groups` of the configuration, and restarts the service."""
        config = self.service.config
        self.service.config = replace(config, groups=replace(config.groups, **groups))  # type: ignore[arg-type]
        self.service.clock.advance(1)
        await self.service.restart()

    # ---- the steps -----------------------------------------------------------------------
    async def open_group(self, name: str = "Wool circle", *, cap: int | None = None, members: int = 0) -> None:
        """Rosa makes a group, ben becomes a concierge; ana, otto, mia and `members` more are invited and join."""
        await self.make_group(name, cap=cap)
        direct = await self.direct(self.rosa)
        self.rosa.say(direct, f"!concierge add {self.ben.mxid} {self.group_id if self._several() else ''}".strip())
        people = [self.ana, self.otto, self.mia, *(self.person(f"m{n}") for n in range(1, members + 1))]
        for person in people:
            self.rosa.say(direct, f"!invite {person.mxid} {self.group_id if self._several() else ''}".strip())
        await self.rest()
        assert {person.mxid for person in (self.rosa, self.ben, *people)} < self.room.joined

    async def make_group(self, name: str = "Wool circle", *, cap: int | None = None) -> None:
        """Rosa makes a group, and joins it and its desk."""
        await self.tell(self.rosa, f'!group create "{name}"' + (f" cap {cap}" if cap else ""))
        self.group, self.desk = self.hs.room_named(name).room_id, self.hs.room_named(f"Desk: {name}").room_id

    def _several(self) -> bool:
        return len([room for room in self.hs.world.rooms.values() if room.name.startswith("Desk: ")]) > 1

    @property
    def group_id(self) -> str:
        """The group's id, as rosa was told it."""
        said = [text for text in self.hs.direct_messages(self.rosa) if f"“{self.room.name}” is ready" in text]
        found = re.search(r"\(id (\w+)\)", said[-1])
        assert found, said
        return found[1]

    async def add_product(self, *, picture: bool = False, text: str = THROW) -> None:
        """Ben posts a product, with a picture that he has posted before if so wanted."""
        image = self.ben.image(self.group, "throw.png") if picture else None
        await self.say(self.ben, text, reply_to=image)
        self.product = self.hs.cards(self.group, PRODUCT)[-1].event_id

    async def open_buy(self, terms: str = OPEN, *, picture: bool = False) -> None:
        """Ben posts the product and opens a group buy of it."""
        if not self.product:
            await self.add_product(picture=picture)
        await self.say(self.ben, terms)
        self.find_card()

    async def open_named(self, name: str, terms: str = "10:79 25:69 until friday 18:00") -> None:
        """Ben opens a group buy of the product of that name."""
        await self.say(self.ben, f'!buy open "{name}" {terms}')
        self.find_card()

    def find_card(self) -> None:
        """Note the newest card of a buy."""
        card = [event for event in self.hs.cards(self.group) if "tiers" in event.content[BUY]][-1]
        self.card, self.buy = card.event_id, card.content[BUY]["id"]

    async def plus(self, person: Person, units: int | str) -> str:
        """A pledge by reply to the card."""
        return await self.say(person, f"+{units}", reply_to=self.card)

    async def react(self, person: Person, key: str) -> str:
        event_id = person.react(self.group, self.card, key)
        await self.rest()
        return event_id

    async def redact(self, person: Person, event_id: str) -> str:
        room = self.hs.event(event_id).room_id
        redaction = person.redact(room, event_id)
        await self.rest()
        return redaction

    async def settle(self) -> None:
        """Time passes until every edit that is owed has been made."""
        await self.service.wait(5_000)

    async def close(self) -> None:
        """Ben ends the buy; a moment later it is cleared."""
        self.service.clock.advance(1)
        await self.say(self.ben, f"!buy close {self.buy}")
        await self.settle()

    async def main_job(self) -> None:
        """The whole main job, with second thoughts, a mistake, somebody who leaves and somebody who is late."""
        await self.make_group(cap=20)
        direct = await self.direct(self.rosa)
        pia, sam = self.person("@pia:remote.test"), self.person("sam")
        self.rosa.say(direct, f"!concierge add {self.ben.mxid}")
        for person in (self.ana, self.otto, self.mia, pia, sam):
            self.rosa.say(direct, f"!invite {person.mxid}")
        await self.settle()
        await self.open_buy("!buy open merino-throw 8:79 16:69 until friday 18:00 cap 40", picture=True)
        pias, rosas = await self.direct(pia), direct
        first = self.ana.say(self.group, "+2", reply_to=self.card)
        reaction = self.otto.react(self.group, self.card, "+5")
        self.mia.say(self.group, "!pledge 2-3")
        pia.say(pias, "!pledge 3")
        sam.say(self.group, "!pledge 2 max 70")
        await self.settle()
        self.ana.say(self.group, "+4", reply_to=self.card)
        self.otto.react(self.group, self.card, "+1")
        pia.say(pias, "+2")
        self.rosa.say(rosas, "!pledge 1")
        self.mia.say(self.group, "+0", reply_to=self.card)
        self.otto.edit(self.group, self.otto.say(self.group, "!pledge 6"), "!pledge 9")
        await self.settle()
        self.ana.redact(self.group, first)
        self.otto.redact(self.group, reaction)
        self.rosa.say(self.group, "!withdraw")
        sam.leave(self.group)
        await self.settle()
        self.ana.say(self.group, "!pledge 5-9")
        self.otto.react(self.group, self.card, "+2")
        await self.settle()
        await self.close()
        self.mia.say(self.group, "+1", reply_to=self.card)
        await self.settle()

    # ---- what can be seen ----------------------------------------------------------------
    @property
    def room(self) -> Room:
        return self.hs.room(self.group)

    @property
    def card_now(self) -> Json:
        """Content of the card as it stands."""
        return self.room.content_now(self.hs.event(self.card))

    @property
    def card_text(self) -> str:
        return str(self.card_now["body"])

    def posted(self, room_id: str | None = None) -> list[str]:
        """What the service has posted in the group as new messages, each as it stands."""
        room = self.hs.room(room_id or self.group)
        return [str(room.content_now(event).get("body")) for event in room.messages(self.hs.bot)]

    def told(self, person: Person) -> list[str]:
        """What the service has said to a person by direct message, but for the welcome that everybody gets."""
        return [text for text in self.hs.direct_messages(person) if not WELCOME.match(text)]

    def welcomes(self, person: Person) -> list[str]:
        """What a person was told on coming in, each time."""
        return [text for text in self.hs.direct_messages(person) if WELCOME.match(text)]

    def signs(self, event_id: str) -> list[str]:
        """The service's reactions on an event."""
        return self.hs.bot_reactions(event_id)

    def receipts(self, person: Person) -> list[Json]:
        """What the orders on a person's receipts say."""
        return [event.content[ORDER] for event in self.hs.direct_events(person) if ORDER in event.content]

    def bot_events(self, room_id: str | None = None, type: str | None = None) -> list[Event]:
        """Everything that the service has put into a room."""
        found = self.hs.room(room_id or self.group).events
        return [event for event in found if event.sender == self.hs.bot and type in (None, event.type)]

    async def pledged(self) -> dict[str, list[tuple[int, int, int | None]]]:
        """By name: quantity, flexible units and maximum of each tranche, oldest first; of all buys."""
        rows = await self.service.rows(
            "SELECT m.user_id, t.* FROM tranche t JOIN group_buy b ON b.id = t.buy_id"
            " JOIN member m ON m.group_id = b.group_id AND m.number = t.number ORDER BY t.position, t.id"
        )
        found: dict[str, list[tuple[int, int, int | None]]] = {}
        for row in rows:
            tranche = (row["quantity"], row["flex"], row["max_minor"])
            found.setdefault(name_of(row["user_id"]), []).append(tranche)
        return found

    async def units(self) -> dict[str, int]:
        """By name: the firm units pledged."""
        return {name: sum(tranche[0] for tranche in found) for name, found in (await self.pledged()).items()}

    async def orders(self) -> dict[str, tuple[int, int, int]]:
        """By name: units, unit price, total."""
        rows = await self.service.rows(
            "SELECT m.user_id, o.* FROM purchase_order o JOIN member m"
            " ON m.group_id = o.group_id AND m.number = o.number"
        )
        return {
            name_of(row["user_id"]): (
                sum(units for _, units in json.loads(row["arrived"] or row["ordered"])),
                row["unit_minor"],
                row["total_minor"],
            )
            for row in rows
        }

    async def status(self) -> str:
        rows = await self.service.rows("SELECT status FROM group_buy WHERE id = $1", self.buy)
        return str(rows[0]["status"])

    async def ledger(self) -> list[tuple[str, str | None, int, int]]:
        """Fact, name, units and amount of each line, in order."""
        rows = await self.service.rows(
            "SELECT l.*, m.user_id FROM ledger l LEFT JOIN member m"
            " ON m.group_id = l.group_id AND m.number = l.number ORDER BY l.seq"
        )
        return [
            (row["fact"], name_of(row["user_id"]) if row["user_id"] else None, row["units"], row["amount_minor"])
            for row in rows
        ]

    async def alias(self, person: Person) -> str:
        """The name under which the service speaks of a person."""
        rows = await self.service.rows("SELECT alias FROM member WHERE user_id = $1", person.mxid)
        return str(rows[0]["alias"])

    async def members(self) -> dict[str, tuple[str, int]]:
        """By name: presence and power of everybody known to the group."""
        rows = await self.service.rows(
            "SELECT m.* FROM member m JOIN coterie_group g ON g.id = m.group_id WHERE g.room_id = $1", self.group
        )
        return {name_of(row["user_id"]): (row["presence"], row["power"]) for row in rows}
