"""Amounts as Stripe counts them, which is not always as CLDR does (docs.stripe.com/currencies).

Nobody is charged another amount than their receipt says: what cannot be given exactly is not given at all.
"""

from appservice.domain.money import exponent

_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THREE_DECIMALS = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
"""Their last digit has to be 0."""
_HUNDREDS = frozenset(("ISK",))
"""Counted with two decimals that have to be 0."""
_UNCLEAR = frozenset(("UGX",))
"""Stripe's page has it both as whole and as hundreds."""


def to_stripe(minor: int, currency: str) -> int | None:
    """Give an amount above 0 in minor units as Stripe counts it, or None where it cannot be charged exactly."""
    found = _rule(currency)
    if found is None or minor <= 0:
        return None
    decimals, step = found
    amount = _rescaled(minor, decimals - exponent(currency))
    return None if amount is None or amount % step else amount


def from_stripe(amount: int, currency: str) -> int | None:
    """Give what Stripe counted in minor units, or None where these cannot say it."""
    found = _rule(currency)
    return _rescaled(amount, exponent(currency) - found[0]) if found else None


def _rule(currency: str) -> tuple[int, int] | None:
    """Give a currency's decimals at Stripe, and what an amount has to be a multiple of."""
    if currency in _UNCLEAR:
        return None
    if currency in _WHOLE:
        return 0, 1
    if currency in _THREE_DECIMALS:
        return 3, 10
    return 2, 100 if currency in _HUNDREDS else 1


def _rescaled(amount: int, digits: int) -> int | None:
    if digits >= 0:
        return amount * int(10**digits)
    whole, rest = divmod(amount, 10**-digits)
    return None if rest else whole
