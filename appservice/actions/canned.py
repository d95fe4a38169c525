"""Canned drafts: keeping them, and handing one to the concierge who will send it under their own name."""

from collections.abc import Mapping

from appservice.actions.work import Work
from appservice.domain import canned
from appservice.domain.ids import GroupId
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import without_ids
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words import tools as say


async def add(work: Work, group_id: GroupId, name: str, text: str) -> Refusal | None:
    """Keep a draft, in the place of what had its name."""
    if len(text) > canned.LONGEST:
        return refuse(Reason.TOO_LONG, most=canned.LONGEST)
    await work.unit.groups.lock(group_id)
    known = await work.unit.canned.all(group_id)
    if name not in known and len(known) >= canned.MOST:
        return refuse(Reason.TOO_MANY_CANNED, most=canned.MOST)
    await work.unit.canned.save(group_id, name, without_ids(text))
    await work.owe(*acknowledge(work.cause))
    return None


async def show(work: Work, group_id: GroupId) -> None:
    """Say which drafts there are."""
    drafts = await work.unit.canned.all(group_id)
    await work.owe(*(answer(work.cause, page) for page in say.canned_list(drafts)))


async def remove(work: Work, group_id: GroupId, name: str) -> Refusal | None:
    """Forget a draft."""
    await work.unit.groups.lock(group_id)
    known = await work.unit.canned.all(group_id)
    if name not in known:
        return refuse(Reason.NO_CANNED, name=name, known=tuple(known))
    await work.unit.canned.remove(group_id, name)
    await work.owe(*acknowledge(work.cause))
    return None


async def draft(
    work: Work, group_id: GroupId, name: str, given: Mapping[str, str], known: Mapping[str, str]
) -> Refusal | None:
    """Show a draft to whoever asked for it, filled in with what they have `given` and with what is `known`. It goes to
    nobody else: a concierge sends it, or not."""
    drafts = await work.unit.canned.all(group_id)
    if name not in drafts:
        return refuse(Reason.NO_CANNED, name=name, known=tuple(drafts))
    text = drafts[name]
    wanted = canned.variables(text)
    values = {**known, **given}
    missing = [one for one in wanted if one not in values]
    unknown = [one for one in given if one not in wanted]
    if missing or unknown:
        return refuse(Reason.CANNED_NEEDS, name=name, missing=tuple(missing), unknown=tuple(unknown))
    filled = without_ids(canned.fill(text, values))
    if len(filled) > canned.LONGEST_FILLED:
        return refuse(Reason.TOO_LONG, most=canned.LONGEST_FILLED)
    await work.owe(answer(work.cause, say.canned_draft(known["alias"], filled)))
    return None
