"""!pledge, !withdraw, !confirm, and !take or !decline what became free."""

from appservice.actions import pledges, waiting
from appservice.actions.work import Work
from appservice.commands.choosing import find_buy
from appservice.commands.command import Call, Command, call_example, usage
from appservice.domain.cause import Place
from appservice.domain.group_buy import Confirm, GroupBuy, Withdraw
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Refusal
from appservice.wire.pledge import parse_whole

_PLEDGE = "!pledge 3, or !pledge 2-4, or !pledge 2 max 9.00; where there are variants: !pledge 2 M"
_WITHDRAW = "!withdraw"
_CONFIRM = "!confirm"
_TAKE = "!take k3x9qf"
_DECLINE = "!decline k3x9qf"
_PLACES = frozenset({Place.GROUP, Place.DIRECT})


async def _pledge(work: Work, call: Call) -> Refusal | None:
    words = call.words()
    found = await find_buy(work, call, words, call_example("pledge", call), former=words[:1] == ["0"])
    if isinstance(found, Refusal):
        return found
    buy, member, words = found
    if not words:
        return usage(_PLEDGE)
    return await pledge_whole(work, buy, member, " ".join(words))


async def pledge_whole(work: Work, buy: GroupBuy, member: Member, text: str) -> Refusal | None:
    """Set a member's whole pledge to what they wrote."""
    whole = parse_whole(text, buy.terms.currency, buy.terms.variants)
    if isinstance(whole, Refusal):
        return whole
    await pledges.pledge(work, buy.id, pledges.request_for(work, member, whole))
    return None


async def _withdraw(work: Work, call: Call) -> Refusal | None:
    found = await find_buy(work, call, call.words(), "!withdraw", former=True, own=True)
    if isinstance(found, Refusal):
        return found
    buy, member, words = found
    if words:
        return usage(_WITHDRAW)
    await pledges.pledge(work, buy.id, Withdraw(pledges.pledger_of(member), work.cause.received_at))
    return None


async def _confirm(work: Work, call: Call) -> Refusal | None:
    found = await find_buy(work, call, call.words(), "!confirm", former=True, own=True)
    if isinstance(found, Refusal):
        return found
    buy, member, words = found
    if words:
        return usage(_CONFIRM)
    await pledges.pledge(work, buy.id, Confirm(pledges.pledger_of(member), work.cause.received_at))
    return None


async def _take(work: Work, call: Call) -> Refusal | None:
    match call.words():
        case [] | [_] as words:
            return await waiting.answer_offer(work, next(iter(words), None), takes=True)
        case _:
            return usage(_TAKE)


async def _decline(work: Work, call: Call) -> Refusal | None:
    match call.words():
        case [] | [_] as words:
            return await waiting.answer_offer(work, next(iter(words), None), takes=False)
        case _:
            return usage(_DECLINE)


COMMANDS = (
    Command(
        "pledge", _PLEDGE, "say how many you take in all; 0 takes it back", Role.MEMBER, _pledge, _PLACES,
        shows_pledge=True,
    ),
    Command("withdraw", _WITHDRAW, "take your pledge back", Role.MEMBER, _withdraw, _PLACES, shows_pledge=True),
    Command("confirm", _CONFIRM, "agree to a later closing time", Role.MEMBER, _confirm, _PLACES, shows_pledge=True),
    Command(
        "take", _TAKE, "take what became free after a group buy closed", Role.MEMBER, _take, _PLACES,
        shows_pledge=True,
    ),
    Command(
        "decline", _DECLINE, "leave what became free to the next in line", Role.MEMBER, _decline, _PLACES,
        shows_pledge=True,
    ),
)  # fmt: skip
