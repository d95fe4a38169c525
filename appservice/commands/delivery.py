"""What arrived, as concierges type it: `17`, `S 10, M 7 pro rata`, `17 by hand hs6rvr29 10, zddvg4p7 7`."""

import re
from collections.abc import Sequence

from appservice.domain.fulfilment import Deliver, Rule
from appservice.domain.ids import Number, OrderId
from appservice.domain.order import Units
from appservice.domain.text import fold

_RULE = re.compile(r"\b(first[ _-]?come|pro[ _-]?rata|by[ _-]?hand)\b", re.IGNORECASE)
_RULES = {"first": Rule.FIRST_COME, "pro": Rule.PRO_RATA, "by": Rule.BY_HAND}
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)


def parse_delivery(text: str, variants: Sequence[str], by: Number) -> Deliver | None:
    """Read what arrived, by variant where there are any; without a rule the first come get theirs. None where it
    cannot be read.

    Shares by hand follow the rule: for each order its id and its units, `hs6rvr29 10, zddvg4p7 7`, or with variants
    `hs6rvr29 S 10 M 2, zddvg4p7 M 5`.
    """
    named = list(_RULE.finditer(text))
    if len(named) > 1:
        return None
    rule = _RULES[re.split(r"[^a-z]|come|rata|hand", named[0][1].lower())[0]] if named else Rule.FIRST_COME
    before, after = (text[: named[0].start()], text[named[0].end() :]) if named else (text, "")
    arrived = _units(before.replace(",", " ").split(), variants)
    by_hand = _by_hand(after, variants)
    if arrived is None or by_hand is None or bool(by_hand) != (rule is Rule.BY_HAND):
        return None
    return Deliver(dict(arrived), rule, by, by_hand)


def _by_hand(text: str, variants: Sequence[str]) -> dict[OrderId, Units] | None:
    shares: dict[OrderId, Units] = {}
    for part in filter(str.strip, text.split(",")):
        order_id, *words = part.split()
        units = _units(words, variants)
        if units is None or order_id in shares:
            return None
        shares[OrderId(order_id.lower())] = units
    return shares


def _units(words: Sequence[str], variants: Sequence[str]) -> Units | None:
    """Read `17`, or where there are variants `S 10 M 7`; their labels may have several words."""
    if not variants:
        return (("", int(words[0])),) if len(words) == 1 and _NUMBER.fullmatch(words[0]) else None
    found: dict[str, int] = {}
    label: list[str] = []
    for word in words:
        label.append(word)
        name = " ".join(label[:-1])
        known = next((variant for variant in variants if fold(variant) == fold(name)), None)
        if known is not None and _NUMBER.fullmatch(word):
            if known in found:
                return None
            found[known] = int(word)
            label = []
    return tuple(found.items()) if found and not label else None
