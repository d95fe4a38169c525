"""Recommendations and likes: counted on the card without names, credited in the product's history."""

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import THROW, Journey
from tests.flows.records import file_of
from tests.flows.service import DAY, Service

WARM = "!recommend merino-throw warm, and soft"


def praise(play: Journey) -> list[str]:
    """The line of the card that says who speaks for the product."""
    lines = play.card_text.split("\n")
    return [line for line in lines if line.startswith("Recommended by") or line.endswith((" like", " likes"))]


async def test_recommendations_are_counted_on_the_card_without_names(engine: str, shop: Journey) -> None:
    assert praise(shop) == []
    first = await shop.say(shop.ana, WARM)
    second = await shop.tell(shop.otto, "!recommend merino-throw holds its shape")
    assert shop.signs(first) == ["✅"] == shop.signs(second)
    assert shop.told(shop.ana) == [] == shop.told(shop.otto)
    await shop.settle()
    assert praise(shop) == ["Recommended by 2 members"]
    assert len(shop.posted()) == 2  # the product and the card: the member's own message is the post
    assert [line[:2] for line in await shop.ledger() if line[0] == "recommended"] == [
        ("recommended", "ana"), ("recommended", "otto"),
    ]  # fmt: skip


async def test_a_second_recommendation_of_a_member_replaces_what_they_said(shop: Journey, service: Service) -> None:
    await shop.say(shop.ana, WARM)
    [before] = await service.rows("SELECT * FROM recommendation")
    service.clock.advance(DAY)
    await shop.say(shop.ana, "!recommend merino-throw it pills")
    [row] = await service.rows("SELECT * FROM recommendation")
    assert (row["why"], row["at"]) == ("it pills", before["at"])
    await shop.settle()
    assert praise(shop) == ["Recommended by 1 member"]
    assert len([line for line in await shop.ledger() if line[0] == "recommended"]) == 1


@pytest.mark.parametrize(
    "typed", ["Merino throw so warm", '"Merino throw" so warm', "MERINO-THROW so warm", "throw so warm"]
)
async def test_a_product_is_named_in_any_of_the_usual_ways(shop: Journey, service: Service, typed: str) -> None:
    await shop.say(shop.ana, f"!recommend {typed}")
    assert [row["why"] for row in await service.rows("SELECT why FROM recommendation")] == ["so warm"]


async def test_a_reply_to_the_card_of_a_product_or_of_a_buy_needs_no_name(shop: Journey, service: Service) -> None:
    await shop.say(shop.ana, "!recommend so warm", reply_to=shop.card)
    await shop.say(shop.otto, "!recommend so soft", reply_to=shop.product)
    rows = await service.rows("SELECT why FROM recommendation ORDER BY number")
    assert [row["why"] for row in rows] == ["so warm", "so soft"]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("!recommend", "Write it like this: !recommend merino-throw"),
        ("!recommend merino-throw", "Write it like this: !recommend merino-throw"),
        ("!recommend merino-throw \u200b \u200b", "Write it like this: !recommend merino-throw"),
        ("!recommend sock warm", "There is no product “sock” in this group. Reply to its card"),
        ("!recommend merino-throw " + "x" * 301, "That is too long: at most 300 characters, please."),
    ],
)
async def test_what_is_no_recommendation_is_refused(shop: Journey, service: Service, typed: str, why: str) -> None:
    said = await shop.say(shop.ana, typed)
    assert shop.signs(said) == ["⚠️"]
    [line] = shop.told(shop.ana)
    assert line.startswith(why)
    assert await service.rows("SELECT * FROM recommendation") == []


async def test_a_recommendation_is_kept_on_one_line_without_matrix_ids(shop: Journey, service: Service) -> None:
    await shop.say(shop.ana, "!recommend merino-throw ask @otto:fake.test\n\u202ehe has <b>two</b>")
    assert [row["why"] for row in await service.rows("SELECT why FROM recommendation")] == [
        "ask (an id) he has <b>two</b>"
    ]
    await shop.tell(shop.ben, "!product history merino-throw")
    content = shop.hs.direct_events(shop.ben)[-1].content
    assert "&lt;b&gt;two&lt;/b&gt;" in content["formatted_body"] and "<b>" not in content["formatted_body"]


async def test_hearts_on_the_cards_are_likes_one_for_each_member(engine: str, shop: Journey) -> None:
    events = len(shop.posted())
    await shop.react(shop.ana, "❤️")
    shop.ana.react(shop.group, shop.product, "❤")
    shop.otto.react(shop.group, shop.product, "❤️")
    await shop.settle()
    assert praise(shop) == ["2 likes"]
    await shop.say(shop.mia, WARM)
    await shop.settle()
    assert praise(shop) == ["Recommended by 1 member, 2 likes"]
    assert len(shop.posted()) == events and shop.told(shop.ana) == []


async def test_hearts_on_other_messages_and_other_signs_are_no_likes(shop: Journey, service: Service) -> None:
    said = shop.ana.say(shop.group, "look")
    shop.otto.react(shop.group, said, "❤️")
    shop.otto.react(shop.group, shop.card, "🧡")
    shop.otto.react(shop.group, shop.card, "👍")
    await shop.settle()
    assert await service.rows("SELECT * FROM liked") == [] and praise(shop) == []


async def test_a_like_goes_when_its_reaction_is_removed(shop: Journey, service: Service) -> None:
    first = await shop.react(shop.ana, "❤️")
    second = shop.ana.react(shop.group, shop.product, "❤️")
    await shop.redact(shop.ana, first)
    await shop.settle()
    assert praise(shop) == ["1 like"]
    await shop.redact(shop.ana, second)
    await shop.settle()
    assert praise(shop) == [] and await service.rows("SELECT * FROM liked") == []


async def test_a_like_goes_also_when_the_journal_has_forgotten_it(shop: Journey, service: Service) -> None:
    like = await shop.react(shop.ana, "❤️")
    async with service.store.unit() as unit:
        await unit._connection.execute("DELETE FROM arrival")
    await shop.redact(shop.ana, like)
    assert await service.rows("SELECT * FROM liked") == []


async def test_a_recommendation_goes_with_its_message_whoever_removes_it(shop: Journey, service: Service) -> None:
    await shop.redact(shop.ana, await shop.say(shop.ana, WARM))
    assert await service.rows("SELECT * FROM recommendation") == []
    await shop.redact(shop.ben, await shop.say(shop.ana, WARM))
    assert await service.rows("SELECT * FROM recommendation") == []


async def test_who_has_left_neither_recommends_nor_likes(shop: Journey, service: Service) -> None:
    shop.ana.leave(shop.group)
    await shop.rest()
    await shop.tell(shop.ana, WARM)
    assert shop.told(shop.ana)[-1].startswith("I know of no group in which you could do that")
    assert await service.rows("SELECT * FROM recommendation") == []


async def test_a_recommendation_is_credited_with_what_others_order_after_it(
    engine: str, shop: Journey, service: Service
) -> None:
    await shop.say(shop.ana, WARM)
    await shop.plus(shop.ana, 3)
    await shop.plus(shop.otto, 6)
    await shop.plus(shop.mia, 2)
    await shop.react(shop.mia, "❤️")
    await shop.close()
    service.clock.advance(1)
    await shop.tell(shop.mia, "!recommend merino-throw arrived at last")
    asked = await shop.say(shop.ben, "!product history merino-throw", to=shop.desk)
    assert shop.signs(asked) == ["✅"]
    ana, mia, ben = [await shop.alias(person) for person in (shop.ana, shop.mia, shop.ben)]
    assert shop.posted(shop.desk)[-1].split("\n") == [
        f"Merino throw (merino-throw), €89.00, posted 23 November 2026 by {ben}.",
        "Recommended by 2 members, 1 like:",
        f"• {mia}, 23 November 2026: “arrived at last” (nothing ordered by others since)",
        f"• {ana}, 23 November 2026: “warm, and soft” (8 units ordered since, by 2 other members)",
        "Group buys, newest first:",
        f"• {shop.buy}: closed 23 November 2026, 11 units at €79.00, collecting",
    ]


async def test_the_history_is_for_concierges(shop: Journey) -> None:
    asked = await shop.say(shop.ana, "!product history merino-throw")
    assert shop.signs(asked) == ["⚠️"] and len(shop.posted()) == 2
    assert shop.told(shop.ana) == ["Only concierges of the group can do that."]


async def test_a_product_without_anything_has_a_short_history(circle: Journey) -> None:
    await circle.say(circle.ben, THROW)
    await circle.tell(circle.ben, "!product history throw")
    assert circle.told(circle.ben)[-1].endswith(".\nNobody has recommended it yet.\nNo group buy of it yet.")


async def test_what_a_member_says_for_products_is_in_their_file_and_is_forgotten_with_them(
    engine: str, shop: Journey, service: Service, hs: FakeHomeserver
) -> None:
    await shop.say(shop.ana, WARM)
    await shop.react(shop.ana, "❤️")
    await shop.react(shop.otto, "❤️")
    await shop.tell(shop.ana, "!mydata")
    [group] = file_of(shop, shop.ana)["groups"]
    assert [(one["product"], one["why"]) for one in group["recommendations"]] == [("Merino throw", "warm, and soft")]
    assert group["likes"] == ["Merino throw"]
    await shop.tell(shop.ana, "!forget me confirm")
    await service.wait(DAY)
    assert await service.rows("SELECT * FROM recommendation") == []
    assert len(await service.rows("SELECT * FROM liked")) == 1
    await service.wait(DAY)
    await shop.settle()
    assert praise(shop) == ["1 like"]
