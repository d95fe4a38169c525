"""Clearing: which price a group buy has reached, who is in it and with how many units.

One pure function, `clear`; the rules are those of docs/group-buys.md. It holds always that the total is a multiple of
the pack and within the cap, that nobody gets more than asked or pays above their maximum, and that adding a pledge
never raises the price nor fails a buy that would have succeeded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """From `minimum` units in total (inclusive) everyone pays `unit_price` (minor units)."""

    minimum: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class Tranche:
    """Units pledged at one moment: `quantity` firm, up to `flex` more, only at `max_price` (minor units) or below."""

    id: str
    quantity: int
    flex: int = 0
    max_price: int | None = None

    def allows(self, unit_price: int) -> bool:
        """Tell whether its owner takes part at this price."""
        return self.max_price is None or unit_price <= self.max_price


@dataclass(frozen=True, slots=True)
class Clearing:
    """What a group buy comes to at `unit_price`, reached with the tier's `minimum`.

    `units` are the units of each tranche that takes part (0 where it was cut whole), `cut` the firm units that found
    no place, `left_out` the tranches whose maximum is below the price, oldest first.
    """

    unit_price: int
    minimum: int
    total: int
    units: Mapping[str, int]
    cut: Mapping[str, int]
    left_out: Sequence[str]


def clear(
    tiers: Sequence[Tier], tranches: Sequence[Tranche], *, pack: int = 1, cap: int | None = None
) -> Clearing | None:
    """Give the clearing at the deepest tier that can be reached, or None where not even the first can be.

    `tiers` have strictly rising minimums and strictly falling prices; `tranches` come oldest first.
    """
    for tier in sorted(tiers, key=lambda tier: tier.minimum, reverse=True):
        inside = [tranche for tranche in tranches if tranche.allows(tier.unit_price)]
        allotted = _allot(tier, inside, pack, cap)
        if allotted is not None:
            units, cut = allotted
            left_out = tuple(tranche.id for tranche in tranches if not tranche.allows(tier.unit_price))
            return Clearing(tier.unit_price, tier.minimum, sum(units.values()), units, cut, left_out)
    return None


def units_short_of(tier: Tier, tranches: Sequence[Tranche], *, pack: int = 1) -> int:
    """Count the firm units, pledged without a maximum, that are still missing for the tier; 0 where none are."""
    inside = [tranche for tranche in tranches if tranche.allows(tier.unit_price)]
    firm = sum(tranche.quantity for tranche in inside)
    flexible = sum(tranche.flex for tranche in inside)
    if firm == 0:
        return max(1, _ceil(tier.minimum, pack) - flexible)
    return max(0, _ceil(tier.minimum, pack) - firm - flexible)


def _allot(
    tier: Tier, inside: Sequence[Tranche], pack: int, cap: int | None
) -> tuple[dict[str, int], dict[str, int]] | None:
    firm = sum(tranche.quantity for tranche in inside)
    if firm == 0:
        return None
    flexible = sum(tranche.flex for tranche in inside)
    room = None if cap is None else _floor(cap, pack)
    up = _ceil(max(firm, tier.minimum), pack)
    if up <= firm + flexible and (room is None or up <= room):
        return _hand_out(inside, up - firm), {}
    down = _floor(firm, pack) if room is None else min(_floor(firm, pack), room)
    if down > 0 and down >= tier.minimum:
        return _cut_back(inside, firm - down)
    return None


def _hand_out(inside: Sequence[Tranche], extra: int) -> dict[str, int]:
    """Give `extra` flexible units one by one in pledge order, round and round.

    Whole rounds are counted at once: with `level` of them done, a tranche has min(flex, level).
    """
    level, left = 0, extra
    flexes = sorted(tranche.flex for tranche in inside if tranche.flex > 0)
    for place, flex in enumerate(flexes):
        takers = len(flexes) - place
        rounds = min(flex - level, left // takers)
        level, left = level + rounds, left - rounds * takers
        if level < flex:
            break
    units: dict[str, int] = {}
    for tranche in inside:
        given = min(tranche.flex, level)
        if left > 0 and tranche.flex > level:
            given, left = given + 1, left - 1
        units[tranche.id] = tranche.quantity + given
    return units


def _cut_back(inside: Sequence[Tranche], excess: int) -> tuple[dict[str, int], dict[str, int]]:
    """Take `excess` firm units away: conditional tranches before unconditional ones, newest first in each."""
    units = {tranche.id: tranche.quantity for tranche in inside}
    cut: dict[str, int] = {}
    newest_first = list(reversed(inside))
    conditional = [tranche for tranche in newest_first if tranche.max_price is not None]
    unconditional = [tranche for tranche in newest_first if tranche.max_price is None]
    for tranche in conditional + unconditional:
        taken = min(tranche.quantity, excess)
        if taken > 0:
            units[tranche.id] -= taken
            cut[tranche.id] = taken
            excess -= taken
    return units, cut


def _floor(units: int, pack: int) -> int:
    return units // pack * pack


def _ceil(units: int, pack: int) -> int:
    return -(-units // pack) * pack
