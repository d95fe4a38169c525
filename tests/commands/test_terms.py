"""Terms of a group buy as concierges type them: every word counts, or is refused by name."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.commands.command import Call
from appservice.commands.deadline import stray_word
from appservice.commands.terms import parse_changes, parse_terms, split_product
from appservice.domain.cause import Place
from appservice.domain.clearing import Tier
from appservice.domain.group_buy import Terms
from appservice.domain.money import Tax, to_decimal
from appservice.domain.refusal import Reason, Refusal
from appservice.domain.text import clean_name, fold
from appservice.present.words.refusals import refusal

VIENNA = "Europe/Vienna"


def at(*date: int) -> int:
    return int(datetime(*date, tzinfo=ZoneInfo(VIENNA)).timestamp() * 1000)


NOW = at(2026, 11, 20, 9)  # a Friday
FRIDAY = at(2026, 11, 27, 18)
MONDAY = at(2026, 11, 23, 9)
PLAIN = Terms("EUR", (Tier(10, 7900), Tier(25, 6900)), FRIDAY)
RICH = replace(
    PLAIN, cap=100, pack=5, least=2, most=10, step=2, variants=("S", "M", "Large blue"), shared_cost=4500,
    tax=Tax(2000, inclusive=False), opens_at=MONDAY,
)  # fmt: skip


def words(typed: str) -> list[str]:
    return Call(Place.DESK, typed).words()


def read(typed: str, currency: str = "EUR") -> Terms | Refusal:
    return parse_terms(words(typed), currency, NOW, VIENNA)


def with_options(options: str) -> Terms | Refusal:
    return read(f"10:79 25:69 until friday 18:00 {options}")


def changed(typed: str, terms: Terms = RICH) -> Terms | Refusal:
    return parse_changes(words(typed), terms, NOW, VIENNA)


def refused(outcome: object, reason: Reason, **details: object) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    assert (outcome.reason, {k: outcome.details.get(k) for k in details}) == (reason, details)
    return outcome


# What is read


def test_tiers_and_a_deadline_are_enough() -> None:
    assert read("10:79 25:69 until friday 18:00") == PLAIN


@pytest.mark.parametrize(
    "options",
    [
        "cap 100 pack 5 least 2 most 10 step 2 variants S, M, Large blue shared 45.00 tax 20% extra opens monday 9:00",
        'opens monday 9:00 tax 20 % on top shared 45 variants: "S,M,Large blue" step 2 most 10 least 2 pack 5 cap 100',
        'CAP: 100, Pack 5, least 2, most 10, step 2, variants "S", "M", "Large blue", shared 45,00, tax 20% excl., '
        "opens monday 9:00",
    ],
)  # fmt: skip
def test_options_come_in_any_order_with_or_without_commas(options: str) -> None:
    assert with_options(options) == RICH


def test_options_may_come_before_the_deadline() -> None:
    assert read("10:79, 25:69, cap 100 until friday 18:00") == replace(PLAIN, cap=100)


@pytest.mark.parametrize(
    ("typed", "tax"),
    [
        ("20", Tax(2000)),
        ("20%", Tax(2000)),
        ("7.5%", Tax(750)),
        ("19,6 %", Tax(1960)),
        ("19,65 %, included", Tax(1965)),
        ("0%", Tax(0)),
        ("20% incl.", Tax(2000)),
        ("20% on top", Tax(2000, inclusive=False)),
        ("20% Extra", Tax(2000, inclusive=False)),
        ("none", None),
    ],
)
def test_a_tax_is_read_in_basis_points(typed: str, tax: Tax | None) -> None:
    assert with_options(f"tax {typed}") == replace(PLAIN, tax=tax)


@pytest.mark.parametrize(
    ("typed", "variants"),
    [
        ("S, M, L", ("S", "M", "L")),
        ("S M L", ("S", "M", "L")),
        ("S,M,L,", ("S", "M", "L")),
        (": S; M", ("S", "M")),
        ("Large blue, Small red", ("Large blue", "Small red")),
        ('"Large blue" "Small red"', ("Large blue", "Small red")),
        ('"Large blue" S, M', ("Large blue", "S", "M")),
        ("36 37 38", ("36", "37", "38")),
        ("36, 3XL, Blue 3XL", ("36", "3XL", "Blue 3XL")),
        ('"Size 38, Size 39"', ("Size 38", "Size 39")),
        ('"Scarf, Cap"', ("Scarf", "Cap")),
        ("<b>M</b>, \u202eL\u202c", ("<b>M</b>", "L")),
        ("none", ()),
    ],
)
def test_variants_are_between_commas_or_words_or_quoted(typed: str, variants: tuple[str, ...]) -> None:
    assert with_options(f"variants {typed} cap 9") == replace(PLAIN, variants=variants, cap=9)


def test_an_amount_has_the_decimals_of_the_currency() -> None:
    assert read("10:7900 until friday 18:00 shared 450", "JPY") == Terms(
        "JPY", (Tier(10, 7900),), FRIDAY, shared_cost=450
    )
    assert read("10:7,9 until friday 18:00 shared 4.505", "KWD") == Terms(
        "KWD", (Tier(10, 7900),), FRIDAY, shared_cost=4505
    )


def test_full_width_characters_and_marks_that_cannot_be_seen_do_not_matter() -> None:
    typed = "１０：７９ \u200f25:69 until friday １８：００ ｃａｐ \u202e１００ tax ２０％"
    assert read(typed) == replace(PLAIN, cap=100, tax=Tax(2000))


@pytest.mark.parametrize(("typed", "opens_at"), [("monday", at(2026, 11, 23)), ("monday 9:00", MONDAY)])
def test_a_buy_that_opens_on_a_day_opens_at_its_beginning(typed: str, opens_at: int) -> None:
    assert with_options(f"opens {typed}") == replace(PLAIN, opens_at=opens_at)


def test_a_product_ends_where_the_first_tier_begins() -> None:
    assert split_product(words('"Poster 16:9 large" 10:79 until friday')) == (
        ["Poster 16:9 large"],
        ["10:79", "until", "friday"],
    )
    assert split_product(["throw"]) == (["throw"], [])


# What is refused


@pytest.mark.parametrize(
    ("typed", "word", "close"),
    [
        ("cp 100", "cp", "cap"),
        ("limit 100", "limit", None),
        ("cap 100 foo", "foo", None),
        ("cap 100 200", "200", None),
        ("100", "100", None),
        ("20% tax", "20%", None),
        ("M", "M", None),
        ("30:59", "30:59", None),
        ("10:59", "10:59", None),
        ("25", "25", None),
        ("cap 100 30:59", "30:59", None),
        ("shared 45.00 EUR", "EUR", None),
        ("tax 20% maybe", "maybe", None),
        ("opens monday 9:00 cpa 5", "cpa", "cap"),
        ("cap 5 <b>x</b>", "<b>x</b>", None),
        ("cap 5 " + "x" * 10_000, "x" * 40, None),
    ],
)
def test_a_word_that_is_not_understood_is_refused_by_name(typed: str, word: str, close: str | None) -> None:
    found = refused(with_options(typed), Reason.BAD_TERMS, why="unknown", word=word, close=close)
    assert f"I do not understand “{word}”." in refusal(found)
    assert close is None or f"Did you mean {close}?" in refusal(found)


@pytest.mark.parametrize("option", ["cp 100", "limit 100", "max. 100", "opns monday", "tx 20%"])
@pytest.mark.parametrize("variants", ["S, M, L", "S M L", "S, M,", '"Size 38" "Size 39" L'])
def test_an_option_mistyped_after_variants_does_not_become_one(variants: str, option: str) -> None:
    found = refused(with_options(f"variants {variants} {option}"), Reason.BAD_VARIANTS, why="unclear")
    assert option in refusal(found)


@pytest.mark.parametrize("option", ["until monday", "cap 5", "variants A, B", "tax 5%", "opens monday", "shared 1"])
def test_an_option_named_twice_is_refused(option: str) -> None:
    name = option.split()[0]
    found = refused(with_options(f"{option} cap 5 tax 5% variants A, B opens monday shared 1"), Reason.BAD_TERMS)
    assert found.details == {"why": "twice", "word": name}


@pytest.mark.parametrize("name", ["cap", "pack", "least", "most", "step"])
@pytest.mark.parametrize("given_", ["", "1.5", "-1", "five", "1e3", "99999999", "٣", "½"])
def test_a_number_that_is_none_is_refused(name: str, given_: str) -> None:
    typed = "1⁄2" if given_ == "½" else given_
    refused(with_options(f"{name} {given_}"), Reason.BAD_TERMS, why="number", word=name, given=typed)


@pytest.mark.parametrize("rate", ["", "high", "-5%", "20.555%", "1000%", "%", "9" * 5000])
def test_a_tax_that_is_no_rate_is_refused(rate: str) -> None:
    refused(with_options(f"tax {rate}"), Reason.BAD_COSTS, why="tax")


@pytest.mark.parametrize("amount", ["45.001", "free", "-1", "1e9", "9" * 20, "€45"])
def test_a_cost_or_price_that_is_no_amount_is_refused(amount: str) -> None:
    refused(with_options(f"shared {amount}"), Reason.BAD_AMOUNT, amount=amount, currency="EUR")
    refused(read(f"10:{amount} until friday"), Reason.BAD_AMOUNT, amount=amount, currency="EUR")


@pytest.mark.parametrize("tier", ["10", "ten:79", "10;79", "12345678:79", "10:", "cp", "10:" + "9" * 10_000])
def test_what_is_no_tier_is_refused_by_name(tier: str) -> None:
    refused(read(f"5:99 {tier} until friday"), Reason.BAD_TIERS, why="format", tier=tier[:40])


@pytest.mark.parametrize(
    ("typed", "reason", "details"),
    [
        ("10:79", Reason.BAD_TERMS, {"why": "no_deadline"}),
        ("until friday", Reason.BAD_TIERS, {"why": "count"}),
        ("", Reason.BAD_TIERS, {"why": "count"}),
        ("10:79 until", Reason.BAD_DEADLINE, {"why": "format", "opening": False}),
        ("10:79 until the cows come home", Reason.BAD_DEADLINE, {"why": "format", "word": "cows"}),
        ("10:79 until 11/12", Reason.BAD_DEADLINE, {"why": "format"}),
        ("10:79 until yesterday", Reason.BAD_DEADLINE, {"why": "past", "opening": False}),
        ("10:79 until friday opens yesterday", Reason.BAD_DEADLINE, {"why": "past", "opening": True}),
        ("10:79 until friday opens", Reason.BAD_DEADLINE, {"why": "format", "opening": True}),
        ("10:79 until friday opens 2030-01-01", Reason.BAD_DEADLINE, {"why": "far", "opening": True}),
        ("10:79 until friday variants", Reason.BAD_VARIANTS, {"why": "none"}),
        ("10:79 until friday variants , ,", Reason.BAD_VARIANTS, {"why": "none"}),
        ("10:79 until friday variants cap 5", Reason.BAD_VARIANTS, {"why": "none"}),
        ("10:79 until friday variants S, \u0301", Reason.BAD_VARIANTS, {"why": "label"}),
        ("10:79 until friday variants S, " + "x" * 41, Reason.BAD_VARIANTS, {"why": "label", "most": 40}),
        ("10:79 until friday variants " + "a b," * 16_000, Reason.BAD_VARIANTS, {"why": "count", "most": 30}),
        ("10:79 until friday shared", Reason.BAD_COSTS, {"why": "shared"}),
        ("10:79 until friday least none", Reason.BAD_TERMS, {"why": "number", "word": "least"}),
    ],
)
def test_what_is_missing_or_wrong_is_refused_with_the_reason(
    typed: str, reason: Reason, details: dict[str, object]
) -> None:
    refused(read(typed), reason, **details)


# Changes


@pytest.mark.parametrize(
    ("typed", "change"),
    [
        ("10:75 25:65", {"tiers": (Tier(10, 7500), Tier(25, 6500))}),
        ("cap 120", {"cap": 120}),
        ("cap none, most none tax none", {"cap": None, "most": None, "tax": None}),
        ("variants S, M, Large blue, XL", {"variants": ("S", "M", "Large blue", "XL")}),
        ("shared 0 least 1", {"shared_cost": 0, "least": 1}),
        ("opens tuesday 9:00", {"opens_at": at(2026, 11, 24, 9)}),
        ("10:75 pack 1", {"tiers": (Tier(10, 7500),), "pack": 1}),
    ],
)
def test_a_change_leaves_what_it_does_not_name(typed: str, change: dict[str, Any]) -> None:
    assert changed(typed) == replace(RICH, **change)


@pytest.mark.parametrize("typed", ["until saturday", "cap 120 until saturday", "until soon", "10:75 until"])
def test_a_change_does_not_move_the_deadline(typed: str) -> None:
    found = refused(changed(typed), Reason.BAD_TERMS, why="fixed")
    assert "!buy extend" in refusal(found)
    assert "!buy shorten" in refusal(found)


def test_a_change_of_nothing_is_refused() -> None:
    refused(changed(""), Reason.BAD_TERMS, why="nothing")


def test_a_change_with_a_word_that_is_not_understood_is_refused() -> None:
    refused(changed("10:75 cp 120"), Reason.BAD_TIERS, why="format", tier="cp")
    refused(changed("pack 5 cp 120"), Reason.BAD_TERMS, why="unknown", word="cp")


# Whatever is typed


amounts = st.integers(1, 10**6)
labels = (
    st.text(st.sampled_from("SMLxyzäß漢 1<&'-."), min_size=1, max_size=12)
    .filter(lambda label: clean_name(label) == label and bool(fold(label)) and label != "none")
)  # fmt: skip
terms_values = st.builds(
    Terms,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    tiers=st.lists(st.builds(Tier, st.integers(0, 9_999_999), amounts), min_size=1, max_size=12).map(tuple),
    deadline_at=st.integers(1, 300 * 24 * 60).map(lambda minutes: NOW + minutes * 60_000),
    pack=st.integers(0, 9_999_999),
    cap=st.none() | st.integers(0, 9_999_999),
    opens_at=st.none() | st.integers(1, 300 * 24 * 60).map(lambda minutes: NOW + minutes * 60_000),
    least=st.integers(0, 9_999_999),
    most=st.none() | st.integers(0, 9_999_999),
    step=st.integers(0, 9_999_999),
    variants=st.lists(labels, min_size=2, max_size=30).map(tuple) | st.just(()),
    shared_cost=amounts | st.just(0),
    tax=st.none() | st.builds(Tax, st.integers(0, 99_999), inclusive=st.booleans()),
)


def options_of(terms: Terms, *, comma: str, quote: bool) -> dict[str, str]:
    """Each option as a concierge would type it."""

    def time(moment: int) -> str:
        return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")

    def amount(minor: int) -> str:
        return str(to_decimal(minor, terms.currency)).replace(".", comma)

    listed = ", ".join(terms.variants)
    rate = "none" if terms.tax is None else f"{terms.tax.rate // 100}{comma}{terms.tax.rate % 100:02}%"
    on_top = " on top" if terms.tax is not None and not terms.tax.inclusive else ""
    return {
        "until": time(terms.deadline_at),
        "opens": time(terms.opens_at) if terms.opens_at is not None else "",
        "cap": str(terms.cap).lower(),
        "most": str(terms.most).lower(),
        "pack": str(terms.pack),
        "least": str(terms.least),
        "step": str(terms.step),
        "variants": "none" if not listed else f'"{listed}"' if quote else listed,
        "shared": amount(terms.shared_cost),
        "tax": rate + on_top,
    }


@given(terms_values, st.sampled_from(".,"), st.data())
def test_terms_are_read_as_they_were_meant(terms: Terms, comma: str, data: st.DataObject) -> None:
    options = options_of(terms, comma=comma, quote=True)
    tiers = " ".join(f"{t.minimum}:{to_decimal(t.unit_price, terms.currency)}".replace(".", comma) for t in terms.tiers)
    names = data.draw(st.permutations([name for name, value in options.items() if value]))
    typed = " ".join([tiers, *(f"{name} {options[name]}" for name in names)])
    assert parse_terms(words(typed), terms.currency, NOW, VIENNA) == terms
    without = " ".join([tiers, *(f"{name} {options[name]}" for name in names if name != "until")])
    before = replace(RICH, currency=terms.currency, deadline_at=terms.deadline_at, opens_at=terms.opens_at)
    assert parse_changes(words(without), before, NOW, VIENNA) == terms


@given(terms_values)
def test_variants_without_quotes_are_read_as_they_were_meant_or_refused(terms: Terms) -> None:
    options = options_of(terms, comma=".", quote=False)
    found = with_options(f"variants {options['variants']}")
    assert isinstance(found, Refusal) or found == replace(PLAIN, variants=terms.variants)


KNOWN = ["10:79", "25:69", "until", "friday", "18:00", "cap", "100", "variants", "S,", "M", "tax", "20%", "on", "top",
         "shared", "45.00", "opens", "monday", "none", "cp", ",", ":", "pack", "5", "\u202e",
         "\0", "\ud800", "𝟙𝟘:𝟟"]  # fmt: skip


@given(st.lists(st.sampled_from(KNOWN) | st.text(max_size=20), max_size=20))
def test_no_words_make_reading_terms_fail(typed: list[str]) -> None:
    for outcome in (parse_terms(typed, "EUR", NOW, VIENNA), parse_changes(typed, RICH, NOW, VIENNA)):
        assert not isinstance(outcome, Refusal) or 10 < len(refusal(outcome)) < 400


@given(st.text(st.characters(codec="ascii", categories=["L"]), min_size=2, max_size=8), st.integers(0, 11))
def test_one_more_word_changes_the_terms_or_is_refused(word: str, place: int) -> None:
    typed = ["10:79", "25:69", "until", "friday", "18:00", "cap", "100", "tax", "20%", "on", "top"]
    outcome = parse_terms([*typed[:place], word, *typed[place:]], "EUR", NOW, VIENNA)
    says_when = stray_word(word) is None  # the time understood is echoed
    assert says_when or outcome != parse_terms(typed, "EUR", NOW, VIENNA)
