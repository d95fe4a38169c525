"""Why something about the terms of a group buy, its course or a pledge was not done, and what to do."""

from collections.abc import Callable, Mapping
from typing import Any

from appservice.domain.group_buy import MOST_UNITS, Status
from appservice.domain.ids import ALPHABET
from appservice.domain.refusal import Reason
from appservice.present.amounts import money
from appservice.present.text import short

_OPTIONS = (
    "cap 100, pack 5, least 2, most 10, step 2, variants S, M, L, shared 45.00, tax 20% (or: tax 20% on top), "
    "opens monday 9:00"
)
_STEPS: Mapping[Status, str] = {
    Status.ORDERED: "!buy ordered",
    Status.ARRIVED: "!buy arrived",
    Status.HANDING_OUT: "!buy handing-out",
    Status.DONE: "!buy done",
}
_STANDS: Mapping[Status, str] = {
    Status.DRAFT: "is still a draft",
    Status.SCHEDULED: "has not opened yet",
    Status.OPEN: "is still open",
    Status.CLOSING: "is being cleared",
    Status.SUCCEEDED: "has just succeeded",
    Status.FAILED: "did not come about",
    Status.COLLECTING: "is being paid",
    Status.ORDERED: "is ordered from the supplier",
    Status.ARRIVED: "has arrived",
    Status.HANDING_OUT: "is being handed out",
    Status.DONE: "is done",
    Status.CANCELLED: "was cancelled",
}


def stands(status: Status) -> str:
    """Say where a buy stands: “This group buy” goes before it."""
    return _STANDS[status]


def units(n: int) -> str:
    """Write a number of units: `1 unit`, `1,200 units`."""
    return "1 unit" if n == 1 else f"{n:,} units"


def _bad_tiers(d: Mapping[str, Any]) -> str:
    match d["why"]:
        case "count":
            return f"A group buy has 1 to {d['most']} price tiers, as in: 10:79 25:69."
        case "minimum":
            return f"A tier's minimum is a whole number from 1 to {d['most']}."
        case "above_price":
            single = money(d["price"], d["currency"], "en")
            return f"A group buy is for less: its first price is above the product's own, {single}."
        case "price":
            return "A tier's price must be above zero and not astronomical."
        case "format":
            return f"“{short(d['tier'])}” is no tier. Write minimum:price, as in 10:79 for “from 10 units, 79 each”."
        case "minimums_rise":
            return (
                f"Tiers go up: after {d['first'].minimum} comes a larger minimum than {d['second'].minimum}. "
                "Write the smallest first."
            )
        case "prices_fall":
            return f"The price must fall from tier to tier; the one at {d['second'].minimum} does not."
        case "cap_below_tier":
            return (
                f"With a cap of {d['cap']} (in packs of {d['pack']}) the last tier can never be reached. "
                "Raise the cap or leave that tier out."
            )
        case _:
            return "The pack and the cap are whole numbers from 1 up."


def _bad_request(d: Mapping[str, Any]) -> str:
    """Say what is wrong with an event by which a bot asks for something."""
    match d["why"]:
        case "empty":
            return (
                "There is nothing in the event. To call a group buy off, write the status cancelled and a reason; to "
                "end it, closing."
            )
        case "missing":
            return f"The event has no {d['field']}, which is needed for that."
        case "unknown":
            return f"I know no field “{short(d['field'], 40)}”. Write only what docs/events.md names."
        case "fixed":
            return f"The {d['field']} of a group buy stays as it is."
        case "two":
            return "That asks for two things at once. Send one event for each."
        case _:
            return f"The {d['field']} in the event is not what it should be: see docs/events.md."


def _bad_terms(d: Mapping[str, Any]) -> str:
    match d["why"]:
        case "unknown":
            close = f" Did you mean {d['close']}?" if d.get("close") else ""
            return (
                f"I do not understand “{short(d['word'])}”.{close} After the price tiers come until and a time, and, "
                f"if wanted: {_OPTIONS}."
            )
        case "twice":
            return f"You wrote {d['word']} twice, and I cannot know which one counts. Write it once."
        case "number":
            given = f"“{short(d['given'])}” is none" if d["given"] else "there is none"
            return f"After {d['word']} comes a whole number, and {given}. Write it like: {d['word']} 10."
        case "no_deadline":
            return "A group buy needs a deadline: write until and a time after the tiers, as in: until friday 18:00."
        case "fixed":
            return "The deadline is not changed with the terms: move it with !buy extend or !buy shorten."
        case _:
            return f"Say what is to change: new price tiers (10:75 25:65), or any of: {_OPTIONS}."


def _bad_deadline(d: Mapping[str, Any]) -> str:
    what, example = ("opening time", "opens monday 9:00") if d.get("opening") else ("deadline", "until friday 18:00")
    match d["why"]:
        case "past":
            return f"That {what} has already passed. Give one to come, as in: {example}."
        case "far":
            return f"That {what} is more than a year away. Give a nearer one, as in: {example}."
        case "before_opening":
            return "The deadline comes before the opening. Give a later one, or let the buy open sooner."
        case "no_opening":
            return "A planned buy needs a time at which it opens, and one to come: opens monday 9:00."
        case "no_grace":
            return "Time is added only after a deadline that passed while I was down."
        case "not_later":
            return "Extending means a later deadline than the one there is. For an earlier one there is !buy shorten."
        case "not_earlier":
            return "Shortening means an earlier deadline than the one there is. For a later one there is !buy extend."
        case "notice":
            return "Members need notice: the new deadline is at least 24 hours away. To end the buy now: !buy close"
        case _:
            date = example.replace("friday", "2026-11-27").replace("monday", "2026-11-23")
            word = f" I do not know “{short(d['word'])}”." if d.get("word") else ""
            return f"I could not read the {what}.{word} Write it like: {example}, or: {date}."


def _bad_limits(d: Mapping[str, Any]) -> str:
    if d["why"] == "range":
        return f"What one member takes (least, most, step) is counted in whole numbers from 1 to {d['most']:,}."
    return (
        f"With least {d['least']}, most {d['most']} and step {d['step']} nobody could pledge at all: no multiple of "
        f"{d['step']} is in between. Change one of the three."
    )


def _bad_variants(d: Mapping[str, Any]) -> str:
    match d["why"]:
        case "count":
            return f"A group buy has at most {d['most']} variants."
        case "label":
            return f"Each variant is 1 to {d['most']} visible characters, as in: variants S, M, Large blue"
        case "twice":
            return "Two of the variants read the same. Give each its own label."
        case "unclear":
            return (
                f"“{short(d['label'])}” may be variants, or an option that I do not know. If it is variants, quote "
                'them all, with commas: variants "S, M, Size 38"'
            )
        case _:
            return (
                "After variants come their labels, as in: variants S, M, L. If one is a word of mine, like cap, "
                'quote them all: variants "Scarf, Cap"'
            )


def _bad_costs(d: Mapping[str, Any]) -> str:
    if d["why"] == "tax":
        return (
            "A tax is 0 to 100 %, with at most two decimals: tax 20% where prices contain it, tax 20% on top where it "
            "is added."
        )
    return "The shared cost is one amount for all together, zero or more and not astronomical: shared 45.00"


def _which_variant(d: Mapping[str, Any]) -> str:
    *others, last = d["variants"]
    labels = f"{', '.join(others)} or {last}" if others else str(last)
    head = f"There is no “{short(d['given'])}” here: choose" if d["given"] else "Say which one:"
    return f"{head} {labels}. Write it after the number, as in: 2 {last}"


def _not_better(d: Mapping[str, Any]) -> str:
    head = "People have pledged, so the terms may only get better for everyone: "
    match d["why"]:
        case "frozen":
            return (
                "Now that the buy is open, its currency, pack and opening time stay as they are. The deadline moves "
                "with !buy extend and !buy shorten."
            )
        case "price":
            return (
                head + "no total that has a price may lose it or cost more. Lower a price or a minimum, or add a tier."
            )
        case "cap":
            return head + "the cap may only be raised, or taken away (cap none)."
        case "least":
            return head + "what a member takes at least may only go down."
        case "most":
            return head + "what a member takes at most may only be raised, or no longer be limited (most none)."
        case "step":
            return head + "a new step has to allow every number that the old one does, as 2 does where it was 4."
        case "variants":
            return head + "variants may only be added, and only where there were some from the beginning."
        case "shared":
            return head + "the shared cost may only go down."
        case "tax":
            return head + "the tax may only go down, and not come on top where prices contained it."
        case _:
            return "Those are the terms as they are already, so nothing has changed."


def _wrong_step(d: Mapping[str, Any]) -> str:
    stands_now = f"This group buy {stands(d['status'])}"
    next_steps = [_STEPS[step] for step in d["allowed"] if step in _STEPS]
    if next_steps:
        return f"{stands_now}. One step comes after another, and the next one is {next_steps[0]}."
    match d["to"]:
        case Status.CANCELLED:
            return f"{stands_now}, so there is nothing left to cancel."
        case Status.OPEN | Status.SCHEDULED:
            return f"{stands_now}, so it cannot be opened or planned again. !buy repeat makes a new one like it."
        case _ if d["status"].is_over:
            return f"{stands_now}, and nothing comes after that."
        case _:
            return f"{stands_now}. That step comes after it has closed and its orders are made."


def _bad_quantity(d: Mapping[str, Any]) -> str:
    if d["most"] == MOST_UNITS:
        return f"I need a whole number of units, from 1 to {MOST_UNITS:,} in all: +2, or !pledge 3, or !pledge 2-4."
    return f"I need a whole number from 1 to {d['most']:,}: so many are free." if d["most"] else "No units are free."


BUYING: Mapping[Reason, Callable[[Mapping[str, Any]], str]] = {
    Reason.BAD_QUANTITY: _bad_quantity,
    Reason.BAD_EVENT: lambda d: (
        f"Your client sent something in your name that I cannot read: “{short(d['field'])}” in it is missing, wrong or "
        "unknown to me. Nothing has changed. You can write +2 or !pledge 2 instead."
    ),
    Reason.BAD_REQUEST: _bad_request,
    Reason.TERMS_IN_CLEAR: lambda d: (
        "The room is encrypted, but homeservers can read what stands in its state: there one can only close or cancel "
        "a group buy. Ask for all else by an encrypted message: see docs/events.md."
    ),
    Reason.BAD_BUY_ID: lambda d: (
        f"A new group buy has an id of its own: six characters out of {ALPHABET} that no group buy has had before."
    ),
    Reason.BAD_TIERS: _bad_tiers,
    Reason.BAD_TERMS: _bad_terms,
    Reason.BAD_DEADLINE: _bad_deadline,
    Reason.BAD_LIMITS: _bad_limits,
    Reason.BAD_VARIANTS: _bad_variants,
    Reason.BAD_COSTS: _bad_costs,
    Reason.WHICH_VARIANT: _which_variant,
    Reason.NO_VARIANTS: lambda d: (
        f"This group buy has no variants to choose from, so I do not know what “{short(d['given'])}” means. Write the "
        "number alone."
    ),
    Reason.TOO_LATE: lambda d: (
        "Too late: this group buy is closed, so nothing changed. If you are in, your receipt says what you owe."
    ),
    Reason.PLEDGES_PRIVATE: lambda d: (
        f"In “{d['group']}” one pledges by direct message, so that nobody there sees who takes part. I removed what "
        "you wrote; nothing was changed. Send it to me here: !pledge 2"
    ),
    Reason.NO_OTHER_GROUP: lambda d: (
        f"You are a concierge of no group “{short(d['group'])}”. A group buy is shared by who is a concierge in both: "
        "!buy share k3x9qf and the other group's id or whole name."
    ),
    Reason.ALREADY_SHARED: lambda d: f"The group buy is shown in “{d['group']}” already.",
    Reason.STILL_RUNS: lambda d: (
        f"The group buy {d['buy']} has not ended, so there is nothing to repeat yet. To have it open for longer: "
        f"!buy extend {d['buy']} until friday 18:00"
    ),
    Reason.NOT_OPEN: lambda d: "This group buy is not open any more.",
    Reason.NOT_YET_OPEN: lambda d: "This group buy has not opened yet, so nothing is pledged; its card says when.",
    Reason.WRONG_STEP: _wrong_step,
    Reason.NOT_BETTER: _not_better,
    Reason.BELOW_LEAST: lambda d: (
        f"Whoever takes part takes at least {units(d['least'])}, and you would come to {d['units']:,}. Take more, or "
        "nothing: !withdraw"
    ),
    Reason.ABOVE_MOST: lambda d: (
        f"One member takes at most {units(d['most'])} in this group buy, and you would come to {d['units']:,}."
    ),
    Reason.OFF_STEP: lambda d: (
        f"One member takes a multiple of {d['step']:,} in this group buy, and you would come to {d['units']:,}."
    ),
    Reason.NOTHING_SUSPENDED: lambda d: "There is nothing for you to confirm: no pledge of yours waits for that.",
    Reason.NOTHING_PLEDGED: lambda d: "You have pledged nothing in this group buy, so there is nothing to withdraw.",
    Reason.ALREADY_OPEN: lambda d: f"There is an open group buy for this product already ({d['buy']}).",
}
