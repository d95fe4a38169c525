"""Who may vouch, and who may not for now; the tree of sponsors, for concierges only."""

from __future__ import annotations

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import DAY, Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")

NAME = "“Wool circle”"


async def nothing_asked(play: Journey) -> bool:
    """Whether no vouch is in the database, none in the desk, and nobody is invited or waits."""
    pending = await play.service.rows("SELECT id FROM vouch WHERE status = 'pending'")
    lines = [text for text in play.posted(play.desk) if "vouches" in text or "asks for" in text]
    return not pending and not lines and not play.room.invited and not await play.waiting()


async def refused(play: Journey, person: Person, typed: str, why: str) -> None:
    """Something is typed in private, refused with this reason, and nothing comes of it."""
    ledger = await play.ledger()
    asked = await play.tell(person, typed)
    assert play.signs(asked) == ["⚠️"], typed
    assert why in play.told(person)[-1], play.told(person)[-1]
    assert await play.ledger() == ledger and await nothing_asked(play)


async def test_a_member_vouches_only_after_a_week(circle: Journey, service: Service) -> None:
    pia = circle.newcomer()
    why = "You can vouch for others once you have been in the group for 7 days."
    await refused(circle, circle.ana, f"!invite {pia.mxid}", why)
    await circle.days(6)
    service.clock.advance(DAY - 1)
    await refused(circle, circle.ana, f"!invite {pia.mxid}", why)
    await refused(circle, circle.ana, "!code", why)
    service.clock.advance(1)
    assert await circle.vouch(circle.ana, pia)


async def test_the_operator_decides_after_how_many_days_members_may_vouch(circle: Journey) -> None:
    await circle.configure(vouch_days=0)
    assert await circle.vouch(circle.ana, circle.newcomer())


async def test_who_comes_back_need_not_wait_again(grown: Journey) -> None:
    grown.ana.leave(grown.group)
    await grown.rest()
    await grown.tell(grown.rosa, f"!invite {grown.ana.mxid}")
    assert await grown.vouch(grown.ana, grown.newcomer())


async def test_at_most_three_people_wait_for_a_decision_for_each_sponsor_and_nobody_twice(grown: Journey) -> None:
    people = [grown.newcomer(name) for name in ("pia", "sam", "tim", "zoe")]
    lines = [await grown.vouch(grown.ana, person) for person in people[:3]]
    assert all(lines)
    asked = await grown.tell(grown.ana, f"!invite {people[3].mxid}")
    assert grown.signs(asked) == ["⚠️"] and "have 3 people of yours before them" in grown.told(grown.ana)[-1]
    for person in (grown.ana, grown.otto):
        asked = await grown.tell(person, f"!invite {people[0].mxid}")
        assert grown.signs(asked) == ["⚠️"]
        assert "vouched for that person already" in grown.told(person)[-1]
    assert len(await grown.service.rows("SELECT id FROM vouch")) == 3
    await grown.decide(grown.ben, lines[1], "❌")
    assert await grown.vouch(grown.ana, people[3])
    assert await grown.vouch(grown.otto, people[1])


async def test_who_waits_for_a_seat_already_is_not_vouched_for_again(grown: Journey) -> None:
    await grown.fill()
    pia = grown.newcomer()
    await grown.say(grown.ben, f"!invite {pia.mxid}", to=grown.desk)
    asked = await grown.tell(grown.ana, f"!invite {pia.mxid}")
    assert grown.signs(asked) == ["⚠️"] and "vouched for that person already" in grown.told(grown.ana)[-1]
    assert await grown.waiting() == ["pia"] and await grown.service.rows("SELECT id FROM vouch") == []


async def test_nobody_vouches_for_who_is_there_was_banned_or_is_no_person(grown: Journey, hs: FakeHomeserver) -> None:
    grown.ben.ban(grown.group, grown.mia.mxid)
    await grown.rest()
    for typed, why in (
        (grown.otto.mxid, "already in the group"),
        (grown.ana.mxid, "already in the group"),
        (grown.mia.mxid, "was banned from the group"),
        (hs.bot, "That is my own account."),
        ("@coterie_x:fake.test", "That is my own account."),
        ("@_coterie_sender:fake.test", "That is my own account."),
        ("pia", "I need a whole Matrix id"),
        ("@pia", "I need a whole Matrix id"),
        ("@pia:", "I need a whole Matrix id"),
        ("@:fake.test", "I need a whole Matrix id"),
        ("@pia:fake.test/x", "I need a whole Matrix id"),
        ("@pi\u0430:fake.test<b>", "I need a whole Matrix id"),
        (f"@{'p' * 250}:fake.test", "I need a whole Matrix id"),
        ("mailto:pia@fake.test", "I need a whole Matrix id"),
        ("", "Write it like this: !invite @ana:example.org"),
    ):
        await refused(grown, grown.ana, f"!invite {typed}".strip(), why)
    pia = grown.newcomer()
    await grown.tell(grown.ben, f"!invite {pia.mxid}")
    asked = await grown.tell(grown.ana, f"!invite {pia.mxid}")
    assert grown.signs(asked) == ["⚠️"] and "already invited" in grown.told(grown.ana)[-1]
    assert await grown.service.rows("SELECT id FROM vouch") == []


async def test_a_stranger_and_a_former_member_cannot_vouch(grown: Journey) -> None:
    eve = grown.newcomer("eve")
    await refused(grown, eve, "!invite @pia:fake.test", "I know of no group in which you could do that.")
    grown.mia.leave(grown.group)
    await grown.rest()
    await refused(grown, grown.mia, "!invite @pia:fake.test", "I know of no group in which you could do that.")


@pytest.mark.parametrize("typed", ["!invite @pia:fake.test", "!code", "!alias Otter", "!Invite @pia:fake.test x"])
async def test_typed_in_the_group_it_is_refused_and_the_message_is_removed(grown: Journey, typed: str) -> None:
    for person in (grown.ana, grown.ben):
        asked = await grown.say(person, typed)
        assert grown.hs.event(asked).redaction is not None and "body" not in grown.hs.event(asked).content
        assert "not for the eyes of the whole group" in grown.told(person)[-1] and "@pia" not in grown.told(person)[-1]
    assert await nothing_asked(grown) and await grown.service.rows("SELECT id FROM code") == []
    assert await grown.alias(grown.ana) != "Otter" and grown.posted() == []


# ---- who may not vouch for now --------------------------------------------------------------------


@pytest.mark.parametrize("quote", ["", '"'])
async def test_a_concierge_suspends_a_members_right_by_alias_and_gives_it_back(grown: Journey, quote: str) -> None:
    await grown.tell(grown.ana, "!alias Quiet River Otter")
    typed = f"!suspend {quote}quiet river ÖTTER{quote} too many  strangers"
    asked = await grown.say(grown.ben, typed, to=grown.desk)
    assert grown.signs(asked) == ["✅"]
    assert grown.posted(grown.desk)[-1] == "Quiet River Otter cannot vouch for others for now."
    why = f"You cannot vouch for others in {NAME} for now. The concierges' reason: too many strangers"
    assert grown.told(grown.ana)[-1] == why
    for typed in ("!invite @pia:fake.test", "!code"):
        asked = await grown.tell(grown.ana, typed)
        assert grown.signs(asked) == ["⚠️"]
        assert grown.told(grown.ana)[-1].endswith("The concierges' reason: too many strangers")
    assert await nothing_asked(grown)
    await grown.say(grown.ben, "!tree", to=grown.desk)
    assert "Quiet River Otter (may not vouch)" in grown.posted(grown.desk)[-1]
    asked = await grown.tell(grown.ben, f"!unsuspend {quote}Quiet River Otter{quote}")
    assert grown.signs(asked) == ["✅"]
    assert grown.told(grown.ben)[-1] == "Quiet River Otter can vouch for others again."
    assert grown.told(grown.ana)[-1] == f"You can vouch for others in {NAME} again."
    assert await grown.vouch(grown.ana, grown.newcomer())
    assert [line[:2] for line in await grown.ledger()][-2:] == [("suspended", "ana"), ("unsuspended", "ana")]


async def test_a_suspension_needs_a_reason_a_known_member_and_a_concierge(grown: Journey) -> None:
    await grown.tell(grown.ana, "!alias Otter")
    ben = await grown.alias(grown.ben)
    for person, typed, why in (
        (grown.ben, "!suspend Otter", "Write it like this: !suspend Otter too many strangers"),
        (grown.ben, "!suspend", "Write it like this: !suspend Otter"),
        (grown.ben, "!unsuspend", "Write it like this: !unsuspend Otter"),
        (grown.ben, "!suspend Badger too many", "I know of nobody in the group whom that could be."),
        (grown.rosa, f"!suspend {ben} too many", "concierge"),
        (grown.otto, "!suspend Otter too many", "I know of no group"),
    ):
        asked = await grown.tell(person, typed)
        assert grown.signs(asked) == ["⚠️"] and why in grown.told(person)[-1], (typed, grown.told(person)[-1])
    assert await grown.service.rows("SELECT user_id FROM member WHERE suspended IS NOT NULL") == []


async def test_the_tree_stands_in_the_desk_only_and_is_indented_by_sponsors(grown: Journey) -> None:
    pia = grown.person("pia")
    await grown.decide(grown.ben, await grown.vouch(grown.ana, pia))
    names = {person: await grown.alias(grown.person(person)) for person in ("rosa", "ben", "ana", "otto", "mia", "pia")}
    await grown.say(grown.ben, "!tree", to=grown.desk)
    assert grown.posted(grown.desk)[-1].split("\n") == [
        f"Who vouched for whom in {NAME}:",
        f"{names['rosa']} (owner)",
        f"  {names['ben']} (concierge)",
        f"  {names['ana']}",
        f"    {names['pia']}",
        f"  {names['otto']}",
        f"  {names['mia']}",
    ]
    grown.ana.leave(grown.group)
    await grown.rest()
    await grown.say(grown.ben, "!tree", to=grown.desk)
    assert f"  {names['ana']} (left)\n    {names['pia']}\n" in grown.posted(grown.desk)[-1]
    for person, room in ((grown.ben, None), (grown.otto, None), (grown.otto, grown.group)):
        asked = await grown.say(person, "!tree", to=room or await grown.direct(person))
        assert all(alias not in text for alias in names.values() for text in grown.told(person)[-1:]), asked
        assert "Write it in the desk" in grown.told(person)[-1] and grown.posted() == []


# ---- reasons, and names in them -------------------------------------------------------------------


async def test_reasons_are_passed_on_without_matrix_ids_in_them(grown: Journey) -> None:
    line = await grown.vouch(grown.ana, grown.newcomer(), f"{grown.otto.mxid} knows her")
    assert "“(an id) knows her”" in grown.hs.event(line).body
    typed = f"!suspend {grown.ana.mxid} because {grown.otto.mxid} complained"
    asked = await grown.say(grown.ben, typed, to=grown.desk)
    assert grown.signs(asked) == ["✅"] and grown.told(grown.ana)[-1].endswith("reason: because (an id) complained")
    assert grown.otto.mxid not in str(await grown.service.rows("SELECT why FROM vouch"))


async def test_nobody_is_told_of_a_right_that_was_not_taken_away(grown: Journey) -> None:
    told = grown.told(grown.ana)
    asked = await grown.say(grown.ben, f"!unsuspend {await grown.alias(grown.ana)}", to=grown.desk)
    assert grown.signs(asked) == ["⚠️"] and grown.told(grown.ana) == told
    assert "unsuspended" not in [line[0] for line in await grown.ledger()]
