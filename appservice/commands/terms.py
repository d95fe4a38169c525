"""Terms as concierges type them: `10:79 25:69 until friday 18:00 cap 100 variants S, M, L tax 20%`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from appservice.commands.deadline import parse_deadline
from appservice.domain.clearing import Tier
from appservice.domain.group_buy import MOST_TIERS, MOST_VARIANTS, Terms
from appservice.domain.group_buy.terms import LONGEST_VARIANT
from appservice.domain.money import Tax, parse_amount
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name
from appservice.wire.pledge import plain

_FIELDS: Mapping[str, str] = {
    "until": "deadline_at",
    "opens": "opens_at",
    "cap": "cap",
    "pack": "pack",
    "least": "least",
    "most": "most",
    "step": "step",
    "variants": "variants",
    "shared": "shared_cost",
    "tax": "tax",
}
"""The words that begin an option, and what of the terms each gives."""
_NOTHING: Mapping[str, object] = {"cap": None, "most": None, "tax": None, "variants": ()}
"""What `none` means for the options that need not be there."""
_INCLUSIVE: Mapping[str, bool] = {
    "": True, "incl": True, "included": True, "inclusive": True,
    "on top": False, "extra": False, "excl": False, "excluded": False, "exclusive": False,
}  # fmt: skip
_TIER = re.compile(r"(\d{1,7}):(\S{1,20})", re.ASCII)
_LIKE_A_TIER = re.compile(r"\d+:\S*", re.ASCII)
_NUMBER = re.compile(r"\d{1,7}", re.ASCII)
_TAX = re.compile(r"(\d{1,3})(?:[.,](\d{1,2}))?\s?%?(?:\s+(.+))?", re.ASCII)
_LIKE_A_VALUE = re.compile(r"\d[\d.,:%/-]*", re.ASCII)
_BETWEEN_LABELS = re.compile("[,;\uff0c\u3001]")
_LONGEST_QUOTE = 40


@dataclass(frozen=True, slots=True)
class _Option:
    """One option as it was typed: `cap 100` is the keyword `cap` with the word `100`."""

    keyword: str
    words: Sequence[str]
    currency: str
    received_at: int
    time_zone: str


def split_product(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the words that name a product, and those from the first tier on."""
    first = next((n for n, word in enumerate(words) if _LIKE_A_TIER.fullmatch(plain(word))), len(words))
    return list(words[:first]), list(words[first:])


def parse_terms(words: Sequence[str], currency: str, received_at: int, time_zone: str) -> Terms | Refusal:
    """Read the terms of a new buy: tiers first, then `until` and options in any order, each once at most.

    Every word counts: one that is not understood is refused and named. Whether the terms can be offered is for
    `check_terms` to say.
    """
    fields = _read(words, currency, received_at, time_zone)
    if isinstance(fields, Refusal):
        return fields
    if "tiers" not in fields:
        return refuse(Reason.BAD_TIERS, why="count", most=MOST_TIERS)
    if "deadline_at" not in fields:
        return refuse(Reason.BAD_TERMS, why="no_deadline")
    return Terms(currency, **fields)


def parse_changes(
    words: Sequence[str], terms: Terms, received_at: int, time_zone: str, *, is_planned: bool = False
) -> Terms | Refusal:
    """Read new terms of a buy: what is not named stays as it is. Once it is open, the deadline is moved by commands of
    its own."""
    fields = _read(words, terms.currency, received_at, time_zone, fixed=None if is_planned else "until")
    if isinstance(fields, Refusal):
        return fields
    return replace(terms, **fields) if fields else refuse(Reason.BAD_TERMS, why="nothing")


def _read(
    words: Sequence[str], currency: str, received_at: int, time_zone: str, *, fixed: str | None = None
) -> dict[str, Any] | Refusal:
    """Give the fields of the terms that are named; the option `fixed` may not be."""
    tier_words, typed = _split(words)
    tiers = _tiers(tier_words, currency)
    if isinstance(tiers, Refusal):
        return tiers
    fields: dict[str, Any] = {"tiers": tiers} if tiers else {}
    for keyword, rest in typed:
        if keyword == fixed:
            return refuse(Reason.BAD_TERMS, why="fixed")
        field = _FIELDS[keyword]
        if field in fields:
            return refuse(Reason.BAD_TERMS, why="twice", word=keyword)
        fields[field] = _value(_Option(keyword, rest, currency, received_at, time_zone))
        if isinstance(fields[field], Refusal):
            return fields[field]  # type: ignore[no-any-return]
    return fields


def _split(words: Sequence[str]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Give the words before the first option, and the options with the words that belong to each."""
    before: list[str] = []
    options: list[tuple[str, list[str]]] = []
    for word in words:
        keyword = plain(word).lower().lstrip(",;").rstrip(":")
        if keyword in _FIELDS:
            options.append((keyword, []))
        elif plain(word).strip(",;:") or word in (",", ";"):
            (options[-1][1] if options else before).append(word)
    return before, options


def _tiers(words: Sequence[str], currency: str) -> tuple[Tier, ...] | Refusal:
    tiers = []
    for word in _bare(words):
        match = _TIER.fullmatch(word)
        if match is None:
            return refuse(Reason.BAD_TIERS, why="format", tier=word[:_LONGEST_QUOTE])
        price = parse_amount(match[2], currency)
        if price is None:
            return refuse(Reason.BAD_AMOUNT, amount=match[2], currency=currency)
        tiers.append(Tier(int(match[1]), price))
    return tuple(tiers)


def _value(option: _Option) -> object:
    """Give what an option says, or a refusal."""
    if option.keyword in _NOTHING and [word.lower() for word in _bare(option.words)] == ["none"]:
        return _NOTHING[option.keyword]
    match option.keyword:
        case "until" | "opens":
            return _time(option)
        case "variants":
            return _variants(option.words)
        case "shared":
            return _amount(option)
        case "tax":
            return _tax(" ".join(_bare(option.words)).lower())
        case _:
            return _number(option)


def _time(option: _Option) -> int | Refusal:
    opening = option.keyword == "opens"
    text = " ".join(_bare(option.words))
    at = parse_deadline(text, option.received_at, option.time_zone, opening=opening)
    if not isinstance(at, Refusal):
        return at
    stray = at.details.get("word")
    if stray is not None:
        before = text[: text.index(str(stray))]
        if not isinstance(parse_deadline(before, option.received_at, option.time_zone), Refusal):
            return _unknown(str(stray))  # what follows a whole time was meant as something else
    return replace(at, details={**at.details, "opening": opening})


def _number(option: _Option) -> int | Refusal:
    first, *more = _bare(option.words) or [""]
    if not _NUMBER.fullmatch(first):
        return refuse(Reason.BAD_TERMS, why="number", word=option.keyword, given=first[:_LONGEST_QUOTE])
    return _unknown(more[0]) if more else int(first)


def _amount(option: _Option) -> int | Refusal:
    first, *more = _bare(option.words) or [""]
    amount = parse_amount(first, option.currency)
    if not first:
        return refuse(Reason.BAD_COSTS, why="shared")
    if amount is None:
        return refuse(Reason.BAD_AMOUNT, amount=first[:_LONGEST_QUOTE], currency=option.currency)
    return _unknown(more[0]) if more else amount


def _tax(text: str) -> Tax | Refusal:
    """Read `20`, `7.5%` or `19,6 % on top`: a rate with two decimals at most."""
    match = _TAX.fullmatch(text)
    if match is None:
        return refuse(Reason.BAD_COSTS, why="tax")
    inclusive = _INCLUSIVE.get((match[3] or "").rstrip("."))
    if inclusive is None:
        return _unknown(match[3])
    return Tax(int(match[1] + (match[2] or "").ljust(2, "0")), inclusive)


def _variants(words: Sequence[str]) -> tuple[str, ...] | Refusal:
    """Read labels: between commas where there is one, else each word is one; quoted text, too."""
    quoted = [word for word in words if " " in word]  # nothing else has a space in it
    text = "".join(f",{word}," if word in quoted else f" {word} " for word in words)
    has_comma = any(map(_BETWEEN_LABELS.search, words))
    typed = [label.strip() for label in (_BETWEEN_LABELS.split(text) if has_comma else words) if label.strip()]
    if not typed:
        return refuse(Reason.BAD_VARIANTS, why="none")
    if len(typed) > MOST_VARIANTS:
        return refuse(Reason.BAD_VARIANTS, why="count", most=MOST_VARIANTS)
    clear = {label.strip() for word in quoted for label in _BETWEEN_LABELS.split(word)}
    unclear = [label for label in typed if label not in clear]
    for label in unclear if has_comma else [" ".join(unclear)]:
        if _may_be_an_option(label):
            return refuse(Reason.BAD_VARIANTS, why="unclear", label=label[:_LONGEST_QUOTE])
    labels = [clean_name(label, LONGEST_VARIANT) for label in typed]
    known = tuple(label for label in labels if label is not None)
    return known if len(known) == len(labels) else refuse(Reason.BAD_VARIANTS, why="label", most=LONGEST_VARIANT)


def _may_be_an_option(label: str) -> bool:
    """Tell whether a mistyped option may be in a label, as in `L cp 100`: the buy would be without that option."""
    words = plain(label).lower().split()[:_LONGEST_QUOTE]
    numbers = sum(_LIKE_A_VALUE.fullmatch(word) is not None for word in words)
    return len(words) > 1 and (
        0 < numbers < len(words) or any(get_close_matches(word[:_LONGEST_QUOTE], _FIELDS, 1, 0.76) for word in words)
    )


def _bare(words: Sequence[str]) -> list[str]:
    """Give words in plain characters, without the commas between them."""
    return [bare for word in words if (bare := plain(word).strip(",;"))]


def _unknown(word: str) -> Refusal:
    close = get_close_matches(word.lower()[:_LONGEST_QUOTE], _FIELDS, n=1)
    return refuse(Reason.BAD_TERMS, why="unknown", word=word[:_LONGEST_QUOTE], close=next(iter(close), None))
