"""What has happened to a group buy."""

from dataclasses import dataclass

from appservice.domain.clearing import Clearing, Tier
from appservice.domain.group_buy.state import Pledged
from appservice.domain.group_buy.status import Status
from appservice.domain.group_buy.terms import Terms
from appservice.domain.ids import Number
from appservice.domain.order import Order
from appservice.domain.pledger import Pledger


@dataclass(frozen=True, slots=True)
class TrancheAdded:
    tranche: Pledged


@dataclass(frozen=True, slots=True)
class UnitsWithdrawn:
    id: str
    pledger: Pledger
    units: int


@dataclass(frozen=True, slots=True)
class OptionsChanged:
    """The member's maximum on every tranche, the flexible units on the oldest of the variant."""

    pledger: Pledger
    flex: int
    max_price: int | None
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The member's tranches take part again."""

    pledger: Pledger


@dataclass(frozen=True, slots=True)
class TierReached:
    tier: Tier


@dataclass(frozen=True, slots=True)
class Scheduled:
    opens_at: int


@dataclass(frozen=True, slots=True)
class Opened:
    """Pledges journaled from `opens_at` (ms) are in time."""

    opens_at: int


@dataclass(frozen=True, slots=True)
class TermsImproved:
    terms: Terms


@dataclass(frozen=True, slots=True)
class Extended:
    """`suspended` are the members whose conditional tranches wait for their word."""

    deadline_at: int
    suspended: tuple[Pledger, ...] = ()


@dataclass(frozen=True, slots=True)
class Shortened:
    deadline_at: int


@dataclass(frozen=True, slots=True)
class GraceGiven:
    """`quiet` where the groups have been told before."""

    deadline_at: int
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class ClosingBegun:
    deadline_at: int


@dataclass(frozen=True, slots=True)
class Succeeded:
    """`orders` are in pledge order."""

    clearing: Clearing
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Not even the first tier was reached; nothing is owed."""


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A step after success: to collecting by itself, further by a concierge."""

    status: Status
    by: Number | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cancelled:
    reason: str
    by: Number


Pledging = TrancheAdded | UnitsWithdrawn | OptionsChanged | Confirmed
Fact = (
    Pledging
    | TierReached
    | Scheduled
    | Opened
    | TermsImproved
    | Extended
    | Shortened
    | GraceGiven
    | ClosingBegun
    | Succeeded
    | Failed
    | StatusChanged
    | Cancelled
)
