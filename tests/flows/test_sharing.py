"""One group buy in several groups: one total and one price, and members of one group learn nothing of another's."""

from __future__ import annotations

import json

import pytest

from tests.flows.circles import Circle, three_circles
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, ORDER, Journey
from tests.flows.records import file_of
from tests.flows.service import DAY, Service

Circles = tuple[Circle, Circle, Circle]


@pytest.fixture
async def circles(shop: Journey) -> Circles:
    """Three small groups; the first has an open buy that is shown in all of them."""
    found = await three_circles(shop)
    for other in found[1:]:
        asked = await shop.tell(shop.ben, f"!buy share {shop.buy} {other.id}")
        assert shop.signs(asked) == ["✅"]
    for circle in found:
        circle.find_card()
    return found


async def test_each_group_has_its_own_card_of_one_total(engine: str, shop: Journey, circles: Circles) -> None:
    first, second, third = circles
    assert len({circle.card for circle in circles}) == 3
    for circle in circles:
        assert shop.signs(circle.card) == ["+1", "+2", "+5"] and circle.card in circle.room.pinned
        assert circle.room.content(BUY, shop.buy)["card"] == circle.card
    await first.plus(shop.otto, 4)
    await second.plus(shop.person("bea"), 3)
    shop.person("cleo").react(third.group, third.card, "+2")
    await shop.settle()
    assert ["9 pledged; 1 more and everyone pays €79.00" in circle.card_text for circle in circles] == [True] * 3
    await shop.tell(shop.person("cem"), "!pledge 1")
    await shop.settle()
    news = "Merino throw: the minimum order is reached, everyone pays €79.00 now. 15 more and everyone pays €69.00."
    assert [circle.posted()[-1] for circle in circles] == [news] * 3
    assert ["10 pledged" in circle.card_text for circle in circles] == [True] * 3
    rows = await shop.service.rows("SELECT group_id, quantity FROM tranche ORDER BY position")
    assert [(row["group_id"], row["quantity"]) for row in rows] == [
        (first.id, 4), (second.id, 3), (third.id, 2), (third.id, 1),
    ]  # fmt: skip


@pytest.mark.slow
async def test_everyone_pays_one_price_and_is_told_in_their_own_group(
    engine: str, shop: Journey, circles: Circles, nobody_exposed: None
) -> None:
    first, second, third = circles
    bea, cleo = shop.person("bea"), shop.person("cleo")
    await first.plus(shop.otto, 12)
    await second.plus(bea, 8)
    await third.plus(cleo, 5)
    await shop.close()
    for person, units, circle in ((shop.otto, 12, first), (bea, 8, second), (cleo, 5, third)):
        [receipt] = shop.receipts(person)
        assert (receipt["units"], receipt["unit_price"], receipt["total"]) == (units, 6900, units * 6900)
        assert f"in “{circle.name}”" in shop.told(person)[-1]
        assert [receipt["line"], units] in circle.result()["lines"]
    assert [len(circle.result()["lines"]) for circle in circles] == [3, 3, 3]
    assert [circle.room.content(BUY, shop.buy)["status"] for circle in circles] == ["succeeded"] * 3
    await shop.service.wait(2 * DAY)
    assert [circle.room.content(BUY, shop.buy) for circle in circles] == [{}, {}, {}]


async def test_the_owning_desk_reads_of_group_and_number_and_another_desk_of_its_own_members_alone(
    shop: Journey, circles: Circles
) -> None:
    first, second, third = circles
    bea, bo, cleo = (shop.person(name) for name in ("bea", "bo", "cleo"))
    await first.plus(shop.otto, 12)
    await second.plus(bea, 8)
    await shop.tell(bo, "!pledge 2 max 5.00")
    await third.plus(cleo, 5)
    await shop.close()
    number = {row["user_id"]: row["number"] for row in await shop.service.rows("SELECT user_id, number FROM member "
              "WHERE group_id <> $1", first.id)}  # fmt: skip
    head, *rows = first.said_at_the_desk()[-1].split("\n")
    assert head == f"Merino throw ({shop.buy}) closed: 25 units, 3 orders, €1,725.00."
    assert sorted(rows) == sorted([
        f"{await shop.alias(shop.otto)}: 12, €828.00",
        f"group 2, no. {number[bea.mxid]}: 8, €552.00",
        f"group 3, no. {number[cleo.mxid]}: 5, €345.00",
        f"group 2, no. {number[bo.mxid]}: not in",
    ])  # fmt: skip
    assert second.said_at_the_desk()[-1].split("\n") == [
        f"Merino throw ({shop.buy}) closed: 8 units, 1 order, €552.00.",
        f"{await shop.alias(bea)}: 8, €552.00",
        f"{await shop.alias(bo)}: not in",
    ]
    assert third.said_at_the_desk()[-1].split("\n") == [
        f"Merino throw ({shop.buy}) closed: 5 units, 1 order, €345.00.",
        f"{await shop.alias(cleo)}: 5, €345.00",
    ]


async def test_no_event_in_one_group_or_to_its_members_tells_of_another_groups_members(
    shop: Journey, circles: Circles, hs: FakeHomeserver
) -> None:
    first, second, third = circles
    bea, cleo = shop.person("bea"), shop.person("cleo")
    await first.plus(shop.otto, 6)
    await shop.say(shop.mia, "!recommend merino-throw warm", to=first.group)
    shop.person("bo").react(second.group, second.card, "❤️")
    await second.plus(bea, 9)
    await third.plus(cleo, 10)
    await shop.tell(shop.ben, f"!buy extend {shop.buy} until saturday 18:00")
    await shop.close()
    rows = await shop.service.rows("SELECT m.user_id, m.alias, m.group_id, g.name FROM member m"
                                   " JOIN coterie_group g ON g.id = m.group_id")  # fmt: skip
    everywhere = {"@ben:fake.test", "@rosa:fake.test", "@ana:fake.test"}  # they are in several
    for circle in circles:
        foreign = [row for row in rows if row["group_id"] != circle.id and row["user_id"] not in everywhere]
        assert len(foreign) >= 4
        hidden = {row["user_id"] for row in foreign} | {row["alias"] for row in foreign}
        hidden |= {row["name"] for row in foreign} | {row["group_id"] for row in foreign}
        members = {row["user_id"] for row in rows if row["group_id"] == circle.id} - everywhere - {"@kim:fake.test"}
        read = [event.original for event in circle.room.events]
        read += [event.original for one in members for event in hs.direct_events(hs.user(one))]
        text = json.dumps(read, ensure_ascii=False)
        assert len(members) >= 2 and [word for word in hidden if word in text] == []


async def test_who_is_in_several_of_the_groups_has_one_pledge(
    engine: str, shop: Journey, circles: Circles, service: Service
) -> None:
    first, second, _ = circles
    added = await second.plus(shop.ana, 2)
    await first.plus(shop.ana, 3)
    await shop.tell(shop.ana, f"!pledge 12 {shop.buy}")
    rows = await service.rows("SELECT group_id, SUM(quantity) AS units FROM tranche GROUP BY group_id")
    assert [(row["group_id"], row["units"]) for row in rows] == [(second.id, 12)]
    await shop.redact(shop.ana, added)
    rows = await service.rows("SELECT group_id, SUM(quantity) AS units FROM tranche GROUP BY group_id")
    assert [(row["group_id"], row["units"]) for row in rows] == [(second.id, 10)]
    await shop.tell(shop.ana, "!mydata")
    pledges = {group["id"]: [one["units"] for one in group["pledges"]] for group in file_of(shop, shop.ana)["groups"]}
    assert pledges == {first.id: [], second.id: [10]}
    await shop.close()
    [receipt] = shop.receipts(shop.ana)
    assert receipt["units"] == 10 and len(first.result()["lines"]) == 1


async def test_only_the_owning_groups_concierges_change_it(shop: Journey, circles: Circles, service: Service) -> None:
    _, second, _ = circles
    kim = shop.person("kim")
    before = await service.rows("SELECT * FROM group_buy")
    orders = [f"!buy {words}" for words in (
        "close", f"close {shop.buy}", f"cancel {shop.buy} no more", f"extend {shop.buy} until saturday 18:00",
        f"shorten {shop.buy} until thursday 18:00", f"change {shop.buy} 10:75 25:65", f"repeat {shop.buy} until friday",
    )]  # fmt: skip
    for body in orders:
        asked = await shop.say(kim, body, to=second.group, reply_to=second.card)
        assert shop.signs(asked) == ["⚠️"], body
        asked = await shop.say(kim, body, to=second.desk)
        assert shop.signs(asked) == ["⚠️"], body
    assert await service.rows("SELECT * FROM group_buy") == before


async def test_a_concierge_of_one_group_alone_shares_nothing(shop: Journey, service: Service) -> None:
    first, second, _ = await three_circles(shop)
    kim = shop.person("kim")
    refused = [
        (kim, f"!buy share {shop.buy} {second.id}", "There is no open group buy that this could be for."),
        (kim, f"!buy share {shop.buy} {first.id}", "There is no open group buy that this could be for."),
        (shop.ana, f"!buy share {shop.buy} {second.id}", "There is no open group buy that this could be for."),
        (shop.ben, f"!buy share {shop.buy} {first.id}", "The group buy is shown in “Wool circle” already."),
        (shop.ben, f"!buy share {shop.buy} nowhere", "You are a concierge of no group “nowhere”."),
        (shop.ben, f"!buy share zzzzzz {second.id}", "There is no open group buy that this could be for."),
        (shop.ben, "!buy share", "Write it like this: !buy share"),
    ]
    await shop.tell(shop.rosa, f"!concierge remove {shop.ben.mxid} {second.id}")
    refused.append((shop.ben, f"!buy share {shop.buy} {second.id}", "You are a concierge of no group"))
    for person, body, why in refused:
        asked = await shop.tell(person, body)
        assert shop.signs(asked) == ["⚠️"] and shop.told(person)[-1].startswith(why), body
    assert await service.rows("SELECT * FROM shown_in") == [] and second.cards() == []


async def test_sharing_is_not_spoken_of_in_a_group(shop: Journey, service: Service) -> None:
    _, second, _ = await three_circles(shop)
    said = await shop.say(shop.ben, f'!buy share {shop.buy} "Second circle"')
    assert shop.hs.event(said).content == {} and await service.rows("SELECT * FROM shown_in") == []
    asked = await shop.say(shop.ben, f'!buy share {shop.buy} "Second circle"', to=shop.desk)
    assert shop.signs(asked) == ["✅"] and len(second.cards()) == 1
    assert second.said_at_the_desk()[-1].startswith(
        f"A concierge shares a group buy of another group here: Merino throw ({shop.buy})"
    )


async def test_it_is_shared_once(shop: Journey, circles: Circles, service: Service) -> None:
    _, second, _ = circles
    asked = await shop.tell(shop.ben, f"!buy share {shop.buy} {second.id}")
    assert shop.signs(asked) == ["⚠️"] and len(second.cards()) == 1
    assert len(await service.rows("SELECT * FROM shown_in")) == 2


async def test_a_buy_that_has_ended_is_not_shared(shop: Journey, service: Service) -> None:
    _, second, _ = await three_circles(shop)
    await shop.close()
    asked = await shop.tell(shop.ben, f"!buy share {shop.buy} {second.id}")
    assert shop.signs(asked) == ["⚠️"] and shop.told(shop.ben)[-1] == "This group buy is not open any more."
    assert second.cards() == [] and await service.rows("SELECT * FROM shown_in") == []


async def test_a_planned_buy_opens_in_every_group(shop: Journey, service: Service) -> None:
    first, second, _ = await three_circles(shop)
    await shop.say(shop.ben, f"!buy cancel {shop.buy} again later")
    await shop.say(shop.ben, "!buy open merino-throw 10:79 until friday 18:00 opens tomorrow 9:00")
    [row] = await service.rows("SELECT id FROM group_buy WHERE status = 'scheduled'")
    asked = await shop.tell(shop.ben, f"!buy share {row['id']} {second.id}")
    assert shop.signs(asked) == ["✅"] and second.cards() == []
    await service.wait(DAY)
    assert [card.content[BUY]["id"] for card in second.cards()] == [row["id"]]
    assert first.cards()[-1].content[BUY]["id"] == row["id"]


@pytest.mark.parametrize("packs", ["", " pack 5"])
async def test_three_rooms_at_once_fill_one_cap(engine: str, shop: Journey, service: Service, packs: str) -> None:
    circles = await three_circles(shop)
    await shop.say(shop.ben, f"!buy cancel {shop.buy} with a cap")
    await shop.say(shop.ben, f"!buy open merino-throw 5:79 10:69 until friday 18:00 cap 20{packs}")
    for circle in circles[1:]:
        shop.find_card()
        await shop.tell(shop.ben, f"!buy share {shop.buy} {circle.id}")
    for circle in circles:
        circle.find_card()
    people = (("otto", "mia"), ("bea", "bo"), ("cleo", "cem"))
    asked = [
        shop.person(name).say(circle.group, "+2", reply_to=circle.card)
        for _ in range(3)
        for circle, names in zip(circles, people, strict=True)
        for name in names
    ]
    await shop.rest()
    assert all(shop.signs(event) in (["✅"], ["⏳"]) for event in asked)
    await shop.settle()
    assert ["20 of at most 20, 16 waiting" in circle.card_text for circle in circles] == [True] * 3
    await shop.close()
    orders = await service.rows("SELECT group_id, ordered, total_minor FROM purchase_order")
    units = sum(n for row in orders for _, n in json.loads(row["ordered"]))
    assert units == 20 and sum(row["total_minor"] for row in orders) == 20 * 6900
    amounts = await service.rows("SELECT SUM(amount_minor) AS sum FROM ledger WHERE buy_id = $1", shop.buy)
    assert amounts[0]["sum"] == 20 * 6900
    assert len({json.dumps(circle.result()) for circle in circles}) == 1


@pytest.mark.slow
async def test_a_group_with_a_shared_buy_is_not_closed_before_that_has_ended(
    shop: Journey, circles: Circles, service: Service
) -> None:
    first, second, _ = circles
    await second.plus(shop.person("bea"), 11)
    asked = await shop.tell(shop.rosa, f"!sunset {second.id} confirm")
    assert shop.signs(asked) == ["⚠️"]
    assert shop.told(shop.rosa)[-1] == (
        f"A group buy ({shop.buy}) is still to end. It is another group's, shared here: wait, then send the same again."
    )
    await shop.close()
    asked = await shop.tell(shop.rosa, f"!sunset {second.id} confirm")
    assert shop.signs(asked) == ["✅"]
    await service.wait(2 * DAY)
    assert shop.person("bea").mxid not in second.room.joined and shop.hs.bot not in second.room.joined
    await shop.tell(shop.ben, f"!buy cancel {shop.buy} the supplier is gone {first.id}")
    assert await shop.status() == "cancelled"  # and nothing is sent where the bot is no longer: see the fixture
    assert "cancelled" in shop.told(shop.person("bea"))[-1]


async def test_in_each_group_times_and_ways_are_its_own(shop: Journey, service: Service) -> None:
    first, second, _ = await three_circles(shop)
    async with service.store.unit() as unit:
        await unit._connection.execute(
            "UPDATE coterie_group SET time_zone = 'Asia/Tokyo', locale = 'de' WHERE id = $1", second.id
        )
    await shop.tell(shop.rosa, f"!group pledges private {second.id}")
    await shop.tell(shop.ben, f"!buy share {shop.buy} {second.id}")
    first.card = shop.card
    second.find_card()
    assert "Closes Friday 27 November, 18:00 (Vienna time)" in first.card_text
    assert "79,00\u00a0€" in second.card_text and "Samstag 28 November, 02:00" in second.card_text
    assert shop.signs(first.card) == ["+1", "+2", "+5"] and shop.signs(second.card) == []
    bea = shop.person("bea")
    removed = await second.plus(bea, 4)
    assert shop.hs.event(removed).content == {}
    await shop.tell(bea, "!pledge 4")
    await first.plus(shop.otto, 8)
    await shop.close()
    assert "lines" not in second.result() and len(first.result()["lines"]) == 2
    [event] = [event for event in shop.hs.direct_events(bea) if ORDER in event.content]
    assert "79,00\u00a0€" in event.body
