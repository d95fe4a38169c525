"""What members say for a product: why they recommend it, and that they like it."""

from collections.abc import Iterable
from dataclasses import dataclass

from appservice.domain.ids import EventId, ProductId
from appservice.domain.pledger import Pledger

LONGEST_WHY = 300
LIKES = frozenset({"❤", "♥"})
"""Reactions that count as a like."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A member recommends a product since `at` (ms); `why` is what they said last, in the message `event_id`."""

    product_id: ProductId
    by: Pledger
    why: str
    event_id: EventId
    at: int


@dataclass(frozen=True, slots=True)
class Praise:
    """How many members recommend a product, and how many like it."""

    recommended: int = 0
    liked: int = 0


NO_PRAISE = Praise()


@dataclass(frozen=True, slots=True)
class Bought:
    """What one member has ordered of a product, at a time (ms)."""

    by: Pledger
    units: int
    at: int


@dataclass(frozen=True, slots=True)
class Credit:
    """What followed a recommendation: units ordered, by how many members."""

    units: int
    members: int


def credit(recommendation: Recommendation, bought: Iterable[Bought]) -> Credit:
    """Give what others in the recommender's group have ordered since."""
    said_by = recommendation.by
    found = [
        one
        for one in bought
        if one.at > recommendation.at and one.by.group_id == said_by.group_id and one.by != said_by and one.units
    ]
    return Credit(sum(one.units for one in found), len({one.by for one in found}))
