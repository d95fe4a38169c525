"""What is said of the figures of a desk, and of a concierge's record."""

from collections.abc import Iterator, Sequence
from datetime import date

from babel.dates import format_date

from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.domain.figures import Figures, Times, Turnover
from appservice.domain.group import Group
from appservice.domain.period import Period
from appservice.domain.record import Record
from appservice.present.amounts import money
from appservice.present.text import Text, esc

HIDDEN = "–"
WHY_HIDDEN = "– means that fewer than five members are behind a figure, so I give none."
FEW_WAIT = "Fewer than five members wait: no figure."
NOBODY_WAITS = "Nobody waits for an answer."
FEW_ANSWERED = "Never answers to five members: no figure."
FEW, FEW_ASKED = "<5", "fewer than five members asked"


def stats(group: Group, period: Period, found: Figures, ages: Sequence[int] | None, names: dict[int, str]) -> Text:
    """Give the figures of a period in words, a line each, and how long those wait who wait now."""
    title = f"Questions, {span(period, group.locale)}"
    rows = [*_of_questions(found, ages, names), *_of_sales(found, group)]
    why = [WHY_HIDDEN] if any(HIDDEN in row for row in rows) else []
    plain = "\n".join([title, *(f"• {row}" for row in rows), *why])
    items = "".join(f"<li>{esc(row)}</li>" for row in rows)
    html = f"<strong>{esc(title)}</strong><ul>{items}</ul>{esc(why[0]) if why else ''}"
    return Text(plain, html)


def _of_questions(found: Figures, ages: Sequence[int] | None, names: dict[int, str]) -> Iterator[str]:
    if found.questions == 0:
        yield "Nobody asked anything"
    else:
        again = f"; {found.reopened} of them asked on later and counted anew" if found.reopened else ""
        yield f"Asked: {_many(found.questions, 'question')} by {_many(found.askers, 'member')}{again}"
        by = [(found.by_concierge, "a concierge"), (found.by_peer, "another member"), (found.by_nobody, "nobody")]
        yield "Answered by " + ", ".join(f"{who}: {_number(count)}" for count, who in by)
        if found.authors:
            yield "Answered first by " + ", ".join(f"{names.get(one, HIDDEN)}: {n}" for one, n in found.authors)
        in_service = f"; in service hours {_times(found.service)}" if found.service != found.wall else ""
        yield f"First answer of a concierge: {_times(found.wall)}{in_service}"
    if found.withdrawn != 0:
        yield f"Taken back by who asked, not counted above: {_number(found.withdrawn)}"
    match ages:
        case None:
            yield f"Waiting now: {HIDDEN} (!queue lists who waits)"
        case [] | ():
            yield "Waiting now: nobody"
        case [oldest, *_]:
            yield f"Waiting now: {_many(len(ages), 'question')}, the oldest for {took(oldest)}"
    if found.questions != 0:
        yield f"Followed by a pledge of who asked, within 72 hours: {_number(found.pledged)}"


def _of_sales(found: Figures, group: Group) -> Iterator[str]:
    if found.recommended != 0:
        led = f", after which others placed {_many(found.ordered, 'order')}" if found.recommended else ""
        yield f"Recommendations: {_number(found.recommended)}{led}"
    if found.turnover != ():
        yield f"Turnover: {', '.join(_turnover(one, group) for one in found.turnover or ()) or HIDDEN}"


def _turnover(one: Turnover, group: Group) -> str:
    hourly = (
        "nobody was on duty (!duty on)"
        if one.per_hour is None
        else f"{money(one.per_hour, one.currency, group.locale)} for each hour of a concierge on duty"
    )
    return f"{money(one.amount, one.currency, group.locale)}, {hourly}"


def _times(times: Times | None) -> str:
    return f"half within {took(times.median)}, nine of ten within {took(times.p90)}" if times else HIDDEN


def _number(count: int | None) -> str:
    return HIDDEN if count is None else str(count)


def _many(count: int | None, noun: str) -> str:
    return f"{_number(count)} {noun}{'' if count == 1 else 's'}"


def took(ms: int) -> str:
    """Give a length of time (ms) in at most two units, the rest left out: `25 min`, `3 h 20 min`, `2 days 3 h`."""
    if ms < MINUTE_MS:
        return "less than a minute"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS} min"
    if ms < DAY_MS:
        return _two(f"{ms // HOUR_MS} h", ms % HOUR_MS // MINUTE_MS, "min")
    return _two(_many(ms // DAY_MS, "day"), ms % DAY_MS // HOUR_MS, "h")


def _two(first: str, rest: int, unit: str) -> str:
    return f"{first} {rest} {unit}" if rest else first


def span(period: Period, locale: str) -> str:
    """Give a period as `16 November to 22 November 2026`."""
    last = format_date(period.last, "d MMMM y", locale=locale)
    if period.days == 1:
        return last
    style = "d MMMM" if period.first.year == period.last.year else "d MMMM y"
    return f"{format_date(period.first, style, locale=locale)} to {last}"


def day(one: date, locale: str) -> str:
    """Give a day as it stands below a bar: `16 Nov`."""
    return format_date(one, "d MMM", locale=locale)


def not_uploaded(name: str, error: str) -> str:
    why = "does not answer" if error == "UNREACHABLE" else f"refused it ({error})"
    return f"I could not upload {name} about the questions: the homeserver {why}. Write !stats again later."


def records(named: Sequence[tuple[str, Record]]) -> Text:
    """Give the records of concierges, a line each."""
    rows = [f"{name}: {record(one) or 'no group buy and no answers to five members yet'}" for name, one in named]
    plain = "\n".join(["What the ledger says of the concierges:", *(f"• {row}" for row in rows)])
    html = f"What the ledger says of the concierges:<ul>{''.join(f'<li>{esc(row)}</li>' for row in rows)}</ul>"
    return Text(plain, html)


def record(one: Record) -> str:
    """Give a concierge's record as one line, empty where there is nothing to say."""
    parts = [f"{_many(one.kept, 'group buy')} kept, {one.cancelled} cancelled"] if one.kept or one.cancelled else []
    parts += [f"refunds usually after {took(one.refund_ms)}"] if one.refund_ms is not None else []
    parts += ["refunds still to be made"] if one.owes else []
    parts += [f"answers usually within {took(one.answer_ms)} of service hours"] if one.answer_ms is not None else []
    return ", ".join(parts)
