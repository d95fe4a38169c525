"""Paying at Stripe: the page behind the link of a receipt, and Stripe's reports of what was paid.

Whoever knows the link of an order may pay it. A report is written down like anything else that arrives, and only then
answered; Stripe sends it again for days until it is.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from aiohttp import web

from appservice.actions import checkouts
from appservice.actions.checkouts import Way, Where
from appservice.config import Config
from appservice.payment.links import BACK, PATH, is_genuine
from appservice.payment.report import TYPE, parse_report
from appservice.payment.session import NotGiven
from appservice.payment.stripe import NotGenuine, StripeCheckout, genuine
from appservice.present.text import esc
from appservice.present.words import payment as say
from appservice.store.inbox import NewArrival
from appservice.store.unit import Store

log = logging.getLogger("coterie.payment")

WEBHOOK = "/stripe/webhook"
MOST_BYTES = 2**19
LANE = "stripe"

Journal = Callable[[list[NewArrival]], Awaitable[int]]

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_PAGES = {
    Where.OWED: (200, say.owed),
    Where.READY: (200, say.owed),
    Where.BUSY: (200, say.busy),
    Where.TOO_OFTEN: (429, say.too_often),
    Where.NOT_HERE: (200, say.not_here),
    Where.UNDER_WAY: (200, say.under_way),
    Where.PAID: (200, say.paid),
    Where.DROPPED: (200, say.dropped),
    Where.CANCELLED: (200, say.cancelled),
    Where.REFUNDED: (200, say.refunded),
}


class PaymentDoor:
    """The handlers."""

    def __init__(self, config: Config, store: Store, stripe: StripeCheckout, journal: Journal) -> None:
        assert config.purchase.stripe is not None
        self._config, self._keys = config, config.purchase.stripe
        self._store = store
        self._stripe = stripe
        self._journal = journal
        self.refused = 0
        """How many reports came that Stripe had not signed."""

    def add_to(self, app: web.Application) -> None:
        """Answer on this site too."""
        app.router.add_get(f"{PATH}/{{order_id}}/{{token}}", self._pay, allow_head=False)
        app.router.add_post(WEBHOOK, self._hear)

    # The page

    async def _pay(self, request: web.Request) -> web.Response:
        order_id = request.match_info["order_id"]
        if not is_genuine(self._config, order_id, request.match_info["token"]):
            return _page(404, say.UNKNOWN)
        async with self._store.look() as unit:
            way = await checkouts.look(unit, self._config, order_id)
        if BACK not in request.query and way.where in (Where.READY, Where.OWED):
            return await self._lead(order_id)
        return _shown(way)

    async def _lead(self, order_id: str) -> web.Response:
        """Lead to where an order can be paid, made for it if need be."""
        async with self._store.unit() as unit:
            way = await checkouts.begin(unit, self._config, order_id)
        if way.where is Where.READY:
            return _redirect(way.url)
        if way.wanted is None:
            return _shown(way)
        try:
            session = await self._stripe.create(way.wanted)
        except NotGiven as error:
            log.log(logging.ERROR if error.is_final else logging.WARNING, "Stripe made no payment page: %s", error)
            async with self._store.unit() as unit:
                await checkouts.not_given(unit, way, may_exist=error.may_exist)
            assert way.bill is not None
            return _page(200, say.not_here(way.bill)) if error.is_final else _page(503, say.down(way.bill))
        async with self._store.unit() as unit:
            if await checkouts.given(unit, self._config, way, session):
                return _redirect(session.url)
            return _shown(await checkouts.look(unit, self._config, order_id))

    # The reports

    async def _hear(self, request: web.Request) -> web.Response:
        body = await request.clone(client_max_size=MOST_BYTES).read()
        try:
            event = genuine(self._keys, body, request.headers.get("Stripe-Signature", ""))
        except NotGenuine as error:
            self.refused += 1
            log.warning("a report was refused: %s (%d since the start)", error, self.refused)
            return web.Response(status=400, text="This is not signed by Stripe, or not with our secret")
        try:
            report = parse_report(event)
        except ValueError as error:
            log.error("a report by Stripe cannot be read: %s; its event is %.40r", error, event.get("id"))
            return web.Response(status=400, text="This report lacks something")
        if report is not None:
            await self._journal([NewArrival(f"stripe {report.id}", LANE, TYPE, json.dumps(asdict(report)))])
        return web.Response(text="ok")


def _shown(way: Way) -> web.Response:
    if way.bill is None:
        return _page(404, say.UNKNOWN)
    status, words = _PAGES[way.where]
    return _page(status, words(way.bill))


def _redirect(url: str) -> web.Response:
    """Lead to an address that Stripe itself gave."""
    return web.Response(status=303, headers={**_HEADERS, "Location": url})


def _page(status: int, page: say.Page) -> web.Response:
    """Give a page without script or style. Its link leads to the same address, less what is asked (`?back`)."""
    reload = '<meta http-equiv="refresh" content="3">' if page.reloads else ""
    says = "".join(f"<p>{esc(line)}</p>" for line in page.says)
    link = f'<p><a href="?">{esc(page.leads_on)}</a></p>' if page.leads_on else ""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{esc(page.heading)}</title>'
        f'<meta name="viewport" content="width=device-width">{reload}</head>'
        f"<body><h1>{esc(page.heading)}</h1>{says}{link}</body></html>"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)
