"""A room that was there before becomes a group, on real homeservers, and stays private whatever its owners do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness.person import Event, MatrixError, Person, PersonFactory
from tests.harness.service import Service, ServiceFactory
from tests.harness.synapse import Synapse

OPENED: dict[str, dict[str, Any]] = {
    "m.room.join_rules": {"join_rule": "public"},
    "m.room.history_visibility": {"history_visibility": "world_readable"},
    "m.room.guest_access": {"guest_access": "can_join"},
}
PRIVATE: dict[str, dict[str, Any]] = {
    "m.room.join_rules": {"join_rule": "invite"},
    "m.room.history_visibility": {"history_visibility": "joined"},
    "m.room.guest_access": {"guest_access": "forbidden"},
}
ENCRYPTION = {"algorithm": "m.megolm.v1.aes-sha2"}
PATIENCE = 30


@dataclass
class Adopted:
    """An adopted room, its desk, and who asked for it."""

    service: Service
    rosa: Person
    direct: str
    group: str
    desk: str = ""

    @property
    def bot(self) -> str:
        return self.service.bot_id

    async def adopt(self, words: str = "") -> None:
        """Have the bot look at the room, and confirm."""
        await self.look()
        asked = await self.rosa.say(self.direct, f"!adopt {self.group} confirm {words}".strip())
        await self.rosa.direct_message_from(self.bot, "is adopted", after=asked, timeout=PATIENCE)
        desk = await self.rosa.invited_to(lambda invite: invite.name == "Desk: Knitting", timeout=PATIENCE)
        await join(self.rosa, desk.room_id)
        self.desk = desk.room_id

    async def look(self) -> Event:
        """The proposal. Into a public room the bot comes by itself, into others it has to be invited."""
        asked = await self.rosa.say(self.direct, f"!adopt {self.group}")
        told = await self.rosa.direct_message_from(self.bot, "adopt", after=asked, timeout=PATIENCE)
        if "Invite me there" in told["content"]["body"]:
            await self.rosa.invite(self.group, self.bot)
        return await self.rosa.direct_message_from(self.bot, "I can adopt", after=asked, timeout=PATIENCE)

    async def told(self, words: str) -> Event:
        """A line in the desk."""
        return await self.rosa.sees(self.desk, words, timeout=PATIENCE)

    def told_often(self, words: str) -> int:
        return sum(words in str(e["content"].get("body")) for e in self.rosa.new_messages(self.desk, self.bot))


async def make_room(
    service: Service, rosa: Person, others: Iterable[Person], *, version: str, levels: dict[str, int], **body: Any
) -> Adopted:
    """A room of rosa's with others in it, in which the bot has power as soon as it comes."""
    direct = await rosa.create_direct(service.bot_id)
    body = {
        "preset": "private_chat",
        "name": "Knitting",
        "room_version": version,
        "power_level_content_override": {"users": levels},
        **body,
    }
    room_id = await rosa.create_room(**body)
    for person in others:
        await rosa.invite(room_id, person.user_id)
        await person.invited_to(lambda invite: invite.room_id == room_id)
        await join(person, room_id)
        await rosa.sees_join(room_id, person.user_id)
    return Adopted(service, rosa, direct, room_id)


async def join(person: Person, room_id: str) -> None:
    for pause in (0.3, 1, 2):  # a remote homeserver may send an invitation before it has stored it
        try:
            await person.join(room_id)
            return
        except MatrixError:
            await asyncio.sleep(pause)
    await person.join(room_id)


async def whole_state(person: Person, room_id: str) -> dict[tuple[str, str], tuple[str, Any]]:
    """Sender and content of all state as the person's homeserver has it."""
    path = f"/_matrix/client/v3/rooms/{quote(room_id, safe='')}/state"
    answer = await person.client.send("GET", path, None, {"Authorization": f"Bearer {person.client.access_token}"})
    events = await person.client.parse_body(answer)
    return {(e["type"], e["state_key"]): (e["sender"], e["content"]) for e in events}


async def becomes(person: Person, room_id: str, kind: str, content: dict[str, Any], key: str = "") -> None:
    """Return once a piece of state is so at the person's homeserver."""
    for _ in range(PATIENCE * 10):
        if (await person.state(room_id, kind, key) or {}) == content:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{kind} is {await person.state(room_id, kind, key)}, not {content}")


async def is_forbidden(act: Any) -> None:
    with pytest.raises(MatrixError) as refused:
        await act
    assert refused.value.errcode == "M_FORBIDDEN"


async def upgrade(person: Person, room_id: str) -> None:
    path = f"/_matrix/client/v3/rooms/{quote(room_id, safe='')}/upgrade"
    await person.request("POST", path, {"new_version": "11"})


@pytest.mark.parametrize(("version", "level"), [("10", 100), ("11", 101)])
async def test_a_dry_run_changes_nothing_and_a_confirmed_room_is_a_group(
    person: PersonFactory, resident: Service, version: str, level: int
) -> None:
    rosa, ben, ana = [await person(name) for name in ("rosa", "ben", "ana")]
    levels = {rosa.user_id: 100, ben.user_id: 50, resident.bot_id: level}
    state = [{"type": kind, "state_key": "", "content": content} for kind, content in OPENED.items()]
    room = await make_room(
        resident, rosa, [ben, ana], version=version, levels=levels, initial_state=state,
        room_alias_name=f"knitting{version}",
    )  # fmt: skip
    alias = f"#knitting{version}:{resident.homeserver.server_name}"
    before = await whole_state(rosa, room.group)
    proposal = (await room.look())["content"]["body"].split("\n")
    after = await whole_state(rosa, room.group)
    assert after.pop(("m.room.member", room.bot))[1]["membership"] == "join"
    assert after == before
    assert any(line.startswith("• Everybody stays: 1 owner, 1 concierge, 1 member.") for line in proposal)
    assert "• The room's addresses are removed, as anybody can look them up." in proposal
    assert proposal[-1] == f"!adopt {room.group} confirm"
    ben.auto_join_from.add(room.bot)
    await rosa.say(room.direct, proposal[-1] + " cap 80")
    await ana.sees(room.group, "run this room from now on", timeout=PATIENCE)
    for kind, content in PRIVATE.items():
        assert await ana.state(room.group, kind) == content
    assert await ana.state(room.group, "m.room.canonical_alias") == {}
    assert await ana.state(room.group, "shop.coterie.group") == {"version": 1, "cap": 80}
    found = await ana.state(room.group, "m.room.power_levels")
    assert found is not None
    assert found["users"] == levels
    assert (found["invite"], found["events"]["m.room.join_rules"], found["state_default"]) == (level, level, 100)
    desk = await rosa.invited_to(lambda invite: invite.name == "Desk: Knitting", timeout=PATIENCE)
    await rosa.join(desk.room_id)
    await rosa.sees_join(desk.room_id, ben.user_id)
    # a service whose registration reserves no aliases may remove none, and says so
    await rosa.direct_message_from(room.bot, f"The address {alias} leads to the group's room", timeout=PATIENCE)
    zoe = await person("zoe", auto_join_from={room.bot})
    await rosa.say(room.direct, f"!invite {zoe.user_id}")
    await ana.sees_join(room.group, zoe.user_id)
    assert ana.direct_messages(room.bot) == []


@pytest.mark.slow
async def test_owners_of_equal_power_are_corrected_wherever_they_are(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory
) -> None:
    rosa, ben, ana, zoe = [await person(name) for name in ("rosa", "ben", "ana", "zoe")]
    rena = await person("rena", on=federated[1])
    service = await coterie(groups={"owners": [rosa.user_id]})
    levels = dict.fromkeys((rosa.user_id, ben.user_id, rena.user_id, service.bot_id), 100)
    encryption = {"type": "m.room.encryption", "state_key": "", "content": ENCRYPTION}
    room = await make_room(service, rosa, [ben, ana, rena], version="11", levels=levels, initial_state=[encryption])
    await room.adopt()
    await rena.sees(room.group, "run this room from now on", timeout=PATIENCE)
    members = {member.user_id: member for member in (rosa, ben, ana, rena)}
    guarded = await rosa.state(room.group, "m.room.power_levels")
    assert guarded is not None and guarded["users"] == levels
    open_levels = {**guarded, "invite": 0, "events": {**guarded["events"], "m.room.join_rules": 0}}
    acl = {"allow": ["*"], "deny": ["evil.test"]}
    meddling: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        *((kind, "", content, PRIVATE[kind]) for kind, content in OPENED.items()),
        ("m.room.power_levels", "", open_levels, guarded),
        ("m.room.encryption", "", {}, ENCRYPTION),
        ("m.room.encryption", "", {**ENCRYPTION, "rotation_period_msgs": 99999}, ENCRYPTION),
        ("m.room.server_acl", "", acl, {"allow": ["*"], "deny": [], "allow_ip_literals": True}),
        ("m.room.tombstone", "", {"body": "moved", "replacement_room": "!x:y"}, {}),
        ("im.vector.modular.widgets", "shop", {"type": "m.custom", "url": "https://shop.example"}, {}),
        ("m.space.child", "!child:x", {"via": [federated[1].server_name]}, {}),
    ]
    for meddler in (ben, rena):
        for kind, key, content, wanted in meddling:
            changed = await meddler.put_state(room.group, kind, content, key)
            await meddler.sees(room.group, lambda e: e["sender"] == room.bot, after=changed, timeout=PATIENCE)
            for one in (rosa, rena):
                await becomes(one, room.group, kind, wanted, key)
        await upgrade(meddler, room.group)
        await becomes(rena, room.group, "m.room.tombstone", {})
        for one in (rosa, rena):
            await becomes(one, room.group, "m.room.power_levels", guarded)
        await meddler.invite(room.group, zoe.user_id)
        await rosa.sees(
            room.group,
            lambda e: e.get("state_key") == zoe.user_id and e["content"]["membership"] == "leave",
            timeout=PATIENCE,
        )
        assert await members[meddler.user_id].joined_members(room.group) == {*members, room.bot}
    restored = [e["content"]["body"] for e in rosa.new_messages(room.desk, room.bot) if "put it back" in str(e)]
    for what in ("who may join", "the encryption", "the widgets", "which servers may take part"):
        told = {body.partition(" changed ")[0] for body in restored if f" changed {what} " in body}
        assert len(told) == 2, restored
        assert not {"Somebody who is no member", "The service"} & told
    assert len(restored) == len(set(restored))
    assert not [body for body in restored if any(user_id in body for user_id in members)]
    assert service.errors() == []


@pytest.mark.slow
async def test_a_bot_above_all_others_leaves_it_to_the_homeservers(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory
) -> None:
    rosa, ben = await person("rosa"), await person("ben")
    rena = await person("rena", on=federated[1])
    service = await coterie(groups={"owners": [rosa.user_id]})
    levels = {**dict.fromkeys((rosa.user_id, ben.user_id, rena.user_id), 100), service.bot_id: 150}
    room = await make_room(service, rosa, [ben, rena], version="11", levels=levels)
    await room.adopt()
    await rena.sees(room.group, "run this room from now on", timeout=PATIENCE)
    before = await whole_state(rena, room.group)
    guarded = before["m.room.power_levels", ""][1]
    for meddler in (rosa, ben, rena):
        for kind, content in OPENED.items():
            await is_forbidden(meddler.put_state(room.group, kind, content))
        raised = {**guarded, "users": {**guarded["users"], meddler.user_id: 150}}
        await is_forbidden(meddler.put_state(room.group, "m.room.power_levels", raised))
        await is_forbidden(meddler.put_state(room.group, "m.room.tombstone", {"replacement_room": "!x:y"}))
        await is_forbidden(meddler.put_state(room.group, "m.room.encryption", ENCRYPTION))
        await is_forbidden(meddler.put_state(room.group, "im.vector.modular.widgets", {"type": "m.custom"}, "x"))
        await is_forbidden(meddler.invite(room.group, "@zoe:coterie.test"))
        await is_forbidden(upgrade(meddler, room.group))
    assert await whole_state(rena, room.group) == before
    assert service.errors() == []


@pytest.mark.slow
async def test_a_room_of_another_homeserver_is_adopted_too(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory
) -> None:
    rosa, rena = await person("rosa"), await person("rena", on=federated[1])
    service = await coterie(groups={"owners": [rena.user_id]})
    levels = dict.fromkeys((rosa.user_id, rena.user_id, service.bot_id), 100)
    room = await make_room(service, rena, [rosa], version="10", levels=levels)
    await room.adopt("cap 20")
    await rosa.sees(room.group, "run this room from now on", timeout=PATIENCE)
    for one in (rosa, rena):
        for kind, content in PRIVATE.items():
            await becomes(one, room.group, kind, content)
    assert await rosa.state(room.group, "shop.coterie.group") == {"version": 1, "cap": 20}
    assert service.errors() == []


@pytest.mark.slow
async def test_who_came_in_over_the_cap_is_removed_newest_first_and_waits_first(
    person: PersonFactory, homeserver: Synapse, coterie: ServiceFactory
) -> None:
    rosa, ben, ana, otto = [await person(name) for name in ("rosa", "ben", "ana", "otto")]
    service = await coterie(groups={"owners": [rosa.user_id]})
    zoe, uma, ida = [await person(name, auto_join_from={service.bot_id}) for name in ("zoe", "uma", "ida")]
    levels = dict.fromkeys((rosa.user_id, ben.user_id, service.bot_id), 100)
    room = await make_room(service, rosa, [ben, ana, otto], version="11", levels=levels)
    await room.adopt("cap 5")
    await rosa.say(room.direct, f"!invite {ida.user_id}")
    await rosa.sees_join(room.group, ida.user_id)
    await rosa.say(room.direct, "!cap 6")
    await rosa.direct_message_from(room.bot, "takes up to 6 people")
    await service.stop()
    await ben.put_state(room.group, "m.room.join_rules", {"join_rule": "public"})
    for late in (zoe, uma):
        await join(late, room.group)
    await service.start()
    told = await uma.direct_message_from(room.bot, "is full", timeout=PATIENCE)
    assert "You are first on the waitlist" in told["content"]["body"]
    kicked = await rosa.sees(
        room.group, lambda e: e.get("state_key") == uma.user_id and e["content"]["membership"] == "leave"
    )
    assert kicked["sender"] == room.bot
    assert kicked["content"]["reason"] == "removed by the service"
    await becomes(rosa, room.group, "m.room.join_rules", PRIVATE["m.room.join_rules"])
    stay = {one.user_id for one in (rosa, ben, ana, otto, ida, zoe)}
    assert await rosa.joined_members(room.group) == {*stay, room.bot}
    await room.told("I removed them, told them why")
    await otto.leave(room.group)
    await rosa.sees_join(room.group, uma.user_id, timeout=PATIENCE)
    assert service.errors() == []


@pytest.mark.slow
async def test_those_present_at_adoption_stay_over_the_cap(
    person: PersonFactory, homeserver: Synapse, coterie: ServiceFactory
) -> None:
    rosa, ana, otto, zoe = [await person(name) for name in ("rosa", "ana", "otto", "zoe")]
    service = await coterie(groups={"owners": [rosa.user_id]})
    room = await make_room(
        service, rosa, [ana, otto], version="11", levels=dict.fromkeys((rosa.user_id, service.bot_id), 100)
    )
    await room.adopt("cap 2")
    await service.restart()
    await rosa.say(room.direct, f"!invite {zoe.user_id}")
    await rosa.direct_message_from(room.bot, "is full", timeout=PATIENCE)
    assert await rosa.joined_members(room.group) == {rosa.user_id, ana.user_id, otto.user_id, room.bot}
    with pytest.raises(MatrixError):
        await zoe.join(room.group)
    assert service.errors() == []
