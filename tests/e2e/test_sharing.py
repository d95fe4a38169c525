"""One group buy in two groups, one of which lives on another homeserver: pooled, and nobody sees the others."""

from __future__ import annotations

import json

from tests.e2e.conftest import in_days
from tests.harness.circle import BUY, ORDER, Circle, CircleFactory
from tests.harness.person import Event, PersonFactory
from tests.harness.service import ServiceFactory
from tests.harness.synapse import Synapse


def is_card(event: Event) -> bool:
    return "tiers" in event["content"].get(BUY, {}) and event["type"] == "m.room.message"


def is_result(event: Event) -> bool:
    return "lines" in event["content"].get(BUY, {})


async def test_two_groups_pool_one_buy_and_learn_nothing_of_each_other(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    first = await circle(["ben"], ["ana"], rosa=rosa, service=service)
    ben, ana = first
    bea = await person("bea", on=federated[1])
    second = await Circle.found(rosa, service, "Second circle")
    second.direct = second.desk  # by direct message the group would have to be named
    await second.appoint(ben)
    await second.welcome(bea)

    await first.post_product(ben, '"Merino throw" 89.00 https://shop.example/throw')
    card = await first.open_buy(ben, f"merino 3:79 8:69 until {in_days(5)} 18:00")
    buy_id = ana.shown(first.group, card)[BUY]["id"]
    asked = await ben.say(first.desk, f'!buy share {buy_id} "Second circle"')
    await ben.sees_that(lambda: ben.reactions(first.desk, asked) == {"✅": {first.bot}})
    theirs = (await bea.sees(second.group, is_card))["event_id"]
    await bea.sees_that(lambda: bea.reactions(second.group, theirs).keys() == {"+1", "+2", "+5"})
    await bea.sees(second.group, lambda e: e["type"] == BUY and e["content"].get("card") == theirs)

    await ana.say(first.group, "!recommend merino warm", reply_to=card)
    await ana.react(first.group, card, "❤️")
    await ana.say(first.group, "+2", reply_to=card)
    await bea.react(second.group, theirs, "+5")
    for viewer, here in ((ana, first), (bea, second)):
        await viewer.sees(here.group, "the minimum order is reached, everyone pays €79.00 now", timeout=20)
    await bea.sees_that(
        lambda: "Recommended by 1 member, 1 like" in bea.shown(second.group, theirs)["body"], timeout=20
    )
    await bea.say(await bea.create_direct(first.bot, joined_within=20), "+1")
    for viewer, here in ((ana, first), (bea, second)):
        await viewer.sees(here.group, "8 are reached, everyone pays €69.00 now", timeout=20)

    await ben.say(first.desk, f"!buy close {buy_id}")
    receipts = {}
    for member, here, units in ((ana, first, 2), (bea, second, 6)):
        receipt = await member.direct_message_from(first.bot, lambda e: ORDER in e["content"], timeout=20)
        receipts[member.user_id] = receipt["content"][ORDER]
        assert (receipt["content"][ORDER]["units"], receipt["content"][ORDER]["total"]) == (units, units * 6900)
        result = await member.sees(here.group, is_result)
        assert [receipt["content"][ORDER]["line"], units] in result["content"][BUY]["lines"]
        assert sum(line[1] for line in result["content"][BUY]["lines"]) == 8
    alias_of_ana, alias_of_bea = await first.alias_of(ana), await second.alias_of(bea)
    at_first = (await ben.sees(first.desk, "closed: 8 units, 2 orders, €552.00."))["content"]["body"]
    assert f"{alias_of_ana}: 2, €138.00" in at_first and "group 2, no. " in at_first and alias_of_bea not in at_first
    at_second = (await ben.sees(second.desk, "closed: 6 units, 1 order, €414.00."))["content"]["body"]
    assert f"{alias_of_bea}: 6, €414.00" in at_second and alias_of_ana not in at_second
    for viewer, hidden in ((ana, (bea.user_id, alias_of_bea, "Second circle")), (bea, (ana.user_id, alias_of_ana))):
        seen = json.dumps(viewer.seen.all, ensure_ascii=False)
        assert [word for word in hidden if word in seen] == []
    assert first.errors() == []
