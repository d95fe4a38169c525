"""Files in rooms: stored encrypted where the room is."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from appservice.domain.attachment import FileKey
from appservice.matrix.attachments import WrongFile, decrypt, encrypt, image_type
from appservice.matrix.chart import Picture
from appservice.matrix.homeserver import Homeserver, HomeserverError
from appservice.wire.attachment import format_file, parse_address, parse_file

MOST_BYTES = 20 * 1024 * 1024
"""Of a picture that has to be stored anew."""
_WAITS = (0, 401, 408, 425, 429)
"""Statuses of errors that are our homeserver's and pass; of any other, cards do not wait for a picture."""

IsEncrypted = Callable[[str], Awaitable[bool]]


class NoPicture(Exception):
    """A picture cannot be shown; the text is a code that says why."""


class Files:
    """What is stored on the homeserver for a room."""

    def __init__(self, homeserver: Homeserver, is_encrypted: IsEncrypted) -> None:
        self._homeserver = homeserver
        self._is_encrypted = is_encrypted

    async def attached(self, room_id: str, name: str, mimetype: str, data: bytes, body: str) -> dict[str, Any]:
        """Store a file, and give the message that shows it; a repeat stores it again. Raises HomeserverError."""
        stored = await self._stored(name, mimetype, data, encrypted=await self._is_encrypted(room_id))
        info = {"mimetype": mimetype, "size": len(data)}
        return {"msgtype": "m.file", "body": body, "filename": name, "info": info, "m.mentions": {}, **stored}

    async def shown(self, room_id: str, name: str, picture: Picture, body: str) -> dict[str, Any]:
        """Store a picture of our own, and give the message that shows it; a repeat stores it again. Raises
        HomeserverError."""
        stored = await self._stored(name, picture.mimetype, picture.data, encrypted=await self._is_encrypted(room_id))
        info = {"mimetype": picture.mimetype, "size": len(picture.data), "w": picture.width, "h": picture.height}
        return {"msgtype": "m.image", "body": body, "filename": name, "info": info, "m.mentions": {}, **stored}

    async def pictured(self, room_id: str, image: Mapping[str, Any]) -> dict[str, Any]:
        """Give the content of an `m.image` as it fits the room: a picture that is encrypted and the room is not, or
        the reverse, is stored anew. Raises NoPicture, or HomeserverError for what passes."""
        encrypted = await self._is_encrypted(room_id)
        if encrypted == ("file" in image):
            return dict(image)
        try:
            data = await self._read(image)
            mimetype = image_type(data)
            if mimetype is None:
                raise NoPicture("NO_IMAGE")
            stored = await self._stored(image["body"], mimetype, data, encrypted=encrypted)
        except HomeserverError as error:
            if error.status in _WAITS:
                raise
            raise NoPicture(error.errcode) from error
        rest = {key: value for key, value in image.items() if key not in ("url", "file")}
        return rest | {"info": {**image["info"], "mimetype": mimetype, "size": len(data)}} | stored

    async def _read(self, image: Mapping[str, Any]) -> bytes:
        url, key = _place(image)
        data = await self._homeserver.download(url, MOST_BYTES)
        try:
            return decrypt(data, key) if key else data
        except WrongFile as error:
            raise NoPicture("WRONG_FILE") from error

    async def _stored(self, name: str, mimetype: str, data: bytes, *, encrypted: bool) -> dict[str, Any]:
        """Give the key of a message that leads to a file. The homeserver is told neither name nor type of an encrypted
        one."""
        if not encrypted:
            return {"url": await self._homeserver.upload(mimetype, data, name)}
        hidden, key = encrypt(data)
        return {"file": format_file(await self._homeserver.upload("application/octet-stream", hidden), key)}


def _place(image: Mapping[str, Any]) -> tuple[str, FileKey | None]:
    url = parse_address(image)
    found = parse_file(image["file"]) if "file" in image else url and (url, None)
    if not found:
        raise NoPicture("NO_FILE")
    return found
