"""The client-server API of our own homeserver, as the bot: thin, over mautrix's HTTPAPI."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from mautrix.api import HTTPAPI, MediaPath, Method, Path
from mautrix.client import Client
from mautrix.errors import MatrixConnectionError
from mautrix.types import DeviceID, UserID

from appservice.domain.ids import UserId
from appservice.matrix.body import read_json

_CRYPTO_ONLY = json.dumps(
    {"account_data": {"types": []}, "presence": {"types": []}, "room": {"rooms": []}}, separators=(",", ":")
)
_PAGE = 100
_MOST_PAGES = 50
_CHUNK = 64 * 1024
_FETCH_TIMEOUT = aiohttp.ClientTimeout(total=20)
"""A file may be on another server, and a room waits for it."""
_MXC = re.compile(r"mxc://([A-Za-z0-9][A-Za-z0-9.:-]*|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?)/([A-Za-z0-9_-]+)")


class HomeserverError(Exception):
    """The homeserver refused, or could not be reached (status 0). `retry_after_ms` is what it asked for on a 429."""

    def __init__(self, status: int, errcode: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{status} {errcode}: {message}")
        self.status = status
        self.errcode = errcode
        self.retry_after_ms = retry_after_ms

    @property
    def is_temporary(self) -> bool:
        """Tell whether the same request may succeed later: unreachable, overloaded, or our token not yet known."""
        return self.status in (0, 401, 408, 425, 429) or self.status >= 500


class DirectRoomLost(HomeserverError):
    """The bot may not speak in a person's direct room: they have muted or banned it there."""

    def __init__(self, user_id: str, room_id: str, error: HomeserverError) -> None:
        super().__init__(error.status, error.errcode, "the bot may not speak in the direct room")
        self.user_id, self.room_id = user_id, room_id


class _Api(HTTPAPI):
    """mautrix's API, but every failure is a HomeserverError, which keeps what the homeserver said of waiting."""

    async def request(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().request(*args, **kwargs)
        except (MatrixConnectionError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise HomeserverError(0, "UNREACHABLE", type(error).__name__) from error

    async def _send(self, method: Any, url: Any, content: Any, query_params: Any, headers: Any) -> Any:
        request = self.session.request(str(method), url, data=content, params=query_params, headers=headers)
        async with request as response:
            raw = await response.read()
            try:
                body = read_json(raw)
            except RecursionError:
                body = read_json(raw, shallow=True)  # of a state event that somebody else has made
            except ValueError:
                body = None
            expected = list if url.path.endswith("/state") else dict
            if 200 <= response.status < 300 and isinstance(body, expected):
                return body, response
            raise _error(response, body)

    async def fetch(self, path: Any, most: int) -> bytes:
        """Give what is at a path, unless it has more than `most` bytes."""
        url = self.base_url.with_path(self._full_path(path), encoded=True)
        headers = {"Authorization": f"Bearer {self.token}"}
        query = {"user_id": str(self.as_user_id), "timeout_ms": "10000"}
        request = self.session.get(url, params=query, headers=headers, timeout=_FETCH_TIMEOUT)
        found = bytearray()
        async with request as response:
            async for chunk in response.content.iter_chunked(_CHUNK):
                found += chunk
                if len(found) > most:
                    raise HomeserverError(413, "M_TOO_LARGE", "the file is too large")
            if response.status != 200:
                raise _error(response, _read_error(bytes(found)))
        return bytes(found)


def _read_error(raw: bytes) -> object:
    try:
        return read_json(raw, shallow=True)
    except ValueError:
        return None


def _error(response: aiohttp.ClientResponse, body: object) -> HomeserverError:
    said: Mapping[str, Any] = body if isinstance(body, dict) else {}
    after = said.get("retry_after_ms")
    header = response.headers.get("Retry-After", "")
    if not isinstance(after, int):
        after = int(header) * 1000 if header.isdigit() else None
    status = response.status if response.status >= 300 else 502  # a 200 that is not JSON is a broken proxy
    return HomeserverError(status, str(said.get("errcode", "M_UNKNOWN")), str(said.get("error", ""))[:200], after)


def _sent_at(event: Mapping[str, Any]) -> int:
    sent_at = event.get("origin_server_ts")
    return sent_at if isinstance(sent_at, int) else 0


class Homeserver:
    """Requests as the bot, from its device, so that Synapse remembers transaction ids across its restart."""

    def __init__(self, session: aiohttp.ClientSession, address: str, token: str, bot: UserId) -> None:
        self.bot = bot
        self._api = _Api(address, token, client_session=session, as_user_id=UserID(bot))

    async def _call(
        self, method: Method, path: Any, content: Any = None, query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None, *, secret: bool = False,
    ) -> Any:  # fmt: skip
        """Ask for a JSON object (for the whole state of a room: a list). What is `secret` is never logged."""
        return await self._api.request(method, path, content, headers, query_params=query, sensitive=secret)

    def client(self) -> Client:
        """Give mautrix's client for the bot, for its crypto; its failures are HomeserverErrors too."""
        return Client(UserID(self.bot), api=self._api)

    async def prepare(self, localpart: str, displayname: str) -> None:
        """Make sure that the bot's account exists, with its name."""
        self._api.as_device_id = None
        body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self._call(Method.POST, Path.v3.register, body)
        except HomeserverError as error:
            if error.errcode != "M_USER_IN_USE":
                raise
        profile = Path.v3.profile[self.bot].displayname
        if (await self._profile_name()) != displayname:
            await self._call(Method.PUT, profile, {"displayname": displayname})

    async def make_device(self, device_id: str) -> None:
        """Make sure that a device of the bot exists, and be it from now on (MSC4190: no login)."""
        self._api.as_device_id = None
        await self._call(Method.PUT, Path.v3.devices[device_id], {"display_name": "Coterie"})
        self._api.as_device_id = DeviceID(device_id)

    async def drop_devices(self, is_old: Callable[[str], bool]) -> None:
        """Remove devices of the bot, so that nobody sends them keys any more."""
        for device in (await self._call(Method.GET, Path.v3.devices))["devices"]:
            if is_old(str(device["device_id"])):
                await self._call(Method.DELETE, Path.v3.devices[str(device["device_id"])], {})

    async def own_keys(self) -> dict[str, Any]:
        """Give what the homeserver tells everybody of the keys of the bot: the answer to /keys/query."""
        answer: dict[str, Any] = await self._call(Method.POST, Path.v3.keys.query, {"device_keys": {self.bot: []}})
        return answer

    async def upload_keys(self, keys: Mapping[str, Any]) -> dict[str, Any]:
        """Upload keys of the bot's device; gives how many one-time keys there are."""
        answer: dict[str, Any] = await self._call(Method.POST, Path.v3.keys.upload, keys)
        return answer

    async def account_data(self, type: str) -> dict[str, Any]:
        """Give something that the homeserver keeps for the bot; empty where there is nothing."""
        try:
            answer: dict[str, Any] = await self._call(Method.GET, Path.v3.user[self.bot].account_data[type])
            return answer
        except HomeserverError as error:
            if error.status == 404:
                return {}
            raise

    async def set_account_data(self, type: str, content: Mapping[str, Any]) -> None:
        """Have the homeserver keep something for the bot."""
        await self._call(Method.PUT, Path.v3.user[self.bot].account_data[type], content)

    async def sync(self, since: str, wait_s: int) -> dict[str, Any]:
        """Give what was sent to the bot's device after a token ("": whatever waits), waiting for it for a while."""
        query = {"filter": _CRYPTO_ONLY, "timeout": str(wait_s * 1000), "set_presence": "offline"}
        query |= {"since": since} if since else {}
        answer: dict[str, Any] = await self._call(Method.GET, Path.v3.sync, query=query)
        return answer

    async def _profile_name(self) -> str | None:
        try:
            answer = await self._call(Method.GET, Path.v3.profile[self.bot].displayname)
        except HomeserverError as error:
            if error.status == 404:
                return None
            raise
        name = answer.get("displayname")
        return name if isinstance(name, str) else None

    async def is_unknown(self, user_id: str) -> bool:
        """Tell whether a homeserver says that it has no such account; Synapse invites those without a word. False
        where that cannot be told."""
        try:
            await self._call(Method.GET, Path.v3.profile[user_id])
        except HomeserverError as error:
            return error.status == 404
        return False

    async def versions(self) -> dict[str, Any]:
        """Give what the homeserver says of itself."""
        answer: dict[str, Any] = await self._call(Method.GET, Path.versions)
        return answer

    async def ping(self, appservice_id: str) -> None:
        """Have the homeserver reach us; this also makes it deliver at once what it has waiting."""
        await self._call(Method.POST, Path.v1.appservice[appservice_id].ping, {})

    async def send(
        self, room_id: str, type: str, content: Mapping[str, Any], txn_id: str, *, secret: bool = False
    ) -> str:
        """Send a message-like event; the same transaction id gives the same event."""
        path = Path.v3.rooms[room_id].send[type][txn_id]
        answer = await self._call(Method.PUT, path, content, secret=secret)
        return str(answer["event_id"])

    async def set_state(self, room_id: str, type: str, state_key: str, content: Mapping[str, Any]) -> str:
        """Set a state event."""
        path = Path.v3.rooms[room_id].state[type]
        answer = await self._call(Method.PUT, path[state_key] if state_key else path, content)
        return str(answer["event_id"])

    async def state(self, room_id: str, type: str, state_key: str = "") -> dict[str, Any]:
        """Give the content of a state event; empty where there is none."""
        path = Path.v3.rooms[room_id].state[type]
        try:
            content: dict[str, Any] = await self._call(Method.GET, path[state_key] if state_key else path)
            return content
        except HomeserverError as error:
            if error.errcode == "M_NOT_FOUND":
                return {}
            raise

    async def whole_state(self, room_id: str) -> list[dict[str, Any]]:
        """Give the state events of a room."""
        return list(await self._call(Method.GET, Path.v3.rooms[room_id].state))

    async def aliases(self, room_id: str) -> list[str]:
        """Give the aliases of a room at our homeserver; other servers' cannot be seen."""
        return [str(alias) for alias in (await self._call(Method.GET, Path.v3.rooms[room_id].aliases))["aliases"]]

    async def remove_alias(self, alias: str) -> None:
        """Remove an alias."""
        await self._call(Method.DELETE, Path.v3.directory.room[alias])

    async def is_listed(self, room_id: str) -> bool:
        """Tell whether a room stands in our homeserver's directory."""
        answer = await self._call(Method.GET, Path.v3.directory.list.room[room_id])
        return bool(answer.get("visibility") == "public")

    async def unlist(self, room_id: str) -> None:
        """Take a room out of our homeserver's directory."""
        await self._call(Method.PUT, Path.v3.directory.list.room[room_id], {"visibility": "private"})

    async def upload(self, mimetype: str, data: bytes, name: str | None = None) -> str:
        """Store a file and give its `mxc:` address."""
        headers = {"Content-Type": mimetype}
        answer = await self._call(Method.POST, MediaPath.v3.upload, data, {"filename": name}, headers)
        return str(answer["content_uri"])

    async def download(self, address: str, most: int) -> bytes:
        """Give the file at an `mxc:` address. Raises HomeserverError: of status 413 where it has more than `most`
        bytes, 504 where it took too long."""
        found = _MXC.fullmatch(address)
        if found is None:
            raise HomeserverError(400, "M_INVALID_PARAM", "that is no address of a file")
        try:
            return await self._api.fetch(Path.v1.media.download[found[1]][found[2]], most)
        except TimeoutError as error:
            raise HomeserverError(504, "TIMEOUT", "the file did not come") from error
        except (aiohttp.ClientError, OSError) as error:
            raise HomeserverError(0, "UNREACHABLE", type(error).__name__) from error

    async def redact(self, room_id: str, event_id: str, reason: str | None, txn_id: str) -> None:
        """Remove an event."""
        body = {"reason": reason} if reason else {}
        await self._call(Method.PUT, Path.v3.rooms[room_id].redact[event_id][txn_id], body)

    async def create_room(self, request: Mapping[str, Any]) -> str:
        """Make a room and give its id."""
        return str((await self._call(Method.POST, Path.v3.createRoom, request))["room_id"])

    async def joined_rooms(self) -> list[str]:
        """Give the rooms that the bot is in."""
        return [str(room) for room in (await self._call(Method.GET, Path.v3.joined_rooms))["joined_rooms"]]

    async def members(self, room_id: str) -> dict[str, str]:
        """Give who is joined to or invited into a room, as user id → membership."""
        answer = await self._call(Method.GET, Path.v3.rooms[room_id].members)
        pairs = ((e.get("state_key"), (e.get("content") or {}).get("membership")) for e in answer["chunk"])
        return {str(user): str(standing) for user, standing in pairs if standing in ("join", "invite")}

    async def joined(self, room_id: str) -> list[str]:
        """Give who is in a room."""
        return [str(user) for user in (await self._call(Method.GET, Path.v3.rooms[room_id].joined_members))["joined"]]

    async def invite(self, room_id: str, user_id: str) -> None:
        """Invite a person."""
        await self._call(Method.POST, Path.v3.rooms[room_id].invite, {"user_id": user_id})

    async def kick(self, room_id: str, user_id: str, reason: str) -> None:
        """Remove a person, or take an invitation back."""
        body = {"user_id": user_id, "reason": reason}
        await self._call(Method.POST, Path.v3.rooms[room_id].kick, body)

    async def join(self, room_id: str) -> None:
        """Join a room."""
        await self._call(Method.POST, Path.v3.rooms[room_id].join, {})

    async def leave(self, room_id: str) -> None:
        """Leave a room, or decline an invitation."""
        await self._call(Method.POST, Path.v3.rooms[room_id].leave, {})

    async def event(self, room_id: str, event_id: str) -> dict[str, Any]:
        """Give an event."""
        answer: dict[str, Any] = await self._call(Method.GET, Path.v3.rooms[room_id].event[event_id])
        return answer

    async def written_since(self, room_id: str, since: int) -> list[dict[str, Any]]:
        """Give the events that the bot may see in a room and that are of a time (ms, by their senders' clocks) or
        newer, oldest first; of the newest thousands."""
        found: list[dict[str, Any]] = []
        query = {"dir": "b", "limit": str(_PAGE)}
        for _ in range(_MOST_PAGES):
            answer = await self._call(Method.GET, Path.v3.rooms[room_id].messages, query=query)
            newer = [event for event in answer["chunk"] if _sent_at(event) >= since]
            found += newer
            if not newer or "end" not in answer:
                break
            query |= {"from": str(answer["end"])}
        return found[::-1]

    async def recent(self, room_id: str, limit: int) -> list[dict[str, Any]]:
        """Give the newest events that the bot may see in a room, oldest first."""
        query = {"dir": "b", "limit": str(limit)}
        answer = await self._call(Method.GET, Path.v3.rooms[room_id].messages, query=query)
        return list(reversed(answer["chunk"]))
