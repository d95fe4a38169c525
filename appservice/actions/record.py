"""What the ledger says of a concierge, to any member who asks and to whoever comes in."""

from collections.abc import Sequence

from appservice.actions.stats import usual_answer_of
from appservice.actions.work import Work
from appservice.domain import record as rules
from appservice.domain.group import Group
from appservice.domain.member import Member
from appservice.domain.record import Record
from appservice.present.acknowledge import answer
from appservice.present.words import stats as say


async def line(work: Work, group: Group, member: Member) -> str:
    """Give a concierge's record as one line, empty where there is nothing to say."""
    return say.record(await _record(work, group, member))


async def tell(work: Work, group: Group, concierges: Sequence[Member]) -> None:
    """Tell whoever asked the record of each of some concierges."""
    named = [(one.alias or str(one.number), await _record(work, group, one)) for one in concierges]
    await work.owe(answer(work.cause, say.records(named)))


async def _record(work: Work, group: Group, member: Member) -> Record:
    if member.number is None:
        return rules.record([], None)
    ledger = work.unit.ledger
    drafted = await ledger.drafted_by(group.id, member.number)
    lines = [line for one in drafted if one.buy_id for line in await ledger.of_buy(one.buy_id)]
    return rules.record(lines, await usual_answer_of(work, group, member.number))
