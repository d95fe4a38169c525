"""Several small groups of one service, in which one group buy is shown."""

from __future__ import annotations

from dataclasses import dataclass

from tests.flows.homeserver_events import Event, Json
from tests.flows.homeserver_people import Person
from tests.flows.homeserver_rooms import Room
from tests.flows.journey import BUY, Journey


@dataclass
class Circle:
    """One of the groups: its room, its desk and its card of the shared buy."""

    play: Journey
    name: str
    id: str
    group: str
    desk: str
    card: str = ""

    @property
    def room(self) -> Room:
        return self.play.hs.room(self.group)

    @property
    def card_text(self) -> str:
        return str(self.room.content_now(self.play.hs.event(self.card))["body"])

    def find_card(self) -> None:
        """Note the newest card of a buy in this group."""
        self.card = [event for event in self.play.hs.cards(self.group) if "tiers" in event.content[BUY]][-1].event_id

    def cards(self) -> list[Event]:
        return [event for event in self.play.hs.cards(self.group) if "tiers" in event.content[BUY]]

    async def plus(self, person: Person, units: int) -> str:
        """A pledge by reply to the card of this group."""
        return await self.play.say(person, f"+{units}", to=self.group, reply_to=self.card)

    def posted(self) -> list[str]:
        return self.play.posted(self.group)

    def said_at_the_desk(self) -> list[str]:
        return self.play.posted(self.desk)

    def result(self) -> Json:
        """The key of the result message."""
        keys = [event.content[BUY] for event in self.room.messages(self.play.hs.bot) if BUY in event.content]
        return next(key for key in reversed(keys) if "tiers" not in key)


async def three_circles(play: Journey) -> tuple[Circle, Circle, Circle]:
    """The group of the journey (ana, otto, mia), one of bea, bo and ana again, and one of cleo and cem. Ben is a
    concierge of all three, kim of the second only; rosa owns them."""
    first = Circle(play, "Wool circle", play.group_id, play.group, play.desk)
    second = await _make(play, "Second circle", "bea", "bo", "ana", concierges=("ben", "kim"))
    third = await _make(play, "Third circle", "cleo", "cem", concierges=("ben",))
    play.group, play.desk = first.group, first.desk
    return first, second, third


async def _make(play: Journey, name: str, *people: str, concierges: tuple[str, ...]) -> Circle:
    await play.make_group(name)
    circle = Circle(play, name, play.group_id, play.group, play.desk)
    for person in concierges:
        await play.tell(play.rosa, f"!concierge add {play.person(person).mxid} {circle.id}")
    for person in people:
        await play.tell(play.rosa, f"!invite {play.person(person).mxid} {circle.id}")
    await play.settle()
    assert {play.person(one).mxid for one in (*people, *concierges)} < circle.room.joined
    return circle
