"""Refusals are values: why something was not done. Each has its sentence in present/words.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Reason(StrEnum):
    """Why a request was refused."""

    # about the person
    NOT_ALLOWED = "not_allowed"
    NOT_A_MEMBER = "not_a_member"
    OWNERS_ONLY = "owners_only"
    WRONG_PLACE = "wrong_place"
    OTHER_PLACE = "other_place"
    # about the words
    USAGE = "usage"
    BAD_NAME = "bad_name"
    BAD_AMOUNT = "bad_amount"
    BAD_LINK = "bad_link"
    BAD_QUANTITY = "bad_quantity"
    BAD_TIERS = "bad_tiers"
    BAD_DEADLINE = "bad_deadline"
    BAD_USER_ID = "bad_user_id"
    BAD_CAP = "bad_cap"
    BAD_LIMITS = "bad_limits"
    BAD_VARIANTS = "bad_variants"
    BAD_COSTS = "bad_costs"
    WHICH_VARIANT = "which_variant"
    NO_VARIANTS = "no_variants"
    NOTE_NEEDED = "note_needed"
    UNKNOWN_COMMAND = "unknown_command"
    NOT_UNDERSTOOD = "not_understood"
    # about what it names
    NO_GROUP = "no_group"
    WHICH_GROUP = "which_group"
    NO_BUY = "no_buy"
    WHICH_BUY = "which_buy"
    NO_PRODUCT = "no_product"
    WHICH_PRODUCT = "which_product"
    # about the group
    GROUP_FULL = "group_full"
    ALREADY_HERE = "already_here"
    ALREADY_INVITED = "already_invited"
    ALREADY_CONCIERGE = "already_concierge"
    NO_CONCIERGE = "no_concierge"
    OWN_ACCOUNT = "own_account"
    STILL_CREATING = "still_creating"
    # about the buy
    TOO_LATE = "too_late"
    NOT_OPEN = "not_open"
    NOT_YET_OPEN = "not_yet_open"
    WRONG_STEP = "wrong_step"
    NOT_BETTER = "not_better"
    BELOW_LEAST = "below_least"
    ABOVE_MOST = "above_most"
    OFF_STEP = "off_step"
    NOTHING_SUSPENDED = "nothing_suspended"
    NOTHING_PLEDGED = "nothing_pledged"
    EDITED = "edited"
    ALREADY_OPEN = "already_open"
    NOT_SKU = "not_sku"
    SKU_TAKEN = "sku_taken"
    # about an order
    NO_ORDER = "no_order"
    NOTHING_OWED = "nothing_owed"
    NOT_DUE = "not_due"
    MONEY_CAME = "money_came"
    PAYMENT_KNOWN = "payment_known"
    NO_PAYMENT = "no_payment"
    TOO_MUCH = "too_much"
    NO_OFFER = "no_offer"
    NOTHING_FREE = "nothing_free"
    NOBODY_WAITS = "nobody_waits"
    OFFERS_STAND = "offers_stand"
    AT_RISK = "at_risk"
    NOT_SHORT = "not_short"
    NOT_COLLECTING = "not_collecting"
    NOT_ARRIVED = "not_arrived"
    WRONG_CURRENCY = "wrong_currency"
    BAD_SHARES = "bad_shares"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was done, and this is why. `details` fill the sentence."""

    reason: Reason
    details: Mapping[str, object] = field(default_factory=dict)


def refuse(reason: Reason, **details: object) -> Refusal:
    """Make a refusal with the details that its sentence needs."""
    return Refusal(reason, details)
