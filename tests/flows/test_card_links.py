"""What helps a concierge to answer: links to cards in the desk, and how a member stands."""

from __future__ import annotations

import pytest

from appservice.actions import standing
from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.ids import GroupId
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey

pytestmark = pytest.mark.usefixtures("nobody_exposed")


def link(play: Journey, event_id: str) -> str:
    return f"https://matrix.to/#/{play.group}/{event_id}?via=fake.test"


def in_desk(play: Journey) -> dict[str, object]:
    """The newest line of the service in the desk."""
    return play.hs.room(play.desk).messages(play.hs.bot)[-1].content


async def test_a_product_is_linked_with_its_name_and_price(shop: Journey) -> None:
    await shop.say(shop.ben, "!product merino-throw", to=shop.desk)
    url = link(shop, shop.product)
    line = in_desk(shop)
    assert line["body"] == f"Merino throw, €89.00\n{url}" and line["msgtype"] == "m.notice"
    assert line["formatted_body"] == f'<a href="{url}">Merino throw</a>, €89.00<br>{url}'
    await shop.say(shop.ben, "!product Merino", to=shop.desk)
    assert in_desk(shop)["body"] == line["body"]


async def test_a_buy_is_linked_with_the_price_as_of_now(shop: Journey) -> None:
    await shop.say(shop.ben, f"!buy {shop.buy}", to=shop.desk)
    url = link(shop, shop.card)
    assert in_desk(shop)["body"] == f"Merino throw, €79.00 each once 10 are pledged\n{url}"
    await shop.plus(shop.ana, 25)
    await shop.say(shop.ben, f"!buy {shop.buy.upper()}", to=shop.desk)
    assert in_desk(shop)["body"] == f"Merino throw, €69.00 each as of now\n{url}"


async def test_a_name_with_html_in_it_is_escaped(circle: Journey) -> None:
    await circle.say(circle.ben, '!product add "A <b>bold</b> & fine throw" 89 https://shop.example/throw')
    await circle.say(circle.ben, "!product bold", to=circle.desk)
    assert ">A &lt;b&gt;bold&lt;/b&gt; &amp; fine throw</a>" in str(in_desk(circle)["formatted_body"])


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("!product teapot", "There is no product “teapot” in this group."),
        ("!product", "Write it like this: !product add"),
        ("!buy zzzzzz", "“zzzzzz” is no group buy of this group."),
        ("!buy clsoe", "Write it like this:"),
    ],
)
async def test_what_is_not_there_has_no_link(shop: Journey, typed: str, answer: str) -> None:
    asked = await shop.say(shop.ben, typed, to=shop.desk)
    assert shop.signs(asked) == ["⚠️"] and str(in_desk(shop)["body"]).startswith(answer)


async def test_a_buy_without_a_card_has_no_link(circle: Journey) -> None:
    await circle.add_product()
    await circle.say(circle.ben, "!buy open merino-throw 10:79 until friday 18:00 opens thursday 9:00", to=circle.desk)
    [row] = await circle.service.rows("SELECT id FROM group_buy")
    asked = await circle.say(circle.ben, f"!buy {row['id']}", to=circle.desk)
    assert circle.signs(asked) == ["⚠️"]
    assert in_desk(circle)["body"] == "That has no card in the group, so there is nothing to link to."


async def test_a_buy_of_another_group_has_no_link_here_unless_it_is_shown_here(shop: Journey) -> None:
    first, desk, buy = shop.group_id, shop.desk, shop.buy
    await shop.make_group("Second")
    asked = await shop.say(shop.rosa, f"!buy {buy}", to=shop.desk)
    assert shop.signs(asked) == ["⚠️"] and buy in str(in_desk(shop)["body"]) and "matrix.to" not in str(in_desk(shop))
    await shop.say(shop.rosa, f"!buy share {buy} {shop.group_id}", to=desk)
    shop.find_card()
    await shop.say(shop.rosa, f"!buy {buy}", to=shop.desk)
    assert link(shop, shop.card) in str(in_desk(shop)["body"]) and first


async def test_in_the_group_nothing_is_linked(shop: Journey) -> None:
    posted = shop.posted()
    typed = await shop.say(shop.ben, "!product merino-throw")
    assert shop.signs(typed) == ["⚠️"] and shop.posted() == posted


# How a member stands


async def stands(play: Journey, person: Person) -> str:
    async with play.service.store.unit() as unit:
        [row] = await play.service.rows("SELECT id FROM coterie_group")
        group = await unit.groups.get(GroupId(row["id"]))
        member = await unit.groups.member(group.id, person.mxid)
        assert member is not None
        return await standing.line(Work(unit, play.service.config, Cause("$look", unit.now)), group, member)


async def test_a_member_stands_as_their_pledges_and_orders_do(engine: str, shop: Journey) -> None:
    assert await stands(shop, shop.ana) == ""
    await shop.plus(shop.ana, 12)
    assert await stands(shop, shop.ana) == "12 × Merino throw pledged"
    await shop.say(shop.otto, "!pledge 2-4")
    assert await stands(shop, shop.otto) == "2-4 × Merino throw pledged"
    await shop.close()
    assert await stands(shop, shop.ana) == "1 order of €948.00 to pay by 26 Nov"
    assert await stands(shop, shop.mia) == ""
    order, _ = [row["id"] for row in await shop.service.rows("SELECT id FROM purchase_order ORDER BY place")]
    await shop.say(shop.ben, f"!order {order} paid 948.00 by bank transfer", to=shop.desk)
    assert await stands(shop, shop.ana) == "1 order paid"
    await shop.say(shop.ben, f"!order {order} paid 10.00 by mistake", to=shop.desk)
    assert await stands(shop, shop.ana) == "1 order paid · €10.00 to give back"


async def test_what_is_over_is_no_part_of_it(shop: Journey) -> None:
    await shop.plus(shop.ana, 2)
    await shop.close()
    assert await shop.status() == "failed" and await stands(shop, shop.ana) == ""


async def test_two_orders_are_one_sum(shop: Journey) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    await shop.days(1)
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "1:9 until friday 18:00")
    await shop.plus(shop.ana, 1)
    await shop.close()
    assert await stands(shop, shop.ana) == "2 orders of €799.00 to pay, the first by 26 Nov"
