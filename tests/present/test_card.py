"""The card and the receipt as people read them: golden texts, in the HTML that every client shows."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.attachment import FileKey
from appservice.domain.clearing import Tier
from appservice.domain.fulfilment import begin
from appservice.domain.group import Group
from appservice.domain.group_buy import (
    GroupBuy,
    Order,
    Pledged,
    Pledger,
    Settle,
    Status,
    Succeeded,
    Terms,
    decide,
    evolve,
)
from appservice.domain.ids import BuyId, GroupId, Number, OrderId, ProductId, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.money import Tax
from appservice.domain.product import Picture, Product
from appservice.domain.refusal import Refusal
from appservice.present import card, news
from appservice.present.amounts import bar, money, time_left, time_left_changes_at
from appservice.present.text import edited

NOW = 1_795_340_000_000  # Sunday 22 November 2026, about 9:33 in Vienna
HOUR = 3_600_000
PAY_BY = 1_796_403_600_000
GROUP = Group(GroupId("wool7x"), "Wool circle", UserId("@rosa:x"), 20, "EUR", "en", "Europe/Vienna",
              room_id=RoomId("!g"), desk_id=RoomId("!d"))  # fmt: skip
PRODUCT = Product(ProductId("p1"), GROUP.id, "merino-throw", "Merino throw", 8900, "EUR",
                  "https://shop.example/throw?a=1&b=2", Number(1), NOW)  # fmt: skip
ANA = Member(GROUP.id, UserId("@ana:x"), Presence.JOINED, number=Number(2), alias="Member 2")
TIERS = (Tier(10, 7900), Tier(25, 6900))
SAFE_TAGS = {"strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "a", "br", "hr", "details", "summary", "p"}


def pledger(number: int) -> Pledger:
    return Pledger(GROUP.id, Number(number))


def a_buy(*units: int, **terms: object) -> GroupBuy:
    pledged = tuple(Pledged(f"$p{n}", pledger(n + 1), quantity, n) for n, quantity in enumerate(units))
    whole = replace(Terms("EUR", TIERS, NOW + 5 * 24 * HOUR + HOUR), **terms)
    return GroupBuy(BuyId("k3x9qf"), GROUP.id, PRODUCT.id, whole, Number(1), NOW, pledged=pledged)


def body(buy: GroupBuy, now: int = NOW) -> str:
    return str(card.card_content(buy, PRODUCT, GROUP, now)["body"])


def test_the_card_before_anyone_has_pledged() -> None:
    assert body(a_buy()) == (
        "Group buy: Merino throw\n"
        "€79.00 each once 10 are pledged\n"
        "░░░░░░░░░░░░\n"
        "0 pledged; 10 more and everyone pays €79.00\n"
        "Price by total: 10+ €79.00 · 25+ €69.00\n"
        "Closes Friday 27 November, 11:33 (Vienna time), 5 days left\n"
        "To join: react +1, +2 or +5, or reply with a number like +2. Free to withdraw until it closes.\n"
        "https://shop.example/throw?a=1&b=2"
    )


def test_the_card_between_two_tiers() -> None:
    content = card.card_content(a_buy(10, 8), PRODUCT, GROUP, NOW)
    assert "Now €79.00 each\n▓▓▓▓▓▓▓▓░░░░\n18 pledged; 7 more and everyone pays €69.00" in content["body"]
    assert content["formatted_body"] == (
        "<strong>Group buy: Merino throw</strong><br><strong>Now €79.00 each</strong><br>"
        "<code>▓▓▓▓▓▓▓▓░░░░</code> 18 pledged; 7 more and everyone pays €69.00<br>"
        "Price by total: 10+ €79.00 · 25+ €69.00<br>"
        "Closes Friday 27 November, 11:33 (Vienna time), 5 days left<br>"
        "<em>To join: react +1, +2 or +5, or reply with a number like +2. Free to withdraw until it closes.</em><br>"
        '<a href="https://shop.example/throw?a=1&amp;b=2">https://shop.example/throw?a=1&amp;b=2</a> · '
        "id <code>k3x9qf</code>"
    )


def test_the_card_at_the_best_price_with_some_waiting() -> None:
    text = body(a_buy(20, 10, 4, cap=30, pack=5))
    assert "Now €69.00 each" in text
    assert "30 of at most 30, 4 waiting; the best price is reached" in text
    assert "Price by total: 10+ €79.00 · 25+ €69.00, in packs of 5, at most 30" in text


def test_the_card_of_a_closing_and_of_a_closed_buy_asks_nobody_to_join() -> None:
    closing = replace(a_buy(12), status=Status.CLOSING)
    assert "Closing: counting the last pledges" in body(closing) and "To join" not in body(closing)
    fact = success(a_buy(12))
    done = evolve(closing, fact)
    assert "Closed at €79.00 each" in body(done) and "To join" not in body(done) and "▓" not in body(done)
    failed = replace(a_buy(2), status=Status.FAILED)
    assert "The minimum order was not reached: nobody owes anything." in body(failed)


WHOLE = {
    "variants": ("Grey", "Blue"), "least": 2, "most": 10, "step": 2, "pack": 5, "cap": 100, "shared_cost": 4500,
}  # fmt: skip


def test_the_card_of_an_offer_with_everything_says_each_thing_on_a_line_of_its_own() -> None:
    assert body(a_buy(10, 8, **WHOLE, tax=Tax(1900))) == (
        "Group buy: Merino throw\n"
        "Now €79.00 each\n"
        "▓▓▓▓▓▓▓░░░░░\n"
        "15 pledged, 3 waiting; 7 more and everyone pays €69.00\n"
        "Price by total: 10+ €79.00 · 25+ €69.00, in packs of 5, at most 100\n"
        "Variants: Grey, Blue\n"
        "For each member: at least 2, at most 10, in steps of 2\n"
        "Plus €45.00 shared cost, split by units\n"
        "Prices include 19 % tax\n"
        "Closes Friday 27 November, 11:33 (Vienna time), 5 days left\n"
        "To join: reply with a number and a variant, like +2 Grey. Free to withdraw until it closes.\n"
        "https://shop.example/throw?a=1&b=2"
    )


@pytest.mark.parametrize(
    ("terms", "line"),
    [
        ({"tax": Tax(750, inclusive=False)}, "Plus 7.5 % tax"),
        ({"tax": Tax(750)}, "Prices include 7.5 % tax"),
        ({"tax": Tax(0)}, None),
        ({"shared_cost": 4500}, "Plus €45.00 shared cost, split by units"),
        ({"least": 3}, "For each member: at least 3"),
        ({"most": 4}, "For each member: at most 4"),
        ({"step": 6}, "For each member: in steps of 6"),
    ],
)
def test_what_an_offer_does_not_have_is_not_on_its_card(terms: dict[str, Any], line: str | None) -> None:
    plain, with_it = body(a_buy()).split("\n"), body(a_buy(**terms)).split("\n")
    more = [text for text in with_it if text not in plain and not text.startswith("To join")]
    assert more == ([line] if line else [])


@pytest.mark.parametrize(
    ("terms", "example"),
    [
        ({"least": 3}, "reply with a number like +3."),
        ({"step": 6}, "reply with a number like +6."),
        ({"least": 7, "step": 5}, "reply with a number like +10."),
        ({"least": 7, "step": 5, "variants": ("S", "M")}, "reply with a number and a variant, like +10 S."),
    ],
)
def test_the_example_of_a_pledge_is_one_that_is_accepted(terms: dict[str, Any], example: str) -> None:
    assert f"To join: {example} Free to withdraw" in body(a_buy(**terms))


def test_a_planned_buy_says_when_it_opens_and_asks_nobody_to_join_yet() -> None:
    planned = replace(a_buy(opens_at=NOW + 24 * HOUR), status=Status.SCHEDULED)
    assert body(planned) == (
        "Group buy: Merino throw\n"
        "€79.00 each once 10 are pledged\n"
        "Price by total: 10+ €79.00 · 25+ €69.00\n"
        "Opens Monday 23 November, 10:33 (Vienna time). Closes Friday 27 November, 11:33 (Vienna time)\n"
        "https://shop.example/throw?a=1&b=2"
    )


def test_while_the_last_pledges_are_counted_nothing_more_is_asked_for() -> None:
    text = body(replace(a_buy(10, 8), status=Status.CLOSING))
    assert "\n18 pledged\n" in text and "more and everyone" not in text


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (Status.COLLECTING, ""),
        (Status.ORDERED, ". Ordered from the supplier"),
        (Status.ARRIVED, ". Arrived"),
        (Status.HANDING_OUT, ". Being handed out"),
        (Status.DONE, ". Handed out"),
    ],
)
def test_after_the_end_the_card_says_how_far_the_goods_are_and_what_they_cost(status: Status, end: str) -> None:
    assert body(replace(a_buy(10, 8, **WHOLE, tax=Tax(1900)), status=status)) == (
        "Group buy: Merino throw\n"
        "Closed at €79.00 each\n"
        "Price by total: 10+ €79.00 · 25+ €69.00, in packs of 5, at most 100\n"
        "Plus €45.00 shared cost, split by units\n"
        "Prices include 19 % tax\n"
        f"Closed Friday 27 November, 11:33 (Vienna time){end}\n"
        "https://shop.example/throw?a=1&b=2"
    )


def test_a_cancelled_buy_says_that_nothing_is_owed_and_names_no_costs() -> None:
    assert body(replace(a_buy(10, 8, **WHOLE, tax=Tax(1900)), status=Status.CANCELLED)) == (
        "Group buy: Merino throw\n"
        "Cancelled\n"
        "Price by total: 10+ €79.00 · 25+ €69.00, in packs of 5, at most 100\n"
        "Nothing is owed\n"
        "https://shop.example/throw?a=1&b=2"
    )


def test_the_key_on_the_card_has_integers_and_no_member() -> None:
    key = card.card_content(a_buy(10, 8), PRODUCT, GROUP, NOW)["shop.coterie.group_buy"]
    assert key == {
        "version": 1,
        "id": "k3x9qf",
        "status": "open",
        "product": {"id": "p1", "sku": "merino-throw", "name": "Merino throw", "url": PRODUCT.link},
        "priceCurrency": "EUR",
        "exponent": 2,
        "tiers": [{"minimum": 10, "unit_price": 7900}, {"minimum": 25, "unit_price": 6900}],
        "pack": 1,
        "closes_at": NOW + 5 * 24 * HOUR + HOUR,
        "total": 18,
        "unit_price": 7900,
    }


def test_an_edit_repeats_the_whole_content_with_its_key() -> None:
    content = card.card_content(a_buy(10), PRODUCT, GROUP, NOW)
    edit = edited("$card", content)
    assert edit["m.new_content"] == content and edit["body"] == content["body"]
    assert edit["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$card"}


def test_a_product_with_a_picture_shows_the_picture_first() -> None:
    shown = replace(PRODUCT, picture=Picture("mxc://x/y", "image/png", 640, 480, None))
    picture, text = card.product_events(RoomId("!g"), shown, GROUP)
    assert picture.content["msgtype"] == "m.image" and picture.content["info"] == {
        "mimetype": "image/png",
        "w": 640,
        "h": 480,
    }
    assert text.content["msgtype"] == "m.notice" and text.content["body"] == f"Merino throw\n€89.00\n{PRODUCT.link}"
    assert text.content["shop.coterie.product"]["sku"] == "merino-throw"


def test_an_encrypted_picture_is_shown_with_its_key_in_place_of_the_address() -> None:
    key = FileKey("k" * 43, "i" * 22, "s" * 43)
    shown = replace(PRODUCT, picture=Picture("mxc://x/y", key=key))
    picture, _ = card.product_events(RoomId("!g"), shown, GROUP)
    assert "url" not in picture.content and picture.content["file"] == {
        "url": "mxc://x/y",
        "key": {"kty": "oct", "key_ops": ["encrypt", "decrypt"], "alg": "A256CTR", "k": "k" * 43, "ext": True},
        "iv": "i" * 22,
        "hashes": {"sha256": "s" * 43},
        "v": "v2",
    }


def success(buy: GroupBuy) -> Succeeded:
    facts = decide(replace(buy, status=Status.CLOSING), Settle([f"id{n}" for n in range(20)], PAY_BY))
    assert not isinstance(facts, Refusal) and isinstance(facts[0], Succeeded)
    return facts[0]


def an_order(**changes: Any) -> Order:
    whole = Order(OrderId("w9h5qv8r"), "pnk2m8mr", pledger(2), (("", 2),), 6900, 0, 0, 13800, PAY_BY)
    return replace(whole, **changes)


def test_a_receipt_says_what_is_owed_and_where_to_pay_it() -> None:
    order = an_order()
    link = news.purchase_link(None, a_buy(10), PRODUCT, order)
    assert link == "https://shop.example/throw?a=1&b=2&reference=w9h5qv8r&amount=138.00&currency=EUR"
    told = news.receipt(ANA, a_buy(10), PRODUCT, GROUP, order, 3, link)
    assert told.content["body"] == (
        "Receipt: Merino throw\n"
        "2 × €69.00 = €138.00 (2 of your 3: the rest found no place)\n"
        f"Pay by Friday 4 December, 18:00 (Vienna time): {link}\n"
        "Order w9h5qv8r of Member 2 in “Wool circle”; line pnk2m8mr of the published result."
    )
    assert told.content["msgtype"] == "m.text" and told.content["m.mentions"] == {"user_ids": ["@ana:x"]}
    assert told.content["shop.coterie.order"]["total"] == 13800


MIXED = (("Grey", 2), ("Blue", 1))


@pytest.mark.parametrize(
    ("order", "tax", "sums"),
    [
        ({}, None, "3 (2 Grey, 1 Blue) × €69.00 = €207.00"),
        ({"tax": 3450}, Tax(2000), "3 (2 Grey, 1 Blue) × €69.00 = €207.00, of which €34.50 is 20 % tax"),
        (
            {"shared": 750, "total": 21450},
            None,
            "3 (2 Grey, 1 Blue) × €69.00 = €207.00\nyour part of the shared cost: €7.50\ntogether €214.50",
        ),
        (
            {"shared": 750, "tax": 3450, "total": 21450},
            Tax(2000),
            "3 (2 Grey, 1 Blue) × €69.00 = €207.00\nyour part of the shared cost: €7.50\n"
            "together €214.50, of which €34.50 is 20 % tax",
        ),
        (
            {"shared": 750, "tax": 1553, "total": 23003},
            Tax(750, inclusive=False),
            "3 (2 Grey, 1 Blue) × €69.00 = €207.00\nyour part of the shared cost: €7.50\ntax, 7.5 %: €15.53\n"
            "together €230.03",
        ),
    ],
    ids=["variants", "tax in the price", "shared cost", "both", "tax on top"],
)
def test_the_sums_on_a_receipt_add_up(order: dict[str, Any], tax: Tax | None, sums: str) -> None:
    buy = a_buy(10, variants=("Grey", "Blue"), shared_cost=4500, tax=tax)
    owed = an_order(**({"ordered": MIXED, "total": 20700} | order))
    told = news.receipt(ANA, buy, PRODUCT, GROUP, owed, 3, "https://pay.example").content
    title, *lines, pay, _ = told["body"].split("\n")
    assert (title, "\n".join(lines)) == ("Receipt: Merino throw", sums)
    assert pay == "Pay by Friday 4 December, 18:00 (Vienna time): https://pay.example"


def test_a_configured_link_is_filled_and_its_values_are_quoted() -> None:
    order = an_order(id=OrderId("o/1?"))
    template = "https://pay.example/{sku}/{reference}?a={amount}&m={amount_minor}&c={currency}&u={units}"
    link = news.purchase_link(template, a_buy(10), PRODUCT, order)
    assert link == "https://pay.example/merino-throw/o%2F1%3F?a=138.00&m=13800&c=EUR&u=2"


def test_the_result_lists_every_order_by_its_random_line_and_sums_to_the_total() -> None:
    buy = a_buy(10, 8, 7)
    result = news.succeeded(RoomId("!g"), buy, PRODUCT, GROUP, begin(buy, success(buy)))
    key = result.content["shop.coterie.group_buy"]
    assert sum(units for _, units in key["lines"]) == 25 and len(key["lines"]) == 3
    assert result.content["body"].startswith("Merino throw: closed with 25 units at €69.00 each.")


def test_tier_news_names_the_price_and_the_next_step() -> None:
    first = news.tier_reached(RoomId("!g"), a_buy(12), PRODUCT, GROUP, TIERS[0]).content["body"]
    assert (
        first
        == "Merino throw: the minimum order is reached, everyone pays €79.00 now. 13 more and everyone pays €69.00."
    )
    last = news.tier_reached(RoomId("!g"), a_buy(25), PRODUCT, GROUP, TIERS[1]).content["body"]
    assert last == "Merino throw: 25 are reached, everyone pays €69.00 now. That is the best price."


def test_who_is_not_in_is_told_why() -> None:
    dear = replace(a_buy(12), pledged=(*a_buy(12).pledged, Pledged("$x", pledger(9), 1, 9, max_price=100)))
    clearing = dear.clearing()
    told = news.not_included(UserId("@x:x"), dear, PRODUCT, clearing, pledger(9)).content["body"]
    assert (
        told
        == "Merino throw: the group buy has closed and the price did not come down to your maximum. You owe nothing."
    )
    full = a_buy(12, 3, cap=12, tiers=TIERS[:1])
    told = news.not_included(UserId("@x:x"), full, PRODUCT, full.clearing(), pledger(2)).content["body"]
    assert "there was no place left for your pledge" in told
    told = news.not_included(UserId("@x:x"), a_buy(1), PRODUCT, None, pledger(1)).content["body"]
    assert "the minimum order was not reached" in told


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.links: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value for name, value in attrs if name == "href"]
        assert {name for name, _ in attrs} <= {"href"}


@given(st.text(min_size=1, max_size=40), st.text(alphabet="abc\"'<>&", max_size=20))
def test_names_and_links_never_become_html(name: str, query: str) -> None:
    evil = replace(PRODUCT, name=f"<script>{name}", link=f"https://shop.example/?q={query}")
    buy = a_buy(10, 8)
    group, fact = replace(GROUP, name=f"<b>{name}"), success(buy)
    aliases = {pledger(1): f"<i>{name}", pledger(2): name}
    contents = [
        card.card_content(buy, evil, GROUP, NOW),
        card.product_events(RoomId("!g"), evil, GROUP)[-1].content,
        news.receipt(replace(ANA, alias=f"<u>{name}"), buy, evil, group, fact.orders[0], 10, evil.link).content,
        news.desk_summary(RoomId("!d"), buy, evil, GROUP, fact, aliases).content,
    ]
    for content in contents:
        tags = Tags(content["formatted_body"])
        assert tags.seen <= SAFE_TAGS and set(tags.links) <= {evil.link}


@pytest.mark.parametrize(
    ("left", "text"),
    [(10 * 24 * HOUR, "10 days"), (2 * 24 * HOUR, "2 days"), (2 * 24 * HOUR - 1, "47 hours"), (2 * HOUR, "2 hours"),
     (2 * HOUR - 1, "1 hour"), (HOUR, "1 hour"), (HOUR - 1, "less than an hour")],
)  # fmt: skip
def test_the_time_left_is_told_in_honest_units(left: int, text: str) -> None:
    assert time_left(NOW + left, NOW) == text


@given(st.integers(1, 40 * 24 * HOUR))
def test_the_time_left_reads_differently_just_when_it_is_said_to(left: int) -> None:
    until = NOW + left
    changes_at = time_left_changes_at(until, NOW)
    if changes_at is None:
        assert time_left(until, until - 1) == time_left(until, NOW)
    else:
        assert changes_at > NOW
        assert time_left(until, changes_at) != time_left(until, NOW) == time_left(until, changes_at - 1)


def test_a_bar_never_overflows() -> None:
    assert [bar(n, 10, 4) for n in (0, 3, 5, 10, 99)] == ["░░░░", "▓░░░", "▓▓░░", "▓▓▓▓", "▓▓▓▓"]
    assert bar(0, 0, 4) == "▓▓▓▓"


def test_money_is_written_as_the_language_does() -> None:
    assert money(123450, "EUR", "en") == "€1,234.50"
    assert re.sub(r"\s", " ", money(123450, "EUR", "de_AT")) == "€ 1.234,50"
    assert money(89, "JPY", "en") == "¥89" and re.sub(r"\s", "", money(1234, "KWD", "en")) == "KWD1.234"
