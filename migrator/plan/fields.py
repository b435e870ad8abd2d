"""The kinds of value a plan document holds, as pydantic types: how each is read, and what its JSON Schema says.

Decides about one value alone; what belongs together is ``check``'s. Rule: a reader raises ValueError with one clause for
the plan's author, never with the value of something that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from migrator.model.addresses import is_loopback_host
from migrator.model.identities import FORMS, REFERENCE
from migrator.model.units import parse_bound, parse_count, parse_duration, parse_ratio, parse_size

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_CONTAINER: Final = re.compile(r"\$(?:root|web|logs)|[a-z0-9](?:-?[a-z0-9]){2,62}")
_CONTAINER_GLOB: Final = re.compile(r"(?=.*[*?\[])[a-z0-9*?\[\]!-]{1,63}")
MEASURED: Final = "measured"
"""In the place of a figure: whoever forecasts asks the account's meter for it."""
_CLOCK_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)? ?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1971, 2999
"""Forecasts add years to the times of a plan, and computers' calendars end."""
LONGEST_TEXT: Final = 4096


def read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, found {_kind(value)}{_quote_it(value)}")
    if not value.strip():
        raise ValueError("expected text, found an empty one")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"this text is longer than {LONGEST_TEXT} characters")
    return value


def read_name(value: Any) -> str:
    text = read_text(value)
    if not re.fullmatch(NAME, text):
        raise ValueError(
            "a name has letters, digits, dots, hyphens and underscores, at most 63, and begins with a letter or digit"
        )
    return text


def read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def read_whole(value: Any) -> int:
    if isinstance(value, str):
        try:
            value = parse_count(value)
        except ValueError:
            raise ValueError("expected a whole number") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value) or value < 0:
        raise ValueError("expected a whole number")
    return int(value)


def read_positive(value: Any) -> int:
    number = read_whole(value)
    if number < 1:
        raise ValueError("expected a whole number of 1 or more")
    return number


def read_long_duration(value: Any) -> float:
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("this duration must be longer than 0")
    return seconds


def read_short_duration(value: Any) -> float:
    """Clients refuse a route document whose durations reach a day."""
    seconds = read_long_duration(value)
    if seconds >= 86_400:
        raise ValueError("this duration must be shorter than a day")
    return seconds


def read_rate(value: Any) -> float:
    number = parse_count(value)
    if number <= 0:
        raise ValueError("this number must be more than 0")
    return number


def read_size(value: Any) -> float:
    number_bytes = parse_size(value)
    if number_bytes <= 0:
        raise ValueError("this size must be more than 0")
    return float(number_bytes)


def read_ratio(value: Any) -> float:
    ratio = parse_ratio(value)
    if ratio > 1:
        raise ValueError("this percentage must be 100% or less")
    return ratio


def read_price(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e6:
        raise ValueError("a price is a number of 0 or more")
    return float(value)


def read_credential(value: Any) -> str:
    """A reference to a secret. What is refused is never repeated: it may be the secret itself."""
    if not isinstance(value, str) or not REFERENCE.fullmatch(value):
        raise ValueError(
            f"a credential is named here, never written: {FORMS}, or env:NAME of a variable that holds a connection string, key"
            " or SAS"
        )
    return value


def read_variable(value: Any) -> str:
    text = read_text(value)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", text):
        raise ValueError("expected the name of an environment variable, such as MIGRATE_METRICS_TOKEN")
    return text


def read_url(value: Any) -> str:
    """https, or http on loopback; no user, query or fragment. The address is not repeated: a query may hold a secret."""
    text = read_text(value)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is not an address: write https://host") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("this is not an address: write https://host")
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise ValueError("an address has no user, query or fragment here; a secret belongs in `credential: env:NAME`")
    if parts.scheme == "http" and not is_loopback_host(host):
        raise ValueError(f"http to {host} is not encrypted: only a loopback address may use http; write https")
    return text.rstrip("/")


def read_webhook(value: Any) -> str:
    """A webhook's address usually is its secret, so it is named; a plain one may be of this machine only."""
    text = read_text(value)
    if re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}", text):
        return text
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if host is None or not is_loopback_host(host):
        raise ValueError("the address of a webhook is a secret, so write env:NAME and put it into that variable")
    return text


def read_container(value: Any) -> str:
    text = read_text(value)
    if not _CONTAINER.fullmatch(text) and not _CONTAINER_GLOB.fullmatch(text):
        raise ValueError(
            "a container's name has 3 to 63 lower-case letters, digits and single hyphens; a glob also *, ? and [a-z]"
        )
    return text


def read_prefix(value: Any) -> str:
    if value == "":
        return ""
    text = read_text(value)
    if len(text) > 1024:
        raise ValueError("a prefix has at most 1024 characters")
    if text.startswith(".migrate/"):
        raise ValueError("names under .migrate/ belong to the tool and are in no area")
    return text


def read_containers(value: Any) -> Any:
    """A list of names, or of ``{name, prefix}``; a bare name becomes ``{name}``."""
    if not isinstance(value, list) or not value:
        raise ValueError("expected a list of containers, such as [web-*, {name: events, prefix: email/}]")
    return [{"name": item} if isinstance(item, str) else item for item in value]


def read_areas(value: Any) -> Any:
    if value == "*":
        return ["*"]
    if not isinstance(value, list) or not value or "*" in value:
        raise ValueError('expected a list of areas, or "*" for all of them')
    return value


def read_traffic(value: Any) -> float | None:
    """None: it is to be measured."""
    return None if value == MEASURED else parse_count(value)


def read_many(value: Any) -> Any:
    """A list, or one word that stands for a list of one."""
    return [value] if isinstance(value, str) else value


def read_approval(value: Any) -> Any:
    """``required`` and ``none`` are short for a mapping."""
    if isinstance(value, dict):
        return value
    if value not in ("required", "none"):
        raise ValueError("expected one of required, none, or a mapping such as {required: true, by: [ada]}")
    return {"required": value == "required"}


def read_days(value: Any) -> Any:
    return ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] if value == "*" else value


def read_clock_time(value: Any) -> int:
    """Minutes of the day of ``"02:00"``; ``"24:00"`` is its end."""
    if not isinstance(value, str) or not _CLOCK_TIME.fullmatch(value):
        raise ValueError('expected a time of day, such as "02:00"')
    hours, _, minutes = value.partition(":")
    return int(hours) * 60 + int(minutes)


def read_instant(value: Any) -> datetime:
    """An aware UTC time of ``2026-12-01T00:00:00Z``."""
    text = value if isinstance(value, str) else ""
    if not _INSTANT.fullmatch(text):
        raise ValueError("expected a time with its zone, such as 2026-12-01T00:00:00Z")
    try:
        moment = datetime.fromisoformat(text.upper().replace(" ", "T", 1).replace(" ", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such time; write one such as 2026-12-01T00:00:00Z") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"expected a time from {FIRST_YEAR} to {LAST_YEAR}")
    return moment


def read_timezone(value: Any) -> str:
    from zoneinfo import ZoneInfo

    text = read_text(value)
    try:
        ZoneInfo(text)
    except Exception:  # the names of bad zones reach the file system: several kinds of error, one meaning
        raise ValueError("this is not a time zone: write one such as Europe/Berlin or UTC") from None
    return text


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    return "a list" if isinstance(value, list) else "a mapping"


def _quote_it(value: Any) -> str:
    return ": put it into quotes" if isinstance(value, (bool, int, float)) else ""


def _schema(read: Callable[[Any], Any], schema: Mapping[str, Any]) -> tuple[BeforeValidator, WithJsonSchema]:
    return BeforeValidator(read), WithJsonSchema(dict(schema))


_QUANTITY: Final = {"type": ["string", "number"]}
_WORD: Final = {"type": "string", "minLength": 1}

Text = Annotated[str, *_schema(read_text, _WORD)]
Name = Annotated[str, *_schema(read_name, {"type": "string", "pattern": f"^{NAME}$"})]
Flag = Annotated[bool, *_schema(read_flag, {"type": "boolean"})]
Whole = Annotated[int, *_schema(read_whole, {"type": "integer", "minimum": 0})]
Positive = Annotated[int, *_schema(read_positive, {"type": "integer", "minimum": 1})]
Duration = Annotated[
    float, *_schema(parse_duration, {"type": ["string", "integer"], "description": "such as 500ms, 30s, 5m, 96h, 7d"})
]
LongDuration = Annotated[
    float, *_schema(read_long_duration, {"type": "string", "description": "longer than 0, such as 5m"})
]
ShortDuration = Annotated[
    float, *_schema(read_short_duration, {"type": "string", "description": "shorter than a day, such as 30s"})
]
Count = Annotated[float, *_schema(parse_count, {**_QUANTITY, "description": "such as 60k or 2.4M"})]
Traffic = Annotated[
    float | None, *_schema(read_traffic, {**_QUANTITY, "description": f"such as 60k or 2.4M, or {MEASURED}"})
]
Rate = Annotated[float, *_schema(read_rate, {**_QUANTITY, "description": "more than 0, such as 60k or 2.4M"})]
Size = Annotated[float, *_schema(read_size, {"type": "string", "description": "such as 500MiB or 2GB"})]
Ratio = Annotated[float, *_schema(read_ratio, {"type": "string", "description": "such as 1%"})]
Share = Annotated[float, *_schema(parse_ratio, {"type": "string", "description": "such as 15%"})]
Bound = Annotated[float, *_schema(parse_bound, {**_QUANTITY, "description": "such as 0.001, 2M or 15%"})]
Price = Annotated[float, *_schema(read_price, {"type": "number", "minimum": 0})]
Credential = Annotated[
    str,
    *_schema(
        read_credential,
        {"type": "string", "description": f"{FORMS} or env:NAME; never a secret"},
    ),
]
Variable = Annotated[str, *_schema(read_variable, {"type": "string", "description": "an environment variable's name"})]
Url = Annotated[str, *_schema(read_url, {"type": "string", "description": "https, or http on loopback"})]
Webhook = Annotated[str, *_schema(read_webhook, {"type": "string", "description": "env:NAME"})]
Container = Annotated[str, *_schema(read_container, {"type": "string", "minLength": 1, "maxLength": 63})]
Prefix = Annotated[str, *_schema(read_prefix, {"type": "string", "maxLength": 1024})]
ClockTime = Annotated[
    int, *_schema(read_clock_time, {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"})
]
Instant = Annotated[datetime, *_schema(read_instant, {"type": "string", "format": "date-time"})]
Timezone = Annotated[str, *_schema(read_timezone, {"type": "string", "description": "such as Europe/Berlin"})]
