"""Service hours, duty, machine accounts, the commission, and the group's own card."""

from __future__ import annotations

import pytest

from tests.flows.homeserver_events import Event
from tests.flows.homeserver_people import Person
from tests.flows.journey import BUY, THROW, Journey
from tests.flows.service import DAY, HOUR

pytestmark = pytest.mark.usefixtures("nobody_exposed")

HOURS = "!hours mon-fri 9:00-18:00, sat 10:00-14:00 holidays AT"
IN_WORDS = "Mon–Fri 9:00–18:00, Sat 10:00–14:00 (Vienna time), not on public holidays (AT)"
TITLE = "Questions? Ask the concierges"
FIVE = "The concierges get a commission of 5 % on what is sold here."


def group_cards(play: Journey) -> list[Event]:
    """The messages that are, or were, the group's own card; oldest first."""
    said = play.room.messages(play.hs.bot)
    return [event for event in said if str(play.room.content_now(event).get("body", "")).startswith(TITLE)]


def card_lines(play: Journey) -> list[str]:
    return str(play.room.content_now(group_cards(play)[-1])["body"]).split("\n")


async def come_in(play: Journey, name: str) -> Person:
    person = play.newcomer(f"@{name}:{play.hs.domain}")
    await play.tell(play.rosa, f"!invite {person.mxid}")
    person.join(play.group)
    await play.rest()
    person.join_all()
    await play.rest()
    return person


# ---- hours and the card ---------------------------------------------------------------------------


async def test_hours_are_set_told_to_the_desk_and_shown_on_a_quiet_pinned_card(engine: str, circle: Journey) -> None:
    asked = await circle.tell(circle.ben, HOURS)
    said = f"Service hours of “Wool circle”: {IN_WORDS}. Waiting time counts in these only."
    assert circle.signs(asked) == ["✅"] and circle.told(circle.ben)[-1].startswith(said)
    assert circle.posted(circle.desk)[-1].startswith(said)
    [card] = group_cards(circle)
    assert card.content["msgtype"] == "m.notice" and card.content["m.mentions"] == {}
    assert card_lines(circle) == [
        TITLE,
        "To ask something, write !ask and your question in the group, mention a concierge, or reply to a card; or "
        "write it to me directly, where the others do not see it. People answer, not I.",
        f"Service hours: {IN_WORDS}.",
    ]
    assert circle.room.pinned == [card.event_id] and len(circle.posted()) == 1
    await circle.tell(circle.ben, "!hours")
    assert circle.told(circle.ben)[-1] == said


async def test_changed_hours_edit_the_one_card_and_the_same_hours_nothing(circle: Journey) -> None:
    await circle.say(circle.ben, HOURS, to=circle.desk)
    before = len(circle.bot_events())
    await circle.say(circle.ben, HOURS, to=circle.desk)
    assert len(circle.bot_events()) == before
    await circle.say(circle.rosa, "!hours daily 8-20", to=circle.desk)
    assert len(circle.bot_events()) == before + 1 and len(group_cards(circle)) == 1
    assert card_lines(circle)[-1] == "Service hours: Mon–Sun 8:00–20:00 (Vienna time)."
    facts = [row[0] for row in await circle.ledger() if row[0] == "hours_set"]
    assert len(facts) == 2
    await circle.say(circle.ben, "!audit", to=circle.desk)
    assert f"set the service hours: {IN_WORDS}" in circle.posted(circle.desk)[-1]


async def test_without_hours_the_card_is_taken_away(circle: Journey) -> None:
    await circle.say(circle.ben, HOURS, to=circle.desk)
    [card] = group_cards(circle)
    await circle.say(circle.ben, "!hours always", to=circle.desk)
    assert circle.room.pinned == [] and card.redaction is not None
    await circle.days(3)
    assert group_cards(circle) == [] and circle.room.pinned == []


async def test_the_card_stands_below_those_of_group_buys_among_the_pins(shop: Journey) -> None:
    await shop.say(shop.ben, HOURS, to=shop.desk)
    [card] = group_cards(shop)
    assert shop.room.pinned == [shop.card, card.event_id]


async def test_a_card_that_somebody_removes_comes_back(circle: Journey) -> None:
    await circle.say(circle.ben, HOURS, to=circle.desk)
    [first] = group_cards(circle)
    await circle.redact(circle.ben, first.event_id)
    [second] = group_cards(circle)
    assert second.event_id != first.event_id and circle.room.pinned == [second.event_id]


async def test_newcomers_get_the_card_afresh_once_a_day_and_one_card_stays_pinned(circle: Journey) -> None:
    await circle.say(circle.ben, HOURS, to=circle.desk)
    pia = await come_in(circle, "pia")
    await circle.settle()
    await come_in(circle, "sam")
    await circle.settle()
    assert len(group_cards(circle)) == 2
    assert f"Their hours: {IN_WORDS}." in circle.welcomes(pia)[0]
    newest = group_cards(circle)[-1].event_id
    assert circle.room.pinned == [newest] and newest in [event.event_id for event in pia.sees(circle.group)]
    await circle.days(1)
    assert len(group_cards(circle)) == 3 and circle.room.pinned == [group_cards(circle)[-1].event_id]
    await circle.say(circle.ben, "!hours daily 8-20", to=circle.desk)
    assert card_lines(circle)[-1] == "Service hours: Mon–Sun 8:00–20:00 (Vienna time)."
    assert len(group_cards(circle)) == 3


async def test_the_usual_answer_time_comes_onto_the_card_within_a_day_by_an_edit(circle: Journey) -> None:
    await circle.say(circle.ben, "!hours daily 0-24", to=circle.desk)
    askers = [circle.ana, circle.otto, circle.mia, await come_in(circle, "pia"), await come_in(circle, "sam")]
    await circle.settle()
    for asker in askers:
        question = await circle.say(asker, f"!ask How long is the {asker.mxid[1:4]} throw?")
        circle.service.clock.advance(10 * 60_000)
        await circle.say(circle.ben, "Two metres", reply_to=question)
    cards, before = len(group_cards(circle)), circle.posted()
    assert "Usual answer time" not in "\n".join(card_lines(circle))
    await circle.days(1)
    assert card_lines(circle)[-1] == "Usual answer time in the last 30 days: 10 min of service hours."
    assert len(group_cards(circle)) <= cards + 1 and len(circle.posted()) <= len(before) + 1


async def test_the_card_is_looked_at_once_a_day_and_left_alone_where_nothing_changed(circle: Journey) -> None:
    await circle.say(circle.ben, HOURS, to=circle.desk)
    before = len(circle.bot_events())
    for _ in range(3):
        await circle.days(1)
        assert len(circle.bot_events()) == before
        due = await circle.service.rows("SELECT due_at FROM timer WHERE kind = 'group_card'")
        assert [row["due_at"] - circle.service.clock.now() for row in due] == [DAY]


async def test_what_waits_is_due_by_the_new_hours(circle: Journey) -> None:
    """It is Monday, 13:00 in Vienna."""
    await circle.say(circle.ana, "!ask Is it warm?")
    due = "SELECT due_at FROM timer WHERE kind = 'desk'"
    [before] = await circle.service.rows(due)
    await circle.say(circle.ben, "!hours tue 9-18", to=circle.desk)
    [after] = await circle.service.rows(due)
    assert before["due_at"] < circle.service.clock.now() + HOUR
    assert after["due_at"] > circle.service.clock.now() + 20 * HOUR


# ---- duty -----------------------------------------------------------------------------------------


async def test_duty_is_told_and_a_question_rings_those_on_duty(circle: Journey) -> None:
    rosa, ben = await circle.alias(circle.rosa), await circle.alias(circle.ben)
    await circle.tell(circle.ben, "!duty")
    assert circle.told(circle.ben)[-1] == f"On duty in “Wool circle”: {rosa}, {ben}."
    asked = await circle.tell(circle.rosa, "!duty off")
    assert circle.signs(asked) == ["✅"]
    assert circle.told(circle.rosa)[-1] == f"On duty in “Wool circle”: {ben}. Off duty: {rosa}."
    await circle.say(circle.ana, "!ask Is it warm?")
    rung = [event.content["m.mentions"] for event in circle.hs.room(circle.desk).messages(circle.hs.bot)]
    assert [mentions["user_ids"] for mentions in rung if mentions] == [[circle.ben.mxid]]
    await circle.say(circle.ben, "!duty off", to=circle.desk)
    assert circle.posted(circle.desk)[-1] == f"Nobody is on duty in “Wool circle”. Off duty: {rosa}, {ben}."
    await circle.say(circle.ben, "!duty on", to=circle.desk)
    noted = [row[:2] for row in await circle.ledger() if row[0].startswith("duty")]
    assert noted == [("duty_off", "rosa"), ("duty_off", "ben"), ("duty_on", "ben")]


@pytest.mark.parametrize("typed", ["!hours daily 8-20", "!duty on", "!bot @otto:fake.test", "!commission 5%"])
async def test_what_is_the_concierges_to_say_no_member_can(circle: Journey, typed: str) -> None:
    tables = [await circle.service.rows(f"SELECT * FROM {name}") for name in ("coterie_group", "member", "ledger")]
    asked = await circle.tell(circle.ana, typed)
    shown = await circle.say(circle.ana, typed)
    assert circle.signs(asked) == ["⚠️"] and circle.hs.event(shown).redaction is not None
    assert circle.posted() == []
    assert [await circle.service.rows(f"SELECT * FROM {name}") for name in ("coterie_group", "member", "ledger")] == (
        tables
    )


# ---- machine accounts -----------------------------------------------------------------------------


async def test_a_machine_account_is_no_concierge_on_duty_and_its_words_answer_nothing(circle: Journey) -> None:
    shop = circle.person("shopbot")
    await circle.tell(circle.rosa, f"!concierge add {shop.mxid}")
    name = await circle.alias(shop)
    await circle.tell(shop, "!duty on")
    asked = await circle.say(circle.ben, f"!bot {shop.mxid}", to=circle.desk)
    assert circle.signs(asked) == ["✅"]
    assert circle.posted(circle.desk)[-1].startswith(f"{name} counts as a machine account in “Wool circle”")
    await circle.say(circle.ben, "!duty", to=circle.desk)
    assert name not in circle.posted(circle.desk)[-1]
    assert ("duty_off", "shopbot") in [row[:2] for row in await circle.ledger()]
    question = await circle.say(circle.ana, "!ask Is it warm?")
    await circle.say(shop, "It is.", reply_to=question)
    [row] = await circle.service.rows("SELECT status FROM question")
    assert row["status"] == "open"
    await circle.say(circle.ben, f"!bot {name} off", to=circle.desk)
    await circle.say(shop, "Yes, it is.", reply_to=question)
    [row] = await circle.service.rows("SELECT status FROM question")
    assert row["status"] == "waiting_member"


async def test_a_machine_account_is_not_among_the_concierges_of_the_welcome(circle: Journey) -> None:
    await circle.tell(circle.rosa, f"!bot {circle.ben.mxid}")
    pia = await come_in(circle, "pia")
    line = next(line for line in circle.welcomes(pia)[0].split("\n") if line.startswith("Concierges"))
    assert await circle.alias(circle.rosa) in line and await circle.alias(circle.ben) not in line


# ---- commission -----------------------------------------------------------------------------------


async def test_the_commission_is_disclosed_on_cards_and_in_the_welcome(engine: str, shop: Journey) -> None:
    await shop.say(shop.ben, HOURS, to=shop.desk)
    before = len(shop.posted())
    asked = await shop.tell(shop.rosa, "!commission 5%")
    await shop.settle()
    assert shop.signs(asked) == ["✅"] and FIVE in shop.told(shop.rosa)[-1] and FIVE in shop.posted(shop.desk)[-1]
    assert FIVE in shop.card_text.split("\n") and card_lines(shop)[-1] == FIVE
    assert len(shop.posted()) == before
    await shop.say(shop.ben, THROW.replace("throw", "mug"))
    assert FIVE in shop.posted()[-1].split("\n")
    assert FIVE in shop.welcomes(await come_in(shop, "pia"))[0].split("\n")
    shop.find_card()  # posted afresh since pia came
    await shop.tell(shop.rosa, "!commission off")
    await shop.settle()
    assert FIVE not in shop.card_text and FIVE not in "\n".join(card_lines(shop))
    assert "tiers" in shop.card_now[BUY]


@pytest.mark.parametrize(("typed", "shown"), [("7.5 %", "7.5 %"), ("12,25%", "12.25 %"), ("100", "100 %")])
async def test_a_commission_may_have_decimals(circle: Journey, typed: str, shown: str) -> None:
    await circle.tell(circle.rosa, f"!commission {typed}")
    assert f"a commission of {shown} on" in circle.told(circle.rosa)[-1]
