"""The commands that set up, run and settle: what they print, what they write, how they end."""

# ruff: noqa: E501 - one row of a table on one line

import json
import re
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import click
import pytest
import yaml

from appservice import __version__
from appservice.cli import main
from appservice.cli.setup import example, fill
from appservice.config import Config, load
from appservice.config.rule import SAMPLE_TOKENS
from appservice.matrix.registration import registration
from appservice.store import db
from appservice.store.parked import ParkedItem
from tests.cli.conftest import INIT, Coterie
from tests.harness.spec import MISSING, load_spec

REPOSITORY = Path(__file__).parents[2]


def names(command: click.Command, *before: str) -> list[tuple[str, ...]]:
    below = command.commands.items() if isinstance(command, click.Group) else ()
    return [before, *(path for name, sub in below for path in names(sub, *before, name))]


# ---- help and version -------------------------------------------------------------------------------------


def test_these_are_the_commands() -> None:
    assert [" ".join(path) for path in names(main)][1:] == [
        "init",
        "registration",
        "check",
        "migrate",
        "run",
        "crypto",
        "crypto status",
        "crypto recovery",
        "crypto reset",
        "export",
        "parked",
        "parked list",
        "parked show",
        "parked retry",
        "parked drop",
    ]


@pytest.mark.parametrize("path", names(main), ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_helps_without_a_configuration(
    coterie: Coterie, folder: Path, path: tuple[str, ...], option: str
) -> None:
    result = coterie(*path, option)
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: {' '.join(('coterie', *path))} ")
    assert re.search(r"coterie\s+[a-z]", result.output.split("\n\n")[-1])
    assert list(folder.iterdir()) == []


def test_the_version_is_told(coterie: Coterie) -> None:
    result = coterie("--version")
    assert (result.exit_code, result.output) == (0, f"coterie {__version__}\n")
    assert f'version = "{__version__}"' in (REPOSITORY / "pyproject.toml").read_text()


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "appservice", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert result.stdout == f"coterie {__version__}\n"


def test_a_terminal_that_knows_ascii_only_gets_ascii(folder: Path, made: Coterie) -> None:
    env = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(REPOSITORY), "PATH": ""}
    command = [sys.executable, "-m", "appservice", "check"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env, check=False)
    assert result.returncode == 1
    assert result.stderr == ""
    assert result.stdout.startswith("ok  config: config.yaml can be used\nBAD homeserver: ")


# ---- errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [path for path in names(main) if path not in ((), ("init",), ("parked",), ("crypto",))], ids=" ".join
)  # fmt: skip
def test_a_command_without_a_configuration_ends_with_one_line(
    coterie: Coterie, folder: Path, words: tuple[str, ...]
) -> None:
    more = {"show": ("a1",), "drop": ("a1",), "retry": ("a1",), "export": ("a1",)}.get(words[-1], ())
    result = coterie(*words, *more)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "config.yaml: does not exist; run coterie init, or name another with --config\n"
    assert list(folder.iterdir()) == []


def test_the_configuration_may_be_named_by_option_or_variable(
    made: Coterie, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "config.yaml").rename(folder / "other.yaml")
    assert made("registration").exit_code == 1
    assert made("-c", "other.yaml", "registration").exit_code == 0
    monkeypatch.setenv("COTERIE_CONFIG", "other.yaml")
    assert made("registration").exit_code == 0


def test_a_wrong_configuration_ends_every_command_with_its_line(made: Coterie, folder: Path) -> None:
    file = folder / "config.yaml"
    file.write_text(file.read_text().replace("cap: 200", "cap: 900"))
    for command in ("registration", "run", "check", "migrate"):
        result = made(command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "config.yaml: groups.cap: must be from 1 to 500, is 900; lower it\n"


# ---- init -------------------------------------------------------------------------------------------------


def test_init_writes_a_configuration_that_works_and_says_what_comes_next(coterie: Coterie, folder: Path) -> None:
    result = coterie(*INIT)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "Wrote config.yaml and coterie-registration.yaml. Both hold secrets; only you can read them.",
        "",
        "Next:",
        "  1. Let Synapse read the registration (it runs as its own user) and name it in homeserver.yaml:",
        "       app_service_config_files:",
        f"         - {folder}/coterie-registration.yaml",
        "  2. Restart Synapse.",
        "  3. coterie check",
        "  4. coterie run",
        "  5. coterie crypto recovery, once that runs: it prints the key for the day on which the database is lost",
    ]
    config = load(folder / "config.yaml", {})
    assert (config.homeserver.address, config.homeserver.domain) == ("http://127.0.0.1:9", "example.org")
    assert config.groups.owners == ("@ana:example.org",)
    assert config.appservice.database == "sqlite:coterie.db"
    written = yaml.safe_load((folder / "coterie-registration.yaml").read_text())
    assert written == registration(config)


def test_init_makes_files_that_only_their_owner_can_read(made: Coterie, folder: Path) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {"config.yaml": 0o600, "coterie-registration.yaml": 0o600}


def test_init_keeps_the_comments_of_the_example(made: Coterie, folder: Path) -> None:
    def comments(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.lstrip().startswith("#")]

    assert comments((folder / "config.yaml").read_text()) == comments(example())
    assert len(comments(example())) > 20


def test_init_makes_fresh_tokens_each_time_and_prints_none(coterie: Coterie, folder: Path) -> None:
    tokens: set[str] = set()
    for name in ("one", "two"):
        (folder / name).mkdir()
        result = coterie("-c", f"{name}/config.yaml", *INIT)
        own = load(folder / name / "config.yaml", {}).appservice
        assert own.as_token not in result.output
        assert own.hs_token not in result.output
        assert f"coterie -c {name}/config.yaml check" in result.output
        tokens |= {own.as_token, own.hs_token}
    assert len(tokens) == 4
    assert min(map(len, tokens)) >= 43


@pytest.mark.parametrize(
    ("address", "hostname", "port"),
    [
        ("http://localhost:9000", "127.0.0.1", 9000),
        ("http://[::1]:9000", "::1", 9000),
        ("http://coterie:29333", "0.0.0.0", 29333),
        ("http://coterie", "0.0.0.0", 29333),
        ("https://coterie.example.org:8443", "0.0.0.0", 29333),
    ],
)
def test_init_listens_where_the_homeserver_will_look(
    coterie: Coterie, folder: Path, address: str, hostname: str, port: int
) -> None:
    assert coterie(*INIT, "--address", address).exit_code == 0
    own = load(folder / "config.yaml", {}).appservice
    assert (own.address, own.hostname, own.port) == (address, hostname, port)


def test_init_takes_every_option(coterie: Coterie, folder: Path) -> None:
    options = (
        "--owner",
        "@ben:example.org",
        "--address",
        "http://coterie.lan:9000/",
        "--database",
        "postgres://u:p@db/c",
    )
    assert coterie(*INIT, *options).exit_code == 0
    config = load(folder / "config.yaml", {})
    own = config.appservice
    assert config.groups.owners == ("@ana:example.org", "@ben:example.org")
    assert (own.address, own.hostname, own.port) == ("http://coterie.lan:9000", "0.0.0.0", 9000)
    assert own.database == "postgres://u:p@db/c"


@pytest.mark.parametrize("existing", ["config.yaml", "coterie-registration.yaml"])
@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_init_never_overwrites(coterie: Coterie, folder: Path, existing: str, kind: str) -> None:
    there = folder / existing
    match kind:
        case "file":
            there.write_text("mine")
        case "folder":
            there.mkdir()
        case _:
            there.symlink_to(folder / "nowhere")
    result = coterie(*INIT)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{existing}: exists already and is left as it is; move it away or choose another name\n"
    assert list(folder.iterdir()) == [there]
    assert kind != "file" or there.read_text() == "mine"


def test_init_leaves_nothing_if_the_second_file_cannot_be_made(
    coterie: Coterie, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appservice.cli.setup._refuse_existing", lambda files: None)  # it came in between
    (folder / "coterie-registration.yaml").write_text("mine")
    result = coterie(*INIT)
    assert result.exit_code == 1
    assert result.stderr == "coterie-registration.yaml: cannot be written (File exists); nothing was changed\n"
    assert [file.name for file in folder.iterdir()] == ["coterie-registration.yaml"]
    assert (folder / "coterie-registration.yaml").read_text() == "mine"


def test_init_in_a_folder_that_is_not_there_ends_with_one_line(coterie: Coterie, folder: Path) -> None:
    result = coterie("-c", "none/config.yaml", *INIT)
    assert result.exit_code == 1
    assert result.stderr == "none/config.yaml: cannot be written (No such file or directory); nothing was changed\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("--homeserver", "example.org", 'must be an http or https URL, is "example.org"; write it like https://matrix.example.org'),
        ("--domain", "https://example.org", "must be a server name, is a URL; write what follows the colon in your user id"),
        ("--owner", "ana", 'must be a Matrix user id, is "ana"; write it in quotes like "@ana:example.org"'),
        ("--address", "http://x y", "must be a URL without spaces or control characters; retype it"),
        ("--database", "mysql://x", "must begin with sqlite: or postgres://; write it like sqlite:coterie.db"),
    ],
)  # fmt: skip
def test_init_refuses_a_wrong_option_and_writes_nothing(
    coterie: Coterie, folder: Path, option: str, value: str, line: str
) -> None:
    result = coterie(*INIT, option, value)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': {line}\n" in result.stderr
    assert list(folder.iterdir()) == []


def test_init_refuses_what_only_the_whole_shows_and_writes_nothing(coterie: Coterie, folder: Path) -> None:
    result = coterie(*INIT, "--owner", "@coterie:example.org")
    assert result.exit_code == 1
    assert result.stderr == "config.yaml: groups.owners[1]: is the bot itself; name a person\n"
    assert list(folder.iterdir()) == []


def test_init_without_a_terminal_says_which_options_it_needs(coterie: Coterie, folder: Path) -> None:
    result = coterie("init", "--homeserver", "http://x")
    assert result.exit_code == 2
    assert "Error: Give --domain and --owner, or run this in a terminal to be asked.\n" in result.stderr
    assert list(folder.iterdir()) == []


def test_init_in_a_terminal_asks_for_what_is_left_open_and_asks_again_when_it_is_wrong(
    coterie: Coterie, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appservice.cli.setup._is_terminal", lambda: True)
    answers = ["example.org", "https://m.example.org", "", "ana", "@ana:m.example.org", "", ""]
    result = coterie("init", typed="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "Error: must be an http or https URL" in result.output
    assert 'Error: must be a Matrix user id, is "ana"' in result.output
    config = load(folder / "config.yaml", {})
    assert (config.homeserver.address, config.homeserver.domain) == ("https://m.example.org", "m.example.org")
    assert config.groups.owners == ("@ana:m.example.org",)
    assert config.appservice.address == "http://127.0.0.1:29333"


def test_init_uses_tokens_of_the_environment_in_the_registration(
    coterie: Coterie, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTERIE_AS_TOKEN", "e" * 40)
    assert coterie(*INIT).exit_code == 0
    assert yaml.safe_load((folder / "coterie-registration.yaml").read_text())["as_token"] == "e" * 40
    assert "e" * 40 not in (folder / "config.yaml").read_text()


def test_filling_in_a_path_that_is_not_in_the_text_is_our_own_mistake() -> None:
    assert fill("a:\n  b: 1  # c\n", {"a.b": "x"}) == 'a:\n  b: "x"\n'
    with pytest.raises(KeyError, match=r"a\.c"):
        fill("a:\n  b: 1\n", {"a.c": 1})


# ---- registration -----------------------------------------------------------------------------------------


def test_the_registration_is_that_of_the_configuration(made: Coterie, folder: Path) -> None:
    result = made("registration")
    own = load(folder / "config.yaml", {}).appservice
    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout) == {
        "id": "coterie",
        "url": "http://127.0.0.1:29333",
        "as_token": own.as_token,
        "hs_token": own.hs_token,
        "sender_localpart": "_coterie_sender",
        "rate_limited": False,
        "receive_ephemeral": False,
        "io.element.msc4190": True,
        "namespaces": {
            "users": [
                {"exclusive": True, "regex": r"@coterie:example\.org$"},
                {"exclusive": True, "regex": r"@coterie_.*:example\.org$"},
            ],
            "aliases": [],
            "rooms": [],
        },
    }
    assert result.stdout == (folder / "coterie-registration.yaml").read_text()


@pytest.mark.parametrize(
    ("bot", "domain", "own", "others"),
    [
        ("shop.bot", "my-hs.example.org:8448", "@shop.bot:my-hs.example.org:8448", "@shopxbot:my-hs.example.org:8448"),
        ("coterie", "example.org", "@coterie_otter:example.org", "@coterie_otter:exampleXorg"),
        ("coterie", "[::1]:8448", "@coterie:[::1]:8448", "@coterie:::8448"),
        ("coterie", "example.org", "@coterie:example.org", "@coterie2:example.org"),
    ],
)  # fmt: skip
def test_namespaces_hold_own_users_and_nobody_else(
    made: Coterie, folder: Path, bot: str, domain: str, own: str, others: str
) -> None:
    config = load(folder / "config.yaml", {})
    config = replace(
        config,
        homeserver=replace(config.homeserver, domain=domain),
        appservice=replace(config.appservice, bot_username=bot),
    )
    namespaces: Any = registration(config)["namespaces"]
    regexes = [re.compile(one["regex"]) for one in namespaces["users"]]
    assert any(regex.match(own) for regex in regexes)
    assert not any(regex.match(others) for regex in regexes)


def test_the_registration_is_valid_by_the_specification(made: Coterie) -> None:
    spec = load_spec()
    if spec is None:
        pytest.skip(MISSING)
    spec.validate_registration(yaml.safe_load(made("registration").stdout))


def test_the_registration_may_go_to_a_new_file_and_never_over_another(made: Coterie, folder: Path) -> None:
    result = made("registration", "-o", "r.yaml")
    assert (result.exit_code, result.output) == (0, "Wrote r.yaml.\n")
    assert stat.S_IMODE((folder / "r.yaml").stat().st_mode) == 0o600
    assert (folder / "r.yaml").read_text() == made("registration").stdout
    (folder / "r.yaml").write_text("mine")
    assert made("registration", "-o", "r.yaml").exit_code == 1
    assert (folder / "r.yaml").read_text() == "mine"


def test_the_sample_registration_is_that_of_the_example(folder: Path) -> None:
    text = example()
    for sample in SAMPLE_TOKENS:
        text = text.replace(sample, f"{sample}-now-it-is")
    (folder / "config.yaml").write_text(text)
    made = registration(load(folder / "config.yaml", {}))
    sample = yaml.safe_load((REPOSITORY / "registration.yaml").read_text())
    assert {sample["as_token"], sample["hs_token"]} == SAMPLE_TOKENS
    tokens = ("as_token", "hs_token")
    assert sample == {**made, **{key: str(made[key]).removesuffix("-now-it-is") for key in tokens}}
    assert list(sample) == list(made)


# ---- run and migrate --------------------------------------------------------------------------------------


def test_migrate_tells_the_schema_before_and_after(made: Coterie, folder: Path) -> None:
    first, second = made("migrate"), made("migrate")
    found = re.fullmatch(r"sqlite:coterie\.db: schema was 0, is (\d+)\n", first.stdout)
    assert found
    assert second.stdout == f"sqlite:coterie.db: schema was {found[1]}, is {found[1]}\n"
    assert (folder / "coterie.db").is_file()


@pytest.mark.parametrize("command", [("migrate",), ("parked", "list"), ("parked", "retry", "--all"), ("export", "b1")])
def test_a_database_that_cannot_be_opened_ends_with_one_line_without_its_password(
    made: Coterie, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COTERIE_DATABASE", "postgres://ana:correct-horse@127.0.0.1:1/coterie")
    result = made(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(r"postgres://127\.0\.0\.1:1/coterie: .+; see coterie check\n", result.stderr)
    assert "correct-horse" not in result.stderr


def test_a_service_that_cannot_start_ends_with_one_line(made: Coterie, monkeypatch: pytest.MonkeyPatch) -> None:
    app = pytest.importorskip("appservice.app")

    async def run(config: Config) -> None:
        raise db.AlreadyRunning(f"made by a newer\n{config.appservice.as_token}")

    monkeypatch.setattr(app, "run", run)
    result = made("run")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "cannot run: AlreadyRunning: made by a newer ***; see coterie check\n"


def test_a_fault_of_ours_keeps_its_traceback(made: Coterie, monkeypatch: pytest.MonkeyPatch) -> None:
    async def migrate(url: str) -> tuple[int, int]:
        raise ZeroDivisionError

    monkeypatch.setattr("appservice.store.db.migrate", migrate)
    with pytest.raises(ZeroDivisionError):
        made("migrate")


def test_run_runs_the_service_with_the_configuration(
    made: Coterie, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = pytest.importorskip("appservice.app")
    seen: list[object] = []

    async def run(config: object) -> None:
        seen.append(config)

    monkeypatch.setattr(app, "run", run)
    result = made("run")
    assert (result.exit_code, result.output) == (0, "")
    assert seen == [load(folder / "config.yaml", {})]


# ---- parked -----------------------------------------------------------------------------------------------

ARRIVAL = ParkedItem(
    "a7", "arrival", "!room:hs", "m.room.message", "ValueError: bad\nvalue", 5, 1_750_000_000_123, '{"body": "hé\\u009b2J"}'
)  # fmt: skip
EFFECT = ParkedItem("e12", "effect", "!other:hs", "SendMessage", "M_FORBIDDEN", 1, 1_750_000_060_000, "{}")


@dataclass
class FakeParked:
    """The store's Parked, holding what the test put in `things`."""

    database: object
    things: ClassVar[dict[str, ParkedItem]] = {}

    async def list(self) -> list[ParkedItem]:
        return [*self.things.values()]

    async def show(self, id: str) -> ParkedItem | None:
        return self.things.get(id)

    async def retry(self, id: str) -> bool:
        return self.things.pop(id, None) is not None

    async def drop(self, id: str) -> bool:
        return self.things.pop(id, None) is not None


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> dict[str, ParkedItem]:
    things = {"a7": ARRIVAL, "e12": EFFECT}
    monkeypatch.setattr(FakeParked, "things", things)
    monkeypatch.setattr("appservice.store.parked.Parked", FakeParked)
    return things


def test_parked_list_is_a_table_without_content(made: Coterie, things: dict[str, ParkedItem]) -> None:
    result = made("parked", "list")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "ID   KIND     WHAT            ROOM       TRIES  SINCE                 ERROR",
        "a7   arrival  m.room.message  !room:hs   5      2025-06-15 15:06:40Z  ValueError: bad value",
        "e12  effect   SendMessage     !other:hs  1      2025-06-15 15:07:40Z  M_FORBIDDEN",
    ]
    as_json = json.loads(made("parked", "list", "--json").stdout)
    assert [sorted(one) for one in as_json] == [
        ["attempts", "error", "id", "kind", "received_at", "room_id", "what"]
    ] * 2
    assert as_json[0]["received_at"] == 1_750_000_000_123


def test_parked_list_says_so_when_there_is_nothing(made: Coterie) -> None:
    assert made("parked", "list").stdout == "Nothing is set aside.\n"
    assert json.loads(made("parked", "list", "--json").stdout) == []


def test_parked_show_shows_content_that_cannot_steer_the_terminal(made: Coterie, things: dict[str, ParkedItem]) -> None:
    result = made("parked", "show", "a7")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-4:] == ["content:", "{", r'  "body": "hé\x9b2J"', "}"]
    assert json.loads(made("parked", "show", "a7", "--json").stdout)["content"] == {"body": "hé\x9b2J"}


@pytest.mark.parametrize("command", ["show", "drop", "retry"])
def test_an_id_that_is_not_set_aside_ends_with_one_line(
    made: Coterie, things: dict[str, ParkedItem], command: str
) -> None:
    result = made("parked", command, "a\x1b8")
    assert result.exit_code == 1
    assert result.stderr == "not set aside: a\\x1b8; see coterie parked list\n"
    assert len(things) == 2


def test_parked_retry_takes_ids_or_all(made: Coterie, things: dict[str, ParkedItem]) -> None:
    assert made("parked", "retry").exit_code == 2
    assert made("parked", "retry", "a7", "--all").exit_code == 2
    assert len(things) == 2
    result = made("parked", "retry", "a8", "a7")
    assert (result.exit_code, result.stdout) == (1, "a7: will be tried again\n")
    assert result.stderr == "not set aside: a8; see coterie parked list\n"
    assert list(things) == ["e12"]
    result = made("parked", "retry", "--all")
    assert (result.exit_code, result.stdout) == (0, "e12: will be tried again\n")
    assert things == {}


def test_parked_drop_asks_first(made: Coterie, things: dict[str, ParkedItem]) -> None:
    refused = made("parked", "drop", "a7", typed="n\n")
    assert refused.exit_code == 1
    assert refused.stdout.startswith("Give up arrival a7 (m.room.message in !room:hs) for good? [y/N]")
    assert list(things) == ["a7", "e12"]
    assert made("parked", "drop", "a7", typed="y\n").exit_code == 0
    assert list(things) == ["e12"]
    result = made("parked", "drop", "e12", "--yes")
    assert (result.exit_code, result.stdout) == (0, "e12: given up\n")
    assert things == {}


def test_parked_works_on_the_real_store(made: Coterie) -> None:
    assert made("parked", "show", "a1").exit_code == 1
    assert made("parked", "retry", "--all").exit_code == 0
    assert made("parked", "drop", "e1", "--yes").exit_code == 1
