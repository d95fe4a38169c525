"""A product with a picture: the command is a reply to the image, in the group or in the desk."""

from __future__ import annotations

import struct
import zlib

import pytest

from tests.harness.circle import PRODUCT, Circle, CircleFactory
from tests.harness.person import Event, Person

THROW = '!product add "Merino throw" 89.00 https://shop.example/throw'


def _png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("place", "encrypted"), [("group", True), ("desk", True), ("group", False)])
async def test_a_reply_to_an_image_posts_the_product_with_that_picture(
    circle: CircleFactory, place: str, encrypted: bool
) -> None:
    here = await circle(["ben"], ["ana"], encrypted=encrypted)
    ben, ana = here
    room = here.group if place == "group" else here.desk
    picture = await ben.send_image(room, _png(30, 20), name="throw.png")
    posted = (await ben.sees(room, lambda e: e["event_id"] == picture))["content"]
    await ben.say(room, THROW, reply_to=picture)

    card = await ana.sees(here.group, lambda e: PRODUCT in e["content"])
    shown = ana.new_messages(here.group, here.bot)
    assert [event["content"]["msgtype"] for event in shown] == ["m.image", "m.notice"]
    assert shown[1]["event_id"] == card["event_id"]
    image = shown[0]["content"]
    where = "file" if encrypted else "url"
    assert (image["body"], image[where]) == ("Merino throw", posted[where])
    assert shown[0].get("encrypted", False) is encrypted and await ana.attachment(image) == _png(30, 20)
    assert (image["info"]["w"], image["info"]["h"], image["info"]["mimetype"]) == (30, 20, "image/png")
    if encrypted:
        assert posted["file"]["key"]["k"] not in here.service.log_tail(10_000)


async def test_a_reply_to_a_text_posts_the_product_without_a_picture_and_says_so(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    words = await ben.say(here.group, "Look, a throw!")
    await here.post_product(ben, '"Merino throw" 89.00 https://shop.example/throw', reply_to=words)
    told = await ben.direct_message_from(here.bot, "no picture")
    assert told["content"]["body"] == (
        "The message you replied to is no picture I can use, so the product was posted without one."
    )
    await ana.sees(here.group, "Merino throw\n€89.00")
    assert [e["content"]["msgtype"] for e in ana.new_messages(here.group, here.bot)] == ["m.notice"]


# Where rooms are encrypted


async def _shown(here: Circle, ana: Person) -> Event:
    """The picture that comes before the product's card, which comes in any case."""
    card = await ana.sees(here.group, lambda e: PRODUCT in e["content"])
    image, text = ana.new_messages(here.group, here.bot)
    assert text["event_id"] == card["event_id"] and image["content"]["msgtype"] == "m.image"
    assert here.errors() == [] and "left out" not in here.service.log_tail(10_000)
    return image


async def test_a_picture_that_was_sent_in_clear_is_encrypted_for_an_encrypted_group(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    direct = await ben.create_direct(here.bot, encrypted=False)
    await ben.say(direct, THROW, reply_to=await ben.send_image(direct, _png(30, 20), name="throw.png"))
    image = await _shown(here, ana)
    assert image["encrypted"] and "url" not in image["content"]
    assert await ana.download(image["content"]["file"]["url"]) != _png(30, 20)
    assert await ana.attachment(image["content"]) == _png(30, 20)


async def test_an_encrypted_picture_is_shown_in_a_group_that_is_not_encrypted(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana"], encrypted=False)
    ben, ana = here
    direct = await ben.create_direct(here.bot)
    await ben.say(direct, THROW, reply_to=await ben.send_image(direct, _png(30, 20), name="throw.png"))
    image = await _shown(here, ana)
    assert not image.get("encrypted") and await ana.download(image["content"]["url"]) == _png(30, 20)
    assert (image["content"]["info"]["w"], image["content"]["info"]["mimetype"]) == (30, "image/png")


async def test_a_file_for_a_member_is_encrypted_where_the_direct_room_is(circle: CircleFactory) -> None:
    here = await circle([], ["ana"])
    (ana,) = here
    direct = await ana.create_direct(here.bot)
    asked = await ana.say(direct, "!mydata")
    said = await ana.sees(direct, lambda e: e["content"].get("msgtype") == "m.file", after=asked)
    assert said["encrypted"] and "url" not in said["content"]
    assert "the Matrix account you wrote from" in (await ana.attachment(said["content"])).decode()
    assert b"account" not in await ana.download(said["content"]["file"]["url"])
