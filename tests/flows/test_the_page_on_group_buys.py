"""What docs/group-buys.md shows of the service was said by it, word for word: only ids differ."""

import re
from pathlib import Path

from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import DAY, HOUR, MONDAY, Service

PAGE = Path(__file__).parents[2] / "docs" / "group-buys.md"
IDS = re.compile("nzjepy|qynyan|79qcpw76|tcjy7j6p|g6jgmw4c|sqdrtnx2|sdgxr7")
"""The ids on the page: of buys, orders, a line and a payment."""
SCARF = (
    '!buy open "Wool scarf" 5:79 10:69 until friday 18:00 cap 12 pack 2 least 2 most 8 step 2 variants S, M, '
    "Large blue shared 10.00 tax 20%"
)


def shown() -> list[str]:
    """The texts of the service on the page; what Ben and others write is not among them."""
    blocks = re.findall(r"^```\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if not re.match(r"(Ben|Ana) ", block)]


def as_pattern(text: str) -> str:
    """A pattern of a text, whatever its ids and where its lines are broken."""
    words = [IDS.sub("ID", word) for word in text.split()]
    return r"\s+".join(re.escape(word).replace("ID", r"\w+") for word in words)


async def test_the_page_shows_what_the_service_says(shop: Journey, service: Service) -> None:
    heard: set[str] = set()

    def listen() -> None:
        for person in (shop.ana, shop.otto, shop.mia):
            heard.update(shop.told(person))
        heard.update([*shop.posted(), *shop.posted(shop.desk)])

    async def desk(words: str) -> None:
        await shop.say(shop.ben, words, to=shop.desk)
        await shop.settle()
        listen()

    def order_of(person: Person) -> str:
        return str(shop.receipts(person)[-1]["id"])

    for person, alias in ((shop.ana, "Otter"), (shop.otto, "Heron"), (shop.mia, "Lynx")):
        await shop.tell(person, f"!alias {alias}")
    await shop.say(shop.otto, "!pledge 3 max 80")
    await desk(f"!buy extend {shop.buy} until sunday 12:00")
    await desk(f"!buy cancel {shop.buy} Once more from the beginning")

    await desk('!product add "Wool scarf" 89.00 https://shop.example/scarf')
    await desk(SCARF)
    shop.find_card()
    for person, pledge in ((shop.ana, "+2 M"), (shop.ana, "+4 Large blue"), (shop.mia, "+6 S")):
        await shop.say(person, pledge, reply_to=shop.card)
    await desk(f"!buy close {shop.buy}")

    await desk("!buy open merino-throw 5:79 10:69 until friday 18:00 cap 10 pack 5")
    shop.find_card()
    for person, pledge in ((shop.ana, "+6"), (shop.otto, "+4"), (shop.mia, "+3")):
        service.clock.advance(1)
        await shop.say(person, pledge, reply_to=shop.card)
    await shop.settle()
    listen()
    await service.wait(4 * DAY + 6 * HOUR)
    listen()
    await desk(f"!order {order_of(shop.ana)} paid 414.00 by bank transfer")
    await desk(f"!orders {shop.buy}")
    await service.wait(3 * DAY)
    await shop.tell(shop.mia, f"!take {shop.buy}")
    listen()
    await desk(f"!buy house {shop.buy} 1")
    await desk(f"!order {order_of(shop.mia)} paid 207 in cash")
    await desk(f"!order {order_of(shop.mia)}")
    await desk(f"!buy ordered {shop.buy} by e-mail")
    await desk(f"!buy arrived {shop.buy}")
    await desk(f"!buy deliver {shop.buy} 7 by hand {order_of(shop.ana)} 4, {order_of(shop.mia)} 3")
    await desk(f"!buy handing-out {shop.buy} Saturday at Ben's, 10 to 12")
    await desk(f"!buy repeat {shop.buy} until friday 18:00")

    await service.stop()
    service.clock.advance(MONDAY + 12 * DAY - HOUR - service.clock.now())
    await service.start()
    await shop.settle()
    listen()
    missing = [text for text in shown() if not any(re.search(as_pattern(text), said) for said in heard)]
    assert missing == [], "\n\n".join(["said was:", *sorted(heard)])
