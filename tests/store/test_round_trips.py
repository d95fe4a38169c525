"""What is written down is read back as it was."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from appservice.domain.attachment import FileKey
from appservice.domain.clearing import Tier
from appservice.domain.effect import (
    EFFECTS,
    CreateRoom,
    Effect,
    EndCheckout,
    Inspect,
    Invite,
    Join,
    Kick,
    Leave,
    Pin,
    ReadBack,
    ReadEvent,
    Redact,
    SendChart,
    SendEvent,
    SendFile,
    SendPicture,
    SendState,
    Tell,
    TellCode,
    TellFile,
    Unlist,
)
from appservice.domain.fulfilment import Fulfilment, Payment, Waiting
from appservice.domain.group import GroupStatus
from appservice.domain.group_buy import GroupBuy, Order, OrderStatus, Pledger, Status, Terms
from appservice.domain.ids import EventId, GroupId, Number, OrderId, RoomId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.product import Picture
from appservice.domain.service_hours import Hours
from appservice.store.buys import Card
from appservice.store.db import Database
from appservice.store.ledger import Entry
from appservice.store.rooms import Direct, DirectStatus, Room, RoomKind
from appservice.store.unit import Store
from tests.store.engine import START, count, fetch, gathered
from tests.store.given import (
    BUY,
    DEADLINE,
    GROUP,
    PRODUCT,
    ROOM,
    buy_exists,
    group_exists,
    member,
    pledged,
)

LARGEST = 2**53 - 1
ANA, BEN = UserId("@ana:example.org"), UserId("@ben:example.org")


# Groups and members


async def test_a_group_is_read_back_as_it_was(store: Store) -> None:
    await group_exists(store)
    async with store.unit() as unit:
        assert await unit.groups.get(GROUP.id) == GROUP
        assert await unit.groups.lock(GROUP.id) == GROUP


async def test_an_adopted_group_is_read_back_as_it_was_and_changed(store: Store) -> None:
    adopted = replace(
        GROUP, bot_power=100, kept={"m.room.join_rules": {"join_rule": "public"}, "m.room.policy": None}, encrypted=True
    )
    await group_exists(store, adopted)
    async with store.unit() as unit:
        assert await unit.groups.get(GROUP.id) == adopted
        changed = replace(
            adopted, name="Wool", owner=BEN, cap=500, status=GroupStatus.CLOSING, kept={}, shown_at=LARGEST,
            hours=Hours((((540, 720), (780, 1080)), (), (), (), (), (), ((0, 1440),)), GROUP.time_zone, "DE-BE"),
            commission=750, card_id=EventId("$card"), card_shown="{}",
        )  # fmt: skip
        await unit.groups.save(changed)
        assert await unit.groups.get(GROUP.id) == changed
        assert await unit.groups.by_card("$card") == GROUP.id and await unit.groups.by_card("$other") is None


async def test_a_group_without_rooms_is_read_back_without_rooms(store: Store) -> None:
    creating = replace(GROUP, status=GroupStatus.CREATING, room_id=None, desk_id=None)
    async with store.unit() as unit:
        await unit.groups.add(creating, unit.now)
        assert await unit.groups.get(GROUP.id) == creating
        opened = creating.with_rooms(room_id=GROUP.room_id, desk_id=GROUP.desk_id)
        await unit.groups.save(opened)
        assert await unit.groups.get(GROUP.id) == opened


async def test_what_is_unknown_is_a_lookup_error_and_changes_nothing(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        for look in (
            unit.groups.get, unit.groups.lock, unit.buys.get, unit.buys.lock, unit.products.get,
        ):  # fmt: skip
            with pytest.raises(LookupError, match="there is no"):
                await look("nothing")
        with pytest.raises(LookupError, match="no number 7"):
            await unit.groups.member_by_number("nothing", 7)
        assert await unit.buys.find("nothing") is None
        assert await unit.groups.member("nothing", ANA) is None
    assert await count(database, "coterie_group") == 0


@pytest.mark.parametrize(
    "person",
    [
        Member(GROUP.id, ANA, Presence.JOINED, Role.OWNER, Number(1), "Member 1", ANA),
        Member(GROUP.id, BEN, Presence.INVITED, 0, None, None, ANA),
        Member(GROUP.id, UserId("@cleo:[2001:db8::1]:8448"), Presence.LEFT, -5, Number(12), "Cléo 🦊", None),
        Member(
            GROUP.id,
            BEN,
            Presence.BANNED,
            0,
            Number(3),
            "Otter",
            ANA,
            Number(1),
            START,
            "too many strangers 🕯",
            "otter",
        ),
        Member(GROUP.id, BEN, Presence.JOINED, Role.CONCIERGE, Number(4), "Lynx", duty=False, machine=True),
        Member(GROUP.id, BEN, Presence.JOINED, Role.CONCIERGE, Number(5), "Fox", duty=True),
    ],
)
async def test_a_member_is_read_back_as_it_was(store: Store, person: Member) -> None:
    await group_exists(store)
    async with store.unit() as unit:
        await unit.groups.save_member(person, unit.now)
    async with store.look() as unit:
        assert await unit.groups.member(GROUP.id, person.user_id) == person
        assert await unit.groups.members(GROUP.id) == [person]
        if person.number is not None:
            assert await unit.groups.member_by_number(GROUP.id, person.number) == person


async def test_a_member_saved_again_is_changed_and_not_added(store: Store, database: Database) -> None:
    await group_exists(store, members=1)
    changed = replace(member(1), presence=Presence.LEFT, power=50, alias="Ana B.", invited_by=None)
    async with store.unit() as unit:
        await unit.groups.save_member(changed, unit.now)
        assert await unit.groups.member(GROUP.id, changed.user_id) == changed
    assert await count(database, "member") == 1


async def test_seats_are_those_of_joined_and_invited_people_of_that_group(store: Store) -> None:
    await group_exists(store, members=2)
    await group_exists(store, replace(GROUP, id="g2", room_id=None, desk_id=None), members=3)  # type: ignore[arg-type]
    async with store.unit() as unit:
        await unit.groups.save_member(replace(member(3), presence=Presence.INVITED, number=None), unit.now)
        await unit.groups.save_member(replace(member(4), presence=Presence.LEFT), unit.now)
        assert await unit.groups.seats_taken(GROUP.id) == 3


async def test_numbers_are_never_given_twice_even_to_people_who_come_at_once(store: Store) -> None:
    await group_exists(store)

    async def come() -> Number:
        async with store.unit() as unit:
            return await unit.groups.next_number(GROUP.id)

    assert sorted(await gathered(come() for _ in range(20))) == list(range(1, 21))


async def test_a_person_has_the_groups_that_they_have_joined_oldest_first(store: Store) -> None:
    for name, presence in (("g2", Presence.JOINED), ("g1", Presence.JOINED), ("g3", Presence.LEFT)):
        group = replace(GROUP, id=name, room_id=None, desk_id=None)  # type: ignore[arg-type]
        async with store.unit() as unit:
            await unit.groups.add(group, {"g2": 1, "g1": 2, "g3": 3}[name])
            await unit.groups.save_member(replace(member(1, presence), group_id=group.id), unit.now)
    async with store.look() as unit:
        found = await unit.groups.of_person(member(1).user_id)
    assert [(group.id, person.group_id) for group, person in found] == [("g2", "g2"), ("g1", "g1")]


# Products


@pytest.mark.parametrize(
    "picture",
    [
        None,
        Picture("mxc://example.org/abc"),
        Picture("mxc://example.org/abc", "image/png", 640, 480, LARGEST),
        Picture("mxc://example.org/abc", key=FileKey("k", "i", "s")),
    ],
)
async def test_a_product_is_read_back_as_it_was(store: Store, picture: Picture | None) -> None:
    await group_exists(store)
    product = replace(PRODUCT, price=10**12, picture=picture)
    async with store.unit() as unit:
        await unit.products.add(product)
    async with store.look() as unit:
        assert await unit.products.get(product.id) == product


async def test_a_products_picture_and_event_are_set_later(store: Store) -> None:
    await group_exists(store)
    picture = Picture("mxc://example.org/abc", None, 1, None, None)
    async with store.unit() as unit:
        await unit.products.add(PRODUCT)
        await unit.products.set_picture(PRODUCT.id, picture)
        await unit.products.set_event(PRODUCT.id, "$shown")
        after = replace(PRODUCT, picture=picture, event_id=EventId("$shown"))
        assert await unit.products.get(PRODUCT.id) == after
        assert await unit.products.by_event("$shown") == after
        assert await unit.products.by_event("$other") is None


async def test_a_groups_products_are_given_newest_first(store: Store) -> None:
    await group_exists(store)
    products = [replace(PRODUCT, id=f"p{n}", sku=f"sku-{n}", posted_at=START + n) for n in range(3)]  # type: ignore[arg-type]
    async with store.unit() as unit:
        for product in products:
            await unit.products.add(product)
        assert await unit.products.of_group(GROUP.id) == products[::-1]
        assert await unit.products.of_group("g2") == []


# Group buys


FULL_BUY = replace(
    BUY,
    terms=Terms("JPY", (Tier(1, 10**8), Tier(9_999, 1)), DEADLINE, pack=6, cap=10**6),
    status=Status.CLOSING,
    announced=1,
    pledged=(pledged("$one", 1, 9_999, 1), pledged("$two:+1", 1, 3, LARGEST, 4, 10**12)),
)


@pytest.mark.parametrize("buy", [BUY, FULL_BUY])
async def test_a_buy_with_its_tranches_is_read_back_as_it_was(store: Store, buy: GroupBuy) -> None:
    await buy_exists(store, buy)
    async with store.unit() as unit:
        assert await unit.buys.get(buy.id) == buy
        assert await unit.buys.find(buy.id) == buy
        assert await unit.buys.lock(buy.id) == buy


async def test_only_what_changed_of_a_buy_is_written(store: Store) -> None:
    before = replace(BUY, pledged=(pledged("$a", 1, 2, 1), pledged("$b", 2, 3, 2), pledged("$c", 3, 4, 3)))
    await buy_exists(store, before)
    after = replace(
        before,
        status=Status.CLOSING,
        announced=10,
        terms=replace(before.terms, deadline_at=DEADLINE - 1),
        pledged=(pledged("$a", 1, 1, 1, 2, 500), pledged("$c", 3, 4, 3), pledged("$d", 4, 1, 4)),
    )
    async with store.unit() as unit:
        await unit.buys.save(await unit.buys.lock(BUY.id), after)
    async with store.look() as unit:
        assert await unit.buys.get(BUY.id) == after


async def test_tranches_are_read_in_the_order_of_the_journal(store: Store) -> None:
    shuffled = (pledged("$z", 1, 1, 30), pledged("$a", 2, 1, 100), pledged("$m", 3, 1, 4))
    await buy_exists(store, replace(BUY, pledged=shuffled))
    async with store.look() as unit:
        assert [tranche.id for tranche in (await unit.buys.get(BUY.id)).pledged] == ["$m", "$z", "$a"]


async def test_the_buy_to_which_an_event_pledged_is_found_until_that_is_withdrawn(store: Store) -> None:
    pledge = replace(BUY, pledged=(pledged("$a", 1, 2, 1),))
    await buy_exists(store, pledge)
    async with store.unit() as unit:
        assert await unit.buys.pledged_by_event("$a") == BUY.id
        await unit.buys.save(pledge, replace(pledge, pledged=()))
        assert await unit.buys.pledged_by_event("$a") is None


@pytest.mark.parametrize(
    ("status", "is_live"),
    [(Status.OPEN, True), (Status.CLOSING, True), (Status.COLLECTING, False), (Status.FAILED, False)],
)
async def test_the_live_buys_of_a_group_are_those_that_take_pledges(
    store: Store, status: Status, is_live: bool
) -> None:
    await buy_exists(store, replace(BUY, status=status))
    async with store.look() as unit:
        assert await unit.buys.live_of(GROUP.id) == ([BUY.id] if is_live else [])
        assert await unit.buys.live_of("g2") == []


async def test_a_card_is_read_back_as_it_was(store: Store) -> None:
    await buy_exists(store)
    card = Card(BUY.id, ROOM, None, '{"body": "Merino throw – \\ud83d\\udd6f"}', START)
    async with store.unit() as unit:
        await unit.buys.add_card(card)
        assert await unit.buys.cards(BUY.id) == [card]
        await unit.buys.set_card_event(BUY.id, ROOM, "$card")
        await unit.buys.set_card_shown(BUY.id, ROOM, "{}", START + 5)
        after = replace(card, event_id=EventId("$card"), shown="{}", edited_at=START + 5)
        assert await unit.buys.cards(BUY.id) == [after]
        assert await unit.buys.card_by_event("$card") == after
        assert await unit.buys.card_by_event("$other") is None


def an_order(n: int, number: int, **changes: Any) -> Order:
    units = (("S", 2), ("M", 1)) if n % 2 else (("", 9_999),)
    whole = Order(
        OrderId(f"o{n}"), f"line{n}", Pledger(GROUP.id, Number(number)), units, 10**8, 5, 7, 9_999 * 10**8, START + n
    )
    return replace(whole, **changes)


async def test_what_follows_a_success_is_read_back_whole(store: Store) -> None:
    await buy_exists(store)
    first = an_order(1, 12)
    state = Fulfilment(
        BUY.id, BUY.terms, BUY.status, 7900, 10_005, 10, (first, an_order(2, 2), an_order(3, 12)),
        (Waiting("w1", first.pledger, "M", 3), Waiting("w0", Pledger(GroupId("g2"), Number(1)), "", 1, 1, START, True)),
    )  # fmt: skip
    async with store.unit() as unit:
        assert await unit.orders.get(BUY) is None, "it has not succeeded"
        await unit.orders.save(None, state, unit.now)
    async with store.unit() as unit:
        assert await unit.orders.get(BUY) == state
        assert await unit.orders.buy_of(first.id) == BUY.id
        assert await unit.orders.buy_of("nothing") is None
        paid = replace(first, status=OrderStatus.PAID, arrived=(("S", 1),), tax=1, total=2, reminders=3)
        later = replace(
            state, orders=(paid, *state.orders[1:], an_order(4, 3)), waiting=state.waiting[1:], house=(("S", 4),),
            house_arrived=(), absorbed=2, at_risk=5,
            payments=(Payment("pi_1", first.id, 10**12), Payment("undo", first.id, -(10**12), "pi_1")),
        )  # fmt: skip
        await unit.orders.save(state, later, unit.now)
    async with store.unit() as unit:
        assert await unit.orders.get(BUY) == later
        last = replace(later, payments=(*later.payments, Payment("cash", first.id, 1)), waiting=())
        await unit.orders.save(later, last, unit.now)
    async with store.look() as unit:
        assert await unit.orders.get(BUY) == last


async def test_one_payment_is_written_down_once(store: Store, database: Database) -> None:
    await buy_exists(store)
    state = Fulfilment(BUY.id, BUY.terms, BUY.status, 7900, 1, 1, (an_order(2, 1),))
    paid = replace(state, payments=(Payment("pi_1", OrderId("o2"), 1),))
    async with store.unit() as unit:
        await unit.orders.save(None, paid, unit.now)
    with pytest.raises(Exception, match=r"(?i)unique"):
        async with store.unit() as unit:
            await unit.orders.save(state, paid, unit.now)
    assert await count(database, "payment") == 1


async def test_a_buy_is_shown_in_further_groups_in_the_order_in_which_it_was_shared(store: Store) -> None:
    await buy_exists(store)
    async with store.unit() as unit:
        for n in (3, 2):
            await unit.groups.add(replace(GROUP, id=GroupId(f"g{n}"), room_id=None, desk_id=None), unit.now)
        assert await unit.buys.share(BUY, "g3") and await unit.buys.share(BUY, "g2")
        assert not await unit.buys.share(BUY, "g3") and not await unit.buys.share(BUY, GROUP.id)
    async with store.look() as unit:
        assert await unit.buys.groups_of(BUY) == [GROUP.id, "g3", "g2"]
        assert await unit.buys.live_of("g2") == await unit.buys.live_of(GROUP.id) == [BUY.id]
        assert await unit.buys.live_of("g4") == []


# Rooms, settings, ledger


@pytest.mark.parametrize("kind", RoomKind)
async def test_a_room_is_read_back_until_it_is_forgotten(store: Store, kind: RoomKind) -> None:
    room = Room(RoomId("!Ab0-_zKsd8"), kind, "@ana:example.org")
    async with store.unit() as unit:
        assert await unit.rooms.get(room.room_id) is None
        await unit.rooms.add(replace(room, subject="before"))
        await unit.rooms.add(room)
        assert await unit.rooms.get(room.room_id) == room
        assert await unit.rooms.all_ids() == {room.room_id}
        await unit.rooms.forget(room.room_id)
        assert await unit.rooms.get(room.room_id) is None


@pytest.mark.parametrize("status", DirectStatus)
async def test_a_direct_room_is_read_back_until_it_is_forgotten(store: Store, status: DirectStatus) -> None:
    direct = Direct(ANA, None if status is DirectStatus.WANTED else RoomId("!direct"), status)
    async with store.unit() as unit:
        await unit.rooms.save_direct(Direct(ANA, RoomId("!before"), DirectStatus.JOINED))
        await unit.rooms.save_direct(direct)
        assert await unit.rooms.direct(ANA) == direct
        await unit.rooms.forget_direct(ANA)
        assert await unit.rooms.direct(ANA) is None


async def test_one_of_many_who_want_a_direct_room_at_once_is_told_to_make_it(store: Store) -> None:
    async def want() -> bool:
        async with store.unit() as unit:
            return await unit.rooms.want_direct(ANA)

    assert sorted(await gathered(want() for _ in range(12))) == [False] * 11 + [True]
    async with store.look() as unit:
        assert await unit.rooms.direct(ANA) == Direct(ANA, None, DirectStatus.WANTED)


async def test_a_setting_is_read_back_as_it_was_last_put(store: Store) -> None:
    async with store.unit() as unit:
        assert await unit.settings.get("device") is None
        await unit.settings.put("device", "ONE")
        await unit.settings.put("device", "")
        assert await unit.settings.get("device") == ""


async def test_the_ledger_is_read_back_in_order(store: Store, database: Database) -> None:
    entries = [
        Entry("g1", "pledged", "b1", 3, 9_999, 0, "EUR", {"tranche": "$é", "max": None, "deep": [[1, 2]]}, 3, "$c", 5),
        Entry("g1", "order", "b1", 3, 2, -(10**15), "EUR", {}, None, "timer", 4),
        Entry("g1", "pledged", "b1", 1, -2, 1, None, {}, 1, "$c", 3),
    ]
    async with store.unit() as unit:
        await unit.ledger.append(Entry("g1", "group_created", detail={"cap": 10}))
        for entry in entries:
            await unit.ledger.append(entry)
    async with store.look() as unit:
        assert await unit.ledger.of_buy("b1") == entries
    assert await fetch(database, "SELECT fact, buy_id FROM ledger ORDER BY seq LIMIT 1") == [("group_created", None)]


# Effects

CONTENT: dict[str, Any] = {
    "body": "Größe \u0000 \ud800 🕯", "n": LARGEST, "list": [1, {"a": None}], "yes": True, "": {},
}  # fmt: skip
SAMPLES: tuple[Effect, ...] = (
    SendEvent(ROOM, "m.room.message", CONTENT),
    SendEvent(ROOM, "m.room.message", CONTENT, answer="card", subject="b1"),
    SendState(ROOM, "shop.coterie.group_buy", "b1", CONTENT),
    Pin(ROOM, EventId("$card"), (EventId("$a"), EventId("$b"))),
    Pin(ROOM, None),
    Pin(ROOM, EventId("$card"), last=True),
    Redact(ROOM, EventId("$a")),
    Redact(ROOM, EventId("$a"), "why", ANA),
    Tell(ANA, CONTENT),
    Tell(ANA, CONTENT, answer="proposal", subject="pr1"),
    TellFile(ANA, "what I know.json", "application/json", '{"alias": "Größe 🕯"}', "What I know of you."),
    SendFile(ROOM, "a.csv", "text/csv", '\ufeffalias\r\n"Größe 🕯"', answer="export", subject="g1 a.csv"),
    SendPicture(ROOM, CONTENT, answer="pictured", subject="p1"),
    SendChart(ROOM, "stats.png", "Größe 🕯", CONTENT, answer="stats", subject="g1 $a stats.png"),
    TellCode(ANA, "c1", CONTENT),
    CreateRoom(CONTENT, answer="group_room", subject="g1"),
    Invite(ROOM, ANA),
    Invite(ROOM, ANA, answer="invited", subject="g1", is_direct=True),
    SendState(ROOM, "m.room.power_levels", "", {"users": {}}, reach=100),
    Kick(ROOM, ANA, "no longer a concierge"),
    Kick(ROOM, ANA, "the invitation has expired", invited_only=True),
    Join(ROOM, answer="direct_joined", subject=ANA),
    Leave(ROOM),
    ReadEvent(ROOM, EventId("$a"), answer="picture", subject="p1 @ana:example.org"),
    ReadBack(ROOM, since=LARGEST, answer="read_back", subject="g1"),
    EndCheckout("cs_1"),
    Inspect(ROOM, answer="inspected", subject="g1", asked_at=START),
    Inspect(ROOM, answer="inspected", subject="g1", asked_at=LARGEST, join=True),
    ReadBack(ROOM, START, answer="read_back", subject="g1"),
    EndCheckout("cs_1"),
    Unlist(ROOM, ("#wool:example.org", "#räucherwerk:example.org"), answer="unlisted", subject="g1"),
)


def test_there_is_a_sample_of_every_effect() -> None:
    assert {type(sample) for sample in SAMPLES} == set(EFFECTS)
    for kind in EFFECTS:  # one more field, one more sample: some sample differs from the default in it
        fields = kind.__dataclass_fields__
        for name, field in fields.items():
            values = [getattr(sample, name) for sample in SAMPLES if type(sample) is kind]
            assert any(value != field.default for value in values), f"{kind.__name__}.{name}"


@pytest.mark.parametrize("effect", SAMPLES, ids=lambda effect: type(effect).__name__)
async def test_an_effect_comes_out_of_the_outbox_as_it_was_put(store: Store, effect: Effect) -> None:
    async with store.unit() as unit:
        await unit.outbox.put("$cause:0", effect, unit.now)
    async with store.look() as unit:
        owed = await unit.outbox.head(effect.lane, unit.now)
    assert owed is not None
    assert owed.effect == effect
    assert type(owed.effect) is type(effect)
    assert asdict(owed.effect) == asdict(effect)
    assert (owed.id, owed.lane, owed.attempts, owed.created_at) == ("$cause:0", effect.lane, 0, START)


async def test_the_newest_lines_of_the_ledger_are_given_by_group_and_fact(store: Store) -> None:
    lines = [Entry(GROUP.id, fact, number=n, at=START + n) for n, fact in enumerate(["joined", "left", "joined", "x"])]
    async with store.unit() as unit:
        for line in (*lines, Entry("g2", "joined", number=9)):
            await unit.ledger.append(line)
        assert await unit.ledger.newest(GROUP.id, ["joined", "left"], 2) == [lines[2], lines[1]]
        assert await unit.ledger.newest(GROUP.id, ["joined"], 10) == [lines[2], lines[0]]
        assert await unit.ledger.newest(GROUP.id, ["banned"], 10) == []


async def test_whose_standing_was_written_down_since_a_time_is_known(store: Store) -> None:
    await group_exists(store)
    async with store.unit() as unit:
        await unit.groups.save_member(member(7), START + 10)
        await unit.groups.save_member(member(8), START + 11)
        assert await unit.groups.changed_since(GROUP.id, START + 11) == {member(8).user_id}
        assert await unit.groups.changed_since(GROUP.id, START + 10) == {member(7).user_id, member(8).user_id}
        assert await unit.groups.changed_since("other", 0) == set()
