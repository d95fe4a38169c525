"""What `coterie check` says of the account at Stripe."""

from dataclasses import replace

import pytest

from appservice.cli.service import _stripe
from appservice.config import Config, Purchase, Stripe, Web
from appservice.matrix.finding import Verdict
from tests.harness.stripe import API_KEY, WEBHOOK_SECRET, FakeStripe
from tests.store.given import CONFIG


def paid_at(url: str, key: str = API_KEY) -> Config:
    purchase = Purchase("stripe", stripe=Stripe(key, WEBHOOK_SECRET, url))
    return replace(CONFIG, purchase=purchase, web=Web(public_url="https://shop.example"))


async def test_a_key_that_stripe_takes_is_good_and_the_address_for_its_reports_is_named() -> None:
    async with FakeStripe() as account:
        finding = await _stripe(paid_at(account.url))
    assert finding.verdict is Verdict.GOOD
    assert finding.says == "takes our key; let it report to https://shop.example/stripe/webhook"
    assert account.sessions == {}


async def test_a_key_that_stripe_does_not_take_is_bad() -> None:
    async with FakeStripe() as account:
        finding = await _stripe(paid_at(account.url, "sk_test_wrongwrong"))
    assert finding.verdict is Verdict.BAD
    assert finding.says == "does not let us make payment pages (AuthenticationError 401)"
    assert finding.mend == "check purchase.stripe.api_key, and what the key may do: Checkout Sessions, write"


@pytest.mark.parametrize("fault", [0, 503])
async def test_a_stripe_that_cannot_be_reached_is_bad(fault: int) -> None:
    async with FakeStripe(fault=fault) as account:
        finding = await _stripe(paid_at(account.url))
    assert finding.verdict is Verdict.BAD
    assert finding.mend == "see whether this machine reaches purchase.stripe.api_base, and try again"
