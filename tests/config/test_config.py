"""The configuration file: every rule with the whole line that an operator reads when it is broken."""

# ruff: noqa: E501 - one row of a table on one line

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.config import Config, ConfigError, Groups, Purchase, files_open_to_all, load, parse
from appservice.config.rule import SAMPLE_TOKENS, shown

EXAMPLE = Path(__file__).parents[2] / "config" / "example.yaml"
AS_TOKEN, HS_TOKEN = "a-secret-of-the-service-" + "a" * 20, "a-secret-of-the-homeserver-" + "h" * 20
DOOR_TOKEN = "a-secret-of-the-door-" + "d" * 20
PASSWORD = "correct-horse"
API_KEY, SIGNING_SECRET = "sk_test_" + "k" * 24, "whsec_" + "s" * 24
STRIPE = {"api_key": API_KEY, "webhook_secret": SIGNING_SECRET}
GOOD: dict[str, Any] = {
    "homeserver": {"address": "http://127.0.0.1:8008", "domain": "example.org"},
    "appservice": {"as_token": AS_TOKEN, "hs_token": HS_TOKEN},
    "groups": {"owners": ["@ana:example.org"]},
}
FILE = Path("config.yaml")
SECRETS = (AS_TOKEN, HS_TOKEN, DOOR_TOKEN, PASSWORD, API_KEY, SIGNING_SECRET)


def laid_over(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with the values at dotted paths changed; `...` removes a key."""
    raw = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *sections, key = path.split(".")
        at = raw
        for section in sections:
            at = at.setdefault(section, {})
        if value is ...:
            del at[key]
        else:
            at[key] = value
    return raw


def read(changes: dict[str, Any], environ: dict[str, str] | None = None) -> Config:
    return parse(yaml.safe_dump(laid_over(changes)), FILE, environ or {})


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        act()
    return str(caught.value)


# ---- what is read -----------------------------------------------------------------------------------------


def test_what_is_left_out_has_its_default() -> None:
    config = read({})
    own = config.appservice
    assert (own.address, own.hostname, own.port) == ("http://127.0.0.1:29333", "127.0.0.1", 29333)
    assert (own.id, own.bot_username, own.bot_displayname) == ("coterie", "coterie", "Coterie")
    assert own.database == "sqlite:coterie.db"
    assert own.antispam_token is None
    assert config.groups == Groups(
        owners=("@ana:example.org",),
        cap=200,
        max_cap=500,
        currency="EUR",
        locale="en",
        time_zone="UTC",
        invitation_days=7,
        encrypted=True,
    )
    purchase = config.purchase
    assert purchase == Purchase(provider="link", link=None, stripe=None)
    assert (purchase.pay_days, purchase.remind_hours_before, purchase.offer_hours) == (3, 24, 24)
    assert config.web.public_url is None
    assert config.web.max_body_bytes == 16 * 1024 * 1024
    assert (config.logging.level, config.logging.format) == ("info", "console")


def test_bot_and_sender_are_two_users_named_after_bot_username() -> None:
    config = read({"appservice.bot_username": "shop", "homeserver.domain": "localhost:8448"})
    assert config.bot_mxid == "@shop:localhost:8448"
    assert config.sender_localpart == "_shop_sender"


@pytest.mark.parametrize(
    ("path", "value", "read_as"),
    [
        ("homeserver.address", "https://matrix.example.org/", "https://matrix.example.org"),
        ("homeserver.address", "http://[::1]:8008", "http://[::1]:8008"),
        ("homeserver.address", "https://example.org/matrix/", "https://example.org/matrix"),
        ("homeserver.domain", "localhost:8448", "localhost:8448"),
        ("homeserver.domain", "[::1]:8448", "[::1]:8448"),
        ("homeserver.domain", "10.0.0.7", "10.0.0.7"),
        ("appservice.hostname", "::", "::"),
        ("appservice.hostname", "0.0.0.0", "0.0.0.0"),
        ("appservice.hostname", "coterie_1.internal", "coterie_1.internal"),
        ("appservice.port", 1, 1),
        ("appservice.port", 65535, 65535),
        ("appservice.bot_username", "shop.bot-1_x", "shop.bot-1_x"),
        ("appservice.bot_displayname", "Köpgrupp 🧶", "Köpgrupp 🧶"),
        ("appservice.database", "sqlite:///var/lib/coterie/coterie.db", "sqlite:///var/lib/coterie/coterie.db"),
        ("appservice.database", "sqlite:with a space.db", "sqlite:with a space.db"),
        ("appservice.database", "postgres://u:p@db/coterie", "postgres://u:p@db/coterie"),
        ("appservice.database", "postgresql:///c?host=/run/pg", "postgresql:///c?host=/run/pg"),
        ("groups.owners", [], ()),
        ("groups.owners", ["@Old/Style=+:hs.test"], ("@Old/Style=+:hs.test",)),
        ("groups.cap", 1, 1),
        ("groups.cap", 500, 500),
        ("groups.currency", "KWD", "KWD"),
        ("groups.locale", "de-AT", "de_AT"),
        ("groups.locale", "zh_Hant_TW", "zh_Hant_TW"),
        ("groups.time_zone", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("purchase.link", "{product_url}?r={reference}&a={amount_minor}", "{product_url}?r={reference}&a={amount_minor}"),
        ("purchase.link", "https://pay.example/{{x}}/{sku}/{units}{currency}{amount}", "https://pay.example/{{x}}/{sku}/{units}{currency}{amount}"),
        ("web.max_body_bytes", 64 * 1024 * 1024, 64 * 1024 * 1024),
        ("logging.level", "debug", "debug"),
        ("logging.format", "json", "json"),
    ],
)  # fmt: skip
def test_good_values_are_taken(path: str, value: object, read_as: object) -> None:
    section, key = path.split(".")
    assert getattr(getattr(read({path: value}), section), key) == read_as


# ---- what is refused --------------------------------------------------------------------------------------

URL = "must be an http or https URL"
LIKE_URL = "; write it like https://matrix.example.org"
SECRET = "; make one with: openssl rand -hex 32"
REFUSED: list[tuple[dict[str, Any], str]] = [
    # whole sections and keys
    ({"homserver": {}}, "homserver: is not known; did you mean homeserver?"),
    ({"bridge": {}}, "bridge: is not known; remove it, or choose from homeserver, appservice, groups, purchase, web, logging"),
    ({"homeserver": ...}, "homeserver: is missing; add it as in the example"),
    ({"homeserver.domain": ...}, "homeserver.domain: is missing; add it as in the example"),
    ({"appservice": ...}, "appservice.as_token: is missing; add it, or set COTERIE_AS_TOKEN"),
    ({"appservice.hs_token": ...}, "appservice.hs_token: is missing; add it, or set COTERIE_HS_TOKEN"),
    ({"web": None}, "web: must be a section with keys, is empty; indent its keys below it, or remove the line"),
    ({"groups": ["x"]}, "groups: must be a section with keys, is a list; indent its keys below it, or remove the line"),
    ({"appservice": "x"}, "appservice: must be a section with keys, is text; indent its keys below it, or remove the line"),
    ({"groups.capp": 9}, "groups.capp: is not known; did you mean cap?"),
    ({"appservice.hs_tokens_file": "x"}, "appservice.hs_tokens_file: is not known; did you mean hs_token_file?"),
    ({"homeserver.port": 8008}, "homeserver.port: is not known; did you mean appservice.port?"),
    ({"logging.zzz": 1}, "logging.zzz: is not known; remove it, or choose from level, format"),
    ({"web": {True: 1}}, "web.True: is not known; remove it, or choose from public_url, max_body_bytes"),
    ({"web": {"a\nb\x1b[2J": 1}}, r"web.a\nb\x1b[2J: is not known; remove it, or choose from public_url, max_body_bytes"),
    ({"web": {"k" * 99: 1}}, f"web.{'k' * 57}...: is not known; remove it, or choose from public_url, max_body_bytes"),
    # types
    ({"homeserver.address": 8008}, "homeserver.address: must be text, is a whole number; put it in quotes"),
    ({"groups.locale": False}, "groups.locale: must be text, is true or false; put it in quotes"),
    ({"groups.locale": None}, "groups.locale: must be text, is empty; write one text"),
    ({"groups.locale": ["en"]}, "groups.locale: must be text, is a list; write one text"),
    ({"groups.currency": 1.5}, "groups.currency: must be text, is a number with a fraction; put it in quotes"),
    ({"groups.encrypted": "no"}, "groups.encrypted: must be true or false, is text; write true or false"),
    ({"groups.cap": True}, "groups.cap: must be a whole number, is true or false; write a number"),
    ({"groups.cap": 20.0}, "groups.cap: must be a whole number, is a number with a fraction; write a number"),
    ({"groups.cap": "20"}, "groups.cap: must be a whole number, is text; remove the quotes"),
    ({"groups.cap": "many"}, "groups.cap: must be a whole number, is text; write a number"),
    ({"groups.cap": None}, "groups.cap: must be a whole number, is empty; write a number"),
    ({"groups.owners": "@ana:example.org"}, "groups.owners: must be a list, is text; write it in square brackets, with commas between"),
    ({"groups.owners": ["@ana:example.org", 7]}, "groups.owners[1]: must be text, is a whole number; put it in quotes"),
    ({"groups.owners": [None]}, "groups.owners[0]: must be text, is empty; write one text"),
    ({"purchase.link": {}}, "purchase.link: must be text, is a section with keys; write one text"),
    ({"appservice.as_token": 12345678901234567890123456789012}, "appservice.as_token: must be text, is a whole number; put it in quotes"),
    ({"appservice.as_token": {"x"}}, "appservice.as_token: must be text, is of another kind; put it in quotes"),
    # URLs
    ({"homeserver.address": "matrix.example.org"}, f'homeserver.address: {URL}, is "matrix.example.org"{LIKE_URL}'),
    ({"homeserver.address": "ftp://example.org"}, f'homeserver.address: {URL}, is "ftp://example.org"{LIKE_URL}'),
    ({"homeserver.address": "http://"}, f'homeserver.address: {URL}, is "http://"{LIKE_URL}'),
    ({"homeserver.address": ""}, f'homeserver.address: {URL}, is ""{LIKE_URL}'),
    ({"homeserver.address": f"u:{PASSWORD}@x"}, f"homeserver.address: {URL}{LIKE_URL}"),
    ({"homeserver.address": f"http://u:{PASSWORD}@x"}, "homeserver.address: must not hold a user name or password; remove what stands before the @"),
    ({"homeserver.address": "http://x?y"}, "homeserver.address: must end after its path; remove what begins with ? or #"),
    ({"homeserver.address": "http://x#"}, "homeserver.address: must end after its path; remove what begins with ? or #"),
    ({"homeserver.address": "http://x y"}, "homeserver.address: must be a URL without spaces or control characters; retype it"),
    ({"homeserver.address": "http://x\n"}, "homeserver.address: must be a URL without spaces or control characters; retype it"),
    ({"appservice.address": "http://x:99999"}, "appservice.address: is not a URL that can be read; check its port, and write : / @ in a password as %3A %2F %40"),
    ({"appservice.address": "http://[::1"}, "appservice.address: is not a URL that can be read; check its port, and write : / @ in a password as %3A %2F %40"),
    # names
    ({"homeserver.domain": "https://example.org"}, "homeserver.domain: must be a server name, is a URL; write what follows the colon in your user id"),
    ({"homeserver.domain": "@ana:example.org"}, 'homeserver.domain: must be a server name, is "@ana:example.org"; write it like example.org'),
    ({"homeserver.domain": "example.org:0"}, 'homeserver.domain: must be a server name, is "example.org:0"; write it like example.org'),
    ({"homeserver.domain": "example.org:65536"}, 'homeserver.domain: must be a server name, is "example.org:65536"; write it like example.org'),
    ({"homeserver.domain": "ex_ample.org"}, 'homeserver.domain: must be a server name, is "ex_ample.org"; write it like example.org'),
    ({"homeserver.domain": ""}, 'homeserver.domain: must be a server name, is ""; write it like example.org'),
    ({"appservice.hostname": "http://x"}, 'appservice.hostname: must be a host name or IP address, is "http://x"; write it like 127.0.0.1 or 0.0.0.0'),
    ({"appservice.hostname": ""}, 'appservice.hostname: must be a host name or IP address, is ""; write it like 127.0.0.1 or 0.0.0.0'),
    ({"appservice.id": "Coterie"}, 'appservice.id: must be of a-z, 0-9 and . _ - only, is "Coterie"; write it like coterie'),
    ({"appservice.bot_username": "@coterie"}, 'appservice.bot_username: must be of a-z, 0-9 and . _ - only, is "@coterie"; write it like coterie'),
    ({"appservice.bot_username": "a=b"}, 'appservice.bot_username: must be of a-z, 0-9 and . _ - only, is "a=b"; write it like coterie'),
    ({"appservice.bot_username": ""}, 'appservice.bot_username: must be of a-z, 0-9 and . _ - only, is ""; write it like coterie'),
    ({"appservice.bot_username": "b" * 100, "homeserver.domain": "d" * 200}, "appservice.bot_username: makes user ids longer than 255 characters; shorten it"),
    ({"appservice.bot_displayname": " "}, "appservice.bot_displayname: must be one line of 1 to 100 printable characters; shorten or retype it"),
    ({"appservice.bot_displayname": "two\nlines"}, "appservice.bot_displayname: must be one line of 1 to 100 printable characters; shorten or retype it"),
    ({"appservice.bot_displayname": "x" * 101}, "appservice.bot_displayname: must be one line of 1 to 100 printable characters; shorten or retype it"),
    ({"groups.owners": ["ana"]}, 'groups.owners[0]: must be a Matrix user id, is "ana"; write it in quotes like "@ana:example.org"'),
    ({"groups.owners": ["@ana:example.org", "@a:"]}, 'groups.owners[1]: must be a Matrix user id, is "@a:"; write it in quotes like "@ana:example.org"'),
    ({"groups.owners": [f"@{'a' * 250}:b.test"]}, f'groups.owners[0]: must be a Matrix user id, is "@{"a" * 56}..."; write it in quotes like "@ana:example.org"'),
    ({"groups.owners": ["@coterie:example.org"]}, "groups.owners[0]: is the bot itself; name a person"),
    # secrets, which are never repeated
    ({"appservice.as_token": ""}, f"appservice.as_token: is empty{SECRET}"),
    ({"appservice.as_token": "short-secret"}, f"appservice.as_token: must have at least 32 characters{SECRET}"),
    ({"appservice.hs_token": "with a space " * 4}, f"appservice.hs_token: must be of ASCII letters, digits and signs without spaces{SECRET}"),
    ({"appservice.hs_token": "ü" * 40}, f"appservice.hs_token: must be of ASCII letters, digits and signs without spaces{SECRET}"),
    ({"appservice.hs_token": AS_TOKEN}, f"appservice.hs_token: must differ from as_token{SECRET}"),
    ({"appservice.antispam_token": ""}, f"appservice.antispam_token: is empty{SECRET}"),
    ({"appservice.antispam_token": "short-secret"}, f"appservice.antispam_token: must have at least 32 characters{SECRET}"),
    *(({"appservice.antispam_token": other}, f"appservice.antispam_token: must differ from as_token and hs_token{SECRET}") for other in (AS_TOKEN, HS_TOKEN)),
    *(({f"appservice.{key}": sample}, f"appservice.{key}: is still that of the example{SECRET}") for key in ("as_token", "hs_token") for sample in SAMPLE_TOKENS),
    ({"appservice.database": "coterie.db"}, "appservice.database: must begin with sqlite: or postgres://; write it like sqlite:coterie.db"),
    ({"appservice.database": f"mysql://u:{PASSWORD}@x/y"}, "appservice.database: must begin with sqlite: or postgres://; write it like sqlite:coterie.db"),
    ({"appservice.database": "postgres:coterie"}, "appservice.database: must begin with sqlite: or postgres://; write it like sqlite:coterie.db"),
    ({"appservice.database": ""}, "appservice.database: must begin with sqlite: or postgres://; write it like sqlite:coterie.db"),
    *(({"appservice.database": f"sqlite:{rest}"}, "appservice.database: must name a file; write it like sqlite:coterie.db or sqlite:///var/lib/coterie.db")
      for rest in ("", "//", "///", ":memory:", "//host/x.db", "//coterie.db", "x.db?mode=ro")),
    ({"appservice.database": "postgres://u:p/word@db/c"}, "appservice.database: is not a URL that can be read; check its port, and write : / @ in a password as %3A %2F %40"),
    # numbers
    ({"appservice.port": 0}, "appservice.port: must be from 1 to 65535, is 0; raise it"),
    ({"appservice.port": 65536}, "appservice.port: must be from 1 to 65535, is 65536; lower it"),
    ({"groups.cap": 900}, "groups.cap: must be from 1 to 500, is 900; lower it"),
    ({"groups.cap": 0}, "groups.cap: must be from 1 to 500, is 0; raise it"),
    ({"groups.cap": 10**20}, "groups.cap: must be from 1 to 500, is a very large number; lower it"),
    ({"groups.cap": -(10**20)}, "groups.cap: must be from 1 to 500, is a very small number; raise it"),
    ({"groups.max_cap": 501}, "groups.max_cap: must be from 1 to 500, is 501; lower it"),
    ({"groups.max_cap": 100}, "groups.cap: must be at most groups.max_cap (100), is 200; lower it"),
    ({"groups.max_cap": 300, "groups.cap": 301}, "groups.cap: must be at most groups.max_cap (300), is 301; lower it"),
    ({"groups.invitation_days": 0}, "groups.invitation_days: must be from 1 to 365, is 0; raise it"),
    ({"web.max_body_bytes": 1_000_000}, "web.max_body_bytes: must be from 8388608 to 268435456, is 1000000; raise it"),
    # CLDR and IANA
    ({"groups.currency": "eur"}, 'groups.currency: must be an ISO 4217 currency code, is "eur"; write EUR'),
    ({"groups.currency": "€"}, 'groups.currency: must be an ISO 4217 currency code, is "€"; write three capital letters such as EUR'),
    ({"groups.locale": "xx"}, 'groups.locale: must be a language that CLDR knows, is "xx"; write it like en or de_AT'),
    ({"groups.locale": "en_US.UTF-8"}, 'groups.locale: must be a language that CLDR knows, is "en_US.UTF-8"; write it like en or de_AT'),
    ({"groups.locale": ""}, 'groups.locale: must be a language that CLDR knows, is ""; write it like en or de_AT'),
    ({"groups.time_zone": "Europe/Berln"}, 'groups.time_zone: must be an IANA time zone, is "Europe/Berln"; did you mean Europe/Berlin?'),
    ({"groups.time_zone": "Europe"}, 'groups.time_zone: must be an IANA time zone, is "Europe"; did you mean Europe/Rome?'),
    ({"groups.time_zone": "/etc/passwd"}, 'groups.time_zone: must be an IANA time zone, is "/etc/passwd"; write it like Europe/Berlin'),
    ({"groups.time_zone": ""}, 'groups.time_zone: must be an IANA time zone, is ""; write it like Europe/Berlin'),
    # payment
    ({"purchase.provider": "paypal"}, 'purchase.provider: must be one of link, stripe, is "paypal"; choose one of them'),
    ({"purchase.provider": "stripe"}, "purchase.stripe.api_key: is missing; add it, or set COTERIE_STRIPE_API_KEY"),
    ({"purchase.stripe": {"api_key": API_KEY}}, "purchase.stripe.webhook_secret: is missing; add it, or set COTERIE_STRIPE_WEBHOOK_SECRET"),
    ({"purchase.stripe": {**STRIPE, "apikey": API_KEY}}, "purchase.stripe.apikey: is not known; did you mean api_key?"),
    ({"purchase.stripe": "x"}, "purchase.stripe: must be a section with keys, is text; indent its keys below it, or remove the line"),
    ({"purchase.provider": "stripe", "purchase.stripe": STRIPE}, "web.public_url: is missing, though purchase.provider is stripe; write where people's browsers reach Coterie"),
    ({"purchase.stripe": {**STRIPE, "api_key": "pk_live_" + "1" * 24}}, "purchase.stripe.api_key: is the publishable key; write the secret key, which begins with sk_ or rk_"),
    *(({"purchase.stripe": {**STRIPE, "api_key": key}}, "purchase.stripe.api_key: must be a secret key of Stripe's, beginning with sk_ or rk_; copy it from Stripe's dashboard")
      for key in ("", "sk_", "sk_live_\n12345678", "whsec_" + "1" * 24)),
    *(({"purchase.stripe": {**STRIPE, "webhook_secret": key}}, "purchase.stripe.webhook_secret: must be a signing secret of Stripe's, beginning with whsec_; copy it from the webhook's page")
      for key in ("", "whsec_", API_KEY)),
    *(({"purchase.stripe": {**STRIPE, "api_base": url}}, "purchase.stripe.api_base: must begin with https://, since secrets travel by it; http is for 127.0.0.1 only")
      for url in ("http://api.stripe.com", "http://127.0.0.1.example.org")),
    ({"web.public_url": "http://shop.example"}, "web.public_url: must begin with https://, since secrets travel by it; http is for 127.0.0.1 only"),
    ({"web.public_url": "https://shop.example/?x"}, "web.public_url: must end after its path; remove what begins with ? or #"),
    ({"purchase.pay_days": 0}, "purchase.pay_days: must be from 1 to 90, is 0; raise it"),
    ({"purchase.offer_hours": 0}, "purchase.offer_hours: must be from 1 to 2160, is 0; raise it"),
    ({"purchase.pay_days": 1}, "purchase.remind_hours_before: must be less than purchase.pay_days (24 hours); lower it"),
    # the purchase link
    *(({"purchase.link": f"https://x/{{{name}}}"}, f"purchase.link: has the unknown placeholder {{{name}}}; choose from {{product_url}} {{reference}} {{amount}} {{amount_minor}} {{currency}} {{units}} {{sku}}")
      for name in ("price", "", "0", "amount.real", "sku[0]", "amount!r", "amount:>10")),
    ({"purchase.link": "https://x/{amount"}, "purchase.link: has a brace without its partner; write placeholders like {reference}"),
    ({"purchase.link": "https://x/}"}, "purchase.link: has a brace without its partner; write placeholders like {reference}"),
    *(({"purchase.link": link}, "purchase.link: must become an http or https URL; begin it with https:// or with {product_url}")
      for link in ("", "shop.example/{sku}", "{sku}://x", "javascript:alert({amount})", "https://")),
    ({"purchase.link": "https://x/ {sku}"}, "purchase.link: must be a URL without spaces or control characters; retype it"),
    # logging
    ({"logging.level": "warn"}, 'logging.level: must be one of debug, info, warning, error, is "warn"; did you mean warning?'),
    ({"logging.level": "INFO"}, 'logging.level: must be one of debug, info, warning, error, is "INFO"; did you mean info?'),
    ({"logging.format": "xml"}, 'logging.format: must be one of console, json, is "xml"; choose one of them'),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "line"), REFUSED, ids=[line[:70] for _, line in REFUSED])
def test_a_wrong_value_is_refused_in_one_line_with_path_and_mend(changes: dict[str, Any], line: str) -> None:
    assert refusal(lambda: read(changes)) == f"config.yaml: {line}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is empty; run coterie init in another folder and copy what it writes"),
        ("# nothing\n", "is empty; run coterie init in another folder and copy what it writes"),
        ("[]", "must have sections with keys, is a list; write it as in the example"),
        ("just words", "must have sections with keys, is text; write it as in the example"),
        ("a: 1\nb: : :", "line 2: is not YAML; check the indentation, colons and quotes there"),
        ("a: 1\n\tb: 2", "line 2: is not YAML; check the indentation, colons and quotes there"),
        (f"a: *{PASSWORD}", "line 1: is not YAML; check the indentation, colons and quotes there"),
        (f"a: !{PASSWORD} 1", "line 1: is not YAML; check the indentation, colons and quotes there"),
        ("a: !!python/object:os.system x", "line 1: is not YAML; check the indentation, colons and quotes there"),
        ("? [a]\n: 1", "line 1: is not YAML; check the indentation, colons and quotes there"),
        ("a: 2024-13-45", "is not YAML that can be read; check dates, tags and special characters"),
        ("a: !!bool maybe", "is not YAML that can be read; check dates, tags and special characters"),
        ("a: !!timestamp never", "is not YAML that can be read; check dates, tags and special characters"),
        ("a: " + "9" * 5000, "is not YAML that can be read; check dates, tags and special characters"),
        ("a: \x07", "is not YAML that can be read; check dates, tags and special characters"),
        ("[" * 5000, "is nested too deeply; write sections and keys as in the example"),
        ("web:\n  x: 1\n  x: 2", "line 2: x stands here twice; keep one"),
        ("web: {}\nweb: {}", "line 1: web stands here twice; keep one"),
        ("groups: {time_zone: 2026-01-01}", "homeserver: is missing; add it as in the example"),
        ("a: &a [*a]", "a: is not known; remove it, or choose from homeserver, appservice, groups, purchase, web, logging"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_refused_in_one_line(text: str, line: str) -> None:
    assert refusal(lambda: parse(text, FILE, {})) == f"config.yaml: {line}"


def test_a_date_is_no_text() -> None:
    text = yaml.safe_dump(laid_over({})) + "logging: {level: 2026-01-01}"
    assert refusal(lambda: parse(text, FILE, {})) == (
        "config.yaml: logging.level: must be text, is a date; put it in quotes"
    )


def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing.yaml", tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert refusal(lambda: load(missing, {})) == (
        f"{missing}: does not exist; run coterie init, or name another with --config"
    )
    assert refusal(lambda: load(tmp_path, {})) == (
        f"{tmp_path}: cannot be read (Is a directory); check its owner and mode"
    )
    assert refusal(lambda: load(binary, {})) == f"{binary}: is not a text file in UTF-8; save it as one"


# ---- secrets ----------------------------------------------------------------------------------------------


def test_the_environment_goes_before_the_file() -> None:
    environ = {
        "COTERIE_AS_TOKEN": "e" * 32,
        "COTERIE_HS_TOKEN": "f" * 32,
        "COTERIE_DATABASE": "postgres://u:p@db/c",
    }
    own = read(
        {"appservice.as_token": "ignored", "appservice.hs_token": ..., "appservice.database": 7}, environ
    ).appservice
    assert (own.as_token, own.hs_token, own.database) == ("e" * 32, "f" * 32, "postgres://u:p@db/c")


def test_secrets_may_all_come_from_the_environment() -> None:
    config = read({"appservice": ...}, {"COTERIE_AS_TOKEN": "e" * 32, "COTERIE_HS_TOKEN": "f" * 32})
    assert config.appservice.hs_token == "f" * 32


def test_the_token_of_the_door_may_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    assert read({"appservice.antispam_token": DOOR_TOKEN}).appservice.antispam_token == DOOR_TOKEN
    assert read({}, {"COTERIE_ANTISPAM_TOKEN": DOOR_TOKEN}).appservice.antispam_token == DOOR_TOKEN
    (tmp_path / "door").write_text(f"{DOOR_TOKEN}\n")
    changes = {"appservice.antispam_token_file": str(tmp_path / "door")}
    assert read(changes).appservice.antispam_token == DOOR_TOKEN
    assert refusal(lambda: read({}, {"COTERIE_ANTISPAM_TOKEN": HS_TOKEN})) == (
        "config.yaml: appservice.antispam_token (from COTERIE_ANTISPAM_TOKEN): must differ from as_token and hs_token"
        + SECRET
    )


BY_STRIPE = {"purchase.provider": "stripe", "web.public_url": "https://shop.example/coterie/"}


def test_the_keys_of_stripe_may_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    environ = {"COTERIE_STRIPE_API_KEY": API_KEY, "COTERIE_STRIPE_WEBHOOK_SECRET": SIGNING_SECRET}
    stripe = read({**BY_STRIPE, "purchase.stripe": None}, environ).purchase.stripe
    assert stripe is not None
    assert (stripe.api_key, stripe.webhook_secret) == (API_KEY, SIGNING_SECRET)
    assert stripe.api_base == "https://api.stripe.com"
    assert read({**BY_STRIPE, "purchase.stripe": STRIPE}).purchase.stripe == stripe
    (tmp_path / "key").write_text(f"{API_KEY}\n")
    files = {"api_key_file": str(tmp_path / "key"), "webhook_secret": SIGNING_SECRET}
    assert read({**BY_STRIPE, "purchase.stripe": files}).purchase.stripe == stripe
    assert read({}, environ).purchase.stripe is None, "who is paid by link needs none"
    assert refusal(lambda: read(BY_STRIPE, {**environ, "COTERIE_STRIPE_API_KEY": "pk_test_x"})) == (
        "config.yaml: purchase.stripe.api_key (from COTERIE_STRIPE_API_KEY): is the publishable key; write the secret "
        "key, which begins with sk_ or rk_"
    )


def test_stripe_may_be_on_this_machine_for_a_test() -> None:
    local = {
        "purchase.stripe": {**STRIPE, "api_base": "http://127.0.0.1:12111"},
        "web.public_url": "http://[::1]:29333/",
    }
    config = read({**BY_STRIPE, **local})
    assert config.web.public_url == "http://[::1]:29333"
    assert config.purchase.stripe is not None
    assert config.purchase.stripe.api_base == "http://127.0.0.1:12111"


def test_an_empty_variable_counts_as_none() -> None:
    assert read({}, {"COTERIE_AS_TOKEN": ""}).appservice.as_token == AS_TOKEN


def test_an_error_in_a_secret_says_where_the_secret_came_from(tmp_path: Path) -> None:
    assert refusal(lambda: read({}, {"COTERIE_HS_TOKEN": "short"})) == (
        f"config.yaml: appservice.hs_token (from COTERIE_HS_TOKEN): must have at least 32 characters{SECRET}"
    )
    file = tmp_path / "token"
    file.write_text("short\n")
    changes = {"appservice.as_token": ..., "appservice.as_token_file": str(file)}
    assert refusal(lambda: read(changes)) == (
        f"config.yaml: appservice.as_token (from as_token_file): must have at least 32 characters{SECRET}"
    )


def test_secrets_may_come_from_files_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x" * 40 + "\n")
    (tmp_path / "d").write_text("  sqlite:other.db\r\n")
    changes = {"appservice.as_token": ..., "appservice.as_token_file": "a", "appservice.database_file": "d"}
    own = parse(yaml.safe_dump(laid_over(changes)), tmp_path / "config.yaml", {}).appservice
    assert (own.as_token, own.hs_token, own.database) == ("x" * 40, HS_TOKEN, "sqlite:other.db")


def test_a_secret_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    def line(file: object, **more: Any) -> str:
        changes = {"appservice.as_token": ..., "appservice.as_token_file": file, **more}
        return refusal(lambda: parse(yaml.safe_dump(laid_over(changes)), tmp_path / "c.yaml", {}))

    (tmp_path / "binary").write_bytes(b"\xff")
    start = f"{tmp_path / 'c.yaml'}: appservice.as_token_file: "
    assert line("none") == f"{start}cannot be read (No such file or directory); check the path, owner and mode"
    assert line("binary") == f"{start}must name a text file in UTF-8; save it as one"
    assert line("a\0b") == f"{start}must name a text file in UTF-8; save it as one"
    assert line(5) == f"{start}must be text, is a whole number; put it in quotes"
    assert line(None) == f"{start}must be text, is empty; write one text"
    both = {"appservice.as_token": AS_TOKEN}
    changes = {**both, "appservice.as_token_file": "x"}
    assert refusal(lambda: read(changes)) == (
        "config.yaml: appservice.as_token_file: stands beside as_token; keep one of the two"
    )


def test_repr_and_shown_values_hold_no_secret() -> None:
    config = read(
        {
            "appservice.antispam_token": DOOR_TOKEN,
            "appservice.database": f"postgres://ana:{PASSWORD}@db:5432/coterie?sslmode=require",
            "purchase.stripe": STRIPE,
        }
    )
    assert config.appservice.database_shown == "postgres://db:5432/coterie"
    for text in (repr(config), str(config), repr(config.appservice), config.appservice.database_shown):
        assert not [secret for secret in SECRETS if secret in text]
    assert read({}).appservice.database_shown == "sqlite:coterie.db"


def test_secrets_are_struck_out_of_any_text() -> None:
    database = "postgres://ana:p%40ss@db/coterie"
    config = read({"appservice.antispam_token": DOOR_TOKEN, "appservice.database": database, "purchase.stripe": STRIPE})
    text = f"{AS_TOKEN} {HS_TOKEN} {DOOR_TOKEN} p%40ss p@ss {API_KEY} {SIGNING_SECRET} stays"
    assert config.without_secrets(text) == "*** *** *** *** *** *** *** stays"
    assert read({}).without_secrets("nothing to strike") == "nothing to strike"


@pytest.mark.parametrize(
    ("changes", "mode", "open_files"),
    [
        ({}, 0o600, []),
        ({}, 0o640, []),
        ({}, 0o644, ["config.yaml"]),
        ({"appservice.as_token": ..., "appservice.as_token_file": "token"}, 0o644, ["config.yaml", "token"]),
        ({"appservice": {"as_token_file": "token"}}, 0o644, ["token"]),
        ({"appservice": {"as_token_file": "token", "database": "postgres://u:p@h/d"}}, 0o644, ["config.yaml", "token"]),
        ({"appservice": {"as_token_file": "none"}}, 0o644, []),
        ({"appservice": {"as_token_file": "none", "antispam_token": None}}, 0o644, []),
        ({"appservice": {"as_token_file": "none", "antispam_token": DOOR_TOKEN}}, 0o644, ["config.yaml"]),
        ({"appservice": {"antispam_token_file": "token"}}, 0o644, ["token"]),
        ({"appservice": ...}, 0o644, []),
        ({"appservice": ..., "purchase.stripe": None}, 0o644, []),
        ({"appservice": ..., "purchase.stripe": STRIPE}, 0o644, ["config.yaml"]),
        ({"appservice": ..., "purchase.stripe": {"api_key_file": "token"}}, 0o644, ["token"]),
    ],
)  # fmt: skip
def test_files_with_secrets_that_everybody_can_read_are_found(
    tmp_path: Path, changes: dict[str, Any], mode: int, open_files: list[str]
) -> None:
    for name, text in (("config.yaml", yaml.safe_dump(laid_over(changes))), ("token", "t" * 40)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    assert files_open_to_all(tmp_path / "config.yaml") == tuple(tmp_path / name for name in open_files)


# ---- the example, and whatever else may stand in a file ---------------------------------------------------


def test_the_example_needs_tokens_and_then_loads_with_the_defaults() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert refusal(lambda: parse(text, FILE, {})) == (
        f"config.yaml: appservice.as_token: is still that of the example{SECRET}"
    )
    for sample, token in zip(sorted(SAMPLE_TOKENS), (AS_TOKEN, HS_TOKEN), strict=True):
        assert text.count(sample) == 1
        text = text.replace(sample, token)
    assert parse(text, FILE, {}) == read({"groups.owners": ["@you:example.org"]})


def test_the_example_names_every_key_once_and_in_order() -> None:
    config = read({})
    raw = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    assert list(raw) == [field.name for field in dataclasses.fields(Config)]
    for section in dataclasses.fields(Config):
        known = {field.name for field in dataclasses.fields(getattr(config, section.name))}
        assert set(raw[section.name]) == known


def test_the_repository_shows_the_example_that_the_package_carries() -> None:
    assert EXAMPLE.resolve().is_relative_to(EXAMPLE.parents[1] / "appservice")


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=9)
    | st.sampled_from(["http://x", "sqlite:x", "{sku}", "@a:b", "EUR", "Europe/Paris", "\ud800"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=5,
)
PATHS = [
    f"{section}.{key}"
    for section, keys in yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")).items()
    for key in (*keys, "as_token_file")
] + ["homeserver", "appservice", "groups", "purchase", "web", "logging", "more"]


def config_or_one_line(text: str) -> None:
    try:
        config = parse(text, FILE, {})
    except ConfigError as error:
        line = str(error)
        assert line.isprintable()
        assert line.startswith("config.yaml: ")
        assert "; " in line
        assert len(line) < 400
        assert AS_TOKEN not in line
        assert HS_TOKEN not in line
    else:
        assert isinstance(config, Config)


@given(st.dictionaries(st.sampled_from(PATHS), values, max_size=3))
@settings(deadline=None)
def test_any_value_anywhere_gives_a_configuration_or_one_line(changes: dict[str, Any]) -> None:
    raw = copy.deepcopy(GOOD)
    for path, value in changes.items():
        section, _, key = path.partition(".")
        if not key:
            raw[section] = value
        elif isinstance(raw.setdefault(section, {}), dict):
            raw[section][key] = value
    config_or_one_line(yaml.dump(raw))


@given(st.text() | st.text(alphabet="ab:-?!&*[]{}|>'\"%@# \n\t0"))
@settings(deadline=None)
def test_any_text_gives_one_line(text: str) -> None:
    config_or_one_line(text)


@given(st.text(alphabet=st.characters()))
def test_what_is_shown_of_a_value_fits_on_a_line(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= 60 * len(r"\U0001ffff")


def test_no_environment_is_read_but_what_is_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_AS_TOKEN", "e" * 32)
    assert read({}).appservice.as_token == AS_TOKEN
