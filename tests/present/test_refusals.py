"""Every refusal has its sentence, for each fault that there may be: short, plain, and it says what to do."""

import re
from typing import Any

import pytest

from appservice.domain.clearing import Tier
from appservice.domain.group_buy import MOST_UNITS, Status
from appservice.domain.refusal import Reason, refuse
from appservice.present.words.refusals import refusal

TIERS = (Tier(10, 7900), Tier(25, 6900))
DETAILS: dict[str, Any] = {
    "why": "count", "most": 500, "cap": 20, "command": "pledge", "close": "pledge", "usage": "!x", "amount": "x",
    "currency": "EUR", "choices": [("Merino throw", "id", "!pledge 2 id")], "product": "x", "buy": "id", "units": 2,
    "sku": "x", "tier": "x", "pack": 5, "alias": "x", "taken": 20, "days": 7, "limit": 100, "group": "Wool circle",
    "id": "wk7x3m", "minutes": 10, "first": TIERS[0], "second": TIERS[1], "price": 8900, "word": "cp", "given": "Q",
    "label": "L cp 100", "variants": ("S", "M", "Large blue"), "status": Status.OPEN, "to": Status.ORDERED,
    "allowed": (), "opens_at": None, "pay_by": 1, "least": 2, "step": 3, "reference": "pi-1", "count": 2,
    "variant": "M", "order": "w9h5qv8r", "expected": 5, "opening": False, "own": True, "field": "tiers",
    "name": "delivery", "known": ("delivery", "thanks"), "missing": ("day", "what"), "domain": "example.org",
    "unknown": (), "by": "Otter", "you": False,
}  # fmt: skip
NUMBERS: dict[Reason, dict[str, Any]] = {
    Reason.MONEY_CAME: {"amount": 5000},
    Reason.BAD_SHARES: {"given": 4},
}
"""Where a detail is a number that is text elsewhere."""
WHYS: dict[Reason, list[str]] = {
    Reason.BAD_TIERS: ["count", "minimum", "above_price", "price", "format", "minimums_rise", "prices_fall",
                       "cap_below_tier", "pack_or_cap"],
    Reason.BAD_TERMS: ["unknown", "twice", "number", "no_deadline", "fixed", "nothing"],
    Reason.BAD_DEADLINE: ["format", "past", "far", "before_opening", "no_opening", "no_grace", "not_later",
                          "not_earlier", "notice"],
    Reason.BAD_HOURS: ["format", "order", "holidays"],
    Reason.BAD_LIMITS: ["range", "no_number"],
    Reason.BAD_PERIOD: ["future", "order", "long"],
    Reason.BAD_VARIANTS: ["count", "label", "twice", "none", "unclear"],
    Reason.BAD_COSTS: ["shared", "tax"],
    Reason.NOT_BETTER: ["frozen", "price", "cap", "least", "most", "step", "variants", "shared", "tax", "same"],
    Reason.BAD_SHARES: ["negative", "unknown", "too_many", "sum"],
    Reason.PROPOSAL_OVER: ["confirmed", "replaced", "expired"],
}  # fmt: skip
CASES = [(reason, why) for reason in Reason for why in WHYS.get(reason, ["count"])]


def sentence(reason: Reason, **details: object) -> str:
    return refusal(refuse(reason, **{**DETAILS, **NUMBERS.get(reason, {}), **details}))


@pytest.mark.parametrize(("reason", "why"), CASES)
def test_every_reason_and_each_of_its_faults_has_a_sentence_that_reads_well(reason: Reason, why: str) -> None:
    said = sentence(reason, why=why)
    assert re.match(r"[A-Z“!€\d]", said)
    assert 15 < len(said) < 400
    assert not re.search(r"None|\{|\}|  |\w_|\bReason\b|\bStatus\b|!\s|\.\.|!$", said), said


@pytest.mark.parametrize("reason", WHYS)
def test_no_two_faults_are_told_in_the_same_words(reason: Reason) -> None:
    assert len({sentence(reason, why=why) for why in WHYS[reason]}) == len(WHYS[reason])


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("to", Status)
def test_a_wrong_step_says_where_the_buy_stands_and_what_comes_next(status: Status, to: Status) -> None:
    allowed = tuple(step for step in (Status.ORDERED, Status.ARRIVED, Status.HANDING_OUT, Status.DONE)
                    if status.leads_to(step))  # fmt: skip
    said = sentence(Reason.WRONG_STEP, status=status, to=to, allowed=allowed)
    assert said.startswith("This group buy ") and "_" not in said
    next_step = {Status.COLLECTING: "ordered", Status.ORDERED: "arrived", Status.ARRIVED: "handing-out",
                 Status.HANDING_OUT: "done"}.get(status)  # fmt: skip
    assert said.endswith(f"the next one is !buy {next_step}.") if next_step else "the next one is" not in said
    for reason in (Reason.NOT_COLLECTING, Reason.NOT_ARRIVED):
        assert "_" not in sentence(reason, status=status)


@pytest.mark.parametrize(
    ("reason", "details", "said"),
    [
        (Reason.WHICH_VARIANT, {"given": None},
         "Say which one: S, M or Large blue. Write it after the number, as in: 2 Large blue"),
        (Reason.WHICH_VARIANT, {"given": "XXL", "variants": ("S", "M")},
         "There is no “XXL” here: choose S or M. Write it after the number, as in: 2 M"),
        (Reason.WHICH_VARIANT, {"given": None, "variants": ("S",)},
         "Say which one: S. Write it after the number, as in: 2 S"),
        (Reason.BELOW_LEAST, {"least": 2, "units": 1},
         "Whoever takes part takes at least 2 units, and you would come to 1. Take more, or nothing: !withdraw"),
        (Reason.ABOVE_MOST, {"most": 1, "units": 1200},
         "One member takes at most 1 unit in this group buy, and you would come to 1,200."),
        (Reason.TOO_MUCH, {"most": 0},
         "Nothing was paid for that order beyond what it comes to, so there is nothing to refund."),
        (Reason.TOO_MUCH, {"most": 1000},
         "A refund is above zero and at most €10.00: so much was paid beyond what that order comes to."),
        (Reason.BAD_AMOUNT, {"amount": "89.00", "currency": "JPY"},
         "“89.00” is no amount in JPY. Write it like 89, without decimals."),
        (Reason.BAD_AMOUNT, {"amount": "x", "currency": "KWD"},
         "“x” is no amount in KWD. Write it like 89 or 89.000."),
        (Reason.BAD_AMOUNT, {"amount": 10**15}, "An amount must be above zero and not astronomical."),
        (Reason.BAD_QUANTITY, {"most": MOST_UNITS},
         "I need a whole number of units, from 1 to 9,999 in all: +2, or !pledge 3, or !pledge 2-4."),
        (Reason.BAD_QUANTITY, {"most": 3}, "I need a whole number from 1 to 3: so many are free."),
        (Reason.BAD_QUANTITY, {"most": 0}, "No units are free."),
        (Reason.BAD_SHARES, {"why": "too_many", "variant": "", "most": 0},
         "The order w9h5qv8r has no units, so it gets none."),
        (Reason.BAD_SHARES, {"why": "sum", "variant": "", "given": 1, "expected": 3},
         "By hand you shared out 1 unit, but 3 units are to be shared out. Let the numbers add up."),
        (Reason.BAD_DEADLINE, {"why": "past", "opening": True},
         "That opening time has already passed. Give one to come, as in: opens monday 9:00."),
        (Reason.BAD_TERMS, {"why": "number", "word": "cap", "given": ""},
         "After cap comes a whole number, and there is none. Write it like: cap 10."),
    ],
)  # fmt: skip
def test_details_are_told(reason: Reason, details: dict[str, Any], said: str) -> None:
    assert sentence(reason, **details) == said


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (Reason.BAD_TERMS, "word"), (Reason.BAD_VARIANTS, "label"), (Reason.BAD_TIERS, "tier"),
        (Reason.WHICH_VARIANT, "given"), (Reason.NO_VARIANTS, "given"), (Reason.BAD_DEADLINE, "word"),
        (Reason.NO_PAYMENT, "reference"), (Reason.PAYMENT_KNOWN, "reference"), (Reason.WRONG_CURRENCY, "given"),
        (Reason.BAD_AMOUNT, "amount"),
    ],
)  # fmt: skip
def test_what_was_typed_is_quoted_short_and_without_marks_that_cannot_be_seen(reason: Reason, detail: str) -> None:
    why = {Reason.BAD_TERMS: "unknown", Reason.BAD_VARIANTS: "unclear"}.get(reason, "format")
    said = sentence(reason, **{"why": why, detail: "a\u202eb\n\0c" + "z" * 10_000})
    assert f"ab c{'z' * 56}…" in said and "z" * 57 not in said and not re.search("[\u202e\n\0]", said)
