"""`!group pledges private`: nobody in the room sees who takes part."""

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, Journey
from tests.flows.service import Service

PLEDGED = "In “Wool circle” one pledges by direct message"


@pytest.fixture
async def discreet(circle: Journey) -> Journey:
    """The group with an open buy, where pledges are private from the start."""
    await circle.tell(circle.rosa, "!group pledges private")
    await circle.open_buy()
    return circle


async def test_the_card_offers_no_buttons_and_says_how_to_pledge(engine: str, discreet: Journey) -> None:
    assert discreet.signs(discreet.card) == []
    assert (
        f"To join: pledge by direct message to me: !pledge 2 {discreet.buy}. Free to withdraw until it closes."
        in discreet.card_text
    )
    assert discreet.room.pinned == [discreet.card]
    assert discreet.room.content(BUY, discreet.buy)["status"] == "open"
    assert [line[:2] for line in await discreet.ledger() if line[0].startswith("pledges")] == [
        ("pledges_private", None)
    ]


@pytest.mark.parametrize("body", ["!pledge 2", "!Pledge 2", "!pledg 2", "!withdraw", "!confirm", "!take"])
async def test_a_command_in_the_room_is_removed_and_answered_in_private_alone(discreet: Journey, body: str) -> None:
    said = await discreet.say(discreet.ana, body)
    assert discreet.hs.event(said).content == {} and discreet.signs(said) == []
    [line] = discreet.told(discreet.ana)
    assert line.startswith(PLEDGED) and await discreet.pledged() == {}


async def test_a_reply_to_the_card_is_removed_whatever_it_says(discreet: Journey) -> None:
    for units in ("2", "99999"):
        said = await discreet.plus(discreet.ana, units)
        assert discreet.hs.event(said).content == {} and discreet.signs(said) == []
    assert [line.startswith(PLEDGED) for line in discreet.told(discreet.ana)] == [True, True]
    assert await discreet.pledged() == {}


async def test_a_reaction_is_removed(discreet: Journey) -> None:
    reaction = await discreet.react(discreet.ana, "+2")
    assert discreet.hs.event(reaction).content == {}
    [line] = discreet.told(discreet.ana)
    assert line.startswith(PLEDGED) and await discreet.pledged() == {}


async def test_a_pledge_by_an_event_in_the_room_is_removed(discreet: Journey) -> None:
    pledge = {"version": 1, "buy": discreet.buy, "units": 2, "mode": "add"}
    said = discreet.ana.send(discreet.group, "shop.coterie.pledge", pledge)
    await discreet.rest()
    assert discreet.hs.event(said).content == {} and await discreet.pledged() == {}
    [line] = discreet.told(discreet.ana)
    assert line.startswith(PLEDGED)


async def test_other_commands_and_words_stay(discreet: Journey) -> None:
    for body in ("!fake 3", "!help", "who takes part?", "!recommend merino-throw soft"):
        said = await discreet.say(discreet.ana, body)
        assert discreet.hs.event(said).body == body


async def test_by_direct_message_one_pledges_as_everywhere(discreet: Journey) -> None:
    pledge = await discreet.tell(discreet.ana, "!pledge 2")
    more = await discreet.tell(discreet.ana, "+9")
    assert discreet.signs(pledge) == ["✅"] == discreet.signs(more)
    await discreet.settle()
    assert "Now €79.00 each" in discreet.card_text and "11 pledged" in discreet.card_text
    assert any("everyone pays €79.00 now" in text for text in discreet.posted())


async def test_the_result_has_no_lines_and_the_receipt_names_none(engine: str, discreet: Journey) -> None:
    await discreet.tell(discreet.ana, "!pledge 11")
    await discreet.close()
    keys = [event.content[BUY] for event in discreet.room.messages(discreet.hs.bot) if BUY in event.content]
    [result] = [key for key in keys if "tiers" not in key]
    assert result == {"version": 1, "id": discreet.buy, "status": "succeeded", "unit_price": 7900}
    receipt = discreet.told(discreet.ana)[-1]
    assert receipt.endswith(f"of {await discreet.alias(discreet.ana)} in “Wool circle”.") and "line" not in receipt


async def test_an_open_buys_card_is_posted_anew_without_its_buttons_and_pledges_stand(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    reaction = await shop.react(shop.ana, "+5")
    before = shop.card
    assert shop.signs(before) == ["+1", "+2", "+5"]
    asked = await shop.tell(shop.rosa, "!group pledges private")
    assert shop.signs(asked) == ["✅"]
    assert shop.told(shop.rosa)[-1].startswith("One pledges by direct message only in “Wool circle” from now on")
    assert shop.posted(shop.desk)[-1] == shop.told(shop.rosa)[-1]
    assert hs.event(before).content == {}
    shop.find_card()
    assert shop.card != before and shop.signs(shop.card) == [] and shop.room.pinned == [shop.card]
    assert await shop.units() == {"ana": 5}
    await shop.redact(shop.ana, reaction)  # taking it back is possible as ever
    assert await shop.units() == {}
    await shop.tell(shop.rosa, "!group pledges open")
    shop.find_card()
    assert shop.signs(shop.card) == ["+1", "+2", "+5"]
    await shop.react(shop.ana, "+2")
    assert await shop.units() == {"ana": 2}


async def test_saying_the_same_again_posts_no_card(discreet: Journey) -> None:
    posted = len(discreet.posted())
    asked = await discreet.tell(discreet.rosa, "!group pledges private")
    assert discreet.signs(asked) == ["✅"] and len(discreet.posted()) == posted
    assert len([line for line in await discreet.ledger() if line[0] == "pledges_private"]) == 1


async def test_only_the_owner_says_how_one_pledges(circle: Journey, service: Service) -> None:
    for person in (circle.ben, circle.ana):
        asked = await circle.tell(person, "!group pledges private")
        assert circle.signs(asked) == ["⚠️"]
    asked = await circle.tell(circle.rosa, "!group pledges hidden")
    assert circle.signs(asked) == ["⚠️"]
    assert [row["private_pledges"] for row in await service.rows("SELECT private_pledges FROM coterie_group")] == [0]


async def test_an_owner_whom_the_operator_does_not_list_says_it_too(circle: Journey, service: Service) -> None:
    await circle.tell(circle.rosa, f"!handover {circle.ben.mxid} confirm")
    await circle.tell(circle.ben, "!group pledges private")
    assert [row["private_pledges"] for row in await service.rows("SELECT private_pledges FROM coterie_group")] == [1]
    asked = await circle.tell(circle.ben, '!group create "Another"')
    assert circle.signs(asked) == ["⚠️"]
