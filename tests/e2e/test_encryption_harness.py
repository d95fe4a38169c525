"""The harness's people in encrypted rooms of their own, without the service: what the encryption tests rely on."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.harness.person import ENCRYPTED, MatrixError, Person, PersonFactory
from tests.harness.synapse import Synapse

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def _room(host: Person, *guests: Person, visibility: str = "joined") -> str:
    """An encrypted room with these people in it, as far as each of them knows."""
    history = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": visibility}}
    room = await host.create_room(preset="private_chat", initial_state=[ENCRYPTED, history])
    for guest in guests:
        await host.invite(room, guest.user_id)
        await guest.join(room)
    for one in (host, *guests):
        for other in (host, *guests):
            await one.sees_join(room, other.user_id)
    return room


async def test_two_people_understand_each_other_in_an_encrypted_room(person: PersonFactory) -> None:
    await _they_understand_each_other(await person("ana"), await person("bo"))


async def test_people_of_two_homeservers_understand_each_other_in_an_encrypted_room(
    federated: tuple[Synapse, Synapse], person: PersonFactory
) -> None:
    await _they_understand_each_other(await person("ana"), await person("remi", on=federated[1]))


async def _they_understand_each_other(ana: Person, bo: Person) -> None:
    room = await ana.create_direct(bo.user_id, joined_within=None)
    await bo.invited_to(lambda invite: invite.room_id == room)
    await bo.join(room)
    await ana.sees_join(room, bo.user_id)

    question = await ana.say(room, "Shall we?")
    heard = await bo.sees(room, "Shall")
    assert (heard["event_id"], heard["type"], heard["encrypted"]) == (question, "m.room.message", True)
    answer = await bo.say(room, "No", reply_to=question)
    await bo.react(room, question, "+1")
    await bo.edit(room, answer, "Yes")
    await ana.sees_that(lambda: ana.last_edit_of(room, answer) == {"msgtype": "m.text", "body": "Yes"})
    await ana.sees_that(lambda: ana.reactions(room, question) == {"+1": {bo.user_id}})
    image = await ana.send_image(room, _PIXEL)
    picture = (await bo.sees(room, lambda e: e["event_id"] == image))["content"]
    assert (await bo.attachment(picture), "url" in picture) == (_PIXEL, False)
    assert await bo.download(picture["file"]["url"]) != _PIXEL
    assert [e["content"].get("body") for e in await bo.messages(room) if e.get("encrypted")] == [
        *("Shall we?", "No", "* Yes", "picture.png")
    ]

    # what the homeserver has of it: ciphertext, what answers what, and the reaction
    stored = await ana.request("GET", f"/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=6")
    kinds = [event["type"] for event in reversed(stored["chunk"]) if "state_key" not in event]
    assert kinds == [*["m.room.encrypted"] * 2, "m.reaction", *["m.room.encrypted"] * 2]
    assert "Shall" not in str(stored)
    assert (ana.sent_in_clear(room, bo.user_id), ana.undecryptable(room)) == ([], {})


async def test_who_comes_late_or_was_kicked_cannot_decrypt_what_was_not_for_them(person: PersonFactory) -> None:
    ana, bo, late = await person("ana"), await person("bo"), await person("late")
    room = await _room(ana, bo, visibility="shared")  # the homeserver hands out all of it: only keys are in the way
    early = await ana.say(room, "early")
    await bo.sees(room, "early")
    await ana.invite(room, late.user_id)
    await late.join(room)
    await ana.sees_join(room, late.user_id)
    await ana.say(room, "welcome")
    await late.sees(room, "welcome")
    assert set(late.undecryptable(room)) == {early}
    assert all(session for session in late.undecryptable(room).values())

    await ana.kick(room, late.user_id)
    await ana.sees(room, lambda e: e.get("state_key") == late.user_id and e["content"]["membership"] == "leave")
    after = await ana.say(room, "among us")
    await bo.sees(room, "among us")
    sealed = await ana.request("GET", f"/_matrix/client/v3/rooms/{room}/event/{after}")
    assert late.device.reveal(room, sealed) == sealed
    assert bo.device.reveal(room, sealed)["content"]["body"] == "among us"


@pytest.mark.parametrize(("visibility", "readable"), [("joined", False), ("shared", True)])
async def test_an_invited_person_gets_keys_only_where_history_is_for_the_invited(
    person: PersonFactory, visibility: str, readable: bool
) -> None:
    ana, bo, carl = await person("ana"), await person("bo"), await person("carl")
    room = await _room(ana, bo, visibility=visibility)
    await ana.invite(room, carl.user_id)
    await carl.invited_to(lambda invite: invite.room_id == room)
    await ana.sees(room, lambda e: e.get("state_key") == carl.user_id)
    said = await ana.say(room, "before")
    await bo.sees(room, "before")
    sealed = await ana.request("GET", f"/_matrix/client/v3/rooms/{room}/event/{said}")
    await carl.join(room)
    await ana.sees_join(room, carl.user_id)
    await ana.say(room, "and now")
    await carl.sees(room, "and now")
    assert ("encrypted" in carl.device.reveal(room, sealed)) == readable


async def test_a_message_whose_key_comes_late_is_seen_in_its_place_then(person: PersonFactory) -> None:
    ana, bo, carl = await person("ana"), await person("bo"), await person("carl")
    room = await _room(ana, bo, carl)
    async with ana.keys_held_back():
        first = await ana.say(room, "first")
        second = await ana.say(room, "second")
        await bo.sees_that(lambda: set(bo.undecryptable(room)) == {first, second})
        assert len(set(bo.undecryptable(room).values())) == 1
        with pytest.raises(AssertionError, match=r"m\.room\.encrypted"):
            await bo.sees(room, "first", timeout=0.1)
    assert (await bo.sees(room, "first"))["event_id"] == first
    assert [e["event_id"] for e in bo.new_messages(room, ana.user_id)] == [first, second]
    assert bo.undecryptable(room) == {}

    async with ana.keys_held_back(bo.user_id, release=False):
        third = await ana.say(room, "not for bo")
        await carl.sees(room, "not for bo")
    await ana.say(room, "for all")
    await bo.sees(room, "for all")
    assert set(bo.undecryptable(room)) == {third}


async def test_each_device_of_a_person_has_its_own_keys(person: PersonFactory) -> None:
    ana, bo = await person("ana"), await person("bo")
    room = await _room(ana, bo)
    before = await ana.say(room, "one device")
    await bo.sees(room, "one device")
    phone = await bo.another_device()
    assert (phone.user_id, phone.client.device_id == bo.client.device_id) == (bo.user_id, False)
    assert set(phone.undecryptable(room)) == {before}
    await ana.sees_that(lambda: _devices(ana, bo) == 2)
    await ana.say(room, "two devices")
    for device in (bo, phone):
        await device.sees(room, "two devices")
    await phone.say(room, "typed on the phone")
    for client in (ana, bo):
        assert (await client.sees(room, "typed on the phone"))["sender"] == bo.user_id

    await phone.log_out()
    await ana.sees_that(lambda: _devices(ana, bo) == 1)
    await ana.say(room, "one again")
    await bo.sees(room, "one again")
    with pytest.raises(MatrixError, match="M_UNKNOWN_TOKEN"):
        await phone.say(room, "still here?")


async def test_cross_signing_makes_the_devices_that_are_there_signed_ones(person: PersonFactory) -> None:
    ana, bo = await person("ana"), await person("bo")
    tablet = await ana.another_device()
    await ana.cross_sign()
    phone = await ana.another_device()
    room = await _room(ana, bo)
    known = await bo.request("POST", "/_matrix/client/v3/keys/query", {"device_keys": {ana.user_id: []}})
    own = known["self_signing_keys"][ana.user_id]
    (master,) = known["master_keys"][ana.user_id]["keys"]
    assert master in own["signatures"][ana.user_id]
    signed = {device_id for device_id, keys in known["device_keys"][ana.user_id].items() if _signed(keys, own)}
    assert signed == {ana.client.device_id, tablet.client.device_id}
    assert phone.client.device_id in known["device_keys"][ana.user_id]

    await bo.say(room, "for all of them")
    for device in (ana, tablet, phone):
        await device.sees(room, "for all of them")


async def test_a_room_that_becomes_encrypted_is_so_for_everybody_and_clear_text_shows(person: PersonFactory) -> None:
    ana, bo = await person("ana"), await person("bo")
    room = await ana.create_direct(bo.user_id, joined_within=None, encrypted=False)
    await bo.join(room)
    await ana.sees_join(room, bo.user_id)
    await ana.say(room, "open")
    assert "encrypted" not in await bo.sees(room, "open")
    await ana.turn_on_encryption(room)
    await bo.sees(room, lambda e: e["type"] == "m.room.encryption")
    await bo.say(room, "closed")
    assert (await ana.sees(room, "closed"))["encrypted"]
    slip = await bo.say(room, "slip", clear=True)
    assert "encrypted" not in await ana.sees(room, "slip")
    assert [e["event_id"] for e in ana.sent_in_clear(room, bo.user_id)] == [slip]


async def test_the_first_message_into_a_room_just_made_is_encrypted_already(person: PersonFactory) -> None:
    ana = await person("ana")
    room = await ana.create_room(initial_state=[ENCRYPTED])
    said = await ana.say(room, "to myself")
    assert (await ana.sees(room, lambda e: e["event_id"] == said))["encrypted"]


def _devices(viewer: Person, of: Person) -> int:
    """How many devices of a person the viewer would encrypt for."""
    return len(list(viewer.client.device_store.active_user_devices(of.user_id)))


def _signed(device_keys: dict[str, Any], self_signing: dict[str, Any]) -> bool:
    """Whether the self-signing key's name is on a device; the homeserver has checked the signature."""
    return bool(set(self_signing["keys"]) & set(*device_keys["signatures"].values()))
