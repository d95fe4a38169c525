"""`!report` goes to the owners, and in no way to the person concerned."""

from __future__ import annotations

import json

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.records import file_of, mentions
from tests.flows.service import DAY, Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")

WHY = "writes to me at night though I asked them to stop"
PASSED_ON = "I have passed that on to the group's owners, under your alias, and to nobody else."


def seen_by(play: Journey, person: Person) -> list[str]:
    """Everything that a person can read in any of their rooms, as it is on the wire and as it was inside."""
    events = [event for room in play.hs.world.rooms.values() for event in room.visible_to(person.mxid)]
    return [json.dumps([event.client(), event.content], ensure_ascii=False) for event in events]


async def test_the_owner_is_told_and_the_person_concerned_is_not(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    ana, otto = await circle.alias(circle.ana), await circle.alias(circle.otto)
    for person in (circle.otto, circle.ben, circle.mia, circle.rosa):
        await circle.direct(person)
    before = {person: seen_by(circle, person) for person in (circle.otto, circle.ben, circle.mia)}
    asked = await circle.tell(circle.ana, f"!report {otto} {WHY}")
    assert circle.signs(asked) == ["✅"] and circle.told(circle.ana)[-1] == PASSED_ON
    assert circle.told(circle.rosa)[-1] == (
        f"{ana} reports {otto} in “Wool circle”:\n{WHY}\nI have told nobody else, and {otto} does not know of it. What "
        f"is to be done is yours to decide; to ask further, write to {ana}."
    )
    told = hs.direct_events(circle.rosa)[-1].content
    assert told["msgtype"] == "m.text" and told["m.mentions"] == {"user_ids": [circle.rosa.mxid]}
    for person, texts in before.items():
        assert seen_by(circle, person) == texts, person
    assert circle.posted(circle.desk) == [] and circle.posted() == []
    assert [line[0] for line in await circle.ledger() if "report" in line[0]] == []


@pytest.mark.slow
async def test_what_is_kept_about_the_person_concerned_says_nothing_of_it(circle: Journey, service: Service) -> None:
    otto = await circle.alias(circle.otto)
    await circle.tell(circle.otto, "!mydata")
    before = file_of(circle, circle.otto)
    await circle.tell(circle.ana, f"!report {otto} {WHY}")
    await service.wait(DAY)
    await circle.tell(circle.otto, "!mydata")
    after = file_of(circle, circle.otto)
    for file in (before, after):
        del file["written_at"], file["told_once"]
    assert after == before and WHY not in json.dumps(after)
    await service.wait(8 * DAY)
    assert await mentions(service, "at night") == []


async def test_it_names_a_person_by_their_id_as_well(circle: Journey) -> None:
    await circle.tell(circle.ana, f"!report {circle.otto.mxid} {WHY}, {circle.otto.mxid} that is")
    otto = await circle.alias(circle.otto)
    assert f"reports {otto} in “Wool circle”:\n{WHY}, (an id) that is\n" in circle.told(circle.rosa)[-1]


async def test_of_several_owners_all_others_are_told(circle: Journey) -> None:
    levels = dict(circle.room.content("m.room.power_levels"))
    rosa, ben = await circle.alias(circle.rosa), circle.told(circle.ben)
    levels["users"] = {**levels["users"], circle.mia.mxid: 100}
    circle.hs.user(circle.hs.bot).put_state(circle.group, "m.room.power_levels", levels)
    await circle.service.rows("UPDATE member SET power = 100 WHERE user_id = $1 RETURNING power", circle.mia.mxid)
    before = seen_by(circle, circle.rosa)
    await circle.tell(circle.ana, f"!report {rosa} {WHY}")
    assert f"reports {rosa}" in circle.told(circle.mia)[-1] and circle.told(circle.ana)[-1] == PASSED_ON
    assert seen_by(circle, circle.rosa) == before and circle.told(circle.ben) == ben


async def test_about_the_only_owner_the_operators_people_are_told(circle: Journey) -> None:
    sam = circle.person("sam")
    await circle.configure(owners=(circle.rosa.mxid, sam.mxid))
    rosa = await circle.alias(circle.rosa)
    before, ben = seen_by(circle, circle.rosa), seen_by(circle, circle.ben)
    await circle.tell(circle.ana, f"!report {rosa} {WHY}")
    assert f"reports {rosa} in “Wool circle”" in circle.told(sam)[-1]
    assert seen_by(circle, circle.rosa) == before and seen_by(circle, circle.ben) == ben
    assert circle.told(circle.ana)[-1] == (
        "I have passed that on to the operator's people, since nobody else owns the group, under your alias, and to "
        "nobody else."
    )


async def test_where_nobody_else_could_be_told_nothing_is_passed_on(circle: Journey, service: Service) -> None:
    before = seen_by(circle, circle.rosa)
    asked = await circle.tell(circle.ana, f"!report {await circle.alias(circle.rosa)} {WHY}")
    assert circle.signs(asked) == ["⚠️"] and seen_by(circle, circle.rosa) == before
    assert circle.told(circle.ana)[-1] == (
        "There is nobody to whom I could pass that on without telling the person concerned, so I have told nobody. "
        "Write to the people who run fake.test."
    )
    assert await service.rows("SELECT * FROM told WHERE subject LIKE 'reports %'") == []


@pytest.mark.parametrize("words", ["", "{otto}", "{ana} is me", "{otto} " + "x" * 1001])
async def test_what_is_no_report_is_passed_on_to_nobody(circle: Journey, words: str) -> None:
    names = {"ana": await circle.alias(circle.ana), "otto": await circle.alias(circle.otto)}
    rosa = circle.told(circle.rosa)
    asked = await circle.tell(circle.ana, f"!report {words.format(**names)}")
    assert circle.signs(asked) == ["⚠️"] and circle.told(circle.rosa) == rosa


async def test_typed_in_the_group_it_is_removed_and_passed_on_to_nobody(circle: Journey, hs: FakeHomeserver) -> None:
    rosa = circle.told(circle.rosa)
    asked = await circle.say(circle.ana, f"!report {await circle.alias(circle.otto)} {WHY}")
    assert hs.event(asked).content == {} and circle.told(circle.rosa) == rosa
    mistyped = await circle.say(circle.ana, f"!repport {await circle.alias(circle.otto)} {WHY}")
    assert hs.event(mistyped).content == {} and circle.told(circle.rosa) == rosa


async def test_a_stranger_reports_nobody(circle: Journey) -> None:
    rosa = circle.told(circle.rosa)
    await circle.tell(circle.person("sam"), f"!report {await circle.alias(circle.otto)} {WHY}")
    assert circle.told(circle.rosa) == rosa
    assert circle.told(circle.person("sam"))[-1].startswith("I know of no group")


@pytest.mark.slow
async def test_more_than_five_a_day_wait(circle: Journey, service: Service) -> None:
    otto = await circle.alias(circle.otto)
    for n in range(5):
        await circle.tell(circle.ana, f"!report {otto} {WHY}, no. {n}")
    rosa = circle.told(circle.rosa)
    again = await circle.tell(circle.ana, f"!report {otto} {WHY}")
    assert circle.signs(again) == ["⚠️"] and circle.told(circle.rosa) == rosa
    assert circle.told(circle.ana)[-1].startswith("I have passed 5 reports of yours on within a day")
    await circle.tell(circle.mia, f"!report {otto} {WHY}")
    assert len(circle.told(circle.rosa)) == len(rosa) + 1
    await service.wait(DAY)
    await circle.tell(circle.ana, f"!report {otto} {WHY}")
    assert len(circle.told(circle.rosa)) == len(rosa) + 2
    await service.wait(31 * DAY)
    assert await service.rows("SELECT * FROM told WHERE subject LIKE 'reports %'") == []
