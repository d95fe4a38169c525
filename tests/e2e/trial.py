"""An open buy on which somebody tries things, and the proof that nothing came of it."""

from __future__ import annotations

from tests.e2e.conftest import in_days
from tests.harness.circle import BUY, ORDER, Circle
from tests.harness.person import Event, Person
from tests.harness.sighting import describe

MINIMUM = 500
UNITS = "I need a whole number of units, from 1 to 9,999 in all: +2, or !pledge 3, or !pledge 2-4."


class Trial:
    """A buy from 500 units on in a group of Rosa, Ben the concierge, Ana who tries things, and Otto who watches."""

    def __init__(self, here: Circle, product: str, card: str) -> None:
        self.here, self.product, self.card = here, product, card
        self.ben, self.ana, self.otto = here
        self.said_before = len(self.otto.new_messages(here.group, here.bot))

    @classmethod
    async def begin(cls, here: Circle, product: str = "Merino throw") -> Trial:
        """Have Ben post a product and open a buy."""
        ben = here.people[0]
        await here.post_product(ben, f'"{product}" 89.00 https://shop.example/throw')
        card = await here.open_buy(ben, f'"{product}" {MINIMUM}:79 900:69 until {in_days(5)} 18:00')
        await ben.direct_message_from(here.bot, lambda e: f" of {product} is open until" in e["content"]["body"])
        return cls(here, product, card)

    @property
    def buy_id(self) -> str:
        return str(self.ben.shown(self.here.group, self.card)[BUY]["id"])

    async def end(self) -> None:
        """Have the buy closed, if it is not, so that another one is the only one."""
        await self.here.owner.say(self.here.desk, f"!buy close {self.buy_id}")
        closed = {"succeeded", "failed"}
        await self.ben.sees(
            self.here.group,
            lambda e: e["type"] == BUY and e["state_key"] == self.buy_id and e["content"]["status"] in closed,
        )

    def told(self, who: Person) -> list[Event]:
        """What the service has told a person in private, but for receipts."""
        return [e for e in who.direct_messages(self.here.bot) if ORDER not in e["content"]]

    async def is_refused(self, who: Person, room: str, said: str, line: str) -> None:
        """⚠️ and nothing else under the message, and one more direct message with this text."""
        before = len(self.told(who))
        event = await who.say(room, said, reply_to=self.card if not said.startswith("!") else None)
        await who.sees_that(lambda: who.reactions(room, event) == {"⚠️": {self.here.bot}})
        await who.sees_that(lambda: len(self.told(who)) > before)
        (told,) = self.told(who)[before:]
        assert told["content"]["body"].startswith(line), (told["content"]["body"], line)
        assert told["content"]["msgtype"] == "m.notice"

    async def ends_well(self, pledged: int = 0) -> None:
        """The group has seen nothing of all that; so many units are pledged, and an ordinary pledge still works."""
        group, bot, otto = self.here.group, self.here.bot, self.otto
        nearly = await otto.say(group, f"+{MINIMUM - pledged - 1}", reply_to=self.card)
        await otto.sees_that(lambda: otto.reactions(group, nearly) == {"✅": {bot}})
        after = otto.new_messages(group, bot)[self.said_before :]
        assert not after, describe(after)
        await otto.say(group, "+1", reply_to=self.card)
        await otto.sees(group, "the minimum order is reached", after=nearly)
        assert self.here.errors() == []
