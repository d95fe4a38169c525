"""The main job on a real Synapse, with matrix-nio as everybody's client."""

import asyncio

from tests.harness.person import Person, PersonFactory
from tests.harness.service import ServiceFactory


def body(event: dict) -> str:
    return str(event["content"].get("body"))


async def test_a_group_buys_together_from_invitation_to_receipt(person: PersonFactory, coterie: ServiceFactory) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id], "time_zone": "Europe/Vienna"})
    bot = service.bot_id
    ben, ana, otto, mia = [await person(name, auto_join_from={bot}) for name in ("ben", "ana", "otto", "mia")]
    direct = await rosa.create_direct(bot)
    await rosa.say(direct, '!group create "Wool circle" cap 20')
    await rosa.sees(direct, lambda e: "is ready" in body(e))
    invites = await asyncio.gather(
        rosa.invited_to(lambda i: i.name == "Wool circle"), rosa.invited_to(lambda i: i.name == "Desk: Wool circle")
    )
    group, desk = [invite.room_id for invite in invites]
    await rosa.join(group)
    await rosa.join(desk)
    await rosa.say(direct, f"!concierge add {ben.user_id}")
    for member in (ana, otto, mia):
        await rosa.say(direct, f"!invite {member.user_id}")
    for member in (ben, ana, otto, mia):
        await rosa.sees_join(group, member.user_id)
    await ben.say(group, '!product add "Merino throw" 89.00 https://shop.example/throw')
    print("PRODUCT", await ana.sees(group, lambda e: "shop.coterie.product" in e["content"]))
    await ben.say(group, '!buy open merino-throw 3:79 6:69 until friday 18:00')
    card = await ana.sees(group, lambda e: "shop.coterie.group_buy" in e["content"])
    print(card["content"]["body"])
    card = card["event_id"]
    first = await ana.say(group, "+2", reply_to=card)
    await ana.sees_that(lambda: bot in ana.reactions(group, first).get("✅", ()))
    await ana.sees_that(lambda: bot in ana.reactions(group, card).get("+5", ()))
    await otto.react(group, card, "+2")
    await mia.say(group, "!pledge 3 max 70")
    await ana.sees(group, lambda e: "69.00 now" in body(e))
    await ana.sees_that(lambda: ana.last_edit_of(group, card) is not None)
    print(ana.last_edit_of(group, card)["body"])
    print(await ana.state(group, "m.room.pinned_events"))
    await rosa.say(desk, "!buy close")
    for member in (ana, otto, mia):
        print((await member.direct_message_from(bot, lambda e: "Receipt" in body(e)))["content"]["body"])
    print((await rosa.sees(desk, lambda e: "orders" in body(e)))["content"]["body"])
    for e in ana.timeline(group):
        print(e["sender"], e["type"], e["content"].get("body"))
    print(service.log_tail())
