"""!stats and !record: what the ledger says of questions and of concierges."""

from collections.abc import Iterator, Sequence
from datetime import date

from appservice.actions import record, stats
from appservice.actions.work import Work
from appservice.commands.command import Call, Command, member_in, one_group, usage
from appservice.commands.deadline import read_moment
from appservice.domain.cause import Place
from appservice.domain.member import Role
from appservice.domain.period import Period, day_of, full_days
from appservice.domain.refusal import Reason, Refusal, refuse

_STATS = "!stats, or !stats 1 november to 15 november, or !stats 2026-11-01"
_RECORD = "!record, or !record Otter"
_BETWEEN = frozenset({"to", "until", "till", "-", "–"})
LONGEST_DAYS = 366


async def _stats(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), _STATS)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if group.desk_id is None:
        return refuse(Reason.STILL_CREATING)
    now, zone = work.unit.now, group.time_zone
    period = parse_period(words, now, zone) if words else full_days(now, zone)
    if isinstance(period, Refusal):
        return period
    await stats.show(work, group, period)
    return None


def parse_period(words: Sequence[str], now: int, time_zone: str) -> Period | Refusal:
    """Give the days that a person means: `1 november to 15 november`, `1.11. 15.11.`; from one day alone, up to now.
    Days without a year are the last ones. Refuses with USAGE or BAD_PERIOD."""
    words = [word for word in words if word.lower() != "from"]
    pairs = set(_pairs(words, now, time_zone))
    today = day_of(now, time_zone)
    if len(pairs) != 1:
        return usage(_STATS)
    [(first, last)] = pairs
    if first > today:
        return refuse(Reason.BAD_PERIOD, why="future")
    if last < first:
        return refuse(Reason.BAD_PERIOD, why="order")
    period = Period(first, min(last, today), time_zone)
    return period if period.days <= LONGEST_DAYS else refuse(Reason.BAD_PERIOD, why="long")


def _pairs(words: Sequence[str], now: int, time_zone: str) -> Iterator[tuple[date, date]]:
    """Give all ways to read some words as two days, or else as one."""
    between = [place for place, word in enumerate(words) if word.lower() in _BETWEEN]
    splits = [(words[:n], words[n + 1 :]) for n in between] or [(words[:n], words[n:]) for n in range(1, len(words))]
    alone = _day(words, now, time_zone)
    if alone is not None and not between:
        yield alone, day_of(now, time_zone)
        return
    for before, after in splits:
        first, last = _day(before, now, time_zone), _day(after, now, time_zone)
        if first is not None and last is not None:
            yield first, last


def _day(words: Sequence[str], now: int, time_zone: str) -> date | None:
    found = read_moment(" ".join(words), now, time_zone, past=True)
    return None if isinstance(found, Refusal) or not found[1] else found[0].date()


async def _record(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.MEMBER, call.words(), _RECORD)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if not words:
        members = await work.unit.groups.members(group.id)
        await record.tell(work, group, [one for one in members if one.role >= Role.CONCIERGE and not one.machine])
        return None
    named = await member_in(work, group, words)
    if isinstance(named, Refusal):
        return named
    member, _, rest = named
    if rest:
        return usage(_RECORD)
    if member.role < Role.CONCIERGE:
        return refuse(Reason.NO_CONCIERGE)
    await record.tell(work, group, [member])
    return None


COMMANDS = (
    Command(
        "stats", _STATS, "see the figures of a period: questions, answers, and what came of them", Role.CONCIERGE,
        _stats, frozenset({Place.DESK}),
    ),
    Command(
        "record", _RECORD, "see what the ledger says of the concierges", Role.MEMBER, _record,
        frozenset({Place.DIRECT, Place.DESK}),
    ),
)  # fmt: skip
