"""`!buy repeat`: the same terms once more, and those who took part are told once, in private."""

import pytest

from tests.flows.journey import BUY, Journey
from tests.flows.service import DAY, Service

SIZES = "!buy open merino-throw 10:79 25:69 until friday 18:00 cap 100 variants S, M"
AGAIN = "until 2026-12-04 18:00"


def invitations(play: Journey, person: object) -> list[str]:
    """What a person was told of a buy that is open again."""
    return [text for text in play.told(person) if "is open again" in text]  # type: ignore[arg-type]


async def test_the_same_terms_open_again_and_who_took_part_is_told_once_in_private(
    engine: str, shop: Journey, service: Service
) -> None:
    await shop.plus(shop.ana, 8)
    await shop.plus(shop.otto, 3)
    await shop.say(shop.otto, "!pledge 2 max 1.00")  # he will not be in, and wants it all the same
    await shop.plus(shop.mia, 2)
    await shop.close()
    before, posted = shop.buy, len(shop.posted())
    asked = await shop.say(shop.ben, f"!buy repeat {before} {AGAIN}")
    shop.find_card()
    assert shop.signs(asked) == ["✅"] and shop.buy != before
    old, new = [await service.rows("SELECT * FROM group_buy WHERE id = $1", id) for id in (before, shop.buy)]
    same = ("product_id", "tiers", "pack", "cap", "currency", "extras", "group_id")
    assert [old[0][name] for name in same] == [new[0][name] for name in same]
    assert new[0]["status"] == "open" and shop.card_now[BUY]["closes_at"] == 1_796_403_600_000
    assert len(shop.posted()) == posted + 1  # the new card, and nothing else in the room
    lead = "Merino throw, in which you took part, is open again in “Wool circle” until Friday 4 December, 18:00"
    for person, units in ((shop.ana, 8), (shop.otto, 2), (shop.mia, 2)):
        [line] = invitations(shop, person)
        assert line.startswith(lead) and f"What you had before: !pledge {units} {shop.buy}." in line
    assert invitations(shop, shop.ben) == [] == invitations(shop, shop.rosa)
    await shop.tell(shop.ana, f"!pledge 8 {shop.buy}")
    rows = await service.rows("SELECT quantity FROM tranche WHERE buy_id = $1", shop.buy)
    assert [row["quantity"] for row in rows] == [8]


async def test_what_a_member_had_is_told_by_variant(shop: Journey, circle: Journey) -> None:
    await shop.say(shop.ben, f"!buy close {shop.buy}")
    await shop.settle()
    await shop.open_buy(SIZES)
    await shop.tell(shop.ana, "!pledge 7 S")
    await shop.tell(shop.ana, "!pledge 4 M")
    await shop.close()
    await shop.say(shop.ben, f"!buy repeat {shop.buy} {AGAIN}")
    shop.find_card()
    [line] = invitations(shop, shop.ana)
    assert f"What you had before: !pledge 7 S {shop.buy} and !pledge 4 M {shop.buy}." in line
    await shop.tell(shop.ana, f"!pledge 7 S {shop.buy}")
    assert "7 pledged" in (await _card(shop))


async def _card(play: Journey) -> str:
    await play.settle()
    return play.card_text


async def test_who_has_left_or_withdrawn_is_not_told(shop: Journey) -> None:
    await shop.plus(shop.ana, 8)
    await shop.plus(shop.otto, 3)
    withdrawn = await shop.plus(shop.mia, 3)
    await shop.redact(shop.mia, withdrawn)
    await shop.close()
    shop.ana.leave(shop.group)
    await shop.rest()
    await shop.say(shop.ben, f"!buy repeat {shop.buy} {AGAIN}")
    assert [len(invitations(shop, person)) for person in (shop.ana, shop.otto, shop.mia)] == [0, 1, 0]


async def test_who_has_no_direct_room_is_told_when_they_come(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    await shop.leave_direct(shop.ana)
    shop.ana.auto_join = False
    await shop.say(shop.ben, f"!buy repeat {shop.buy} {AGAIN}")
    assert invitations(shop, shop.ana) == []
    shop.ana.join_all()
    await shop.rest()
    assert len(invitations(shop, shop.ana)) == 1


async def test_a_failed_buy_and_a_cancelled_one_can_be_repeated(shop: Journey) -> None:
    await shop.plus(shop.ana, 3)
    await shop.close()
    assert await shop.status() == "failed"
    await shop.say(shop.ben, f"!buy repeat {shop.buy} {AGAIN}")
    shop.find_card()
    await shop.plus(shop.otto, 4)
    await shop.say(shop.ben, f"!buy cancel {shop.buy} out of stock")
    assert await shop.status() == "cancelled"
    await shop.settle()
    await shop.say(shop.ben, f"!buy repeat {shop.buy} {AGAIN}")
    shop.find_card()
    assert await shop.status() == "open"
    assert (len(invitations(shop, shop.ana)), len(invitations(shop, shop.otto))) == (1, 1)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("!buy repeat {buy}", "Write it like this: !buy repeat"),
        ("!buy repeat {buy} until whenever", "I could not read the deadline."),
        ("!buy repeat {buy} until 2026-11-23 12:00", "That deadline has already passed."),
        ("!buy repeat zzzzzz until friday 18:00", "“zzzzzz” is no group buy of this group."),
    ],
)
async def test_what_cannot_be_repeated_opens_nothing_and_tells_nobody(shop: Journey, typed: str, why: str) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    cards = len(shop.hs.cards(shop.group))
    asked = await shop.say(shop.ben, typed.format(buy=shop.buy))
    assert shop.signs(asked) == ["⚠️"] and shop.told(shop.ben)[-1].startswith(why)
    assert len(shop.hs.cards(shop.group)) == cards and invitations(shop, shop.ana) == []


async def test_a_buy_that_has_not_ended_is_not_repeated(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    asked = await shop.say(shop.ben, f"!buy repeat {shop.buy} {AGAIN}")
    assert shop.signs(asked) == ["⚠️"]
    assert shop.told(shop.ben)[-1].startswith(f"The group buy {shop.buy} has not ended, so there is nothing to repeat")
    assert len(await service.rows("SELECT id FROM group_buy")) == 1 and invitations(shop, shop.ana) == []


async def test_a_repeat_is_not_repeated_while_it_is_open(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    for _ in range(2):
        await shop.say(shop.ben, f"!buy repeat {shop.buy} {AGAIN}")
        service.clock.advance(DAY // 24)
    assert shop.told(shop.ben)[-1].startswith("There is an open group buy for this product already")
    assert len(invitations(shop, shop.ana)) == 1 and len(await service.rows("SELECT id FROM group_buy")) == 2


async def test_members_repeat_nothing(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    asked = await shop.say(shop.ana, f"!buy repeat {shop.buy} {AGAIN}")
    assert shop.signs(asked) == ["⚠️"] and len(await service.rows("SELECT id FROM group_buy")) == 1
