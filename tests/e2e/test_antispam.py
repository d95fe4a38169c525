"""The door before the event: the real module in a real Synapse asks, the service answers.

The rooms are made as open as an adopted room may be, so that nothing but the door stands in the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from tests.harness.circle import Circle, CircleFactory
from tests.harness.person import Event, MatrixError, Person, PersonFactory
from tests.harness.service import Service
from tests.harness.synapse import Synapse

pytestmark = pytest.mark.slow

TOKEN = "token-of-the-door".ljust(40, "-")
NO_JOINING = "M_FORBIDDEN: You cannot join this room now. Ask whoever told you of it."
NO_INVITING = (
    "M_FORBIDDEN: Only the service invites into this room: send it !invite and the person's Matrix id, "
    "by direct message."
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that is not running, and its homeserver, which has the module and runs."""
    folder = tmp_path_factory.mktemp("watched")
    homeserver = Synapse(folder / "synapse")
    owners = [homeserver.user_id(f"rosa{number}") for number in range(1, 1000)]
    service = Service(folder / "service", homeserver, config={"groups": {"owners": owners}})
    homeserver.add_registration(service.registration())
    callbacks = ["user_may_join_room", "user_may_invite"]
    homeserver.config["modules"] = [
        {
            "module": "synapse_http_antispam.HTTPAntispam",
            "config": {
                "base_url": f"{service.url}/_coterie/antispam",
                "authorization": TOKEN,
                "do_ping": True,
                "enabled_callbacks": callbacks,
                "fail_open": dict.fromkeys(callbacks, True),
            },
        }
    ]
    async with homeserver:
        yield service


@pytest.fixture
def homeserver(watched: Service) -> Synapse:
    return watched.homeserver


@pytest_asyncio.fixture
async def service(watched: Service) -> AsyncIterator[Service]:
    """The same service, running and with the right token."""
    watched.config["appservice"] = {"antispam_token": TOKEN}
    async with watched:
        yield watched


@pytest.fixture
def circle(service: Service, person: PersonFactory) -> CircleFactory:
    async def gather(*members: str, cap: int) -> Circle:
        circle = await Circle.found(await person("rosa"), service, cap=cap)
        await circle.welcome(*[await person(name) for name in members])
        return circle

    return gather


async def as_bot(service: Service, room: str, event_type: str, content: dict[str, Any]) -> None:
    """Have the bot itself put a state event into a room, by the service's token."""
    path = f"/_matrix/client/v3/rooms/{quote(room)}/state/{event_type}/?user_id={quote(service.bot_id)}"
    headers = {"Authorization": f"Bearer {service.as_token}"}
    async with (
        aiohttp.ClientSession(service.homeserver.url, headers=headers) as http,
        http.put(path, json=content) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def open_wide(here: Circle) -> None:
    """Let anybody join the group's room, and everybody in it invite."""
    levels = await here.owner.state(here.group, "m.room.power_levels")
    assert levels is not None
    await as_bot(here.service, here.group, "m.room.power_levels", {**levels, "invite": 0})
    await as_bot(here.service, here.group, "m.room.join_rules", {"join_rule": "public"})


async def join(who: Person, room: str) -> None:
    await who.request("POST", f"/_matrix/client/v3/join/{quote(room)}")


async def invite(who: Person, room: str, user_id: str) -> None:
    await who.request("POST", f"/_matrix/client/v3/rooms/{quote(room)}/invite", {"user_id": user_id})


async def refused(act: Any) -> str:
    with pytest.raises(MatrixError) as caught:
        await act
    return str(caught.value)


async def test_a_full_group_lets_in_whoever_has_a_seat_and_nobody_else(
    circle: CircleFactory, person: PersonFactory
) -> None:
    here = await circle("ana", cap=3)
    otto, zoe = await person("otto"), await person("zoe")
    await here.owner.say(here.direct, f"!invite {otto.user_id}")
    await otto.invited_to()
    await open_wide(here)
    assert await refused(join(zoe, here.group)) == NO_JOINING
    assert await refused(join(zoe, here.desk)) == NO_JOINING
    await join(otto, here.group)
    await here.owner.sees_join(here.group, otto.user_id)
    assert zoe.user_id not in str(here.owner.seen.timeline[here.group])
    assert await refused(join(zoe, here.group)) == NO_JOINING
    await otto.leave(here.group)
    await here.owner.sees(here.group, lambda e: e["content"].get("membership") == "leave")
    await until_joined(zoe, here.group)
    await here.owner.sees_join(here.group, zoe.user_id)
    assert here.errors() == []


async def until_joined(who: Person, room: str) -> None:
    """Join as soon as the service knows of the free seat."""
    for _ in range(50):
        try:
            return await join(who, room)
        except MatrixError as error:
            assert str(error) == NO_JOINING
            await asyncio.sleep(0.1)
    raise AssertionError("the free seat was never given")


async def test_an_owner_cannot_invite_past_the_service(circle: CircleFactory, person: PersonFactory) -> None:
    here = await circle("ana", cap=5)
    (ana,) = here
    zoe, mia = await person("zoe"), await person("mia")
    await open_wide(here)
    for who in (here.owner, ana):
        assert await refused(invite(who, here.group, zoe.user_id)) == NO_INVITING
    assert await refused(invite(here.owner, here.desk, zoe.user_id)) == NO_INVITING
    assert await refused(invite(here.owner, here.direct, zoe.user_id)) == NO_INVITING
    await here.owner.say(here.direct, f"!invite {mia.user_id}")
    await mia.invited_to(lambda invitation: invitation.room_id == here.group)
    assert zoe.invites() == []
    assert zoe.user_id not in str(here.owner.seen.timeline[here.group])


async def test_a_server_admin_is_not_asked_about_and_is_removed_afterwards(
    circle: CircleFactory, homeserver: Synapse
) -> None:
    here = await circle("ana", cap=2)
    await open_wide(here)
    await homeserver.register_user("root", "root", admin=True)
    async with Person(homeserver.url, "root", "root") as root:
        await join(root, here.group)
        await here.owner.sees(here.group, removed(root))


async def test_other_rooms_of_the_homeserver_are_left_alone(circle: CircleFactory, person: PersonFactory) -> None:
    here = await circle(cap=2)
    zoe, mia = await person("zoe"), await person("mia")
    await goes_on(zoe, mia)
    assert here.errors() == []


async def goes_on(zoe: Person, mia: Person) -> None:
    """Rooms that are none of the service's work: made, joined, invited into, named in."""
    public = await zoe.create_room(preset="public_chat")
    await join(mia, public)
    private = await zoe.create_room(preset="private_chat")
    await invite(zoe, private, mia.user_id)
    await mia.invited_to(lambda invitation: invitation.room_id == private)
    await join(mia, private)
    assert await zoe.joined_members(public) == await zoe.joined_members(private) == {zoe.user_id, mia.user_id}


async def test_with_the_service_down_the_homeserver_goes_on_and_the_cap_is_kept_afterwards(
    circle: CircleFactory, person: PersonFactory, service: Service
) -> None:
    here = await circle("ana", cap=2)
    zoe, mia = await person("zoe"), await person("mia")
    await open_wide(here)
    assert await refused(join(zoe, here.group)) == NO_JOINING
    await service.stop()
    await goes_on(zoe, mia)
    await invite(here.owner, here.group, mia.user_id)
    await join(zoe, here.group)
    await service.start()
    await here.owner.sees(here.group, removed(zoe), timeout=20)
    assert zoe.user_id not in await here.owner.joined_members(here.group)


def removed(who: Person) -> Any:
    def is_it(event: Event) -> bool:
        membership = event["content"].get("membership")
        return event.get("state_key") == who.user_id and membership == "leave" and event["sender"] != who.user_id

    return is_it


@pytest.mark.parametrize("token", ["another-token-of-the-door".ljust(40, "-"), None], ids=["another", "none"])
async def test_with_a_wrong_token_the_door_stands_open_for_the_whole_homeserver(
    service: Service, person: PersonFactory, token: str | None
) -> None:
    """The module takes any error in JSON for a no, `fail_open` or not; a slip in a configuration must not stop all."""
    zoe, mia = await person("zoe"), await person("mia")
    public = await zoe.create_room(preset="public_chat")
    await service.stop()
    service.config["appservice"] = {"antispam_token": token}
    await service.start()
    await goes_on(zoe, mia)
    await join(mia, public)
    await service.stop()
    service.config["appservice"] = {"antispam_token": TOKEN}
    await service.start()


async def test_the_module_finds_the_service_when_both_run(service: Service) -> None:
    log = service.homeserver.directory / "synapse.log"
    before = len(log.read_text())
    await service.homeserver.restart()
    for _ in range(100):
        if "Successfully pinged antispam server" in (said := log.read_text()[before:]):
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError(f"the module was not answered: {said}")
    assert "Failed to ping" not in said
