"""Money in integer minor units with an ISO 4217 exponent; no floats anywhere (Matrix rejects them)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import get_currency_precision

LARGEST_AMOUNT = 10**12
"""In minor units: a total of a thousand million euros. Keeps every product of price and units within 2^53."""
WHOLE = 10_000
"""In basis points: what all of something is."""

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


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax of `rate` basis points (1900 is 19 %); `inclusive` where prices contain it already."""

    rate: int
    inclusive: bool = True

    def of(self, goods: int) -> int:
        """Give the tax in a line of `goods` minor units (contained in it, or on top of it), half a unit rounded up."""
        base = WHOLE + self.rate if self.inclusive else WHOLE
        return (2 * goods * self.rate + base) // (2 * base)

    def on_top(self, goods: int) -> int:
        """Give what a line costs beyond `goods`: 0 where prices contain the tax."""
        return 0 if self.inclusive else self.of(goods)


def share(amount: int, weights: Sequence[int]) -> list[int]:
    """Split `amount` by weights (not negative) so that the parts sum to it: largest remainder, the earlier first
    where remainders are equal. All zero where no weight is."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    parts = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -(amount * weights[place] % whole))
    for place in by_remainder[: amount - sum(parts)]:
        parts[place] += 1
    return parts
