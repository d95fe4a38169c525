"""A third party's bot, a concierge by its power only, does whole buys by events on a real Synapse."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.harness.circle import BUY, ORDER, PRODUCT, Circle, CircleFactory
from tests.harness.person import Event, MatrixError, Person
from tests.harness.sighting import kind

DAY = 86_400_000
ID = "k3x9qf"
TIERS = [{"minimum": 3, "unit_price": 7900}, {"minimum": 8, "unit_price": 6900}]
BETTER = [{"minimum": 3, "unit_price": 7900}, {"minimum": 6, "unit_price": 6900}]


async def test_a_bot_does_a_whole_buy_by_keyed_messages_and_state_events_only_end_one(circle: CircleFactory) -> None:
    here = await circle(["till"], ["ana", "otto"])
    till, _, _ = here
    await by_messages(here, till)
    await only_ended_by_state(here, till)
    assert till.sent_in_clear(here.group, till.user_id) == till.sent_in_clear(here.group, here.bot) == []
    spoke_as_a_program(here, till)


async def test_in_an_unencrypted_group_a_bot_does_a_whole_buy_by_state_events(circle: CircleFactory) -> None:
    here = await circle(["till"], ["ana", "otto"], encrypted=False)
    till, _, _ = here
    await by_state(here, till)
    spoke_as_a_program(here, till)


def spoke_as_a_program(here: Circle, till: Person) -> None:
    spoken = [e["content"] for e in till.timeline(here.group) if e["sender"] == till.user_id and kind(e) == "message"]
    assert all(content["msgtype"] == "m.notice" and not content["body"].startswith("!") for content in spoken)
    assert here.errors() == []


async def by_state(here: Circle, till: Person) -> None:
    """The buy by state events: posted, opened, improved, extended, closed; and what cannot be is put back."""
    await posted(here, till, "throw-1", "Throw one")
    closes_at = in_days(3)
    new = {"version": 1, "product": {"sku": "throw-1"}, "tiers": TIERS, "closes_at": closes_at}
    asked = await till.put_state(here.group, BUY, new, ID)
    opened = await adopted(here, till, asked, lambda c: "card" in c)
    assert (opened["id"], opened["tiers"], opened["status"]) == (ID, TIERS, "open")
    await pledge(here, opened["card"])

    asked = await till.put_state(here.group, BUY, {**await picture(here, till), "tiers": BETTER}, ID)
    assert (await adopted(here, till, asked))["tiers"] == BETTER
    asked = await till.put_state(here.group, BUY, {"closes_at": closes_at + DAY}, ID)
    extended = await adopted(here, till, asked)
    assert (extended["closes_at"], extended["tiers"]) == (closes_at + DAY, BETTER)

    before = await picture(here, till)
    asked = await till.put_state(here.group, BUY, {**before, "tiers": [{"minimum": 3, "unit_price": 8900}]}, ID)
    assert await adopted(here, till, asked) == before
    desk_line = await here.owner.sees(here.desk, "People have pledged, so the terms may only get better for everyone")
    assert desk_line["content"]["body"].startswith(f"{await here.alias_of(till)} wrote to the state event")
    _, ana, _ = here
    for key in (ID, "aaaaaa"):
        with pytest.raises(MatrixError, match="M_FORBIDDEN"):  # the room itself refuses who is no concierge
            await ana.put_state(here.group, BUY, {"status": "closing"}, key)
    assert await picture(here, till) == before

    asked = await till.put_state(here.group, BUY, {"status": "closing"}, ID)
    await adopted(here, till, asked, lambda c: c.get("status") == "succeeded")
    await receipts(here, ID)


async def only_ended_by_state(here: Circle, till: Person) -> None:
    """What homeservers could read is put back and refused; a buy is cancelled by it."""
    await posted(here, till, "throw-3", "Throw three")
    value = {"version": 1, "product": "throw-3", "tiers": TIERS, "closes_at": in_days(3)}
    after = await acknowledged(here, till, keyed(BUY, value))
    card = await till.sees(here.group, lambda e: kind(e) == "message" and BUY in e["content"], after=after)
    buy_id = card["content"][BUY]["id"]
    stands = {"version": 1, "id": buy_id, "status": "open", "closes_at": value["closes_at"], "card": card["event_id"]}
    await till.sees(here.group, lambda e: state_of(e, buy_id) == stands)

    for key, content, then in ((buy_id, {**stands, "tiers": BETTER}, stands), (ID, value, {})):
        asked = await till.put_state(here.group, BUY, content, key)
        await till.sees(
            here.group,
            lambda e: (e["sender"], e.get("state_key"), e["content"]) == (here.bot, key, then),  # noqa: B023
            after=asked,
        )
    told = [e["content"]["body"] for e in here.owner.new_messages(here.desk, here.bot) if "wrote to" in str(e)]
    assert all("homeservers" in line for line in told) and told, told

    asked = await till.put_state(here.group, BUY, {**stands, "status": "cancelled", "reason": "too late"}, buy_id)
    await till.sees(here.group, lambda e: state_of(e, buy_id).get("status") == "cancelled", after=asked)
    assert await till.state(here.group, BUY, buy_id) == {**stands, "status": "cancelled"}


async def by_messages(here: Circle, till: Person) -> None:
    """The buy by messages with the keys, each acknowledged; a member's are not even answered."""
    _, ana, _ = here
    await posted(here, till, "throw-2", "Throw two")
    value: dict[str, Any] = {"version": 1, "product": "throw-2", "tiers": TIERS, "closes_at": in_days(3)}
    forged = await ana.send_event(here.group, "m.room.message", keyed(BUY, value))
    await acknowledged(here, till, keyed(BUY, value))
    card = await till.sees(
        here.group, lambda e: kind(e) == "message" and e["content"].get(BUY, {}).get("total") == 0, after=forged
    )
    buy_id = card["content"][BUY]["id"]
    await pledge(here, card["event_id"])
    await acknowledged(here, till, keyed(BUY, {"id": buy_id, "tiers": BETTER}))
    await acknowledged(here, till, keyed(BUY, {"id": buy_id, "closes_at": in_days(5)}))
    wrong = await till.send_event(here.group, "m.room.message", keyed(BUY, {"id": buy_id, "cap": "many"}))
    await till.sees_that(lambda: till.reactions(here.group, wrong) == {"⚠️": {here.bot}})
    await till.direct_message_from(here.bot, "The cap in the event is not what it should be")
    await acknowledged(here, till, keyed(BUY, {"id": buy_id, "status": "closing"}))
    await till.sees(here.group, lambda e: state_of(e, buy_id).get("status") == "succeeded")
    await receipts(here, buy_id)
    assert ana.reactions(here.group, forged) == {}
    states = [e["content"] for e in till.timeline(here.group) if e["type"] == BUY and "state_key" in e]
    assert {key for content in states for key in content} <= {"version", "id", "status", "closes_at", "card"}


# Steps


def keyed(key: str, value: Any) -> dict[str, Any]:
    return {"msgtype": "m.notice", "body": "What follows is for programs.", key: value}


def in_days(days: int) -> int:
    return int(time.time() * 1000) + days * DAY


def state_of(event: Event, buy_id: str) -> dict[str, Any]:
    return dict(event["content"]) if event["type"] == BUY and event.get("state_key") == buy_id else {}


async def posted(here: Circle, till: Person, sku: str, name: str) -> None:
    product = {"sku": sku, "name": name, "url": "https://shop.example/throw", "price": 8900, "priceCurrency": "EUR"}
    content = {"msgtype": "m.notice", "body": f"{name}\n€89.00\nhttps://shop.example/throw", PRODUCT: product}
    await acknowledged(here, till, content)


async def acknowledged(here: Circle, till: Person, content: dict[str, Any]) -> str:
    event = await till.send_event(here.group, "m.room.message", content)
    await till.sees_that(lambda: till.reactions(here.group, event) == {"✅": {here.bot}})
    return event


async def adopted(here: Circle, till: Person, asked: str, when: Any = bool) -> dict[str, Any]:
    """What the service publishes after a request."""
    seen = await till.sees(
        here.group, lambda e: e["sender"] == here.bot and state_of(e, ID) and when(e["content"]), after=asked
    )
    return dict(seen["content"])


async def picture(here: Circle, till: Person) -> dict[str, Any]:
    found = await till.state(here.group, BUY, ID)
    assert found is not None
    return found


async def pledge(here: Circle, card: str) -> None:
    _, ana, otto = here
    replies = [
        (ana, await ana.say(here.group, "+2", reply_to=card)),
        (otto, await otto.say(here.group, "+2", reply_to=card)),
    ]
    for who, reply in replies:
        await who.sees_that(lambda who=who, reply=reply: who.reactions(here.group, reply) == {"✅": {here.bot}})


async def receipts(here: Circle, buy_id: str) -> None:
    _, *members = here
    told = await asyncio.gather(
        *(
            one.direct_message_from(here.bot, lambda e: e["content"].get(ORDER, {}).get("buy") == buy_id)
            for one in members
        )
    )
    assert [(e["content"][ORDER]["units"], e["content"][ORDER]["unit_price"]) for e in told] == [(2, 7900)] * 2
