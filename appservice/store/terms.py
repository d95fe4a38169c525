"""Terms as JSON: in the ledger whole, in a buy's row what has no column of its own."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from appservice.domain.clearing import Tier
from appservice.domain.group_buy import Terms
from appservice.domain.money import Tax


def format_terms(terms: Terms) -> dict[str, Any]:
    """Give all that terms say."""
    return asdict(terms)


def parse_terms(known: Mapping[str, Any]) -> Terms:
    """Give the terms that `format_terms` has written."""
    tax = known.get("tax")
    more = {"tiers": tuple(Tier(**tier) for tier in known["tiers"]), "variants": tuple(known.get("variants", ()))}
    return Terms(**{**known, **more, "tax": Tax(**tax) if tax else None})


def format_extras(terms: Terms) -> dict[str, Any]:
    """Give what terms say beyond the columns of a buy."""
    columns = ("currency", "tiers", "deadline_at", "pack", "cap", "opens_at")
    return {name: value for name, value in format_terms(terms).items() if name not in columns}
