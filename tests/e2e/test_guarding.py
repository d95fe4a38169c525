"""The room stays private on real homeservers, whoever tries what; and what no room can forbid is found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.test_adoption import PATIENCE, becomes, make_room, whole_state
from tests.harness.circle import CircleFactory
from tests.harness.person import MatrixError, Person, PersonFactory
from tests.harness.service import ServiceFactory
from tests.harness.synapse import Synapse

MEDDLING: list[tuple[str, str, dict[str, Any]]] = [
    ("m.room.join_rules", "", {"join_rule": "public"}),
    ("m.room.history_visibility", "", {"history_visibility": "world_readable"}),
    ("m.room.guest_access", "", {"guest_access": "can_join"}),
    ("m.room.encryption", "", {"algorithm": "m.megolm.v1.aes-sha2"}),
    ("m.room.server_acl", "", {"allow": ["*"], "deny": ["evil.test"]}),
    ("m.room.tombstone", "", {"body": "moved", "replacement_room": "!x"}),
    ("m.room.canonical_alias", "", {"alt_aliases": []}),
    ("m.room.third_party_invite", "token", {"display_name": "a…", "key_validity_url": "https://x.example/",
                                            "public_key": "YQ"}),
    ("m.room.policy", "", {"via": "policy.example", "public_key": "YQ"}),
    ("m.space.child", "!x:x.example", {"via": ["x.example"]}),
    ("m.space.parent", "!x:x.example", {"via": ["x.example"]}),
    ("im.vector.modular.widgets", "w1", {"type": "m.custom", "url": "https://shop.example"}),
    ("io.element.widgets.layout", "", {"widgets": {}}),
]  # fmt: skip


async def test_nobody_can_change_policy_invite_or_upgrade_whatever_their_level_and_server(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    rena, stranger = await person("rena", on=federated[1]), await person("zoe")
    here = await circle(["ben"], [rena], rosa=rosa, service=service)
    ben, _ = here
    for owner in (rosa, rena):
        if owner is rena:
            asked = await rosa.say(here.direct, f"!handover {rena.user_id} confirm")
            await rosa.sees(here.direct, "owns “Wool circle” now", after=asked)
            await rena.sees(here.group, _has_level(rena, 100), timeout=PATIENCE)
        before = await whole_state(owner, here.group)
        for one in (owner, ben):
            for type, key, content in MEDDLING:
                await _is_forbidden(lambda: one.put_state(here.group, type, content, key))  # noqa: B023
            levels = before["m.room.power_levels", ""][1]
            for users, more in (({one.user_id: 150}, {}), ({stranger.user_id: 100}, {}), ({}, {"invite": 0})):
                raised = levels | more | {"users": levels["users"] | users}
                await _is_forbidden(lambda: one.put_state(here.group, "m.room.power_levels", raised))  # noqa: B023
            await _is_forbidden(lambda: one.invite(here.group, stranger.user_id))  # noqa: B023
            await _is_forbidden(lambda: _upgrade(one, here.group))  # noqa: B023
        assert await whole_state(owner, here.group) == before
    assert stranger.invites() == [] and here.errors() == []


def _has_level(person: Person, level: int) -> Callable[[Any], bool]:
    def has(event: Any) -> bool:
        users = event["content"].get("users") if event["type"] == "m.room.power_levels" else None
        return users is not None and users.get(person.user_id) == level

    return has


async def _upgrade(person: Person, room_id: str) -> None:
    await person.request("POST", f"/_matrix/client/v3/rooms/{quote(room_id, safe='')}/upgrade", {"new_version": "11"})


async def _is_forbidden(act: Callable[[], Awaitable[Any]]) -> None:
    with pytest.raises(MatrixError) as refused:
        await act()
    assert refused.value.errcode == "M_FORBIDDEN", refused.value


async def test_an_address_that_a_member_makes_is_found_and_reported(
    person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory, homeserver: Synapse
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    here = await circle(["ben"], ["ana"], rosa=rosa, service=service)
    _, ana = here
    alias = f"#{ana.user_id[1:].partition(':')[0]}-wool:{homeserver.server_name}"
    path = f"/_matrix/client/v3/directory/room/{quote(alias, safe='')}"
    await ana.request("PUT", path, {"room_id": here.group})
    await service.restart()
    told = await rosa.sees(here.desk, f"The address {alias} leads to the group's room", timeout=PATIENCE)
    assert told["content"]["msgtype"] == "m.notice"
    assert [line for line in service.log_tail(200).splitlines() if alias in line and "warning" in line]
    assert (await ana.request("GET", path))["room_id"] == here.group, "only a server admin may remove it"
    await ana.request("DELETE", path)
    await _is_forbidden(lambda: ana.request("PUT", _listing(here.group), {"visibility": "public"}))
    await _is_forbidden(lambda: rosa.request("PUT", _listing(here.group), {"visibility": "public"}))
    assert here.errors() == []


def _listing(room_id: str) -> str:
    return f"/_matrix/client/v3/directory/list/room/{quote(room_id, safe='')}"


@pytest.mark.slow
async def test_what_happened_while_the_service_was_down_is_put_right_at_its_start(
    person: PersonFactory, coterie: ServiceFactory
) -> None:
    rosa, ben, ana, otto = [await person(name) for name in ("rosa", "ben", "ana", "otto")]
    service = await coterie(groups={"owners": [rosa.user_id]})
    levels = {rosa.user_id: 100, service.bot_id: 100, ben.user_id: 50}
    knitting = await make_room(service, rosa, [ben, ana], version="11", levels=levels)
    await knitting.adopt()
    before = await whole_state(rosa, knitting.group)
    await service.stop()
    await rosa.put_state(knitting.group, "m.room.join_rules", {"join_rule": "public"})
    await rosa.put_state(knitting.group, "m.room.guest_access", {"guest_access": "can_join"})
    await rosa.invite(knitting.group, otto.user_id)
    await ana.leave(knitting.group)
    await rosa.request("PUT", _listing(knitting.group), {"visibility": "public"})
    await service.start()
    await becomes(rosa, knitting.group, "m.room.join_rules", {"join_rule": "invite"})
    await becomes(rosa, knitting.group, "m.room.guest_access", {"guest_access": "forbidden"})
    await knitting.told("changed who may join in the group's room")
    await knitting.told("stood in the homeserver's public directory")
    await rosa.sees(
        knitting.group, lambda e: e.get("state_key") == otto.user_id and e["content"]["membership"] == "leave"
    )
    assert (await rosa.request("GET", _listing(knitting.group)))["visibility"] == "private"
    await rosa.say(knitting.desk, "!audit")
    audit = await rosa.sees(knitting.desk, "newest first", timeout=PATIENCE)
    for words in ("left, or was removed", "changed who may join; put back", "invited somebody past the service"):
        assert words in audit["content"]["body"]
    assert all(one.user_id not in audit["content"]["body"] for one in (rosa, ben, ana, otto))
    after = await whole_state(rosa, knitting.group)
    assert after["m.room.join_rules", ""][1] == before["m.room.join_rules", ""][1]


@pytest.mark.slow
async def test_a_concierge_who_redacts_the_power_levels_of_version_10_lets_everybody_invite_for_seconds_only(
    person: PersonFactory, coterie: ServiceFactory
) -> None:
    """What redaction leaves of them has no `invite` before version 11, and the default is 0."""
    rosa, ben = await person("rosa"), await person("ben")
    service = await coterie(groups={"owners": [rosa.user_id]})
    levels = {rosa.user_id: 100, service.bot_id: 101, ben.user_id: 50}
    knitting = await make_room(service, rosa, [ben], version="10", levels=levels)
    await knitting.adopt()
    path = f"/_matrix/client/v3/rooms/{quote(knitting.group, safe='')}/state/m.room.power_levels?format=event"
    event = await rosa.request("GET", path)
    await ben.redact(knitting.group, event["event_id"])
    await rosa.sees(
        knitting.group,
        lambda e: e["type"] == "m.room.power_levels" and e["event_id"] != event["event_id"]
        and e["sender"] == knitting.bot and e["content"].get("notifications") == {"room": 50},
        after=event["event_id"], timeout=PATIENCE,
    )  # fmt: skip
    now = (await whole_state(rosa, knitting.group))["m.room.power_levels", ""][1]
    assert now["invite"] == 101 and now["users"][ben.user_id] == 50
