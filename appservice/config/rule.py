"""The rules for values of the configuration: each returns the value, tidied, or says what is wrong."""

import difflib
import re
import string
import zoneinfo
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import babel
import babel.numbers

# The tokens that config/example.yaml and registration.yaml show.
SAMPLE_TOKENS = frozenset(f"this-is-no-{name}-let-coterie-init-make-one" for name in ("as_token", "hs_token"))
PLACEHOLDERS = {  # of purchase.link, each with an example
    "product_url": "https://shop.example/throw",
    "reference": "7F3K-2",
    "amount": "138.00",
    "amount_minor": "13800",
    "currency": "EUR",
    "units": "2",
    "sku": "MT-1",
}
SERVER_NAME = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,230})(?::(?P<port>[0-9]{1,5}))?")
USER_ID = re.compile(rf"@[!-9;-~]+:{SERVER_NAME.pattern}")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
BY_HAND = "make one with: openssl rand -hex 32"


class WrongValue(ValueError):
    """What is wrong with a value and what to do, in one line."""


def shown(value: object) -> str:
    """A value as it may stand in a one-line message: printable and not long."""
    if isinstance(value, int) and not -(10**18) < value < 10**18:
        return "a very large number" if value > 0 else "a very small number"
    text = str(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return text if text.isprintable() else ascii(text)[1:-1]


def http_url(value: str) -> str:
    """An http or https URL without anything after its path; a slash at its end is dropped."""
    parts = _parts(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        said = "" if "@" in value else f', is "{shown(value)}"'
        raise WrongValue(f"must be an http or https URL{said}; write it like https://matrix.example.org")
    if parts.username is not None or parts.password is not None:
        raise WrongValue("must not hold a user name or password; remove what stands before the @")
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise WrongValue("must end after its path; remove what begins with ? or #")
    return value.rstrip("/")


def https_url(value: str) -> str:
    """An https URL, or an http one of this machine itself, as tests have it."""
    url = http_url(value)
    if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in LOOPBACK:
        raise WrongValue("must begin with https://, since secrets travel by it; http is for 127.0.0.1 only")
    return url


def server_name(value: str) -> str:
    """The name of a homeserver as it stands after the colon of a Matrix user id."""
    if "://" in value:
        raise WrongValue("must be a server name, is a URL; write what follows the colon in your user id")
    match = SERVER_NAME.fullmatch(value)
    if not match or not 0 < int(match["port"] or 1) < 65536:
        raise WrongValue(f'must be a server name, is "{shown(value)}"; write it like example.org')
    return value


def user_id(value: str) -> str:
    """A Matrix user id."""
    if not USER_ID.fullmatch(value) or len(value) > 255:
        raise WrongValue(f'must be a Matrix user id, is "{shown(value)}"; write it in quotes like "@ana:example.org"')
    return value


def localpart(value: str) -> str:
    """A name that may stand before the colon of a Matrix user id, and that homeservers take as a sender.

    Matrix allows = + / as well; Synapse refuses to start with a sender_localpart that has to be escaped.
    """
    if not re.fullmatch(r"[a-z0-9._-]{1,100}", value):
        raise WrongValue(f'must be of a-z, 0-9 and . _ - only, is "{shown(value)}"; write it like coterie')
    return value


def host(value: str) -> str:
    """A name or address to listen on."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", value):
        raise WrongValue(f'must be a host name or IP address, is "{shown(value)}"; write it like 127.0.0.1 or 0.0.0.0')
    return value


def line(value: str) -> str:
    """A text that a client can show on one line."""
    if not value.strip() or len(value) > 100 or not value.isprintable():
        raise WrongValue("must be one line of 1 to 100 printable characters; shorten or retype it")
    return value


def token(value: str) -> str:
    """A secret that can be sent in an HTTP header and not be guessed."""
    if not value:
        raise WrongValue(f"is empty; {BY_HAND}")
    if value in SAMPLE_TOKENS:
        raise WrongValue(f"is still that of the example; {BY_HAND}")
    if not re.fullmatch(r"[!-~]+", value):
        raise WrongValue(f"must be of ASCII letters, digits and signs without spaces; {BY_HAND}")
    if len(value) < 32:
        raise WrongValue(f"must have at least 32 characters; {BY_HAND}")
    return value


def stripe_key(value: str) -> str:
    """A secret or restricted API key of Stripe's."""
    if value.startswith("pk_"):
        raise WrongValue("is the publishable key; write the secret key, which begins with sk_ or rk_")
    if not re.fullmatch(r"[sr]k_[A-Za-z0-9_]{8,250}", value):
        raise WrongValue("must be a secret key of Stripe's, beginning with sk_ or rk_; copy it from Stripe's dashboard")
    return value


def stripe_webhook_secret(value: str) -> str:
    """The signing secret of a webhook endpoint at Stripe."""
    if not re.fullmatch(r"whsec_[!-~]{16,250}", value):
        raise WrongValue("must be a signing secret of Stripe's, beginning with whsec_; copy it from the webhook's page")
    return value


def database_url(value: str) -> str:
    """The URL of an SQLite file or a PostgreSQL database."""
    parts = _parts(value, spaces=True)
    if parts.scheme in ("postgres", "postgresql") and value.startswith(f"{parts.scheme}://"):
        return value
    if parts.scheme != "sqlite" or not value.startswith("sqlite:"):
        raise WrongValue("must begin with sqlite: or postgres://; write it like sqlite:coterie.db")
    if parts.netloc or parts.query or parts.fragment or parts.path in ("", "/", ":memory:"):
        raise WrongValue("must name a file; write it like sqlite:coterie.db or sqlite:///var/lib/coterie.db")
    return value


def currency(value: str) -> str:
    """An ISO 4217 code that CLDR knows."""
    if value not in (codes := babel.numbers.list_currencies()):
        mend = value.upper() if value.upper() in codes else "three capital letters such as EUR"
        raise WrongValue(f'must be an ISO 4217 currency code, is "{shown(value)}"; write {mend}')
    return value


def locale(value: str) -> str:
    """A language, with a country or script if need be, in CLDR's spelling (en_GB for en-GB)."""
    try:
        return str(babel.Locale.parse(value, sep="-" if "-" in value else "_"))
    except (babel.UnknownLocaleError, ValueError):
        raise WrongValue(
            f'must be a language that CLDR knows, is "{shown(value)}"; write it like en or de_AT'
        ) from None


def time_zone(value: str) -> str:
    """A key of the IANA time zone database."""
    try:
        return zoneinfo.ZoneInfo(value).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(value[:60], zoneinfo.available_timezones(), 1)
        mend = f"did you mean {near[0]}?" if near else "write it like Europe/Berlin"
        raise WrongValue(f'must be an IANA time zone, is "{shown(value)}"; {mend}') from None


def purchase_link(value: str) -> str:
    """A template that becomes an http or https URL when its placeholders are filled."""
    try:
        pieces = list(string.Formatter().parse(value))
    except ValueError:
        raise WrongValue("has a brace without its partner; write placeholders like {reference}") from None
    for _, name, form, conversion in pieces:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            said = shown(name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else ""))
            known = " ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise WrongValue(f"has the unknown placeholder {{{said}}}; choose from {known}")
    parts = _parts(value.format(**PLACEHOLDERS))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongValue("must become an http or https URL; begin it with https:// or with {product_url}")
    return value


@dataclass(frozen=True, slots=True)
class Between:
    """The rule that a number lies in a range, both ends included."""

    least: int
    most: int

    def __call__(self, value: int) -> int:
        if not self.least <= value <= self.most:
            mend = "raise it" if value < self.least else "lower it"
            raise WrongValue(f"must be from {self.least} to {self.most}, is {shown(value)}; {mend}")
        return value


@dataclass(frozen=True, slots=True)
class OneOf:
    """The rule that a text is one of a few."""

    choices: tuple[str, ...]

    def __call__(self, value: str) -> str:
        if value not in self.choices:
            near = difflib.get_close_matches(value.lower()[:60], self.choices, 1)
            mend = f"did you mean {near[0]}?" if near else "choose one of them"
            raise WrongValue(f'must be one of {", ".join(self.choices)}, is "{shown(value)}"; {mend}')
        return value


def _parts(value: str, *, spaces: bool = False) -> SplitResult:
    """The parts of a URL; urlsplit by itself drops tabs and line ends without a word."""
    if not value.isprintable() or (" " in value and not spaces):
        raise WrongValue("must be a URL without spaces or control characters; retype it")
    try:
        parts = urlsplit(value)
        _ = parts.port  # read here, since a bad one raises only when it is read
    except ValueError:
        raise WrongValue(
            "is not a URL that can be read; check its port, and write : / @ in a password as %3A %2F %40"
        ) from None
    return parts
