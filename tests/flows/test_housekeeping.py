"""What the service does by itself as time passes."""

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, Journey
from tests.flows.service import Service

DAY = 24 * 3_600_000


async def test_an_invitation_that_nobody_answers_is_taken_back_after_a_week(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    lena = circle.person("lena", auto_join=False)
    await circle.tell(circle.rosa, f"!invite {lena.mxid}")
    assert circle.room.members[lena.mxid] == "invite"
    await service.wait(7 * DAY - 60_000)
    assert circle.room.members[lena.mxid] == "invite"
    await service.wait(60_001)
    assert circle.room.members[lena.mxid] == "leave"
    assert hs.direct_messages(circle.rosa)[-1] == (
        f"{lena.mxid} has not answered the invitation to “Wool circle”. It has expired, and I take it back."
    )
    await circle.tell(circle.rosa, f"!invite {lena.mxid}")
    assert circle.room.members[lena.mxid] == "invite"


@pytest.mark.slow
async def test_who_has_joined_in_time_stays(circle: Journey, service: Service) -> None:
    before = dict(circle.room.members)
    await service.wait(8 * DAY)
    assert circle.room.members == before


async def test_a_buy_leaves_the_state_a_day_after_its_end(engine: str, shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    assert shop.room.content(BUY, shop.buy)["status"] == "succeeded"
    await service.wait(DAY)
    assert shop.room.content(BUY, shop.buy) == {}


async def test_a_card_that_somebody_removes_is_posted_again_and_takes_pledges(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    await shop.plus(shop.ana, 3)
    removed = shop.card
    await shop.redact(shop.ben, removed)
    shop.find_card()
    assert shop.card != removed and "3 pledged" in shop.card_text
    assert shop.room.pinned == [shop.card]
    assert shop.room.content(BUY, shop.buy)["card"] == shop.card
    await shop.plus(shop.otto, 2)
    await shop.say(shop.mia, "+1", reply_to=removed)
    assert await shop.units() == {"ana": 3, "otto": 2, "mia": 1}


async def test_whoever_has_left_the_group_can_still_take_their_pledge_back(shop: Journey) -> None:
    await shop.plus(shop.ana, 3)
    await shop.plus(shop.otto, 2)
    shop.ana.leave(shop.group)
    shop.ben.kick(shop.group, shop.otto.mxid)
    await shop.rest()
    asked = [await shop.tell(shop.ana, "!withdraw"), await shop.tell(shop.otto, "!pledge 0")]
    assert [shop.signs(event) for event in asked] == [["✅"], ["✅"]]
    assert await shop.units() == {}
    more = await shop.tell(shop.ana, "!pledge 4")
    assert shop.signs(more) == ["⚠️"] and await shop.units() == {}


async def test_an_owner_who_has_left_comes_back_by_inviting_themselves(circle: Journey, hs: FakeHomeserver) -> None:
    rosa = circle.person("rosa", auto_join=True)
    for room in (circle.group, circle.desk):
        rosa.leave(room)
    await circle.rest()
    await circle.tell(rosa, f"!invite {rosa.mxid}")
    assert {circle.room.members[rosa.mxid], hs.room(circle.desk).members[rosa.mxid]} == {"join"}
    assert (await circle.members())["rosa"] == ("joined", 100)


async def test_before_an_owner_has_joined_their_second_group_they_are_asked_which_one_is_meant(
    circle: Journey, hs: FakeHomeserver
) -> None:
    rosa = circle.person("rosa", auto_join=False)
    circle.person("zed", auto_join=False)
    await circle.tell(rosa, '!group create "Second"')
    await circle.tell(rosa, "!invite @zed:fake.test")
    assert circle.told(rosa)[-1].startswith("In which group?")
    assert not [room for room in hs.world.rooms.values() if "@zed:fake.test" in room.members]
    await circle.tell(rosa, '!invite @zed:fake.test "Second"')
    assert hs.room_named("Second").members["@zed:fake.test"] == "invite"


async def test_one_person_cannot_draw_the_service_into_many_direct_rooms(play: Journey, hs: FakeHomeserver) -> None:
    rooms = [play.ana.create_direct(hs.bot) for _ in range(8)]
    await play.rest()
    assert sum(hs.bot in hs.room(room).joined for room in rooms) == 3


@pytest.mark.parametrize(
    "typed",
    ["!invite\n@zoe:fake.test", "!invite\t@zoe:fake.test", "!invite\u00a0@zoe:fake.test", "!ivnite @zoe:fake.test"],
)
async def test_a_persons_id_is_removed_from_the_group_however_the_command_was_typed(
    circle: Journey, hs: FakeHomeserver, typed: str
) -> None:
    event_id = await circle.say(circle.rosa, typed)
    assert hs.event(event_id).content == {}
    assert "@zoe:fake.test" not in circle.room.members


async def test_a_group_buy_is_never_dearer_than_the_product_alone(circle: Journey) -> None:
    await circle.add_product()
    asked = await circle.say(circle.ben, "!buy open merino-throw 10:890 25:79 until friday 18:00")
    assert circle.signs(asked) == ["⚠️"]
    assert circle.told(circle.ben)[-1] == "A group buy is for less: its first price is above the product's own, €89.00."


async def test_of_two_products_of_one_name_the_sku_tells_which(circle: Journey) -> None:
    for n in (1, 2):
        await circle.say(circle.ben, f'!product add "A" {n}0 https://shop.example/{n}')
    asked = await circle.say(circle.ben, "!buy open a 10:9 until friday 18:00")
    assert circle.signs(asked) == ["✅"]


async def test_answers_that_nobody_comes_for_do_not_pile_up_but_the_end_of_a_buy_is_kept(
    shop: Journey, service: Service, hs: FakeHomeserver
) -> None:
    noa = shop.person("noa", auto_join=False)
    await shop.tell(shop.rosa, f"!invite {noa.mxid}")
    noa.join(shop.group)
    await shop.rest()
    for _ in range(25):
        noa.say(shop.group, "+0", reply_to=shop.card)
    await shop.rest()
    held = "SELECT COUNT(*) AS n FROM effect WHERE status = 'held'"
    assert (await service.rows(held))[0]["n"] == 20
    await shop.plus(noa, 1)
    await shop.close()
    assert (await service.rows(held))[0]["n"] == 21
    noa.join_all()
    await shop.rest()
    assert hs.direct_messages(noa)[-1].endswith("the minimum order was not reached. You owe nothing.")
