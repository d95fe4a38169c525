"""The application service API over real HTTP: written down, then 200; refused only what is not the homeserver's."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from appservice.domain.ids import UserId
from appservice.matrix.intake import MALFORMED, PREFIX, Intake
from appservice.store import db
from appservice.store.db import Database
from appservice.store.inbox import NewArrival
from appservice.store.unit import Store
from appservice.wire.event import Event
from tests.store.engine import ENGINES, POSTGRES, SQLITE, SetClock, drop_shared_database, empty_database, fetch

TOKEN = "hs-" + "t" * 40
BOT = UserId("@coterie:example.org")
AUTH = {"Authorization": f"Bearer {TOKEN}"}
MOST_BYTES = 16 * 2**20
PUT = f"{PREFIX}/transactions/1"


class Site:
    """The intake on a real port, before a real store; its parts can be broken."""

    def __init__(self, store: Store, database: Database) -> None:
        self.database = database
        self.store = store
        self.journaled: list[list[NewArrival]] = []
        self.health: dict[str, bool] = {"database": True, "homeserver": True}
        self.gate: asyncio.Event | None = None
        self.fail: Exception | None = None
        self.chatter: set[str] = set()
        self.poison: Callable[[Event], Exception | None] = lambda event: None
        self.intake = Intake(TOKEN, BOT, self._journal, self._wanted, self._healthy)
        self.client: TestClient[Any, Any]

    async def _journal(self, arrivals: list[NewArrival]) -> int:
        if self.gate:
            await self.gate.wait()
        if self.fail:
            raise self.fail
        self.journaled.append(arrivals)
        return await self.store.journal(arrivals)

    async def _wanted(self, events: list[Event]) -> set[str]:
        for event in events:
            if error := self.poison(event):
                raise error
        return {event.event_id for event in events if event.event_id not in self.chatter}

    async def _healthy(self) -> Mapping[str, bool]:
        return self.health

    async def put(self, *events: object, path: str = PUT) -> ClientResponse:
        return await self.put_raw(json.dumps({"events": events}).encode(), path=path)

    async def put_raw(self, body: bytes, path: str = PUT, headers: Mapping[str, str] = AUTH) -> ClientResponse:
        return await self.client.put(path, data=body, headers=headers)

    async def rows(self) -> list[tuple[Any, ...]]:
        """Id, lane and type of what was written down, in order."""
        return await fetch(self.database, "SELECT id, lane, type FROM arrival ORDER BY seq")

    async def contents(self) -> list[Any]:
        rows = await fetch(self.database, "SELECT content FROM arrival ORDER BY seq")
        return [json.loads(content) for (content,) in rows]


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    asyncio.run(drop_shared_database())


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", ENGINES[0]))


both_engines = pytest.mark.parametrize("engine", ENGINES, indirect=True)


@pytest.fixture
async def site(engine: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with db.opened(await empty_database(engine, tmp_path)) as database:
        site = Site(Store(database, SetClock().now), database)
        async with TestClient(TestServer(site.intake.application(MOST_BYTES))) as client:
            site.client = client
            yield site


def event(id: str, **changes: object) -> dict[str, Any]:
    return {
        "event_id": id, "room_id": "!room:example.org", "type": "m.room.message", "sender": "@ana:example.org",
        "content": {"msgtype": "m.text", "body": "+2"}, "origin_server_ts": 1_800_000_000_000,
    } | changes  # fmt: skip


async def error_of(response: ClientResponse) -> tuple[int, str]:
    """Status and errcode, of an answer that must have the form of the spec."""
    assert response.content_type == "application/json"
    body = await response.json()
    assert set(body) == {"errcode", "error"}
    assert isinstance(body["error"], str)
    return response.status, body["errcode"]


# Who may come in

ENDPOINTS = [
    ("PUT", "/transactions/1"),
    ("POST", "/ping"),
    ("GET", "/users/@coterie:example.org"),
    ("GET", "/rooms/%23alias:example.org"),
    ("GET", "/thirdparty/protocol/irc"),
    ("GET", "/thirdparty/location"),
    ("GET", "/thirdparty/location/irc"),
    ("GET", "/thirdparty/user"),
    ("GET", "/thirdparty/user/irc"),
]
endpoints = pytest.mark.parametrize(("method", "path"), ENDPOINTS, ids=lambda part: part)


@endpoints
async def test_without_the_token_nobody_comes_in(site: Site, method: str, path: str) -> None:
    nothing: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
    ]
    for headers in nothing:
        body = json.dumps({"events": [event("$a")]}) if method != "GET" else None
        response = await site.client.request(method, PREFIX + path, headers=headers, data=body)
        assert await error_of(response) == (401, "M_MISSING_TOKEN"), headers
    assert await site.rows() == []


@endpoints
async def test_with_a_wrong_token_nobody_comes_in(site: Site, method: str, path: str) -> None:
    for token in ("x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü" * 40, f"{TOKEN} {TOKEN}"):
        body = json.dumps({"events": [event("$a")]}) if method != "GET" else None
        response = await site.client.request(
            method, PREFIX + path, headers={"Authorization": f"Bearer {token}"}, data=body
        )
        assert await error_of(response) == (403, "M_FORBIDDEN"), token
    assert await site.rows() == []


@endpoints
async def test_a_token_in_the_query_does_not_count(site: Site, method: str, path: str) -> None:
    """It would be in every proxy's log."""
    query = {"access_token": TOKEN}
    response = await site.client.request(method, PREFIX + path, params=query)
    assert await error_of(response) == (401, "M_MISSING_TOKEN")
    wrong = {"Authorization": "Bearer wrong"}
    response = await site.client.request(method, PREFIX + path, params=query, headers=wrong)
    assert await error_of(response) == (403, "M_FORBIDDEN")


async def test_the_word_bearer_may_be_written_in_any_case(site: Site) -> None:
    for word in ("Bearer", "bearer", "BEARER"):
        response = await site.client.post(f"{PREFIX}/ping", headers={"Authorization": f"{word} {TOKEN}"}, json={})
        assert response.status == 200


async def test_a_header_that_is_no_utf_8_is_a_wrong_token(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.client.port)
    writer.write(b"POST %s/ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n" % PREFIX.encode())
    writer.write(b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"M_FORBIDDEN" in answer


async def test_tokens_are_compared_in_constant_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def watched(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return compare(a, b)

    monkeypatch.setattr("appservice.matrix.intake.hmac.compare_digest", watched)
    for token in (TOKEN, "short", TOKEN[:-1] + "x"):
        await site.client.post(f"{PREFIX}/ping", headers={"Authorization": f"Bearer {token}"}, json={})
    assert compared == [
        (TOKEN.encode(), TOKEN.encode()), (b"short", TOKEN.encode()), (TOKEN[:-1].encode() + b"x", TOKEN.encode()),
    ]  # fmt: skip


async def test_whoever_is_not_let_in_is_refused_before_their_body_is_read(site: Site) -> None:
    """Strangers cannot make the service hold 16 MiB each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.client.port)
    writer.write(b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n{" % PUT.encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401 ")


# Paths and methods


@pytest.mark.parametrize(
    "path",
    ["/", "/_matrix", "/_matrix/app/v1", "/_matrix/app/v1/", "/_matrix/app/v1/nothing", "/_matrix/app/v2/ping",
     "/_matrix/app/v1/transactions", "/_matrix/app/v1/transactions/", "/_matrix/app/v1/transactions/1/2",
     "/_matrix/app/v1/ping/", "/transactions/1", "/users/@coterie:example.org", "/health/", "/..%2fhealth"],
)  # fmt: skip
@pytest.mark.parametrize("headers", [AUTH, {}], ids=["homeserver", "stranger"])
async def test_an_unknown_path_is_not_found(site: Site, path: str, headers: dict[str, str]) -> None:
    for method in ("GET", "PUT", "POST"):
        response = await site.client.request(method, path, headers=headers)
        assert await error_of(response) == (404, "M_UNRECOGNIZED")


@pytest.mark.parametrize(("method", "path"), [*ENDPOINTS, ("GET", "/../../../health")], ids=lambda part: part)
async def test_a_known_path_with_another_method_is_not_allowed(site: Site, method: str, path: str) -> None:
    for other in {"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"} - {method}:
        for headers in (AUTH, {}):
            response = await site.client.request(other, PREFIX + path, headers=headers)
            assert await error_of(response) == (405, "M_UNRECOGNIZED"), other
            assert method in response.headers["Allow"].split(", ")


# Transactions


@both_engines
async def test_events_are_written_down_in_their_order_and_answered_with_an_empty_object(site: Site) -> None:
    events = [event(f"${n}", content={"body": f"Größe {n} 🕯"}) for n in range(100)]
    response = await site.put(*events)
    assert (response.status, await response.json(), response.content_type) == (200, {}, "application/json")
    assert await site.rows() == [(f"${n}", "!room:example.org", "m.room.message") for n in range(100)]
    assert await site.contents() == events


async def test_nothing_is_answered_before_the_events_are_written_down(site: Site) -> None:
    site.gate = asyncio.Event()
    answer = asyncio.create_task(site.put(event("$a")))
    await asyncio.sleep(0.05)
    assert not answer.done()
    assert await site.rows() == []
    site.gate.set()
    response = await asyncio.wait_for(answer, 5)
    assert response.status == 200
    assert [id for id, _, _ in await site.rows()] == ["$a"]


@pytest.mark.parametrize("error", [ConnectionError("secret"), RuntimeError("secret"), TimeoutError()], ids=repr)
async def test_a_journal_that_fails_is_answered_with_500_and_the_repeat_succeeds(
    site: Site, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    site.fail = error
    response = await site.put(event("$a"), event("$b"))
    assert "secret" not in await response.text()
    assert await error_of(response) == (500, "M_UNKNOWN")
    assert await site.rows() == []
    site.fail = None
    for _ in range(2):
        assert (await site.put(event("$a"), event("$b"))).status == 200
    assert [id for id, _, _ in await site.rows()] == ["$a", "$b"]


@both_engines
async def test_a_repeated_transaction_is_answered_with_200_and_written_down_once(site: Site) -> None:
    batch = [event("$a"), event("$b"), event("$a")]
    for path in (PUT, PUT, f"{PREFIX}/transactions/other"):
        assert (await site.put(*batch, path=path)).status == 200
    assert [id for id, _, _ in await site.rows()] == ["$a", "$b"]


@both_engines
async def test_the_same_transaction_twice_at_once_is_written_down_once(site: Site) -> None:
    batch = [event(f"${n}") for n in range(30)]
    answers = await asyncio.gather(*(site.put(*batch) for _ in range(6)))
    assert [answer.status for answer in answers] == [200] * 6
    assert [id for id, _, _ in await site.rows()] == [f"${n}" for n in range(30)]


async def test_other_events_under_a_transaction_id_that_was_used_before_are_written_down(site: Site) -> None:
    """The event's id counts: transaction ids start again when a homeserver is rebuilt."""
    assert (await site.put(event("$a"))).status == 200
    assert (await site.put(event("$b"))).status == 200
    assert [id for id, _, _ in await site.rows()] == ["$a", "$b"]


async def test_chatter_is_written_nowhere(site: Site) -> None:
    site.chatter = {"$chat"}
    assert (await site.put(event("$chat"), event("$b"))).status == 200
    assert [id for id, _, _ in await site.rows()] == ["$b"]
    assert (await site.put(event("$chat"))).status == 200
    assert len(site.journaled) == 1, "without anything to write down nothing is committed"


@pytest.mark.parametrize("txn_id", ["1", "a/b", "ü", "%", " ", "x" * 2000, "m1234.5", "'; DROP TABLE arrival"])
async def test_any_transaction_id_will_do(site: Site, txn_id: str) -> None:
    url = URL(f"{PREFIX}/transactions/{quote(txn_id, safe='')}", encoded=True)
    response = await site.client.put(url, json={"events": [event("$a")]}, headers=AUTH)
    assert response.status == 200
    assert len(await site.rows()) == 1


async def test_what_else_is_in_a_transaction_is_passed_over(site: Site) -> None:
    body = {"events": [], "ephemeral": [{}], "to_device": 3, "de.sorunome.msc2409.ephemeral": None, "": []}
    response = await site.put_raw(json.dumps(body).encode())
    assert (response.status, await response.json()) == (200, {})


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "text/plain", "application/octet-stream", ""],
)
async def test_the_content_type_does_not_matter(site: Site, content_type: str) -> None:
    body = json.dumps({"events": [event("$a")]}).encode()
    response = await site.put_raw(body, headers=AUTH | {"Content-Type": content_type})
    assert response.status == 200


# What is no transaction


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"events": [}', b"no", b"'a'", b'{"events": []} x', b"\xff\xfe", b'{"a": "\xff"}',
     b'{"events": [1,]}', b'{"events": ' + b"[" * 100_000, b"[" * 100_000, b'{"events": ["' + b"\\"],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
async def test_what_is_no_json_is_refused_as_such(site: Site, body: bytes) -> None:
    assert await error_of(await site.put_raw(body)) == (400, "M_NOT_JSON")
    assert await site.rows() == []


@pytest.mark.parametrize(
    "body", ["[]", "1", "null", '"events"', "{}", '{"events": null}', '{"events": {}}', '{"events": "x"}',
             '{"events": {"0": {}}}', '{"Events": []}'],
)  # fmt: skip
async def test_json_without_a_list_of_events_is_refused_as_such(site: Site, body: str) -> None:
    assert await error_of(await site.put_raw(body.encode())) == (400, "M_BAD_JSON")
    assert await site.rows() == []


@both_engines
async def test_what_is_no_event_is_set_aside_and_keeps_no_other_from_being_written_down(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    odd: list[Any] = [None, 1, -1.5, "x", True, [], [{}], {}, {"event_id": "$x"}, event("$c", content="x")]
    odd += [event("$d", event_id=5), event("$e", room_id=None), event("$f", sender=["@a:b"]), event("$g", type={})]
    odd += [event("$" + "h" * 300), event("$\0"), event("$\ud800"), event("$i", state_key=5)]
    response = await site.put(event("$first"), *odd, event("$last"))
    assert response.status == 200
    rows = await site.rows()
    assert [id for id, _, type in rows if type != MALFORMED] == ["$first", "$last"]
    malformed = [(lane, type) for _, lane, type in rows if type == MALFORMED]
    assert malformed == [(MALFORMED, MALFORMED)] * len(odd)
    assert [content for content in await site.contents() if content not in (event("$first"), event("$last"))] == odd
    assert "+2" not in caplog.text
    assert (await site.put(event("$first"), *odd, event("$last"))).status == 200
    assert await site.rows() == rows, "known when they are repeated"


async def test_an_event_about_which_nothing_can_be_told_is_written_down_and_the_others_are_told_rightly(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of ours in reading one event must not hold the homeserver's queue up for ever."""
    site.poison = lambda event: KeyError("secret") if event.event_id == "$poison" else None
    site.chatter = {"$chat"}
    response = await site.put(event("$a"), event("$poison"), event("$chat"), event("$b"))
    assert response.status == 200
    assert [id for id, _, _ in await site.rows()] == ["$a", "$poison", "$b"]
    assert "an event could not be told from chatter: KeyError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_database_that_fails_while_chatter_is_told_apart_is_answered_with_500(site: Site) -> None:
    site.poison = lambda event: ConnectionResetError()
    assert await error_of(await site.put(event("$a"))) == (500, "M_UNKNOWN")
    assert await site.rows() == []
    site.poison = lambda event: None
    assert (await site.put(event("$a"))).status == 200
    assert len(await site.rows()) == 1


# Size


async def test_a_body_of_ten_mebibytes_is_taken(site: Site) -> None:
    events = [event(f"${n}", content={"body": "x" * 64_000}) for n in range(170)]
    body = json.dumps({"events": events}).encode()
    assert len(body) > 10 * 2**20
    assert (await site.put_raw(body)).status == 200
    assert len(await site.rows()) == 170


def padded(length: int) -> bytes:
    body = json.dumps({"events": [event("$a")]}).encode()
    return body + b" " * (length - len(body))


async def test_a_body_of_sixteen_mebibytes_is_taken_and_one_more_byte_is_refused(site: Site) -> None:
    response = await site.put_raw(padded(MOST_BYTES + 1))
    assert await error_of(response) == (413, "M_TOO_LARGE")
    assert await site.rows() == []
    assert (await site.put_raw(padded(MOST_BYTES))).status == 200
    assert len(await site.rows()) == 1


async def test_a_body_far_too_large_is_refused_in_the_specs_form_as_well(site: Site) -> None:
    assert await error_of(await site.put_raw(b" " * 3 * MOST_BYTES)) == (413, "M_TOO_LARGE")
    assert (await site.put(event("$a"))).status == 200


async def test_a_body_that_does_not_tell_its_length_has_the_same_limit(site: Site) -> None:
    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b" " * 2**20

    response = await site.client.put(PUT, data=pieces(17), headers=AUTH)
    assert await error_of(response) == (413, "M_TOO_LARGE")


async def test_a_compressed_body_has_the_limit_of_what_it_becomes(site: Site) -> None:
    for length, status in ((MOST_BYTES, 200), (MOST_BYTES + 1, 413)):
        packed = gzip.compress(padded(length))
        assert len(packed) < 100_000
        response = await site.put_raw(packed, headers=AUTH | {"Content-Encoding": "gzip"})
        assert response.status == status
        assert response.content_type == "application/json"


async def test_a_client_that_goes_away_in_mid_body_leaves_nothing_and_the_next_is_served(site: Site) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", site.client.port)
    writer.write(
        b"PUT %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n" % (PUT.encode(), TOKEN.encode())
        + b'Content-Length: 1000\r\n\r\n{"events": ['
    )
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.close()
    assert (await site.put(event("$a"))).status == 200
    assert [id for id, _, _ in await site.rows()] == ["$a"]


# What a member can put into an event


@both_engines
@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"a\u0000b"', "a\0b"),
        (rb'"\ud800"', "\ud800"),
        (rb'"\udc00\ud800"', "\udc00\ud800"),
        (b'"\xed\xa0\x80"', "\ud800"),
        (rb'"\ud83d\udd6f"', "🕯"),
        (b"1.5", 1.5),
        (b"-0.0", 0.0),
        (b"1e999", float("inf")),
        (b"9007199254740993", 2**53 + 1),
        (b"1" * 100, int("1" * 100)),
        (b"1" * 5000, float("inf")),
        (b"-" + b"1" * 5000, float("-inf")),
        (b"[" * 90 + b"]" * 90, None),
        (b"NaN", None),
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_odd_values_in_an_event_are_no_error_of_the_transaction(site: Site, written: bytes, read: object) -> None:
    odd = json.dumps(event("$odd", content={"odd": "HERE"})).encode().replace(b'"HERE"', written)
    first, last = (json.dumps(event(id)).encode() for id in ("$first", "$last"))
    response = await site.put_raw(b'{"events": [' + b", ".join((first, odd, last)) + b"]}")
    assert response.status == 200
    assert [id for id, _, _ in await site.rows()] == ["$first", "$odd", "$last"]
    if read is not None:
        assert (await site.contents())[1]["content"]["odd"] == read
    async with site.store.look() as unit:
        arrivals = await unit.inbox.due("!room:example.org", unit.now, 10)
    assert all(arrival.content for arrival in arrivals), "and they can be read again"


@pytest.mark.parametrize(
    ("engine", "depth"),
    [(SQLITE, depth) for depth in (100, 500, 900, 980, 1_000, 1_500, 9_990, 30_000)] + [(POSTGRES, 30_000)],
    indirect=["engine"],
)
@pytest.mark.parametrize("way", ["lists", "objects", "in the envelope", "in place of an event"])
async def test_however_deep_an_event_is_nested_the_transaction_is_taken(
    site: Site, depth: int, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Python's parser gives up at about 950 (3.11), 1,450 (3.12) or 9,950 levels (3.13); a member has 64 KiB to nest
    in, and a homeserver that lets it through would send it again for ever."""
    lists = b"[" * depth + rb'"]}\"{["' + b"]" * depth
    objects = b'{"a":' * depth + b"1" + b"}" * depth
    raw = {
        "lists": json.dumps(event("$deep", content={"body": "!pledge 3", "deep": "HERE"})),
        "objects": json.dumps(event("$deep", content={"body": "!pledge 3", "deep": "HERE"})),
        "in the envelope": json.dumps(event("$deep", unsigned="HERE", content={"body": "!pledge 3"})),
        "in place of an event": '"HERE"',
    }[way]
    deep = raw.encode().replace(b'"HERE"', objects if way == "objects" else lists)
    first, last = (json.dumps(event(id)).encode() for id in ("$first", "$last"))
    body = b'{"events": [' + b", ".join((first, deep, last)) + b'], "rest": {"a": [1]}}'
    response = await site.put_raw(body)
    assert response.status == 200
    rows = await site.rows()
    assert [id for id, _, type in rows if type != MALFORMED] == (
        ["$first", "$last"] if way == "in place of an event" else ["$first", "$deep", "$last"]
    )
    assert len(rows) == 3
    first_read, deep_read, last_read = await site.contents()
    assert (first_read, last_read) == (event("$first"), event("$last"))
    if way != "in place of an event":
        assert deep_read["content"]["body"] == "!pledge 3", "only the depths are cut off"
    async with site.store.look() as unit:
        for lane in {lane for _, lane, _ in rows}:
            assert all(arrival.content for arrival in await unit.inbox.due(lane, unit.now, 10))
    assert (await site.put_raw(body)).status == 200
    assert await site.rows() == rows


async def test_a_deep_transaction_of_full_size_is_taken_in_bearable_time(site: Site) -> None:
    deep = json.dumps(event("$ID", content={"deep": "HERE"})).replace('"HERE"', "[" * 30_000 + "]" * 30_000)
    body = '{"events": [' + ", ".join(deep.replace("$ID", f"${n}") for n in range(100)) + "]}"
    async with asyncio.timeout(20):
        assert (await site.put_raw(body.encode())).status == 200
    assert len(await site.rows()) == 100


# The other endpoints


async def test_a_ping_is_answered_whether_it_has_a_body_or_not(site: Site) -> None:
    for body in (b"{}", b'{"transaction_id": "abc"}', b'{"transaction_id": null, "more": [1]}', b""):
        response = await site.client.post(f"{PREFIX}/ping", headers=AUTH, data=body)
        assert (response.status, await response.json()) == (200, {})
    for broken in (b"{", b"x"):
        response = await site.client.post(f"{PREFIX}/ping", headers=AUTH, data=broken)
        assert await error_of(response) == (400, "M_NOT_JSON")
    response = await site.client.post(f"{PREFIX}/ping", headers=AUTH, data=b"[]")
    assert await error_of(response) == (400, "M_BAD_JSON")


async def test_only_the_bot_is_a_user_here(site: Site) -> None:
    for user_id in ("@coterie:example.org", "%40coterie%3Aexample.org"):
        response = await site.client.get(f"{PREFIX}/users/{user_id}", headers=AUTH)
        assert (response.status, await response.json()) == (200, {})
    for user_id in ("@coterie_x:example.org", "@coterie:example.com", "coterie", "@Coterie:example.org", "%00"):
        response = await site.client.get(f"{PREFIX}/users/{user_id}", headers=AUTH)
        assert await error_of(response) == (404, "M_NOT_FOUND"), user_id


async def test_there_are_no_aliases_and_no_third_party_networks(site: Site) -> None:
    for path in ("/rooms/%23any:example.org", "/thirdparty/protocol/irc"):
        response = await site.client.get(PREFIX + path, headers=AUTH)
        assert await error_of(response) == (404, "M_NOT_FOUND")
    for path in ("/thirdparty/location", "/thirdparty/user", "/thirdparty/location/irc", "/thirdparty/user/irc"):
        response = await site.client.get(PREFIX + path, headers=AUTH, params={"alias": "#a:b", "userid": "@a:b"})
        assert (response.status, await response.json()) == (200, [])


@pytest.mark.parametrize("parts", [(True, True), (False, True), (True, False), (False, False)])
async def test_health_is_good_only_when_everything_is_and_needs_no_token(site: Site, parts: tuple[bool, bool]) -> None:
    site.health = dict(zip(("database", "homeserver"), parts, strict=True))
    response = await site.client.get("/health")
    assert response.status == (200 if all(parts) else 503)
    assert await response.json() == site.health


async def test_a_health_check_that_fails_itself_is_answered_in_the_specs_form(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Mapping[str, bool]:
        raise RuntimeError("secret")

    site.intake._healthy = broken
    with caplog.at_level(logging.CRITICAL):
        response = await site.client.get("/health")
    assert "secret" not in await response.text()
    assert await error_of(response) == (500, "M_UNKNOWN")
