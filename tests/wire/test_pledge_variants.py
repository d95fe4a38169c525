"""Pledges where a buy has variants: `+2 M`, `2-4 M max 9.00`, `3 x Large blue`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.refusal import Reason, Refusal
from appservice.domain.text import fold
from appservice.wire.pledge import MoreUnits, WholePledge, looks_like_pledge, parse_more, parse_whole

SIZES = ("S", "M", "XL", "3XL", "Large blue", "Crème")
SHOES = ("38", "39", "Air", "Air max 90", "x")


def whole(text: str, variants: tuple[str, ...] = SIZES) -> WholePledge | Refusal:
    return parse_whole(text, "EUR", variants)


def reason(outcome: object) -> Reason:
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("+2 M", MoreUnits(2, "M")),
        ("+ 2 m", MoreUnits(2, "M")),
        ("+2", MoreUnits(2)),
        ("+1 x Large  BLUE", MoreUnits(1, "Large blue")),
        ("+3 creme", MoreUnits(3, "Crème")),
        ("\uff0b\uff12 \u200fM", MoreUnits(2, "M")),
        ("+2 XXL", MoreUnits(2, "XXL")),
        ("+2 S, 1 M", MoreUnits(2, "S, 1 M")),
    ],
)
def test_plus_a_number_and_a_variant_adds_of_that_variant(text: str, more: MoreUnits) -> None:
    assert parse_more(text, SIZES) == more


@pytest.mark.parametrize("text", ["2 M", "+0 M", "+2.5 M", "+2 M max 9", "+2-4 M", "+M", "M +2", "+99999 M", "+٢ M"])
def test_anything_else_adds_nothing(text: str) -> None:
    assert reason(parse_more(text, SIZES)) is Reason.BAD_QUANTITY


@pytest.mark.parametrize(
    ("text", "pledge"),
    [
        ("2 M", WholePledge(2, variant="M")),
        ("2-4 M max 9.00", WholePledge(2, 2, 900, "M")),
        ("2 – 4 xl", WholePledge(2, 2, variant="XL")),
        ("2 max 9", WholePledge(2, 0, 900)),
        ("3 x Large blue", WholePledge(3, variant="Large blue")),
        ("3x Large blue MAX 9,50", WholePledge(3, 0, 950, "Large blue")),
        ("3 × M", WholePledge(3, variant="M")),
        ("3 XL", WholePledge(3, variant="XL")),
        ("2 3xl", WholePledge(2, variant="3XL")),
        ("0 M", WholePledge(0, variant="M")),
        ("0", WholePledge(0)),
        ("2 XXL", WholePledge(2, variant="XXL")),
        ("2 x XXL max 9", WholePledge(2, 0, 900, "XXL")),
        ("2 M please", WholePledge(2, variant="M please")),
    ],
)
def test_a_whole_pledge_may_name_a_variant(text: str, pledge: WholePledge) -> None:
    assert whole(text) == pledge


@pytest.mark.parametrize(
    ("text", "pledge"),
    [
        ("2 38", WholePledge(2, variant="38")),
        ("2-4 39 max 90", WholePledge(2, 2, 9000, "39")),
        ("2 air", WholePledge(2, variant="Air")),
        ("2 Air max 90", WholePledge(2, variant="Air max 90")),
        ("2 Air max 90 max 80", WholePledge(2, 0, 8000, "Air max 90")),
        ("2 Air max 80", WholePledge(2, 0, 8000, "Air")),
        ("2 x", WholePledge(2, variant="x")),
        ("2 x x", WholePledge(2, variant="x")),
        ("2 x 38", WholePledge(2, variant="38")),
    ],
)
def test_a_known_label_is_found_before_any_other_reading(text: str, pledge: WholePledge) -> None:
    assert whole(text, SHOES) == pledge


@pytest.mark.parametrize("text", ["3XL", "3xM", "2,5 M", "M", "4-2 M", "0-4 M", "-2 M", "99999 M", "two M", ""])
def test_a_number_that_is_none_is_refused_whatever_the_variant(text: str) -> None:
    assert reason(whole(text)) is Reason.BAD_QUANTITY


@pytest.mark.parametrize("text", ["2 M max 9.001", "2 M max free", "2 M max 0", "2 max 0"])
def test_a_maximum_that_is_no_amount_is_refused_whatever_the_variant(text: str) -> None:
    assert reason(whole(text)) is Reason.BAD_AMOUNT


@pytest.mark.parametrize("text", ["2 M", "2-4 M max 9.00", "3 x Large blue"])
def test_without_variants_words_after_the_number_are_no_pledge(text: str) -> None:
    assert reason(parse_whole(text, "EUR")) is Reason.BAD_QUANTITY
    assert reason(parse_more(f"+{text}")) is Reason.BAD_QUANTITY
    assert not looks_like_pledge(text)


@pytest.mark.parametrize(
    "text", ["+2 M", "2 M", "2-4 m", "3 x large blue", "3 x Large blue max 9.00", "2", "+2", "+2 Q"]
)
def test_a_number_and_a_variant_of_the_card_is_meant_as_a_pledge(text: str) -> None:
    assert looks_like_pledge(text, SIZES)


@pytest.mark.parametrize(
    "text", ["2 of my friends like M", "2 colours available?", "M", "is M warm?", "2 M or 3 M?", "2 Q", "", "- no"]
)
def test_words_are_not_taken_for_a_pledge_of_a_variant(text: str) -> None:
    assert not looks_like_pledge(text, SIZES)


def test_a_long_label_is_known_however_many_words_it_has() -> None:
    label = "Large navy blue wool"
    assert looks_like_pledge(f"+2 {label}", (label, "S"))
    assert not looks_like_pledge(f"+2 {label}")


typed_labels = st.lists(
    st.text(st.sampled_from("SMxX max93-.é"), min_size=1, max_size=10).map(str.strip).filter(bool),
    min_size=1, max_size=6,
)  # fmt: skip


@given(st.text(max_size=80), typed_labels)
def test_no_text_makes_reading_a_pledge_of_a_variant_fail(text: str, variants: list[str]) -> None:
    for typed in (text, f"+2 {text}", f"2 x {text}", f"2-4 {text} max 9"):
        parse_more(typed, variants)
        parse_whole(typed, "EUR", variants)
        looks_like_pledge(typed, variants)


@given(typed_labels, st.integers(1, 99), st.integers(0, 9), st.data())
def test_a_pledge_that_names_a_label_is_of_that_label(
    variants: list[str], quantity: int, flex: int, data: st.DataObject
) -> None:
    label = data.draw(st.sampled_from(variants))
    pledge = parse_whole(f"{quantity}-{quantity + flex} {label}", "EUR", variants)
    assert isinstance(pledge, WholePledge)
    assert (pledge.quantity, pledge.flex, pledge.max_price) == (quantity, flex, None)
    assert fold(pledge.variant or "") == fold(label)


def test_a_very_long_message_is_read_in_no_time() -> None:
    for text in ("+2 " + "max 9 " * 10_000, "2 " + "x " * 20_000, "2" * 60_000 + " M", "2 " + " " * 60_000 + "M"):
        parse_more(text, SIZES)
        assert isinstance(whole(text), Refusal | WholePledge)
