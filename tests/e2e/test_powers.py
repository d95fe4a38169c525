"""Nobody but the service can open the door, whatever their power level."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.circle import BUY, CircleFactory
from tests.harness.person import MatrixError, Person, PersonFactory

GUARDED: dict[str, dict[str, Any]] = {
    "m.room.join_rules": {"join_rule": "public"},
    "m.room.history_visibility": {"history_visibility": "world_readable"},
    "m.room.guest_access": {"guest_access": "can_join"},
    "m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"},
    "m.room.server_acl": {"allow": ["*"]},
    "m.room.canonical_alias": {"alias": None},
    "m.room.tombstone": {"body": "moved", "replacement_room": "!x"},
    "m.space.child": {"via": ["coterie.test"]},
    "im.vector.modular.widgets": {"type": "m.custom", "url": "https://shop.example"},
}


async def test_owner_concierge_and_member_may_neither_open_the_room_nor_invite(
    circle: CircleFactory, person: PersonFactory
) -> None:
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    stranger = await person("zoe")
    levels = await here.owner.state(here.group, "m.room.power_levels")
    assert levels is not None
    assert levels["users"] == {here.owner.user_id: 100, ben.user_id: 50}
    assert (await here.owner.state(here.group, "m.room.join_rules")) == {"join_rule": "invite"}
    assert (await here.owner.state(here.group, "m.room.history_visibility")) == {"history_visibility": "joined"}
    for one in (here.owner, ben, ana):
        for room in (here.group, here.desk) if one is not ana else (here.group,):
            for kind, content in GUARDED.items():
                await _is_forbidden(one, lambda: one.put_state(room, kind, content))  # noqa: B023
            raised = {**levels, "users": {**levels["users"], one.user_id: 150}}
            await _is_forbidden(one, lambda: one.put_state(room, "m.room.power_levels", raised))  # noqa: B023
            await _is_forbidden(one, lambda: one.invite(room, stranger.user_id))  # noqa: B023
    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await ana.put_state(here.group, BUY, {}, "abc")
    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await stranger.request("POST", f"/_matrix/client/v3/join/{here.group}")
    assert stranger.invites() == []


async def _is_forbidden(who: Person, act: Any) -> None:
    with pytest.raises(MatrixError) as refused:
        await act()
    assert refused.value.errcode == "M_FORBIDDEN", who.user_id


async def test_whoever_stops_being_a_concierge_is_out_of_the_desk(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana"])
    ben, _ = here
    await here.owner.say(here.desk, f"!concierge remove {ben.user_id}")
    alias = await here.alias_of(ben)
    await here.owner.sees(here.desk, f"{alias} is no concierge of “Wool circle” any more, and out of the desk.")
    await ben.sees(here.desk, lambda e: e["content"].get("membership") == "leave")
    assert await here.owner.joined_members(here.desk) == {here.bot, here.owner.user_id}
    assert ben.user_id in await here.owner.joined_members(here.group)
    levels = await here.owner.state(here.group, "m.room.power_levels")
    assert levels is not None
    assert levels["users"] == {here.owner.user_id: 100}
    refused = await ben.say(here.group, '!product add "Throw" 89 https://shop.example/throw')
    await ben.sees_that(lambda: ben.reactions(here.group, refused) == {"⚠️": {here.bot}})
    await ben.direct_message_from(here.bot, "Only concierges of the group can do that.")


async def test_the_last_seat_is_given_once(circle: CircleFactory, person: PersonFactory) -> None:
    here = await circle(["ben"], ["ana"], cap=4)
    otto, mia = await person("otto"), await person("mia")
    await here.owner.say(here.direct, f"!invite {otto.user_id}")
    await here.owner.say(here.direct, f"!invite {mia.user_id}")
    await here.owner.sees(here.direct, f"“Wool circle” is full: {mia.user_id} is no. 1 on the waitlist")
    await otto.invited_to()
    assert mia.invites() == []
