"""Files on the homeserver: encrypted where the room is, stored anew where a picture is of the other kind."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import aiohttp
import pytest
from nio.crypto.attachments import decrypt_attachment, encrypt_attachment

from appservice.domain.ids import UserId
from appservice.matrix import files as module
from appservice.matrix import homeserver as homeserver_module
from appservice.matrix.files import Files, NoPicture
from appservice.matrix.homeserver import Homeserver, HomeserverError
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_faults import Fault
from tests.flows.homeserver_people import Person
from tests.flows.journey import THROW, Journey
from tests.flows.service import HOUR, Service

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
LOCKED, OPEN = "!locked", "!open"
WITHOUT = (
    "Merino throw was posted without its picture: the file is gone, larger than 20 MB, or no image I know. "
    "Post the picture yourself if it matters."
)


@pytest.fixture
async def homeserver(hs: FakeHomeserver) -> AsyncIterator[Homeserver]:
    async with aiohttp.ClientSession() as session:
        found = Homeserver(session, hs.url, hs.as_token, UserId(hs.bot))
        await found.prepare("coterie", "Coterie")
        yield found


@pytest.fixture
def files(homeserver: Homeserver) -> Files:
    """Files of two rooms, of which one is encrypted."""

    async def is_encrypted(room_id: str) -> bool:
        return room_id == LOCKED

    return Files(homeserver, is_encrypted)


def stored(hs: FakeHomeserver, url: str) -> tuple[bytes, str]:
    return hs.world.media[url.rpartition("/")[2]]


def opened(hs: FakeHomeserver, file: dict[str, Any]) -> bytes:
    """What another client sees in an encrypted file."""
    found: bytes = decrypt_attachment(
        stored(hs, file["url"])[0], file["key"]["k"], file["hashes"]["sha256"], file["iv"]
    )
    return found


def locked(hs: FakeHomeserver, data: bytes = PNG) -> dict[str, Any]:
    """`file` of a picture that another client has encrypted and stored."""
    hidden, file = encrypt_attachment(data)
    return {**file, "url": hs.world.store_media(hidden, "application/octet-stream")}


def image(**where: object) -> dict[str, Any]:
    info = {"w": 640, "mimetype": "image/x-claimed", "size": 1}
    return {"msgtype": "m.image", "body": "Merino throw", "info": info, "m.mentions": {}, **where}


def uploads(hs: FakeHomeserver) -> list[str]:
    return [request.path for request in hs.requests("POST .*/media/.*upload")]


async def test_a_file_is_stored_as_it_is_in_a_room_that_is_not_encrypted(hs: FakeHomeserver, files: Files) -> None:
    said = await files.attached(OPEN, "orders.csv", "text/csv", b"alias,units", "Orders")
    assert stored(hs, said.pop("url")) == (b"alias,units", "text/csv")
    assert said == {
        "msgtype": "m.file",
        "body": "Orders",
        "filename": "orders.csv",
        "info": {"mimetype": "text/csv", "size": 11},
        "m.mentions": {},
    }


async def test_in_an_encrypted_room_the_homeserver_learns_neither_name_nor_type_nor_words(
    hs: FakeHomeserver, files: Files
) -> None:
    said = await files.attached(LOCKED, "orders.csv", "text/csv", b"alias,units", "Orders")
    assert "url" not in said and said["info"] == {"mimetype": "text/csv", "size": 11}
    data, mimetype = stored(hs, said["file"]["url"])
    assert mimetype == "application/octet-stream" and data != b"alias,units"
    assert opened(hs, said["file"]) == b"alias,units"
    [request] = hs.requests("POST .*/media/.*upload")
    assert "orders" not in repr(request)


async def test_a_picture_that_fits_the_room_is_neither_read_nor_stored_again(hs: FakeHomeserver, files: Files) -> None:
    for room_id, shown in ((OPEN, image(url="mxc://fake.test/x")), (LOCKED, image(file=locked(hs)))):
        assert await files.pictured(room_id, shown) == shown
    assert hs.requests(".*media.*") == []


async def test_a_picture_is_encrypted_for_an_encrypted_room(hs: FakeHomeserver, files: Files) -> None:
    said = await files.pictured(LOCKED, image(url=hs.world.store_media(PNG, "image/png")))
    assert opened(hs, said.pop("file")) == PNG
    assert said == image() | {"info": {"w": 640, "mimetype": "image/png", "size": len(PNG)}}


async def test_an_encrypted_picture_is_opened_for_a_room_that_is_not(hs: FakeHomeserver, files: Files) -> None:
    said = await files.pictured(OPEN, image(file=locked(hs)))
    assert stored(hs, said.pop("url")) == (PNG, "image/png")
    assert said == image() | {"info": {"w": 640, "mimetype": "image/png", "size": len(PNG)}}


async def test_what_is_no_picture_is_not_stored_anew(
    hs: FakeHomeserver, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 300)
    hidden = locked(hs)
    changed = hidden | {"url": hs.world.store_media(b"another file", "application/octet-stream")}
    wrong = {
        "WRONG_FILE": (OPEN, image(file=changed)),
        "NO_IMAGE": (OPEN, image(file=hidden | {"key": {**hidden["key"], "k": "A" * 43}})),
        "NO_FILE": (OPEN, image(file=hidden | {"v": "v1"})),
        "M_NOT_FOUND": (OPEN, image(file=hidden | {"url": "mxc://fake.test/gone"})),
        "M_TOO_LARGE": (LOCKED, image(url=hs.world.store_media(PNG + bytes(100), "image/png"))),
    }
    scripted = image(url=hs.world.store_media(b"<svg onload='x()'/>", "image/svg+xml"))
    strange = image(file=hidden | {"url": "mxc://fake.test/../../../versions"})
    for code, (room_id, shown) in [*wrong.items(), ("NO_IMAGE", (LOCKED, scripted)), ("NO_FILE", (OPEN, strange))]:
        with pytest.raises(NoPicture, match=f"^{code}$"):
            await files.pictured(room_id, shown)
    assert uploads(hs) == []


@pytest.mark.parametrize(
    ("fault", "request_to"),
    [
        *product((Fault.ERROR_500, Fault.ERROR_502, Fault.TIMEOUT), ("GET .*/download", "POST .*/media/.*upload")),
        (Fault.HANG, "GET .*/download"),
    ],
)
async def test_a_picture_is_not_waited_for_when_the_homeserver_cannot_give_or_take_it(
    hs: FakeHomeserver, files: Files, fault: Fault, request_to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homeserver_module, "_FETCH_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    hs.faults.on_request(fault, match=request_to)
    with pytest.raises(NoPicture):
        await files.pictured(OPEN, image(file=locked(hs)))


async def test_a_picture_is_waited_for_as_the_homeserver_asks(hs: FakeHomeserver, files: Files) -> None:
    hs.faults.on_request(Fault.ERROR_429, match="GET .*/download")
    with pytest.raises(HomeserverError) as asked:
        await files.pictured(OPEN, image(file=locked(hs)))
    assert asked.value.status == 429 and asked.value.retry_after_ms is not None


async def test_a_picture_is_waited_for_while_the_homeserver_is_away(hs: FakeHomeserver, files: Files) -> None:
    shown = image(file=locked(hs))
    hs.go_down()
    with pytest.raises(HomeserverError) as away:
        await files.pictured(OPEN, shown)
    assert away.value.status == 0
    hs.come_up()
    assert stored(hs, (await files.pictured(OPEN, shown))["url"])[0] == PNG


async def test_no_more_than_the_limit_is_read_of_a_file(hs: FakeHomeserver, homeserver: Homeserver) -> None:
    large = hs.world.store_media(bytes(1_000_000), "image/png")
    assert len(await homeserver.download(large, 1_000_000)) == 1_000_000
    with pytest.raises(HomeserverError) as refused:
        await homeserver.download(large, 999_999)
    assert refused.value.status == 413


# What becomes of a product


def post_locked(hs: FakeHomeserver, ben: Person, room_id: str, file: dict[str, Any]) -> str:
    return ben.say(room_id, "throw.png", msgtype="m.image", file=file, info={"w": 640, "h": 480})


async def test_an_encrypted_picture_is_shown_in_a_group_that_is_not_encrypted(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("coterie", "mau"):
        caplog.set_level(logging.DEBUG, name)
    file = locked(hs)
    reply_to = post_locked(hs, circle.ben, await circle.direct(circle.ben), file)
    await circle.tell(circle.ben, THROW, reply_to=reply_to)
    shown, card = circle.room.messages(hs.bot)
    assert stored(hs, shown.content["url"]) == (PNG, "image/png") and "file" not in shown.content
    assert shown.content["info"] == {"w": 640, "h": 480, "mimetype": "image/png", "size": len(PNG)}
    assert card.body.startswith("Merino throw\n")
    [row] = await service.rows("SELECT picture FROM product")
    assert file["key"]["k"] in row["picture"]
    for table in ("effect", "arrival"):  # what is done is forgotten
        rows = await service.rows(f"SELECT content FROM {table} WHERE content IS NOT NULL")
        assert [row for row in rows if file["key"]["k"] in row["content"]] == []
    assert file["key"]["k"] not in caplog.text


async def test_a_repeat_stores_the_picture_again_and_sends_it_once(circle: Journey, hs: FakeHomeserver) -> None:
    reply_to = post_locked(hs, circle.ben, circle.group, locked(hs))
    hs.faults.on_request(Fault.ANSWER_LOST, match=f"PUT .*{re.escape(circle.group)}/send/m.room.message")
    await circle.say(circle.ben, THROW, reply_to=reply_to)
    await circle.days(0.01)
    kinds = [event.content["msgtype"] for event in circle.room.messages(hs.bot)]
    assert kinds == ["m.image", "m.notice"] and len(uploads(hs)) == 2


async def test_a_picture_that_is_gone_is_left_out_and_who_posted_the_product_is_told(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    file = locked(hs)
    reply_to = post_locked(hs, circle.ben, circle.group, file)
    hs.world.media.clear()
    await circle.say(circle.ben, THROW, reply_to=reply_to)
    assert [event.content["msgtype"] for event in circle.room.messages(hs.bot)] == ["m.notice"]
    assert circle.told(circle.ben)[-1] == WITHOUT
    assert await service.rows("SELECT id FROM effect WHERE status = 'parked'") == []


async def test_who_has_left_the_group_is_told_nothing_of_the_picture(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await circle.say(circle.ben, THROW, reply_to=post_locked(hs, circle.ben, circle.group, locked(hs)))
    await service.wait(2 * HOUR)
    circle.ben.leave(circle.group)
    await circle.rest()
    hs.world.media.clear()
    told = len(hs.direct_messages(circle.ben))
    await circle.say(circle.rosa, "!buy open merino-throw 10:79 until friday 18:00")
    kinds = [event.content["msgtype"] for event in circle.room.messages(hs.bot)]
    assert kinds[-1] == "m.notice" and kinds.count("m.image") == 1
    assert len(hs.direct_messages(circle.ben)) == told


async def test_the_picture_of_a_message_with_the_key_may_be_encrypted(circle: Journey, hs: FakeHomeserver) -> None:
    value = {"name": "Merino throw", "sku": "throw", "url": "https://shop.example/throw", "price": 8900,
             "priceCurrency": "EUR", "exponent": 2, "version": 1}  # fmt: skip
    circle.ben.say(circle.desk, "throw", msgtype="m.image", file=locked(hs), **{"shop.coterie.product": value})
    await circle.rest()
    shown, _ = circle.room.messages(hs.bot)
    assert re.fullmatch(r"mxc://fake\.test/\w+", shown.content["url"])
    assert stored(hs, shown.content["url"])[0] == PNG
