"""What may be asked of a group buy. `received_at` (ms) is when the asking was journaled."""

from collections.abc import Sequence
from dataclasses import dataclass

from appservice.domain.group_buy.status import Status
from appservice.domain.group_buy.terms import Terms
from appservice.domain.ids import Number
from appservice.domain.pledger import Pledger


@dataclass(frozen=True, slots=True)
class Add:
    """`+n`: add a dated tranche under the options that the member's pledge has.

    Without a `variant`, it is of the one variant that the member has pledged.
    """

    pledger: Pledger
    units: int
    id: str
    position: int
    received_at: int
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """`!pledge n`: set quantity, range and maximum of the member's whole pledge; units kept keep their date.

    Where there are variants, `quantity` is that of one variant, those of others are kept; range and maximum belong to
    the whole pledge all the same. `quantity` 0 drops one variant of several.
    """

    pledger: Pledger
    quantity: int
    flex: int
    max_price: int | None
    id: str
    position: int
    received_at: int
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a pledge back: all of it, or what is left of the units that one event added."""

    pledger: Pledger
    received_at: int
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """A member whose conditional pledge was suspended agrees to the new deadline."""

    pledger: Pledger
    received_at: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Have a draft open by itself at its terms' `opens_at`."""

    received_at: int


@dataclass(frozen=True, slots=True)
class Open:
    """Take pledges from now on."""

    received_at: int


@dataclass(frozen=True, slots=True)
class Improve:
    """Change the terms: freely before the first pledge, after it only for the better for everyone."""

    terms: Terms
    received_at: int


@dataclass(frozen=True, slots=True)
class Extend:
    """Move the deadline of an open buy later; conditional pledges are suspended until their owners agree."""

    deadline_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Shorten:
    """Move the deadline of an open buy earlier, with a day's notice."""

    deadline_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Grace:
    """The service was down at the deadline: take pledges until a new one, nobody's pledge suspended.

    `quiet` where the groups have been told before.
    """

    deadline_at: int
    received_at: int
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """A concierge ends the buy now: `received_at` becomes the deadline."""

    received_at: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Deadline passed and everything journaled before it handled: clear.

    `ids` are fresh, two for each member; orders are to be paid before `pay_by` (ms).
    """

    ids: Sequence[str]
    pay_by: int


@dataclass(frozen=True, slots=True)
class Advance:
    """A concierge takes a buy that has succeeded one step on: nothing arrives by itself."""

    to: Status
    by: Number
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A concierge calls the buy off."""

    reason: str
    by: Number
