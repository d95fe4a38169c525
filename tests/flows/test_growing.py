"""How a group grows, with every unit and every send cut off at each of its suspensions and repeated."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.flows.cranked import Cranked
from tests.flows.exposure import exposures
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.service import HandClock
from tests.flows.test_seats import force_in


async def grow(play: Journey) -> None:
    """A vouch, a code asked for and one made, a full group, somebody without a seat, somebody who leaves."""
    await play.make_group(cap=7)
    direct = await play.direct(play.rosa)
    play.rosa.say(direct, f"!concierge add {play.ben.mxid}")
    play.rosa.say(direct, f"!invite {play.ana.mxid}")
    await play.rest()
    await play.days(8)
    pia, sam, tim, eve = (play.newcomer(name) for name in ("pia", "sam", "tim", "eve"))
    pia.auto_join = sam.auto_join = tim.auto_join = True
    anas = await play.direct(play.ana)
    play.ana.say(anas, f"!invite {pia.mxid} knits")
    play.ana.say(anas, "!code")
    await play.rest()
    for line in play.hs.room(play.desk).messages(play.hs.bot):
        play.ben.react(play.desk, line.event_id, "✅")
    await play.rest()
    for person, maker in ((sam, play.ana), (tim, play.ben)):
        code = play.told_code(maker) if maker is play.ana else await play.code(maker)
        await play.tell(person, code.upper())
    await play.fill()
    await play.tell(play.ben, f"!invite {play.otto.mxid}")
    force_in(play, eve)
    await play.rest()
    await play.tell(sam, "!alias Otter")
    sam.leave(play.group)
    await play.rest()
    eve.join_all()
    await play.rest()


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "twice"), [("sqlite", True), ("postgres", False)], indirect=["engine"])
async def test_a_group_grows_by_the_same_people_however_often_the_service_is_cut_off(
    engine: str, hs: FakeHomeserver, clock: HandClock, database: str, twice: bool
) -> None:
    async with Cranked(hs, clock, database, twice=twice) as service:
        service.patient = True
        await service.start()
        play = Journey(hs, service)
        await grow(play)
        everybody = {"rosa": 100, "ben": 50, "ana": 0, "pia": 0, "tim": 0, "eve": 0}
        assert await play.members() == {name: ("joined", power) for name, power in everybody.items()} | {
            "sam": ("left", 0)
        }
        assert play.room.joined == {hs.bot, *(f"@{name}:fake.test" for name in everybody)}
        assert await play.waiting() == ["otto"] and await play.seats() == 6
        sponsors = {"rosa": None, "ben": "rosa", "ana": "rosa", "pia": "ana", "sam": "ana", "tim": "ben", "eve": None}
        assert await play.sponsors() == sponsors
        facts = Counter(line[:2] for line in await play.ledger() if line[0] not in ("joined", "group_created"))
        assert facts == {
            ("concierge_added", "ben"): 1, ("vouch_approved", "ana"): 1, ("code_approved", "ana"): 1,
            ("code_made", "ana"): 1, ("code_made", "ben"): 1, ("code_used", "ana"): 1, ("code_used", "ben"): 1,
            ("cap_changed", None): 1, ("turned_away", None): 1, ("alias", "sam"): 1, ("left", "sam"): 1,
            ("invited", None): 2,
        }  # fmt: skip
        assert len(play.posted(play.desk)) == 3  # what ana asked for, twice, and eve
        for name in sponsors:
            person = play.person(name)
            assert len(play.welcomes(person)) == 1, name
            assert len(set(play.told(person))) == len(play.told(person)), play.told(person)
        assert [len(play.told(play.person(name))) for name in ("ana", "tim", "sam", "eve")] == [5, 1, 2, 2]
        assert await exposures(play) == [] and service.cuts > 1_000
        await service.assert_nothing_set_aside()
    hs.assert_conformant()
