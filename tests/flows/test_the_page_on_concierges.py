"""What docs/concierge.md shows of the service was said by it, word for word: only ids and links differ."""

import re
from pathlib import Path

from tests.flows.helped import help_rooms, lines, take
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import HOUR, MINUTE, MONDAY, Service

PAGE = Path(__file__).parents[2] / "docs" / "concierge.md"
UNLIKE = re.compile("nzjepy|https://matrix.to/#/…|…")
"""What differs on the page: the id of the buy, links, and what is left out of a sentence."""


def shown() -> list[str]:
    """The texts of the service on the page: whole blocks, and each sentence in code that is no command."""
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```\n.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    inline = [one for one in re.findall(r"`([^`]+)`", rest) if len(one.split()) > 3 and one[0] not in "!@"]
    return [*blocks, *inline]


def as_pattern(text: str) -> str:
    """A pattern of a text, whatever its ids and where its lines are broken."""
    words = [UNLIKE.sub("ID", word) for word in text.split()]
    return r"\s+".join(re.escape(word).replace("ID", r".*") for word in words)


async def test_the_page_shows_what_the_service_says(shop: Journey, service: Service) -> None:
    heard: set[str] = set()
    ana, otto, mia, ben, rosa = shop.ana, shop.otto, shop.mia, shop.ben, shop.rosa
    cleo = shop.person("cleo")

    def listen() -> None:
        for person in (ana, otto, mia, ben, cleo, rosa):
            heard.update(shop.hs.direct_messages(person))
        heard.update([*shop.posted(), *shop.posted(shop.desk)])
        heard.update(text for room in help_rooms(shop) for text in shop.posted(room.room_id))

    async def rest(until: int | None = None) -> None:
        if until is not None:
            service.clock.advance(MONDAY + until - service.clock.now())
        await shop.settle()
        listen()

    async def desk(who: Person, words: str, *, aside: bool = False) -> None:
        relation = {} if aside else {"m.relates_to": {"rel_type": "m.thread", "event_id": lines(shop)[-1].event_id}}
        who.send(shop.desk, "m.room.message", {"msgtype": "m.text", "body": words, **relation})
        await shop.rest()
        await rest()

    async def ask(words: str) -> str:
        event_id = await shop.say(ana, f"!ask {words}")
        await rest()
        return event_id

    await shop.tell(rosa, f"!concierge add {cleo.mxid}")
    for person, alias in ((ana, "Otter"), (otto, "Heron"), (mia, "Lynx"), (ben, "Ben"), (cleo, "Cleo"), (rosa, "Rosa")):
        await shop.tell(person, f"!alias {alias}")

    # from beginning to end
    asked = await ask("Can the throw be washed at 60 degrees?")
    await rest(3 * MINUTE)
    await take(shop, ben)
    await take(shop, cleo)
    await rest(5 * MINUTE)
    await shop.say(ben, "Not above 40, says the maker.", reply_to=asked)
    await rest()
    await shop.decide(ben, lines(shop)[-1].event_id, "✅")
    await rest(HOUR + 20 * MINUTE)
    await shop.say(ana, "And in the dryer?", reply_to=asked)
    await rest()
    await shop.decide(cleo, lines(shop)[-1].event_id, "✅")

    # in private, with a draft
    await shop.tell(mia, "I have not got my parcel.")
    await rest()
    await take(shop, ben)
    await rest()
    await desk(ben, "!canned add delivery Hello {alias}, your parcel comes on {day}.", aside=True)
    await desk(ben, "!canned delivery day=Friday")
    await desk(ben, "!canned delivery")
    await shop.decide(ben, lines(shop)[-1].event_id, "✅")

    # a card, and a pledge for somebody
    await desk(ben, f"!buy {shop.buy}", aside=True)
    await desk(ben, "!pledge-for Otter 2", aside=True)
    [proposal] = [e for e in shop.hs.direct_events(ana) if "written down" in str(e.content.get("body"))]
    ana.react(proposal.room_id, proposal.event_id, "✅")
    await shop.rest()
    await rest()

    # what rings
    asked = await ask("Is there a blue one?")
    await shop.say(otto, "I think so.", reply_to=asked)
    await rest()
    await shop.redact(ana, asked)
    await rest()
    await ask("Does it scratch?")
    await service.wait(16 * MINUTE)
    await rest()
    await take(shop, ben)
    await desk(ben, "!hand Cleo she knows the maker")
    await shop.decide(cleo, lines(shop)[-1].event_id, "✅")
    await ask("Is it warm?")
    await take(shop, ben)
    for _ in range(5):
        await service.wait(15 * MINUTE)
        listen()
    await take(shop, cleo)
    await ask("Is it thick?")
    await desk(cleo, "!queue", aside=True)
    await take(shop, cleo)
    await desk(cleo, "!note asked the maker", aside=True)

    # hours
    await desk(rosa, "!hours mon-fri 9:00-18:00, sat 10:00-14:00 holidays DE-BE", aside=True)
    await desk(ben, "!duty off", aside=True)
    missing = [text for text in shown() if not any(re.search(as_pattern(text), said) for said in heard)]
    assert missing == [], "\n\n".join(["said was:", *sorted(heard)])
