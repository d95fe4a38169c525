"""Any member can send anything: nothing crashes, nothing is lost without an answer, the service works afterwards."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appservice.commands.deadline import parse_deadline
from appservice.domain.product import parse_link
from appservice.domain.refusal import Refusal
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, Journey
from tests.flows.service import DAY, MONDAY, Service

KIB_60 = 60 * 1024
EVIL = ["\x00", "\ud800", "\udfff x", "a\x00b", "\u202e", "<b>x</b>", "&amp;", "{0}", "%s", "\ufeff", "ﷺ" * 50]


async def still_works(shop: Journey) -> None:
    """Mia pledges, it is acknowledged, counted and shown."""
    before = (await shop.units()).get("mia", 0)
    pledge = await shop.plus(shop.mia, 1)
    await shop.service.wait(5_000)
    assert (await shop.units())["mia"] == before + 1 and shop.signs(pledge)[:1] in (["✅"], ["⏳"])
    total = sum((await shop.units()).values())
    assert shop.card_now[BUY]["total"] == total


@pytest.mark.slow
@pytest.mark.parametrize("filler", ["x", '"', "„", "9", " ", "𝕏", "\x00"])
async def test_60_kib_of_anything_are_survived_and_a_command_among_them_is_answered(
    shop: Journey, hs: FakeHomeserver, filler: str
) -> None:
    long = filler * (KIB_60 // len(filler.encode("utf-8")))
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "10:9 25:8 until friday 18:00")
    typed = [f"!pledge {long}", f"!withdraw{long}", f"+{long}", f"!help {long}", f"!{long}", long]
    for text in typed:
        shop.ana.say(shop.group, text, reply_to=shop.card)
        shop.ana.say(shop.group, text)
    for text in (f"!buy open {long} 10:79 until friday", f"!buy open mug 10:7 until {long}", f"!buy close {long}",
                 f'!product add "{long}" 9 https://x.example', f"!product add Mug {long} https://x.example",
                 f"!product add Mug 9 https://x.example/{long}", f"!pledge 2 max {long}"):  # fmt: skip
        shop.ben.say(shop.group, text)
    await shop.tell(shop.rosa, "!help")
    help, direct = shop.told(shop.rosa)[-1], await shop.direct(shop.rosa)
    for text in (*typed, f"!invite {long}", f"!concierge add {long}", f'!group create "{long}"', f"!cap {long}",
                 f"!handover {long}", f"!alias {long}", f"!code {long}", f"!suspend {long}"):  # fmt: skip
        shop.rosa.say(direct, text)
    await shop.rest()
    for text in [*shop.told(shop.ana), *shop.told(shop.ben), *shop.told(shop.rosa)]:
        assert len(text) < 1_000 or text == help, text[:200]
    assert shop.told(shop.rosa).count(help) == 2
    assert len(shop.told(shop.ben)) >= 7
    await still_works(shop)


async def test_nul_and_lone_surrogates_are_survived_everywhere(engine: str, shop: Journey, hs: FakeHomeserver) -> None:
    pledge = await shop.plus(shop.ana, 2)
    for evil in EVIL:
        ana, group = shop.ana, shop.group
        ana.say(group, f"+2{evil}", reply_to=shop.card)
        ana.say(group, "+1", reply_to=evil)
        ana.say(group, f"!pledge 3{evil}")
        ana.say(group, f"!pl{evil}edge 3")
        ana.say(group, f"!{evil}")
        ana.say(group, "+1", mentions=[evil], reply_to=shop.card, **{evil: evil})
        ana.say(group, "!help", msgtype=evil)
        ana.react(group, evil, "+1", force=True)
        ana.react(group, shop.card, f"+1{evil}", force=True)
        ana.edit(group, pledge, f"+3{evil}")
        ana.edit(group, evil, "!pledge 3")
        ana.redact(group, evil, reason=evil, force=True)
        ana.send(group, evil, {"body": evil}, force=True)
        ana.send(group, f"m.room.message{evil}", {"msgtype": "m.text", "body": "!pledge 2"}, force=True)
        ana.set_name(group, evil)
        shop.ben.put_state(group, BUY, {evil: evil}, state_key=evil, force=True)
        shop.ben.put_state(group, evil, {evil: evil}, state_key=evil, force=True)
        shop.ben.say(group, f'!product add "{evil}" 9 https://shop.example/{evil}')
        shop.ben.say(group, f"!buy open {evil} 10:79 until friday {evil}")
        shop.ben.say(group, f"!buy close {evil}")
        await shop.rest()
    direct = await shop.direct(shop.rosa)
    for evil in EVIL:
        shop.rosa.say(direct, f'!group create "{evil}"')
        shop.rosa.say(direct, f"!invite {evil}")
        shop.rosa.say(direct, f"!invite @a{evil}:fake.test")
        shop.rosa.say(direct, evil)
        shop.rosa.say(direct, "!help", reply_to=evil)
        await shop.rest()
    await still_works(shop)


WRONG: list[Any] = [None, True, 0, -1, 2**53, 1.5, "", "x", [], [[]], {}, {"event_id": 1}, {"x": None}, "\x00"]


async def test_relations_of_wrong_types_are_survived(shop: Journey, hs: FakeHomeserver) -> None:
    def say(content: dict[str, Any]) -> None:
        shop.ana.send(shop.group, "m.room.message", {"msgtype": "m.text", "body": "+1", **content}, force=True)

    for wrong in WRONG:
        say({"m.relates_to": wrong})
        say({"m.relates_to": {"m.in_reply_to": wrong}})
        say({"m.relates_to": {"m.in_reply_to": {"event_id": wrong}}})
        say({"m.relates_to": {"rel_type": wrong, "event_id": shop.card}})
        say({"m.relates_to": {"rel_type": "m.replace", "event_id": wrong}, "body": "* +2"})
        say({"m.relates_to": {"rel_type": "m.replace", "event_id": shop.card}, "m.new_content": wrong, "body": "!x"})
        say({"m.new_content": {"body": wrong}, "m.relates_to": {"rel_type": "m.replace", "event_id": shop.card}})
        say({"body": wrong})
        say({"msgtype": wrong})
        say({"m.mentions": wrong, "format": wrong, "formatted_body": wrong})
        for content in (
            {"m.relates_to": wrong},
            {"m.relates_to": {"rel_type": "m.annotation", "event_id": wrong, "key": "+1"}},
            {"m.relates_to": {"rel_type": "m.annotation", "event_id": shop.card, "key": wrong}},
            {"m.relates_to": {"rel_type": wrong, "event_id": shop.card, "key": "+1"}},
        ):
            shop.ana.send(shop.group, "m.reaction", content, force=True)
        shop.ana.send(shop.group, "m.room.redaction", {"redacts": wrong}, force=True)
        shop.ben.put_state(shop.group, BUY, {"status": wrong, "tiers": wrong}, state_key=shop.buy, force=True)
        shop.ben.put_state(shop.group, BUY, {"id": wrong}, force=True)
    await shop.rest()
    assert await shop.pledged() == {}
    assert shop.room.content(BUY, shop.buy)["status"] == "open"
    await still_works(shop)


async def test_events_whose_content_is_something_else_than_an_object_are_survived(
    shop: Journey, hs: FakeHomeserver
) -> None:
    for type in ("m.room.message", "m.reaction", "m.room.redaction", "m.room.member", BUY):
        shop.ana.send(shop.group, type, {}, force=True)
        shop.ana.put_state(shop.group, "x.y", {}, state_key=type, force=True)
    for content in ({}, {"membership": 1}, {"membership": "dance"}, {"membership": "join", "displayname": {"a": []}}):
        shop.ana.put_state(shop.group, "m.room.member", content, state_key=shop.ana.mxid, force=True)
    await shop.rest()
    assert (await shop.members())["ana"] == ("joined", 0)
    await still_works(shop)


async def test_redactions_and_edits_of_everything_change_nothing_but_own_pledges(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    await shop.plus(shop.ana, 2)
    await shop.react(shop.otto, "+5")
    await shop.say(shop.mia, "!pledge 3-4 max 80")
    await shop.settle()
    before, body = await shop.pledged(), shop.card_text
    for room_id in (shop.group, shop.desk):
        for event in list(hs.room(room_id).events):
            if event.type != "m.room.create":
                shop.ben.edit(room_id, event.event_id, "!pledge 9")
                shop.otto.send(room_id, "m.room.message", {
                    "msgtype": "m.text", "body": "* +9", "m.new_content": {"msgtype": "m.text", "body": "+9"},
                    "m.relates_to": {"rel_type": "m.replace", "event_id": event.event_id},
                }, force=True)  # fmt: skip
    await shop.rest()
    assert await shop.pledged() == before and shop.card_text == body
    for event in list(shop.room.events):
        if event.state_key is None and event.sender != hs.bot:
            shop.ben.redact(shop.group, event.event_id)
    await shop.rest()
    assert await shop.pledged() == before
    await still_works(shop)


async def test_a_concierges_state_events_of_any_shape_are_put_back(shop: Journey, hs: FakeHomeserver) -> None:
    before = shop.room.content(BUY, shop.buy)
    deep: Any = {}
    for _ in range(60):
        deep = {"x": [deep]}
    for content in ({}, {"tiers": None}, {"status": "succeeded"}, {"closes_at": -1}, deep, {"x": "y" * 50_000}):
        shop.ben.put_state(shop.group, BUY, content, state_key=shop.buy)
        shop.ben.put_state(shop.group, BUY, content, state_key=f"no-such-{len(str(content))}")
    await shop.rest()
    assert shop.room.content(BUY, shop.buy) == before and await shop.status() == "open"
    states = {key: event.content for (type, key), event in shop.room.state.items() if type == BUY and key != shop.buy}
    assert states and set(map(str, states.values())) == {"{}"}
    await still_works(shop)


async def test_a_pledge_by_somebody_who_is_not_in_the_group_is_refused(shop: Journey, hs: FakeHomeserver) -> None:
    sam = shop.person("@sam:remote.test")
    sam.send(shop.group, "m.room.message", {
        "msgtype": "m.text", "body": "+2", "m.relates_to": {"m.in_reply_to": {"event_id": shop.card}}}, force=True,
    )  # fmt: skip
    reaction = sam.react(shop.group, shop.card, "+2", force=True)
    await shop.rest()
    assert await shop.pledged() == {} and hs.event(reaction).redaction is not None
    assert shop.told(sam) == ["Only members of the group can do that."] * 2


# What no homeserver sends


@pytest.mark.parametrize(
    "raw",
    [
        b'{"events": [{"type": "m.room.message"}]}',
        b'{"events": [null, 1, "x", [], {}]}',
        b'{"events": [{"event_id": "$\\u0000", "room_id": "!r", "type": "m.room.member", "sender": "@a:b", '
        b'"content": {}}]}',
        b'{"events": [' + b"[" * 5000 + b"]" * 5000 + b"]}",
    ],
    ids=["no envelope", "no objects", "nul in the event id", "deep"],
)
async def test_what_is_no_event_is_set_aside_and_holds_nothing_up(
    shop: Journey, service: Service, errors: list[str], raw: bytes
) -> None:
    errors.append("coterie.malformed")
    status = await put(service, "odd", raw)
    assert status in (200, 400)
    await service.wait(400_000)
    assert not await service.rows("SELECT id FROM arrival WHERE status = 'waiting'")
    await still_works(shop)


async def put(service: Service, txn_id: str, body: bytes) -> int:
    """Send a transaction as the homeserver would."""
    url = f"{service.config.appservice.address}/_matrix/app/v1/transactions/{txn_id}"
    headers = {"Authorization": f"Bearer {service.config.appservice.hs_token}"}
    async with aiohttp.ClientSession() as session, session.put(url, data=body, headers=headers) as response:
        await response.read()
        return response.status


# Random events

evil_text = st.one_of(
    st.sampled_from([*EVIL, "+1", "+2", "!pledge 3", "!withdraw", "!help", "!buy close x", "!product add", "m.text"]),
    st.text(st.characters(codec=None, categories=None), max_size=12),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | evil_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(evil_text, inner, max_size=3),
    max_leaves=6,
)


def contents(known: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Content that looks a little like what is read, with anything in any place."""
    event_id = known | evil_text | anything
    relation = st.fixed_dictionaries(
        {},
        optional={
            "rel_type": st.sampled_from(["m.annotation", "m.replace", "m.thread"]) | anything,
            "event_id": event_id,
            "key": st.sampled_from(["+1", "+2", "+x", "❤️"]) | anything,
            "m.in_reply_to": st.fixed_dictionaries({}, optional={"event_id": event_id}) | anything,
        },
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "msgtype": st.sampled_from(["m.text", "m.emote", "m.notice", "m.image"]) | anything,
            "body": evil_text | anything,
            "m.relates_to": relation | anything,
            "m.new_content": st.fixed_dictionaries({}, optional={"body": evil_text | anything}) | anything,
            "membership": st.sampled_from(["dance", ""]) | anything.filter(lambda value: not isinstance(value, str)),
            "redacts": event_id,
            "shop.coterie.group_buy": anything,
        },
    )


TYPES = st.sampled_from(["m.room.message"] * 4 + ["m.reaction"] * 2 + ["m.room.redaction", BUY]) | evil_text


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
async def test_whatever_a_client_can_send_is_never_set_aside(data: st.DataObject, shop: Journey) -> None:
    known = st.sampled_from([event.event_id for event in shop.room.events[-30:]] + [shop.card])
    people = st.sampled_from([shop.ana, shop.ben, shop.otto])
    for _ in range(data.draw(st.integers(1, 12))):
        person, content = data.draw(people), data.draw(contents(known))
        room = data.draw(st.sampled_from([shop.group, shop.group, shop.desk]))
        if data.draw(st.booleans()):
            person.send(room, data.draw(TYPES), content, force=True)
        else:
            key = data.draw(evil_text | st.just(shop.buy) | st.just(person.mxid))
            type = data.draw(TYPES | st.just("m.room.member"))
            member = {"membership": "join"} if key == person.mxid else {}
            person.put_state(room, type, {**content, **member}, state_key=key, force=True)
    await shop.rest()
    await shop.service.assert_nothing_set_aside()
    await still_works(shop)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(events=st.lists(anything | st.fixed_dictionaries({}, optional={
    "event_id": evil_text, "room_id": evil_text, "type": TYPES | anything, "sender": evil_text | anything,
    "state_key": evil_text | anything, "content": anything, "redacts": anything,
}), max_size=6))  # fmt: skip
async def test_whatever_arrives_in_a_transaction_is_answered_and_the_service_works_afterwards(
    events: list[Any], shop: Journey, service: Service, errors: list[str]
) -> None:
    errors.append("coterie.malformed")
    assert await put(service, "random", json.dumps({"events": events}).encode()) == 200
    await service.wait(400_000)
    await still_works(shop)
    parked = await service.rows("SELECT type FROM arrival WHERE status = 'parked'")
    assert {row["type"] for row in parked} <= {"coterie.malformed"}


DATE_WORDS = ["friday", "tomorrow", "in", "3", "hours", "18:00", "0001-01-01", "9999-12-31", "23:59", "-99:99", "UTC",
              "noon", "99999999999", "T", "Z", "next", "month", "00", "31.02.2026", "٣", "1000000 days"]  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    typed=st.lists(st.sampled_from(DATE_WORDS), min_size=1, max_size=4).map(" ".join) | st.text(max_size=60),
    zone=st.sampled_from(["Europe/Vienna", "UTC", "Pacific/Kiritimati", "America/New_York"]),
)
def test_any_words_for_a_deadline_are_a_time_or_a_refusal(typed: str, zone: str) -> None:
    found = parse_deadline(typed, MONDAY, zone)
    assert isinstance(found, Refusal) or MONDAY < found <= MONDAY + 366 * DAY


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("typed", ["9999-12-31", "0001-01-01"])
def test_the_first_and_the_last_day_that_there_is_are_refused(typed: str, zone: str) -> None:
    assert isinstance(parse_deadline(typed, MONDAY, zone), Refusal)


@pytest.mark.parametrize(
    "link", ["https://[::1]@", "https://xn--zz--/", "https://a:99999/", "https://[x", "https:///p"]
)
async def test_links_that_are_none_are_refused(circle: Journey, link: str) -> None:
    assert parse_link(link) is None
    asked = await circle.say(circle.ben, f"!product add Mug 9 {link}")
    assert circle.signs(asked) == ["⚠️"] and circle.told(circle.ben)[-1].startswith("That is no link.")
