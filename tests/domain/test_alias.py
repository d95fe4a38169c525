"""Aliases: what one may be, which two are the same, what reveals a person, the friendly ones."""

import subprocess
import sys
import time
import unicodedata
from itertools import combinations, product
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appservice.domain import alias as module
from appservice.domain.alias import alias_key, friendly_alias, looks_revealing, parse_alias
from appservice.domain.refusal import Reason, Refusal

# Letters that meet in names and in impersonations, and any letters at all.
LATIN = "aAbcdeEghiIlLmMnoOrsuvVwWyzßıİſæøłñéÖüʼ -'’._&0123\u0301"
ALPHABETS = [
    LATIN,
    LATIN + "аеіоОрсухЗбюы",
    "αβγηΝσςυΥΩΐᾳ",
    "אהוסي\u0651ثه٣",
    "कीर्तिกุ้งမြို့",
    "王ーㅣ김スト",
    "ǅꙑɶ\u0345ͺ𝕺Ｏﬁ",
]
LETTERS = st.characters(categories=["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc"])
TYPED = st.one_of(st.text(max_size=20), *(st.text(letters, max_size=16) for letters in [*ALPHABETS, LETTERS]))
ALIASES = st.one_of(*(st.text(letters, min_size=2, max_size=8) for letters in [*ALPHABETS, LETTERS])).filter(
    lambda text: isinstance(parse_alias(text), str)
)


def refused(text: str) -> Reason | None:
    """Why a text is no alias; None if it is one."""
    found = parse_alias(text)
    return found.reason if isinstance(found, Refusal) else None


# What an alias may be


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("Otter", "Otter"),
        ("  Quiet \u00a0\u3000 Heron ", "Quiet Heron"),
        ("Nguye\u0302\u0303n", "Nguyễn"),
        ("O’Brien", "O’Brien"),
        ("Mary-Ann & Co.", "Mary-Ann & Co."),
        ("J.R. d'Arc_2", "J.R. d'Arc_2"),
        ("Agent 007", "Agent 007"),
        ("Bond 2024", "Bond 2024"),
        ("王小", "王小"),
        ("שלום", "שלום"),
        ("မြို့", "မြို့"),
        ("ज़ाँ", "ज़ाँ"),
        ("Νίνα", "Νίνα"),
        ("Zoë Ω", "Zoë Ω"),
        ("x" * 32, "x" * 32),
    ],
)
def test_an_alias_is_shown_composed_and_with_single_spaces(text: str, alias: str) -> None:
    assert parse_alias(text) == alias


BAD = (
    "|   |o|王|a1|12|--|a,b|<b>x</b>|otter 🦦|Ana\nBen|Ana\tBen|a\0b|a\u200bb|a\u202eb|a\u00adb|a\ue000b|ab\ufe0f"
    "|½ ab|ʼʼʼ|\u3164\u3164|\u115f\u1160|\u0301ab|ab \u0301|e\u0301\u0302\u0303a|Za\u0335\u0336\u0337lgo|ก็็็็ข|a\u20ddb"
)


@pytest.mark.parametrize("text", [*BAD.split("|"), "x" * 33, "x" * 10_000, " " * 200 + "ab"])
def test_what_is_too_short_too_long_unseen_or_piled_up_is_refused(text: str) -> None:
    assert refused(text) is Reason.BAD_ALIAS


@pytest.mark.parametrize("text", ["\u03bdictor", "\u039dINA", "H\u03b7s", "\u03c5na", "Ana-\u039d"])
def test_a_latin_word_has_no_greek_letter_that_stands_for_two_of_ours(text: str) -> None:
    assert refused(text) is Reason.BAD_ALIAS


REVEALING = (
    "ana@example.org|@ana:example.org|ana＠example|ana﹫example|@room|+43 660 1234567|ana 0660 1234567|Ana 12345"
    "|Ana 1-2-3-4-5|Ana ٠٦٦٠١|Ana ①②③④⑤|Ana 0️⃣6️⃣6️⃣0️⃣1️⃣|www.otter.org|WWW.otter|https://otter|mailto:ana|tel:ana"
)


@pytest.mark.parametrize("text", REVEALING.split("|"))
def test_an_alias_that_reveals_its_owner_is_refused(text: str) -> None:
    assert refused(text) is Reason.REVEALING_ALIAS


RESERVED = (
    "Coterie|C0TERIE|сoterie|Service|bot|System|admin|ADMINS|аdmin|adrnin|a.d.m.i.n|adm\u00adin|Administrator|Moderator"
    "|Concierge|the Concierge|Coterie Concierge|Concierge 2|Owner|an owner|Operator|Support|Coterie Support|everyone"
    "|ROOM|here|member|member 7|Member 10|Mеmber l2|mernber 7|member ٧|group 2|Group 2 no. 17|group 2, no. 17|no. 17"
    "|No 11|n0.7|nr 5|number 8"
)
FREE = "Noll|Nolan|No|Norah|Botol|Abbot|Roomy|Heather|Theresa|Remember 7|Membership|Grouper|Nomad 7|Robot"


@pytest.mark.parametrize("text", RESERVED.split("|"))
def test_what_the_service_or_an_official_would_be_called_is_reserved(text: str) -> None:
    assert refused(text) is Reason.RESERVED_ALIAS


@pytest.mark.parametrize("text", FREE.split("|"))
def test_a_name_that_only_begins_or_ends_like_a_reserved_one_is_free(text: str) -> None:
    assert parse_alias(text) == text


def test_a_refusal_of_ten_kilobytes_costs_nothing() -> None:
    started = time.perf_counter()
    assert all(refused(text * 5000) for text in ("a@", "1 ", "e\u0301", "Ⅷ\u200b"))
    assert time.perf_counter() - started < 0.05


@given(ALIASES)
def test_an_alias_parses_to_itself_and_shows_what_was_typed(text: str) -> None:
    alias = str(parse_alias(text))
    assert parse_alias(alias) == alias
    assert unicodedata.is_normalized("NFC", alias)
    assert 2 <= len(alias) <= 32
    assert alias_key(alias) == alias_key(text)


@given(TYPED)
def test_every_text_is_an_alias_or_is_refused(text: str) -> None:
    assert refused(text) in (None, Reason.BAD_ALIAS, Reason.REVEALING_ALIAS, Reason.RESERVED_ALIAS)


# Which two are the same

SAME = [
    [
        "Otter",
        "OTTER",
        "Öttér",
        "0tter",
        "Оttеr",
        "ОТТЕR",
        "o.t-t_e&r",
        "Ｏｔｔｅｒ",
        "𝕺𝖙𝖙𝖊𝖗",
        "οtter",
        "σtter",
        "o t t e r",
    ],
    ["Otter", "oʼtter", "Øtter", "OꞌTTER", "o\u0336tter", "ⓞtter", "סtter"],
    ["Otter", "Ot\ufe0ft\u034fer", "o\u20ddtter", "Ot\u200bter"],
    ["Mia", "MIA", "rnia", "rn1a", "Mla", "mıa", "МІА", "m\u0456\u0430", "M I A"],
    ["Illya", "I1lya", "llIya", "1l1YА", "IӀӏуa"],
    ["William", "VVilliarn", "vvi11iam"],
    ["Zoe", "Zoë", "ZOÉ", "Ζοe", "zое"],
    ["Straße", "STRASSE", "strasse", "ſtraſſe"],
    ["Coterie", "\u03f2oterie", "\u03f9OTERIE", "сoterie", "Ϲ0ter1e"],
    ["Łódź", "lodz", "LODZ", "1ødz"],
    ["Nína", "ΝΙΝΑ", "Νίνα", "nina"],
    ["Bob", "Боб", "БОБ"],
    ["Николай", "НИКОЛАЙ", "николаи"],
    ["Νίκος", "ΝΊΚΟΣ", "νικοσ"],
    ["Œuvre", "oeuvre", "ŒUVRE"],
    ["ﬁona", "fiona", "FlONA"],
]


@pytest.mark.parametrize(("one", "other"), [(names[0], name) for names in SAME for name in names[1:]])
def test_two_aliases_that_look_alike_have_one_key(one: str, other: str) -> None:
    assert alias_key(one) == alias_key(other)


@pytest.mark.parametrize(
    "names",
    [
        [names[0] for names in SAME[2:]],
        ["Ana", "Ava", "Aya", "Aha", "Aua", "Ada", "Aba", "Asa", "Ara"],  # a closure of case and look would join these
        ["Clara", "Dara", "Lara"],
        ["Otter", "Otter 2", "Otter 3", "Otters"],
        ["Group S", "Group 5"],
        ["Нина", "Лина", "Инна", "Дина"],
        ["बदर", "बादर", "बीदर"],
        ["بدر", "تدر", "ثدر", "يدر"],
        ["がき", "かき"],
        ["กุ้ง", "กิ้ง", "กั้ง"],
        ["李明", "李朋"],
    ],
)
def test_names_that_differ_to_the_eye_have_different_keys(names: list[str]) -> None:
    assert all(alias_key(one) != alias_key(other) for one, other in combinations(names, 2))


def test_the_keys_of_ours_are_as_documented() -> None:
    assert [alias_key(name) for name in ("Otter", "Mia", "W1", "🦦 - ’")] == ["otter", "rnla", "vvl", ""]


@pytest.mark.parametrize("plane", range(17))
def test_every_character_has_one_key_in_any_case_and_after_any_number_of_times(plane: int) -> None:
    for char in map(chr, range(plane << 16, (plane + 1) << 16)):
        key = alias_key(char)
        assert key == alias_key(char.upper()) == alias_key(char.lower()) == alias_key(key), ascii(char)


@given(TYPED)
@example("ก\u0e48\u034f\u0e38")  # what comes between two marks goes, and they change places
@example("\u1fb3\u0345")
def test_a_key_is_its_own_key(text: str) -> None:
    assert alias_key(alias_key(text)) == alias_key(text)


@given(ALIASES)
def test_case_spaces_and_form_make_no_difference_to_an_alias(text: str) -> None:
    alias = str(parse_alias(text))
    key = alias_key(alias)
    assert key
    assert key == alias_key(alias.upper()) == alias_key(alias.lower())
    assert key == alias_key(unicodedata.normalize("NFD", alias)) == alias_key(f" {alias}.".replace(" ", " -"))


def test_a_key_takes_less_than_a_millisecond() -> None:
    names = [f"{'Öttér Оttеr'} {number} Μία" for number in range(500)]
    alias_key("warm")
    started = time.perf_counter()
    for name in names:
        alias_key(name)
    assert time.perf_counter() - started < 0.5


def test_look_alikes_are_loaded_by_the_first_key_and_not_before() -> None:
    code = (
        "import sys; from appservice.domain.alias import alias_key; before = 'confusable_homoglyphs' in sys.modules;"
        "alias_key('Otter'); print(before, 'confusable_homoglyphs' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


# What reveals a person


SHOWN = (
    "+43 660 1234567|ana (0660/1234567)|ana0660123456|Ana_0660_123456|06\u200b60 123 4567|٠٦٦٠١٢٣٤٥٦٧"
    "|０６６０ １２３４５６７|0️⃣6️⃣6️⃣0️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣|Ana · 00 44 20 7946 0958|(415) 555-2671|Ana 20 24 20 25|ana@example.org"
    "|Ana <ana@example.org>|ana＠example.org|@ana:example.org|Ana (@ana:localhost)"
)
NOT_SHOWN = (
    "|Ana Müller|Agent 007|Bond 2024|Player 12345|Ana @ Berlin|@ana|a@|Born 19051985|3:2|王小明|Ana 🦦|2024/2025"
    "|Class of 2011-2015|Since 2011-02-08"
)


@pytest.mark.parametrize("name", SHOWN.split("|"))
def test_a_display_name_with_a_phone_number_or_an_address_is_revealing(name: str) -> None:
    assert looks_revealing(name)


@pytest.mark.parametrize("name", [*NOT_SHOWN.split("|"), "x" * 100_000, "x" * 200 + " ana@example.org"])
def test_other_display_names_are_not(name: str) -> None:
    assert not looks_revealing(name)


def test_a_display_name_made_to_be_slow_is_not() -> None:
    for name in ("1 2 " * 9999, "(06 " * 9999, "12345678 " * 9999):
        looks_revealing(name)
        started = time.perf_counter()
        looks_revealing(name)
        assert time.perf_counter() - started < 0.25


# The friendly ones


def test_friendly_aliases_are_aliases_and_no_two_have_one_key() -> None:
    every = [f"{one} {other}" for one, other in product(module._ADJECTIVES, module._NOUNS)]
    assert len({alias_key(alias) for alias in every}) == len(every) >= 15_000
    assert [parse_alias(alias) for alias in every] == every
    assert not any(map(looks_revealing, every))


@given(st.integers())
def test_a_friendly_alias_is_two_words_of_the_lists_and_the_same_for_the_same_randomness(seed: int) -> None:
    adjective, noun = friendly_alias(Random(seed)).split(" ")
    assert adjective in module._ADJECTIVES
    assert noun in module._NOUNS
    assert friendly_alias(Random(seed)) == f"{adjective} {noun}"


def test_friendly_aliases_are_drawn_from_all_of_the_lists() -> None:
    random = Random(1)
    drawn = {word for _ in range(4000) for word in friendly_alias(random).split()}
    assert drawn == {*module._ADJECTIVES, *module._NOUNS}
