"""Who was turned away gets the next free seat, also where it becomes free before they are out."""

from __future__ import annotations

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.test_seats import force_in


async def test_a_seat_that_becomes_free_before_who_was_turned_away_is_out_is_theirs_and_stays_theirs(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    await circle.fill()
    eve, sam = circle.newcomer("eve"), circle.newcomer("sam")
    await circle.say(circle.ben, f"!invite {sam.mxid}", to=circle.desk)
    hs.pause_delivery()
    force_in(circle, eve)
    circle.otto.leave(circle.group)
    hs.resume()
    await circle.rest()
    assert circle.room.joined | circle.room.invited == {
        hs.bot, eve.mxid, *(one.mxid for one in (circle.rosa, circle.ben, circle.ana, circle.mia))
    }  # fmt: skip
    assert (await circle.members())["eve"] == ("invited", 0)
    assert await circle.waiting() == ["sam"] and await circle.seats() == 5

    eve.leave(circle.group)  # she does not want it: only now it is free
    await circle.rest()
    assert circle.room.invited == {sam.mxid} and await circle.waiting() == [] and await circle.seats() == 5


async def test_who_was_turned_away_and_went_by_themselves_gives_their_seat_back_when_they_go_again(
    circle: Journey, hs: FakeHomeserver
) -> None:
    await circle.fill()
    eve, sam = circle.newcomer("eve"), circle.newcomer("sam")
    hs.pause_delivery()
    force_in(circle, eve)
    eve.leave(circle.group)
    hs.resume()
    await circle.rest()
    assert await circle.waiting() == ["eve"]
    circle.otto.leave(circle.group)
    await circle.rest()
    await circle.say(circle.ben, f"!invite {sam.mxid}", to=circle.desk)
    assert circle.room.invited == {eve.mxid} and await circle.waiting() == ["sam"]
    eve.join_all()
    await circle.rest()
    assert (await circle.members())["eve"] == ("joined", 0)
    eve.leave(circle.group)
    await circle.rest()
    assert circle.room.invited == {sam.mxid} and await circle.waiting() == [] and await circle.seats() == 5
