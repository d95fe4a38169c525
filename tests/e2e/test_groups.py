"""A group that stays private, over two homeservers: members on both, a late joiner on each, a hostile owner."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

import nio
import pytest

from tests.e2e.conftest import in_days
from tests.harness.circle import BUY, Circle, CircleFactory
from tests.harness.exposure import exposed
from tests.harness.person import Event, MatrixError, Person, PersonFactory
from tests.harness.service import ServiceFactory
from tests.harness.sighting import kind
from tests.harness.synapse import Synapse

CODE = re.compile(r"\b(?:[2-9a-z]{4}-){2}[2-9a-z]{4}\b")


async def test_a_group_grows_by_word_of_mouth_and_shows_newcomers_nothing_from_before(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id], "vouch_days": 0})
    rena = await person("rena", on=federated[1])
    here = await circle(["ben"], ["ana"], rosa=rosa, service=service)
    ben, ana = here
    await here.welcome(rena)
    bot = here.bot
    for newcomer in (ben, ana, rena):  # each is welcomed once, under an alias
        hello = await newcomer.direct_message_from(bot, "Welcome to “Wool circle”.")
        assert "I call you " in hello["content"]["body"]

    # what newcomers must not see
    question = await ana.say(here.group, "Is the xylophone wool scratchy?")
    await here.post_product(ben, '"Merino throw" 89.00 https://shop.example/throw')
    card = await here.open_buy(ben, f"merino 3:79 8:69 until {in_days(5)} 18:00")
    await rena.sees(here.group, lambda e: e["event_id"] == card)
    pledge = await rena.say(here.group, "+2", reply_to=card)
    await rena.sees_that(lambda: rena.reactions(here.group, pledge) == {"✅": {bot}})

    # Rena, on the other server, chooses an alias and vouches for Otto; Ben says yes in the desk
    to_bot = await rena.create_direct(bot, joined_within=20)
    await rena.say(to_bot, "!alias Otter")
    await rena.sees(to_bot, "I call you Otter from now on.")
    otto, mia = await person("otto", auto_join_from={bot}), await person("mia", on=federated[1], auto_join_from={bot})
    await rena.say(to_bot, f"!invite {otto.user_id} we knit together")
    line = await ben.sees(here.desk, f"Otter vouches for a person: {otto.user_id}")
    assert "“we knit together”" in line["content"]["body"]
    await ben.sees_that(lambda: set(ben.reactions(here.desk, line["event_id"])) == {"✅", "❌"})
    await ben.react(here.desk, line["event_id"], "✅")
    await otto.sees_join(here.group, otto.user_id, timeout=20)
    await rena.sees(to_bot, "The concierges have approved whom you vouched for")
    await ben.sees_that(lambda: "invited." in (ben.last_edit_of(here.desk, line["event_id"]) or {}).get("body", ""))
    assert otto.user_id not in (ben.last_edit_of(here.desk, line["event_id"]) or {})["body"]

    # Ben hands a code over outside Matrix; Mia, on the other server, sends it to the bot
    await ben.say(here.desk, "!code")
    told = await ben.direct_message_from(bot, "It lets one person into “Wool circle”")
    code = CODE.search(told["content"]["body"])
    assert code is not None
    of_mia = await mia.create_direct(bot, joined_within=20)
    await mia.say(of_mia, code[0].upper())
    await mia.sees(of_mia, "The code is good")
    await mia.sees_join(here.group, mia.user_id, timeout=20)
    await mia.say(of_mia, code[0])
    await mia.sees(of_mia, "That code is not good")

    # the late joiners see nothing of it, here and there
    for late in (otto, mia):
        hello = await late.direct_message_from(bot, "Welcome to “Wool circle”.", timeout=20)
        assert "Merino throw: €79.00 each once 3 are pledged" in hello["content"]["body"]
        await _sees_nothing_from_before(late, here.group, [question, card, pledge], "xylophone")
        for event_id in (question, card, pledge):
            sealed = await ana.request("GET", f"/_matrix/client/v3/rooms/{quote(here.group)}/event/{quote(event_id)}")
            assert sealed["type"] == "m.room.encrypted" and not late.device.has_key(here.group, sealed["content"])

    # but a card of their own, once for both, on which they can pledge
    fresh = await otto.sees(here.group, lambda e: kind(e) == "message" and BUY in e["content"], timeout=20)
    await mia.sees(here.group, lambda e: e["type"] == "m.room.pinned_events" and fresh["event_id"] in str(e["content"]))
    assert fresh["event_id"] != card
    reply = await mia.say(here.group, "+1", reply_to=fresh["event_id"])
    await mia.sees_that(lambda: mia.reactions(here.group, reply) == {"✅": {bot}}, timeout=20)
    old = await ana.say(here.group, "+5", reply_to=card)
    await ana.sees_that(lambda: ana.reactions(here.group, old) == {"✅": {bot}})
    await otto.sees(here.group, "8 are reached")
    cards = [e for e in ana.new_messages(here.group, bot) if "Group buy:" in e["content"]["body"]]
    assert len(cards) == 2

    # who brought whom is for concierges only
    await ben.say(here.desk, "!tree")
    tree = (await ben.sees(here.desk, "Who vouched for whom"))["content"]["body"].splitlines()
    aliases = {one: await _alias_of(one, bot) for one in (rosa, ben, ana, otto, mia)} | {rena: "Otter"}
    assert tree[tree.index(f"    {aliases[otto]}") - 1] == f"  {aliases[rena]}"
    assert f"    {aliases[mia]}" in tree

    # a hostile owner, first here and then on the other server
    await _is_refused_everything(rosa, here.group)
    await rosa.say(here.direct, f"!handover {rena.user_id} confirm")
    await rosa.sees(here.direct, "Otter owns “Wool circle” now")
    await rena.sees_that(
        lambda: rena.seen.state[here.group]["m.room.power_levels", ""]["content"]["users"].get(rena.user_id) == 100
    )
    await _is_refused_everything(rena, here.group)

    _names_nobody([rosa, ben, ana, rena, otto, mia], here)


async def _alias_of(person: Person, bot: str) -> str:
    """The alias that the service has told a person."""
    hello = await person.direct_message_from(bot, "I call you ", timeout=20)
    found = re.search(r"I call you (.+?) in all that I write", hello["content"]["body"])
    assert found is not None
    return found[1]


async def _sees_nothing_from_before(late: Person, room: str, hidden: Iterable[str], word: str) -> None:
    """Neither timeline nor history, context, relations, threads, search or a fresh client show what was before."""
    shown = {event["event_id"] for event in [*late.timeline(room), *await late.messages(room)]}
    assert not shown & set(hidden)
    here = f"rooms/{quote(room)}"
    for event_id in map(quote, hidden):
        for path in (f"v3/{here}/event/{event_id}", f"v3/{here}/context/{event_id}", f"v1/{here}/relations/{event_id}"):
            with pytest.raises(MatrixError, match=r"M_FORBIDDEN|M_NOT_FOUND"):
                await late.request("GET", f"/_matrix/client/{path}")
    threads = await late.request("GET", f"/_matrix/client/v1/rooms/{quote(room)}/threads")
    assert threads["chunk"] == []
    wish = {"search_categories": {"room_events": {"search_term": word, "filter": {"rooms": [room]}}}}
    found = await late.request("POST", "/_matrix/client/v3/search", wish)
    assert found["search_categories"]["room_events"]["results"] == []
    fresh = nio.AsyncClient(late.client.homeserver, late.user_id)
    try:
        await fresh.login(late.password, device_name="another device")
        answer = await fresh.sync(0, full_state=True)
        assert isinstance(answer, nio.SyncResponse)
        joined = answer.rooms.join[room]
        assert not {event.event_id for event in joined.timeline.events} & set(hidden)
        assert word not in str([event.source for event in joined.state])
    finally:
        await fresh.close()


async def _is_refused_everything(owner: Person, room: str) -> None:
    """Who has power level 100 can change nothing of what keeps a group private."""
    wishes = {
        "m.room.join_rules": {"join_rule": "public"},
        "m.room.history_visibility": {"history_visibility": "world_readable"},
        "m.room.guest_access": {"guest_access": "can_join"},
        "m.room.power_levels": {"users": {owner.user_id: 100}, "invite": 0},
        "m.room.tombstone": {"body": "moved", "replacement_room": "!elsewhere"},
        "m.room.server_acl": {"allow": ["*"], "deny": ["other.example"]},
        "im.vector.modular.widgets": {"type": "m.custom", "url": "https://evil.example"},
    }
    for event_type, content in wishes.items():
        before = await owner.state(room, event_type)
        with pytest.raises(MatrixError, match="M_FORBIDDEN"):
            await owner.put_state(room, event_type, content)
        assert await owner.state(room, event_type) == before
    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await owner.invite(room, "@stranger:coterie.test")
    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await owner.request("POST", f"/_matrix/client/v3/rooms/{quote(room)}/upgrade", {"new_version": "12"})


def _names_nobody(people: list[Person], here: Circle) -> None:
    """Nothing that the service wrote gives a member's id or display name away."""
    written: dict[str, Event] = {e["event_id"]: e for one in people for e in one.seen.all if e["sender"] == here.bot}
    names = {one.user_id[1:].partition(":")[0].rstrip("0123456789").capitalize() for one in people}
    assert [found for found in (exposed(event, names) for event in written.values()) if found] == []


async def test_the_backup_account_is_a_creator_beside_the_bot_and_takes_no_seat(
    person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa, vault = await person("rosa"), await person("vault")
    service = await coterie(groups={"owners": [rosa.user_id], "backup_creator": vault.user_id})
    here = await circle([], ["ana"], rosa=rosa, service=service, cap=3)
    created = await rosa.state(here.group, "m.room.create")
    assert created is not None and created["additional_creators"] == [vault.user_id]
    invitation = await vault.invited_to(lambda invite: invite.room_id == here.group)
    await vault.join(invitation.room_id)
    await rosa.sees_that(lambda: vault.user_id in rosa.client.rooms[here.group].users)

    [otto, mia] = [await person("otto"), await person("mia")]
    await here.welcome(otto)  # the third seat: Rosa and Ana have the others
    await rosa.say(here.desk, f"!invite {mia.user_id}")
    await rosa.sees(here.desk, "no. 1 on the waitlist")
    assert not service.errors()
    assert await rosa.joined_members(here.group) == {one.user_id for one in (rosa, here.people[0], otto, vault)} | {
        here.bot
    }
