"""What is due: which use case acts on which timer."""

from collections.abc import Awaitable, Callable, Mapping

from appservice.actions import (
    adoption,
    buys,
    cards,
    deciding,
    direct_questions,
    directs,
    farewell,
    forgetting,
    group_card,
    help_rooms,
    inspection,
    keyless,
    orders,
    proposing,
    questions,
    seats,
    stats,
    vouching,
    welcome,
)
from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.ids import BuyId, GroupId, RoomId, UserId
from appservice.domain.question import QuestionId
from appservice.domain.question.state import REOPENS_MS
from appservice.store.settings import STARTED_AT


async def _on_opening(work: Work, subject: str) -> None:
    await buys.open_due(work, BuyId(subject))


async def _on_deadline(work: Work, subject: str) -> None:
    await buys.settle(work, BuyId(subject))


async def _on_collect_due(work: Work, subject: str) -> None:
    await orders.collect(work, BuyId(subject))


async def _on_hour(work: Work, subject: str) -> None:
    await buys.announce_last_hour(work, BuyId(subject))


async def _on_card_due(work: Work, subject: str) -> None:
    await cards.refresh_card(work, BuyId(subject))


async def _on_state_due(work: Work, subject: str) -> None:
    await cards.forget_state(work, BuyId(subject))


async def _on_invitation_due(work: Work, subject: str) -> None:
    group_id, _, user_id = subject.partition(" ")
    await seats.invitation_expired(work, GroupId(group_id), UserId(user_id))


async def _on_code_due(work: Work, subject: str) -> None:
    await vouching.code_expired(work, subject)


async def _on_vouch_due(work: Work, subject: str) -> None:
    await deciding.expired(work, subject)


async def _on_newcomers_due(work: Work, subject: str) -> None:
    await welcome.show_to_newcomers(work, GroupId(subject))


async def _on_group_card_due(work: Work, subject: str) -> None:
    await group_card.refresh_daily(work, GroupId(subject))


async def _on_forget_due(work: Work, subject: str) -> None:
    await forgetting.look(work, UserId(subject))


async def _on_forgotten_due(work: Work, subject: str) -> None:
    await forgetting.clear_away(work, UserId(subject))


async def _on_sunset_due(work: Work, subject: str) -> None:
    await farewell.everybody_out(work, GroupId(subject))


async def _on_closed_due(work: Work, subject: str) -> None:
    await farewell.close(work, GroupId(subject))


async def _on_purge_due(work: Work, subject: str) -> None:
    await forgetting.purge(work, GroupId(subject))


async def _on_adoption_due(work: Work, subject: str) -> None:
    await adoption.expired(work, RoomId(subject))


async def _on_key_due(work: Work, subject: str) -> None:
    room_id, _, rest = subject.partition(" ")
    session_id, _, sender = rest.rpartition(" ")
    await keyless.missed(work, RoomId(room_id), UserId(sender), session_id)


async def _on_inspection_due(work: Work, subject: str) -> None:
    await inspection.inspect(work, GroupId(subject))


async def _on_help_due(work: Work, subject: str) -> None:
    await help_rooms.look(work, QuestionId(subject))


async def _on_desk_due(work: Work, subject: str) -> None:
    await questions.fall_due(work, GroupId(subject))


async def _on_queue_due(work: Work, subject: str) -> None:
    await questions.show_open(work, GroupId(subject))


async def _on_stats_due(work: Work, subject: str) -> None:
    await stats.weekly(work, GroupId(subject))


_ONCE = (
    "early", "greeting", "key", "over the cap", "reminded", "removals", "reports", "requests", "rewording", "rings",
    "unreached",
)  # fmt: skip
PRUNE = "prune"
PRUNE_EVERY_MS = 6 * HOUR_MS


async def _on_prune(work: Work, subject: str) -> None:
    await work.unit.inbox.prune(work.unit.now)
    await work.unit.outbox.prune(work.unit.now)
    started_at = int(await work.unit.settings.get(STARTED_AT) or 0)
    if work.unit.now - started_at >= HOUR_MS:  # before, there may still be something to be read that came meanwhile
        await work.unit.keys.prune(work.unit.now)
    await work.unit.unplaced.prune(work.unit.now - direct_questions.KEPT_MS)
    await work.unit.questions.prune(work.unit.now - REOPENS_MS)
    await work.unit.proposals.prune(work.unit.now - proposing.KEPT_MS)
    await work.unit.codes.prune_guesses(work.unit.now - vouching.GUESS_MS)
    await work.unit.told.prune(directs.ASKED, work.unit.now - HOUR_MS)
    # the others are said once for all
    for beginning in _ONCE:
        await work.unit.told.prune(beginning, work.unit.now - 30 * DAY_MS)
    await work.unit.timers.set(PRUNE, subject, work.unit.now + PRUNE_EVERY_MS)


TIMERS: Mapping[str, Callable[[Work, str], Awaitable[None]]] = {
    "open": _on_opening,
    "deadline": _on_deadline,
    "collect": _on_collect_due,
    "hour": _on_hour,
    "card": _on_card_due,
    "state": _on_state_due,
    "invitation": _on_invitation_due,
    "code": _on_code_due,
    "vouch": _on_vouch_due,
    "newcomers": _on_newcomers_due,
    "group_card": _on_group_card_due,
    "inspection": _on_inspection_due,
    "help": _on_help_due,
    "key": _on_key_due,
    "desk": _on_desk_due,
    "queue": _on_queue_due,
    "adoption": _on_adoption_due,
    "forget": _on_forget_due,
    "forgotten": _on_forgotten_due,
    "sunset": _on_sunset_due,
    "closed": _on_closed_due,
    "purge": _on_purge_due,
    "stats": _on_stats_due,
    PRUNE: _on_prune,
}
