"""What is said of service hours, duty, machine accounts and the commission; and the group's own card."""

from collections.abc import Sequence
from typing import Any

from babel.dates import get_timezone_location

from appservice.domain.group import Group
from appservice.domain.member import Member
from appservice.domain.service_hours import Hours, Span
from appservice.present.amounts import percent
from appservice.present.text import Text, esc, notice
from appservice.present.words.seats import called
from appservice.present.words.stats import took

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def in_words(hours: Hours) -> str:
    """Give hours as `Mon–Fri 9:00–18:00, Sat 10:00–14:00 (Vienna time), not on public holidays (AT)`."""
    if not hours.are_set:
        return "always"
    runs: list[tuple[int, int]] = []
    for day, spans in enumerate(hours.week):
        if runs and runs[-1][1] == day - 1 and hours.week[runs[-1][0]] == spans:
            runs[-1] = (runs[-1][0], day)
        elif spans:
            runs.append((day, day))
    said = ", ".join(f"{_days(*run)} {' and '.join(map(_span, hours.week[run[0]]))}" for run in runs)
    holidays = f", not on public holidays ({hours.holidays})" if hours.holidays else ""
    return f"{said} ({_zone(hours.time_zone)}){holidays}"


def _days(first: int, last: int) -> str:
    return _DAYS[first] if first == last else f"{_DAYS[first]}–{_DAYS[last]}"


def _span(span: Span) -> str:
    return "–".join(f"{minute // 60}:{minute % 60:02}" for minute in span)


def _zone(time_zone: str) -> str:
    city = get_timezone_location(time_zone, locale="en", return_city=True)
    return f"{city} time" if "/" in time_zone and city else time_zone


def hours_are(group: Group) -> str:
    if not group.hours.are_set:
        return f"“{group.name}” has no service hours: members’ waiting time counts day and night."
    return f"Service hours of “{group.name}”: {in_words(group.hours)}. Waiting time counts in these only."


def hours_now(group: Group) -> str:
    if group.hours.are_set:
        return f"{hours_are(group)} A pinned card in the group shows them."
    return f"{hours_are(group)} The card about asking is taken off."


def on_duty(group: Group, here: Sequence[Member], off: Sequence[Member]) -> str:
    """Say who is on duty, and who has said that they are not."""
    who = f"On duty in “{group.name}”: {_names(here)}." if here else f"Nobody is on duty in “{group.name}”."
    return f"{who} Off duty: {_names(off)}." if off else who


def _names(members: Sequence[Member]) -> str:
    return ", ".join(map(called, members))


def machine_marked(member: Member, group: Group) -> str:
    return (
        f"{called(member)} counts as a machine account in “{group.name}”: it is never on duty, and what it writes "
        "answers no question."
    )


def machine_unmarked(member: Member, group: Group) -> str:
    return f"{called(member)} counts as a person in “{group.name}”."


def commission_line(group: Group) -> list[str]:
    """Give the line that discloses the commission; nothing where there is none."""
    if group.commission is None:
        return []
    return [f"The concierges get a commission of {percent(group.commission)} on what is sold here."]


def commission_now(group: Group) -> str:
    if group.commission is None:
        return f"Cards in “{group.name}” say nothing of a commission from now on."
    return (
        f"Cards in “{group.name}” say from now on: {commission_line(group)[0]} Product cards that are there stay as "
        "they are."
    )


def how_to_ask() -> str:
    return (
        "To ask something, write !ask and your question in the group, mention a concierge, or reply to a card; or "
        "write it to me directly, where the others do not see it. People answer, not I."
    )


def group_card(group: Group, usual_answer: int | None) -> dict[str, Any]:
    """Give the content of the group's own card. `usual_answer` (ms of service) is left out where it is None."""
    title = "Questions? Ask the concierges"
    lines = [how_to_ask(), f"Service hours: {in_words(group.hours)}."]
    if usual_answer is not None:
        lines.append(f"Usual answer time in the last 30 days: {took(usual_answer)} of service hours.")
    lines += commission_line(group)
    html = "<br>".join([f"<strong>{esc(title)}</strong>", *map(esc, lines)])
    return notice(Text("\n".join([title, *lines]), html))
