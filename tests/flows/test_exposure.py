"""The scan for exposed people finds each of them, and only those; and the main job exposes nobody."""

from __future__ import annotations

import pytest

from tests.flows.exposure import exposures
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import Json
from tests.flows.journey import Journey
from tests.flows.service import DAY

MESSAGE = "m.room.message"


def says(hs: FakeHomeserver, room: str, type: str = MESSAGE, **content: object) -> None:
    """Something that the service would have written."""
    hs.world.send(hs.bot, room, type, {"msgtype": "m.notice", "body": "…", **content}, force=True)


@pytest.mark.parametrize(
    "content",
    [
        {"body": "Invited @ana:fake.test"},
        {"formatted_body": "<b>@ana:fake.test</b>"},
        {"shop.coterie.order": {"for": ["@ana:fake.test"]}},
        {"shop.coterie.order": {"@ana:fake.test": 1}},
        {"m.new_content": {"msgtype": "m.notice", "body": "hello Ana Anderl!"}},
        {"type": "m.reaction", "m.relates_to": {"key": "@ana:fake.test"}},
        {"type": "m.room.redaction", "reason": "for Ana Anderl"},
    ],
    ids=["body", "formatted", "own key", "name of an own key", "edit, by name", "reaction", "reason, by name"],
)
async def test_a_members_id_or_name_is_found_wherever_it_stands(circle: Journey, content: Json) -> None:
    circle.ana.set_name(circle.group, "Ana Anderl")
    await circle.rest()
    assert await exposures(circle) == []
    for room in (circle.group, circle.desk):
        says(circle.hs, room, **content)
    assert len(await exposures(circle)) == 2


async def test_the_reason_of_a_removal_and_the_ledger_are_searched(circle: Journey) -> None:
    hs = circle.hs
    hs.world.set_membership(hs.bot, circle.group, circle.mia.mxid, "kick", {"reason": "like @ana:fake.test"})
    await circle.rest()
    async with circle.service.store.unit() as unit:
        await unit._connection.execute(
            "INSERT INTO ledger (at, group_id, fact, detail, cause) VALUES (1, 'g', 'left', $1, 'x')",
            '{"who": "@ana:fake.test"}',
        )
    found = await exposures(circle)
    assert len(found) == 2 and found[1].startswith("ledger left")


async def test_what_may_be_written_is_no_exposure(circle: Journey) -> None:
    hs, ana, pia = circle.hs, circle.ana, circle.newcomer()
    direct = await circle.direct(circle.ben)
    says(hs, circle.desk, body=f"Otter vouches for a person: {pia.mxid}")  # who is no member yet
    says(hs, circle.group, body="ana and anatomy", **{"m.mentions": {"user_ids": [ana.mxid]}})
    circle.ben.say(circle.desk, f"!unknown {ana.mxid}")
    says(hs, direct, body=f"Invited {ana.mxid}")  # which the reader has typed
    says(hs, circle.desk, body=f"Invited {ana.mxid}")
    assert await exposures(circle) == []
    says(hs, await circle.direct(circle.otto), body=f"Invited {ana.mxid}")
    says(hs, circle.group, body=f"Invited {ana.mxid}")
    assert len(await exposures(circle)) == 2


async def test_the_main_job_exposes_nobody(play: Journey, nobody_exposed: None) -> None:
    for name in ("rosa", "ben", "ana", "otto", "mia", "sam", "@pia:remote.test"):
        play.newcomer(name).auto_join = True
    await play.main_job()
    await play.service.wait(DAY)
    assert await play.orders() and play.posted(play.desk)
