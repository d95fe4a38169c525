"""Every event that the service has sent in any journey is valid by the spec's schemas, and names no member. Runs after
all journeys."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import in_days
from tests.harness.circle import ORDER, CircleFactory
from tests.harness.exposure import exposed
from tests.harness.sighting import Event


async def test_every_event_of_the_service_is_valid_and_names_nobody(
    circle: CircleFactory, spec: Any, sent_by_services: dict[str, Event]
) -> None:
    """The journeys of the other tests, and a short one of its own in case it runs alone."""
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    await here.post_product(ben, '"Merino throw" 89.00 https://shop.example/throw')
    card = await here.open_buy(ben, f"merino 2:79 until {in_days(5)} 18:00")
    await ana.say(here.group, "+0", reply_to=card)
    await ana.react(here.group, card, "+2")
    await ana.sees(here.group, "the minimum order is reached")
    await here.owner.say(here.desk, "!buy close")
    await ana.direct_message_from(here.bot, lambda e: ORDER in e["content"])
    for client in (here.owner, ben, ana):
        for event in [*client.seen.all, *(e for room in client.seen.state.values() for e in room.values())]:
            if event["sender"] == here.bot:
                sent_by_services[event["event_id"]] = event

    kinds = set()
    wrong = []
    for event in sent_by_services.values():
        if "redacted_because" in event.get("unsigned", {}):
            continue
        if "state_key" in event and not event["content"]:
            continue  # withdrawn, as nothing else can be
        if event["type"] == "m.room.member" and event["content"].get("avatar_url", "") is None:
            event["content"].pop("avatar_url")  # Synapse's own null for an account without a picture
        try:
            kinds.add(spec.validate_event(event).rpartition("/")[2].removesuffix(".yaml"))
        except AssertionError as error:
            wrong.append(f"{event['type']} {event['content']}: {error}")
    assert not wrong, "\n".join(wrong[:10])
    assert [found for found in map(exposed, sent_by_services.values()) if found] == []
    assert kinds >= {
        "m.reaction",
        "m.room.create",
        "m.room.guest_access",
        "m.room.history_visibility",
        "m.room.join_rules",
        "m.room.member",
        "m.room.message$m.notice",
        "m.room.message$m.text",
        "m.room.name",
        "m.room.pinned_events",
        "m.room.power_levels",
        "state_event",
    }
