"""A real Synapse in a subprocess, alone or as one of two that federate."""

# ruff: noqa: ASYNC109 - the time limit belongs to the failure's message

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import hmac
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml
from signedjson.key import generate_signing_key, write_signing_keys

from tests.harness.ports import reserve_port
from tests.harness.process import Process

_SECRET = "coterie-test"
_LIMITS = (
    "rc_3pid_validation",
    "rc_admin_redaction",
    "rc_delayed_event_mgmt",
    "rc_joins_per_room",
    "rc_key_requests",
    "rc_media_create",
    "rc_message",
    "rc_profile",
    "rc_registration",
    "rc_registration_token_validity",
    "rc_reports",
    "rc_room_creation",
    "rc_third_party_invite",
    "rc_user_directory",
)
_OFF = {"per_second": 100_000, "burst_count": 100_000}
_NO_LIMITS: dict[str, Any] = {
    **dict.fromkeys(_LIMITS, _OFF),
    "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), _OFF),
    "rc_joins": dict.fromkeys(("local", "remote"), _OFF),
    "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), _OFF),
    "rc_presence": {"per_user": _OFF},
    "rc_federation": {"sleep_limit": 10_000, "reject_limit": 10_000, "concurrent": 100},
}
_LOGGING = {
    "version": 1,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    # its warnings are about the harness's own choices (limits off, SQLite)
    "loggers": {
        "synapse.config": {"level": "ERROR"},
        "synapse.storage.txn": {"level": "ERROR"},
        "synapse_http_antispam": {"level": "INFO"},  # says whether its ping was answered
    },
    "disable_existing_loggers": False,
}


class Synapse:
    """A homeserver on SQLite in `directory`; `async with` starts and stops it.

    Its port is fixed when the object is made, so an application service can be told the address
    before either runs, and both can be restarted. Files outlive it: they belong to the caller.
    """

    def __init__(
        self,
        directory: Path,
        *,
        server_name: str = "coterie.test",
        registrations: Sequence[Mapping[str, Any]] = (),
        config: Mapping[str, Any] | None = None,
        port: int | None = None,
    ) -> None:
        self.directory = directory
        self.server_name = server_name
        self.registrations = list(registrations)
        self.port = port or reserve_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = dict(config or {})
        argv = [sys.executable, "-m", "synapse.app.homeserver", "-c", str(directory / "homeserver.yaml")]
        self.process = Process(f"Synapse {server_name}", argv, log=directory / "synapse.log", cwd=directory)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def user_id(self, localpart: str) -> str:
        return f"@{localpart}:{self.server_name}"

    def add_registration(self, registration: Mapping[str, Any]) -> None:
        """Let an application service in; takes effect at the next start."""
        self.registrations.append(registration)

    async def start(self, *, timeout: float = 60) -> None:
        """Write the files and return when it answers."""
        self._write_files()
        self.process.spawn()
        try:
            await self.process.ready(f"{self.url}/health", timeout=timeout)
        except BaseException:
            await self.process.kill()
            raise

    async def stop(self, *, timeout: float = 10) -> None:
        """SIGTERM, then SIGKILL after `timeout` seconds. Not running is fine."""
        await self.process.terminate(timeout=timeout)

    async def kill(self) -> None:
        """`kill -9`."""
        await self.process.kill()

    async def restart(self) -> None:
        """Stop and start on the same port with the same data."""
        await self.stop()
        await self.start()

    async def register_user(
        self, localpart: str, password: str, displayname: str | None = None, *, admin: bool = False
    ) -> str:
        """Make an account by the shared secret; its user id."""
        url = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession() as http:
            async with http.get(url) as answer:
                nonce = (await answer.json())["nonce"]
            signed = "\0".join((nonce, localpart, password, "admin" if admin else "notadmin"))
            mac = hmac.new(_SECRET.encode(), signed.encode(), hashlib.sha1).hexdigest()
            body = {"nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac}
            if displayname is not None:
                body["displayname"] = displayname
            async with http.post(url, json=body) as answer:
                result = await answer.json()
                assert answer.status == 200, f"{localpart} could not be registered: {result}"
                return str(result["user_id"])

    def _write_files(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        key = self.directory / "signing.key"
        if not key.exists():
            with key.open("w") as file:
                write_signing_keys(file, [generate_signing_key("a_1")])
        files = []
        for registration in self.registrations:
            files.append(self._write(f"registration-{registration['id']}.yaml", registration))
        self._write("log.yaml", _LOGGING)
        self._write("homeserver.yaml", {**self._defaults(), "app_service_config_files": files, **self.config})

    def _write(self, name: str, value: Mapping[str, Any]) -> str:
        path = self.directory / name
        # a copy without YAML anchors: one dict is used many times above
        path.write_text(yaml.dump(value, Dumper=_NoAnchors, sort_keys=False))
        return str(path)

    def _defaults(self) -> dict[str, Any]:
        plain = {"port": self.port, "type": "http", "tls": False, "bind_addresses": ["127.0.0.1"]}
        return {
            "server_name": self.server_name,
            "public_baseurl": f"{self.url}/",
            "report_stats": False,
            "log_config": str(self.directory / "log.yaml"),
            "signing_key_path": str(self.directory / "signing.key"),
            "media_store_path": str(self.directory / "media"),
            "registration_shared_secret": _SECRET,
            "macaroon_secret_key": _SECRET,
            "form_secret": _SECRET,
            "bcrypt_rounds": 4,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "room_list_publication_rules": [{"action": "allow"}],  # as many operators have it; the default is nobody
            "filter_timeline_limit": -1,  # clients here ask for long timelines rather than miss an event
            "presence": {"enabled": False},
            "database": {"name": "sqlite3", "args": {"database": str(self.directory / "homeserver.db")}},
            "listeners": [{**plain, "resources": [{"names": ["client", "federation"]}]}],
            **_NO_LIMITS,
        }


class _NoAnchors(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@contextlib.asynccontextmanager
async def running(*homeservers: Synapse) -> AsyncIterator[None]:
    """Start several side by side, stop them at the end."""
    async with contextlib.AsyncExitStack() as stack:
        for one in homeservers:
            stack.push_async_callback(one.stop)
        await asyncio.gather(*(one.start() for one in homeservers))
        yield


@contextlib.asynccontextmanager
async def federated_pair(directory: Path) -> AsyncIterator[tuple[Synapse, Synapse]]:
    """Two homeservers that federate with each other over TLS, running."""
    pair = make_federated_pair(directory)
    async with running(*pair):
        yield pair


def make_federated_pair(directory: Path) -> tuple[Synapse, Synapse]:
    """The same two, not started: names and addresses are known, registrations can be added."""
    directory.mkdir(parents=True, exist_ok=True)
    certificate, key = _write_certificate(directory)
    return _federating(directory / "one", certificate, key), _federating(directory / "two", certificate, key)


def _federating(directory: Path, certificate: Path, key: Path) -> Synapse:
    port = reserve_port()
    hs = Synapse(directory, server_name=f"localhost:{port}")
    local: dict[str, Any] = {"type": "http", "bind_addresses": ["127.0.0.1"]}
    hs.config |= {
        "tls_certificate_path": str(certificate),
        "tls_private_key_path": str(key),
        "federation_verify_certificates": False,
        "ip_range_blacklist": [],  # else no federation with loopback; the newer spelling is ignored
        "federation": {"destination_min_retry_interval": "1s", "destination_max_retry_interval": "2s"},
        "listeners": [
            {**local, "port": hs.port, "tls": False, "resources": [{"names": ["client", "federation"]}]},
            {**local, "port": port, "tls": True, "resources": [{"names": ["federation"]}]},
        ],
    }
    return hs


def _write_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for `localhost` and its key, as PEM files."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = directory / "tls.crt", directory / "tls.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, plain))
    return files
