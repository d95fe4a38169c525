"""The documents tell the truth where a program can check it: names, paths, links, commands, keys."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import click
import pytest

from appservice.cli import main
from appservice.commands.buys import EXAMPLES
from appservice.commands.command import EVERYWHERE, Command
from appservice.commands.table import TABLE
from appservice.config import Config
from appservice.domain.cause import Place
from appservice.domain.member import Role
from appservice.routes import TIMERS
from appservice.wire.reaction import OFFERED

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
ADRS = sorted((DOCS / "adr").glob("[0-9]*.md"))
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """A page without what stands in fences."""
    return FENCED.sub("", TEXTS[page])


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# Every page


@every_page
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{target} is not there"
        assert there.is_relative_to(ROOT), f"{target} is outside the repository"
        assert not anchor or anchor in anchors(there), f"{target} has no such heading"


@every_page
def test_every_path_that_is_named_exists(page: Path) -> None:
    for name in INLINE.findall(prose(page)):
        if re.fullmatch(r"(appservice|tests|docs|config|tools)/[\w./-]+", name):
            assert (ROOT / name).exists(), f"{name} is not there"


@every_page
def test_every_service_command_that_is_named_exists(page: Path) -> None:
    typed = re.findall(r"^(?:\$ )?coterie (\w.*)$", "\n".join(FENCED.findall(TEXTS[page])), re.MULTILINE)
    typed += [code.removeprefix("coterie ") for code in INLINE.findall(prose(page)) if code.startswith("coterie ")]
    for text in typed:
        command: click.Command = main
        for word in re.sub(r"^-\S+( FILE)?", "", text).split():
            if isinstance(command, click.Group):
                assert word in command.commands, f"coterie {text}: there is no {word}"
                command = command.commands[word]


@every_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in re.findall(r"(?:^|`)make ([a-z]+)", TEXTS[page], re.MULTILINE):
        assert name in targets, f"there is no make {name}"


@every_page
def test_every_configuration_key_that_is_named_exists(page: Path) -> None:
    sections = {name: hint for name, hint in get_type_hints(Config).items() if is_dataclass(hint)}
    for name, key in re.findall(r"`([a-z]+)\.([a-z_]+)`", prose(page)):
        if name in sections and key != "yaml":
            known = {field.name for field in fields(sections[name])}
            assert key.removesuffix("_file") in known, f"{name}.{key} is no key of the configuration"


@every_page
def test_every_chat_command_that_is_named_exists(page: Path) -> None:
    for name in re.findall(r"(?<![\w`!])`?!([a-z]+)\b", TEXTS[page]):
        assert name in TABLE, f"there is no !{name}"


# Pages that list things


def test_every_chat_command_is_in_using_with_its_usage_role_and_places() -> None:
    found = re.search(r"<!-- commands -->\n\n(.*?)\n\n<!-- /commands -->", TEXTS[DOCS / "using.md"], re.DOTALL)
    assert found
    assert found[1] == command_table(), f"docs/using.md needs:\n\n{command_table()}"


def command_table() -> str:
    """The table of docs/using.md, made from the table of commands."""
    rows = ["| command | you write | it does | who | where |", "|---|---|---|---|---|"]
    for command in TABLE.values():
        usage = command.usage.replace("|", "\\|")
        rows.append(f"| `!{command.name}` | {usage} | {command.summary} | {_who(command)} | {_where(command)} |")
    return "\n".join(rows)


def test_every_word_after_buy_is_in_group_buys_with_its_example() -> None:
    found = re.search(
        r"<!-- words of buy -->\n\n(.*?)\n\n<!-- /words of buy -->", TEXTS[DOCS / "group-buys.md"], re.DOTALL
    )
    rows = ["| you write | to |", "|---|---|", *(f"| `{example}` | {summary} |" for example, summary in EXAMPLES)]
    table = "\n".join(rows)
    assert found
    assert found[1] == table, f"docs/group-buys.md needs:\n\n{table}"


def _who(command: Command) -> str:
    if command.for_listed_owners:
        return "whom the operator lists"
    named = {Role.STRANGER: "anyone", Role.MEMBER: "members", Role.CONCIERGE: "concierges", Role.OWNER: "owners"}
    return named[command.role]


def _where(command: Command) -> str:
    named = {Place.GROUP: "group", Place.DESK: "desk", Place.DIRECT: "direct message"}
    return "anywhere" if command.places == EVERYWHERE else ", ".join(named[p] for p in Place if p in command.places)


@pytest.mark.parametrize("key", OFFERED)
def test_every_reaction_that_is_offered_is_in_using(key: str) -> None:
    assert f"`{key}`" in TEXTS[DOCS / "using.md"]


def test_every_command_of_the_service_is_in_install() -> None:
    def leaves(command: click.Command, path: str) -> list[str]:
        if isinstance(command, click.Group):
            return [leaf for name, inner in command.commands.items() for leaf in leaves(inner, f"{path} {name}")]
        return [path]

    missing = [path for path in leaves(main, "coterie") if path not in TEXTS[DOCS / "install.md"]]
    assert missing == []


def test_every_timer_is_in_architecture() -> None:
    table = TEXTS[DOCS / "architecture.md"].partition("## Timers")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(TIMERS)


def test_the_glossary_has_one_row_for_each_word_in_order() -> None:
    for section in TEXTS[DOCS / "glossary.md"].split("\n## ")[1:]:
        words = re.findall(r"^\| (?!word|-)([^|]+) \|", section, re.MULTILINE)
        assert words == sorted(words, key=str.casefold)
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("module", sorted((ROOT / "appservice" / "domain").glob("[a-z]*")), ids=lambda m: m.stem)
def test_every_noun_of_the_domain_is_in_the_glossary(module: Path) -> None:
    if module.stem in ("ids", "text", "money", "duration"):  # of every program, not of this one
        return
    rows = re.findall(r"^\| ([^|]+) \|", TEXTS[DOCS / "glossary.md"], re.MULTILINE)
    words = {word for row in rows for word in row.split(", ")}
    assert module.stem.replace("_", " ") in words


# Decisions


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    assert [int(file.name[:4]) for file in ADRS] == list(range(1, len(ADRS) + 1))
    listed = re.findall(
        r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \| (.+) \|$", TEXTS[DOCS / "adr" / "README.md"], re.MULTILINE
    )
    assert [row[1] for row in listed] == [file.name for file in ADRS]
    for number, name, title, tags in listed:
        assert TEXTS[DOCS / "adr" / name].startswith(f"# {number}: {title}\n\nTags: {tags}\n\n")


@pytest.mark.parametrize("file", ADRS, ids=lambda file: file.stem)
def test_a_decision_is_two_paragraphs(file: Path) -> None:
    heading, tags, *paragraphs = TEXTS[file].strip().split("\n\n")
    assert heading.startswith("# ")
    assert tags.startswith("Tags: ")
    assert len(paragraphs) == 2


# The picture


def test_the_picture_of_the_card_is_small() -> None:
    assert (DOCS / "images" / "card.png").stat().st_size < 150_000
