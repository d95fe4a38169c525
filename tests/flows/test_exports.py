"""`!export`: tables of a buy that has cleared, as files in the desk, for its concierges alone."""

from __future__ import annotations

import csv
import io
import json

import pytest

from appservice.domain.fulfilment import Fulfilment, Pay, decide, evolve
from appservice.domain.ids import GroupId
from appservice.domain.refusal import Refusal
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import Json
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.service import MINUTE, Service

KINDS = ["supplier", "by-member", "by-item", "matrix", "packing", "unpaid", "refunds"]


def files(play: Journey, room_id: str | None = None) -> list[Json]:
    """The files that the service has posted in a room, the desk if none is named."""
    return [event.content for event in play.hs.room(room_id or play.desk).messages(play.hs.bot)
            if event.content["msgtype"] == "m.file"]  # fmt: skip


def all_files(play: Journey) -> list[Json]:
    """The files that the service has posted anywhere."""
    return [content for room_id in play.hs.world.rooms for content in files(play, room_id)]


def read(play: Journey, content: Json) -> str:
    data, mime = play.hs.world.media[content["url"].rpartition("/")[2]]
    assert content["info"] == {"mimetype": mime, "size": len(data)}
    return str(data.decode("utf-8-sig"))


def table(play: Journey, content: Json) -> list[list[str]]:
    return list(csv.reader(io.StringIO(read(play, content), newline=""), strict=True))


async def cleared(play: Journey) -> None:
    """Ana has an order of 20 units at 69.00, otto one of 5; mia's pledge found the price too high."""
    await play.tell(play.ana, "!alias Otter")
    await play.plus(play.ana, 20)
    await play.react(play.otto, "+5")
    await play.say(play.mia, "!pledge 3 max 60")
    await play.close()


async def export(play: Journey, words: str) -> str:
    return await play.say(play.ben, f"!export {words}".strip(), to=play.desk)


async def test_a_concierge_gets_a_table_as_a_file_in_the_desk(
    engine: str, shop: Journey, hs: FakeHomeserver, nobody_exposed: None
) -> None:
    await cleared(shop)
    posted, said = shop.posted(), shop.posted(shop.desk)
    asked = await export(shop, "by-member")
    assert shop.signs(asked) == ["✅"]
    name = f"wool-circle-merino-throw-{shop.buy}-by-member.csv"
    [content] = files(shop)
    assert content | {"info": {}} == {
        "msgtype": "m.file", "body": name, "filename": name, "url": content["url"], "info": {}, "m.mentions": {},
    }  # fmt: skip
    head, *rows, sums = table(shop, content)
    assert [row[0] for row in rows] == ["Otter", await shop.alias(shop.otto), "(house)"]
    orders = {row["number"]: row["id"] for row in await shop.service.rows("SELECT * FROM purchase_order")}
    assert [row[1] for row in rows] == [*(orders[number] for number in sorted(orders)), ""]
    charged = head.index("charged")
    ledger = sum(amount for *_, amount in await shop.ledger())
    assert sums[charged] == "1725.00" and ledger == 172_500
    assert (shop.posted(), shop.posted(shop.desk)) == (posted, [*said, name]), "nothing else is said"


async def test_no_file_names_a_member_but_by_alias(shop: Journey) -> None:
    await cleared(shop)
    await export(shop, "all")
    await export(shop, "all json")
    written = "".join(read(shop, content) for content in files(shop))
    assert "Otter" in written and "@" not in written
    assert not any(person.mxid[1:].partition(":")[0] in written.split(",") for person in (shop.ana, shop.otto))


@pytest.mark.parametrize(
    ("words", "suffix"), [("all", "csv"), ("all json", "json"), ("json ALL", "json"), ("all csv", "csv")]
)
async def test_all_tables_come_as_a_file_each(shop: Journey, words: str, suffix: str) -> None:
    await cleared(shop)
    await export(shop, words)
    prefix = f"wool-circle-merino-throw-{shop.buy}"
    assert [content["body"] for content in files(shop)] == [f"{prefix}-{kind}.{suffix}" for kind in KINDS]
    if suffix == "json":
        told = [json.loads(read(shop, content)) for content in files(shop)]
        assert [file["table"] for file in told] == KINDS
        assert {(file["buy"], file["currency"]) for file in told} == {(shop.buy, "EUR")}


@pytest.mark.usefixtures("by_hand")
async def test_a_table_shows_what_is_so_now(shop: Journey, service: Service) -> None:
    await cleared(shop)
    await export(shop, "unpaid")
    async with service.store.unit() as unit:
        buy = await unit.buys.lock(shop.buy)
        before = await unit.orders.get(buy)
        assert before is not None
        await unit.orders.save(before, paid(before), unit.now)
    await export(shop, "unpaid")
    first, second = (table(shop, content) for content in files(shop))
    assert [row[0] for row in first[1:-1]] == ["Otter", await shop.alias(shop.otto)]
    assert [row[0] for row in second[1:-1]] == [await shop.alias(shop.otto)]
    assert (first[-1][4], second[-1][4]) == ("1725.00", "345.00")


def paid(state: Fulfilment) -> Fulfilment:
    """The state after the first order was paid."""
    order = state.orders[0]
    outcome = decide(state, Pay(order.id, order.total, "EUR", "r1"))
    assert not isinstance(outcome, Refusal)
    for fact in outcome:
        state = evolve(state, fact)
    return state


# Which buy


async def test_with_several_buys_the_choices_are_listed_and_the_id_decides(shop: Journey) -> None:
    await cleared(shop)
    first = shop.buy
    await shop.add_product(text="!product add Mug 9.00 https://shop.example/mug")
    await shop.open_named("Mug", "1:8 until friday 18:00")
    await shop.plus(shop.ana, 1)
    await shop.close()
    asked = await export(shop, "matrix")
    assert shop.signs(asked) == ["⚠️"] and files(shop) == []
    assert shop.posted(shop.desk)[-1] == (
        "Which group buy? Reply to its card, or add its id at the end:\n"
        f"• Mug: !export matrix {shop.buy}\n• Merino throw: !export matrix {first}"
    )
    await export(shop, f"matrix {first}")
    assert [content["body"] for content in files(shop)] == [f"wool-circle-merino-throw-{first}-matrix.csv"]


@pytest.mark.usefixtures("by_hand")
async def test_a_buy_that_is_over_is_meant_only_where_none_is_under_way(shop: Journey, service: Service) -> None:
    await cleared(shop)
    await end(service, shop.buy)
    over = shop.buy
    await export(shop, "refunds")
    await shop.add_product(text="!product add Mug 9.00 https://shop.example/mug")
    await shop.open_named("Mug", "1:8 until friday 18:00")
    await shop.plus(shop.ana, 1)
    await shop.close()
    await export(shop, "refunds")
    assert [content["body"].split("-")[-2] for content in files(shop)] == [over, shop.buy]


async def end(service: Service, buy_id: str) -> None:
    """A buy is done."""
    async with service.store.unit() as unit:
        await unit._connection.execute("UPDATE group_buy SET status = 'done' WHERE id = $1", buy_id)


USAGE = "Write it like this: !export by-member, or !export all, or !export unpaid k3x9qf json (other tables: "


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", USAGE),
        ("everything", USAGE),
        ("json", USAGE),
        ("by-member {buy} more", USAGE),
        ("by-member nonsuch", "“nonsuch” is no group buy of this group. Its id stands on its card."),
        ("by-member {buy}", "This group buy is still open: it has no orders to export."),
        ("by-member", "No group buy of this group has succeeded yet, so there are no orders to export."),
    ],
)
async def test_what_cannot_be_exported_is_refused_with_the_reason(shop: Journey, words: str, why: str) -> None:
    await shop.plus(shop.ana, 3)
    asked = await export(shop, words.format(buy=shop.buy))
    assert shop.signs(asked) == ["⚠️"]
    assert shop.posted(shop.desk)[-1].startswith(why)
    assert all_files(shop) == [] and shop.hs.world.media == {}


async def test_a_buy_that_failed_has_no_tables(shop: Journey) -> None:
    await shop.plus(shop.ana, 3)
    await shop.close()
    await export(shop, f"all {shop.buy}")
    assert shop.posted(shop.desk)[-1] == "This group buy did not come about: it has no orders to export."
    assert all_files(shop) == []


# Who may


async def test_typed_in_the_group_it_is_removed_and_nothing_is_exported(shop: Journey, hs: FakeHomeserver) -> None:
    await cleared(shop)
    asked = await shop.say(shop.ben, "!export all")
    assert hs.event(asked).content == {} and all_files(shop) == []


@pytest.mark.parametrize("who", ["ana", "ben"])
async def test_it_works_in_the_desk_only(shop: Journey, who: str) -> None:
    await cleared(shop)
    await shop.tell(shop.person(who), f"!export all {shop.buy}")
    assert shop.told(shop.person(who))[-1] == "!export does not work here. Write it in the desk."
    assert all_files(shop) == []


async def test_concierges_of_another_group_get_no_tables_of_a_buy_that_is_shared_with_theirs(
    shop: Journey, service: Service
) -> None:
    """They would read who bought what in a group that is not theirs; its own sees their members by number."""
    home, desk = shop.group, shop.desk
    [first] = await service.rows("SELECT id FROM coterie_group WHERE room_id = $1", home)
    await shop.make_group("Second")
    await shop.tell(shop.rosa, f'!invite {shop.person("pia").mxid} "Second"')
    [second] = await service.rows("SELECT id FROM coterie_group WHERE room_id = $1", shop.group)
    theirs, shop.group, shop.desk = shop.desk, home, desk
    async with service.store.unit() as unit:
        await unit.buys.share(await unit.buys.lock(shop.buy), GroupId(second["id"]))
    await shop.plus(shop.ana, 10)
    await shop.tell(shop.person("pia"), f"!pledge 2 {shop.buy}")
    await shop.close()
    for words in ("all", f"all {shop.buy}"):
        asked = await shop.say(shop.rosa, f"!export {words}", to=theirs)
        assert shop.signs(asked) == ["⚠️"] and all_files(shop) == []
    await export(shop, "matrix")
    [content] = files(shop)
    [pia] = await service.rows("SELECT number FROM member WHERE user_id = $1", shop.person("pia").mxid)
    assert table(shop, content)[1:] == [
        [await shop.alias(shop.ana), "10", "10"], [f"group 2, no. {pia['number']}", "2", "2"], ["(sum)", "12", "12"],
    ]  # fmt: skip
    assert first["id"] != second["id"]


async def test_a_group_that_is_being_closed_still_gets_its_tables(shop: Journey) -> None:
    await cleared(shop)
    await shop.say(shop.rosa, "!sunset confirm", to=shop.desk)
    asked = await export(shop, "matrix")
    assert shop.signs(asked) == ["✅"] and len(files(shop)) == 1


# When the homeserver fails


@pytest.mark.parametrize("match", ["POST .*/upload", "PUT .*/send/m.room.message"])
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.ANSWER_LOST, Fault.ERROR_502])
async def test_a_file_is_posted_once_whatever_is_lost(
    shop: Journey, hs: FakeHomeserver, service: Service, fault: Fault, match: str
) -> None:
    await cleared(shop)
    hs.faults.on_request(fault, match=match)
    await export(shop, "matrix")
    await service.wait(MINUTE)
    assert len(files(shop)) == 1


async def test_the_desk_is_told_when_a_file_cannot_be_uploaded(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await cleared(shop)
    hs.faults.on_request(Fault.ERROR_502, match="POST .*/upload", times=None)
    await export(shop, "matrix")
    await service.wait(2 * MINUTE)
    assert shop.posted(shop.desk)[-1] == (
        f"I could not upload wool-circle-merino-throw-{shop.buy}-matrix.csv: the homeserver does not answer. Write "
        "!export again later, or ask the operator for the file: coterie export makes it too."
    )
    assert files(shop) == []
    hs.faults.clear()
    await export(shop, "matrix")
    assert len(files(shop)) == 1
