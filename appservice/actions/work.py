"""What a use case has at hand: its unit, its cause, and the way to owe effects."""

from dataclasses import dataclass, field

from appservice.config import Config
from appservice.domain.cause import Cause
from appservice.domain.effect import DIRECT_EFFECTS, CreateRoom, Effect, Tell
from appservice.domain.ids import UserId
from appservice.domain.member import is_erased
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.matrix import rooms as building
from appservice.present import acknowledge
from appservice.store.rooms import DirectStatus
from appservice.store.unit import Unit

MOST_HELD = 20


@dataclass(slots=True)
class Work:
    """One arrival or timer being acted on. Effects are numbered under the cause, so that their ids never repeat."""

    unit: Unit
    config: Config
    cause: Cause
    _owed: int = field(default=0, init=False)

    async def owe(self, *effects: Effect) -> None:
        """Owe effects to the outside world, in this order."""
        for effect in effects:
            if isinstance(effect, DIRECT_EFFECTS) and is_erased(effect.user_id):
                continue
            held = isinstance(effect, DIRECT_EFFECTS) and not await self._can_tell(effect.user_id)
            if held and isinstance(effect, Tell) and await self._would_pile_up(effect):
                continue
            await self.unit.outbox.put(f"{self.cause.id}:{self._owed}", effect, self.unit.now, held=held)
            self._owed += 1

    async def refuse(self, refusal: Refusal) -> None:
        """Tell whoever asked why nothing was done."""
        await self.owe(*acknowledge.refuse(self.cause, refusal))

    async def refuse_clear(self) -> bool:
        """Refuse what was written unencrypted in an encrypted room; tells whether it was. To be asked before anything
        is done that a message asks for."""
        if self.cause.in_clear:
            await self.refuse(refuse(Reason.IN_CLEAR))
        return self.cause.in_clear

    async def _would_pile_up(self, effect: Tell) -> bool:
        """Tell whether a person has not come for so many answers to what they wrote that one more would only pile up.
        What others cause (the end of a buy, a receipt) is always kept for them."""
        is_answer = effect.user_id == self.cause.sender and effect.content.get("msgtype") == "m.notice"
        return is_answer and await self.unit.outbox.count_held(effect.lane) >= MOST_HELD

    async def _can_tell(self, user_id: UserId) -> bool:
        """Tell whether a person has joined their direct room; has it made where there is none."""
        if await self.unit.rooms.want_direct(user_id):
            name, encrypted = self.config.appservice.bot_displayname, self.config.groups.encrypted
            request = building.direct_room(name, encrypted=encrypted)
            await self.owe(CreateRoom(request, answer="direct_room", subject=user_id))
        direct = await self.unit.rooms.direct(user_id)
        return direct is not None and direct.status is DirectStatus.JOINED
