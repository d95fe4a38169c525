"""Amounts as Stripe counts them: exact, or not at all."""

import pytest
from babel.numbers import list_currencies
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.money import LARGEST_AMOUNT, to_decimal
from appservice.payment.units import from_stripe, to_stripe


@pytest.mark.parametrize(
    ("minor", "currency", "stripe"),
    [
        (7900, "EUR", 7900),
        (1, "EUR", 1),
        (500, "JPY", 500),
        (5120, "KWD", 5120),
        (5124, "KWD", None),
        (5, "ISK", 500),
        (5, "MGA", 5),
        (100, "LAK", 10000),
        (7900, "HUF", 7900),
        (5, "UGX", None),
        (0, "EUR", None),
        (-1, "EUR", None),
    ],
)
def test_an_amount_is_given_to_stripe_exactly_or_not_at_all(minor: int, currency: str, stripe: int | None) -> None:
    assert to_stripe(minor, currency) == stripe


@pytest.mark.parametrize(
    ("stripe", "currency", "minor"),
    [(7900, "EUR", 7900), (500, "JPY", 500), (5124, "KWD", 5124), (500, "ISK", 5), (550, "ISK", None),
     (10050, "LAK", None), (500, "UGX", None)],
)  # fmt: skip
def test_what_stripe_counted_is_read_exactly_or_not_at_all(stripe: int, currency: str, minor: int | None) -> None:
    assert from_stripe(stripe, currency) == minor


@given(st.integers(1, LARGEST_AMOUNT), st.sampled_from(sorted(list_currencies())))
def test_what_is_given_to_stripe_comes_back_as_it_was(minor: int, currency: str) -> None:
    amount = to_stripe(minor, currency)
    if amount is not None:
        assert from_stripe(amount, currency) == minor
        assert to_decimal(minor, currency) > 0
