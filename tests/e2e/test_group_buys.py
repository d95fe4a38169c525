"""The whole life of group buys with real clients: a success up to its handing out, and a failure."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from contextlib import closing

from tests.e2e.conftest import in_days
from tests.harness.circle import BUY, Circle, CircleFactory
from tests.harness.person import Event, Person, PersonFactory
from tests.harness.service import Service, ServiceFactory

ORDER = "shop.coterie.order"
THROW = '"Merino throw" 89.00 https://shop.example/throw'
DAY_MS = 24 * 3_600_000


async def days_pass(service: Service, days: int) -> None:
    """Move what is due into the past, since nobody can wait for it."""
    await service.stop()
    with closing(sqlite3.connect(service.directory / "coterie.db")) as connection, connection:
        connection.execute("UPDATE purchase_order SET pay_by = pay_by - ?", (days * DAY_MS,))
        connection.execute("UPDATE unplaced SET answer_by = answer_by - ? WHERE offered > 0", (days * DAY_MS,))
        connection.execute("UPDATE told SET at = at - ?", (days * DAY_MS,))
        connection.execute("UPDATE timer SET due_at = due_at - ? WHERE kind = 'collect'", (days * DAY_MS,))
    await service.start()


async def by_hand(here: Circle, ben: Person, words: str) -> None:
    """Ben asks for something in the desk that is done."""
    asked = await ben.say(here.desk, words)
    await ben.sees_that(lambda: ben.reactions(here.desk, asked).keys() == {"✅"}, timeout=15)


async def _signed(here: Circle, member: Person, asked: str, sign: str) -> None:
    await member.sees_that(lambda: member.reactions(here.group, asked).keys() == {sign})


def receipts_of(person: Person, bot: str) -> list[Event]:
    return [event for event in person.direct_messages(bot) if ORDER in event["content"]]


async def test_a_buy_goes_through_payment_waitlist_and_a_short_delivery_to_its_handing_out(
    person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id], "time_zone": "Europe/Vienna"})
    here = await circle(["ben"], ["ana", "otto", "mia"], rosa=rosa, service=service)
    ben, ana, otto, mia = here
    bot = here.bot
    await here.post_product(ben, THROW)
    card = await here.open_buy(
        ben, f"merino-throw 5:79 10:69 until {in_days(5)} 18:00 cap 10 pack 5 variants S, M shared 10.00 tax 20%"
    )
    buy = ana.shown(here.group, card)[BUY]["id"]
    for member, words, sign in ((ana, "+4 s", "✅"), (otto, "+6 M", "✅"), (mia, "+3 m", "⏳")):
        asked = await member.say(here.group, words, reply_to=card)
        await _signed(here, member, asked, sign)
    talk = await mia.create_direct(bot)
    await otto.leave(here.group)
    await otto.direct_message_from(bot, "What you pledged stands")
    await by_hand(here, ben, "!buy close")
    await ana.sees(here.group, "closed with 10 units at €69.00 each")

    receipt = (await ana.direct_message_from(bot, lambda e: ORDER in e["content"]))["content"]
    assert receipt["body"].split("\n")[1:4] == [
        "4 S × €69.00 = €276.00",
        "your part of the shared cost: €4.00",
        "together €280.00, of which €46.00 is 20 % tax",
    ]
    await otto.direct_message_from(bot, lambda e: ORDER in e["content"])  # though he has left
    await mia.direct_message_from(bot, "there was no place left")
    await by_hand(here, ben, f"!order {receipt[ORDER]['id']} paid 280.00 in cash")
    await ana.direct_message_from(bot, "is paid, €280.00")

    await days_pass(service, 3)
    await otto.direct_message_from(bot, "Not paid yet")
    await days_pass(service, 1)
    await otto.direct_message_from(bot, "was not paid in time and has ended")
    await mia.direct_message_from(bot, "3 M became free for you at €69.00 each")
    taken = await mia.say(talk, f"!take {buy}")
    await mia.sees_that(lambda: mia.reactions(talk, taken).keys() == {"✅"})
    second = (await mia.direct_message_from(bot, lambda e: ORDER in e["content"]))["content"]
    assert second[ORDER]["units"] == 3 and second[ORDER]["unit_price"] == 6900, "the price did not rise"
    await ben.sees(here.desk, "is 3 units short")
    await by_hand(here, ben, f"!buy house {buy} 3 M")
    for step in ("ordered", "arrived"):
        await by_hand(here, ben, f"!buy {step} {buy}")
    await by_hand(
        here, ben, f"!buy deliver {buy} S 4, M 4 by hand {receipt[ORDER]['id']} S 4, {second[ORDER]['id']} M 3"
    )
    await by_hand(here, ben, f"!buy handing-out {buy} Saturday at Ben's")
    await mia.direct_message_from(bot, "can be collected, 3 M. Saturday at Ben's.")

    await ben.say(here.desk, f"!export by-member {buy}")
    file = await ben.sees(here.desk, lambda event: event["content"].get("msgtype") == "m.file")
    content = await ben.attachment(file["content"])
    table = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    totals = {row["alias"]: row["charged"] for row in table}
    assert totals[await here.alias_of(ana)] == "280.00" and "(sum)" in totals
    assert not re.search(r"@\w+:", content.decode())
    await by_hand(here, ben, f"!buy done {buy}")
    await ana.sees_that(lambda: "Handed out" in ana.shown(here.group, card)["body"])
    assert len(receipts_of(otto, bot)) == 2 and here.errors() == []
    assert "@" not in json.dumps([e["content"] for e in ben.new_messages(here.desk, bot)]).replace("@coterie", "")


async def test_a_buy_that_fails_leaves_nobody_owing_anything(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana", "otto"])
    ben, ana, otto = here
    await here.post_product(ben, THROW)
    card = await here.open_buy(ben, f"merino-throw 5:79 until {in_days(2)} 18:00")
    await ana.say(here.group, "+2", reply_to=card)
    await otto.react(here.group, card, "+1")
    await ana.sees_that(lambda: "3 pledged" in ana.shown(here.group, card)["body"])
    await by_hand(here, ben, "!buy close")
    await ana.sees(here.group, "The minimum order of 5 was not reached, so nobody owes anything.")
    for member in (ana, otto):
        await member.direct_message_from(here.bot, "the minimum order was not reached. You owe nothing.")
        assert receipts_of(member, here.bot) == []
    asked = await ben.say(here.desk, "!orders")
    await ben.sees_that(lambda: ben.reactions(here.desk, asked).keys() == {"⚠️"})
    assert here.errors() == []
