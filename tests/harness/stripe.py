"""A stand-in for Stripe's API and for its reports, on 127.0.0.1.

It takes form-encoded requests with the right key only, keeps to an idempotency key as Stripe does (the same answer for
the same request, an error for another), refuses what Stripe refuses, and signs what it reports. Signing is written anew
here, from Stripe's documentation, so that it proves the SDK's reading of it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from tests.harness.ports import reserve_port

API_KEY, WEBHOOK_SECRET = "sk_test_" + "k" * 24, "whsec_" + "s" * 24
THREE_DECIMALS = ("bhd", "jod", "kwd", "omr", "tnd")


@dataclass
class Asked:
    """One request: what stood in its form, and its idempotency key."""

    path: str
    form: dict[str, str]
    key: str | None


@dataclass
class FakeStripe:
    """The account. `fault` is what the next requests are answered with: a status, or 0 for a closed connection."""

    now: Callable[[], int] = field(default=lambda: time.time_ns() // 1_000_000)
    webhook: str = ""
    fault: int | None = None
    asked: list[Asked] = field(default_factory=list)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{reserve_port()}"
        self._kept: dict[str, tuple[dict[str, str], int, dict[str, Any]]] = {}
        self._numbers = count(1)

    async def __aenter__(self) -> FakeStripe:
        app = web.Application()
        app.router.add_get("/v1/checkout/sessions", self._list)
        app.router.add_post("/v1/checkout/sessions", self._create)
        app.router.add_post("/v1/checkout/sessions/{id}/expire", self._expire)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", int(self.url.rpartition(":")[2])).start()
        self._client = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        await self._runner.cleanup()

    # What the service asks

    async def _list(self, request: web.Request) -> web.Response:
        refused = self._refused(request)
        return refused or web.json_response({"object": "list", "data": [], "has_more": False, "url": request.path})

    async def _create(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        refused = self._refused(request)
        if refused is not None:
            return refused
        key = request.headers.get("Idempotency-Key")
        assert key, "who makes something says under which key"
        if key in self._kept:
            before, status, body = self._kept[key]
            if before != form:
                return _error(400, "idempotency_error", "Keys for idempotent requests can only be used with the same")
            return web.json_response(body, status=status, headers={"Idempotent-Replayed": "true"})
        wrong = self._wrong(form)
        if wrong is not None:
            return wrong
        body = self._session(form)
        self.sessions[body["id"]] = body
        self._kept[key] = form, 200, body
        return web.json_response(body)

    async def _expire(self, request: web.Request) -> web.Response:
        await self._form(request)
        refused = self._refused(request)
        if refused is not None:
            return refused
        session = self.sessions[request.match_info["id"]]
        if session["status"] != "open":
            return _error(400, "invalid_request_error", "Only Checkout Sessions with a status in [open] can be expired")
        session["status"] = "expired"
        return web.json_response(session)

    async def _form(self, request: web.Request) -> dict[str, str]:
        assert request.content_type == "application/x-www-form-urlencoded"
        pairs = parse_qsl(await request.text(), keep_blank_values=True, strict_parsing=request.can_read_body)
        form = dict(pairs)
        assert len(form) == len(pairs)
        self.asked.append(Asked(request.path, form, request.headers.get("Idempotency-Key")))
        return form

    def _refused(self, request: web.Request) -> web.Response | None:
        if self.fault == 0:
            assert request.transport is not None
            request.transport.abort()
        if self.fault is not None:
            return _error(self.fault or 500, "api_error", "Something went wrong on our end")
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_request_error", "Invalid API Key provided")
        return None

    def _wrong(self, form: dict[str, str]) -> web.Response | None:
        """What Stripe would object to."""
        amount = form["line_items[0][price_data][unit_amount]"]
        currency = form["line_items[0][price_data][currency]"]
        assert currency == currency.lower()
        if not amount.isdecimal() or (currency in THREE_DECIMALS and not amount.endswith("0")):
            return _error(400, "invalid_request_error", "Invalid amount")
        if int(amount) < 50 and currency == "eur":
            return _error(
                400, "invalid_request_error", "The total must convert to at least 50 cents", "amount_too_small"
            )
        ahead = int(form["expires_at"]) - self.now() / 1000
        if not 30 * 60 <= ahead <= 24 * 3600:
            return _error(400, "invalid_request_error", "expires_at must be between 30 minutes and 24 hours")
        return None

    def _session(self, form: dict[str, str]) -> dict[str, Any]:
        number = next(self._numbers)
        amount = int(form["line_items[0][price_data][unit_amount]"]) * int(form["line_items[0][quantity]"])
        metadata = {key[9:-1]: value for key, value in form.items() if key.startswith("metadata[")}
        return {
            "id": f"cs_test_{number}",
            "object": "checkout.session",
            "amount_total": amount,
            "currency": form["line_items[0][price_data][currency]"],
            "client_reference_id": form["client_reference_id"],
            "expires_at": int(form["expires_at"]),
            "metadata": metadata,
            "mode": form["mode"],
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "success_url": form["success_url"],
            "url": f"{self.url}/c/pay/cs_test_{number}",
            "customer_details": {"email": "otter@example.com", "name": "Otto Otter"},
        }

    # What people do there

    def pay(self, session_id: str, *, under_way: bool = False, **changed: Any) -> dict[str, Any]:
        """Pay in a session; gives the event that says so, not sent yet. Keywords change what it says of the session."""
        session = self.sessions[session_id]
        assert session["status"] == "open", session["status"]
        session |= {"status": "complete", "payment_intent": f"pi_{session_id}"}
        session["payment_status"] = "unpaid" if under_way else "paid"
        return self.event("checkout.session.completed", session | changed)

    def settle(self, session_id: str, *, paid: bool) -> dict[str, Any]:
        """Let money that was under way come, or not."""
        session = self.sessions[session_id]
        session["payment_status"] = "paid" if paid else "unpaid"
        return self.event(f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}", session)

    def refund(self, session_id: str, refunded: int) -> dict[str, Any]:
        """Give back money by Stripe's dashboard, `refunded` in all; gives the event."""
        session = self.sessions[session_id]
        charge = {
            "id": f"ch_{session_id}", "object": "charge", "amount": session["amount_total"],
            "amount_refunded": refunded, "currency": session["currency"], "metadata": session["metadata"],
            "payment_intent": session["payment_intent"],
        }  # fmt: skip
        return self.event("charge.refunded", charge)

    def dispute(self, session_id: str, amount: int | None = None) -> dict[str, Any]:
        """Have a payer's bank take a payment back; gives the event."""
        session = self.sessions[session_id]
        dispute = {
            "id": f"dp_{session_id}", "object": "dispute", "amount": amount or session["amount_total"],
            "currency": session["currency"], "metadata": {}, "charge": f"ch_{session_id}",
            "payment_intent": session["payment_intent"],
        }  # fmt: skip
        return self.event("charge.dispute.created", dispute)

    def event(self, type: str, thing: dict[str, Any]) -> dict[str, Any]:
        """An event with an id of its own."""
        id = f"evt_{next(self._numbers)}"
        return {"id": id, "object": "event", "type": type, "data": {"object": thing}, "livemode": False}

    async def send(self, event: dict[str, Any] | bytes, *, signature: str | None = None, **signed: Any) -> int:
        """Report an event; gives the status of the answer. Keywords are those of `sign`."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        headers = {"Stripe-Signature": sign(body, **signed) if signature is None else signature}
        if not headers["Stripe-Signature"]:
            del headers["Stripe-Signature"]
        async with self._client.post(self.webhook, data=body, headers=headers) as response:
            await response.read()
            return response.status


def sign(body: bytes, *, secret: str = WEBHOOK_SECRET, age_s: int = 0) -> str:
    """The header by which a report is known to be Stripe's."""
    at = int(time.time()) - age_s
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest},v0={'0' * 64}"


def _error(status: int, type: str, message: str, code: str | None = None) -> web.Response:
    error = {"type": type, "message": message} | ({"code": code} if code else {})
    return web.json_response({"error": error}, status=status)
