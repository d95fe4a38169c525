"""A day at the desk, as a script of its own: who asks what and how, what becomes of it, and what should stand at its
end. Nothing of the service is asked for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import cycle
from typing import Any

from tests.e2e.asked import Asked
from tests.harness.circle import BUY, Circle
from tests.harness.person import Event, Person
from tests.harness.sighting import kind
from tests.harness.visitor import Visitor

PATIENCE = 60
AT_ONCE = 6
WAYS = ("ask", "mention", "card", "direct", "marked")


Fate = Callable[[Asked], Awaitable[None]]


class Day:
    """A group with its concierges, its members and two group buys, and what was asked so far."""

    def __init__(self, here: Circle, concierges: Sequence[Person], members: Sequence[Visitor]) -> None:
        self.here, self.members = here, members
        self.concierges = list(concierges)
        self.asked: list[Asked] = []
        self.alias: dict[Person, str] = {}
        self.cards: list[str] = []
        self.rings = 0
        self._turns = {"grouped": cycle(self._fates()), "direct": cycle((self.helped, self.helped, self.waits))}
        self._in_outage = cycle((self.replied, self.waits, self.reworded, self.vanished, self.accepted_later))

    # -- the group buys ------------------------------------------------------------------------

    async def open_buy(self, name: str, terms: str) -> None:
        """A product and a group buy of it, by the first concierge."""
        ben, group = self.concierges[0], self.here.group
        await self.here.post_product(ben, f'"{name}" 89.00 https://shop.example/it')
        typed = await ben.say(group, f'!buy open "{name}" {terms}')
        card = await ben.sees(group, lambda e: kind(e) == "message" and BUY in e["content"], after=typed)
        self.cards.append(card["event_id"])

    async def pledge(self, members: Iterable[Visitor], units: int) -> None:
        """Some pledge so many units each in every buy."""
        for member in members:
            for card in self.cards:
                await member.say(self.here.group, f"+{units}", reply_to=card)

    # -- asking --------------------------------------------------------------------------------

    async def ask(self, count: int, fate: str | None = None) -> None:
        """So many questions of the next members, a few at a time, each with what becomes of it."""
        wanted = []
        for _ in range(count):
            no = len(self.asked)
            again, member = divmod(no, len(self.members))  # nobody asks directly twice: that would be one question
            asked = Asked(no, self.members[member], WAYS[(no + again) % len(WAYS)])
            self.asked.append(asked)
            wanted.append((asked, self._fate(asked, fate)))
        gate = asyncio.Semaphore(AT_ONCE)

        async def live(asked: Asked, becomes: Fate) -> None:
            async with gate:
                await self._put(asked)
                await becomes(asked)

        await asyncio.gather(*(live(*one) for one in wanted))

    def _fate(self, asked: Asked, fate: str | None) -> Fate:
        if fate != "outage":
            return next(self._turns["direct" if asked.is_direct else "grouped"])
        fixed = {"direct": self.waits, "marked": self.reworded}  # what is said before ❓ has come is chatter
        return fixed.get(asked.way) or next(self._in_outage)

    async def _put(self, asked: Asked) -> None:
        asker, group, text = asked.asker, self.here.group, f"Is it soft, {asked.mark}"
        asked.texts = [text]
        self.rings += 1
        match asked.way:
            case "ask":
                asked.event_id = await asker.say(group, f"!ask {text}")
            case "mention":
                whom = (*self.concierges, self.here.owner)[asked.no % (len(self.concierges) + 1)].user_id
                asked.event_id = await self._say(asker, group, text, {"m.mentions": {"user_ids": [whom]}})
            case "card":
                asked.event_id = await asker.say(group, text, reply_to=self.cards[asked.no % 2])
            case "direct":
                asked.event_id = await asker.say(await self._direct(asker), text)
            case "marked":
                asked.event_id = await asker.say(group, text)
                await (await self._who_reads(asked)).react(group, asked.event_id, "❓")

    async def _direct(self, asker: Visitor) -> str:
        """The room into which the service has invited them; they come into it when they first need it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await asker.look()
                rooms = [room for room in asker.seen.direct_rooms if ("m.room.create", "") in asker.seen.state[room]]
                if rooms:
                    return rooms[0]
                await asyncio.sleep(0.3)

    # -- what becomes of it --------------------------------------------------------------------

    def _fates(self) -> tuple[Fate, ...]:
        return (
            self.answered, self.accepted, self.handed_over, self.withdrawn, self.reopened, self.edited, self.in_private,
            self.asked_twice, self.mentioned, self.released, self.snoozed, self.noted, self.in_a_thread, self.dismissed,
        )  # fmt: skip

    async def waits(self, asked: Asked) -> None:
        """Nobody does anything."""

    async def answered(self, asked: Asked) -> None:
        """Taken, answered by a reply, closed."""
        one = await self._take(asked)
        await self._reply(one, asked)
        await self._shows(asked, "💬")
        await self._react_in_desk(one, asked, "✅")
        asked.closed_by(one)

    async def in_a_thread(self, asked: Asked) -> None:
        """Answered in the thread of the member's message, without having been taken."""
        await self._shows(asked, "❔")
        one = await self._who_reads(asked)
        relation = {"rel_type": "m.thread", "event_id": asked.event_id}
        await self._say(one, self.here.group, "Very.", {"m.relates_to": relation})
        asked.answered_by(one)

    async def mentioned(self, asked: Asked) -> None:
        """Answered by a mention of the member; by a reply if that could mean another question of theirs."""
        one = await self._take(asked)
        if any(other.asker is asked.asker for other in self.asked if other is not asked):
            await self._reply(one, asked)
        else:
            mentions = {"m.mentions": {"user_ids": [asked.asker.user_id]}}
            await self._say(one, self.here.group, "Very.", mentions)
            asked.answered_by(one)

    async def reopened(self, asked: Asked) -> None:
        """Closed, asked on, and answered again."""
        await self.answered(asked)
        await self._shows(asked, "✅")
        asked.texts.append(f"And when it is wet, {asked.mark}")
        asked.episode, asked.status, asked.resolved_by = 2, "claimed", None
        self.rings += 1
        await asked.asker.say(self.here.group, asked.texts[-1], reply_to=asked.event_id)
        await self._shows(asked, "👀")
        await self._reply(asked.claimant[0], asked)

    async def accepted(self, asked: Asked) -> None:
        """Another member answers, and the asker says that this was it."""
        await self._peer_answers(asked)
        await self.accept(asked)

    async def accept(self, asked: Asked) -> None:
        await asked.asker.react(self.here.group, asked.answer_id, "✅")
        asked.credited = asked.peer
        asked.closed_by(asked.asker)

    async def handed_over(self, asked: Asked) -> None:
        """Taken by one, handed over to another, answered, and closed by the asker."""
        one = await self._take(asked)
        other = self.concierges[(self.concierges.index(one) + 1) % len(self.concierges)]
        await self._in_thread(one, asked, f"!hand {self.alias[other]} knows the maker")
        self.rings += 1
        asked.claimant = (other,)
        await self._shows(asked, "👀", f"{self.alias[other]} has it.")
        await self._reply(other, asked)
        await self._shows(asked, "💬")
        await asked.asker.react(self.here.group, asked.event_id, "✅")
        asked.closed_by(asked.asker)

    async def withdrawn(self, asked: Asked) -> None:
        """Taken back by who asked, with every word of it."""
        await self._shows(asked, "❔")
        await asked.asker.redact(self.here.group, asked.event_id)
        asked.texts = []
        asked.closed_by(asked.asker)

    async def edited(self, asked: Asked) -> None:
        """Asked in other words."""
        await self._shows(asked, "❔")
        await self.reworded(asked)

    async def reworded(self, asked: Asked) -> None:
        text = f"Is it warm, {asked.mark}"
        typed = f"!ask {text}" if asked.way == "ask" else text
        await asked.asker.edit(self.here.group, asked.event_id, typed)
        asked.texts = [text]

    async def asked_twice(self, asked: Asked) -> None:
        """Asked again in the same words, and answered there."""
        await self._shows(asked, "❔")
        again = await asked.asker.say(self.here.group, f"!ask {asked.texts[0]}")
        asked.texts *= 2  # each of them can be taken back; the desk shows them once
        one = self._concierge(asked)
        await one.sees(self.here.group, lambda e: e["event_id"] == again, timeout=PATIENCE)
        await one.say(self.here.group, "Very.", reply_to=again)
        asked.answered_by(one)

    async def in_private(self, asked: Asked) -> None:
        """Taken, and moved into a private room."""
        one = await self._take(asked)
        await self._in_thread(one, asked, "!private")
        await self._help(one, asked)

    async def helped(self, asked: Asked) -> None:
        """Asked directly, and answered in the room that this opens."""
        await self._help(await self._take(asked), asked)

    async def released(self, asked: Asked) -> None:
        """Taken and given back."""
        one = self._concierge(asked)
        reaction = await self._react_in_desk(one, asked, "👀")
        await self._shows(asked, "👀")
        await one.redact(self.here.desk, reaction)

    async def snoozed(self, asked: Asked) -> None:
        one = self._concierge(asked)
        await self._in_thread(one, asked, "!snooze until tomorrow 9:00")
        asked.status = "snoozed"

    async def noted(self, asked: Asked) -> None:
        """Something is noted, which answers nothing."""
        await self._in_thread(self._concierge(asked), asked, "!note asked the maker")
        await self._shows(asked, "❔", "Note: asked the maker (")

    async def dismissed(self, asked: Asked) -> None:
        """Closed without a word."""
        one = self._concierge(asked)
        await self._react_in_desk(one, asked, "✅")
        asked.closed_by(one)

    # -- while the service is down -------------------------------------------------------------

    async def replied(self, asked: Asked) -> None:
        await self._reply(await self._who_reads(asked), asked)

    async def vanished(self, asked: Asked) -> None:
        """Taken back before the service has read it: nobody has asked anything."""
        await asked.asker.redact(self.here.group, asked.event_id)
        asked.is_known = False
        self.rings -= 1

    async def accepted_later(self, asked: Asked) -> None:
        await self._peer_answers(asked, wait=False)
        await self.accept(asked)

    async def race(self) -> None:
        """Two concierges take the oldest open question in the same moment; the askers of two others close theirs."""
        first, second = self.concierges[0], self.concierges[-1]
        is_open = [one for one in self.asked if one.status == "open" and not one.is_direct]
        if not is_open:
            return
        taken, *others = is_open
        root = self._root(first, taken)["event_id"]
        await asyncio.gather(*(one.react(self.here.desk, root, "👀") for one in (first, second)))
        taken.status, taken.claimant = "claimed", (first, second)
        for one in others[:2]:
            await one.asker.react(self.here.group, one.event_id, "✅")
            one.closed_by(one.asker)

    # -- the desk ------------------------------------------------------------------------------

    def _concierge(self, asked: Asked) -> Person:
        return self.concierges[asked.no % len(self.concierges)]

    async def _who_reads(self, asked: Asked) -> Person:
        """The concierge whose turn it is, once they see the member's message."""
        one = self._concierge(asked)
        await one.sees(self.here.group, lambda e: e["event_id"] == asked.event_id, timeout=PATIENCE)
        return one

    async def _take(self, asked: Asked) -> Person:
        one = self._concierge(asked)
        await self._react_in_desk(one, asked, "👀")
        await self._shows(asked, "👀")
        asked.status, asked.claimant = "claimed", (one,)
        return one

    async def _reply(self, one: Person, asked: Asked) -> None:
        await one.sees(self.here.group, lambda e: e["event_id"] == asked.event_id, timeout=PATIENCE)
        await one.say(self.here.group, "Very.", reply_to=asked.event_id)
        asked.answered_by(one)

    async def _peer_answers(self, asked: Asked, *, wait: bool = True) -> None:
        """The member before answers; `wait` until the desk shows it."""
        asked.peer = self.members[(asked.no - 1) % len(self.members)]
        if wait:
            await self._shows(asked, "❔")
        asked.answer_id = await asked.peer.say(self.here.group, "I think so.", reply_to=asked.event_id)
        if wait:
            await self._shows(asked, "❔", "has answered; no concierge has.")

    async def _help(self, one: Person, asked: Asked) -> None:
        """The asker comes into the private room, is answered there, and the question is closed in the desk."""

        def greeting() -> Event | None:
            about = (e for e in one.seen.all if asked.mark in str(e["content"].get("body", "")))
            return next((e for e in about if e["content"]["body"].startswith("This room is for")), None)

        async with asyncio.timeout(PATIENCE):
            while greeting() is None:
                await asked.asker.look()
                await asyncio.sleep(0.3)
        room = greeting()
        assert room
        await one.say(room["room_id"], "Between us: very.")
        asked.answered_by(one)
        await self._shows(asked, "💬")
        await self._react_in_desk(one, asked, "✅")
        asked.closed_by(one)

    async def _react_in_desk(self, one: Person, asked: Asked, key: str) -> str:
        root = await one.sees_that(lambda: self._root(one, asked), timeout=PATIENCE)
        return await one.react(self.here.desk, root["event_id"], key)

    async def _in_thread(self, one: Person, asked: Asked, typed: str) -> None:
        root = await one.sees_that(lambda: self._root(one, asked), timeout=PATIENCE)
        relation = {"rel_type": "m.thread", "event_id": root["event_id"]}
        event = await self._say(one, self.here.desk, typed, {"m.relates_to": relation})
        done = {"✅": {self.here.bot}}
        await one.sees_that(lambda: one.reactions(self.here.desk, event) == done, timeout=PATIENCE)

    def _root(self, one: Person, asked: Asked) -> Event | None:
        lines = one.seen.timeline[self.here.desk]
        about = (e for e in reversed(lines) if kind(e) == "message" and asked.mark in e["content"].get("body", ""))
        return next((e for e in about if e["sender"] == self.here.bot), None)

    async def _shows(self, asked: Asked, sign: str, words: str = "") -> None:
        """Return once the desk shows a question so."""
        ben = self.concierges[0]

        def now() -> bool:
            for event in reversed(ben.seen.timeline[self.here.desk]):
                said = event["content"].get("m.new_content", event["content"])
                if asked.mark in said.get("body", "") and event["sender"] == self.here.bot:
                    return bool(said["body"].startswith(sign) and words in said["body"])
            return False

        await ben.sees_that(now, timeout=PATIENCE)

    async def _say(self, one: Person, room: str, body: str, more: dict[str, Any]) -> str:
        return await one.send_event(room, "m.room.message", {"msgtype": "m.text", "body": body, **more})
