"""Pledging by every way that there is, and taking it back."""

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, OPEN, Journey
from tests.flows.service import Service


async def test_a_reply_to_the_card_pledges(engine: str, shop: Journey) -> None:
    before = len(shop.room.events)
    pledge = await shop.plus(shop.ana, 2)
    assert await shop.pledged() == {"ana": [(2, 0, None)]}
    assert shop.signs(pledge) == ["✅"] and shop.told(shop.ana) == []
    await shop.settle()
    message, sign, edit = shop.room.events[before:]
    assert (message.event_id, sign.type) == (pledge, "m.reaction")
    assert edit.replaces == shop.card and edit.content["m.new_content"][BUY]["total"] == 2
    assert "2 pledged; 8 more and everyone pays €79.00" in edit.content["m.new_content"]["body"]
    assert (await shop.ledger())[-1] == ("pledged", "ana", 2, 0)


async def test_a_reply_of_an_older_client_with_its_quote_pledges(shop: Journey) -> None:
    await shop.say(shop.ana, f"> <{shop.hs.bot}> Group buy: Merino throw\n> 10 more\n\n+ 3", reply_to=shop.card)
    assert await shop.units() == {"ana": 3}


async def test_a_reaction_pledges_and_is_acknowledged_by_the_cards_edit_alone(engine: str, shop: Journey) -> None:
    before = len(shop.room.events)
    await shop.react(shop.ana, "+5")
    await shop.react(shop.ana, "+1")
    await shop.settle()
    assert await shop.pledged() == {"ana": [(5, 0, None), (1, 0, None)]}
    assert [event.type for event in shop.room.events[before:]] == ["m.reaction", "m.reaction", "m.room.message"]
    assert "6 pledged; 4 more" in shop.card_text and shop.told(shop.ana) == []


async def test_a_command_in_the_group_sets_the_whole_pledge(shop: Journey) -> None:
    first = await shop.say(shop.ana, "!pledge 3")
    second = await shop.say(shop.ana, "!Pledge  4")
    assert shop.signs(first) == ["✅"] == shop.signs(second)
    assert await shop.pledged() == {"ana": [(3, 0, None), (1, 0, None)]}


async def test_a_direct_message_pledges_by_command_or_by_number(shop: Journey) -> None:
    first = await shop.tell(shop.ana, "!pledge 3")
    second = await shop.tell(shop.ana, "+2")
    assert shop.signs(first) == ["✅"] == shop.signs(second) and shop.told(shop.ana) == []
    assert await shop.units() == {"ana": 5}
    assert len(shop.posted()) == 2  # the product and the card: nobody sees who pledged


async def test_a_maximum_waits_until_the_price_gets_there(shop: Journey) -> None:
    pledge = await shop.say(shop.ana, "!pledge 20 max 70")
    assert shop.signs(pledge) == ["⏳"]
    assert await shop.pledged() == {"ana": [(20, 0, 7000)]}
    await shop.settle()
    assert "€79.00 each once 10 are pledged" in shop.card_text
    await shop.plus(shop.otto, 5)
    await shop.settle()
    assert "Now €69.00 each" in shop.card_text and "25 pledged" in shop.card_text
    assert len([text for text in shop.posted() if "everyone pays €69.00 now" in text]) == 1


async def test_more_units_come_under_the_same_maximum(shop: Journey) -> None:
    await shop.say(shop.ana, "!pledge 2 max 70.00")
    await shop.plus(shop.ana, 1)
    assert await shop.pledged() == {"ana": [(2, 0, 7000), (1, 0, 7000)]}


async def test_a_range_fills_up_to_the_tier(shop: Journey) -> None:
    await shop.plus(shop.otto, 7)
    await shop.say(shop.ana, "!pledge 2-4")
    await shop.settle()
    assert await shop.pledged() == {"otto": [(7, 0, None)], "ana": [(2, 2, None)]}
    assert "Now €79.00 each" in shop.card_text and "10 pledged" in shop.card_text
    await shop.close()
    assert await shop.orders() == {"otto": (7, 7900, 55300), "ana": (3, 7900, 23700)}


async def test_a_decrease_eats_the_newest_units(shop: Journey) -> None:
    await shop.plus(shop.ana, 2)
    await shop.plus(shop.ana, 3)
    await shop.plus(shop.ana, 4)
    await shop.say(shop.ana, "!pledge 4")
    assert await shop.pledged() == {"ana": [(2, 0, None), (2, 0, None)]}
    assert [line[0] for line in (await shop.ledger())[-3:]] == ["withdrawn", "withdrawn", "options"]


@pytest.mark.parametrize("command", ["!withdraw", "!pledge 0"])
@pytest.mark.parametrize("by_direct_message", [False, True], ids=["in_the_group", "by_direct_message"])
async def test_a_pledge_is_withdrawn_by_command(shop: Journey, command: str, by_direct_message: bool) -> None:
    await shop.plus(shop.ana, 2)
    await shop.react(shop.ana, "+1")
    await shop.plus(shop.otto, 4)
    taken = await (shop.tell if by_direct_message else shop.say)(shop.ana, command)
    assert shop.signs(taken) == ["✅"]
    assert await shop.units() == {"otto": 4}
    await shop.settle()
    assert "4 pledged; 6 more" in shop.card_text


async def test_removing_the_message_or_the_reaction_withdraws_what_it_added(engine: str, shop: Journey) -> None:
    message = await shop.plus(shop.ana, 2)
    reaction = await shop.react(shop.ana, "+5")
    direct = await shop.tell(shop.ana, "+1")
    await shop.redact(shop.ana, message)
    assert await shop.pledged() == {"ana": [(5, 0, None), (1, 0, None)]}
    await shop.redact(shop.ana, reaction)
    await shop.redact(shop.ana, direct)
    assert await shop.pledged() == {}
    await shop.settle()
    assert "0 pledged; 10 more" in shop.card_text
    assert [line for line in await shop.ledger() if line[0] == "withdrawn"] == [
        ("withdrawn", "ana", -2, 0), ("withdrawn", "ana", -5, 0), ("withdrawn", "ana", -1, 0),
    ]  # fmt: skip
    assert await shop.react(shop.ana, "+5") and await shop.units() == {"ana": 5}


async def test_removing_a_message_withdraws_no_more_than_is_left_of_it(shop: Journey) -> None:
    await shop.plus(shop.ana, 2)
    second = await shop.plus(shop.ana, 3)
    await shop.say(shop.ana, "!pledge 3")
    await shop.redact(shop.ana, second)
    assert await shop.pledged() == {"ana": [(2, 0, None)]}
    await shop.redact(shop.ana, second)
    assert await shop.pledged() == {"ana": [(2, 0, None)]}


async def test_a_moderators_redaction_withdraws_nothing(shop: Journey) -> None:
    message = await shop.plus(shop.ana, 2)
    reaction = await shop.react(shop.ana, "+1")
    await shop.redact(shop.ben, message)
    await shop.redact(shop.rosa, reaction)
    assert await shop.pledged() == {"ana": [(2, 0, None), (1, 0, None)]}
    assert shop.told(shop.ana) == [] and not [line for line in await shop.ledger() if line[0] == "withdrawn"]


async def test_a_redaction_of_somebody_else_that_a_remote_server_let_pass_withdraws_nothing(shop: Journey) -> None:
    message = await shop.plus(shop.ana, 2)
    shop.otto.redact(shop.group, message, force=True)
    await shop.rest()
    assert await shop.units() == {"ana": 2}


@pytest.mark.parametrize("first", ["+2", "!pledge 2"])
async def test_an_edit_of_a_pledge_changes_nothing_and_gets_an_answer(shop: Journey, first: str) -> None:
    pledge = await shop.say(shop.ana, first, reply_to=shop.card)
    edit = shop.ana.edit(shop.group, pledge, "+5")
    await shop.rest()
    assert await shop.pledged() == {"ana": [(2, 0, None)]}
    assert shop.signs(edit) == ["⚠️"] and shop.signs(pledge) == ["✅"]
    assert shop.told(shop.ana) == [
        "Editing changes nothing: what counts is what you wrote first, so your pledge stays at 2. To change it, write "
        "!pledge and the number you want; !withdraw takes it back."
    ]


async def test_chatter_that_is_edited_into_a_pledge_is_answered_too(shop: Journey) -> None:
    chatter = await shop.say(shop.ana, "what a nice throw")
    edit = shop.ana.edit(shop.group, chatter, "!pledge 5")
    await shop.rest()
    assert await shop.pledged() == {} and shop.signs(edit) == ["⚠️"]
    assert shop.told(shop.ana) == [
        "Editing changes nothing: what counts is what you wrote first. If you want something else, send it as a new "
        "message."
    ]


async def test_edited_chatter_stays_chatter(shop: Journey, service: Service) -> None:
    before = await service.rows("SELECT COUNT(*) AS n FROM arrival")
    chatter = await shop.say(shop.ana, "what a nice throw")
    shop.ana.edit(shop.group, chatter, "what a nice warm throw")
    await shop.rest()
    assert shop.told(shop.ana) == [] and await service.rows("SELECT COUNT(*) AS n FROM arrival") == before


async def test_several_open_buys_make_the_service_ask_which(shop: Journey) -> None:
    throw = shop.buy
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "5:9 until tomorrow 12:00")
    mug = shop.buy
    for typed in ("!pledge 2", "!withdraw", "!pledge 2-3 max 9"):
        asked = await shop.say(shop.ana, typed)
        assert shop.signs(asked) == ["⚠️"] and await shop.pledged() == {}
        head, *choices = shop.told(shop.ana)[-1].split("\n")
        assert head == "Which group buy? Reply to its card, or add its id at the end:"
        assert sorted(choices) == sorted([f"• Merino throw: {typed} {throw}", f"• Mug: {typed} {mug}"])
    await shop.say(shop.ana, f"!pledge 2 {throw}")
    await shop.say(shop.ana, "!pledge 3", reply_to=shop.card)
    assert await shop.pledged() == {"ana": [(2, 0, None), (3, 0, None)]}
    await shop.tell(shop.ana, f"!withdraw {throw}")
    assert await shop.pledged() == {"ana": [(3, 0, None)]}


async def test_what_the_service_suggests_for_a_bare_number_works_when_it_is_typed(shop: Journey) -> None:
    throw = shop.buy
    await shop.plus(shop.ana, 3)
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "5:9 until tomorrow 12:00")
    asked = await shop.tell(shop.ana, "+2")
    assert shop.signs(asked) == ["⚠️"] and await shop.units() == {"ana": 3}
    choice = next(line for line in shop.told(shop.ana)[-1].split("\n") if line.endswith(throw))
    assert choice == f"• Merino throw: +2 {throw}"
    await shop.tell(shop.ana, choice.partition(": ")[2])
    assert await shop.units() == {"ana": 5}


async def test_the_only_open_buy_is_meant_whichever_group_it_is_in(shop: Journey, hs: FakeHomeserver) -> None:
    await shop.make_group("Book circle")
    await shop.tell(shop.rosa, f"!invite {shop.ana.mxid} {shop.group_id}")
    await shop.tell(shop.ana, "+2")
    assert await shop.units() == {"ana": 2}


async def test_a_pledge_goes_to_the_group_in_which_it_is_typed(shop: Journey, hs: FakeHomeserver) -> None:
    wool, throw = shop.group, shop.buy
    await shop.make_group("Book circle")
    books = shop.group
    await shop.tell(shop.rosa, f"!invite {shop.ana.mxid} {shop.group_id}")
    await shop.say(shop.rosa, '!product add "Atlas" 40 https://shop.example/atlas')
    await shop.say(shop.rosa, "!buy open atlas 3:30 until friday 18:00")
    shop.find_card()
    await shop.say(shop.ana, "!pledge 2", to=wool)
    await shop.say(shop.ana, "!pledge 1", to=books)
    rows = await shop.service.rows("SELECT buy_id, quantity FROM tranche ORDER BY position")
    assert [(row["buy_id"], row["quantity"]) for row in rows] == [(throw, 2), (shop.buy, 1)]
    asked = await shop.tell(shop.ana, "!pledge 4")
    assert shop.signs(asked) == ["⚠️"] and len(shop.told(shop.ana)[-1].split("\n")) == 3


async def test_a_pledge_beyond_the_cap_waits(shop: Journey) -> None:
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "2:10 until friday 18:00 cap 4")
    first = await shop.plus(shop.ana, 3)
    second = await shop.plus(shop.otto, 2)
    assert (shop.signs(first), shop.signs(second)) == (["✅"], ["⏳"])
    await shop.settle()
    assert "4 of at most 4, 1 waiting; the best price is reached" in shop.card_text
    await shop.redact(shop.ana, first)
    await shop.close()
    assert await shop.orders() == {"otto": (2, 1000, 2000)}


async def test_a_concierge_and_the_owner_may_pledge_too(shop: Journey) -> None:
    await shop.plus(shop.ben, 1)
    await shop.react(shop.rosa, "+2")
    assert await shop.units() == {"ben": 1, "rosa": 2}


async def test_a_member_who_has_left_still_has_their_pledge_and_may_withdraw_no_more(shop: Journey) -> None:
    await shop.plus(shop.ana, 2)
    shop.ana.leave(shop.group)
    await shop.rest()
    assert await shop.units() == {"ana": 2}


async def test_words_in_the_group_that_are_not_for_the_service_are_never_written_down(
    shop: Journey, service: Service
) -> None:
    before = await service.rows("SELECT id FROM arrival ORDER BY seq")
    events = len(shop.room.events)
    asked = shop.ana.say(shop.group, "does it scratch?")
    shop.ana.say(shop.group, "+1 from me for the blue one")
    shop.ana.say(shop.group, "+1", msgtype="m.notice", reply_to=shop.card)
    shop.ana.react(shop.group, shop.card, "👍")
    shop.ana.react(shop.group, asked, "❤️")
    shop.ana.image(shop.group, "mine.png")
    shop.ana.send(shop.group, "m.sticker", {"body": "cat", "info": {}, "url": "mxc://fake.test/cat"})
    await shop.settle()
    assert await service.rows("SELECT id FROM arrival ORDER BY seq") == before
    assert len(shop.room.events) == events + 7 and await shop.pledged() == {}


async def test_pledges_in_one_go_all_count(engine: str, shop: Journey, hs: FakeHomeserver) -> None:
    hs.pause_delivery()
    people = [shop.ana, shop.otto, shop.mia, shop.ben, shop.rosa]
    pledges = [person.say(shop.group, f"+{n}", reply_to=shop.card) for n, person in enumerate(people * 10, 1)]
    hs.resume()
    await shop.settle()
    assert sum((await shop.units()).values()) == 50 * 51 // 2
    assert all(shop.signs(pledge) == ["✅"] for pledge in pledges)
    assert len(shop.room.edits(shop.card)) <= 2


async def test_no_member_is_named_where_all_can_read(shop: Journey, hs: FakeHomeserver) -> None:
    for person in (shop.ana, shop.otto, shop.mia):
        await shop.plus(person, 4)
    await shop.settle()
    await shop.close()
    for event in shop.bot_events():
        if event.type in ("m.room.message", BUY):
            assert not any(name in str(event.content) for name in ("ana", "otto", "mia", "Member")), event.content


async def test_the_same_product_has_one_open_buy_and_a_new_one_after_it_has_closed(shop: Journey) -> None:
    first = shop.buy
    await shop.close()
    await shop.say(shop.ben, OPEN)
    shop.find_card()
    assert shop.buy != first
    await shop.plus(shop.ana, 1)
    assert await shop.units() == {"ana": 1}


async def test_removing_the_message_that_set_a_range_takes_the_range_back_and_no_more(shop: Journey) -> None:
    await shop.say(shop.ana, "!pledge 2")
    ranged = await shop.say(shop.ana, "!pledge 2-6 max 85")
    assert await shop.pledged() == {"ana": [(2, 4, 8500)]}
    await shop.redact(shop.ana, ranged)
    assert await shop.pledged() == {"ana": [(2, 0, 8500)]}


async def test_removing_what_came_before_a_range_leaves_the_range(shop: Journey) -> None:
    first = await shop.react(shop.ana, "+2")
    await shop.say(shop.ana, "!pledge 3-6")
    await shop.redact(shop.ana, first)
    assert await shop.pledged() == {"ana": [(1, 3, None)]}


async def test_a_range_that_was_set_anew_does_not_end_with_the_older_message(shop: Journey) -> None:
    older = await shop.say(shop.ana, "!pledge 2-4")
    await shop.say(shop.ana, "!pledge 3-5")
    await shop.redact(shop.ana, older)
    assert await shop.pledged() == {"ana": [(1, 2, None)]}
