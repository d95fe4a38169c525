"""A group with its people, set up as they would do it: by typing to the service and joining."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator

from tests.harness.person import Event, Person
from tests.harness.service import Service
from tests.harness.sighting import kind

PRODUCT = "shop.coterie.product"
BUY = "shop.coterie.group_buy"
ORDER = "shop.coterie.order"
WELCOME = re.compile(r"Welcome to “.+”\. I call you (.+?) in all that I write;")


class Circle:
    """The owner's group and desk, and whoever was let in since."""

    def __init__(self, service: Service, owner: Person, direct: str, group: str, desk: str) -> None:
        self.service = service
        self.bot = service.bot_id
        self.owner = owner
        self.direct = direct
        self.group = group
        self.desk = desk
        self.people: list[Person] = []
        self._errors_before = len(service.errors())

    @classmethod
    async def found(
        cls,
        owner: Person,
        service: Service,
        name: str = "Wool circle",
        *,
        cap: int | None = None,
        encrypted: bool = True,
    ) -> Circle:
        """Have the owner create a group by direct message, encrypted or not (the desk too), and join both."""
        direct = await owner.create_direct(service.bot_id)
        words = [f'!group create "{name}"', *([f"cap {cap}"] if cap else []), *([] if encrypted else ["unencrypted"])]
        await owner.say(direct, " ".join(words))
        await owner.sees(direct, "is ready")
        group = await owner.invited_to(lambda invite: invite.name == name)
        desk = await owner.invited_to(lambda invite: invite.name == f"Desk: {name}")
        await asyncio.gather(owner.join(group.room_id), owner.join(desk.room_id))
        circle = cls(service, owner, direct, group.room_id, desk.room_id)
        await circle.welcome_of(owner)
        return circle

    def __iter__(self) -> Iterator[Person]:
        """Everybody but the owner, in the order in which they came."""
        return iter(self.people)

    def errors(self) -> list[str]:
        """What the service has logged as an error since the group was founded."""
        return self.service.errors()[self._errors_before :]

    async def welcome(self, *members: Person) -> None:
        """Invite members, and return when all have joined as far as everybody's client knows.

        People of another server come last: who joins in the same moment as a server's first member may stay unknown
        to that server until the next event of the room.
        """
        own, remote = [], []
        for member in members:
            (own if same_server(member.user_id, self.bot) else remote).append(member)
        for some in (own, remote):
            for member in some:
                await self._let_in(member, f"!invite {member.user_id}")
            await self._all_see(*some)

    async def appoint(self, *concierges: Person) -> None:
        """Make people concierges, and return when they are in the group and in the desk."""
        for one in concierges:
            await self._let_in(one, f"!concierge add {one.user_id}")
        await self._all_see(*concierges)
        await asyncio.gather(*(one.sees_join(self.desk, one.user_id) for one in concierges))

    async def welcome_of(self, person: Person) -> Event:
        """What the service told a person when they came in, once their client has got it."""
        return await person.direct_message_from(self.bot, lambda e: WELCOME.match(e["content"]["body"]), timeout=20)

    async def alias_of(self, person: Person) -> str:
        """The name that the service gave to a person when they came in."""
        called = WELCOME.match((await self.welcome_of(person))["content"]["body"])
        assert called
        return called[1]

    async def post_product(self, by: Person, line: str, *, reply_to: str | None = None) -> Event:
        """Type `!product add …` in the group; the product's card as the poster's client got it."""
        asked = await by.say(self.group, f"!product add {line}", reply_to=reply_to)
        return await by.sees(self.group, lambda e: PRODUCT in e["content"], after=asked)

    async def open_buy(self, by: Person, terms: str) -> str:
        """Type `!buy open …` in the group; the id of the card, once it has its buttons and is pinned."""
        asked = await by.say(self.group, f"!buy open {terms}")
        card = await by.sees(self.group, lambda e: kind(e) == "message" and BUY in e["content"], after=asked)
        pinned = {"pinned": [card["event_id"]]}
        await by.sees(self.group, lambda e: e["type"] == "m.room.pinned_events" and e["content"] == pinned)
        await by.sees(self.group, lambda e: e["type"] == BUY and "card" in e["content"], after=asked)
        return str(card["event_id"])

    async def _let_in(self, person: Person, command: str) -> None:
        person.auto_join_from.add(self.bot)
        await self.owner.say(self.direct, command)
        self.people.append(person)

    async def _all_see(self, *newcomers: Person) -> None:
        viewers = [self.owner, *self.people]
        await asyncio.gather(
            *(viewer.sees_join(self.group, one.user_id) for viewer in viewers for one in newcomers),
            *(self.welcome_of(one) for one in newcomers),
        )


def same_server(one: str, other: str) -> bool:
    """Whether two Matrix ids belong to the same server."""
    return one.partition(":")[2] == other.partition(":")[2]


CircleFactory = Callable[..., Awaitable[Circle]]
"""`await circle(concierges=["ben"], members=["ana"])`, the fixture of the end-to-end tests."""
