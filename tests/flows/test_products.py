"""Products: posted as a card, with a picture where one was replied to."""

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, OPEN, PRODUCT, THROW, Journey
from tests.flows.service import HOUR, Service


async def test_a_product_is_posted_as_a_card_that_every_client_shows(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    asked = await circle.say(circle.ben, THROW)
    assert circle.signs(asked) == ["✅"]
    assert circle.told(circle.ben) == [
        "Posted Merino throw, SKU merino-throw. To open a group buy of it: "
        "!buy open merino-throw 10:79 25:69 until friday 18:00"
    ]
    [card] = hs.cards(circle.group, PRODUCT)
    [row] = await service.rows("SELECT * FROM product")
    assert card.content == {
        "msgtype": "m.notice",
        "body": "Merino throw\n€89.00\nhttps://shop.example/throw",
        "format": "org.matrix.custom.html",
        "formatted_body": "<strong>Merino throw</strong><br>€89.00<br>"
        '<a href="https://shop.example/throw">https://shop.example/throw</a>',
        "m.mentions": {},
        PRODUCT: {
            "version": 1,
            "id": row["id"],
            "sku": "merino-throw",
            "name": "Merino throw",
            "url": "https://shop.example/throw",
            "price": 8900,
            "priceCurrency": "EUR",
            "exponent": 2,
        },
    }
    assert row["event_id"] == card.event_id and row["posted_by"] == 2
    assert circle.posted() == [card.body]


async def test_a_picture_that_was_replied_to_comes_before_the_card(circle: Journey, hs: FakeHomeserver) -> None:
    image = circle.ben.image(circle.group, "throw.png")
    await circle.say(circle.ben, THROW, reply_to=image)
    picture, card = circle.room.messages(hs.bot)
    assert picture.content == {
        "msgtype": "m.image",
        "body": "Merino throw",
        "url": hs.event(image).content["url"],
        "info": {"mimetype": "image/png", "size": 8, "w": 640, "h": 480},
        "m.mentions": {},
    }
    assert PRODUCT in card.content


async def test_replying_to_what_is_no_picture_posts_the_product_without_and_says_so(
    circle: Journey, hs: FakeHomeserver
) -> None:
    for number, target in enumerate((circle.ana.say(circle.group, "hello"), "$nowhere", "no event id")):
        await circle.say(circle.ben, f'!product add "Throw {number}" 89 https://shop.example/', reply_to=target)
        assert circle.posted()[-1].startswith(f"Throw {number}\n")
        assert len(circle.posted()) == number + 1
        [*_, told] = circle.told(circle.ben)
        assert told == "The message you replied to is no picture I can use, so the product was posted without one."
        assert len(circle.told(circle.ben)) == 2 * (number + 1)


async def test_a_product_can_be_added_in_the_desk_and_by_direct_message(circle: Journey, hs: FakeHomeserver) -> None:
    image = circle.ben.image(circle.desk, "mug.png")
    asked = await circle.say(circle.ben, '!product add "Mug" 12,5 https://shop.example/mug', to=circle.desk,
                             reply_to=image)  # fmt: skip
    assert circle.signs(asked) == ["✅"] and circle.posted(circle.desk)[0].startswith("Posted Mug, SKU mug.")
    direct = await circle.direct(circle.ben)
    asked = await circle.tell(
        circle.ben,
        "!product add “Tea towel” 9.90 https://shop.example/towel sku T-1",
        reply_to=circle.ben.image(direct),
    )
    assert circle.signs(asked) == ["✅"] and circle.told(circle.ben)[0].startswith("Posted Tea towel, SKU T-1.")
    assert [text.split("\n")[:2] for text in circle.posted()] == [
        ["Mug"],
        ["Mug", "€12.50"],
        ["Tea towel"],
        ["Tea towel", "€9.90"],
    ]
    assert hs.card(circle.group, PRODUCT)[PRODUCT]["sku"] == "T-1"


async def test_two_products_of_one_name_get_two_skus(circle: Journey, hs: FakeHomeserver) -> None:
    await circle.say(circle.ben, THROW)
    await circle.say(circle.ben, THROW)
    assert [card.content[PRODUCT]["sku"] for card in hs.cards(circle.group, PRODUCT)] == [
        "merino-throw",
        "merino-throw-2",
    ]


async def test_a_buy_is_opened_by_replying_to_the_product(circle: Journey) -> None:
    await circle.add_product()
    await circle.say(circle.ben, "!buy open 10:79 until friday 18:00", reply_to=circle.product)
    circle.find_card()
    assert circle.card_text.startswith("Group buy: Merino throw\n")


async def test_an_older_products_picture_is_shown_again_above_the_buys_card(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await circle.add_product(picture=True)
    await service.wait(2 * HOUR)
    await circle.say(circle.ben, OPEN)
    kinds = [(event.content["msgtype"], BUY in event.content) for event in circle.room.messages(hs.bot)]
    assert kinds == [("m.image", False), ("m.notice", False), ("m.image", False), ("m.notice", True)]


async def test_a_name_with_html_is_shown_as_it_was_typed(circle: Journey, hs: FakeHomeserver) -> None:
    await circle.say(
        circle.ben, '!product add "<b>Thicker</b> & <script>x</script>" 89 "https://shop.example/?a=1&b=<i>"'
    )
    await circle.open_named("<b>Thicker</b> & <script>x</script>")
    await circle.plus(circle.ana, 12)
    await circle.close()
    sent = [event for event in hs.events_by(hs.bot) if "formatted_body" in event.content]
    assert len(sent) >= 5
    for event in sent:
        html = event.content["formatted_body"]
        assert "<b>" not in html and "<script>" not in html and "<i>" not in html, html
        assert "<b>Thicker</b> & <script>x</script>" in event.body or "Thicker" not in event.body
