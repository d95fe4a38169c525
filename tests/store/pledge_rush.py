"""A rush on a group buy that three groups share: what is there before, and the pledges that arrive at once."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from appservice.actions import buys, cards, sharing
from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.clearing import Tier
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Pledger, Terms
from appservice.domain.ids import BuyId, EventId, GroupId, Number, RoomId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.store.db import Database
from appservice.store.inbox import NewArrival
from appservice.store.rooms import Direct, DirectStatus, Room, RoomKind
from appservice.store.unit import Store
from tests.store.engine import START
from tests.store.given import CONFIG, GROUP, PRODUCT, group_exists
from tests.store.rush import direct_of

OPENED_AT = START - 3_600_000
BUY_ID = BuyId("b1")
GROUPS = tuple(
    replace(
        GROUP, id=GroupId(f"g{n}"), name=f"Circle {n}", cap=500, room_id=RoomId(f"!group{n}:example.org"),
        desk_id=RoomId(f"!desk{n}:example.org"),
    )
    for n in (1, 2, 3)
)  # fmt: skip
CARDS = {group.id: f"$card-{group.id}" for group in GROUPS}
"""The event that is the buy's card in each group."""
TIERS = (Tier(10, 7900), Tier(25, 6900), Tier(100, 5900))
_NOBODY_LOOKS, _FAR = "!nobody-looks:example.org", START * 2


def person(n: int) -> UserId:
    return UserId(f"@pledger{n}:example.org")


@dataclass
class PledgeRush:
    """A buy in three groups with `people` members, the first `both` of them in a second group as well. Every tenth has
    no direct room with the service yet."""

    people: int
    both: int = 0
    asked: dict[str, UserId] = field(default_factory=dict)
    arrivals: list[NewArrival] = field(default_factory=list)
    reactions: set[str] = field(default_factory=set)

    async def begin(self, database: Database, terms: Terms) -> GroupBuy:
        """Write the groups down and open the buy in all of them."""
        store = Store(database, lambda: OPENED_AT)
        for group in GROUPS:
            await group_exists(store, group)
        async with store.unit() as unit:
            for n, group in self.places():
                number = await unit.groups.next_number(group.id)
                await unit.groups.save_member(_member(group, person(n), number, 0), OPENED_AT)
            for n in (n for n in range(self.people) if n % 10):
                room_id = direct_of(person(n))
                await unit.rooms.add(Room(room_id, RoomKind.DIRECT, person(n)))
                await unit.rooms.save_direct(Direct(person(n), room_id, DirectStatus.JOINED))
            owners = []
            for group in GROUPS:
                number = await unit.groups.next_number(group.id)
                owners.append(_member(group, GROUP.owner, number, Role.OWNER))
                await unit.groups.save_member(owners[-1], OPENED_AT)
            await unit.products.add(PRODUCT)

            def work(id: str) -> Work:
                return Work(unit, CONFIG, Cause(id, OPENED_AT, 0, GROUP.owner))

            assert isinstance(await buys.open_buy(work("$open"), owners[0], PRODUCT, terms, BUY_ID), GroupBuy)
            for group in GROUPS[1:]:
                assert await sharing.share(work(f"$share-{group.id}"), owners[0], BUY_ID, group.id) is None
            for group in GROUPS:
                assert group.room_id is not None
                await cards.card_sent(work(f"$sent-{group.id}"), BUY_ID, group.room_id, EventId(CARDS[group.id]))
            return await unit.buys.get(BUY_ID)

    def places(self) -> list[tuple[int, Group]]:
        """Everybody with each group that they are in."""
        return [(n, group) for n in range(self.people) for group in self.groups_of(n)]

    def groups_of(self, n: int) -> Iterator[Group]:
        """The groups that a person is in."""
        yield GROUPS[n % 3]
        if n < self.both:
            yield GROUPS[(n + 1) % 3]

    # What is asked, one unit each; gives the event

    def reply(self, n: int, place: int = 0) -> str:
        """A person replies `+1` to the card in (one of) their group(s)."""
        group = list(self.groups_of(n))[place]
        content = {"body": "+1", "m.relates_to": {"m.in_reply_to": {"event_id": CARDS[group.id]}}}
        return self._event(n, str(group.room_id), "m.room.message", {"msgtype": "m.text", **content})

    def react(self, n: int, place: int = 0) -> str:
        """A person presses the button `+1` on a card; a homeserver lets them do so once."""
        group = list(self.groups_of(n))[place]
        relation = {"rel_type": "m.annotation", "event_id": CARDS[group.id], "key": "+1"}
        event_id = self._event(n, str(group.room_id), "m.reaction", {"m.relates_to": relation})
        self.reactions.add(event_id)
        return event_id

    def write(self, n: int, *, by_id: bool = False) -> str:
        """A person writes `!pledge 1` by direct message, which is their whole pledge, naming the buy or not."""
        assert n % 10, "who writes has a direct room"
        content = {"msgtype": "m.text", "body": f"!pledge 1 {BUY_ID}" if by_id else "!pledge 1"}
        return self._event(n, direct_of(person(n)), "m.room.message", content)

    def _event(self, n: int, room: str, type: str, content: Any) -> str:
        id = f"$asked{len(self.arrivals)}"
        raw = {"event_id": id, "room_id": room, "type": type, "sender": person(n), "content": content}
        self.arrivals.append(NewArrival(id, room, type, json.dumps(raw)))
        self.asked[id] = person(n)
        return id

    def shuffled(self, seed: int, *, own_lanes: bool = False) -> list[NewArrival]:
        """Everything that is asked in an order of chance; with `own_lanes`, nothing but the buy's lock keeps any two
        apart."""
        arrivals = list(self.arrivals)
        random.Random(seed).shuffle(arrivals)
        return [replace(one, lane=f"!lane{n}") for n, one in enumerate(arrivals)] if own_lanes else arrivals


def _member(group: Group, user_id: UserId, number: Number, power: int) -> Member:
    return Member(group.id, user_id, Presence.JOINED, power, number, f"Member {number}", joined_at=OPENED_AT)


async def pledgers(database: Database) -> dict[UserId, set[Pledger]]:
    """As whom each person takes part."""
    found: dict[UserId, set[Pledger]] = {}
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT m.user_id, t.group_id, t.number FROM tranche t"
            " JOIN member m ON m.group_id = t.group_id AND m.number = t.number"
        )
    for user_id, group_id, number in map(tuple, rows):
        found.setdefault(UserId(user_id), set()).add(Pledger(GroupId(group_id), Number(number)))
    return found


@asynccontextmanager
async def more_to_come(database: Database) -> AsyncIterator[None]:
    """While this lasts, whoever works the journal off does not think that it is done."""
    later = Store(database, lambda: _FAR)
    await later.journal([NewArrival("$more", _NOBODY_LOOKS, "m.room.message", "{}")])
    try:
        yield
    finally:
        async with later.unit() as unit:
            (arrival,) = await unit.inbox.due(_NOBODY_LOOKS, _FAR, 1)
            await unit.inbox.claim(arrival)
