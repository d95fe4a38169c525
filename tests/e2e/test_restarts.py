"""Whatever stops, and however: what members have written is counted once, and the buy goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import in_days
from tests.harness.circle import BUY, ORDER, Circle, CircleFactory
from tests.harness.person import PersonFactory
from tests.harness.service import ServiceFactory

THROW = '"Merino throw" 89.00 https://shop.example/throw'


class MidBuy:
    """A buy that stands open, with 2 units pledged by Ana."""

    def __init__(self, here: Circle, card: str) -> None:
        self.here, self.card = here, card
        self.ben, self.ana, self.otto, self.mia = here
        self.direct: str

    async def pledge_in_every_way(self) -> None:
        """Ana, Otto and Mia each come to 4 units."""
        group, card = self.here.group, self.card
        await self.ana.say(group, "+2", reply_to=card)
        await self.otto.react(group, card, "+2")
        await self.otto.say(group, "!pledge 4")
        await self.mia.say(self.direct, "+3")
        await self.mia.react(group, card, "+1")

    async def ends_with_each_order_once(self) -> None:
        """Four units each, one card, one result, one receipt."""
        here = self.here
        await self.ben.sees(here.group, "12 are reached", timeout=30)
        await here.owner.say(here.desk, "!buy close")
        for member in (self.ana, self.otto, self.mia):
            await member.direct_message_from(here.bot, "4 × €69.00 = €276.00", timeout=20)
        await self.ben.sees_that(lambda: "Closed at €69.00 each" in self._shown(), timeout=20)
        posted = [e["content"]["body"].split("\n")[0] for e in self.ben.new_messages(here.group, here.bot)]
        assert [line[:25] for line in posted] == [
            "Merino throw",
            "Group buy: Merino throw",
            "Merino throw: the minimum",
            "Merino throw: 12 are reac",
            "Merino throw: closed with",
        ]
        for member in (self.ana, self.otto, self.mia):
            assert len([e for e in member.direct_messages(here.bot) if ORDER in e["content"]]) == 1
        assert self.ben.reactions(here.group, self.card)["+1"] == {here.bot, self.mia.user_id}

    def _shown(self) -> str:
        return str(self.ben.shown(self.here.group, self.card)["body"])


Begin = Callable[[], Awaitable[MidBuy]]


@pytest.fixture
def mid_buy(person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory):
    async def begin() -> MidBuy:
        rosa = await person("rosa")
        service = await coterie(groups={"owners": [rosa.user_id]})
        here = await circle(["ben"], ["ana", "otto", "mia"], rosa=rosa, service=service)
        await here.post_product(here.people[0], THROW)
        card = await here.open_buy(here.people[0], f"merino 4:79 12:69 until {in_days(5)} 18:00")
        buy = MidBuy(here, card)
        first = await buy.ana.say(here.group, "+2", reply_to=card)
        await buy.ana.sees_that(lambda: buy.ana.reactions(here.group, first) == {"✅": {here.bot}})
        buy.direct = await buy.mia.create_direct(here.bot)
        return buy

    return begin


@pytest.mark.slow
async def test_pledges_made_while_the_service_is_down_are_counted_once(mid_buy) -> None:
    buy = await mid_buy()
    await buy.here.service.stop()
    await buy.pledge_in_every_way()
    await buy.here.service.start()
    await buy.ends_with_each_order_once()


@pytest.mark.parametrize("moment", [0.05, *(pytest.param(n / 50, marks=pytest.mark.slow) for n in (0, 1, 4, 6, 8, 10))])
async def test_pledges_around_a_kill_9_are_counted_once(mid_buy, moment: float) -> None:
    buy = await mid_buy()
    pledging = asyncio.create_task(buy.pledge_in_every_way())
    await asyncio.sleep(moment)
    await buy.here.service.kill9()
    await pledging
    await buy.here.service.start()
    await buy.ends_with_each_order_once()


@pytest.mark.slow
async def test_a_buy_outlives_a_restart_of_the_homeserver(mid_buy: Begin) -> None:
    buy = await mid_buy()
    homeserver = buy.here.service.homeserver
    await homeserver.kill()
    await homeserver.start()
    await buy.pledge_in_every_way()
    await buy.ends_with_each_order_once()


@pytest.mark.slow
async def test_what_a_stopping_homeserver_had_not_delivered_yet_is_counted(mid_buy: Begin) -> None:
    """It forgets what it had queued behind a transaction in flight; the service looks it up."""
    buy = await mid_buy()
    here = buy.here
    os.kill(here.service.process.pid, signal.SIGSTOP)  # busy: the next transaction waits for its answer
    await buy.ana.say(here.group, "+1", reply_to=buy.card)
    await asyncio.sleep(0.3)
    overlooked = await buy.otto.say(here.group, "+1", reply_to=buy.card)
    await asyncio.sleep(0.3)
    await here.service.homeserver.stop()
    os.kill(here.service.process.pid, signal.SIGCONT)
    await here.service.homeserver.start()
    last = await buy.ana.say(here.group, "+1", reply_to=buy.card)
    await buy.ana.sees_that(lambda: buy.ana.reactions(here.group, last) == {"✅": {here.bot}}, timeout=20)
    await buy.otto.sees_that(lambda: buy.otto.reactions(here.group, overlooked) == {"✅": {here.bot}}, timeout=20)


@pytest.mark.slow
async def test_a_buy_whose_deadline_passed_while_the_service_was_down_takes_what_was_pledged_and_closes(
    mid_buy,
) -> None:
    buy = await mid_buy()
    here = buy.here
    await here.post_product(buy.ben, '"Linen towel" 19.00 https://shop.example/towel')
    asked = await buy.ben.say(here.group, "!buy open linen 2:15 until in 3 seconds")
    card = (await buy.ana.sees(here.group, lambda e: "Group buy: Linen towel" in e["content"]["body"], after=asked))[
        "event_id"
    ]
    await buy.ana.sees(here.group, lambda e: e["type"] == BUY and e["content"].get("card") == card)
    await buy.ana.say(here.group, "+2", reply_to=card)
    await buy.ana.sees(here.group, "Linen towel: the minimum order is reached")
    await here.service.stop()
    await asyncio.sleep(3)
    late = await buy.otto.say(here.group, "+3", reply_to=card)
    await here.service.start()
    await buy.otto.sees_that(lambda: buy.otto.reactions(here.group, late) == {"✅": {here.bot}}, timeout=20)
    [longer] = [text for text in _posted(buy) if "pledges are taken longer" in text]
    assert longer.startswith("Linen towel: I was not here when it was to close")
    await _caught_up(here.service.directory / "coterie.db")
    await buy.ben.say(here.group, "!buy close", reply_to=card)
    await buy.ana.direct_message_from(here.bot, "2 × €15.00 = €30.00")
    await buy.ana.sees(here.group, "Linen towel: closed with 5 units at €15.00 each.")


def _posted(buy: MidBuy) -> list[str]:
    return [event["content"]["body"] for event in buy.ben.new_messages(buy.here.group, buy.here.bot)]


async def _caught_up(database: Path) -> None:
    """Return when the sign that the service sent at its start has come back from Synapse."""
    query = "SELECT name, CAST(value AS INTEGER) FROM setting WHERE name IN ('started_at', 'caught_up_at')"
    async with asyncio.timeout(10):
        while True:
            with closing(sqlite3.connect(database)) as connection:
                found = dict(connection.execute(query).fetchall())
            if found["caught_up_at"] >= found["started_at"]:
                return
            await asyncio.sleep(0.1)
