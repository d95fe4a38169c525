"""What `coterie check` finds out: does the homeserver know the service, does either hear the other?

Nothing here has effects: no user is made, no event sent, the database write is rolled back (of a new
SQLite database, an empty file stays). Every request and every database step has 5 seconds, and whatever goes
wrong is a finding, not an exception.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from appservice.config import Config
from appservice.matrix.check_database import database_findings
from appservice.matrix.finding import SECONDS, Finding, Verdict, in_words
from appservice.matrix.stand_in import stand_in

ROOM_VERSION = "12"
RESTART = "name coterie-registration.yaml in app_service_config_files and restart the homeserver"
RENEW = "put what coterie registration prints into coterie-registration.yaml and restart the homeserver"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the homeserver answered; status 0 and `trouble` if it did not."""

    status: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""

    @property
    def said(self) -> str:
        """The answer's error in a few words."""
        if not self.status:
            return self.trouble
        return " ".join(str(self.body.get(key, "")) for key in ("errcode", "error")).strip() or f"{self.status}"


@dataclass(frozen=True, slots=True)
class Door:
    """The homeserver's client API."""

    session: aiohttp.ClientSession
    config: Config

    async def open_get(self, path: str) -> Answer:
        """Ask without the token: with a wrong one Synapse answers 401 even to who asks for its versions."""
        return await self._ask("GET", path)

    async def get(self, path: str, **params: str) -> Answer:
        """Ask as the service, or as the user that `user_id` names."""
        return await self._ask("GET", path, params=params, headers=self._token())

    async def post(self, path: str, content: dict[str, Any]) -> Answer:
        """Send as the service."""
        return await self._ask("POST", path, json=content, headers=self._token())

    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.config.appservice.as_token}"}

    async def _ask(self, method: str, path: str, **options: Any) -> Answer:
        url = URL(self.config.homeserver.address + path, encoded=True)
        try:
            async with self.session.request(method, url, **options) as response:
                return Answer(response.status, _json_object(await response.read()))
        except TimeoutError:
            return Answer(trouble=f"no answer within {SECONDS} seconds")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(trouble=in_words(error))


async def findings(config: Config) -> AsyncIterator[Finding]:
    """Every check after the configuration's own, in the order in which mending makes sense."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        async for finding in _homeserver(Door(session, config)):
            yield finding
        if config.appservice.antispam_token is not None:
            yield await _antispam(session, config)
    async for finding in database_findings(config):
        yield finding


async def _homeserver(door: Door) -> AsyncIterator[Finding]:
    reachable = await _reachable(door)
    yield reachable
    if reachable.verdict is Verdict.BAD:
        for subject in ("token", "server name", "sender", "bot", "namespaces", "devices", "room version", "ping"):
            yield Finding(subject, Verdict.SKIPPED, "not checked: the homeserver comes first")
        return
    whoami = await door.get("/_matrix/client/v3/account/whoami")
    token = _token(door.config, whoami)
    yield token
    if token.verdict is Verdict.BAD:
        for subject in ("server name", "sender", "bot", "namespaces", "devices", "room version", "ping"):
            yield Finding(subject, Verdict.SKIPPED, "not checked: the token comes first")
        return
    sender, _, domain = str(whoami.body.get("user_id", "")).removeprefix("@").partition(":")
    named = _server_name(door.config, domain)
    yield named
    yield _sender(door.config, sender)
    if named.verdict is Verdict.BAD:
        for subject in ("bot", "namespaces"):
            yield Finding(subject, Verdict.SKIPPED, "not checked: the server name comes first")
    else:
        yield await _bot(door)
        yield await _namespaces(door)
    yield await _devices(door)
    yield await _room_version(door)
    yield await _ping(door)


async def _reachable(door: Door) -> Finding:
    address = door.config.homeserver.address
    versions = await door.open_get("/_matrix/client/versions")
    if versions.status != 200 or not isinstance(versions.body.get("versions"), list):
        says = f"{address} {versions.trouble or f'answers {versions.status}, not as a homeserver'}"
        return Finding("homeserver", Verdict.BAD, says, "start it, or correct homeserver.address")
    software = (await door.open_get("/_matrix/federation/v1/version")).body.get("server")
    if not isinstance(software, dict):  # that listener need not serve federation
        return Finding("homeserver", Verdict.GOOD, f"{address} answers; it does not tell its version")
    says = f"{address} answers: {software.get('name')} {software.get('version')}"
    return Finding("homeserver", Verdict.GOOD, says)


def _token(config: Config, whoami: Answer) -> Finding:
    if whoami.status == 200:
        return Finding("token", Verdict.GOOD, "the homeserver takes as_token")
    mend = f"make as_token the same in config and registration; {RESTART}"
    return Finding("token", Verdict.BAD, f"the homeserver refuses as_token: {whoami.said}", mend)


def _server_name(config: Config, domain: str) -> Finding:
    wanted = config.homeserver.domain
    if domain == wanted:
        return Finding("server name", Verdict.GOOD, f"{domain} on both sides")
    says = f"homeserver.domain is {wanted}, the homeserver calls itself {domain}"
    return Finding("server name", Verdict.BAD, says, f"set homeserver.domain to {domain}, then {RENEW}")


def _sender(config: Config, sender: str) -> Finding:
    if sender == config.sender_localpart:
        return Finding("sender", Verdict.GOOD, f"{sender} is not the bot")
    says = f"the registration's sender_localpart is {sender}, must be {config.sender_localpart}"
    if sender == config.appservice.bot_username:
        says += " (the bot as sender could not read encrypted rooms)"
    return Finding("sender", Verdict.BAD, says, RENEW)


async def _bot(door: Door) -> Finding:
    bot = door.config.bot_mxid
    answer = await door.get("/_matrix/client/v3/account/whoami", user_id=bot)
    if answer.status == 200:
        return Finding("bot", Verdict.GOOD, f"{bot} exists")
    if _is_own(answer):
        return Finding("bot", Verdict.GOOD, f"{bot} will be made at the first run")
    return Finding("bot", Verdict.BAD, f"the service may not act as {bot}: {answer.said}", RENEW)


async def _namespaces(door: Door) -> Finding:
    """The bot's other users are inside; somebody with a similar name, and local owners, are outside."""
    config = door.config
    bot, domain = config.appservice.bot_username, config.homeserver.domain
    inside = f"@{bot}_check:{domain}"
    answer = await door.get("/_matrix/client/v3/account/whoami", user_id=inside)
    if answer.status != 200 and not _is_own(answer):
        return Finding("namespaces", Verdict.BAD, f"{inside} is not the service's: {answer.said}", RENEW)
    owners = (owner for owner in config.groups.owners if owner.partition(":")[2] == domain)
    for outside in (f"@{bot}check:{domain}", *owners):
        answer = await door.get("/_matrix/client/v3/account/whoami", user_id=outside)
        if answer.status == 200 or "not registered" in answer.said:
            return Finding("namespaces", Verdict.BAD, f"the service may act as {outside}, it must not", RENEW)
        if answer.status not in (401, 403):
            return Finding("namespaces", Verdict.BAD, f"no clear answer for {outside}: {answer.said}", RENEW)
    return Finding("namespaces", Verdict.GOOD, f"@{bot} and @{bot}_… are the service's, others are not")


def _is_own(answer: Answer) -> bool:
    """Whether the refusal is only that the user does not exist yet; the spec has one errcode for both."""
    return answer.status == 403 and "masquerade" not in answer.said


async def _devices(door: Door) -> Finding:
    """Whether the bot can have a device for its keys (MSC4190): who makes devices may remove none of them too."""
    answer = await door.post("/_matrix/client/v3/delete_devices", {"devices": []})
    if answer.status == 200:
        return Finding("devices", Verdict.GOOD, "the bot may have one of its own, for encryption")
    says = f"the homeserver does not let the service make devices, without which there is no encryption: {answer.said}"
    mend = f"io.element.msc4190: true has to stand in the registration: {RENEW}; or update the homeserver"
    return Finding("devices", Verdict.BAD, says, mend)


async def _room_version(door: Door) -> Finding:
    answer = await door.get("/_matrix/client/v3/capabilities")
    offers: Any = answer.body
    for key in ("capabilities", "m.room_versions", "available"):
        offers = offers.get(key) if isinstance(offers, dict) else None
    if isinstance(offers, dict) and ROOM_VERSION in offers:
        return Finding("room version", Verdict.GOOD, f"{ROOM_VERSION} is available")
    says = f"the homeserver does not offer {ROOM_VERSION}, which groups are made of"
    return Finding("room version", Verdict.BAD, says, "update the homeserver")


async def _ping(door: Door) -> Finding:
    own = door.config.appservice
    path = f"/_matrix/client/v1/appservice/{quote(own.id, safe='')}/ping"
    try:
        async with stand_in(door.config) as found:
            answer = await door.post(path, {"transaction_id": "check"})
    except OSError as error:
        says = f"cannot listen on {own.hostname} port {own.port}: {in_words(error)}"
        return Finding("ping", Verdict.BAD, says, "correct appservice.hostname and appservice.port")
    if answer.status != 200:
        return Finding("ping", Verdict.BAD, *_why_no_ping(door.config, answer))
    if not found.listens:
        who = "answered by the running service"
    elif found.heard:
        who = "Coterie is not running, this check answered in its place"
    else:
        who = "answered by a service on another machine or in another container"
    return Finding("ping", Verdict.GOOD, f"there and back by way of {own.address} ({who})")


def _why_no_ping(config: Config, answer: Answer) -> tuple[str, str]:
    own = config.appservice
    refused = answer.body.get("status") in (401, 403)
    match answer.body.get("errcode"):
        case "M_BAD_STATUS" if refused:
            return "the homeserver has another hs_token", (
                f"make hs_token the same in config and registration; {RESTART}"
            )
        case "M_BAD_STATUS":
            says = f"something else than Coterie answers at the registration's url: {answer.said}"
            return says, f"it should be {own.address}; correct appservice.address and appservice.port"
        case "M_CONNECTION_FAILED" | "M_CONNECTION_TIMEOUT":
            says = f"the homeserver cannot reach the registration's url: {answer.said}"
            return says, (
                f"it should be {own.address} and lead to {own.hostname} port {own.port}; "
                "look at appservice.address, firewall and container network"
            )
        case "M_URL_NOT_SET":
            return "the registration has no url", RENEW
        case "M_FORBIDDEN":
            return f"the registration has another id than {own.id}", RENEW
        case "M_UNRECOGNIZED":
            return "the homeserver knows no ping", "update the homeserver (Matrix 1.7 or later)"
    return answer.said, f"look whether the homeserver can reach {own.address}"


async def _antispam(session: aiohttp.ClientSession, config: Config) -> Finding:
    """Whether the running service would answer the homeserver's antispam module; nobody can ask the module itself."""
    own = config.appservice
    url = f"{own.address}/_coterie/antispam"
    headers = {"Authorization": f"Bearer {own.antispam_token}"}
    try:
        async with session.post(f"{url}/ping", json={"id": "check"}, headers=headers) as response:
            status = response.status
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return Finding("antispam", Verdict.SKIPPED, f"not checked: {url} does not answer from here")
    if status == 200:
        return Finding("antispam", Verdict.GOOD, f"{url} answers to antispam_token")
    if status not in (403, 404):  # a proxy before a service that does not run
        return Finding("antispam", Verdict.SKIPPED, f"not checked: {url} answers {status}")
    mend = "restart Coterie: it read its configuration before antispam_token was set or changed"
    return Finding("antispam", Verdict.BAD, f"{url} answers {status} to antispam_token", mend)


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
