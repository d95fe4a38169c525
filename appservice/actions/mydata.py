"""`!mydata`: sending a person what is kept about them."""

from appservice.actions.work import Work
from appservice.domain.duration import MINUTE_MS
from appservice.domain.effect import TellFile
from appservice.domain.ids import GroupId, UserId
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge
from appservice.present.mydata import FILE_NAME, MIMETYPE, InGroup, Known, mydata
from appservice.present.words import farewell as say

PAUSE_MS = 10 * MINUTE_MS
"""Between two files for the same person."""


async def ask(work: Work) -> Refusal | None:
    """Send whoever asks a file with all that is kept about them, unless they have just got one."""
    user_id = work.cause.sender
    if not await work.unit.told.again(f"mydata {user_id}", "sent", work.unit.now, PAUSE_MS):
        return refuse(Reason.JUST_SENT, minutes=PAUSE_MS // MINUTE_MS)
    await work.owe(*acknowledge(work.cause))
    await send(work, user_id)
    return None


async def send(work: Work, user_id: UserId) -> None:
    """Send a person a file with all that is kept about them."""
    text = mydata(await _known(work, user_id), work.unit.now)
    await work.owe(TellFile(user_id, FILE_NAME, MIMETYPE, text, say.my_data()))


async def _known(work: Work, user_id: UserId) -> Known:
    unit = work.unit
    groups = [await _in_group(work, group_id, user_id) for group_id in await unit.erasing.groups_of(user_id)]
    return Known(
        groups,
        has_direct_room=await unit.rooms.direct(user_id) is not None,
        wrong_codes=await unit.personal.count_guesses(user_id),
        said=await unit.personal.said(user_id),
        unplaced=await unit.personal.unplaced(user_id),
    )


async def _in_group(work: Work, group_id: GroupId, user_id: UserId) -> InGroup:
    unit = work.unit
    group = await unit.groups.get(group_id)
    member = await unit.groups.member(group_id, user_id)
    place = await unit.waitlist.place(group_id, user_id)
    if member is None or member.number is None:
        return InGroup(group, member, place)
    number, personal = member.number, unit.personal
    return InGroup(
        group,
        member,
        place,
        aliases=await unit.aliases.of_member(group_id, number),
        was_vouched_for=member.sponsor is not None,
        sponsored=await personal.aliases_of_sponsored(group_id, number),
        asked=await personal.asked(group_id, number),
        codes_expire_at=await personal.codes_expire_at(group_id, number),
        pledged=await personal.pledged(group_id, number),
        ordered=await personal.ordered(group_id, number),
        recommended=await personal.recommended(group_id, number),
        liked=await personal.liked(group_id, number),
        booked=await personal.booked(group_id, number),
        said=await personal.said(f"{group_id} {number}"),
        questioned=await personal.questioned(group_id, number),
        proposed=await personal.proposed(group_id, number),
    )
