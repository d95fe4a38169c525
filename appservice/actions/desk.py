"""Saying something to the concierges of a group, in their desk."""

from typing import Any

from appservice.actions.work import Work
from appservice.domain.effect import SendEvent
from appservice.domain.group import Group
from appservice.domain.ids import GroupId, Number
from appservice.domain.member import Member
from appservice.present.text import Text, notice
from appservice.store.ledger import Entry
from appservice.wire import message


async def tell_desk(
    work: Work, group: Group, text: Text | str, *, answer: str | None = None, subject: str = ""
) -> None:
    """Post a quiet line in the desk, if the group has one by now."""
    if group.desk_id is not None:
        content: dict[str, Any] = notice(text)
        await work.owe(SendEvent(group.desk_id, message.TYPE, content, answer, subject))


async def note(
    work: Work, group_id: GroupId, fact: str, *, number: Number | None = None, actor: Number | None = None,
    **detail: object,
) -> None:  # fmt: skip
    """Write a line about a group into the ledger: `number` is whom it is about, `actor` who did it. No Matrix ids."""
    entry = Entry(group_id, fact, number=number, detail=detail, actor=actor, cause=work.cause.id, at=work.unit.now)
    await work.unit.ledger.append(entry)


async def number_of(work: Work, group_id: GroupId, user_id: str) -> Number | None:
    """Give the number of a person in a group, if they have one."""
    member: Member | None = await work.unit.groups.member(group_id, user_id)
    return member.number if member else None
