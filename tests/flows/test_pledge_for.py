"""A concierge writes down what a member asked for in words; only the member's own ✅ makes it a pledge."""

from __future__ import annotations

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_faults import Fault
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import DAY, Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")


async def propose(play: Journey, who: Person, words: str = "2", by: Person | None = None) -> str:
    """A concierge writes in the desk what somebody would pledge; gives the message that asks them."""
    await play.direct(who)
    await play.say(by or play.ben, f"!pledge-for {await play.alias(who)} {words}", to=play.desk)
    return asked(play, who)[-1]


def asked(play: Journey, who: Person) -> list[str]:
    """The messages that ask somebody whether they pledge something."""
    found = play.hs.direct_events(who)
    return [event.event_id for event in found if "written down for you" in str(event.content.get("body"))]


async def say_yes(play: Journey, who: Person, event_id: str, key: str = "✅") -> str:
    reaction = who.react(play.hs.event(event_id).room_id, event_id, key)
    await play.rest()
    return reaction


def in_desk(play: Journey) -> list[str]:
    return play.posted(play.desk)


async def test_nothing_is_pledged_until_the_member_has_confirmed_it(engine: str, shop: Journey) -> None:
    question = await propose(shop, shop.ana, "2-4 max 80")
    ana, ben = await shop.alias(shop.ana), await shop.alias(shop.ben)
    content = shop.hs.event(question).content
    assert content["msgtype"] == "m.text" and content["m.mentions"] == {"user_ids": [shop.ana.mxid]}
    assert content["body"] == (
        f"{ben}, a concierge of “Wool circle”, has written down for you: Merino throw, 2-4 max 80. That would be your "
        f"whole pledge in this group buy ({shop.buy}, €79.00 each once 10 are pledged).\n"
        "If that is what you want, put ✅ on this message by Thursday 26 November, 13:00 (Vienna time). Without it "
        f"nothing is pledged. Or send me what you want instead: !pledge 2-4 max 80 {shop.buy}"
    )
    assert shop.signs(question) == ["✅"] and await shop.pledged() == {}
    assert in_desk(shop)[-1] == (f"I have asked {ana} by direct message. Nothing is pledged until they put ✅ on it.")
    await say_yes(shop, shop.ana, question, "✅\ufe0f")
    assert await shop.pledged() == {"ana": [(2, 2, 8000)]}
    assert shop.told(shop.ana)[-1] == (
        f"Pledged: Merino throw, 2-4 max 80. !withdraw {shop.buy} takes it back, and so does taking your ✅ away."
    )
    assert in_desk(shop)[-1] == f"{ana} has confirmed what {ben} wrote down: Merino throw, 2-4 max 80 ({shop.buy})."
    assert [line[0] for line in (await shop.ledger()) if line[1] == "ana"][-1] in ("pledged", "options")
    assert shop.posted() == [body for body in shop.posted() if "written down" not in body and ana not in body]


async def test_what_the_member_pledged_before_becomes_what_they_confirm(shop: Journey) -> None:
    await shop.plus(shop.ana, 5)
    question = await propose(shop, shop.ana, "3")
    await say_yes(shop, shop.ana, question)
    assert await shop.units() == {"ana": 3}


async def test_taking_the_sign_away_takes_the_units_back(shop: Journey) -> None:
    yes = await say_yes(shop, shop.ana, await propose(shop, shop.ana))
    assert await shop.units() == {"ana": 2}
    await shop.redact(shop.ana, yes)
    assert await shop.units() == {}


async def test_a_second_sign_changes_nothing_and_says_so(engine: str, shop: Journey) -> None:
    question = await propose(shop, shop.ana)
    yes = await say_yes(shop, shop.ana, question)
    await shop.redact(shop.ana, yes)
    await say_yes(shop, shop.ana, question)
    assert await shop.units() == {}
    assert shop.told(shop.ana)[-1] == (
        f"You have confirmed that before, so nothing changed. To set your pledge yourself: !pledge 2 {shop.buy}"
    )


async def test_signs_of_one_transaction_make_one_pledge(engine: str, shop: Journey, hs: FakeHomeserver) -> None:
    question = await propose(shop, shop.ana)
    room = hs.event(question).room_id
    hs.pause_delivery()
    shop.ana.react(room, question, "✅")
    shop.ana.react(room, question, "✅\ufe0f", force=True)
    hs.resume()
    await shop.rest()
    assert await shop.pledged() == {"ana": [(2, 0, None)]}
    assert [text.partition(":")[0] for text in shop.told(shop.ana)][-2:].count("Pledged") == 1


async def test_the_sign_of_anybody_else_and_any_other_sign_is_nothing(shop: Journey, hs: FakeHomeserver) -> None:
    question = await propose(shop, shop.ana)
    room = hs.event(question).room_id
    for person in (shop.otto, shop.ben):
        for place in (shop.group, shop.desk, await shop.direct(person), room):
            person.react(place, question, "✅", force=True)
        await shop.rest()
    assert await shop.pledged() == {}
    question = await propose(shop, shop.mia)
    for key in ("👍", "+2", "❌"):
        await say_yes(shop, shop.mia, question, key)
    shop.mia.react(shop.group, question, "✅", force=True)
    await shop.rest()
    assert await shop.pledged() == {}


async def test_after_the_close_it_is_too_late(shop: Journey) -> None:
    await shop.plus(shop.mia, 10)
    question = await propose(shop, shop.ana)
    await shop.close()
    yes = await say_yes(shop, shop.ana, question)
    assert shop.told(shop.ana)[-1].startswith("Too late: this group buy is closed")
    assert await shop.units() == {"mia": 10} and shop.hs.event(yes).content == {}


async def test_after_three_days_it_is_too_late(shop: Journey, service: Service) -> None:
    question = await propose(shop, shop.ana)
    await service.wait(3 * DAY)
    await say_yes(shop, shop.ana, question)
    assert await shop.pledged() == {}
    assert shop.told(shop.ana)[-1].startswith("That was more than three days ago, so nothing is pledged.")
    again = await propose(shop, shop.ana)
    await say_yes(shop, shop.ana, again)
    assert await shop.units() == {"ana": 2}


async def test_a_moment_before_it_is_not(shop: Journey, service: Service) -> None:
    question = await propose(shop, shop.ana)
    await service.wait(3 * DAY - 1)
    await say_yes(shop, shop.ana, question)
    assert await shop.units() == {"ana": 2}


async def test_who_has_left_the_group_pledges_nothing(shop: Journey) -> None:
    question = await propose(shop, shop.ana)
    shop.ana.leave(shop.group)
    await shop.rest()
    await say_yes(shop, shop.ana, question)
    assert shop.told(shop.ana)[-1] == "Only members of the group can do that." and await shop.pledged() == {}
    await shop.say(shop.ben, f"!pledge-for {await shop.alias(shop.ana)} 2", to=shop.desk)
    assert in_desk(shop)[-1] == "I know of nobody in the group whom that could be."
    assert len(asked(shop, shop.ana)) == 1


async def test_two_concierges_at_once_ask_one_time(engine: str, shop: Journey, hs: FakeHomeserver) -> None:
    await shop.direct(shop.ana)
    ana = await shop.alias(shop.ana)
    hs.pause_delivery()
    first = shop.ben.say(shop.desk, f"!pledge-for {ana} 2")
    second = shop.rosa.say(shop.desk, f"!pledge-for {ana} 2")
    hs.resume()
    await shop.rest()
    assert len(asked(shop, shop.ana)) == 1
    assert sorted([shop.signs(first), shop.signs(second)]) == [["⏳"], ["⚠️"]]
    assert f"I have asked {ana} just that, and they have not answered yet." in "\n".join(in_desk(shop))


async def test_the_newer_of_two_takes_the_place_of_the_older(shop: Journey) -> None:
    older = await propose(shop, shop.ana, "2")
    newer = await propose(shop, shop.ana, "3", by=shop.rosa)
    await say_yes(shop, shop.ana, older)
    assert await shop.pledged() == {}
    assert shop.told(shop.ana)[-1].startswith("A newer message from me has taken its place")
    await say_yes(shop, shop.ana, newer)
    assert await shop.units() == {"ana": 3}


async def test_a_sign_that_is_quicker_than_our_knowledge_of_the_message_counts(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    """The homeserver has sent the message and fails then: the service only hears of it when it asks again."""
    room = await shop.direct(shop.ana)
    ana = await shop.alias(shop.ana)
    hs.faults.on_request(Fault.ANSWER_502, match=f"PUT .*{room}/send/m.room.message")
    service.patient = False
    await shop.say(shop.ben, f"!pledge-for {ana} 2", to=shop.desk)
    assert len(asked(shop, shop.ana)) == 1
    await say_yes(shop, shop.ana, asked(shop, shop.ana)[0])
    assert await shop.units() == {}
    await service.wait(5_000)
    assert await shop.units() == {"ana": 2}
    assert [text for text in shop.told(shop.ana) if text.startswith("Pledged: Merino throw, 2.")]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("{ana}", "Write it like this: !pledge-for Otter 2"),
        ("Nobody 2", "I know of nobody in the group"),
        ("{ana} 0", "I need a whole number of units"),
        ("{ana} lots", "I need a whole number of units"),
        ("{ana} 2 max cheap", "“cheap” is no amount in EUR"),
    ],
)
async def test_what_cannot_be_pledged_is_refused_to_the_concierge(shop: Journey, words: str, answer: str) -> None:
    await shop.direct(shop.ana)
    before = shop.told(shop.ana)
    typed = await shop.say(shop.ben, f"!pledge-for {words.format(ana=await shop.alias(shop.ana))}", to=shop.desk)
    assert shop.signs(typed) == ["⚠️"] and in_desk(shop)[-1].startswith(answer)
    assert shop.told(shop.ana) == before and await shop.service.rows("SELECT * FROM proposal") == []


async def test_the_terms_of_the_buy_are_asked_before_the_member_is(circle: Journey) -> None:
    await circle.open_buy("!buy open merino-throw 10:79 25:69 until friday 18:00 most 3")
    typed = await circle.say(circle.ben, f"!pledge-for {await circle.alias(circle.ana)} 4", to=circle.desk)
    assert circle.signs(typed) == ["⚠️"] and asked(circle, circle.ana) == []


async def test_of_several_buys_one_has_to_be_named(shop: Journey) -> None:
    throw = shop.buy
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "10:9 25:8 until friday 18:00")
    ana = await shop.alias(shop.ana)
    await shop.say(shop.ben, f"!pledge-for {ana} 2", to=shop.desk)
    assert in_desk(shop)[-1].startswith("Which group buy?") and asked(shop, shop.ana) == []
    question = await propose(shop, shop.ana, f"2 {throw}")
    await say_yes(shop, shop.ana, question)
    rows = await shop.service.rows("SELECT buy_id, quantity FROM tranche")
    assert rows == [{"buy_id": throw, "quantity": 2}]


async def test_no_member_writes_anything_down_for_another(shop: Journey, hs: FakeHomeserver) -> None:
    typed = await shop.tell(shop.otto, f"!pledge-for {await shop.alias(shop.ana)} 2")
    assert shop.signs(typed) == ["⚠️"] and asked(shop, shop.ana) == []
    in_group = await shop.say(shop.ben, f"!pledge-for {await shop.alias(shop.ana)} 2")
    assert hs.event(in_group).content == {} and asked(shop, shop.ana) == []


async def test_the_time_ends_with_the_buy_where_that_is_earlier(shop: Journey) -> None:
    await shop.days(2)
    question = await propose(shop, shop.ana)
    assert "by Friday 27 November, 18:00 (Vienna time)" in shop.hs.event(question).content["body"]


async def test_it_works_in_encrypted_rooms(sealed: None, shop: Journey) -> None:
    question = await propose(shop, shop.ana)
    assert shop.hs.event(question).sealed is not None
    await say_yes(shop, shop.ana, question)
    assert await shop.units() == {"ana": 2}


@pytest.mark.slow
async def test_what_was_confirmed_is_kept_as_a_pledge_only(shop: Journey, service: Service) -> None:
    await say_yes(shop, shop.ana, await propose(shop, shop.ana))
    assert [row["words"] for row in await service.rows("SELECT words FROM proposal")] == [""]
    await service.wait(31 * DAY)
    assert await service.rows("SELECT * FROM proposal") == []
