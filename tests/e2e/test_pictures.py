"""A product with a picture: the command is a reply to the image, in the group or in the desk."""

from __future__ import annotations

import struct
import zlib

import pytest

from tests.harness.circle import PRODUCT, CircleFactory


def _png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("place", ["group", "desk"])
async def test_a_reply_to_an_image_posts_the_product_with_that_picture(circle: CircleFactory, place: str) -> None:
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    room = here.group if place == "group" else here.desk
    picture = await ben.send_image(room, _png(30, 20), name="throw.png")
    posted = (await ben.sees(room, lambda e: e["event_id"] == picture))["content"]
    await ben.say(room, '!product add "Merino throw" 89.00 https://shop.example/throw', reply_to=picture)

    card = await ana.sees(here.group, lambda e: PRODUCT in e["content"])
    shown = ana.new_messages(here.group, here.bot)
    assert [event["content"]["msgtype"] for event in shown] == ["m.image", "m.notice"]
    assert shown[1]["event_id"] == card["event_id"]
    image = shown[0]["content"]
    assert (image["body"], image["url"]) == ("Merino throw", posted["url"])
    assert (image["info"]["w"], image["info"]["h"], image["info"]["mimetype"]) == (30, 20, "image/png")


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
