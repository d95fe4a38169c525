"""Any member can send anything: each human error gets its private answer, the group sees nothing, nothing breaks.

All tests of this module share one group and one loop; each has a buy of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.conftest import in_days, people
from tests.e2e.trial import UNITS, Trial
from tests.harness.circle import BUY, PRODUCT, Circle
from tests.harness.person import Event, MatrixError
from tests.harness.service import Service
from tests.harness.synapse import Synapse

pytestmark = pytest.mark.asyncio(loop_scope="module")

HUGE = "9" * 45_000  # encrypted it is longer by a third, and 65,536 is the limit
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(synapse: Synapse, resident: Service, sent_by_services: dict[str, Event]) -> AsyncIterator[Circle]:
    """A group with Ben, Ana and Otto; Ana has a direct room with the service."""
    async with people(synapse, sent_by_services) as person:
        circle = await Circle.found(await person("rosa"), resident)
        await circle.appoint(await person("ben"))
        await circle.welcome(await person("ana"), await person("otto"))
        yield circle


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def talk(here: Circle) -> str:
    """Ana's direct room with the service."""
    return await here.people[1].create_direct(here.bot)


@pytest_asyncio.fixture(loop_scope="module")
async def trial(here: Circle) -> AsyncIterator[Trial]:
    one = await Trial.begin(here, f"Throw {next(_numbers)}")
    yield one
    await one.end()


WRONG_REPLIES = ["+0", "+-3", "+99999999999999999999", "2,5", "+ 2 2", "+2.5", "3", "-1", "+1\0"]
WRONG_COMMANDS = {
    "!pledge": "Write it like this: !pledge 3",
    "!pledge 1e9": UNITS,
    "!pledge 99999999999999999999": UNITS,
    "!pledge -1": UNITS,
    "!pledge 5-2": UNITS,
    "!pledge three": UNITS,
    "!pledge 3 zzzzzz": UNITS,
    "!pledge 2 max 9.999": "“9.999” is no amount in EUR. Write it like 89 or 89.00.",
    "!pledge 2 max -1": "“-1” is no amount in EUR.",
    "!pledge 2 max 0": "“0” is no amount in EUR.",
    f"!pledge {HUGE}": UNITS,
    "!withdraw": "You have pledged nothing in this group buy, so there is nothing to withdraw.",
    "!withdraw 1": "Write it like this: !withdraw",
    "!pleadge 3": "There is no !pleadge. Did you mean !pledge?",
    "!buy close": "Only concierges of the group can do that.",
    '!product add "Own goods" 5 https://shop.example/own': "Only concierges of the group can do that.",
}


async def test_a_wrong_pledge_gets_one_private_line_and_the_group_sees_nothing(trial: Trial, talk: str) -> None:
    here, ana = trial.here, trial.ana
    for said in WRONG_REPLIES:
        await trial.is_refused(ana, here.group, said, UNITS)
    for said, line in WRONG_COMMANDS.items():
        await trial.is_refused(ana, here.group, said, line)
    for said in ("+0", "!pledge 1e9", "2,5"):
        await trial.is_refused(ana, talk, said, UNITS)
    await trial.is_refused(ana, talk, "!frobnicate", "There is no !frobnicate. Send me !help to see what you can do.")
    await trial.is_refused(ana, talk, '!group create "Mine"', "Only owners can do that.")
    await trial.ends_well()


async def test_a_wrong_reaction_is_removed_with_a_private_line(trial: Trial) -> None:
    ana, here = trial.ana, trial.here
    for key in ("+0", "+99999999999999999999", "+1️⃣", "+" + "9" * 90):
        before = len(trial.told(ana))
        reaction = await ana.react(here.group, trial.card, key)
        await ana.sees_that(lambda: reaction in ana.seen.redacted(here.group))  # noqa: B023
        await ana.sees_that(lambda: len(trial.told(ana)) > before)  # noqa: B023
        assert trial.told(ana)[-1]["content"]["body"].startswith(UNITS), key
    for key in ("❤️", "👍", "3", "x" * 100):  # nobody's error: people react as they like
        await ana.react(here.group, trial.card, key)
    await trial.ends_well()
    await ana.sees_that(lambda: {"❤️", "👍", "3"} < ana.reactions(here.group, trial.card).keys())


async def test_a_concierge_who_names_what_is_not_there_is_told_in_the_desk(trial: Trial) -> None:
    here, ben = trial.here, trial.ben
    buy, terms = f'!buy open "{trial.product}"', f"until {in_days(5)} 18:00"
    for said, line in {
        "!buy close zzzzzz": "“zzzzzz” is no group buy of this group.",
        f"!buy open cashmere 10:79 {terms}": "There is no product “cashmere” in this group.",
        f"{buy} 10:79 25:90 {terms}": "The price must fall from tier to tier; the one at 25 does not.",
        f"{buy} 10:79 5:60 {terms}": "Tiers go up: after 10 comes a larger minimum than 5.",
        f"{buy} 10:x {terms}": "“x” is no amount in EUR.",
        f"{buy} 10:79 until someday": "I could not read the deadline.",
        f"{buy} 10:79 until 2020-01-01": "That deadline has already passed.",
        "!buy": "Write it like this:\n• !buy open",
        "!invite ana": "I need a whole Matrix id, as in @ana:example.org.",
        f"!invite {here.bot}": "That is my own account.",
        '!product add "" 89 https://shop.example': "A name is 1 to 80 visible characters",
        '!product add "Throw" 1e9 https://shop.example': "“1e9” is no amount in EUR.",
        '!product add "Throw" 89 javascript:alert(1)': "That is no link.",
        f"!product add {HUGE}": "Write it like this: !product add",
    }.items():
        event = await ben.say(here.desk, said)
        await ben.sees_that(lambda: ben.reactions(here.desk, event) == {"⚠️": {here.bot}})  # noqa: B023
        told = await ben.sees(here.desk, lambda e: e["content"]["msgtype"] == "m.notice", after=event)
        assert told["content"]["body"].startswith(line), (said[:60], told["content"]["body"])
    await trial.ends_well()


async def test_a_command_that_would_expose_people_is_removed_from_the_group(trial: Trial) -> None:
    here, ben = trial.here, trial.ben
    before = len(trial.told(ben))
    exposed = await ben.say(here.group, f"!invite {trial.ana.user_id}")
    await trial.otto.sees_that(lambda: exposed in trial.otto.seen.redacted(here.group))
    await ben.sees_that(lambda: len(trial.told(ben)) > before)
    assert trial.told(ben)[-1]["content"]["body"].startswith("!invite is not for the eyes of the whole")
    await trial.ends_well()


async def test_nul_and_odd_characters_in_names_and_messages_harm_nobody(trial: Trial, talk: str) -> None:
    here, ben, ana = trial.here, trial.ben, trial.ana
    product = await here.post_product(ben, '"Nul\0 \u202eThrow\u200b" 89.00 https://shop.example/nul')
    assert product["content"][PRODUCT]["name"] == "Nul\ufffd Throw"
    trial.said_before += 1
    await trial.is_refused(ana, here.group, "!pledge 3\0", UNITS)
    await trial.is_refused(ana, talk, "\0", "I am the group's stage crew")
    await ana.send_event(here.group, "m.room.message", {"msgtype": "m.text", "body": "\0" * 1000})
    await trial.ends_well()


ODD_CONTENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("m.room.message", {}),
    ("m.room.message", {"msgtype": 7, "body": ["+2"]}),
    ("m.room.message", {"msgtype": "m.text", "body": {"+2": True}}),
    ("m.room.message", {"msgtype": "m.text", "body": "+2", "m.relates_to": [1, 2]}),
    ("m.room.message", {"msgtype": "m.text", "body": "+2", "m.relates_to": {"m.in_reply_to": {"event_id": 3}}}),
    ("m.room.message", {"msgtype": "m.text", "body": "+2", "m.relates_to": {"m.in_reply_to": {"event_id": "$no"}}}),
    (
        "m.room.message",
        {"msgtype": "m.text", "body": "x", "m.new_content": 1, "m.relates_to": {"rel_type": "m.replace"}},
    ),
    ("m.room.message", {"msgtype": "m.image", "body": "!buy close", "url": 5}),
    ("m.reaction", {}),
    ("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$no", "key": "+2"}}),
    ("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": 1, "key": 2}}),
    (BUY, {"tiers": "all of them"}),
    (PRODUCT, {"name": None}),
    ("shop.coterie.pledges", {"quantity": "9" * 100}),
    ("org.example.unknown", {"a": [[[{}]]]}),
)


CHATTER = (
    "!frobnicate",
    "!",
    "!!",
    "! pledge 3",
    "!1",
    "Great!",
    "+1 from me",
    f"We are {HUGE}",
    "I take 2 if it is warm",
)


async def test_what_is_no_request_is_nobodys_business(trial: Trial) -> None:
    ana, here = trial.ana, trial.here
    told = len(trial.told(ana))
    for said in CHATTER:  # other bots have commands of their own; people talk
        event = await ana.say(here.group, said, reply_to=trial.card if said.startswith(("We", "I")) else None)
    await ana.send_event(here.group, "m.room.message", {"msgtype": "m.notice", "body": "!pledge 3"})
    sent = 0
    for kind, content in ODD_CONTENTS:
        try:
            await ana.send_event(here.group, kind, content)
            sent += 1
        except MatrixError:  # some the homeserver refuses
            pass
    assert sent >= len(ODD_CONTENTS) - 5
    await trial.ends_well()
    assert ana.reactions(here.group, event) == {}
    assert len(trial.told(ana)) == told


async def test_only_the_authors_redaction_withdraws_a_pledge(trial: Trial) -> None:
    here, ben, ana = trial.here, trial.ben, trial.ana
    kept = await ana.say(here.group, "+2", reply_to=trial.card)
    taken_back = await ana.say(here.group, "+4", reply_to=trial.card)
    reaction = await ana.react(here.group, trial.card, "+5")
    await ben.redact(here.group, kept)  # moderation never cancels an order
    await ana.redact(here.group, taken_back)
    await ana.redact(here.group, reaction)
    await trial.ends_well(pledged=2)


async def test_an_edit_of_a_pledge_changes_nothing_and_is_answered(trial: Trial, talk: str) -> None:
    here, ana = trial.here, trial.ana
    pledge = await ana.say(here.group, "!pledge 2")
    await ana.sees_that(lambda: ana.reactions(here.group, pledge) == {"✅": {here.bot}})
    edit = await ana.edit(here.group, pledge, "!pledge 9")
    await ana.sees(talk, "Editing changes nothing: what counts is what you wrote first")
    await ana.sees_that(lambda: "⚠️" in {**ana.reactions(here.group, edit), **ana.reactions(here.group, pledge)})
    told = len(trial.told(ana))
    await ana.edit(here.group, trial.card, "+9")  # nobody's message but the service's: no client shows that as an edit
    await trial.ends_well(pledged=2)
    assert len(trial.told(ana)) == told


def _nested(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth - 1):
        nested = [nested]
    return nested


async def test_the_deepest_nesting_that_the_homeserver_takes_does_not_wedge_delivery(trial: Trial, talk: str) -> None:
    ana, here = trial.ana, trial.here
    clear = await ana.create_direct(here.bot, encrypted=False)

    async def takes(depth: int, **content: str) -> bool:
        kind = "m.room.message" if content else "org.example.nested"
        try:
            await ana.send_event(clear, kind, {**content, "x": _nested(depth)})
        except MatrixError:
            return False
        return True

    deepest, too_deep = 1, 900  # the clients of this test could not read more themselves
    while deepest + 1 < too_deep:
        middle = (deepest + too_deep) // 2
        deepest, too_deep = (middle, too_deep) if await takes(middle) else (deepest, middle)
    assert deepest >= 100
    assert await takes(deepest, msgtype="m.text", body="!withdraw")
    await ana.sees(clear, "You have pledged nothing in this group buy")
    await takes(deepest, msgtype="m.text", body="+1\ud800")  # half a character: no homeserver has to take it
    before = len(ana.new_messages(talk, here.bot))
    withdraw = {"msgtype": "m.text", "body": "!withdraw", "x": _nested(900)}  # no homeserver sees what is encrypted
    await ana.send_event(talk, "m.room.message", withdraw)
    await ana.sees_that(lambda: len(ana.new_messages(talk, here.bot)) > before)
    await trial.ends_well()
