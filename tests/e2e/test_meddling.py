"""Names with markup in them, and concierges who remove or rewrite what they can reach."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import in_days
from tests.e2e.trial import MINIMUM, Trial
from tests.harness.circle import BUY, PRODUCT, CircleFactory
from tests.harness.person import MatrixError

pytestmark = pytest.mark.slow


async def test_html_in_names_is_shown_as_it_was_typed(circle: CircleFactory) -> None:
    name = "<b>Wool</b> & <script>alert(1)</script>"
    here = await circle(["ben"], ["ana"], name=name)
    ben, ana = here
    assert (await ana.state(here.group, "m.room.name")) == {"name": name}
    link = "https://shop.example/throw?a=1&b=<i>"
    product = await here.post_product(ben, f'"<b>Throw</b> & more" 89.00 {link}')
    card = await here.open_buy(ben, f"throw 2:79 until {in_days(5)} 18:00")
    await ana.say(here.group, "+2", reply_to=card)
    await ana.sees(here.group, "minimum order is reached")
    await ben.say(here.desk, "!buy close")
    receipt = await ana.direct_message_from(here.bot, "Receipt: <b>Throw</b> & more")
    for event in (product, await ana.sees(here.group, lambda e: e["event_id"] == card), receipt):
        html = event["content"]["formatted_body"]
        assert "&lt;b&gt;Throw&lt;/b&gt; &amp; more" in html
        assert not {"<b>", "<script>", "<i>"} & {tag for tag in ("<b>", "<script>", "<i>") if tag in html}
    assert product["content"][PRODUCT]["name"] == "<b>Throw</b> & more"
    assert "&lt;script&gt;" in receipt["content"]["formatted_body"]


async def test_a_state_event_that_a_concierge_writes_by_hand_is_put_back(circle: CircleFactory) -> None:
    trial = await Trial.begin(await circle(["ben"], ["ana", "otto"]))
    here, ben = trial.here, trial.ben
    buy_id = ben.shown(here.group, trial.card)[BUY]["id"]
    published = await ben.state(here.group, BUY, buy_id)
    assert published is not None
    assert published["status"] == "open"
    contents: tuple[dict[str, Any], ...] = (
        {},
        {"status": 5, "tiers": {"minimum": []}},
        {**published, "status": "failed"},
    )
    for content in contents:
        meddled = await ben.put_state(here.group, BUY, content, buy_id)
        await ben.sees(here.group, lambda e: e["type"] == BUY and e["content"] == published, after=meddled)
        assert await ben.state(here.group, BUY, buy_id) == published
    desk_line = await here.owner.sees(here.desk, "wrote to the state event of a group buy, and I have put it back.")
    assert desk_line["content"]["msgtype"] == "m.notice"
    invented = await ben.put_state(here.group, BUY, {**published, "id": "zzz"}, "zzz")
    await ben.sees(here.group, lambda e: e["state_key"] == "zzz" and e["content"] == {}, after=invented)
    await trial.ends_well()


async def test_a_state_event_that_a_concierge_redacts_is_put_back(circle: CircleFactory) -> None:
    trial = await Trial.begin(await circle(["ben"], ["ana", "otto"]))
    here, ben = trial.here, trial.ben
    buy_id = ben.shown(here.group, trial.card)[BUY]["id"]
    published = await ben.state(here.group, BUY, buy_id)
    state = ben.seen.state[here.group][BUY, buy_id]
    redaction = await ben.redact(here.group, state["event_id"])
    await ben.sees(here.group, lambda e: e["type"] == BUY and e["content"] == published, after=redaction)
    assert await ben.state(here.group, BUY, buy_id) == published
    await here.owner.sees(here.desk, "removed the state event of a group buy")


async def test_redacting_and_editing_everything_in_sight_stops_nothing(circle: CircleFactory) -> None:
    trial = await Trial.begin(await circle(["ben"], ["ana", "otto"]))
    here, ben, otto = trial.here, trial.ben, trial.otto
    for event in ben.timeline(here.group):
        if event["type"] in ("m.room.message", "m.reaction") and event["event_id"] != trial.card:
            await ben.redact(here.group, event["event_id"])
            if event["sender"] == ben.user_id:
                await ben.edit(here.group, event["event_id"], "+3")
    for kind, key in list(ben.seen.state[here.group]):
        try:
            await ben.redact(here.group, ben.seen.state[here.group][kind, key]["event_id"])
        except MatrixError:
            continue
    await ben.redact(here.group, trial.card)
    reply = await otto.say(here.group, f"+{MINIMUM}", reply_to=trial.card)
    await otto.sees_that(lambda: otto.reactions(here.group, reply) == {"✅": {here.bot}})
    await otto.sees(here.group, "the minimum order is reached")
    await here.owner.say(here.desk, "!buy close")
    await otto.direct_message_from(here.bot, "500 × €79.00 = €39,500.00")
    assert here.errors() == []
