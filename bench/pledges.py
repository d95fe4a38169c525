"""How fast pledges are handled: 1,000 arrivals in one group, from journal to recorded, on SQLite or PostgreSQL.

    python -m bench.pledges [count] [database URL] [tranches]

Local only; ends by itself. Prints seconds and pledges per second; with `tranches` that are in the buy before, how long
one more pledge takes, in the group (many share a unit) and by direct message (a unit each).
"""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from appservice import routes
from appservice.clock import SystemClock
from appservice.config import Appservice, Config, Homeserver
from appservice.domain.clearing import Tier
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import GroupBuy, Pledged, Pledger, Terms
from appservice.domain.ids import BuyId, EventId, GroupId, Number, ProductId, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.product import Product
from appservice.store import db
from appservice.store.buys import Card
from appservice.store.inbox import Arrival, NewArrival
from appservice.store.rooms import Direct, DirectStatus, Room, RoomKind
from appservice.store.unit import Store, Unit
from appservice.workers.inbox import handle_lane

ROOM = RoomId("!room")
CONFIG = Config(Homeserver("http://127.0.0.1:1", "x"), Appservice("a" * 32, "b" * 32))


async def prepare(store: Store, count: int, before: int = 0) -> None:
    """Open a buy in which `before` tranches are already, and journal `count` pledges in its group."""
    async with store.unit() as unit:
        now = unit.now
        group = Group(
            GroupId("g"), "Bench", UserId("@o:x"), 500, "EUR", "en", "UTC", GroupStatus.OPEN, ROOM, RoomId("!d")
        )
        await unit.groups.add(group, now)
        await unit.groups.save(group)
        await unit.rooms.add(Room(ROOM, RoomKind.GROUP, group.id))
        for n in range(1, 201):
            member = Member(group.id, UserId(f"@m{n}:x"), Presence.JOINED, 0, Number(n), f"Member {n}")
            await unit.groups.save_member(member, now)
            await unit.rooms.add(Room(RoomId(f"!direct{n}"), RoomKind.DIRECT, member.user_id))
            await unit.rooms.save_direct(Direct(member.user_id, RoomId(f"!direct{n}"), DirectStatus.JOINED))
        product = Product(ProductId("p"), group.id, "sku", "Throw", 8900, "EUR", "https://x", Number(1), now)
        await unit.products.add(product)
        tiers = (Tier(10, 7900), Tier(max(count, before), 6900))
        buy = GroupBuy(BuyId("b"), group.id, product.id, Terms("EUR", tiers, now + 3_600_000), Number(1), now)
        await unit.buys.add(buy)
        there = (Pledged(f"$t{n}", Pledger(group.id, Number(n % 200 + 1)), 1, -before + n) for n in range(before))
        await unit.buys.save(buy, replace(buy, pledged=tuple(there)))
        await unit.buys.add_card(Card(buy.id, ROOM, None, "{}", now))
        await unit.buys.set_card_event(buy.id, ROOM, EventId("$card"))
    await store.journal([_pledge(n, ROOM) for n in range(count)])


def _pledge(n: int, room: str) -> NewArrival:
    content = {"msgtype": "m.text", "body": "+1", "m.relates_to": {"m.in_reply_to": {"event_id": "$card"}}}
    event = {"event_id": f"$e{n}", "room_id": room, "type": "m.room.message", "sender": f"@m{n % 200 + 1}:x",
             "content": content}  # fmt: skip
    return NewArrival(f"$e{n}", room, "m.room.message", json.dumps(event))


async def handle(unit: Unit, arrival: Arrival) -> None:
    await routes.handle(unit, CONFIG, arrival)


async def work_off(store: Store) -> float:
    """Handle all that is journaled, lane by lane; gives the seconds that it took."""
    start = time.perf_counter()
    while True:
        async with store.look() as unit:
            lanes = await unit.inbox.due_lanes(unit.now, 100)
        if not lanes:
            return time.perf_counter() - start
        for lane in lanes:
            await handle_lane(store, handle, lane)


async def main(count: int, url: str, before: int) -> None:
    """Print how long it takes."""
    engine = url.split(":")[0]
    async with db.opened(url) as database:
        store = Store(database, SystemClock().now)
        await prepare(store, count, before)
        seconds = await work_off(store)
        async with store.look() as unit:
            recorded = sum(t.quantity for t in (await unit.buys.get("b")).pledged) - before
        print(f"{recorded} of {count} pledges in {seconds:.2f} s, {count / seconds:.0f} a second ({engine})")
        if before:
            print(f"one more among {before}, in the group: {seconds / count * 1000:.1f} ms")
            direct = [_pledge(n, f"!direct{n % 200 + 1}") for n in range(count, count + 100)]
            await store.journal(direct)
            print(f"one more among {before + count}, by direct message: {await work_off(store) * 10:.1f} ms")


if __name__ == "__main__":
    how_many = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    there_before = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    with tempfile.TemporaryDirectory() as directory:
        file = f"sqlite:{Path(directory) / 'bench.db'}"
        asyncio.run(main(how_many, sys.argv[2] if len(sys.argv) > 2 and sys.argv[2] else file, there_before))
