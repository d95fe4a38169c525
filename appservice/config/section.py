"""The sections of the configuration: one dataclass each, one field per key of the file.

A field's annotation says which type the key has and which rule its value must satisfy.
"""

from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import unquote, urlsplit

from appservice.config import rule


@dataclass(frozen=True, slots=True)
class Homeserver:
    """Where the homeserver is and what it is called."""

    address: Annotated[str, rule.http_url]
    domain: Annotated[str, rule.server_name]


@dataclass(frozen=True, slots=True)
class Appservice:
    """Where the service listens, who it is on the homeserver, and where it keeps what it knows."""

    as_token: Annotated[str, rule.token] = field(repr=False)
    hs_token: Annotated[str, rule.token] = field(repr=False)
    address: Annotated[str, rule.http_url] = "http://127.0.0.1:29333"
    hostname: Annotated[str, rule.host] = "127.0.0.1"
    port: Annotated[int, rule.Between(1, 65535)] = 29333
    id: Annotated[str, rule.localpart] = "coterie"
    bot_username: Annotated[str, rule.localpart] = "coterie"
    bot_displayname: Annotated[str, rule.line] = "Coterie"
    antispam_token: Annotated[str, rule.token] | None = field(default=None, repr=False)
    database: Annotated[str, rule.database_url] = field(default="sqlite:coterie.db", repr=False)

    @property
    def database_shown(self) -> str:
        """The database URL less user, password and parameters, for people to read."""
        parts = urlsplit(self.database)
        if parts.scheme == "sqlite":
            return self.database
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass(frozen=True, slots=True)
class Groups:
    """Who may create groups, and how a new group is set up."""

    owners: tuple[Annotated[str, rule.user_id], ...] = ()
    cap: Annotated[int, rule.Between(1, 500)] = 200
    max_cap: Annotated[int, rule.Between(1, 500)] = 500
    currency: Annotated[str, rule.currency] = "EUR"
    locale: Annotated[str, rule.locale] = "en"
    time_zone: Annotated[str, rule.time_zone] = "UTC"
    invitation_days: Annotated[int, rule.Between(1, 365)] = 7
    vouch_days: Annotated[int, rule.Between(0, 365)] = 7
    code_limit: Annotated[int, rule.Between(0, 500)] = 100
    retention_days: Annotated[int, rule.Between(0, 3650)] = 90
    grace_minutes: Annotated[int, rule.Between(1, 24 * 60)] = 30
    encrypted: bool = True
    backup_creator: Annotated[str, rule.user_id] | None = None


@dataclass(frozen=True, slots=True)
class Stripe:
    """The account at Stripe that is paid into, and the secret by which its webhook is known."""

    api_key: Annotated[str, rule.stripe_key] = field(repr=False)
    webhook_secret: Annotated[str, rule.stripe_webhook_secret] = field(repr=False)
    api_base: Annotated[str, rule.https_url] = "https://api.stripe.com"


@dataclass(frozen=True, slots=True)
class Purchase:
    """How orders are paid, and how long people have for it.

    With `link`, a receipt leads to the shop: by the template, or without one to the product's own URL.
    """

    provider: Annotated[str, rule.OneOf(("link", "stripe"))] = "link"
    link: Annotated[str, rule.purchase_link] | None = None
    stripe: Stripe | None = None
    pay_days: Annotated[int, rule.Between(1, 90)] = 3
    remind_hours_before: Annotated[int, rule.Between(0, 90 * 24)] = 24
    offer_hours: Annotated[int, rule.Between(1, 90 * 24)] = 24


@dataclass(frozen=True, slots=True)
class Web:
    """What the service takes over HTTP. A transaction has up to 100 events of 64 KiB.

    `public_url` is where people's browsers reach it, None where they need not.
    """

    public_url: Annotated[str, rule.https_url] | None = None
    max_body_bytes: Annotated[int, rule.Between(8 * 2**20, 256 * 2**20)] = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Logging:
    """What the service writes about its work, and in which form."""

    level: Annotated[str, rule.OneOf(("debug", "info", "warning", "error"))] = "info"
    format: Annotated[str, rule.OneOf(("console", "json"))] = "console"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the operator decides. Its repr shows no secret."""

    homeserver: Homeserver
    appservice: Appservice
    groups: Groups = Groups()
    purchase: Purchase = Purchase()
    web: Web = Web()
    logging: Logging = Logging()

    @property
    def bot_mxid(self) -> str:
        """The user id of the bot, whom people talk to."""
        return f"@{self.appservice.bot_username}:{self.homeserver.domain}"

    @property
    def sender_localpart(self) -> str:
        """The registration's own user: not the bot, since homeservers refuse the sender a /sync."""
        return f"_{self.appservice.bot_username}_sender"

    def is_own_account(self, user_id: str) -> bool:
        """Tell whether an account is the service's, or the operator's backup: these take no seat."""
        bot, name = self.bot_mxid, f"@{self.appservice.bot_username}_"
        sender = f"@{self.sender_localpart}:{self.homeserver.domain}"
        is_ghost = user_id.startswith(name) and user_id.partition(":")[2] == self.homeserver.domain
        return is_ghost or user_id in (bot, sender, self.groups.backup_creator)

    def without_secrets(self, text: str) -> str:
        """A text with tokens, keys and the database password struck out, as an exception may quote them."""
        password = urlsplit(self.appservice.database).password or ""
        own, stripe = self.appservice, self.purchase.stripe
        keys = (stripe.api_key, stripe.webhook_secret) if stripe else ()
        for secret in (own.as_token, own.hs_token, own.antispam_token, password, unquote(password), *keys):
            text = text.replace(secret, "***") if secret else text
        return text
