"""The main job on a real Synapse, with matrix-nio as everybody's client: what the clients see, to the letter."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from tests.e2e.conftest import in_days
from tests.harness.circle import BUY, ORDER, PRODUCT, CircleFactory
from tests.harness.person import Event, Person, PersonFactory
from tests.harness.service import ServiceFactory
from tests.harness.sighting import kind

HOW = "To join: react +1, +2 or +5, or reply with a number like +2. Free to withdraw until it closes."
THROW = '"Merino throw" 89.00 https://shop.example/throw'


async def test_a_group_buys_together_from_invitation_to_receipt(
    database: str, person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    groups = {"owners": [rosa.user_id], "time_zone": "Europe/Vienna"}
    service = await coterie(groups=groups, appservice={"database": database})
    here = await circle(["ben"], ["ana", "otto", "mia", "lena"], rosa=rosa, service=service)
    ben, ana, otto, mia, lena = here
    bot, group = here.bot, here.group

    product = await here.post_product(ben, THROW)
    assert product["content"]["body"] == "Merino throw\n€89.00\nhttps://shop.example/throw"
    key = product["content"][PRODUCT]
    assert (key["sku"], key["price"], key["priceCurrency"], key["exponent"]) == ("merino-throw", 8900, "EUR", 2)

    card = await here.open_buy(ben, f"merino-throw 3:79 8:69 until {in_days(5)} 18:00")
    opened = await ben.direct_message_from(bot, "is open until")
    assert re.search(r" 18:00 \(Vienna time\)", opened["content"]["body"])
    head, closes, *tail = _split(ana.shown(group, card)["body"])
    assert head == [
        "Group buy: Merino throw",
        "€79.00 each once 3 are pledged",
        "░░░░░░░░░░░░",
        "0 pledged; 3 more and everyone pays €79.00",
        "Price by total: 3+ €79.00 · 8+ €69.00",
    ]
    assert re.fullmatch(r"Closes \w+ \d+ \w+, 18:00 \(Vienna time\), [45] days left", closes)
    assert tail == [HOW, "https://shop.example/throw"]
    buttons = await ana.sees_that(lambda: ana.reactions(group, card).keys() == {"+1", "+2", "+5"})
    assert buttons
    assert await ana.state(group, "m.room.pinned_events") == {"pinned": [card]}

    # each in their own way; three are reached with Otto, eight with Lena, which lets Mia in
    reply = await ana.say(group, "+2", reply_to=card)
    await ana.sees_that(lambda: ana.reactions(group, reply) == {"✅": {bot}})
    too_dear = await mia.say(group, "!pledge 3 max 70")
    await mia.sees_that(lambda: mia.reactions(group, too_dear) == {"⏳": {bot}})
    await otto.react(group, card, "+2")
    tier = await lena.sees(group, "the minimum order is reached")
    assert tier["content"]["body"] == (
        "Merino throw: the minimum order is reached, everyone pays €79.00 now. 1 more and everyone pays €69.00."
    )
    talk = await lena.create_direct(bot)
    by_direct_message = await lena.say(talk, "+1")
    await lena.sees_that(lambda: lena.reactions(talk, by_direct_message) == {"✅": {bot}})
    tier = await lena.sees(group, "everyone pays €69.00 now")
    assert tier["content"]["body"] == "Merino throw: 8 are reached, everyone pays €69.00 now. That is the best price."
    await ana.sees_that(lambda: "Now €69.00 each" in ana.shown(group, card)["body"])
    head, closes, *tail = _split(ana.shown(group, card)["body"])
    assert head[:1] + head[2:4] == ["Group buy: Merino throw", "▓▓▓▓▓▓▓▓▓▓▓▓", "8 pledged; the best price is reached"]
    assert tail == [HOW, "https://shop.example/throw"]

    buy_id = ana.shown(group, card)[BUY]["id"]
    state = await ana.state(group, BUY, buy_id)
    assert state is not None
    closes_at = state.pop("closes_at")
    assert isinstance(closes_at, int) and closes_at > time.time() * 1000
    # nothing of what is bought: homeservers read state
    assert state == {"version": 1, "id": buy_id, "status": "open", "card": card}

    await rosa.say(here.desk, "!buy close")
    result = await ana.sees(group, "Merino throw: closed")
    assert result["content"]["body"] == (
        "Merino throw: closed with 8 units at €69.00 each. "
        "Everyone who is in gets a receipt with the purchase link by direct message."
    )
    lines, aliases = {}, {}
    for member, units, total in ((ana, 2, "138.00"), (otto, 2, "138.00"), (mia, 3, "207.00"), (lena, 1, "69.00")):
        receipt = (await member.direct_message_from(bot, lambda e: ORDER in e["content"]))["content"]
        order = receipt[ORDER]
        title, sums, pay, small = receipt["body"].split("\n")
        assert (title, sums) == ("Receipt: Merino throw", f"{units} × €69.00 = €{total}")
        link = f"https://shop.example/throw?reference={order['id']}&amount={total}&currency=EUR"
        assert re.fullmatch(r"Pay by \w+ \d+ \w+, \d\d:\d\d \(Vienna time\): " + re.escape(link), pay)
        alias = aliases[member] = await here.alias_of(member)
        assert (
            small == f"Order {order['id']} of {alias} in “Wool circle”; line {order['line']} of the published result."
        )
        assert (order["url"], order["units"], order["total"]) == (link, units, units * 6900)
        assert receipt["m.mentions"] == {"user_ids": [member.user_id]}
        lines[order["line"]] = units
    assert result["content"][BUY]["lines"] == sorted(map(list, lines.items()))

    summary = await ben.sees(here.desk, "orders")
    assert summary["content"]["body"] == (
        f"Merino throw ({buy_id}) closed: 8 units, 4 orders, €552.00.\n"
        f"{aliases[ana]}: 2, €138.00\n{aliases[mia]}: 3, €207.00\n"
        f"{aliases[otto]}: 2, €138.00\n{aliases[lena]}: 1, €69.00"
    )
    await ana.sees_that(lambda: "Closed at €69.00 each" in ana.shown(group, card)["body"])
    assert HOW not in ana.shown(group, card)["body"]
    await ana.sees(group, lambda e: e["type"] == "m.room.pinned_events" and e["content"] == {"pinned": []})
    state = await ana.state(group, BUY, buy_id)
    assert state is not None
    assert state.pop("closes_at") < closes_at
    assert state == {"version": 1, "id": buy_id, "status": "succeeded", "card": card}
    for one in (rosa, *here):  # all in words that only people can read
        assert [room for room in one.seen.timeline if one.sent_in_clear(room, bot) or one.undecryptable(room)] == []
        assert all(event["encrypted"] for event in one.direct_messages(bot))
    assert here.errors() == []


async def test_in_an_unencrypted_group_the_terms_are_in_the_state_and_neither_totals_nor_members(
    circle: CircleFactory,
) -> None:
    here = await circle(["ben"], ["ana"], encrypted=False)
    ben, ana = here
    product = (await here.post_product(ben, THROW))["content"][PRODUCT]
    card = await here.open_buy(ben, f"merino-throw 3:79 8:69 until {in_days(5)} 18:00")
    assert "encrypted" not in await ana.sees(here.group, lambda e: e["event_id"] == card)
    await ana.say(here.group, "+8", reply_to=card)
    reached = await ana.sees(here.group, lambda e: e["type"] == BUY and e["content"].get("unit_price") == 6900)
    buy_id = ana.shown(here.group, card)[BUY]["id"]
    state = await ana.state(here.group, BUY, buy_id)
    assert state == reached["content"]
    product_key, opens_at, closes_at = state.pop("product"), state.pop("opens_at"), state.pop("closes_at")
    assert product_key == {name: product[name] for name in ("id", "sku", "name", "url")}
    assert isinstance(closes_at, int) and opens_at < closes_at
    assert state == {
        "version": 1,
        "id": buy_id,
        "status": "open",
        "card": card,
        "tiers": [{"minimum": 3, "unit_price": 7900}, {"minimum": 8, "unit_price": 6900}],
        "pack": 1,
        "priceCurrency": "EUR",
        "exponent": 2,
        "unit_price": 6900,
    }  # every joiner reads current state


def _split(card: str) -> list:
    """The card's lines up to the deadline in one list, then the rest one by one."""
    lines = card.split("\n")
    at = next(n for n, line in enumerate(lines) if line.startswith(("Closes", "Closed")))
    return [lines[:at], *lines[at:]]


@pytest.mark.slow
async def test_a_buy_of_a_whole_group_makes_few_new_messages(circle: CircleFactory) -> None:
    names = ["ana", "otto", "mia", "jonas", "lena", "emil"]
    here = await circle(["ben"], names)
    ben, *members = here
    await here.post_product(ben, THROW)
    before = len(ben.new_messages(here.group, here.bot))
    card = await here.open_buy(ben, f"merino 10:79 25:69 until {in_days(5)} 18:00")

    async def dither(member: Person) -> None:
        await member.say(here.group, "+1", reply_to=card)
        await member.react(here.group, card, "+2")
        await member.say(here.group, "!pledge 0")
        last = await member.say(here.group, "!pledge 5")
        await member.sees_that(lambda: member.reactions(here.group, last), timeout=30)

    await asyncio.gather(*(dither(member) for member in members))
    await here.owner.say(here.desk, "!buy close")
    await asyncio.gather(*(one.direct_message_from(here.bot, "5 × €69.00 = €345.00") for one in members))
    await ben.sees(here.group, "closed with 30")
    posted = [event["content"]["body"].split("\n")[0] for event in ben.new_messages(here.group, here.bot)[before:]]
    assert [" ".join(line.split()[:5]) for line in posted] == [
        "Group buy: Merino throw",
        "Merino throw: the minimum order",
        "Merino throw: 25 are reached,",
        "Merino throw: closed with 30",
    ]
    assert {event["content"]["msgtype"] for event in ben.new_messages(here.group, here.bot)} == {"m.notice"}


def _about(event: Event) -> str:
    """The id of a message; of a reaction, that of what it is about."""
    return str(event["content"].get("m.relates_to", {}).get("event_id", event["event_id"]))


async def test_a_late_joiner_sees_the_terms_but_nothing_that_was_said_before(
    circle: CircleFactory, person: PersonFactory
) -> None:
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    await here.post_product(ben, THROW)
    card = await here.open_buy(ben, f"merino 3:79 6:69 until {in_days(5)} 18:00")
    pledged = await ana.say(here.group, "+4", reply_to=card)
    await ana.sees(here.group, "the minimum order is reached")
    zoe = await person("zoe")
    await here.welcome(zoe)
    fresh = await zoe.sees(here.group, lambda e: kind(e) == "message" and BUY in e["content"])
    pinned = {"pinned": [fresh["event_id"]]}
    await zoe.sees(here.group, lambda e: e["type"] == "m.room.pinned_events" and e["content"] == pinned)

    history = await zoe.messages(here.group)
    assert {pledged, card}.isdisjoint(event["event_id"] for event in history)
    for events in (history, zoe.timeline(here.group)):  # nothing but a card for her, with its buttons
        said = ("m.room.message", "m.reaction", "m.room.encrypted")
        shown = [(e["type"], _about(e)) for e in events if e["type"] in said]
        assert shown == [(type, fresh["event_id"]) for type in ("m.room.message", *["m.reaction"] * 3)]
    assert "4 pledged" in fresh["content"]["body"]
    buy = next(event for (kind, _), event in zoe.seen.state[here.group].items() if kind == BUY)
    assert buy["content"].keys() == {"version", "id", "status", "closes_at", "card"}

    # her card takes pledges, and so does the one that she cannot see
    for member, seen in ((zoe, fresh["event_id"]), (ana, card)):
        pledge = await member.say(here.group, "+1", reply_to=seen)
        await member.sees_that(lambda: member.reactions(here.group, pledge) == {"✅": {here.bot}})  # noqa: B023
    await zoe.sees(here.group, "6 are reached")
