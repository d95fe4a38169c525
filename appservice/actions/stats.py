"""The figures of a desk, posted there: in words, as a picture and as a table."""

from appservice.actions.desk import tell_desk
from appservice.actions.work import Work
from appservice.domain import episode
from appservice.domain.effect import SendChart, SendFile
from appservice.domain.figures import FACTS, OFF, ON, USUAL_MS, Reading, ages, figures, read, usual_answer
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import GroupId, Number
from appservice.domain.period import Period, full_week, next_report
from appservice.present.acknowledge import acknowledge
from appservice.present.stats import chart, table
from appservice.present.table import to_csv
from appservice.present.words import stats as say


async def schedule(work: Work, group: Group) -> None:
    """Have a group's figures posted every Monday morning, from the next on."""
    if await work.unit.timers.due_at("stats", group.id) is None:
        await work.unit.timers.set("stats", group.id, next_report(work.unit.now, group.time_zone))


async def weekly(work: Work, group_id: GroupId) -> None:
    """Post the figures of the week that is over, unless nobody asked anything and nobody waits: once, however many
    Mondays the service was away."""
    group = await work.unit.groups.get(group_id)
    if group.status is not GroupStatus.OPEN:
        return
    await work.unit.timers.set("stats", group_id, next_report(work.unit.now, group.time_zone))
    period = full_week(work.unit.now, group.time_zone)
    reading = await _read(work, group, period.start)
    was_asked = any(period.start <= one.at < period.end for one in reading.questions)
    if was_asked or any(one.waits_since is not None for one in reading.questions):
        await _post(work, group, period, reading)


async def show(work: Work, group: Group, period: Period) -> None:
    """Post the figures of a period in the desk, as they are now."""
    await work.owe(*acknowledge(work.cause))
    await _post(work, group, period, await _read(work, group, period.start))


async def usual_answer_of(work: Work, group: Group, concierge: Number | None = None) -> int | None:
    """Give the median service time (ms) to the first answer in the last 30 days, on demand that of one concierge; None
    where that is about fewer than five members."""
    since = work.unit.now - USUAL_MS
    reading = read(await work.unit.ledger.of_group(group.id, episode.FACTS, since))
    return usual_answer(reading, work.unit.now, group.hours.between, concierge)


async def not_uploaded(work: Work, group_id: GroupId, posting: str, name: str, error: str) -> None:
    """Tell the desk, once for each posting, that a picture or table could not be uploaded."""
    if not await work.unit.told.knows(_told(group_id), posting):
        await work.unit.told.forget(_told(group_id))
        await work.unit.told.first(_told(group_id), posting, work.unit.now)
        await tell_desk(work, await work.unit.groups.get(group_id), say.not_uploaded(name, error))


def _told(group_id: str) -> str:
    return f"stats {group_id}"


async def _read(work: Work, group: Group, start: int) -> Reading:
    """Read what the figures since a time (ms) need; questions that are still open, since the oldest of them."""
    unit = work.unit
    since = min([start, *(put.question.asked_at for put in await unit.questions.live(group.id))])
    return read(
        [
            *await unit.ledger.drafts_ordered(group.id, start),
            *await unit.ledger.of_group(group.id, (*ON, *OFF)),
            *await unit.ledger.of_group(group.id, FACTS, since),
        ]
    )


async def _post(work: Work, group: Group, period: Period, reading: Reading) -> None:
    if group.desk_id is None:
        return
    now, between = work.unit.now, group.hours.between
    whole = figures(reading, period.start, period.end, now, between)
    parts = [(part, figures(reading, part.start, part.end, now, between)) for part in period.parts()]
    waiting = ages(reading, now)
    members = await work.unit.groups.members(group.id)
    names = {int(one.number): one.alias for one in members if one.number is not None and one.alias is not None}
    said = say.stats(group, period, whole, waiting, names)
    await tell_desk(work, group, said)
    file = f"questions-{period.first}-to-{period.last}"
    picture, rows = f"{file}.png", f"{file}.csv"
    csv = to_csv(table(parts, (period, whole))).decode()
    shown = chart(period, parts, waiting)
    await work.owe(
        SendChart(group.desk_id, picture, said.plain, shown, answer="stats", subject=f"{group.id} {now} {picture}"),
        SendFile(group.desk_id, rows, "text/csv", csv, answer="stats", subject=f"{group.id} {now} {rows}"),
    )
