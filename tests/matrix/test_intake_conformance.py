"""Every answer of the application service API has the form that the Matrix spec documents for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator

from appservice.domain.ids import UserId
from appservice.matrix.intake import Intake
from appservice.store.inbox import NewArrival
from appservice.wire.event import Event
from tests.harness.spec import MISSING, load_spec

TOKEN = "hs-" + "t" * 40
SAMPLES = {
    "{txnId}": ["m1700000000.1"],
    "{userId}": ["@coterie:example.org", "@nobody:example.org"],
    "{roomAlias}": ["%23any:example.org"],
    "{protocol}": ["irc"],
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    spec = load_spec()
    if spec is None:
        pytest.skip(MISSING)
    source = spec.root / "derived" / "appservice-openapi.json"
    if not source.is_file():
        pytest.skip(MISSING)
    found: dict[str, Any] = json.loads(source.read_text())
    return found


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    async def journal(arrivals: list[NewArrival]) -> int:
        return len(arrivals)

    async def wanted(events: list[Event]) -> set[str]:
        return {event.event_id for event in events}

    async def healthy() -> dict[str, bool]:
        return {}

    intake = Intake(TOKEN, UserId("@coterie:example.org"), journal, wanted, healthy)
    async with TestClient(TestServer(intake.application(16 * 2**20))) as client:
        yield client


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in ("get", "put", "post", "delete")
    ]


def paths_of(path: str) -> list[str]:
    for placeholder, samples in SAMPLES.items():
        if placeholder in path:
            return [path.replace(placeholder, sample) for sample in samples]
    return [path]


def example_of(operation: dict[str, Any]) -> Any:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "schema" not in body:
        return None
    examples = [one.get("value") for one in body.get("examples", {}).values()]
    return body["schema"].get("example") or body.get("example") or next(iter(examples), {})


CREDENTIALS = {"homeserver": f"Bearer {TOKEN}", "wrong": "Bearer wrong", "stranger": None}


async def test_every_documented_endpoint_answers_as_documented(
    document: dict[str, Any], client: TestClient[Any, Any]
) -> None:
    seen: set[tuple[str, str, int]] = set()
    for method, path, operation in operations(document):
        for who, credentials in CREDENTIALS.items():
            for sample in paths_of(path):
                headers = {"Authorization": credentials} if credentials else {}
                body = example_of(operation)
                response = await client.request(method, sample, headers=headers, json=body)
                where = f"{who}: {method} {sample} -> {response.status}"
                assert response.status not in (405, 500), where
                assert response.content_type == "application/json", where
                answer = await response.json()
                seen.add((method, path, response.status))
                documented = operation["responses"].get(str(response.status))
                if documented is None:
                    # The spec has one paragraph on 401 and 403 for all endpoints, and repeats it for some only.
                    assert response.status in (401, 403), where
                    documented = an_error(document)
                schema = documented["content"]["application/json"]["schema"]
                errors = [error.message for error in Draft202012Validator(schema).iter_errors(answer)]
                assert errors == [], f"{where}: {answer}"
    assert {status for _, _, status in seen} == {200, 401, 403, 404}
    for method, path, _ in operations(document):
        assert {(method, path, 401), (method, path, 403)} <= seen


async def test_every_documented_example_of_a_transaction_is_taken(
    document: dict[str, Any], client: TestClient[Any, Any]
) -> None:
    operation = document["paths"]["/_matrix/app/v1/transactions/{txnId}"]["put"]
    body = example_of(operation)
    assert body["events"], "the spec's example has events"
    response = await client.put(
        "/_matrix/app/v1/transactions/1", headers={"Authorization": f"Bearer {TOKEN}"}, json=body
    )
    assert (response.status, await response.json()) == (200, {})


async def test_a_ping_needs_no_body(document: dict[str, Any], client: TestClient[Any, Any]) -> None:
    operation = document["paths"]["/_matrix/app/v1/ping"]["post"]
    assert not operation["requestBody"].get("required", False)
    response = await client.post("/_matrix/app/v1/ping", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (response.status, await response.json()) == (200, {})


def an_error(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"]["/_matrix/app/v1/users/{userId}"]["get"]["responses"]["401"]
    return found


async def test_errors_have_both_their_keys_as_text(client: TestClient[Any, Any]) -> None:
    """The spec's own schema asks for the errcode only."""
    for path in ("/nothing", "/_matrix/app/v1/users/@x:y", "/_matrix/app/v1/transactions/1"):
        answer = await (await client.get(path)).json()
        assert {key: type(value) for key, value in answer.items()} == {"errcode": str, "error": str}
