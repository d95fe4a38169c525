"""`coterie check` against a homeserver over real HTTP: every fault has its line and its mend."""

# ruff: noqa: E501 - one row of a table on one line

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from click.testing import Result

from appservice.config import Appservice, Config, Groups, Homeserver
from appservice.matrix import check, check_database
from appservice.matrix.finding import Finding, Verdict
from appservice.matrix.registration import registration
from appservice.matrix.stand_in import stand_in
from appservice.web.antispam import Antispam
from tests.cli import homeserver as fake
from tests.cli.conftest import Coterie
from tests.harness.ports import reserve_port

SUBJECTS = [
    "homeserver",
    "token",
    "server name",
    "sender",
    "bot",
    "namespaces",
    "devices",
    "room version",
    "ping",
    "database",
    "schema",
]


@pytest.fixture
def config(folder: Path) -> Config:
    port = reserve_port()
    return Config(
        Homeserver(address=f"http://127.0.0.1:{reserve_port()}", domain="example.org"),
        Appservice("a" * 40, "h" * 40, address=f"http://127.0.0.1:{port}", port=port),
        Groups(owners=("@ana:example.org", "@far:elsewhere.test")),
    )


@pytest.fixture
def homeserver(config: Config) -> fake.Homeserver:
    port = int(config.homeserver.address.rpartition(":")[2])
    return fake.Homeserver(registration(config), port=port)


async def found(config: Config) -> dict[str, Finding]:
    return {finding.subject: finding async for finding in check.findings(config)}


def bad(findings: dict[str, Finding]) -> list[str]:
    return [subject for subject, finding in findings.items() if finding.verdict is Verdict.BAD]


async def test_before_the_first_run_all_is_well(config: Config, homeserver: fake.Homeserver) -> None:
    async with homeserver.running():
        findings = await found(config)
    assert list(findings) == SUBJECTS
    assert {subject: finding.says for subject, finding in findings.items()} == {
        "homeserver": f"{config.homeserver.address} answers: Synapse 1.163.2",
        "token": "the homeserver takes as_token",
        "server name": "example.org on both sides",
        "sender": "_coterie_sender is not the bot",
        "bot": "@coterie:example.org will be made at the first run",
        "namespaces": "@coterie and @coterie_… are the service's, others are not",
        "devices": "the bot may have one of its own, for encryption",
        "room version": "12 is available",
        "ping": f"there and back by way of {config.appservice.address} (Coterie is not running, this check answered in its place)",
        "database": "sqlite:coterie.db can be written",
        "schema": "empty; the tables will be made at the first run",
    }
    assert {finding.verdict for finding in findings.values()} == {Verdict.GOOD}
    assert [path for method, path in homeserver.asked if method != "GET"] == [
        "/_matrix/client/v3/delete_devices",  # of none
        "/_matrix/client/v1/appservice/coterie/ping",
    ]


async def test_a_bot_that_exists_and_a_running_service_are_recognised(
    config: Config, homeserver: fake.Homeserver
) -> None:
    homeserver.users.add(config.bot_mxid)
    async with homeserver.running(), stand_in(config) as service:
        findings = await found(config)
    assert bad(findings) == []
    assert service.heard == [True]
    assert findings["bot"].says == "@coterie:example.org exists"
    assert findings["ping"].says.endswith(" (answered by the running service)")


async def test_a_service_in_another_container_is_recognised(config: Config, homeserver: fake.Homeserver) -> None:
    here = replace(config, appservice=replace(config.appservice, port=reserve_port()))
    async with homeserver.running(), stand_in(config):
        findings = await found(here)
    assert bad(findings) == []
    assert findings["ping"].says.endswith(" (answered by a service on another machine or in another container)")


async def test_a_homeserver_that_does_not_tell_its_version_is_fine(config: Config, homeserver: fake.Homeserver) -> None:
    homeserver.names_itself = False
    async with homeserver.running():
        finding = (await found(config))["homeserver"]
    assert finding.verdict is Verdict.GOOD
    assert finding.says.endswith(" answers; it does not tell its version")


RESTART = "name coterie-registration.yaml in app_service_config_files and restart the homeserver"
RENEW = "put what coterie registration prints into coterie-registration.yaml and restart the homeserver"
WIDE = {"users": [{"exclusive": False, "regex": "@.*:example.org"}]}
LOOSE = {"users": [{"exclusive": True, "regex": "@coterie.*:example.org"}]}
NARROW = {"users": [{"exclusive": True, "regex": "@coterie:example.org"}]}
MASKED = "M_FORBIDDEN Application service cannot masquerade as this user"


@pytest.mark.parametrize(
    ("changes", "subject", "says", "mend", "others"),
    [
        ({"as_token": "b" * 40}, "token", "the homeserver refuses as_token: M_UNKNOWN_TOKEN Invalid access token passed.", f"make as_token the same in config and registration; {RESTART}", []),
        ({"sender_localpart": "coterie"}, "sender", "the registration's sender_localpart is coterie, must be _coterie_sender (the bot as sender could not read encrypted rooms)", RENEW, []),
        ({"sender_localpart": "_shop_sender"}, "sender", "the registration's sender_localpart is _shop_sender, must be _coterie_sender", RENEW, []),
        ({"namespaces": {"users": []}}, "bot", f"the service may not act as @coterie:example.org: {MASKED} (@coterie:example.org).", RENEW, ["namespaces"]),
        ({"namespaces": NARROW}, "namespaces", f"@coterie_check:example.org is not the service's: {MASKED} (@coterie_check:example.org).", RENEW, []),
        ({"namespaces": LOOSE}, "namespaces", "the service may act as @coteriecheck:example.org, it must not", RENEW, []),
        ({"namespaces": WIDE}, "namespaces", "the service may act as @coteriecheck:example.org, it must not", RENEW, []),
        ({"io.element.msc4190": False}, "devices", "the homeserver does not let the service make devices, without which there is no encryption: M_UNKNOWN Internal server error", f"io.element.msc4190: true has to stand in the registration: {RENEW}; or update the homeserver", []),
        ({"hs_token": "b" * 40}, "ping", "the homeserver has another hs_token", f"make hs_token the same in config and registration; {RESTART}", []),
        ({"id": "other"}, "ping", "the registration has another id than coterie", RENEW, []),
    ],
)  # fmt: skip
async def test_a_registration_that_does_not_fit_is_found(
    config: Config,
    homeserver: fake.Homeserver,
    changes: dict[str, Any],
    subject: str,
    says: str,
    mend: str,
    others: list[str],
) -> None:
    homeserver.registration |= changes
    async with homeserver.running():
        findings = await found(config)
    assert findings[subject] == Finding(subject, Verdict.BAD, says, mend)
    assert bad(findings) == [subject, *others]


async def test_a_namespace_that_takes_in_an_owner_is_found(config: Config, homeserver: fake.Homeserver) -> None:
    own = [*homeserver.registration["namespaces"]["users"], {"exclusive": False, "regex": "@ana"}]
    homeserver.registration["namespaces"] = {"users": own}
    homeserver.users.add("@ana:example.org")
    async with homeserver.running():
        findings = await found(config)
    assert bad(findings) == ["namespaces"]
    assert findings["namespaces"].says == "the service may act as @ana:example.org, it must not"


async def test_a_wrong_domain_is_found_and_nothing_concluded_from_it(
    config: Config, homeserver: fake.Homeserver
) -> None:
    homeserver.domain = "hs.test"
    async with homeserver.running():
        findings = await found(config)
    assert bad(findings) == ["server name"]
    assert findings["server name"].says == "homeserver.domain is example.org, the homeserver calls itself hs.test"
    assert findings["server name"].mend == f"set homeserver.domain to hs.test, then {RENEW}"
    assert findings["bot"].verdict is findings["namespaces"].verdict is Verdict.SKIPPED


async def test_a_homeserver_without_room_version_12_is_found(config: Config, homeserver: fake.Homeserver) -> None:
    homeserver.room_versions = ("10", "11")
    async with homeserver.running():
        findings = await found(config)
    assert bad(findings) == ["room version"]
    assert findings["room version"].mend == "update the homeserver"


@pytest.mark.parametrize(
    ("errcode", "more", "says", "mend"),
    [
        ("M_BAD_STATUS", {"status": 404}, "something else than Coterie answers at the registration's url: M_BAD_STATUS x", "it should be {address}; correct appservice.address and appservice.port"),
        ("M_CONNECTION_FAILED", {}, "the homeserver cannot reach the registration's url: M_CONNECTION_FAILED x", "it should be {address} and lead to 127.0.0.1 port {port}; look at appservice.address, firewall and container network"),
        ("M_CONNECTION_TIMEOUT", {}, "the homeserver cannot reach the registration's url: M_CONNECTION_TIMEOUT x", "it should be {address} and lead to 127.0.0.1 port {port}; look at appservice.address, firewall and container network"),
        ("M_URL_NOT_SET", {}, "the registration has no url", RENEW),
        ("M_UNRECOGNIZED", {}, "the homeserver knows no ping", "update the homeserver (Matrix 1.7 or later)"),
        ("M_STRANGE", {}, "M_STRANGE x", "look whether the homeserver can reach {address}"),
    ],
)  # fmt: skip
async def test_a_ping_that_fails_says_why(
    config: Config, homeserver: fake.Homeserver, errcode: str, more: dict[str, Any], says: str, mend: str
) -> None:
    body = web.json_response({"errcode": errcode, "error": "x", **more}).body
    assert isinstance(body, bytes)
    homeserver.answers["/_matrix/client/v1/appservice/coterie/ping"] = (502, body)
    async with homeserver.running():
        findings = await found(config)
    own = config.appservice
    assert bad(findings) == ["ping"]
    assert findings["ping"].says == says.format(address=own.address, port=own.port)
    assert findings["ping"].mend == mend.format(address=own.address, port=own.port)


async def test_a_host_that_cannot_be_listened_on_is_found(config: Config, homeserver: fake.Homeserver) -> None:
    config = replace(config, appservice=replace(config.appservice, hostname="192.0.2.1"))
    async with homeserver.running():
        findings = await found(config)
    assert bad(findings) == ["ping"]
    # the rest of the line is Python's own: other words from 3.13 on
    assert findings["ping"].says.startswith(f"cannot listen on 192.0.2.1 port {config.appservice.port}: ")


async def test_a_homeserver_that_is_down_leaves_the_rest_unchecked_but_the_database(config: Config) -> None:
    findings = await found(config)
    assert list(findings) == SUBJECTS
    assert findings["homeserver"].says == f"{config.homeserver.address} Connection refused"
    assert bad(findings) == ["homeserver"]
    assert {findings[subject].verdict for subject in SUBJECTS[1:8]} == {Verdict.SKIPPED}
    assert findings["database"].verdict is Verdict.GOOD


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"[" * 9999, b"\xff", b"{}", b'{"versions": 1}', b'{"a": 1e999}'])
@pytest.mark.parametrize("status", [200, 404, 502])
async def test_something_that_is_no_homeserver_is_found(
    config: Config, homeserver: fake.Homeserver, status: int, body: bytes
) -> None:
    homeserver.answers["/_matrix/client/versions"] = (status, body)
    async with homeserver.running():
        findings = await found(config)
    assert bad(findings) == ["homeserver"]
    assert findings["homeserver"].says == f"{config.homeserver.address} answers {status}, not as a homeserver"


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"user_id": 7}', b'{"server": {}}', b'{"capabilities": []}']
)
@pytest.mark.parametrize("status", [200, 403, 500])
async def test_strange_answers_give_findings_and_no_exception(
    config: Config, homeserver: fake.Homeserver, status: int, body: bytes
) -> None:
    for path in ("v3/account/whoami", "v3/capabilities", "v1/appservice/coterie/ping"):
        homeserver.answers[f"/_matrix/client/{path}"] = (status, body)
    homeserver.answers["/_matrix/federation/v1/version"] = (status, body)
    async with homeserver.running():
        findings = await found(config)
    assert list(findings) == SUBJECTS
    assert findings["homeserver"].verdict is Verdict.GOOD
    assert bad(findings)


async def test_a_homeserver_that_never_answers_is_given_up_in_time(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(check, "SECONDS", 0.2)
    port = int(config.homeserver.address.rpartition(":")[2])
    async with await asyncio.start_server(silent, "127.0.0.1", port):
        findings = await found(config)
    assert findings["homeserver"].says == f"{config.homeserver.address} no answer within 0.2 seconds"


# ---- database ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "verdict", "says", "mend"),
    [
        ((4, 4), Verdict.GOOD, "4, the newest", ""),
        ((0, 4), Verdict.GOOD, "empty; the tables will be made at the first run", ""),
        ((2, 4), Verdict.BAD, "2, needs 4", "run coterie migrate"),
        ((5, 4), Verdict.BAD, "5 is of a newer Coterie; this one knows up to 4", "install the newer Coterie again"),
    ],
)  # fmt: skip
async def test_the_schema_is_judged(
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int],
    verdict: Verdict,
    says: str,
    mend: str,
) -> None:
    async def inspect(url: str) -> tuple[int, int]:
        return version

    monkeypatch.setattr("appservice.store.db.inspect", inspect)
    assert (await found(config))["schema"] == Finding("schema", verdict, says, mend)


async def test_a_database_that_cannot_be_reached_is_found(config: Config) -> None:
    config = replace(config, appservice=replace(config.appservice, database="postgres://u:p@127.0.0.1:1/c"))
    findings = await found(config)
    assert findings["database"].verdict is Verdict.BAD
    assert findings["database"].says.startswith("postgres://127.0.0.1:1/c: ")
    assert findings["schema"].verdict is Verdict.SKIPPED


async def test_a_database_that_cannot_be_written_is_found(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe(url: str) -> None:
        raise RuntimeError("attempt to write a\nreadonly database")

    monkeypatch.setattr("appservice.store.db.probe", probe)
    finding = (await found(config))["database"]
    assert finding.verdict is Verdict.BAD
    assert finding.says == "sqlite:coterie.db cannot be written: attempt to write a readonly database"


async def test_a_database_that_hangs_is_given_up_in_time(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    async def inspect(url: str) -> tuple[int, int]:
        await asyncio.sleep(60)
        return 1, 1

    monkeypatch.setattr(check_database, "SECONDS", 0.2)
    monkeypatch.setattr("appservice.store.db.inspect", inspect)
    assert (await found(config))["database"].says == "sqlite:coterie.db: no answer within 0.2 seconds"


async def test_a_check_leaves_no_table_behind(config: Config, folder: Path) -> None:
    from appservice.store import db

    await found(config)
    assert (await db.inspect(config.appservice.database))[0] == 0
    await db.migrate(config.appservice.database)
    before = await db.inspect(config.appservice.database)
    assert (await found(config))["schema"].says == f"{before[0]}, the newest"


# ---- the command ------------------------------------------------------------------------------------------


async def checked(coterie: Coterie) -> Result:
    """The command on a thread, so that the homeserver of the test can answer it."""
    return await asyncio.to_thread(coterie, "check")


def written(folder: Path, config: Config, owners: str = '["@ana:example.org"]') -> None:
    own = config.appservice
    text = (
        f"homeserver: {{address: '{config.homeserver.address}', domain: example.org}}\n"
        f"appservice: {{address: '{own.address}', port: {own.port}, as_token: {own.as_token}, hs_token: {own.hs_token}}}\n"
        f"groups: {{owners: {owners}}}\n"
    )
    (folder / "config.yaml").write_text(text)
    (folder / "config.yaml").chmod(0o600)


async def test_the_command_prints_a_line_each_and_ends_well(
    coterie: Coterie, folder: Path, config: Config, homeserver: fake.Homeserver
) -> None:
    written(folder, config)
    async with homeserver.running():
        result = await checked(coterie)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line[0] for line in lines] == ["✓"] * 12 + ["A"]
    assert [line[2:].partition(":")[0] for line in lines[:-1]] == ["config", *SUBJECTS]
    assert lines[0] == "✓ config: config.yaml can be used"
    assert lines[-1] == "All is well."


async def test_the_command_ends_with_exit_code_1_if_anything_is_wrong(
    coterie: Coterie, folder: Path, config: Config, homeserver: fake.Homeserver
) -> None:
    written(folder, config)
    homeserver.registration["hs_token"] = "b" * 40
    async with homeserver.running():
        result = await checked(coterie)
    assert result.exit_code == 1
    assert (
        f"✗ ping: the homeserver has another hs_token. To mend: make hs_token the same in config and registration; {RESTART}"
        in result.stdout.splitlines()
    )
    assert result.stdout.splitlines()[-1] == "1 to mend."


async def test_the_command_warns_of_secrets_for_all_to_read_and_of_nobody_to_begin(
    coterie: Coterie, folder: Path, config: Config, homeserver: fake.Homeserver
) -> None:
    written(folder, config, owners="[]")
    (folder / "config.yaml").chmod(0o644)
    async with homeserver.running():
        result = await checked(coterie)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:3] == [
        "! config: config.yaml holds secrets and every user of this machine can read it. To mend: chmod 640 config.yaml",
        "! config: nobody may create groups. To mend: fill groups.owners",
    ]


async def test_the_command_prints_no_secret_and_no_control_characters(
    coterie: Coterie, folder: Path, config: Config, homeserver: fake.Homeserver
) -> None:
    written(folder, config)
    answer = f'{{"errcode": "M_X", "error": "{config.appservice.as_token} {config.appservice.hs_token} \\u001b[2J\\u009b\\n!"}}'
    homeserver.answers["/_matrix/client/v3/account/whoami"] = (401, answer.encode())
    async with homeserver.running():
        result = await checked(coterie)
    assert r"✗ token: the homeserver refuses as_token: M_X *** *** \x1b[2J\x9b !. To mend" in result.stdout
    assert result.exit_code == 1


# ---- the door before the event ----------------------------------------------------------------------------


DOOR_TOKEN = "d" * 40


async def door_of_the_service(config: Config, token: str | None) -> Finding:
    """What is found where a service with this token runs."""
    watched = replace(config, appservice=replace(config.appservice, antispam_token=DOOR_TOKEN))

    async def nobody(user_id: str, room_id: str) -> bool:
        raise AssertionError("check asks about nobody")

    site = web.Application()
    Antispam(token, nobody, nobody).add_to(site)
    runner = web.AppRunner(site)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", config.appservice.port).start()
        return (await found(watched))["antispam"]
    finally:
        await runner.cleanup()


async def test_a_door_that_answers_is_found(config: Config) -> None:
    finding = await door_of_the_service(config, DOOR_TOKEN)
    url = f"{config.appservice.address}/_coterie/antispam"
    assert finding == Finding("antispam", Verdict.GOOD, f"{url} answers to antispam_token")


async def test_a_service_that_runs_without_the_token_is_found(config: Config) -> None:
    finding = await door_of_the_service(config, None)
    url = f"{config.appservice.address}/_coterie/antispam"
    assert (finding.verdict, finding.says) == (Verdict.BAD, f"{url} answers 404 to antispam_token")
    assert finding.mend == "restart Coterie: it read its configuration before antispam_token was set or changed"


async def test_the_door_of_a_service_that_does_not_run_is_not_checked(
    config: Config, homeserver: fake.Homeserver
) -> None:
    watched = replace(config, appservice=replace(config.appservice, antispam_token=DOOR_TOKEN))
    async with homeserver.running():
        findings = await found(watched)
    assert bad(findings) == []
    assert findings["antispam"].verdict is Verdict.SKIPPED
    assert findings["antispam"].says.endswith("/_coterie/antispam does not answer from here")
    assert list(findings) == [*SUBJECTS[:9], "antispam", *SUBJECTS[9:]]


async def test_the_stand_in_leaves_the_door_open(config: Config) -> None:
    async with stand_in(config), aiohttp.ClientSession() as session:
        for callback in ("user_may_join_room", "user_may_invite"):
            async with session.post(f"{config.appservice.address}/_coterie/antispam/{callback}", json={}) as answer:
                assert (answer.status, await answer.json()) == (200, {})


# ---- the listener in the service's place ------------------------------------------------------------------


async def test_the_stand_in_takes_pings_with_the_right_token_only_and_no_transaction(config: Config) -> None:
    url = config.appservice.address
    right = {"Authorization": f"Bearer {config.appservice.hs_token}"}
    async with stand_in(config) as found, aiohttp.ClientSession() as session:
        for headers, status in ((right, 200), ({"Authorization": "Bearer ü"}, 403), ({}, 403)):
            async with session.post(f"{url}/_matrix/app/v1/ping", headers=headers, json={}) as answer:
                assert answer.status == status
        async with session.put(f"{url}/_matrix/app/v1/transactions/1", headers=right, json={}) as answer:
            assert (answer.status, (await answer.json())["errcode"]) == (503, "M_UNKNOWN")
    assert found.heard == [True, False, False]
