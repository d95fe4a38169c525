"""What concierges' clients and bots ask for by events: products and whole buys, in state or by keyed messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.flows.circles import three_circles
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import BUY, ORDER, PRODUCT, Journey
from tests.flows.service import DAY, HOUR, MINUTE, MONDAY, Service

FRIDAY_18 = 1_795_798_800_000  # 2026-11-27 18:00 in Vienna
ID = "k3x9qf"
MUG = {"name": "Mug", "url": "https://shop.example/mug", "price": 1250, "sku": "MUG-1"}
TIERS = [{"minimum": 10, "unit_price": 7900}, {"minimum": 25, "unit_price": 6900}]
NEW: dict[str, Any] = {"version": 1, "product": {"sku": "merino-throw"}, "tiers": TIERS, "closes_at": FRIDAY_18}
LOOK = "in the event is not what it should be: see docs/events.md."


def message(key: str, value: Any, body: str = "for programs", msgtype: str = "m.notice", **more: Any) -> dict[str, Any]:
    return {"msgtype": msgtype, "body": body, key: value, **more}


def states(play: Journey) -> dict[str, Any]:
    """What stands in the group's state, by key."""
    return {key: event.content for (type, key), event in play.room.state.items() if type == BUY}


async def put(play: Journey, who: Person, content: Any, key: str = ID, *, force: bool = False) -> str:
    event_id = who.put_state(play.group, BUY, content, state_key=key, force=force)
    await play.rest()
    return event_id


async def send(play: Journey, who: Person, content: Any, room: str | None = None) -> str:
    event_id = who.send(room or play.group, "m.room.message", content)
    await play.rest()
    return event_id


async def buys(service: Service) -> list[tuple[str, str]]:
    return [(row["id"], row["status"]) for row in await service.rows("SELECT id, status FROM group_buy ORDER BY id")]


async def appoint(play: Journey, name: str) -> Person:
    """A bot that somebody else has written, made a concierge by rosa."""
    bot = play.person(name)
    await play.tell(play.rosa, f"!concierge add {bot.mxid}")
    assert bot.mxid in play.room.joined
    return bot


def put_back(who: str, why: str) -> str:
    return f"{who} wrote to the state event of a group buy, and I have put it back. {why}"


async def everybody_pledges(play: Journey) -> None:
    play.find_card()
    for person, units in ((play.ana, 6), (play.otto, 5), (play.mia, 1)):
        assert play.signs(await play.plus(person, units)) == ["✅"]


async def is_closed_at_79(play: Journey) -> None:
    assert {name: order[:2] for name, order in (await play.orders()).items()} == {
        "ana": (6, 7900), "otto": (5, 7900), "mia": (1, 7900)}  # fmt: skip
    assert all(len(play.receipts(person)) == 1 for person in (play.ana, play.otto, play.mia))


# Whole buys


async def test_a_bot_does_a_whole_buy_by_state_events_alone(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service, nobody_exposed: None
) -> None:
    bot = await appoint(circle, "till")
    said = len(circle.posted(circle.desk))
    product = await send(circle, bot, message(PRODUCT, {**MUG, "price": 9000, "sku": "merino-throw"}))
    assert circle.signs(product) == ["✅"]
    await put(circle, bot, {**NEW, "status": "open", "id": ID, "priceCurrency": "EUR", "exponent": 2})
    circle.find_card()
    assert circle.buy == ID and await buys(service) == [(ID, "open")]
    picture = circle.room.content(BUY, ID)
    assert (picture["card"], picture["tiers"], picture["status"]) == (circle.card, TIERS, "open")
    assert circle.room.state[BUY, ID].sender == hs.bot
    await everybody_pledges(circle)

    better = [{"minimum": 10, "unit_price": 7900}, {"minimum": 20, "unit_price": 6900}]
    await put(circle, bot, {**circle.room.content(BUY, ID), "tiers": better, "closes_at": FRIDAY_18 + DAY})
    picture = circle.room.content(BUY, ID)
    assert (picture["tiers"], picture["closes_at"]) == (better, FRIDAY_18 + DAY)
    assert picture["unit_price"] == 7900 and "the closing time has moved" in circle.posted()[-1]
    await put(circle, bot, {"closes_at": FRIDAY_18})
    assert circle.room.content(BUY, ID)["closes_at"] == FRIDAY_18
    service.clock.advance(1)
    await put(circle, bot, {"status": "closing"})
    await circle.settle()
    assert circle.room.content(BUY, ID)["status"] == "succeeded"
    await is_closed_at_79(circle)
    await put(circle, bot, {"status": "ordered", "reason": "by e-mail"})
    assert await circle.status() == "ordered" and circle.room.content(BUY, ID)["status"] == "succeeded"
    assert [line for line in circle.posted(circle.desk)[said:] if "state event" in line] == []
    actors = await service.rows("SELECT DISTINCT actor FROM ledger WHERE buy_id = $1 AND fact IN"
                                " ('drafted', 'improved', 'extended', 'shortened', 'closing')", ID)  # fmt: skip
    till = await service.rows("SELECT number FROM member WHERE user_id = $1", bot.mxid)
    assert [row["actor"] for row in actors] == [till[0]["number"]]


async def test_a_bot_does_a_whole_buy_by_keyed_messages_alone(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    bot = await appoint(circle, "till")
    acknowledged = [await send(circle, bot, message(PRODUCT, {**MUG, "price": 9000, "sku": "T-1"}))]
    opened = message(BUY, {**NEW, "product": "T-1", "id": ID}, msgtype="m.text")
    acknowledged.append(await send(circle, bot, opened))
    assert await buys(service) == [(ID, "open")]
    await everybody_pledges(circle)
    better = [{"minimum": 10, "unit_price": 7900}, {"minimum": 20, "unit_price": 6900}]
    steps = (
        {"id": ID, "tiers": better},
        {"id": ID, "closes_at": FRIDAY_18 + HOUR},
        {"id": ID, "status": "closed"},
    )
    for value in steps:
        service.clock.advance(1)
        acknowledged.append(await send(circle, bot, message(BUY, value)))
    await circle.settle()
    picture = circle.room.content(BUY, ID)
    assert (picture["status"], picture["tiers"]) == ("succeeded", better)
    assert [circle.signs(event) for event in acknowledged] == [["✅"]] * 5
    await is_closed_at_79(circle)
    own = [event for event in hs.events_by(bot.mxid) if event.type == BUY or str(event.body).startswith("!")]
    assert own == []


async def test_a_keyed_message_in_the_desk_does_the_same(circle: Journey, hs: FakeHomeserver) -> None:
    asked = await send(circle, circle.ben, message(PRODUCT, MUG), circle.desk)
    assert circle.signs(asked) == ["✅"] and circle.posted() == ["Mug\n€12.50\nhttps://shop.example/mug"]
    asked = await send(circle, circle.ben, message(BUY, {**NEW, "product": "MUG-1", "tiers": [
        {"minimum": 5, "unit_price": 1000}]}), circle.desk)  # fmt: skip
    circle.find_card()
    assert circle.signs(asked) == ["✅"] and circle.card_text.startswith("Group buy: Mug\n")
    wrong = await send(circle, circle.ben, message(BUY, {"id": circle.buy, "pack": 0}), circle.desk)
    assert circle.signs(wrong) == ["⚠️"]
    assert circle.posted(circle.desk)[-1] == "The pack and the cap are whole numbers from 1 up."


async def test_a_buy_can_be_planned_by_a_state_event_and_opens_by_itself(circle: Journey, service: Service) -> None:
    await circle.add_product()
    opens_at = MONDAY + DAY
    await put(circle, circle.ben, {**NEW, "opens_at": opens_at})
    assert await buys(service) == [(ID, "scheduled")]
    assert circle.room.content(BUY, ID)["status"] == "scheduled"
    assert circle.room.state[BUY, ID].sender == circle.hs.bot
    await put(circle, circle.ben, {**NEW, "opens_at": opens_at, "status": "open"})
    assert await buys(service) == [(ID, "scheduled")], "the same again asks for nothing"
    await put(circle, circle.ben, {"cap": 50})
    assert circle.room.content(BUY, ID)["cap"] == 50
    await service.wait(DAY)
    circle.find_card()
    assert await buys(service) == [(ID, "open")] and circle.room.content(BUY, ID)["card"] == circle.card


async def test_all_terms_can_be_given_and_taken_away_again(circle: Journey, service: Service) -> None:
    await circle.add_product()
    more = {
        "pack": 2, "cap": 60, "least": 2, "most": 20, "step": 2, "variants": ["S", "Large blue"], "shared_cost": 4500,
        "tax": {"rate": 2000, "inclusive": False},
    }  # fmt: skip
    await put(circle, circle.ben, NEW | more)
    assert circle.room.content(BUY, ID).items() >= more.items()
    await put(circle, circle.ben, {"cap": None, "most": None, "tax": None, "shared_cost": 0, "org.example.note": "x"})
    left = circle.room.content(BUY, ID)
    assert not {"cap", "most", "tax", "shared_cost", "org.example.note"} & left.keys() and left["pack"] == 2
    assert circle.posted(circle.desk) == []


async def test_a_buy_is_cancelled_with_a_reason_and_not_without(shop: Journey) -> None:
    await shop.plus(shop.ana, 2)
    await put(shop, shop.ben, {"status": "cancelled"}, shop.buy)
    assert await shop.status() == "open" and shop.room.content(BUY, shop.buy)["status"] == "open"
    alias = await shop.alias(shop.ben)
    why = "The event has no reason, which is needed for that."
    assert shop.posted(shop.desk) == [put_back(alias, why)]
    await put(shop, shop.ben, {"status": "cancelled", "reason": "The supplier has none left."}, shop.buy)
    assert await shop.status() == "cancelled" and shop.room.content(BUY, shop.buy)["status"] == "cancelled"
    assert shop.told(shop.ana)[-1].startswith("Merino throw: the group buy was cancelled. The supplier has none left.")


# What asks for nothing


async def test_what_is_true_already_asks_for_nothing(shop: Journey, hs: FakeHomeserver) -> None:
    before = await shop.ledger()
    await put(shop, shop.ben, shop.room.content(BUY, shop.buy), shop.buy)
    assert shop.room.state[BUY, shop.buy].sender == hs.bot
    asked = await send(shop, shop.ben, message(BUY, {"id": shop.buy, "tiers": TIERS, "status": "open"}))
    assert shop.signs(asked) == []
    await put(shop, shop.ben, {}, "nobody")
    assert await shop.ledger() == before and shop.posted(shop.desk) == []


async def test_a_forwarded_card_or_result_asks_for_nothing(shop: Journey, service: Service) -> None:
    shown = shop.hs.event(shop.card).content
    await put(shop, shop.ben, {"cap": 40, "closes_at": FRIDAY_18 + DAY}, shop.buy)
    before, posted = await shop.ledger(), len(shop.posted())
    product = shop.hs.event(shop.product).content
    copies = [await send(shop, shop.ben, content) for content in (shown, product)]
    assert [shop.signs(copy) for copy in copies] == [[], []]
    assert await shop.ledger() == before and len(shop.posted()) == posted
    assert shop.room.content(BUY, shop.buy)["closes_at"] == FRIDAY_18 + DAY
    await shop.plus(shop.ana, 10)
    await shop.close()
    result = next(e for e in shop.room.messages(shop.hs.bot) if "lines" in e.content.get(BUY, {}))
    assert shop.signs(await send(shop, shop.ben, result.content)) == []
    assert await shop.status() == "collecting" and len(await service.rows("SELECT id FROM product")) == 1


async def test_an_edit_of_a_keyed_message_changes_nothing(shop: Journey) -> None:
    asked = await send(shop, shop.ben, message(BUY, {"id": shop.buy, "cap": 40}, msgtype="m.text"))
    new = message(BUY, {"id": shop.buy, "cap": 80}, msgtype="m.text")
    edit = {**new, "m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": asked}}
    await send(shop, shop.ben, edit)
    assert shop.room.content(BUY, shop.buy)["cap"] == 40
    assert shop.told(shop.ben)[-1].startswith("Editing changes nothing")


# By whom


async def test_a_members_forged_card_is_neither_a_request_nor_answered(shop: Journey, service: Service) -> None:
    said = (len(shop.posted()), shop.told(shop.ana))
    forged = [
        await send(shop, shop.ana, message(BUY, value))
        for value in ({**NEW, "id": ID}, {"id": shop.buy, "status": "closing"}, {"id": shop.buy, "cap": 30}, 5)
    ]
    forged.append(await send(shop, shop.ana, message(PRODUCT, MUG)))
    assert [shop.signs(event) for event in forged] == [[]] * 5
    assert (len(shop.posted()), shop.told(shop.ana)) == said
    assert await buys(service) == [(shop.buy, "open")] and "cap" not in shop.room.content(BUY, shop.buy)
    assert [event for event in forged if await service.rows("SELECT 1 FROM arrival WHERE id = $1", event)] == []


async def test_a_members_pledge_counts_whatever_keys_are_in_it(shop: Journey) -> None:
    relation = {"m.in_reply_to": {"event_id": shop.card}}
    pledge = message(BUY, {"id": shop.buy, "status": "closing"}, "+2", "m.text", **{"m.relates_to": relation})
    assert shop.signs(await send(shop, shop.ana, pledge)) == ["✅"]
    assert await shop.units() == {"ana": 2} and await shop.status() == "open"


async def test_a_member_with_power_by_accident_is_put_back_with_the_reason_in_the_desk(
    shop: Journey, service: Service, nobody_exposed: None
) -> None:
    before = shop.room.content(BUY, shop.buy)
    for key, content in ((shop.buy, {"cap": 30}), (shop.buy, {"status": "closing"}), (ID, NEW)):
        await put(shop, shop.ana, content, key, force=True)
    assert states(shop) == {shop.buy: before, ID: {}} and await buys(service) == [(shop.buy, "open")]
    line = put_back(await shop.alias(shop.ana), "Only concierges of the group can do that.")
    assert shop.posted(shop.desk) == [line, line], "of the same key and reason once"
    assert shop.told(shop.ana) == []


async def test_a_concierge_of_another_group_changes_nothing_here(shop: Journey, service: Service) -> None:
    throw, wool, desk = shop.buy, shop.group, shop.desk
    lines = await service.rows("SELECT fact FROM ledger WHERE buy_id IS NOT NULL")
    pia = shop.person("pia")
    await shop.make_group("Book circle")
    await shop.tell(shop.rosa, f'!concierge add {pia.mxid} "book circle"')
    await put(shop, pia, {"status": "closing"}, throw)
    assert states(shop) == {throw: {}}
    why = "A new group buy has an id of its own: six characters out of"
    [line] = shop.posted(shop.desk)
    assert why in line
    asked = await send(shop, pia, message(BUY, {"id": throw, "cap": 30}))
    assert shop.signs(asked) == ["⚠️"] and why in shop.told(pia)[-1]
    asked = await send(shop, pia, message(BUY, {**NEW, "id": ID}))
    assert shop.signs(asked) == ["⚠️"] and "There is no product" in shop.told(pia)[-1]
    shop.group, shop.desk = wool, desk
    await put(shop, pia, {"status": "closing"}, throw, force=True)
    assert await buys(service) == [(throw, "open")] and shop.room.content(BUY, throw)["status"] == "open"
    assert await service.rows("SELECT fact FROM ledger WHERE buy_id IS NOT NULL") == lines


async def test_the_power_to_ask_goes_with_the_role(shop: Journey, service: Service) -> None:
    await shop.tell(shop.rosa, f"!concierge remove {shop.ben.mxid}")
    asked = await send(shop, shop.ben, message(BUY, {"id": shop.buy, "status": "closing"}))
    assert shop.signs(asked) == [] and await shop.status() == "open"


# What is refused

_BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "There is nothing in the event."),
    ({"cap": True}, f"The cap {LOOK}"),
    ({"cap": 2.5}, f"The cap {LOOK}"),
    ({"cap": "40"}, f"The cap {LOOK}"),
    ({"cap": -1}, f"The cap {LOOK}"),
    ({"cap": 2**53}, f"The cap {LOOK}"),
    ({"pack": None}, f"The pack {LOOK}"),
    ({"tiers": {}}, f"The tiers {LOOK}"),
    ({"tiers": [[10, 7900]]}, f"The tiers {LOOK}"),
    ({"tiers": [{"minimum": 10, "unit_price": 79.0}]}, f"The tiers {LOOK}"),
    ({"tiers": []}, "A group buy has 1 to 10 price tiers"),
    ({"tiers": TIERS[::-1]}, "Tiers go up:"),
    ({"tiers": [{"minimum": n, "unit_price": 9999 - n} for n in range(1, 500)]}, "A group buy has 1 to 10"),
    ({"closes_at": MONDAY - 1}, "Members need notice"),
    ({"closes_at": MONDAY + HOUR}, "Members need notice"),
    ({"closes_at": 2**53 - 1}, "That deadline is more than a year away."),
    ({"opens_at": 2**53 - 1}, "That deadline is more than a year away."),
    ({"variants": "S"}, f"The variants {LOOK}"),
    ({"variants": ["S", 5]}, f"The variants {LOOK}"),
    ({"variants": ["S\u202e"]}, "Each variant is"),
    ({"tax": {"rate": "20"}}, f"The tax {LOOK}"),
    ({"tax": {"rate": 10_001}}, "A tax is 0 to 100 %"),
    ({"shared_cost": None}, f"The shared_cost {LOOK}"),
    ({"priceCurrency": "USD"}, f"The priceCurrency {LOOK}"),
    ({"exponent": 3}, f"The exponent {LOOK}"),
    ({"version": 2}, f"The version {LOOK}"),
    ({"id": "zzzzzz"}, f"The id {LOOK}"),
    ({"product": {"sku": "mug"}}, "The product of a group buy stays as it is."),
    ({"product": {}}, f"The product {LOOK}"),
    ({"status": "failed"}, f"The status {LOOK}"),
    ({"status": "draft"}, f"The status {LOOK}"),
    ({"status": "ordered"}, "This group buy is still open"),
    ({"status": "closing", "cap": 40}, "That asks for two things at once."),
    ({"status": ["open"]}, f"The status {LOOK}"),
    ({"status": "cancelled", "reason": "\u200b"}, f"The reason {LOOK}"),
    ({"status": "cancelled", "reason": "x" * 301}, f"The reason {LOOK}"),
    ({"closes": FRIDAY_18}, "I know no field “closes”."),
    ({"x" * 5000: 1}, "I know no field “xxx"),
    ({"cap": 40, "note": {"deep": [[{}]]}}, "I know no field “note”."),
]


@pytest.mark.parametrize("number", range(0, len(_BAD), 10))
async def test_bad_changes_are_put_back_with_the_reason_in_the_desk(
    number: int, shop: Journey, service: Service
) -> None:
    before, ledger, private = shop.room.content(BUY, shop.buy), await shop.ledger(), shop.told(shop.ben)
    alias = await shop.alias(shop.ben)
    for content, why in _BAD[number : number + 10]:
        told = len(shop.posted(shop.desk))
        await put(shop, shop.ben, content, shop.buy, force=True)
        assert shop.room.content(BUY, shop.buy) == before
        fresh = shop.posted(shop.desk)[told:]
        assert len(fresh) <= 1
        if fresh:
            assert fresh[0].startswith(put_back(alias, why)), (content, fresh[0])
        else:
            assert put_back(alias, why) in str(shop.posted(shop.desk)), content
    assert await shop.ledger() == ledger and shop.told(shop.ben) == private


@pytest.mark.parametrize(
    ("key", "without", "content", "why"),
    [
        (ID, "product", {}, "The event has no product"),
        (ID, "tiers", {}, "The event has no tiers"),
        (ID, "closes_at", {}, "The event has no closes_at"),
        (ID, "", {"status": "closing"}, f"The status {LOOK}"),
        (ID, "", {"product": "no-such"}, "There is no product “no-such”"),
        (ID, "", {"product": {"sku": "merino-throw", "id": "zzzzzz"}}, "There is no product “merino-throw”"),
        (ID, "", {"tiers": [{"minimum": 5, "unit_price": 8901}]}, "A group buy is for less"),
        (ID, "", {"closes_at": MONDAY - 1}, "That deadline has already passed."),
        (ID, "", {"opens_at": MONDAY - 1}, "A planned buy needs a time at which it opens"),
        (ID, "", {"opens_at": FRIDAY_18 + 1}, "The deadline comes before the opening."),
        (ID, "", {"pack": 30, "cap": 20}, "With a cap of 20"),
        ("short", "", {}, "A new group buy has an id of its own"),
        ("k3x9q0", "", {}, "A new group buy has an id of its own"),
        ("K3X9QF", "", {}, "A new group buy has an id of its own"),
        ("", "", {}, "A new group buy has an id of its own"),
        ("<b>ana</b>", "", {}, "A new group buy has an id of its own"),
    ],
)
async def test_a_new_buy_that_cannot_be_is_taken_out_with_the_reason_in_the_desk(
    key: str, without: str, content: dict[str, Any], why: str, circle: Journey, service: Service
) -> None:
    await circle.add_product()
    offered = {name: value for name, value in (NEW | content).items() if name != without}
    await put(circle, circle.ben, offered, key)
    assert circle.room.content(BUY, key) == {} and await buys(service) == []
    [line] = circle.posted(circle.desk)
    assert line.startswith(put_back(await circle.alias(circle.ben), why))
    asked = await send(circle, circle.ben, message(BUY, offered | ({"id": key} if key else {"pack": 0})))
    assert circle.signs(asked) == ["⚠️"] and await buys(service) == []
    assert len(circle.posted()) == 1


async def test_a_keyed_message_that_cannot_be_is_answered_in_private(shop: Journey) -> None:
    for value in (5, None, [], "x", {}, {"id": shop.buy, "cap": 1.5}):
        told = len(shop.told(shop.ben))
        event = shop.ben.send(shop.group, "m.room.message", message(BUY, value), force=True)
        await shop.rest()
        assert shop.signs(event) == ["⚠️"] and len(shop.told(shop.ben)) == told + 1
    both = message(BUY, {"id": shop.buy, "cap": 40}) | {PRODUCT: MUG}
    assert shop.signs(await send(shop, shop.ben, both)) == ["⚠️"]
    assert shop.told(shop.ben)[-1] == "That asks for two things at once. Send one event for each."
    assert "cap" not in shop.room.content(BUY, shop.buy)


async def test_terms_that_are_worse_for_who_has_pledged_are_refused_and_nothing_of_them_is_taken(shop: Journey) -> None:
    await shop.plus(shop.ana, 2)
    worse = [{"minimum": 10, "unit_price": 8500}, {"minimum": 25, "unit_price": 6900}]
    await put(shop, shop.ben, {"tiers": worse, "closes_at": FRIDAY_18 + DAY}, shop.buy)
    picture = shop.room.content(BUY, shop.buy)
    assert (picture["tiers"], picture["closes_at"]) == (TIERS, FRIDAY_18)
    [line] = shop.posted(shop.desk)
    assert "People have pledged, so the terms may only get better for everyone" in line
    better = [{"minimum": 10, "unit_price": 7500}, {"minimum": 25, "unit_price": 6900}]
    await put(shop, shop.ben, {"tiers": better, "closes_at": MONDAY + HOUR}, shop.buy)
    assert shop.room.content(BUY, shop.buy)["tiers"] == TIERS, "both or nothing"


async def test_a_flood_of_bad_requests_does_not_flood_the_desk(shop: Journey, service: Service) -> None:
    before = shop.room.content(BUY, shop.buy)
    for number in range(60):
        shop.ben.put_state(shop.group, BUY, {f"field{number}": 1}, state_key=shop.buy)
    await shop.rest()
    assert len(shop.posted(shop.desk)) == 20 and shop.room.content(BUY, shop.buy) == before
    await service.wait(2 * HOUR)
    await put(shop, shop.ben, {"field1": 1}, shop.buy)
    assert len(shop.posted(shop.desk)) == 21


async def test_nothing_is_begun_in_a_group_that_is_being_closed(circle: Journey, service: Service) -> None:
    await circle.add_product()
    await circle.tell(circle.rosa, f"!sunset {circle.group_id} confirm")
    assert (await service.rows("SELECT status FROM coterie_group"))[0]["status"] == "closing"
    await put(circle, circle.ben, NEW, force=True)
    assert await buys(service) == [] and states(circle) == {ID: {}}


# At the same time


@pytest.mark.parametrize("count", [2, 12])
async def test_of_several_requests_at_once_one_opens_the_buy(
    count: int, engine: str, circle: Journey, service: Service
) -> None:
    await circle.add_product()
    ids = [f"aaaa{a}{b}" for a in "23456789" for b in "23456789"][:count]
    for buy_id in ids:
        circle.ben.put_state(circle.group, BUY, NEW, state_key=buy_id)
        circle.rosa.send(circle.desk, "m.room.message", message(BUY, {**NEW, "id": buy_id}))
        await asyncio.sleep(0.001)
    await circle.rest()
    [(opened, status)] = await buys(service)
    assert opened in ids and status == "open"
    published = {key: content for key, content in states(circle).items() if content}
    assert list(published) == [opened] and "card" in published[opened]
    assert len([event for event in circle.hs.cards(circle.group) if "tiers" in event.content.get(BUY, {})]) == 1


async def test_changes_by_two_bots_at_once_are_both_made(engine: str, shop: Journey) -> None:
    other = await appoint(shop, "till")
    shop.ben.put_state(shop.group, BUY, {"cap": 40}, state_key=shop.buy)
    other.put_state(shop.group, BUY, {"closes_at": FRIDAY_18 + DAY}, state_key=shop.buy)
    shop.rosa.send(shop.desk, "m.room.message", message(BUY, {"id": shop.buy, "variants": []}))
    await shop.rest()
    picture = shop.room.content(BUY, shop.buy)
    assert (picture["cap"], picture["closes_at"], picture["status"]) == (40, FRIDAY_18 + DAY, "open")


@pytest.mark.slow
async def test_a_request_counts_by_when_it_was_written_down_not_by_when_it_is_handled(
    shop: Journey, service: Service
) -> None:
    await shop.plus(shop.ana, 12)
    await service.wait(FRIDAY_18 - MONDAY - 1)
    shop.ben.put_state(shop.group, BUY, {"closes_at": FRIDAY_18 + DAY}, state_key=shop.buy)
    await service.until(lambda: shop.hs.delivery.idle)
    await service.wait(MINUTE)
    assert shop.room.content(BUY, shop.buy)["closes_at"] == FRIDAY_18 + DAY and await shop.status() == "open"
    await service.wait(DAY)
    assert await shop.status() == "collecting"


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [{"cap": 40}, {"closes_at": FRIDAY_18 + DAY}, {"status": "cancelled", "reason": "x"}]
)
async def test_a_request_after_the_end_changes_nothing_or_is_the_next_step(
    content: dict[str, Any], shop: Journey, service: Service
) -> None:
    await shop.plus(shop.ana, 12)
    await service.wait(FRIDAY_18 - MONDAY + MINUTE)
    assert await shop.status() == "collecting"
    orders = await shop.orders()
    await put(shop, shop.ben, content, shop.buy)
    picture = shop.room.content(BUY, shop.buy)
    if "status" in content:
        assert await shop.status() == picture["status"] == "cancelled"
    else:
        assert await shop.status() == "collecting" and picture["status"] == "succeeded"
        assert "This group buy is not open any more." in shop.posted(shop.desk)[-1]
        assert await shop.orders() == orders


async def test_a_late_echo_of_the_opening_does_not_open_it_again(shop: Journey, service: Service) -> None:
    old = shop.room.content(BUY, shop.buy)
    await shop.plus(shop.ana, 12)
    await shop.close()
    await put(shop, shop.ben, old, shop.buy)
    assert await shop.status() == "collecting" and shop.room.content(BUY, shop.buy)["status"] == "succeeded"
    await service.wait(2 * DAY)
    assert shop.room.content(BUY, shop.buy) == {}
    await put(shop, shop.ben, old, shop.buy)
    assert shop.room.content(BUY, shop.buy) == {} and await shop.status() == "collecting"


# The picture


async def test_a_picture_that_somebody_removed_is_put_back(shop: Journey, hs: FakeHomeserver, service: Service) -> None:
    await put(shop, shop.ben, {"cap": 40}, shop.buy)
    before = shop.room.content(BUY, shop.buy)
    for _ in range(2):
        shop.ben.redact(shop.group, shop.room.state[BUY, shop.buy].event_id)
        assert shop.room.content(BUY, shop.buy) == {}
        await service.wait(3_000)
        assert shop.room.content(BUY, shop.buy) == before
    line = f"{await shop.alias(shop.ben)} removed the state event of a group buy. I have put it back"
    assert len([said for said in shop.posted(shop.desk) if said.startswith(line)]) == 1


async def test_a_picture_that_differs_without_an_event_is_put_back_when_the_room_is_looked_at(
    shop: Journey, service: Service
) -> None:
    before = dict(shop.room.content(BUY, shop.buy))
    await service.stop()
    shop.room.state[BUY, shop.buy].content = {**before, "status": "cancelled"}
    await service.start()
    assert shop.room.content(BUY, shop.buy) == before


# Products


async def test_a_product_message_is_itself_the_card(circle: Journey, hs: FakeHomeserver, service: Service) -> None:
    asked = await send(
        circle, circle.ben, message(PRODUCT, {**MUG, "priceCurrency": "EUR", "exponent": 2}, "Mug 12.50")
    )
    assert circle.posted() == [] and circle.signs(asked) == ["✅"]
    [row] = await service.rows("SELECT * FROM product")
    assert (row["sku"], row["name"], row["price_minor"], row["link"], row["event_id"]) == (
        "MUG-1", "Mug", 1250, "https://shop.example/mug", asked)  # fmt: skip
    await circle.say(circle.ben, "!buy open 10:9 until friday 18:00", reply_to=asked)
    circle.find_card()
    assert circle.card_text.startswith("Group buy: Mug\n")


async def test_a_picture_with_the_key_is_the_products_picture(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    image = circle.ben.image(circle.group, "mug.png", **{PRODUCT: {**MUG, "sku": "M"}})
    await circle.rest()
    assert circle.signs(image) == ["✅"] and circle.posted() == []
    await service.wait(2 * HOUR)
    await send(circle, circle.ben, message(BUY, {**NEW, "product": "M", "tiers": [{"minimum": 9, "unit_price": 900}]}))
    picture, card = circle.room.messages(hs.bot)
    assert picture.content["url"] == hs.event(image).content["url"] and ORDER not in card.content


BAD_PRODUCTS: list[tuple[Any, str]] = [
    ({"price": 12.5}, f"The price {LOOK}"),
    ({"price": "12.50"}, f"The price {LOOK}"),
    ({"price": True}, f"The price {LOOK}"),
    ({"price": 0}, f"The price {LOOK}"),
    ({"price": 10**12 + 1}, f"The price {LOOK}"),
    ({"exponent": 3}, f"The exponent {LOOK}"),
    ({"exponent": True}, f"The exponent {LOOK}"),
    ({"priceCurrency": "USD"}, f"The priceCurrency {LOOK}"),
    ({"version": 2}, f"The version {LOOK}"),
    ({"url": "javascript:alert(1)"}, "That is no link."),
    ({"url": "https://user:secret@shop.example/"}, "That is no link."),
    ({"url": "https://shop.example/" + "x" * 2000}, "That is no link."),
    ({"url": None}, "That is no link."),
    ({"name": "\u202e\u200b"}, "A name is 1 to 80"),
    ({"name": 5}, "A name is 1 to 80"),
    ({"name": "x" * 81}, "A name is 1 to 80"),
    ({"sku": "a b"}, "A SKU has"),
    ({"sku": 5}, "A SKU has"),
    ({"sku": ""}, "A SKU has"),
    ({"sku": "merino-throw"}, "The SKU merino-throw is taken"),
]


async def test_products_that_cannot_be_are_refused_in_private(shop: Journey, service: Service) -> None:
    for change, why in BAD_PRODUCTS:
        event = shop.ben.send(shop.group, "m.room.message", message(PRODUCT, MUG | change), force=True)
        await shop.rest()
        assert shop.signs(event) == ["⚠️"] and shop.told(shop.ben)[-1].startswith(why), (change, shop.told(shop.ben)[-1])
    for value in (5, None, [], "x"):
        event = shop.ben.send(shop.group, "m.room.message", message(PRODUCT, value), force=True)
        await shop.rest()
        assert shop.signs(event) == ["⚠️"]
    assert [row["sku"] for row in await service.rows("SELECT sku FROM product")] == ["merino-throw"]


async def test_a_link_to_a_host_that_looks_like_another_shows_what_it_is(circle: Journey, service: Service) -> None:
    await send(circle, circle.ben, message(PRODUCT, MUG | {"url": "https://\u0430pple.example/mug"}))
    [row] = await service.rows("SELECT link FROM product")
    assert row["link"] == "https://xn--pple-43d.example/mug"


async def test_html_in_a_products_name_stays_text(circle: Journey, hs: FakeHomeserver) -> None:
    await send(circle, circle.ben, message(PRODUCT, {**MUG, "name": "<b>Mug</b> & more", "sku": "M"}), circle.desk)
    card = hs.card(circle.group, PRODUCT)
    assert "<b>Mug" not in card["formatted_body"] and card[PRODUCT]["name"] == "<b>Mug</b> & more"


# Where a buy is shown in several groups


async def test_only_concierges_of_the_owning_group_change_a_shared_buy(shop: Journey, service: Service) -> None:
    first, second, _ = await three_circles(shop)
    await shop.tell(shop.ben, f"!buy share {shop.buy} {second.id}")
    kim = shop.person("kim")
    before = second.room.content(BUY, shop.buy)
    for content in ({"cap": 40}, {"status": "closing"}, {"status": "cancelled", "reason": "x"}, {}):
        kim.put_state(second.group, BUY, content, state_key=shop.buy)
        asked = kim.send(second.group, "m.room.message", message(BUY, {"id": shop.buy} | content))
        await shop.rest()
        assert second.room.content(BUY, shop.buy) == before
        assert shop.signs(asked) == ["⚠️"]
    assert await shop.status() == "open" and "Only concierges" in second.said_at_the_desk()[-1]
    assert first.said_at_the_desk() == []
    shop.ben.put_state(second.group, BUY, {"cap": 40}, state_key=shop.buy)
    await shop.rest()
    assert [circle.room.content(BUY, shop.buy)["cap"] for circle in (first, second)] == [40, 40]


async def test_a_planned_buy_can_be_made_to_open_sooner(circle: Journey, service: Service) -> None:
    await circle.add_product()
    await put(circle, circle.ben, {**NEW, "opens_at": MONDAY + DAY})
    await put(circle, circle.ben, {"opens_at": MONDAY + HOUR})
    await service.wait(HOUR)
    assert await buys(service) == [(ID, "open")]
