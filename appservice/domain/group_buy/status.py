"""Where a buy stands, and where it may go from there."""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """Where a buy stands; forward only."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    OPEN = "open"
    CLOSING = "closing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    COLLECTING = "collecting"
    ORDERED = "ordered"
    ARRIVED = "arrived"
    HANDING_OUT = "handing_out"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def is_live(self) -> bool:
        """Tell whether pledges that came in time still count."""
        return self in (Status.OPEN, Status.CLOSING)

    @property
    def is_planned(self) -> bool:
        """Tell whether the buy has yet to open."""
        return self in (Status.DRAFT, Status.SCHEDULED)

    @property
    def is_cleared(self) -> bool:
        """Tell whether the buy has succeeded, and its orders are being collected, delivered or are done."""
        return self in _CLEARED

    @property
    def is_over(self) -> bool:
        """Tell whether nothing follows any more."""
        return not TRANSITIONS[self]

    def leads_to(self, to: "Status") -> bool:
        """Tell whether this is one step before `to`."""
        return to in TRANSITIONS[self]


TRANSITIONS: Mapping[Status, tuple[Status, ...]] = {
    Status.DRAFT: (Status.SCHEDULED, Status.OPEN, Status.CANCELLED),
    Status.SCHEDULED: (Status.OPEN, Status.CANCELLED),
    Status.OPEN: (Status.CLOSING, Status.CANCELLED),
    Status.CLOSING: (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED),
    Status.SUCCEEDED: (Status.COLLECTING, Status.CANCELLED),
    Status.COLLECTING: (Status.ORDERED, Status.CANCELLED),
    Status.ORDERED: (Status.ARRIVED, Status.CANCELLED),
    Status.ARRIVED: (Status.HANDING_OUT, Status.CANCELLED),
    Status.HANDING_OUT: (Status.DONE, Status.CANCELLED),
    Status.FAILED: (),
    Status.DONE: (),
    Status.CANCELLED: (),
}

_CLEARED = (
    Status.SUCCEEDED, Status.COLLECTING, Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE,
)  # fmt: skip

STEPS = _CLEARED[1:]
"""Where a concierge takes a buy that has succeeded, one after another."""
