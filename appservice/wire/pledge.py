"""How people write a pledge: `+2`, `3`, `2-4`, `2 max 9.00`."""

import re
import unicodedata
from dataclasses import dataclass

from appservice.domain.group_buy import MOST_UNITS
from appservice.domain.money import parse_amount
from appservice.domain.refusal import Reason, Refusal, refuse

_ADD = re.compile(r"\+\s?(\d+)")
_SET = re.compile(r"(\d+)(?:\s?[-–]\s?(\d+))?(?:\s+max\s+(\S+))?", re.IGNORECASE)
_NUMBER = re.compile(r"[-–]?\s?\d[\d.,]*(?:\s?[-–x]\s?\d+)?(?:\s+max\b.*)?", re.IGNORECASE | re.DOTALL)
_BUTTON = re.compile(r"\+\s?[-–]?\d\S*")
_MOST_WORDS = 4


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


def plain(text: str) -> str:
    """Give what was typed in plain characters: full-width ones made narrow, marks that cannot be seen left out."""
    narrow = unicodedata.normalize("NFKC", text)
    return "".join(char for char in narrow if unicodedata.category(char) != "Cf").strip()


def parse_more(text: str) -> MoreUnits | Refusal:
    """Read `+2`."""
    match = _ADD.fullmatch(plain(text))
    units = _units(match[1]) if match else None
    return MoreUnits(units) if units else refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)


def parse_whole(text: str, currency: str) -> WholePledge | Refusal:
    """Read `3`, `2-4`, `2 max 9.00` or `2-4 max 9.00`; `0` means to withdraw."""
    match = _SET.fullmatch(plain(text))
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
    """Tell whether a reply to a card is meant as a pledge, if perhaps a wrong one: a number alone, or a plus and
    hardly a word more."""
    typed = plain(text)
    return _NUMBER.fullmatch(typed) is not None or (typed.startswith("+") and len(typed.split()) <= _MOST_WORDS)


def is_pledge_button(key: str) -> bool:
    """Tell whether a reaction is meant as a pledge: a plus and a number."""
    return _BUTTON.fullmatch(plain(key)) is not None


def _units(digits: str) -> int | None:
    if not digits.isascii() or len(digits) > 6:
        return None
    units = int(digits)
    return units if units <= MOST_UNITS else None
