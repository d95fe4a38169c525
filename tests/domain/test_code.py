"""Invitation codes: told apart from words, forgiving about how they are typed, never kept as they are."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.code import LENGTH, code_hash, code_text, parse_code
from appservice.domain.ids import ALPHABET

CODE = "7kqd-2mvw-x9hp"
codes = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH).map(lambda c: f"{c[:4]}-{c[4:8]}-{c[8:]}")


@given(st.text(max_size=60), st.text(max_size=20))
def test_a_code_is_three_groups_of_four_that_nobody_mistakes_for_something_else(secret: str, code_id: str) -> None:
    code = code_text(secret, code_id)
    assert re.fullmatch(r"[2-9a-hjkmnp-z]{4}(-[2-9a-hjkmnp-z]{4}){2}", code)
    assert parse_code(code) == code
    assert code_text(secret, code_id) == code


def test_other_ids_and_other_services_have_other_codes() -> None:
    assert len({code_text(secret, f"id{n}") for secret in ("ours", "theirs") for n in range(500)}) == 1000


def test_every_letter_of_the_alphabet_is_used_in_every_place() -> None:
    found = [code_text("secret", f"id{n}").replace("-", "") for n in range(2000)]
    for place in range(LENGTH):
        assert {code[place] for code in found} == set(ALPHABET)


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        "7KQD-2MVW-X9HP",
        "  7kqd-2mvw-x9hp \n",
        "7kqd 2mvw x9hp",
        "7kqd2mvwx9hp",
        "code 7kqd-2mvw-x9hp",
        "Code: 7KQD 2MVW X9HP",
    ],
)
def test_case_spaces_and_dashes_are_forgiven(typed: str) -> None:
    assert parse_code(typed) == CODE


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "7kqd-2mvw",
        "7kqd-2mvw-x9h",
        "7kqd-2mvw-x9hpp",
        "7kqd-2mvw x9hp",
        "7kqd-2mvw-x9hp please",
        "0kqd-2mvw-x9hp",
        "7kqd-2mvw-x9h1",
        "7kqd-2mvw-x9hö",
        "７kqd-2mvw-x9hp",
        "understanden",
        "handkerchief",
        "!code",
        "+2",
        "7kqd\x002mvw\x00x9hp",
    ],
)
def test_what_is_no_code_is_left_alone(typed: str) -> None:
    assert parse_code(typed) is None


@given(codes, st.randoms())
def test_a_code_is_read_however_its_letters_are_written(code: str, random: object) -> None:
    typed = "".join(char.upper() if random.random() < 0.5 else char for char in code)  # type: ignore[attr-defined]
    assert parse_code(typed) == code and parse_code(typed.replace("-", " ")) == code


def test_a_code_is_kept_as_a_hash_that_shows_nothing_of_it() -> None:
    kept = code_hash(CODE)
    assert len(kept) == 64 and int(kept, 16) >= 0 and CODE[:4] not in kept
    assert kept == code_hash(CODE) != code_hash("7kqd-2mvw-x9hq")
