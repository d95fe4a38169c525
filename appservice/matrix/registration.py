"""What the homeserver is told about the service (Application Service API, section "Registration")."""

import re

from appservice.config import Config


def registration(config: Config) -> dict[str, object]:
    """The content of the registration file; it holds both tokens.

    Homeservers anchor a namespace only at its start, so each ends with the server name and `$`. There is no namespace
    of aliases or rooms: it would subscribe the service to every room that matches.
    """
    bot, domain = _literal(config.appservice.bot_username), _literal(config.homeserver.domain)
    return {
        "id": config.appservice.id,
        "url": config.appservice.address,
        "as_token": config.appservice.as_token,
        "hs_token": config.appservice.hs_token,
        "sender_localpart": config.sender_localpart,
        "rate_limited": False,  # Synapse throttles a bot that is not the sender too, unless told so
        "receive_ephemeral": False,
        "io.element.msc4190": True,  # devices without login
        "namespaces": {
            "users": [
                {"exclusive": True, "regex": f"@{bot}:{domain}$"},
                {"exclusive": True, "regex": f"@{bot}_.*:{domain}$"},
            ],
            "aliases": [],
            "rooms": [],
        },
    }


def _literal(text: str) -> str:
    """A POSIX regular expression for just this text; re.escape would also escape what POSIX says not to."""
    return re.sub(r"([.\[\]])", r"\\\1", text)
