"""Stripe's SDK behind what we need of it: a session to pay in, and whether a report is really Stripe's."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import stripe

from appservice.config import Stripe
from appservice.payment.report import BUY, CHECKOUT, ORDER
from appservice.payment.session import NotGiven, Session, Wanted
from appservice.payment.units import to_stripe

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

PATIENCE_S = 8
TRIES = 2
TOLERANCE_S = 300
"""How old a signature may be, against those who have recorded one."""

stripe.enable_telemetry = False


class NotGenuine(Exception):
    """A report that Stripe did not sign, or not just now."""


class StripeCheckout:
    """An account at Stripe."""

    def __init__(self, config: Stripe, client: stripe.StripeClient) -> None:
        self._config = config
        self._sessions = client.v1.checkout.sessions

    async def create(self, wanted: Wanted) -> Session:
        """Have a session made. Raises NotGiven."""
        amount = to_stripe(wanted.amount, wanted.currency)
        if amount is None:
            raise NotGiven(f"{wanted.currency} cannot be charged to that last digit", is_final=True)
        try:
            made = await self._sessions.create_async(_params(wanted, amount), {"idempotency_key": wanted.id})
        except stripe.StripeError as error:
            raise _not_given(error) from error
        if made.amount_total != amount or (made.currency or "").upper() != wanted.currency:
            await self.expire(made.id)
            raise NotGiven("the session is for another amount than was asked for", is_final=True)
        if not made.url or not made.url.startswith(("https://", f"{self._config.api_base}/")):
            raise NotGiven("the session has no address", is_final=True)
        return Session(made.id, made.url)

    async def expire(self, session_id: str) -> None:
        """End a session, so that nobody can pay in it any more; one that was paid or has ended stays as it is."""
        try:
            await self._sessions.expire_async(session_id)
        except stripe.InvalidRequestError:
            pass
        except stripe.StripeError as error:
            raise _not_given(error) from error

    async def ask(self) -> None:
        """See whether Stripe takes our key. Raises NotGiven."""
        try:
            await self._sessions.list_async({"limit": 1})
        except stripe.StripeError as error:
            raise _not_given(error) from error


def genuine(config: Stripe, body: bytes, signature: str) -> Mapping[str, Any]:
    """Give the event that a body holds. Raises NotGenuine where its signature is not of this moment and secret."""
    try:
        stripe.Webhook.construct_event(body, signature, config.webhook_secret, TOLERANCE_S)
        event = json.loads(body)
    except stripe.SignatureVerificationError as error:
        raise NotGenuine("its signature is not right") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # what no signer of ours ever sends
        raise NotGenuine("it cannot be read") from error
    if not isinstance(event, dict):
        raise NotGenuine("it is no event")
    return event


@asynccontextmanager
async def opened(config: Stripe) -> AsyncIterator[StripeCheckout]:
    """Give an account at Stripe, and close the connections to it afterwards."""
    http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
    client = stripe.StripeClient(
        config.api_key,
        base_addresses={"api": config.api_base},
        http_client=http,
        max_network_retries=TRIES - 1,
    )
    try:
        yield StripeCheckout(config, client)
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]


def _params(wanted: Wanted, amount: int) -> "SessionCreateParams":
    metadata = {ORDER: str(wanted.order_id), BUY: str(wanted.buy_id), CHECKOUT: wanted.id}
    return {
        "mode": "payment",
        "client_reference_id": wanted.order_id,
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": wanted.currency.lower(),
                    "unit_amount": amount,
                    "product_data": {"name": wanted.description},
                },
            }
        ],
        "adaptive_pricing": {"enabled": False},  # else it may offer the sum in the payer's own currency
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata, "description": wanted.description},
        "expires_at": wanted.expires_at // 1000,
        "success_url": wanted.return_url,
        "cancel_url": wanted.return_url,
    }


def _not_given(error: stripe.StripeError) -> NotGiven:
    """Give an error without Stripe's own words, which quote what was sent."""
    why = f"{type(error).__name__} {error.http_status or ''} {error.code or ''}".strip()
    passes = (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError)
    return NotGiven(why, may_exist=isinstance(error, stripe.APIConnectionError), is_final=not isinstance(error, passes))
