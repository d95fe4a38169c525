"""What a group buy offers, what is wrong with an offer, and whether one is better than another for everyone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from appservice.domain.clearing import Tier
from appservice.domain.money import LARGEST_AMOUNT, WHOLE, Tax
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name, fold, without_ids

MOST_UNITS = 9_999
"""What one pledge may ask for; more is a slip of the finger."""
MOST_TIERS = 10
MOST_VARIANTS = 30
LONGEST_VARIANT = 40


@dataclass(frozen=True, slots=True)
class Terms:
    """What is offered.

    `deadline_at`, `opens_at` in ms: pledges journaled from the one until before the other are in time. `least`, `most`
    and `step` bound the firm units of a member's whole pledge. `variants` are labels; there is one total. The
    `shared_cost` (minor units) is split by units over the orders; `tax` is worked out for each order.
    """

    currency: str
    tiers: tuple[Tier, ...]
    deadline_at: int
    pack: int = 1
    cap: int | None = None
    opens_at: int | None = None
    least: int = 1
    most: int | None = None
    step: int = 1
    variants: tuple[str, ...] = ()
    shared_cost: int = 0
    tax: Tax | None = None

    def price_at(self, total: int) -> int | None:
        """Give the unit price that a total reaches, None below the minimum order."""
        return min((tier.unit_price for tier in self.tiers if tier.minimum <= total), default=None)

    def variant(self, label: str | None) -> str | Refusal:
        """Give the variant that a label means, whatever its case; "" where there are none and none was named."""
        if not self.variants:
            return refuse(Reason.NO_VARIANTS, given=label) if label else ""
        meant = fold(label or "")
        known = next((variant for variant in self.variants if fold(variant) == meant), None)
        return known or refuse(Reason.WHICH_VARIANT, variants=self.variants, given=label)

    def check_units(self, firm: int, flexible: int = 0) -> Refusal | None:
        """Say why a member's whole pledge may not be so many firm and flexible units, or None."""
        if not firm >= 1 or flexible < 0 or firm + flexible > MOST_UNITS:
            return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
        if firm < self.least:
            return refuse(Reason.BELOW_LEAST, least=self.least, units=firm)
        # Flexible units may all be given, so they count: nobody gets more than the most.
        if self.most is not None and firm + flexible > self.most:
            return refuse(Reason.ABOVE_MOST, most=self.most, units=firm + flexible)
        if firm % self.step or flexible % self.step:
            return refuse(Reason.OFF_STEP, step=self.step, units=firm if firm % self.step else firm + flexible)
        return None


def check_terms(terms: Terms, now: int) -> Refusal | None:
    """Say what is wrong with the terms of a new buy, or None."""
    return (
        _check_tiers(terms.tiers)
        or _check_pack_and_cap(terms)
        or _check_limits(terms)
        or _check_variants(terms.variants)
        or _check_costs(terms)
        or _check_times(terms, now)
    )


def _check_tiers(tiers: Sequence[Tier]) -> Refusal | None:
    if not 1 <= len(tiers) <= MOST_TIERS:
        return refuse(Reason.BAD_TIERS, why="count", most=MOST_TIERS)
    if any(not 1 <= tier.minimum <= MOST_UNITS for tier in tiers):
        return refuse(Reason.BAD_TIERS, why="minimum", most=MOST_UNITS)
    if any(not 1 <= tier.unit_price <= LARGEST_AMOUNT // MOST_UNITS for tier in tiers):
        return refuse(Reason.BAD_TIERS, why="price")
    for shallow, deep in pairwise(tiers):
        if deep.minimum <= shallow.minimum:
            return refuse(Reason.BAD_TIERS, why="minimums_rise", first=shallow, second=deep)
        if deep.unit_price >= shallow.unit_price:
            return refuse(Reason.BAD_TIERS, why="prices_fall", first=shallow, second=deep)
    return None


def _check_pack_and_cap(terms: Terms) -> Refusal | None:
    if not 1 <= terms.pack <= MOST_UNITS or (terms.cap is not None and not 1 <= terms.cap <= 10**6):
        return refuse(Reason.BAD_TIERS, why="pack_or_cap")
    if terms.cap is not None and terms.cap // terms.pack * terms.pack < terms.tiers[-1].minimum:
        return refuse(Reason.BAD_TIERS, why="cap_below_tier", cap=terms.cap, pack=terms.pack)
    return None


def _check_limits(terms: Terms) -> Refusal | None:
    highest = MOST_UNITS if terms.most is None else terms.most
    if any(not 1 <= limit <= MOST_UNITS for limit in (terms.least, highest, terms.step)):
        return refuse(Reason.BAD_LIMITS, why="range", most=MOST_UNITS)
    if highest // terms.step * terms.step < terms.least:  # not one number of units would be accepted
        return refuse(Reason.BAD_LIMITS, why="no_number", most=highest, least=terms.least, step=terms.step)
    return None


def _check_variants(variants: Sequence[str]) -> Refusal | None:
    if len(variants) > MOST_VARIANTS:
        return refuse(Reason.BAD_VARIANTS, why="count", most=MOST_VARIANTS)
    for variant in variants:
        if (
            clean_name(variant) != variant
            or without_ids(variant) != variant
            or len(variant) > LONGEST_VARIANT
            or not fold(variant)
        ):
            return refuse(Reason.BAD_VARIANTS, why="label", most=LONGEST_VARIANT)
    if len({fold(variant) for variant in variants}) < len(variants):
        return refuse(Reason.BAD_VARIANTS, why="twice", most=MOST_VARIANTS)
    return None


def _check_costs(terms: Terms) -> Refusal | None:
    if not 0 <= terms.shared_cost <= LARGEST_AMOUNT:
        return refuse(Reason.BAD_COSTS, why="shared")
    if terms.tax is not None and not 0 <= terms.tax.rate <= WHOLE:
        return refuse(Reason.BAD_COSTS, why="tax")
    return None


def _check_times(terms: Terms, now: int) -> Refusal | None:
    if terms.deadline_at <= now:
        return refuse(Reason.BAD_DEADLINE, why="past")
    if terms.opens_at is not None and terms.opens_at >= terms.deadline_at:
        return refuse(Reason.BAD_DEADLINE, why="before_opening")
    return None


def check_better(old: Terms, new: Terms) -> Refusal | None:
    """Say where new terms are worse for anybody than those under which people have pledged, or None."""
    same = (new.currency, new.deadline_at, new.opens_at, new.pack) == (
        old.currency, old.deadline_at, old.opens_at, old.pack
    )  # fmt: skip
    worse = [
        ("frozen", not same),
        ("price", not _never_dearer(old, new)),
        ("cap", new.cap is not None and (old.cap is None or new.cap < old.cap)),
        ("least", new.least > old.least),
        ("most", new.most is not None and (old.most is None or new.most < old.most)),
        ("step", old.step % new.step != 0),
        ("variants", not _only_adds(old.variants, new.variants)),
        ("shared", new.shared_cost > old.shared_cost),
        ("tax", not _taxes_no_more(old.tax, new.tax)),
        ("same", old == new),
    ]
    why = next((name for name, is_so in worse if is_so), None)
    return refuse(Reason.NOT_BETTER, why=why) if why else None


def _never_dearer(old: Terms, new: Terms) -> bool:
    """Tell whether every total that has a price has no higher one now; prices change at minimums only."""
    for tier in old.tiers:
        price = new.price_at(tier.minimum)
        if price is None or price > tier.unit_price:
            return False
    return True


def _only_adds(old: Sequence[str], new: Sequence[str]) -> bool:
    # A buy without variants cannot get any: what was pledged would have none.
    return set(old) <= set(new) if old else not new


def _taxes_no_more(old: Tax | None, new: Tax | None) -> bool:
    if new is None:
        return True
    top = 0 if new.inclusive else new.rate
    if old is None:
        # A rate that prices contain changes no price, but it was not on the offer.
        return new.rate == 0
    return top <= (0 if old.inclusive else old.rate) and new.rate <= old.rate
