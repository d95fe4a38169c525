"""The play: one group, one product, one group buy. Each step is waited for at the clients before it is printed."""

from __future__ import annotations

import asyncio
import datetime
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.demo.cast import CONCIERGE, EVERYBODY, MEMBERS, OWNER, picture
from tests.demo.stage import Stage
from tests.demo.transcript import SERVICE, aside, box, says, scene, show, table
from tests.harness.circle import BUY, ORDER, PRODUCT
from tests.harness.person import Event, Person
from tests.harness.sighting import kind

GROUP = "Wool circle"
LINK = "https://shop.example/throw"
_Seen = TypeVar("_Seen")


class NotSeen(Exception):
    """A step that the clients did not see in time."""


async def _seen(what: str, waiting: Awaitable[_Seen]) -> _Seen:
    try:
        return await waiting
    except AssertionError as error:
        raise NotSeen(f"This was not seen: {what}.\n\nThe client says: {error}") from error


class Play:
    """What has been made so far, and the ways in which people act."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.bot = stage.bot
        self.group = self.desk = self.card = ""
        self.direct: dict[str, str] = {}
        self.alias: dict[str, str] = {}

    # -- the scenes ----------------------------------------------------------------------------

    async def perform(self) -> None:
        show()
        show(f"{SERVICE} is the service. Everybody else is a person at an ordinary Matrix client.")
        show("“A → B” is a direct message, which nobody else sees. ✅ ⏳ ⚠️ is Coterie's reaction to a message.")
        show("All rooms are end-to-end encrypted: only who is in one can read it, and the homeserver cannot.")
        await self.found_the_group()
        await self.open_the_buy()
        await self.pledge()
        await self.close()
        self.count()

    async def found_the_group(self) -> None:
        scene(f"1. {OWNER} makes a group and asks people in")
        self.direct[OWNER] = await _seen("Coterie joins Rosa's direct chat", self._who(OWNER).create_direct(self.bot))
        await self.commands(OWNER, f'!group create "{GROUP}" cap 20', "is ready")
        for name in (GROUP, f"Desk: {GROUP}"):
            await self._joined(OWNER, name)
        self.group, self.desk = self._room(OWNER, GROUP), self._room(OWNER, f"Desk: {GROUP}")
        await self.commands(OWNER, f"!concierge add {self._who(CONCIERGE).user_id}", "is a concierge")
        await self._joined(CONCIERGE, f"Desk: {GROUP}")
        first, *others = MEMBERS
        await self.commands(OWNER, f"!invite {self._who(first).user_id}", "Invited")
        for name in others:
            user_id = self._who(name).user_id
            await self._who(OWNER).say(self.direct[OWNER], f"!invite {user_id}")
            await _seen(f"{name} is invited", self._who(OWNER).sees(self.direct[OWNER], f"Invited {user_id}"))
        aside(f"{OWNER} invites {_listed(others)} in the same way.")
        here = [CONCIERGE, *MEMBERS]
        joins = (self._who(one).sees_join(self.group, self._who(other).user_id) for one in EVERYBODY for other in here)
        await _seen("everybody is in the group", asyncio.gather(*joins))
        aside(f"{CONCIERGE}, {_listed(MEMBERS)} accept and join.")
        await self.welcomes()

    async def welcomes(self) -> None:
        """Wait until everybody has been welcomed; print what Ana was told, and let her choose her alias."""
        for name in EVERYBODY:
            welcome = await _seen(f"{name}'s welcome", self._who(name).direct_message_from(self.bot, "Welcome to "))
            self.direct[name] = welcome["room_id"]
            called = re.search(r"I call you (.+?) in all", welcome["content"]["body"])
            self.alias[name] = called[1] if called else ""
            if name == MEMBERS[0]:
                body = welcome["content"]["body"]
        box(f"{MEMBERS[0]}'s welcome, by direct message", body)
        aside("Everybody gets one on joining, and an alias: the name under which Coterie speaks of them.")
        show()
        self.alias[MEMBERS[0]] = "Heron"
        await self.commands(MEMBERS[0], "!alias Heron", "I call you Heron")

    async def open_the_buy(self) -> None:
        scene(f"2. {CONCIERGE}, a concierge, shows a throw and opens a group buy")
        ben = self._who(CONCIERGE)
        sent = await ben.send_image(self.group, picture(), name="merino-throw.png")
        await self.all_see("Ben's picture", sent)
        says(CONCIERGE, "[a picture: merino-throw.png]")
        asked = await self.writes(
            CONCIERGE, f'!product add "Merino throw" 89.00 {LINK}', reply_to=sent, note="(reply to the picture)"
        )
        image = await self.news("the product's picture", lambda e: e["content"]["msgtype"] == "m.image", asked)
        says(SERVICE, f"[the picture: {image['content']['body']}]")
        card = await self.news("the product", lambda e: PRODUCT in e["content"], asked)
        says(SERVICE, card["content"]["body"])
        day = f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=4):%A}".lower()
        asked = await self.writes(CONCIERGE, f'!buy open "Merino throw" 6:79 14:69 until {day} 18:00')
        await self.is_told(CONCIERGE, "is open until")
        card = await self.news("the card", lambda e: BUY in e["content"] and kind(e) == "message", asked)
        self.card = card["event_id"]
        for name in EVERYBODY:
            one = self._who(name)
            buttons = one.sees_that(lambda one=one: one.reactions(self.group, self.card).keys() == {"+1", "+2", "+5"})
            await _seen(f"{name} sees +1, +2 and +5 under the card", buttons)
        pinned = {"pinned": [self.card]}
        await self._all("the card is pinned", lambda e: e["type"] == "m.room.pinned_events" and e["content"] == pinned)
        box("The card, pinned in the group; under it the buttons +1 +2 +5", card["content"]["body"])

    async def pledge(self) -> None:
        scene("3. Everyone pledges in the way they like")
        await self.writes("Ana", "+2", reply_to=self.card, note="(reply to the card)")
        await self.reacts("Otto", "+2")
        asked = await self.writes("Mia", "!pledge 3")
        await self.price_news("the minimum order is reached", asked)
        await self.writes("Jonas", "!pledge 2 max 70", sign="⏳")
        aside("Jonas is in as soon as the price is 70 or less; until then he waits.")
        await self.asks("Nora", "Is it scratchy? My skin is fussy.")
        await self.writes("Emil", "+0", reply_to=self.card, note="(reply to the card)", sign="⚠️")
        await self.is_told("Emil", "whole number")
        await self.writes("Emil", "+1", reply_to=self.card, note="(reply to the card)")
        await self.commands("Lena", "+1")
        await self.writes("Paul", "+2", reply_to=self.card, note="(reply to the card)")
        await self.writes("Paul", "!withdraw")
        await self.talks("Paul", "Sorry, my sister has got me one already!")
        reaction = await self.reacts("Nora", "+5")
        await self.price_news("14 are reached", reaction)
        await self.shown_card("Now €69.00 each", "The same card, edited in place")

    async def close(self) -> None:
        scene(f"4. {OWNER} closes the buy at the desk, the concierges' own room")
        asked = await self.writes(OWNER, "!buy close", room=self.desk)
        result = await self.news("the result", lambda e: "Merino throw: closed" in e["content"]["body"], asked)
        says(SERVICE, result["content"]["body"])
        for name in (OWNER, CONCIERGE):
            summary = await _seen("the desk sees the orders", self._who(name).sees(self.desk, "orders"))
        says(SERVICE, summary["content"]["body"], to="desk")
        named = [f"{self.alias[name]} is {name}" for name in MEMBERS if self.alias[name] in summary["content"]["body"]]
        aside(f"Members stand there under their alias in the group: {_listed(named)}.")
        await self.shown_card("Closed at €69.00", "The card at the end")
        for name in (one for one in MEMBERS if one != "Paul"):
            await self.gets_receipt(name)

    def count(self) -> None:
        """Print what was written in all, as the clients have seen it."""
        scene("5. How much was written")
        events = {e["event_id"]: e for name in EVERYBODY for e in self._who(name).seen.all}
        direct = {room for name in EVERYBODY for room in self._who(name).seen.direct_rooms}
        places = [lambda r: r == self.group, lambda r: r in direct, lambda r: r == self.desk]

        def row(by_service: bool, what: str) -> list[int]:
            meant = [e for e in events.values() if (e["sender"] == self.bot) is by_service and kind(e) == what]
            return [sum(1 for e in meant if place(e["room_id"])) for place in places]

        table(
            ["in the group", "by direct message", "at the desk"],
            [
                ("People wrote", row(False, "message")),
                ("People reacted", row(False, "reaction")),
                ("Coterie posted", row(True, "message")),
                ("Coterie edited the card", row(True, "edit")),
                ("Coterie reacted (✅ ⏳ ⚠️, buttons)", row(True, "reaction")),
            ],
        )
        show()
        posts = self._who("Ana").new_messages(self.group, self.bot)
        aside(
            f"Its {len(posts)} posts in the group: picture, product, card, two falls of the price, result. "
            "None makes a phone ring. Nora's question rang the concierges, and Ben answered it, a person."
        )

    async def open_another(self) -> None:
        """One more buy, for whoever wants to try."""
        ben = self._who(CONCIERGE)
        asked = await ben.say(self.group, '!product add "Linen towel" 19.00 https://shop.example/towel')
        await _seen("the towel", ben.sees(self.group, lambda e: PRODUCT in e["content"], after=asked))
        asked = await ben.say(self.group, '!buy open "Linen towel" 4:16 10:13 until tomorrow 18:00')
        await _seen("its card", ben.sees(self.group, "Group buy: Linen towel", after=asked))

    # -- what people do ------------------------------------------------------------------------

    async def writes(
        self, name: str, text: str, *, room: str = "", reply_to: str | None = None, note: str = "", sign: str = "✅"
    ) -> str:
        """Write something for the service, and wait until everybody in the room sees its sign on it."""
        room = room or self.group
        event = await self._who(name).say(room, text, reply_to=reply_to)
        viewers = EVERYBODY if room == self.group else (OWNER, CONCIERGE)
        for viewer in viewers:
            one = self._who(viewer)
            signed = one.sees_that(lambda one=one: one.reactions(room, event) == {sign: {self.bot}})
            await _seen(f"{viewer} sees {sign} on {name}'s “{text}”", signed)
        says(f"{name} → desk" if room == self.desk else name, f"{text}  {note}".strip(), sign=sign)
        return event

    async def asks(self, name: str, text: str) -> None:
        """Put a question before the concierges; Ben answers it himself, where it was asked."""
        asked = await self.writes(name, f"!ask {text}", sign="⏳")
        ben = self._who(CONCIERGE)
        line = await _seen("the question is at the desk", ben.sees(self.desk, text))
        says(SERVICE, line["content"]["body"].partition("\nOpen the message")[0], to="desk")
        answer = "Not at all. I have had mine on the sofa since March, come and feel it."
        await self.all_see(f"Ben's “{answer}”", await ben.say(self.group, answer, reply_to=asked))
        says(CONCIERGE, f"{answer}  (reply to {name})")
        told = ben.sees_that(lambda: "Answered by" in ben.shown(self.desk, line["event_id"])["body"], timeout=15)
        await _seen("the desk sees the answer", told)
        aside("The line at the desk is edited: it was answered, by whom, and after how long.")

    async def talks(self, name: str, text: str) -> None:
        """Say something to people."""
        await self.all_see(f"{name}'s “{text}”", await self._who(name).say(self.group, text))
        says(name, text)

    async def reacts(self, name: str, key: str) -> str:
        event = await self._who(name).react(self.group, self.card, key)
        await self.all_see(f"{name}'s reaction {key}", event)
        says(name, f"[clicks {key} under the card]")
        return event

    async def commands(self, name: str, text: str, answer: str = "") -> None:
        """Write to the service by direct message; print its answer, if there is one to wait for."""
        room = self.direct[name]
        event = await self._who(name).say(room, text)
        one = self._who(name)
        signed = one.sees_that(lambda: one.reactions(room, event) == {"✅": {self.bot}})
        await _seen(f"{name} sees ✅ on “{text}”", signed)
        says(name, text, to=SERVICE, sign="✅")
        if answer:
            said = await _seen(f"{name} is answered", one.sees(room, answer, after=event))
            says(SERVICE, said["content"]["body"], to=name)

    async def is_told(self, name: str, text: str) -> None:
        """Print a direct message of the service."""
        told = await _seen(f"{name} is told “{text}” in private", self._who(name).direct_message_from(self.bot, text))
        says(SERVICE, told["content"]["body"], to=name)

    # -- what everybody sees -------------------------------------------------------------------

    async def all_see(self, what: str, event_id: str) -> None:
        await self._all(what, lambda e: e["event_id"] == event_id)

    async def news(self, what: str, meant: Callable[[Event], object], after: str) -> Event:
        """A new message of the service that everybody in the group sees; as Ana got it."""
        found = [
            await _seen(
                f"{name} sees {what}",
                self._who(name).sees(
                    self.group, lambda e: e["sender"] == self.bot and kind(e) == "message" and bool(meant(e))
                ),
            )
            for name in EVERYBODY
        ]
        return found[2]

    async def shown_card(self, text: str, title: str) -> None:
        """Draw the card as everybody's client shows it, once it has this text."""
        for name in EVERYBODY:
            one = self._who(name)
            edit = one.sees_that(lambda one=one: text in one.shown(self.group, self.card)["body"], timeout=15)
            await _seen(f"{name} sees “{text}” on the card", edit)
        box(title, self._who("Ana").shown(self.group, self.card)["body"])

    async def gets_receipt(self, name: str) -> None:
        """Print a member's receipt: Ana's as it came, of the others what differs."""
        receipt = await _seen(
            f"{name}'s receipt", self._who(name).direct_message_from(self.bot, lambda e: ORDER in e["content"])
        )
        body = receipt["content"]["body"]
        if name == MEMBERS[0]:
            box(f"{name}'s receipt, by direct message", body)
            aside("The others have one like it, each with a purchase link for exactly their sum:")
            show()
        else:
            _, sums, pay, *_ = body.split("\n")
            says(SERVICE, f"{sums}\n{pay.removeprefix('Pay here: ')}", to=name)

    async def price_news(self, text: str, after: str) -> None:
        event = await self.news(f"“{text}”", lambda e: text in e["content"]["body"], after)
        says(SERVICE, event["content"]["body"])

    async def _all(self, what: str, meant: Callable[[Event], object]) -> None:
        for name in EVERYBODY:
            await _seen(f"{name} sees {what}", self._who(name).sees(self.group, meant))

    async def _joined(self, name: str, room_name: str) -> None:
        one = self._who(name)
        await _seen(f"{name} joins “{room_name}”", one.sees_that(lambda: self._room(name, room_name)))

    def _room(self, name: str, room_name: str) -> str:
        """The joined room of that name in somebody's client, or nothing."""
        one = self._who(name)
        for room, state in one.seen.state.items():
            named, own = state.get(("m.room.name", "")), state.get(("m.room.member", one.user_id))
            if named and own and named["content"]["name"] == room_name and own["content"]["membership"] == "join":
                return room
        return ""

    def _who(self, name: str) -> Person:
        return self.stage[name]


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}"
