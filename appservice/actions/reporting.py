"""`!report`: a member's word to the owners about somebody in the group.

Nothing of it is written into the ledger, the desk or the logs: the person concerned may read there.
"""

from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import Tell
from appservice.domain.group import Group
from appservice.domain.ids import UserId
from appservice.domain.member import Member, Presence, Role, is_erased
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import ringing
from appservice.present.words import tools as say

MOST_A_DAY = 5


async def report(work: Work, group_id: str, reporter: Member, concerned: Member, why: str) -> Refusal | None:
    """Pass on what a member says about another to the group's owners, or where there is none besides the two of them,
    to those whom the operator lists."""
    group = await work.unit.groups.lock(group_id)
    subject = f"reports {reporter.user_id}"
    if await work.unit.told.count(subject, work.unit.now - DAY_MS) >= MOST_A_DAY:
        return refuse(Reason.TOO_MANY_REPORTS, most=MOST_A_DAY)
    left_out = {reporter.user_id, concerned.user_id}
    listed = [UserId(user_id) for user_id in work.config.groups.owners]
    owners = await _owners(work, group)
    recipients = _others(owners, left_out) or _others(listed, left_out)
    if not recipients:
        return refuse(Reason.NOBODY_TO_REPORT_TO, domain=work.config.homeserver.domain)
    await work.unit.told.first(subject, work.cause.id, work.unit.now)
    text = say.report(reporter, concerned, group, why)
    await work.owe(*(Tell(user_id, ringing(text, user_id)) for user_id in recipients))
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.reported(own=recipients[0] in owners)))
    return None


async def _owners(work: Work, group: Group) -> list[UserId]:
    members = await work.unit.groups.members(group.id)
    here = [m.user_id for m in members if m.presence is Presence.JOINED and m.role is Role.OWNER and not m.machine]
    return [group.owner, *here]


def _others(people: list[UserId], left_out: set[UserId]) -> list[UserId]:
    return [user_id for user_id in dict.fromkeys(people) if user_id not in left_out and not is_erased(user_id)]
