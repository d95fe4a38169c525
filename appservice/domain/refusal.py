"""Refusals are values: why something was not done. Each has its sentence in present/words/refusals.py."""

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
    BAD_ALIAS = "bad_alias"
    REVEALING_ALIAS = "revealing_alias"
    RESERVED_ALIAS = "reserved_alias"
    BAD_CODE = "bad_code"
    BAD_TERMS = "bad_terms"
    BAD_LIMITS = "bad_limits"
    BAD_VARIANTS = "bad_variants"
    BAD_COSTS = "bad_costs"
    WHICH_VARIANT = "which_variant"
    NO_VARIANTS = "no_variants"
    NOTE_NEEDED = "note_needed"
    UNKNOWN_COMMAND = "unknown_command"
    NOT_UNDERSTOOD = "not_understood"
    STRANGER = "stranger"
    # about what it names
    NO_GROUP = "no_group"
    WHICH_GROUP = "which_group"
    NO_BUY = "no_buy"
    WHICH_BUY = "which_buy"
    NO_PRODUCT = "no_product"
    WHICH_PRODUCT = "which_product"
    BAD_ROOM = "bad_room"
    UNADOPTABLE = "unadoptable"
    NO_ADOPTION = "no_adoption"
    # about the group
    GROUP_FULL = "group_full"
    ALREADY_HERE = "already_here"
    ALREADY_INVITED = "already_invited"
    ALREADY_CONCIERGE = "already_concierge"
    NO_CONCIERGE = "no_concierge"
    OWN_ACCOUNT = "own_account"
    STILL_CREATING = "still_creating"
    GROUP_CLOSING = "group_closing"
    BANNED = "banned"
    ALIAS_TAKEN = "alias_taken"
    TOO_MANY_ALIASES = "too_many_aliases"
    NO_SUCH_MEMBER = "no_such_member"
    CAP_BELOW = "cap_below"
    NOT_WAITING = "not_waiting"
    ALREADY_OWNER = "already_owner"
    # about leaving
    OWNER_STAYS = "owner_stays"
    BEYOND_ME = "beyond_me"
    BUYS_OPEN = "buys_open"
    NOT_CLOSING = "not_closing"
    JUST_SENT = "just_sent"
    # about vouching
    TOO_NEW = "too_new"
    SUSPENDED = "suspended"
    NOT_SUSPENDED = "not_suspended"
    DECIDES_THEMSELVES = "decides_themselves"
    ONE_AT_A_TIME = "one_at_a_time"
    TOO_MANY_VOUCHES = "too_many_vouches"
    ALREADY_VOUCHED = "already_vouched"
    TOO_MANY_CODES = "too_many_codes"
    CODES_OFF = "codes_off"
    TOO_MANY_GUESSES = "too_many_guesses"
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
    NO_SUCH_BUY = "no_such_buy"
    NOT_CLEARED = "not_cleared"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was done, and this is why. `details` fill the sentence."""

    reason: Reason
    details: Mapping[str, object] = field(default_factory=dict)


def refuse(reason: Reason, **details: object) -> Refusal:
    """Make a refusal with the details that its sentence needs."""
    return Refusal(reason, details)
