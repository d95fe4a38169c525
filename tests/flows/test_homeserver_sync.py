"""The fake homeserver's `/sync`: what waits, what wakes a poll, and whose devices have changed."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import quote

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_bot import ANA, BEN, NOTHING_ELSE, PIA, Bot, ana, ben, bot, hs, room
from tests.flows.homeserver_sync import Token

__all__ = ["ana", "ben", "bot", "hs", "room"]


async def test_to_device_messages_wait_until_a_token_covers_them(hs: FakeHomeserver, bot: Bot) -> None:
    await bot.sync()
    for number in range(130):
        hs.crypto.send_to_device(ANA, "m.dummy", {hs.bot: {"BOT": {"n": number}}})
    before = bot.since
    first = await bot.sync()
    bot.since = before
    assert (await bot.sync())["to_device"] == first["to_device"]
    numbers = [event["content"]["n"] for event in first["to_device"]["events"]]
    assert not hs.polls.idle
    numbers += [event["content"]["n"] for event in (await bot.sync())["to_device"]["events"]]
    assert numbers == list(range(130))
    assert "to_device" not in await bot.sync() and hs.polls.idle
    bot.since = before
    assert "to_device" not in await bot.sync()


async def test_a_poll_waits_for_news_and_is_no_request_under_way(hs: FakeHomeserver, bot: Bot, room: str) -> None:
    await bot.sync()
    began = time.monotonic()
    assert "to_device" not in await bot.sync(wait=200)
    assert 0.15 < time.monotonic() - began < 2
    poll = asyncio.create_task(bot.sync(wait=30_000))
    await hs.quiet(settle=0.02)
    assert not poll.done()
    hs.crypto.send_to_device(ANA, "m.dummy", {hs.bot: {"BOT": {}}})
    assert len((await asyncio.wait_for(poll, 2))["to_device"]["events"]) == 1


@pytest.mark.parametrize("end", ["go_down", "restart"])
async def test_a_poll_is_cut_when_the_homeserver_ends(hs: FakeHomeserver, bot: Bot, end: str) -> None:
    await bot.sync()
    poll = asyncio.create_task(bot.call("GET", "/sync", timeout="30000", since=str(bot.since), filter=NOTHING_ELSE))
    await hs.quiet(settle=0.02)
    getattr(hs, end)()
    if end == "restart":  # aiohttp's client asks once more by itself
        await asyncio.sleep(0.1)
        hs.restart()
    assert await asyncio.wait_for(poll, 2) == (0, {})


async def test_changed_devices_are_told_to_who_shares_a_room(hs: FakeHomeserver, bot: Bot, room: str) -> None:
    await bot.sync()
    hs.user(PIA).add_device()
    assert "device_lists" not in await bot.sync()
    device = hs.user(ANA).add_device()
    assert (await bot.sync())["device_lists"] == {"changed": [ANA]}
    hs.user(ANA).remove_device(device)
    hs.user(BEN).verify()
    assert (await bot.sync())["device_lists"] == {"changed": [ANA, BEN]}
    assert "device_lists" not in await bot.sync()


async def test_rooms_that_the_service_joins_and_leaves_change_whom_it_follows(hs: FakeHomeserver, bot: Bot) -> None:
    await bot.sync()
    direct = hs.user(ANA).create_direct(hs.bot)
    assert "device_lists" not in await bot.sync()
    await bot.good("POST", f"/join/{quote(direct)}")
    assert (await bot.sync())["device_lists"]["changed"] == sorted([ANA, hs.bot])
    await bot.good("POST", f"/rooms/{quote(direct)}/leave")
    assert (await bot.sync())["device_lists"] == {"left": [ANA]}


def test_a_token_goes_there_and_back() -> None:
    assert Token.parse(str(Token(5, 6, 7))) == Token(5, 6, 7)


async def test_whoever_comes_back_with_another_device_is_not_told_of(hs: FakeHomeserver, bot: Bot, room: str) -> None:
    ben = hs.user(BEN)
    await bot.sync()
    ben.leave(room)
    ben.add_device()
    hs.user(ANA).invite(room, BEN)
    await hs.quiet(settle=0.02)
    assert BEN in hs.room(room).joined and "device_lists" not in await bot.sync()
