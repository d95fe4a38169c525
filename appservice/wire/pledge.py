"""How people write a pledge: `+2`, `3`, `2-4`, `2 max 9.00`; where a buy has variants: `+2 M`, `2-4 M max 9.00`."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from appservice.domain.group_buy import MOST_UNITS
from appservice.domain.money import parse_amount
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import fold

_ADD = re.compile(r"\+\s?(\d+)")
_SET = re.compile(r"(\d+)(?:\s?[-–]\s?(\d+))?(?:\s+max\s+(\S+))?", re.IGNORECASE)
_WITH_WORDS = re.compile(r"(\+?\s?\d+(?:\s?[-–]\s?\d+)?)(?=\s|[x×]\s)(.+)", re.IGNORECASE | re.DOTALL)
_TIMES = re.compile(r"\A[x×]\s+(?=\S)", re.IGNORECASE)
_MAXIMUM = re.compile(r"(?:(.*)\s)?(max\s+\S+)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"[-–]?\s?\d[\d.,]*(?:\s?[-–x]\s?\d+)?(?:\s+max\b.*)?", re.IGNORECASE | re.DOTALL)
_BUTTON = re.compile(r"\+\s?[-–]?\d\S*")
_MOST_WORDS = 4


@dataclass(frozen=True, slots=True)
class MoreUnits:
    """`+n`, of a variant where the buy has some and one was named."""

    units: int
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class WholePledge:
    """`!pledge n`: the quantity wanted, flexible units beyond it, a maximum in minor units, and the variant named."""

    quantity: int
    flex: int = 0
    max_price: int | None = None
    variant: str | None = None


def plain(text: str) -> str:
    """Give what was typed in plain characters: full-width ones made narrow, marks that cannot be seen left out."""
    narrow = unicodedata.normalize("NFKC", text)
    return "".join(char for char in narrow if unicodedata.category(char) != "Cf").strip()


def parse_more(text: str, variants: Sequence[str] = ()) -> MoreUnits | Refusal:
    """Read `+2`, or `+2 M` where there are `variants`. A label that is none of them stays as it was typed."""
    numbers, variant = _without_variant(plain(text), variants)
    match = _ADD.fullmatch(numbers)
    units = _units(match[1]) if match else None
    return MoreUnits(units, variant) if units else refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)


def parse_whole(text: str, currency: str, variants: Sequence[str] = ()) -> WholePledge | Refusal:
    """Read `3`, `2-4`, `2 max 9.00` or `2-4 max 9.00`; `0` means to withdraw. Where there are `variants`, a label may
    follow the number: `2-4 M max 9.00`, `3 x Large blue`; one that is none of them stays as it was typed."""
    numbers, variant = _without_variant(plain(text), variants)
    match = _SET.fullmatch(numbers)
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
    return WholePledge(quantity, upper - quantity, max_price, variant)


def looks_like_pledge(text: str, variants: Sequence[str] = ()) -> bool:
    """Tell whether a reply to a card is meant as a pledge, if perhaps a wrong one: a number alone, a number and one of
    the card's variants, or a plus and hardly a word more."""
    typed = plain(text)
    if _NUMBER.fullmatch(typed) or (typed.startswith("+") and len(typed.split()) <= _MOST_WORDS):
        return True
    return _without_variant(typed, variants)[1] in variants


def is_pledge_button(key: str) -> bool:
    """Tell whether a reaction is meant as a pledge: a plus and a number."""
    return _BUTTON.fullmatch(plain(key)) is not None


def _without_variant(typed: str, variants: Sequence[str]) -> tuple[str, str | None]:
    """Give a pledge without the label in it, and the label: one of `variants` if it can be, else what was typed.

    A label may itself begin with an x, or have a maximum's words in it: known ones are looked for first.
    """
    match = _WITH_WORDS.fullmatch(typed) if variants else None
    if match is None:
        return typed, None
    words = match[2].strip()
    wholes = (words, _TIMES.sub("", words))
    readings = [(whole, "") for whole in wholes]
    for option in map(_MAXIMUM.fullmatch, wholes):
        if option is not None:
            readings.append(((option[1] or "").strip(), f" {option[2]}"))
    known = {fold(variant): variant for variant in variants}
    label, rest = next((reading for reading in readings if fold(reading[0]) in known), readings[-1])
    return match[1] + rest, known.get(fold(label), label) or None


def _units(digits: str) -> int | None:
    if not digits.isascii() or len(digits) > 6:
        return None
    units = int(digits)
    return units if units <= MOST_UNITS else None
