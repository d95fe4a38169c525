"""Reads the configuration file: YAML and secrets in, a Config or a one-line error out."""

import dataclasses
import datetime
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import yaml

from appservice.config.rule import WrongValue, shown
from appservice.config.section import Config

# Keys that may come from a file (as_token_file) or from the environment instead, by their section.
SECRETS: Mapping[str, Mapping[str, str]] = {
    "appservice": {
        "as_token": "COTERIE_AS_TOKEN",
        "hs_token": "COTERIE_HS_TOKEN",
        "antispam_token": "COTERIE_ANTISPAM_TOKEN",
        "database": "COTERIE_DATABASE",
    },
    "purchase.stripe": {
        "api_key": "COTERIE_STRIPE_API_KEY",
        "webhook_secret": "COTERIE_STRIPE_WEBHOOK_SECRET",
    },
}
KINDS: Mapping[type, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    float: "a number with a fraction",
    list: "a list",
    dict: "a section with keys",
    datetime.date: "a date",
    datetime.datetime: "a date",
    types.NoneType: "empty",
}


class ConfigError(Exception):
    """One line: file, dotted path, what is wrong and what to do. Never holds a secret."""


class _Problem(Exception):
    """What is wrong, and at which dotted path."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(path, text)
        self.path, self.text = path, text


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in a file, with secrets from the environment where it has them.

    Raises ConfigError for a file that cannot be read or holds anything unknown, missing or impossible.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: does not exist; run coterie init, or name another with --config") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check its owner and mode") from None
    except ValueError:
        raise ConfigError(f"{path}: is not a text file in UTF-8; save it as one") from None
    return parse(text, path, environ)


def parse(text: str, path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in a text; `path` is named in errors, and secret files are relative to its folder."""
    origin: dict[str, str] = {}
    try:
        raw = _yaml(text)
        if isinstance(own := raw.get("appservice", {}), dict):
            raw["appservice"] = _with_secrets("appservice", own, path.parent, environ, origin)
        if (own := _stripe(raw)) is not None:
            raw["purchase"]["stripe"] = _with_secrets("purchase.stripe", own, path.parent, environ, origin)
        config: Config = _read(Config, raw, "")
        _check_whole(config)
    except _Problem as problem:
        at = f"{problem.path}{origin.get(problem.path, '')}: " if problem.path else ""
        raise ConfigError(f"{path}: {at}{problem.text}") from None
    return config


def files_open_to_all(path: Path) -> tuple[Path, ...]:
    """The files that hold secrets of a configuration that loads, and that every local user can read."""
    raw = _yaml(path.read_text(encoding="utf-8"))
    own, stripe = raw.get("appservice", {}), _stripe(raw) or {}
    files = [
        path.parent / section[f"{name}_file"]
        for section, names in ((own, SECRETS["appservice"]), (stripe, SECRETS["purchase.stripe"]))
        for name in names
        if f"{name}_file" in section
    ]
    kept = ("as_token", "hs_token", "antispam_token")
    if any(map(own.get, kept)) or "@" in own.get("database", "") or any(map(stripe.get, SECRETS["purchase.stripe"])):
        files.insert(0, path)
    return tuple(file for file in files if file.is_file() and file.stat().st_mode & 0o004)


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses the same key twice: PyYAML would quietly keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for position, key in enumerate(keys):
            if key in keys[:position] and key != "<<":
                raise _Problem("", f"line {node.start_mark.line + 1}: {shown(key)} stands here twice; keep one")
        return super().construct_mapping(node, deep)


def _yaml(text: str) -> dict[Any, Any]:
    try:
        raw = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        # Not its own words: they may quote a secret.
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise _Problem("", f"{where}is not YAML; check the indentation, colons and quotes there") from None
    except RecursionError:
        raise _Problem("", "is nested too deeply; write sections and keys as in the example") from None
    except _Problem:
        raise
    except Exception:
        # PyYAML lets ValueError, KeyError, AttributeError and more out for impossible dates and wrong tags.
        raise _Problem("", "is not YAML that can be read; check dates, tags and special characters") from None
    if raw is None:
        raise _Problem("", "is empty; run coterie init in another folder and copy what it writes")
    if not isinstance(raw, dict):
        raise _Problem("", f"must have sections with keys, is {_kind(raw)}; write it as in the example")
    return raw


def _stripe(raw: Mapping[Any, Any]) -> dict[Any, Any] | None:
    """The section purchase.stripe; an empty one where it is needed but left out: its keys may come from elsewhere."""
    purchase = raw.get("purchase")
    if not isinstance(purchase, dict):
        return None
    own = purchase.get("stripe")
    if own is None and purchase.get("provider") == "stripe":
        return {}
    return own if isinstance(own, dict) else None


def _with_secrets(
    section: str, raw: Mapping[Any, Any], folder: Path, environ: Mapping[str, str], origin: dict[str, str]
) -> dict[Any, Any]:
    """The section with its secrets in place; `origin` is told where each came from."""
    merged = dict(raw)
    for name, variable in SECRETS[section].items():
        path, file = f"{section}.{name}", merged.pop(f"{name}_file", None)
        if environ.get(variable):
            merged[name] = environ[variable]
            origin[path] = f" (from {variable})"
        elif f"{name}_file" in raw:
            if name in raw:
                raise _Problem(f"{path}_file", f"stands beside {name}; keep one of the two")
            merged[name] = _content(folder, _read(str, file, f"{path}_file"), f"{path}_file")
            origin[path] = f" (from {name}_file)"
    return merged


def _content(folder: Path, file: str, path: str) -> str:
    try:
        return (folder / file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _Problem(path, f"cannot be read ({error.strerror}); check the path, owner and mode") from None
    except ValueError:
        raise _Problem(path, "must name a text file in UTF-8; save it as one") from None


def _read(hint: Any, value: Any, path: str) -> Any:
    """The value as its type hint wants it, its rule applied; sections and list items by recursion."""
    if get_origin(hint) is Annotated:
        hint, rule = get_args(hint)
        try:
            return rule(_read(hint, value, path))
        except WrongValue as wrong:
            raise _Problem(path, str(wrong)) from None
    if get_origin(hint) in (Union, types.UnionType):
        return None if value is None else _read(get_args(hint)[0], value, path)
    if get_origin(hint) is tuple:
        items = _typed(list, value, path)
        return tuple(_read(get_args(hint)[0], item, f"{path}[{at}]") for at, item in enumerate(items))
    if dataclasses.is_dataclass(hint):
        return _section(typing.cast(type, hint), _typed(dict, value, path), path)
    return _typed(hint, value, path)


def _typed(wanted: type, value: Any, path: str) -> Any:
    if type(value) is wanted:  # not isinstance: true and false are no numbers
        return value
    if wanted is str:
        mend = "write one text" if isinstance(value, list | dict | None) else "put it in quotes"
    elif wanted is int:
        mend = "remove the quotes" if isinstance(value, str) and value.isdecimal() else "write a number"
    elif wanted is bool:
        mend = "write true or false"
    elif wanted is list:
        mend = "write it in square brackets, with commas between"
    else:
        mend = "indent its keys below it, or remove the line"
    raise _Problem(path, f"must be {KINDS[wanted]}, is {_kind(value)}; {mend}")


def _kind(value: object) -> str:
    return KINDS.get(type(value), "of another kind")


def _section(section: type, raw: Mapping[Any, Any], path: str) -> Any:
    hints = get_type_hints(section, include_extras=True)
    prefix = f"{path}." if path else ""
    for key in raw:
        if key not in hints:
            raise _Problem(f"{prefix}{shown(key)}", f"is not known; {_mend_unknown(key, section, path)}")
    for key in dataclasses.fields(section):
        if key.name not in raw and key.default is dataclasses.MISSING:
            raise _Problem(f"{prefix}{key.name}", f"is missing; {_mend_missing(key.name, path)}")
    return section(**{name: _read(hints[name], value, f"{prefix}{name}") for name, value in raw.items()})


def _mend_missing(key: str, path: str) -> str:
    variable = SECRETS.get(path, {}).get(key)
    return f"add it, or set {variable}" if variable else "add it as in the example"


def _mend_unknown(key: Any, section: type, path: str) -> str:
    known = [field.name for field in dataclasses.fields(section)]
    known += [f"{name}_file" for name in SECRETS.get(path, {})]
    near = difflib.get_close_matches(str(key)[:60], known, 1)
    if near:
        return f"did you mean {near[0]}?"
    for name, other in get_type_hints(Config).items():
        if dataclasses.is_dataclass(other) and key in (field.name for field in dataclasses.fields(other)):
            return f"did you mean {name}.{key}?"
    return f"remove it, or choose from {', '.join(known)}"


def _check_whole(config: Config) -> None:
    """What no single value shows."""
    own, groups = config.appservice, config.groups
    if own.as_token == own.hs_token:
        raise _Problem("appservice.hs_token", "must differ from as_token; make one with: openssl rand -hex 32")
    if own.antispam_token in (own.as_token, own.hs_token):
        raise _Problem(
            "appservice.antispam_token", "must differ from as_token and hs_token; make one with: openssl rand -hex 32"
        )
    if config.purchase.provider == "stripe" and config.web.public_url is None:
        raise _Problem(
            "web.public_url",
            "is missing, though purchase.provider is stripe; write where people's browsers reach Coterie",
        )
    if config.purchase.remind_hours_before >= config.purchase.pay_days * 24:
        raise _Problem(
            "purchase.remind_hours_before",
            f"must be less than purchase.pay_days ({config.purchase.pay_days * 24} hours); lower it",
        )
    if groups.cap > groups.max_cap:
        raise _Problem(
            "groups.cap",
            f"must be at most groups.max_cap ({groups.max_cap}), is {groups.cap}; lower it",
        )
    if len(f"@{config.sender_localpart}:{config.homeserver.domain}") > 255:
        raise _Problem("appservice.bot_username", "makes user ids longer than 255 characters; shorten it")
    if config.bot_mxid in groups.owners:
        at = groups.owners.index(config.bot_mxid)
        raise _Problem(f"groups.owners[{at}]", "is the bot itself; name a person")
