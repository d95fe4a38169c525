"""What is said of questions: in the desk, and to those who asked."""

from collections.abc import Sequence

from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS

TAKE = "👀"
DONE = "✅"
ASK = "❓"


def lasting(ms: int) -> str:
    """Give a length of time as people say it: `just now` stands for less than a minute."""
    if ms < MINUTE_MS:
        return "less than a minute"
    for unit, name in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute")):
        count = ms // unit
        if count:
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    raise AssertionError(ms)


def nudge(claimant: str, asker: str, waits: str) -> str:
    return f"{claimant}, {asker} has waited for your answer for {waits}."


def released(asker: str, waits: str, by: str | None) -> str:
    had = f" {by} had it, and has not answered." if by else ""
    return f"Back in the queue: {asker} has waited for {waits}.{had} {TAKE} on the question takes it."


def overdue(asker: str, waits: str) -> str:
    return f"Nobody has taken this: {asker} has waited for {waits}. {TAKE} on the question takes it."


def escalated(asker: str, waits: str) -> str:
    return f"For the owners: {asker} has waited for {waits}, and no concierge has answered."


def woken(asker: str, waits: str) -> str:
    return f"Back from snoozing: {asker} has waited for {waits}."


def reopened(asker: str) -> str:
    return f"{asker} has written again: see above."


def handed_over(to: str, by: str, asker: str, note: str) -> str:
    return f"{to}, {by} hands {asker}’s question over to you: {note}"


def added(asker: str) -> str:
    return f"{asker} has written more: see above."


def summary(count: int, lines: Sequence[str]) -> list[str]:
    """Give the lines of one message about many questions."""
    return [f"{count} questions need somebody:", *lines]


def more(count: int) -> str:
    return f"and {count} more: !queue shows them all"


def summary_line(asker: str, waits: str, what: str) -> str:
    return f"{asker}, waiting for {waits}: {what}"


WHAT = {
    "nudge": "its concierge has not answered",
    "released": "back in the queue",
    "overdue": "nobody has taken it",
    "escalated": "no concierge has answered; the owners are asked to see to it",
    "woken": "back from snoozing",
    "reopened": "its asker has written again",
}


def moved(asker: str) -> str:
    return f"↓ {asker}’s question goes on below, in a newer line."


def queue_empty() -> str:
    return "No question is open."


def queue_posted(count: int) -> str:
    return "One question is open: it follows." if count == 1 else f"{count} questions are open: they follow."


def snoozed_until(when: str) -> str:
    return f"Snoozed until {when}. The member waits all the same."


def claimant_gone(name: str, asker: str) -> str:
    return f"{name} is no concierge here any more: {asker}’s question is back in the queue. {TAKE} on it takes it."
