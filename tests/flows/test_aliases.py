"""Aliases and display names: how the service calls people, and what it tells them about what others see."""

from __future__ import annotations

import pytest

from appservice.domain.alias import MOST_ALIASES, alias_key
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")

NAME = "“Wool circle”"
ROOM_NAME = (
    "To change it for this room only, type /myroomnick and another name there, if your client is Element; in others "
    "look for your name in the room's member list."
)
REVEALING = (
    f"Your display name in {NAME} looks like a phone number or an address, and everybody there can read it. {ROOM_NAME}"
)
LIKE_ANOTHER = (
    f"Your display name in {NAME} reads like mine or a concierge's, so people may take you for them, and I have told "
    f"the concierges. {ROOM_NAME}"
)


async def kept(play: Journey) -> list[tuple[str, int]]:
    """Every alias that was ever given, and to which number."""
    rows = await play.service.rows("SELECT alias, number FROM alias ORDER BY number, given_at, alias")
    return [(row["alias"], row["number"]) for row in rows]


async def called(play: Journey, person: Person, alias: str) -> None:
    """They choose an alias and get it."""
    asked = await play.tell(person, f"!alias {alias}")
    assert play.signs(asked) == ["✅"], play.told(person)[-1]
    assert await play.alias(person) == alias


async def refused(play: Journey, person: Person, typed: str, why: str) -> None:
    """They ask for an alias, are told why they cannot have it, and nothing changes."""
    before = await kept(play), await play.alias(person), await play.ledger()
    asked = await play.tell(person, f"!alias {typed}")
    assert play.signs(asked) == ["⚠️"], typed
    assert why in play.told(person)[-1], (typed, play.told(person)[-1])
    assert (await kept(play), await play.alias(person), await play.ledger()) == before


# ---- given and chosen -----------------------------------------------------------------------------


async def test_everybody_gets_an_alias_of_their_own_on_joining(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    people = [circle.person(f"p{n}") for n in range(20)]
    rosas = await circle.direct(circle.rosa)
    hs.pause_delivery()
    for person in people:
        circle.rosa.say(rosas, f"!invite {person.mxid}")
    hs.resume()
    await circle.rest()
    rows = await circle.service.rows("SELECT number, alias FROM member ORDER BY number")
    assert [row["number"] for row in rows] == list(range(1, 26))
    assert len({alias_key(row["alias"]) for row in rows}) == 25
    assert [(row["alias"], row["number"]) for row in rows] == await kept(circle)
    assert [len(circle.welcomes(person)) for person in people] == [1] * 20


async def test_a_member_chooses_an_alias_and_is_called_so_from_now_on(engine: str, circle: Journey) -> None:
    first = await circle.alias(circle.ana)
    asked = await circle.tell(circle.ana, "!alias   Quiet   Öttér ")
    assert circle.signs(asked) == ["✅"]
    assert circle.told(circle.ana)[-1] == f"In {NAME} I call you Quiet Öttér from now on."
    assert await circle.alias(circle.ana) == "Quiet Öttér"
    assert (await circle.ledger())[-1] == ("alias", "ana", 0, 0)
    await circle.tell(circle.ana, "!alias")
    assert circle.told(circle.ana)[-1] == f"In {NAME} I call you Quiet Öttér. To choose another: !alias Otter"
    assert {alias for alias, number in await kept(circle) if number == 3} == {first, "Quiet Öttér"}
    await circle.say(circle.ben, "!alias Badger", to=circle.desk)
    assert circle.posted(circle.desk)[-1] == f"In {NAME} I call you Badger from now on."


async def test_an_alias_that_is_like_somebody_elses_is_taken(circle: Journey) -> None:
    await called(circle, circle.otto, "Otter")
    friendly = await circle.alias(circle.mia)
    for typed in ("Otter", "otter", "ÖTTÉR", "O.t-t e_r", "0tter", "Оttеr", "ОТТЕR", "Ｏtter", friendly.upper()):
        await refused(circle, circle.ana, typed, "is, was, or looks like somebody else's")


async def test_the_alias_of_a_former_member_and_a_former_alias_stay_taken(circle: Journey) -> None:
    await called(circle, circle.otto, "Otter")
    await called(circle, circle.otto, "Badger")
    friendly = await circle.alias(circle.mia)
    circle.otto.leave(circle.group)
    circle.mia.leave(circle.group)
    await circle.rest()
    for typed in ("Otter", "badger", friendly):
        await refused(circle, circle.ana, typed, "is, was, or looks like somebody else's")


async def test_the_names_of_concierges_and_of_the_service_are_taken(circle: Journey) -> None:
    circle.ben.set_name(circle.group, "Benedikt Ampel")
    await called(circle, circle.rosa, "Rosenrot")
    for typed in ("Benedikt Ampel", "BENEDIKT-AMPEL", "Вenedikt Ampel", "rosenrot", "ben Edikt Ampel"):
        await refused(circle, circle.ana, typed, "is, was, or looks like somebody else's")
    for typed in ("Coterie", "C0TERIE", "Соterie", "coterie bot", "The Concierge", "Concierges", "Admin 2", "Member 7"):
        await refused(circle, circle.ana, typed, "That could be taken for the service or for a role.")
    await called(circle, circle.ben, "Benedikt Ampel")  # it is his


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("+43 660 123 45 67", "looks like a phone number or an address"),
        ("Otter 0660 1234567", "looks like a phone number or an address"),
        ("ana@example.org", "looks like a phone number or an address"),
        ("ana ＠ example.org", "looks like a phone number or an address"),
        ("@ana:fake.test", "looks like a phone number or an address"),
        ("https://example.org", "looks like a phone number or an address"),
        ("Otter\u0007", "An alias has 2 to 32 letters"),
        ("Ot\u202eter", "An alias has 2 to 32 letters"),
        ("Ot\u200bter", "An alias has 2 to 32 letters"),
        ("O" + "\u0301" * 20 + "tter", "An alias has 2 to 32 letters"),
        ("O", "An alias has 2 to 32 letters"),
        ("Otter" * 7, "An alias has 2 to 32 letters"),
        ("Otter " * 1_700, "An alias has 2 to 32 letters"),
        ("🦦🦦🦦", "An alias has 2 to 32 letters"),
        ("<b>Otter</b>", "An alias has 2 to 32 letters"),
    ],
    ids=[
        "phone", "phone inside", "mail", "wide at", "Matrix id", "link", "control", "bidi", "zero width",
        "zalgo", "short", "long", "10 kB", "emoji", "markup",
    ],
)  # fmt: skip
async def test_what_reveals_misleads_or_cannot_be_read_is_refused(circle: Journey, typed: str, why: str) -> None:
    await refused(circle, circle.ana, typed, why)


async def test_a_person_takes_at_most_five_aliases_and_can_go_back_to_each(circle: Journey) -> None:
    names = [await circle.alias(circle.ana), "Otter", "Badger", "Heron", "Walnut"]
    assert len(names) == MOST_ALIASES
    for name in names[1:]:
        await called(circle, circle.ana, name)
    await refused(circle, circle.ana, "Plover", "You have had 5 aliases")
    for name in (names[0], "Otter", "HERON", "Heron"):
        await called(circle, circle.ana, name)
    assert len([alias for alias, number in await kept(circle) if number == 3]) == 5
    await called(circle, circle.otto, "Plover")


async def test_of_two_who_choose_the_same_in_the_same_moment_one_gets_it(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    people = [circle.ana, circle.otto, circle.mia]
    directs = [await circle.direct(person) for person in people]
    hs.pause_delivery()
    for person, direct, typed in zip(people, directs, ("Otter", "OTTER", "Öttér"), strict=True):
        person.say(direct, f"!alias {typed}")
    hs.resume()
    await circle.rest()
    keys = [alias_key(await circle.alias(person)) for person in people]
    assert keys.count("otter") == 1 and len(set(keys)) == 3
    answers = [circle.told(person)[-1] for person in people]
    assert sum("I call you" in text for text in answers) == 1
    assert sum("looks like somebody else's" in text for text in answers) == 2


async def test_a_newcomer_in_that_moment_never_gets_an_alias_that_is_taken(engine: str, circle: Journey) -> None:
    await called(circle, circle.otto, "Otter")
    pia = circle.person("pia")
    direct = await circle.direct(circle.ana)
    circle.hs.pause_delivery()
    circle.ana.say(direct, "!alias Otter")
    circle.rosa.say(circle.desk, f"!invite {pia.mxid}")
    circle.hs.resume()
    await circle.rest()
    rows = await circle.service.rows("SELECT alias FROM member WHERE number IS NOT NULL")
    assert len({alias_key(row["alias"]) for row in rows}) == len(rows) == 6


async def test_who_comes_back_keeps_number_and_alias(circle: Journey) -> None:
    await called(circle, circle.ana, "Otter")
    before = await circle.service.rows("SELECT number, alias, joined_at FROM member WHERE user_id LIKE '@ana:%'")
    circle.ana.leave(circle.group)
    await circle.days(1)
    await circle.tell(circle.rosa, f"!invite {circle.ana.mxid}")
    after = await circle.service.rows("SELECT number, alias, joined_at FROM member WHERE user_id LIKE '@ana:%'")
    assert after == before and circle.ana.mxid in circle.room.joined
    assert circle.welcomes(circle.ana)[-1].startswith(f"Welcome back to {NAME}. I call you Otter in all that I write")


async def test_who_is_no_member_has_no_alias_to_choose(circle: Journey) -> None:
    circle.mia.leave(circle.group)
    await circle.rest()
    for person in (circle.mia, circle.newcomer("eve")):
        asked = await circle.tell(person, "!alias Otter")
        assert circle.signs(asked) == ["⚠️"] and circle.told(person)[-1].startswith("I know of no group")
    assert "Otter" not in [alias for alias, _ in await kept(circle)]


# ---- display names --------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", ["+43 660 123 45 67", "Pia (0660 1234567)", "pia.pink@example.org", "@pia:fake.test"])
async def test_who_joins_with_a_revealing_display_name_is_told_so_privately_once(
    engine: str, circle: Journey, shown: str
) -> None:
    pia = circle.newcomer(shown=shown)
    await circle.tell(circle.ben, f"!invite {pia.mxid}")
    pia.join(circle.group)
    await circle.rest()
    pia.join_all()
    await circle.rest()
    assert len(circle.welcomes(pia)) == 1 and circle.told(pia) == [REVEALING]
    for name in ("Pia 0664 7654321", "Pia", shown):
        pia.set_name(circle.group, name)
        await circle.rest()
    pia.leave(circle.group)
    await circle.rest()
    await circle.tell(circle.ben, f"!invite {pia.mxid}")
    pia.join(circle.group)
    await circle.rest()
    assert circle.told(pia).count(REVEALING) == 1
    assert circle.posted() == circle.posted(circle.desk) == []


async def test_an_ordinary_display_name_is_nobodys_business(circle: Journey) -> None:
    before = len(circle.told(circle.ana))
    for name in ("Ana", "Agent 007", "Anna 1984", "🦦", "", None, 5):
        circle.ana.set_name(circle.group, name)
        await circle.rest()
    assert len(circle.told(circle.ana)) == before and circle.posted(circle.desk) == []


async def test_who_is_named_like_the_service_or_a_concierge_is_told_and_the_desk_is_warned_once_for_each_name(
    engine: str, circle: Journey
) -> None:
    circle.ben.set_name(circle.group, "Benedikt Ampel")
    await circle.rest()
    await called(circle, circle.ana, "Otter")
    warning = (
        "Otter has a display name in the room that reads like mine or a concierge's. I have asked them to change it."
    )
    told = len(circle.told(circle.ana))
    for name in ("Coterie", "Ana", "C0TERIE", "Соterie", "Benedikt Ampel", "Ana", "ВENEDIKT  AMPEL"):
        circle.ana.set_name(circle.group, name)
        await circle.rest()
    assert circle.posted(circle.desk) == [warning] * 2
    assert circle.told(circle.ana)[told:] == [LIKE_ANOTHER] * 2
    circle.otto.set_name(circle.group, "coterie")
    await circle.rest()
    assert circle.told(circle.otto)[-1] == LIKE_ANOTHER and len(circle.posted(circle.desk)) == 3


async def test_concierges_may_be_named_as_they_like(circle: Journey) -> None:
    before = len(circle.told(circle.ben)), len(circle.told(circle.rosa))
    for name in ("Coterie", "+43 660 123 45 67", "rosa"):
        circle.ben.set_name(circle.group, name)
        await circle.rest()
    assert (len(circle.told(circle.ben)), len(circle.told(circle.rosa))) == before
    assert circle.posted(circle.desk) == []


async def test_a_name_like_that_of_a_former_concierge_is_nobodys_any_more(circle: Journey, service: Service) -> None:
    circle.ben.set_name(circle.group, "Benedikt Ampel")
    await circle.tell(circle.rosa, f"!concierge remove {circle.ben.mxid}")
    circle.ana.set_name(circle.group, "Benedikt Ampel")
    await circle.rest()
    assert LIKE_ANOTHER not in circle.told(circle.ana) and circle.posted(circle.desk) == []


async def test_another_members_display_name_is_no_alias_until_they_have_gone(circle: Journey) -> None:
    circle.mia.set_name(circle.group, "Quiet River")
    await circle.rest()
    await refused(circle, circle.ana, "quiet RIVER", "is, was, or looks like somebody else's")
    await called(circle, circle.mia, "Quiet River")
