"""Complete tables: what is named in one place of the code is known in every other that has to know it."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from appservice import routes, wire
from appservice.actions import booking
from appservice.cli.setup import example, fill
from appservice.commands.table import TABLE
from appservice.config import parse
from appservice.domain import effect, fulfilment, group_buy
from appservice.domain.clearing import Tier
from appservice.domain.group_buy import Status
from appservice.domain.guarding import GUARDED
from appservice.domain.refusal import Reason, Refusal
from appservice.present.words import refusals as sentences
from appservice.store.rooms import RoomKind
from appservice.wire.event import Event

ROOT = Path(__file__).parents[2]
CODE = ROOT / "appservice"
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(CODE.rglob("*.py"))}
EVENTS = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
OURS = re.compile(r"shop\.coterie\.[a-z_]+")
LONGEST_FILE = 350


def nodes(kind: type[ast.AST], *folders: str) -> Iterator[tuple[Path, Any]]:
    """Every node of a kind in the code, or in some of its folders."""
    for file, tree in TREES.items():
        if not folders or file.relative_to(CODE).parts[0] in folders:
            yield from ((file, node) for node in ast.walk(tree) if isinstance(node, kind))


def constants(kind: type, *folders: str) -> Iterator[tuple[Path, Any]]:
    """Every literal of a type."""
    return ((file, node.value) for file, node in nodes(ast.Constant, *folders) if isinstance(node.value, kind))


def called(node: ast.Call) -> str:
    """How a call is written, without its arguments."""
    return ast.unparse(node.func)


def resolved(node: ast.expr) -> str:
    """A literal text, or the constant of routes.py that a name stands for."""
    return str(node.value) if isinstance(node, ast.Constant) else str(getattr(routes, ast.unparse(node).split(".")[-1]))


# Events


def wire_types() -> dict[str, str]:
    """The TYPE of every module in wire/, by the module's name."""
    files = Path(wire.__file__).parent.glob("[a-z]*.py")
    modules = {file.stem: __import__(f"appservice.wire.{file.stem}", fromlist=["TYPE"]) for file in files}
    return {name: module.TYPE for name, module in modules.items() if hasattr(module, "TYPE")}


@pytest.mark.parametrize("module", wire_types())
def test_every_type_of_wire_is_read_or_written(module: str) -> None:
    """Read: in ROUTES. Written: some room above wire uses the module's TYPE."""
    names = {alias.asname or alias.name for _, node in nodes(ast.ImportFrom) for alias in node.names
             if alias.name == module and node.module == "appservice.wire"}  # fmt: skip
    used = {file for file, node in nodes(ast.Attribute)
            if node.attr == "TYPE" and ast.unparse(node.value) in names and file.parent.name != "wire"}  # fmt: skip
    written = {file.relative_to(CODE).parts[0] for file in used} & {"present", "actions", "matrix"}
    assert wire_types()[module] in routes.ROUTES or written


def test_every_route_reads_a_type_of_wire() -> None:
    assert set(routes.ROUTES) <= {*wire_types().values(), *GUARDED}


def test_every_name_of_ours_is_documented_and_nothing_else_is() -> None:
    in_code = {name for _, text in constants(str) for name in OURS.findall(text)}
    documented = set(re.findall(r"^\| `(shop\.coterie\.\w+)`", EVENTS, re.MULTILINE))
    assert in_code == documented
    headed = {name for line in EVENTS.splitlines() for name in OURS.findall(line) if line.startswith(("#", "`"))}
    assert headed == documented, "each has its section"


async def test_what_the_bot_itself_sends_is_never_journaled_but_for_whom_it_removes_and_its_sign_of_a_start() -> None:
    config = parse(filled_example(), ROOT / "config.yaml", {})
    types = [type for type in routes.ROUTES if type not in ("m.room.member", "shop.coterie.started")]
    own = [Event(f"${type}", "!room", type, config.bot_mxid, None, {}) for type in types]
    assert await routes.wanted(None, config, own) == set()  # type: ignore[arg-type]  # it must not even look


# Refusals


def refusals() -> Iterator[tuple[str, Reason, dict[str, Any]]]:
    """Every `refuse(Reason.X, …)` of the code: where, the reason, and sample values for its details; once for each
    `why` where the code chooses one."""
    for file, node in nodes(ast.Call):
        if called(node).split(".")[-1] == "refuse" and node.args and called_reason(node.args[0]):
            assert all(k.arg for k in node.keywords), f"{file}:{node.lineno}: details are to be seen at the call"
            details = {str(k.arg): sample(str(k.arg), k.value) for k in node.keywords}
            where = f"{file.relative_to(ROOT)}:{node.lineno}"
            for why in chosen_whys(file, node) or [details.get("why")]:
                yield where, Reason[called_reason(node.args[0])], details | ({"why": why} if why else {})


def chosen_whys(file: Path, call: ast.Call) -> list[str]:
    """What `why` may be where the code chooses it: either side of an `if`, or the names with which those pairs begin
    among which the function looks for it."""
    match next((k.value for k in call.keywords if k.arg == "why"), None):
        case ast.IfExp(_, ast.Constant(one), ast.Constant(other)):
            return [str(one), str(other)]
        case ast.Name():
            [around] = [n for n in ast.walk(TREES[file]) if isinstance(n, ast.FunctionDef) and call in ast.walk(n)]
            firsts = [node.elts[0] for node in ast.walk(around) if isinstance(node, ast.Tuple) and node.elts]
            found = [str(first.value) for first in firsts if isinstance(first, ast.Constant)]
            assert found, f"{file}:{call.lineno}: what can the reason be?"
            return found
        case _:
            return []


def called_reason(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Reason" else ""


def sample(name: str, value: ast.expr) -> Any:
    if isinstance(value, ast.Constant):
        return value.value
    if name in ("first", "second"):
        return Tier(10, 7900)
    if name == "choices":
        return [("Merino throw", "gatw5j", "!pledge 3 gatw5j")]
    if name == "currency":
        return "EUR"
    if name in ("status", "to"):
        return Status.OPEN
    if name in ("allowed", "variants"):
        return (Status.ORDERED,) if name == "allowed" else ("S", "M")
    if name in ("most", "cap", "pack", "units", "price", "least", "step", "amount", "given", "expected", "count"):
        return 500
    return "something"


@pytest.mark.parametrize(("reason", "details"), [row[1:] for row in refusals()], ids=[row[0] for row in refusals()])
def test_every_refusal_has_its_sentence_with_the_details_that_it_needs(reason: Reason, details: dict[str, Any]) -> None:
    sentence = sentences.refusal(Refusal(reason, details))
    assert len(sentence) > 10
    assert "None" not in sentence


def test_each_why_of_a_reason_has_a_sentence_of_its_own() -> None:
    """A mistyped `why` would fall to another one's sentence."""
    said: dict[tuple[Reason, str], set[Any]] = {}
    for _, reason, details in refusals():
        if "why" in details and reason is not Reason.SUSPENDED:  # there it is a concierge's own words
            said.setdefault((reason, sentences.refusal(Refusal(reason, details))), set()).add(details["why"])
    assert {told: whys for told, whys in said.items() if len(whys) > 1} == {}


def test_every_reason_is_given_somewhere_and_has_one_sentence() -> None:
    # some are chosen first and given afterwards: `return Reason.OWNERS_ONLY`
    mentioned = {node.attr for file, node in nodes(ast.Attribute)
                 if ast.unparse(node.value) == "Reason" and file.parent.name != "words"}  # fmt: skip
    assert mentioned == {reason.name for reason in Reason}
    assert set(sentences._REFUSALS) == set(Reason)


# Effects, answers, timers


def function(file: str, name: str) -> ast.AST:
    """A function or method of a module."""
    [found] = [node for node in ast.walk(TREES[CODE / file])
               if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name]  # fmt: skip
    return found


def cases(tree: ast.AST) -> set[str]:
    """The classes that the cases of a function's match statements name."""
    return {ast.unparse(node.cls) for node in ast.walk(tree) if isinstance(node, ast.MatchClass)}


def test_every_effect_is_in_the_closed_list_and_has_its_case_in_the_sender() -> None:
    defined = {name for name, value in vars(effect).items() if is_dataclass(value)}
    assert {one.__name__ for one in effect.EFFECTS} == defined == {one.__name__ for one in get_args(effect.Effect)}
    assert cases(function("matrix/sender.py", "perform")) == defined


def test_every_effect_says_its_lane() -> None:
    assert [one.__name__ for one in effect.EFFECTS if not isinstance(vars(one).get("lane"), property)] == []


def handled(package: str, prefix: str) -> set[str]:
    """The classes that have a case in a package's functions whose names begin so, private ones included."""
    found = [node for file, node in nodes(ast.FunctionDef, "domain")
             if file.parent.name == package and node.name.lstrip("_").startswith(prefix)]  # fmt: skip
    return set().union(*map(cases, found))


@pytest.mark.parametrize("package", [group_buy, fulfilment], ids=["group buy", "fulfilment"])
def test_every_request_is_decided_and_every_fact_changes_the_state_and_has_its_name_in_the_ledger(package: Any) -> None:
    name = package.__name__.split(".")[-1]
    requests, facts = ({one.__name__ for one in get_args(union)} for union in (package.Request, package.Fact))
    # the step that both take is decided in one place, and what is first decided is not all that follows
    assert handled(name, "decide") | handled(name, "first_facts") | handled(name, "step") >= requests
    assert handled(name, "evolve") == facts
    assert set(get_args(package.Fact)) <= set(booking.NAMES)


def test_the_ledgers_names_of_facts_are_of_facts_and_each_of_one() -> None:
    assert set(booking.NAMES) == {*get_args(group_buy.Fact), *get_args(fulfilment.Fact)}
    names = [*booking.NAMES.values(), "drafted", "order", "house"]
    assert len(set(names)) == len(names)
    written = {node.args[2].value for _, node in nodes(ast.Call, "actions")
               if called(node) == "_line" and isinstance(node.args[2], ast.Constant)}  # fmt: skip
    assert written == {"drafted", "order", "house"}


def test_every_answer_that_an_effect_names_has_its_route_and_the_reverse() -> None:
    made = {one.__name__ for one in effect.EFFECTS} | {"tell_desk"}
    named = {resolved(keyword.value) for _, node in nodes(ast.Call) if called(node) in made
             for keyword in node.keywords if keyword.arg == "answer"}  # fmt: skip
    assert named | {routes.DIRECT_LOST} == set(routes.ANSWERS)


def test_every_timer_that_is_set_has_its_route_and_the_reverse() -> None:
    def is_set(node: ast.Call) -> bool:
        return called(node).endswith((".timers.set", ".timers.set_earlier"))

    kinds = {resolved(node.args[0]) for _, node in nodes(ast.Call, "actions", "app.py", "routes") if is_set(node)}
    assert kinds == set(routes.TIMERS)


def test_every_kind_of_room_is_a_place() -> None:
    assert set(routes._PLACES) == set(RoomKind)


# Commands


@pytest.mark.parametrize("command", TABLE.values(), ids=lambda command: command.name)
def test_every_command_has_a_usage_that_begins_with_it_and_a_summary(command: Any) -> None:
    assert command.usage.startswith(f"!{command.name}")
    assert command.summary
    assert command.summary[0].islower()
    assert not command.summary.endswith(".")
    assert command.places
    assert re.fullmatch(r"[a-z]+(-[a-z]+)?", command.name)


def test_every_module_of_commands_is_in_the_table() -> None:
    defined = [node.args[0].value for _, node in nodes(ast.Call, "commands") if called(node) == "Command"]
    assert sorted(defined) == sorted(TABLE)


# Files


def filled_example() -> str:
    """config/example.yaml with tokens of its own."""
    return fill(example(), {"appservice.as_token": "a" * 32, "appservice.hs_token": "b" * 32})


def test_the_example_configuration_loads() -> None:
    config = parse(filled_example(), ROOT / "config" / "example.yaml", {})
    assert config.bot_mxid == "@coterie:example.org"
    assert (ROOT / "config" / "example.yaml").read_text(encoding="utf-8") == example()


def test_no_file_of_the_service_is_long() -> None:
    lengths = {file.relative_to(ROOT).as_posix(): len(file.read_text().splitlines()) for file in TREES}
    assert {file: lines for file, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_every_package_says_what_lives_there() -> None:
    packages = [file for file in TREES if file.name == "__init__.py"]
    assert [str(file) for file in packages if not ast.get_docstring(TREES[file])] == []


def tracked() -> list[Path]:
    """The files that git has, or would take."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(listed, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git repository")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def found_in_tracked_files(pattern: Callable[[str], list[str]]) -> list[str]:
    found = []
    for file in tracked():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{file.relative_to(ROOT)}: {what}" for what in pattern(text)]
    return found


def test_no_tracked_file_names_a_package_registry() -> None:
    # in pieces, so that this file names none either
    hosts = re.compile("|".join([r"pypi" + r"\.org", r"python" + r"hosted\.org", r"npm" + r"js\.", r"--index" + r"-url",
                                 r"deb\.debian" + r"\.org", r"PIP_" + r"INDEX_URL"]))  # fmt: skip
    assert found_in_tracked_files(hosts.findall) == []


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    paths = re.compile(r"(?<![\w.~-])/(?:work|home|root|Users)" + r"/[\w.-]+" + r"|/tmp/" + r"(?:w|docs)\b")
    assert found_in_tracked_files(paths.findall) == []


def test_no_tracked_file_holds_a_token() -> None:
    """What `coterie init` makes: 64 characters that nobody would write by hand."""
    token = re.compile(r"(?:as|hs)_token: ([\w-]{60,})")
    assert found_in_tracked_files(token.findall) == []
