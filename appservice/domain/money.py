"""Money in integer minor units with an ISO 4217 exponent; no floats anywhere (Matrix rejects them)."""

import re
from decimal import Decimal

from babel.numbers import get_currency_precision

LARGEST_AMOUNT = 10**12
"""In minor units: a total of a thousand million euros. Keeps every product of price and units within 2^53."""

_AMOUNT = re.compile(r"(\d{1,13})(?:[.,](\d{1,4}))?", re.ASCII)


def exponent(currency: str) -> int:
    """Give the number of decimals of a currency as CLDR has it: EUR 2, JPY 0, KWD 3."""
    return get_currency_precision(currency)


def parse_amount(text: str, currency: str) -> int | None:
    """Read `89`, `89.00` or `89,5` as minor units; None for anything else, too many decimals included."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        return None
    whole, decimals = match[1], match[2] or ""
    places = exponent(currency)
    if len(decimals) > places:
        return None
    amount = int(whole + decimals.ljust(places, "0"))
    return amount if amount <= LARGEST_AMOUNT else None


def to_decimal(minor: int, currency: str) -> Decimal:
    """Give an amount in minor units as an exact decimal number of the currency's major unit."""
    return Decimal(minor).scaleb(-exponent(currency))
