"""How people write a pledge: `+2`, `3`, `2-4`, `2 max 9.00`."""

import re
from dataclasses import dataclass

from appservice.domain.group_buy import MOST_UNITS
from appservice.domain.money import parse_amount
from appservice.domain.refusal import Reason, Refusal, refuse

_ADD = re.compile(r"\+\s?(\d+)")
_SET = re.compile(r"(\d+)(?:\s?[-–]\s?(\d+))?(?:\s+max\s+(\S+))?", re.IGNORECASE)
_ATTEMPT = re.compile(r"[+\d]|[-–]\s?\d")


@dataclass(frozen=True, slots=True)
class MoreUnits:
    """`+n`."""

    units: int


@dataclass(frozen=True, slots=True)
class WholePledge:
    """`!pledge n`: the quantity wanted, flexible units beyond it, and a maximum in minor units."""

    quantity: int
    flex: int = 0
    max_price: int | None = None


def parse_more(text: str) -> MoreUnits | Refusal:
    """Read `+2`."""
    match = _ADD.fullmatch(text)
    units = _units(match[1]) if match else None
    return MoreUnits(units) if units else refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)


def parse_whole(text: str, currency: str) -> WholePledge | Refusal:
    """Read `3`, `2-4`, `2 max 9.00` or `2-4 max 9.00`; `0` means to withdraw."""
    match = _SET.fullmatch(text.strip())
    quantity = _units(match[1]) if match else None
    if match is None or quantity is None:
        return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
    upper = quantity
    if match[2] is not None:
        highest = _units(match[2])
        if highest is None or highest < quantity or quantity == 0:
            return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
        upper = highest
    max_price = None
    if match[3] is not None:
        max_price = parse_amount(match[3], currency)
        if not max_price:
            return refuse(Reason.BAD_AMOUNT, amount=match[3], currency=currency)
    return WholePledge(quantity, upper - quantity, max_price)


def looks_like_pledge(text: str) -> bool:
    """Tell whether a reply to a card is meant as a pledge, if perhaps a wrong one: short, and a number first."""
    return len(text) <= 40 and _ATTEMPT.match(text) is not None and len(text.split()) <= 4


def _units(digits: str) -> int | None:
    if not digits.isascii() or len(digits) > 6:
        return None
    units = int(digits)
    return units if units <= MOST_UNITS else None
