"""Every refusal: the person is told privately why and what to do, and nothing has happened."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from appservice.actions import buys, groups, products, seats
from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.group import Group
from appservice.domain.group_buy import Terms
from appservice.domain.ids import GroupId, Number, ProductId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.product import Product
from appservice.domain.refusal import Reason, Refusal
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import OPEN, THROW, Journey
from tests.flows.service import Service

QUANTITY = "I need a whole number of units, from 1 to 9,999 in all: +2, or !pledge 3, or !pledge 2-4."
LATE = "Too late: this group buy is closed, so nothing changed. If you are in, your receipt says what you owe."
FORMAT = "I could not read the deadline."
BUY_USAGE = 'Write it like this: !buy open "Merino throw" 10:79 25:69 until friday 18:00'
NOT_OWNER = "Only owners can do that."
MUG = "!buy open mug 10:9 until friday 18:00"
TABLES = (
    "coterie_group", "member", "alias", "vouch", "code", "waiting", "adoption", "product", "group_buy", "tranche",
    "card", "purchase_order", "ledger", "timer", "canned", "proposal",
)  # fmt: skip

Prepare = Callable[[Journey], Awaitable[None]]


# What has happened before


async def nothing(play: Journey) -> None:
    pass


async def closed(play: Journey) -> None:
    await play.plus(play.mia, 10)
    await play.close()


async def pledged(play: Journey) -> None:
    await play.plus(play.mia, 2)


async def a_mug(play: Journey) -> None:
    await play.say(play.ben, '!product add "Mug" 12 https://shop.example/mug')


async def lea_elsewhere(play: Journey) -> None:
    """Lea is in a group that has no buy."""
    wool = play.group
    await play.make_group("Books")
    books = play.group_id
    await play.tell(play.rosa, f"!invite {play.person('lea').mxid} {books}")
    play.group = wool


async def ana_left(play: Journey) -> None:
    await play.direct(play.ana)
    play.ana.leave(play.group)
    await play.rest()


async def two_buys(play: Journey) -> None:
    throw = play.card
    await play.say(play.ben, '!product add "Mug" 12 https://shop.example/mug')
    await play.open_named("Mug", "10:9 25:8 until friday 18:00")
    play.card = throw


async def a_second_throw(play: Journey) -> None:
    await play.say(play.ben, '!product add "Cotton throw" 49 https://shop.example/throw2')


async def two_groups(play: Journey) -> None:
    wool = play.group
    await play.make_group("Books")
    play.group = wool


async def a_full_group(play: Journey) -> None:
    wool = play.group
    await play.make_group("Books", cap=2)
    await play.tell(play.rosa, f'!invite {play.ana.mxid} "books"')
    play.group = wool


async def pia_is_invited(play: Journey) -> None:
    play.person("pia", auto_join=False)
    await play.tell(play.rosa, "!invite @pia:fake.test")


async def mia_is_banned(play: Journey) -> None:
    play.ben.ban(play.group, play.mia.mxid)
    await play.rest()


@dataclass(frozen=True)
class Case:
    """Somebody types something somewhere; `answer` is how the private answer begins."""

    reason: Reason
    who: str
    where: Literal["group", "desk", "direct", "card", "card by direct message"]
    typed: str
    answer: str
    before: Prepare = nothing


CASES = [
    Case(Reason.NOT_ALLOWED, "ana", "group", THROW, "Only concierges of the group can do that."),
    Case(Reason.NOT_ALLOWED, "ana", "group", "!buy close", "Only concierges of the group can do that."),
    Case(Reason.NOT_ALLOWED, "ana", "group", OPEN, "Only concierges of the group can do that."),
    Case(Reason.NOT_A_MEMBER, "ana", "card by direct message", "+2", "Only members of the group", ana_left),
    Case(Reason.NOT_A_MEMBER, "ana", "card by direct message", "!pledge 2", "Only members of the group", ana_left),
    Case(Reason.OWNERS_ONLY, "ana", "direct", '!group create "Mine"', f"{NOT_OWNER} Ask the operator"),
    Case(Reason.OWNERS_ONLY, "ben", "desk", "!concierge add @ana:fake.test", f"{NOT_OWNER} Ask the group's owner."),
    Case(Reason.OWNERS_ONLY, "ben", "desk", "!concierge remove @ben:fake.test", f"{NOT_OWNER} Ask the group's owner."),
    Case(Reason.OTHER_PLACE, "ben", "desk", "!pledge 3", "!pledge does not work here. Send it to me by direct"),
    Case(Reason.OTHER_PLACE, "ben", "desk", "!withdraw", "!withdraw does not work here."),
    Case(Reason.OTHER_PLACE, "rosa", "desk", '!group create "x"', "!group does not work here."),
    Case(Reason.OTHER_PLACE, "ben", "direct", "!tree", "!tree does not work here. Write it in the desk."),
    Case(Reason.OTHER_PLACE, "ben", "direct", "!waitlist", "!waitlist does not work here. Write it in the desk."),
    Case(Reason.OTHER_PLACE, "ben", "direct", "!audit", "!audit does not work here. Write it in the desk."),
    Case(Reason.USAGE, "ana", "group", "!pledge", "Write it like this: !pledge 3"),
    Case(Reason.USAGE, "ana", "group", "!withdraw all of it", "Write it like this: !withdraw"),
    Case(Reason.USAGE, "ben", "group", "!product", 'Write it like this: !product add "Merino throw" 89.00'),
    Case(Reason.USAGE, "ben", "group", "!product add throw", "Write it like this: !product add"),
    Case(Reason.USAGE, "ben", "group", "!buy", "Write it like this:\n• !buy open"),
    Case(Reason.USAGE, "ben", "group", "!buy open", BUY_USAGE),
    Case(Reason.USAGE, "ben", "group", "!buy open merino-throw", BUY_USAGE),
    Case(Reason.USAGE, "ben", "group", "!buy open merino-throw until friday 10:79", BUY_USAGE),
    Case(Reason.USAGE, "ben", "desk", "!invite", "Write it like this: !invite @ana:example.org"),
    Case(Reason.USAGE, "rosa", "direct", "!concierge ben", "Write it like this: !concierge add @ben:example.org"),
    Case(Reason.USAGE, "rosa", "direct", "!group create Two words", 'Write it like this: !group create "Name"'),
    Case(Reason.BAD_NAME, "ben", "group", '!product add "" 89 https://x.example', "A name is 1 to 80 visible"),
    Case(Reason.BAD_NAME, "ben", "group", f"!product add {'x' * 81} 89 https://x.example", "A name is 1 to 80"),
    Case(Reason.BAD_NAME, "rosa", "direct", '!group create "\u200b\u202e"', "A name is 1 to 80 visible"),
    Case(Reason.BAD_AMOUNT, "ben", "group", "!product add Mug 89.001 https://x.example", "“89.001” is no amount"),
    Case(Reason.BAD_AMOUNT, "ben", "group", "!product add Mug 0 https://x.example", "“0” is no amount in EUR."),
    Case(Reason.BAD_AMOUNT, "ben", "group", "!product add Mug 1e3 https://x.example", "“1e3” is no amount"),
    Case(Reason.BAD_AMOUNT, "ben", "group", "!product add Mug -5 https://x.example", "“-5” is no amount"),
    Case(Reason.BAD_AMOUNT, "ben", "group", "!buy open merino-throw 10:x until friday", "“x” is no amount"),
    Case(Reason.BAD_AMOUNT, "ana", "group", "!pledge 2 max lots", "“lots” is no amount in EUR."),
    Case(Reason.BAD_AMOUNT, "ana", "group", "!pledge 2 max 0", "“0” is no amount in EUR."),
    Case(Reason.BAD_LINK, "ben", "group", "!product add Mug 9 shop.example", "That is no link."),
    Case(Reason.BAD_LINK, "ben", "group", "!product add Mug 9 ftp://shop.example/", "That is no link."),
    Case(Reason.BAD_LINK, "ben", "group", "!product add Mug 9 javascript:alert(1)", "That is no link."),
    Case(Reason.BAD_LINK, "ben", "group", "!product add Mug 9 https://u:p@shop.example/", "That is no link."),
    *(
        Case(Reason.BAD_QUANTITY, "ana", "card", typed, QUANTITY)
        for typed in ("+0", "+-3", "+99999999999999999999", "2,5", "+1.5", "3", "+2 please", "+", "-2", "+٣")
    ),
    *(
        Case(Reason.BAD_QUANTITY, "ana", "group", typed, QUANTITY)
        for typed in ("!pledge 1e9", "!pledge -3", "!pledge 2,5", "!pledge two", "!pledge 10000", "!pledge 5-2",
                      "!pledge 0-2", "!pledge 2-99999", "!pledge 99999999999999999999", "!pledge 2 max", "!pledge 0x2")
    ),
    Case(Reason.BAD_QUANTITY, "ana", "direct", "+0", QUANTITY),
    Case(Reason.BAD_TIERS, "ben", "group", "!buy open merino-throw 10:79 lots until friday", "“lots” is no tier."),
    Case(Reason.BAD_TIERS, "ben", "group", "!buy open merino-throw 0:79 until friday", "A tier's minimum is a whole"),
    Case(Reason.BAD_TIERS, "ben", "group", "!buy open merino-throw 10:0 until friday", "A tier's price must be above"),
    Case(Reason.BAD_TIERS, "ben", "group", "!buy open merino-throw 10:79 9:69 until friday", "Tiers go up: after 10"),
    Case(Reason.BAD_TIERS, "ben", "group", "!buy open merino-throw 10:79 20:79 until friday", "The price must fall"),
    Case(Reason.BAD_TIERS, "ben", "group", "!buy open merino-throw 10:79 until friday cap 9", "With a cap of 9"),
    Case(Reason.BAD_TIERS, "ben", "group", "!buy open merino-throw 10:79 until friday pack 0", "The pack and the cap"),
    Case(
        Reason.BAD_TIERS, "ben", "group",
        f"!buy open merino-throw {' '.join(f'{n}:{50 - n}' for n in range(1, 12))} until friday", "A group buy has 1",
    ),
    Case(
        Reason.BAD_TERMS, "ben", "group", "!buy open merino-throw 10:79 until friday cp 100",
        "I do not understand “cp”. Did you mean cap?",
    ),
    Case(Reason.BAD_TERMS, "ben", "group", "!buy open merino-throw 10:79 until friday cap 5 cap 6", "You wrote cap"),
    Case(
        Reason.BAD_VARIANTS, "ben", "group", "!buy open merino-throw 10:79 until friday variants S, M cp 100",
        "“M cp 100” may be variants",
    ),
    Case(Reason.BAD_COSTS, "ben", "group", "!buy open merino-throw 10:79 until friday tax high", "A tax is 0 to 100 %"),
    Case(Reason.BAD_DEADLINE, "ben", "group", "!buy open merino-throw 10:79 until the cows come home", FORMAT),
    Case(Reason.BAD_DEADLINE, "ben", "group", "!buy open merino-throw 10:79 until", FORMAT),
    Case(Reason.BAD_DEADLINE, "ben", "group", "!buy open merino-throw 10:79 until 25:61", FORMAT),
    Case(Reason.BAD_DEADLINE, "ben", "group", "!buy open merino-throw 10:79 until 1.1.2020", "That deadline has"),
    Case(Reason.BAD_DEADLINE, "ben", "group", "!buy open merino-throw 10:79 until 1.1.2029", "That deadline is"),
    Case(Reason.BAD_USER_ID, "ben", "desk", "!invite ana", "I need a whole Matrix id"),
    Case(Reason.BAD_USER_ID, "ben", "desk", "!invite @ana:fake.test<b>", "I need a whole Matrix id"),
    Case(Reason.BAD_USER_ID, "rosa", "direct", "!concierge add @ben", "I need a whole Matrix id"),
    Case(Reason.BAD_ALIAS, "ana", "direct", "!alias x", "An alias has 2 to 32 letters, digits and spaces"),
    Case(Reason.REVEALING_ALIAS, "ana", "direct", "!alias +43 660 1234567", "That looks like a phone number or an"),
    Case(Reason.RESERVED_ALIAS, "ana", "direct", "!alias Coterie", "That could be taken for the service or for a role"),
    Case(Reason.BAD_CODE, "ana", "direct", "7kqd-2mvw-x9hp", "That code is not good: it was mistyped, used before, or"),
    Case(Reason.BAD_PERIOD, "ben", "desk", "!stats 15 november to 1 november", "That period ends before it begins"),
    Case(Reason.BAD_PERIOD, "ben", "desk", "!stats 2027-01-01 2027-02-01", "That period has not begun yet"),
    Case(Reason.BAD_PERIOD, "ben", "desk", "!stats 2020-01-01 2026-11-01", "That is too long: at most 366 days."),
    Case(Reason.BAD_CAP, "rosa", "direct", '!group create "x" cap 1', "A group's cap is from 2 to 500."),
    Case(Reason.BAD_HOURS, "ben", "desk", "!hours mon-fri all day", "I could not read “all”. Write days, then times"),
    Case(Reason.BAD_HOURS, "ben", "direct", "!hours mon-fri", "I could not read these hours. Write days, then times"),
    Case(Reason.BAD_HOURS, "ben", "desk", "!hours fri 20:00-2:00", "“20:00-2:00” ends before it begins."),
    Case(Reason.BAD_HOURS, "ben", "desk", "!hours fri 9-18 holidays XX", "I know no public holidays of XX."),
    Case(Reason.USAGE, "ben", "desk", "!duty tomorrow", "Write it like this: !duty on"),
    Case(Reason.NO_SUCH_MEMBER, "ben", "desk", "!bot @nobody:fake.test", "I know of nobody in the group"),
    Case(Reason.OWNERS_ONLY, "ben", "desk", "!commission 5%", f"{NOT_OWNER} Ask the group's owner."),
    Case(Reason.BAD_COMMISSION, "rosa", "direct", "!commission 100.01%", "A commission is above 0 and at most 100"),
    Case(Reason.BAD_COMMISSION, "rosa", "direct", "!commission 0", "A commission is above 0 and at most 100"),
    Case(Reason.BAD_COMMISSION, "rosa", "direct", "!commission a lot", "A commission is above 0 and at most 100"),
    Case(Reason.BAD_CAP, "rosa", "direct", '!group create "x" cap 501', "A group's cap is from 2 to 500."),
    Case(Reason.BAD_CAP, "rosa", "direct", '!group create "x" cap ²', "A group's cap is from 2 to 500."),
    Case(Reason.BAD_CAP, "rosa", "direct", "!cap 501", "A group's cap is from 2 to 500."),
    Case(Reason.CAP_BELOW, "rosa", "direct", "!cap 4", "5 seats are taken, so the cap cannot be lower than that."),
    Case(Reason.UNKNOWN_COMMAND, "ana", "direct", "!frobnicate", "There is no !frobnicate. Send me !help"),
    Case(Reason.UNKNOWN_COMMAND, "ana", "group", "!pleged 3", "There is no !pleged. Did you mean !pledge?"),
    Case(Reason.NOT_UNDERSTOOD, "ben", "direct", "is it soft?", "I am the group's stage crew and read commands only"),
    Case(Reason.STRANGER, "ana", "direct", "is it soft?", "I look after groups that people are invited to", ana_left),
    Case(Reason.NO_GROUP, "ana", "direct", "!invite @pia:fake.test", "I know of no group in which you", ana_left),
    Case(Reason.NO_GROUP, "ben", "direct", "!concierge add @ana:fake.test", "I know of no group in which you could"),
    Case(Reason.WHICH_GROUP, "rosa", "direct", "!invite @pia:fake.test", "In which group? Add its id", two_groups),
    Case(Reason.TOO_LATE, "ana", "group", "!pledge 3", LATE, closed),
    Case(Reason.TOO_LATE, "ana", "direct", "+3", LATE, closed),
    Case(Reason.NO_BUY, "ben", "group", "!buy close nosuch", "There is no open group buy that this could be for."),
    Case(Reason.WHICH_BUY, "ana", "group", "!pledge 3", "Which group buy? Reply to its card", two_buys),
    Case(Reason.WHICH_BUY, "ben", "group", "!buy close", "Which group buy? Reply to its card", two_buys),
    Case(Reason.NO_PRODUCT, "ben", "group", "!buy open Sofa 10:79 until friday", "There is no product “Sofa” in this"),
    Case(Reason.WHICH_PRODUCT, "ben", "group", "!buy open throw 10:79 until friday", "Several", a_second_throw),
    Case(Reason.GROUP_FULL, "rosa", "direct", "!code books", "The group is full: all 2 seats are taken.", a_full_group),
    Case(Reason.ALREADY_HERE, "ben", "desk", "!invite @ana:fake.test", "That person is already in the group."),
    Case(Reason.ALREADY_INVITED, "ben", "desk", "!invite @pia:fake.test", "That person is", pia_is_invited),
    Case(Reason.BANNED, "ben", "desk", "!invite @mia:fake.test", "That person was banned from the", mia_is_banned),
    Case(Reason.NO_SUCH_MEMBER, "rosa", "direct", "!concierge add ben", "I know of nobody in the group whom that"),
    Case(Reason.NO_SUCH_MEMBER, "ben", "desk", "!suspend Otter too loud", "I know of nobody in the group whom that"),
    Case(Reason.NOT_WAITING, "ben", "desk", "!waitlist drop @pia:fake.test", "That person does not wait for a seat."),
    Case(Reason.ALREADY_OWNER, "rosa", "direct", "!handover @rosa:fake.test confirm", "That person owns the group"),
    Case(Reason.TOO_NEW, "ana", "direct", "!invite @pia:fake.test", "You can vouch for others once you have been in"),
    Case(Reason.TOO_NEW, "ana", "direct", "!code", "You can vouch for others once you have been in the group for 7"),
    Case(Reason.NOT_SUSPENDED, "ben", "desk", "!unsuspend @ana:fake.test", "That person can vouch for others already."),
    Case(Reason.DECIDES_THEMSELVES, "rosa", "desk", "!suspend @ben:fake.test too loud", "Concierges and owners decide"),
    Case(Reason.DECIDES_THEMSELVES, "ben", "desk", "!suspend @rosa:fake.test", "Concierges and owners decide about"),
    Case(Reason.ONE_AT_A_TIME, "ben", "desk", "!invite @pia:fake.test @sam:fake.test", "I invite one person at a time"),
    Case(Reason.BUYS_OPEN, "rosa", "direct", "!sunset", "A group buy ("),
    Case(Reason.NOTHING_TO_RECOMMEND, "ana", "group", "!recommend sock warm", "There is no product “sock” in this"),
    Case(Reason.TOO_LONG, "ana", "direct", f"!recommend throw {'x' * 301}", "That is too long: at most 300"),
    Case(Reason.STILL_RUNS, "ben", "card", "!buy repeat until friday 18:00", "The group buy "),
    Case(Reason.NO_OTHER_GROUP, "ben", "card by direct message", "!buy share nowhere", "You are a concierge of no"),
    Case(Reason.ALREADY_SHARED, "ben", "card by direct message", '!buy share "Wool circle"', "The group buy is shown"),
    Case(Reason.NOT_CLOSING, "rosa", "direct", "!sunset cancel", "The group is not being closed."),
    Case(Reason.ALREADY_CONCIERGE, "rosa", "direct", "!concierge add @ben:fake.test", "That person is a concierge of"),
    Case(Reason.ALREADY_CONCIERGE, "rosa", "direct", "!concierge add @rosa:fake.test", "That person is a concierge of"),
    Case(Reason.NO_CONCIERGE, "rosa", "direct", "!concierge remove @ana:fake.test", "That person is no concierge"),
    Case(Reason.NO_CONCIERGE, "rosa", "direct", "!concierge remove @rosa:fake.test", "That person is no concierge"),
    Case(Reason.NO_CONCIERGE, "rosa", "direct", "!concierge remove @sam:remote.test", "That person is no concierge"),
    Case(Reason.OWN_ACCOUNT, "ben", "desk", "!invite @coterie:fake.test", "That is my own account."),
    Case(Reason.OWN_ACCOUNT, "rosa", "direct", "!concierge remove @coterie:fake.test", "That is my own account."),
    Case(Reason.TOO_LATE, "ana", "card", "+2", LATE, closed),
    Case(Reason.TOO_LATE, "ana", "card", "!pledge 2", LATE, closed),
    Case(Reason.TOO_LATE, "ana", "card by direct message", "!withdraw", LATE, closed),
    Case(Reason.NOT_OPEN, "ben", "card", "!buy close", "This group buy is not open any more.", closed),
    Case(Reason.NOTHING_PLEDGED, "ana", "group", "!withdraw", "You have pledged nothing in this group buy"),
    Case(Reason.NOTHING_PLEDGED, "ana", "direct", "!pledge 0", "You have pledged nothing in this group buy"),
    Case(Reason.ALREADY_OPEN, "ben", "group", OPEN, "There is an open group buy for this product already ("),
    Case(Reason.NOT_SKU, "ben", "group", f"{THROW} sku a/b", "A SKU has letters, digits, dots and dashes"),
    Case(Reason.SKU_TAKEN, "ben", "group", f"{THROW} sku merino-throw", "The SKU merino-throw is taken in this group."),
    # group buys: their terms, and what follows their close
    Case(Reason.NO_BUY, "lea", "direct", "+3", "There is no open group buy that this could be for.", lea_elsewhere),
    Case(Reason.BAD_LIMITS, "ben", "group", f"{MUG} least 5 most 3", "With least 5, most 3", a_mug),
    Case(Reason.NOT_BETTER, "ben", "desk", "!buy change 10:80 25:70", "People have pledged, so the terms", pledged),
    Case(Reason.NOTHING_SUSPENDED, "ana", "group", "!confirm", "There is nothing for you to confirm"),
    Case(Reason.NO_QUESTION, "ana", "group", "!private", "You have no open question. Ask first"),
    Case(Reason.NO_OFFER, "ana", "direct", "!take", "Nothing is offered to you"),
    Case(Reason.NO_ORDER, "ben", "desk", "!order hs6rvr29 paid 1.00 cash", "There is no such order"),
    Case(Reason.NOT_COLLECTING, "ben", "card", "!buy absorb", "This group buy is still open: it has no orders yet."),
    Case(Reason.NOT_CLEARED, "ben", "desk", "!export all", "No group buy of this group has succeeded yet"),
    Case(Reason.NO_SUCH_BUY, "ben", "desk", "!export all zzzzzz", "“zzzzzz” is no group buy of this group."),
    Case(Reason.WRONG_STEP, "ben", "card", "!buy arrived", "This group buy is being paid. One step", closed),
    Case(Reason.NOT_SHORT, "ben", "card", "!buy absorb", "This group buy is not short of anything now", closed),
    Case(Reason.NOTHING_FREE, "ben", "card", "!buy offer", "No units are free", closed),
    Case(Reason.NOT_ARRIVED, "ben", "card", "!buy deliver 3", "What came is entered between", closed),
]  # fmt: skip
ELSEWHERE = {  # tests of their own, below or in that file
    Reason.WRONG_PLACE: "typed in the group, it is removed there",
    Reason.NOT_IN_HELP: "test_help_rooms",
    Reason.EDITED: "needs an edit",
    Reason.STILL_CREATING: "nobody can say anything before the rooms exist",
    Reason.ALIAS_TAKEN: "test_aliases",
    Reason.TOO_MANY_ALIASES: "test_aliases",
    Reason.SUSPENDED: "test_who_may_vouch",
    Reason.TOO_MANY_VOUCHES: "test_who_may_vouch",
    Reason.ALREADY_VOUCHED: "test_who_may_vouch",
    Reason.TOO_MANY_CODES: "test_codes",
    Reason.CODES_OFF: "test_codes",
    Reason.TOO_MANY_GUESSES: "test_codes",
    Reason.BAD_ROOM: "test_adoption",
    Reason.UNADOPTABLE: "test_adoption",
    Reason.NO_ADOPTION: "test_adoption",
    Reason.GROUP_CLOSING: "test_farewell",
    Reason.BEYOND_ME: "test_adoption",
    Reason.OWNER_STAYS: "test_forgetting",
    Reason.JUST_SENT: "test_forgetting",
    Reason.PLEDGES_PRIVATE: "test_private_pledges",
    Reason.NO_KEY: "test_keys",
    **dict.fromkeys((Reason.IN_CLEAR, Reason.TERMS_IN_CLEAR), "test_encrypted_rooms"),
    **dict.fromkeys((Reason.BELOW_LEAST, Reason.ABOVE_MOST, Reason.OFF_STEP, Reason.WHICH_VARIANT), "test_buy_terms"),
    Reason.NOT_YET_OPEN: "test_buy_terms",
    **dict.fromkeys((Reason.NOTE_NEEDED, Reason.TOO_MUCH, Reason.NO_PAYMENT, Reason.NOT_DUE), "test_orders"),
    **dict.fromkeys((Reason.AT_RISK, Reason.NOTHING_OWED, Reason.OFFERS_STAND, Reason.NOBODY_WAITS), "test_orders"),
    Reason.BAD_SHARES: "test_orders",
    **dict.fromkeys((Reason.BAD_EVENT, Reason.NO_VARIANTS), "test_pledge_events"),
    **dict.fromkeys((Reason.BAD_REQUEST, Reason.BAD_BUY_ID), "test_requests"),
    **dict.fromkeys(
        (Reason.PAYMENT_KNOWN, Reason.MONEY_CAME), "nobody is told: a repeat, a timer; domain/test_payment"
    ),
    Reason.WRONG_CURRENCY: "web/test_stripe_reports",
    **dict.fromkeys((Reason.NO_CANNED, Reason.CANNED_NEEDS, Reason.TOO_MANY_CANNED), "test_canned"),
    **dict.fromkeys((Reason.PROPOSED_ALREADY, Reason.PROPOSAL_OVER), "test_pledge_for"),
    **dict.fromkeys((Reason.TOO_MANY_REPORTS, Reason.NOBODY_TO_REPORT_TO), "test_reporting"),
    Reason.NO_CARD: "test_card_links",
    **dict.fromkeys((Reason.QUESTION_TAKEN, Reason.QUESTION_DONE, Reason.NOT_YOUR_QUESTION), "test_answering"),
    **dict.fromkeys((Reason.ALREADY_YOURS, Reason.TOO_LATE_TO_UNDO, Reason.WHICH_QUESTION), "test_answering"),
}


def test_every_reason_for_a_refusal_has_its_test() -> None:
    assert {case.reason for case in CASES} | set(ELSEWHERE) == set(Reason)


async def all_rows(play: Journey) -> str:
    """Everything that decisions write, revisions (which count locks) left out."""
    found: dict[str, Any] = {}
    for table in TABLES:
        rows = await play.service.rows(f"SELECT * FROM {table}")
        rows = [{k: v for k, v in row.items() if k != "revision"} for row in rows]
        found[table] = sorted(rows, key=lambda row: json.dumps(row, default=str))
    return json.dumps(found, indent=1, default=str)


@pytest.mark.parametrize("case", CASES, ids=[f"{c.reason}-{c.who}-{c.where}-{c.typed[:24]}" for c in CASES])
async def test_a_refused_request_is_answered_privately_and_changes_nothing(
    case: Case, shop: Journey, hs: FakeHomeserver
) -> None:
    await case.before(shop)
    who = shop.person(case.who)
    direct = await shop.direct(who)
    room = {"group": shop.group, "card": shop.group, "desk": shop.desk}.get(case.where, direct)
    rows, told, desk = await all_rows(shop), len(shop.told(who)), len(shop.posted(shop.desk))
    events, rooms = len(shop.room.events), len(hs.world.rooms)
    asked = await shop.say(who, case.typed, to=room, reply_to=shop.card if "card" in case.where else None)
    assert shop.signs(asked) == ["⚠️"]
    answers = shop.posted(shop.desk)[desk:] if case.where == "desk" else shop.told(who)[told:]
    assert len(answers) == 1 and answers[0].startswith(case.answer), answers
    assert len(shop.told(who)) == told + (case.where != "desk")
    assert await all_rows(shop) == rows
    in_group = [(e.type, e.relation.get("event_id")) for e in shop.room.events[events:] if e.sender == hs.bot]
    assert in_group == ([("m.reaction", asked)] if room == shop.group else [])
    assert len(hs.world.rooms) == rooms


@pytest.mark.parametrize("key", ["+0", "+99999999999999999999", "+-1", "+1.5"])
async def test_a_refused_reaction_is_removed_with_a_line(shop: Journey, hs: FakeHomeserver, key: str) -> None:
    rows, events = await all_rows(shop), len(shop.room.events)
    reaction = await shop.react(shop.ana, key)
    assert shop.told(shop.ana) == [QUANTITY] and await all_rows(shop) == rows
    redaction = hs.event(reaction).redaction
    assert redaction is not None and redaction.sender == hs.bot
    assert shop.room.events[events + 1 :] == [redaction]


@pytest.mark.parametrize(
    ("who", "typed"),
    [
        ("ben", "!invite @pia:fake.test"),
        ("ana", "!invite @pia:fake.test"),
        ("ana", "!code"),
        ("ana", "!alias Ana from Elm Street"),
        ("ana", "!mydata"),
        ("ana", "!forget me"),
        ("ana", "!leave"),
        ("ben", "!suspend Otter too many strangers"),
        ("rosa", "!handover @ana:fake.test"),
        ("rosa", "!concierge add @ana:fake.test"),
        ("rosa", '!group create "Another"'),
    ],
)
async def test_what_would_expose_people_is_refused_in_the_group_and_removed_there(
    shop: Journey, hs: FakeHomeserver, who: str, typed: str
) -> None:
    person = shop.person(who)
    rows, told, events = await all_rows(shop), len(shop.told(person)), len(shop.room.events)
    asked = await shop.say(person, typed)
    name = typed[1:].partition(" ")[0]
    assert shop.told(person)[told:] == [
        f"!{name} is not for the eyes of the whole group, so I removed your message there. Send it to me here instead."
    ]
    assert hs.event(asked).redaction is not None and hs.event(asked).content == {}
    assert [event.type for event in shop.room.events[events + 1 :]] == ["m.reaction", "m.room.redaction"]
    assert await all_rows(shop) == rows and not shop.person("pia").invitations


@pytest.mark.parametrize("typed", ["!invite @pia:fake.test she is nice", "!Alias Ana from Elm Street", "!invit @pia:x"])
async def test_what_an_edit_makes_expose_people_is_removed_with_its_first_version(
    shop: Journey, hs: FakeHomeserver, typed: str
) -> None:
    first = await shop.say(shop.ana, "hello")
    rows = await all_rows(shop)
    edit = shop.ana.edit(shop.group, first, typed)
    await shop.rest()
    assert hs.event(first).content == hs.event(edit).content == {}
    assert "removed" in shop.told(shop.ana)[-1] and "Send it to me here instead." in shop.told(shop.ana)[-1]
    assert await all_rows(shop) == rows and not shop.person("pia").invitations


async def test_an_edit_removes_nobody_elses_message(shop: Journey, hs: FakeHomeserver) -> None:
    said = await shop.say(shop.otto, "hello")
    for event in (said, shop.card, "$unknown"):
        edit = shop.ana.edit(shop.group, event, "!invite @pia:fake.test")
        await shop.rest()
        assert hs.event(edit).content == {}
    assert hs.event(said).redaction is None and hs.event(shop.card).redaction is None


async def test_an_edit_into_another_bots_command_removes_nothing(shop: Journey, hs: FakeHomeserver) -> None:
    first = await shop.say(shop.ana, "hello")
    for typed in ("!xkcd 303", "!pledge 3", "no command"):
        edit = shop.ana.edit(shop.group, first, typed)
        await shop.rest()
        assert hs.event(edit).redaction is None
    assert hs.event(first).redaction is None and await shop.units() == {}


async def test_an_edit_is_refused_wherever_it_is_made(shop: Journey, hs: FakeHomeserver) -> None:
    direct = await shop.direct(shop.ana)
    pledge = await shop.tell(shop.ana, "+2")
    rows, events = await all_rows(shop), len(shop.room.events)
    edit = shop.ana.edit(direct, pledge, "+9")
    await shop.rest()
    assert shop.signs(edit) == ["⚠️"] and "stays at 2" in shop.told(shop.ana)[-1]
    assert await all_rows(shop) == rows and len(shop.room.events) == events


async def test_nothing_can_be_asked_of_a_group_whose_rooms_are_still_being_made(
    play: Journey, service: Service
) -> None:
    unmade = Group(GroupId("unmade"), "Wool", UserId(play.rosa.mxid), 10, "EUR", "en", "UTC")
    rosa = Member(unmade.id, unmade.owner, Presence.JOINED, 100, Number(1))
    product = Product(ProductId("p"), unmade.id, "p", "P", 100, "EUR", "https://x.example", Number(1), 0)
    async with service.store.unit() as unit:
        await unit.groups.add(unmade, unit.now)
    rows = await all_rows(play)
    for ask in (
        lambda work: seats.invite(work, seats.wish_of(work, unmade.id, UserId(play.ana.mxid))),
        lambda work: groups.appoint(work, unmade.id, UserId(play.ana.mxid)),
        lambda work: groups.set_cap(work, unmade.id, 20),
        lambda work: products.add(work, rosa, products.AddProduct("P", 100, "https://x.example")),
        lambda work: buys.open_buy(work, rosa, product, Terms("EUR", (), 0)),
    ):
        async with service.store.unit() as unit:
            refusal = await ask(Work(unit, service.config, Cause("$x", unit.now)))
        assert isinstance(refusal, Refusal) and refusal.reason is Reason.STILL_CREATING
    assert await all_rows(play) == rows
    told = await play.tell(play.rosa, "!invite @ana:fake.test")
    assert play.signs(told) == ["⚠️"] and play.told(play.rosa)[-1].startswith("I know of no group")


async def test_other_bots_commands_in_the_group_are_left_alone(shop: Journey, hs: FakeHomeserver) -> None:
    events = len(shop.room.events)
    for typed in ("!weather vienna", "!!!", "! hello", "!1"):
        await shop.say(shop.ana, typed)
    assert len(shop.room.events) == events + 4 and shop.told(shop.ana) == []
