"""The main job on a real Synapse, with matrix-nio as everybody's client."""

from tests.harness.person import Person, PersonFactory
from tests.harness.service import ServiceFactory


async def test_a_group_buys_together_from_invitation_to_receipt(person: PersonFactory, coterie: ServiceFactory) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id], "time_zone": "Europe/Vienna"})
    bot = service.bot_id
    rosa.auto_join_from.add(bot) if hasattr(rosa, "auto_join_from") else None
    direct = await rosa.create_direct(bot)
    await rosa.say(direct, '!group create "Wool circle" cap 20')
    print(await rosa.sees(direct, lambda e: "is ready" in str(e["content"].get("body"))))
