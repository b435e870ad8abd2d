"""How an account is opened: the plan's credential reference turned into something the SDK takes.

Decides what a reference or a variable's value is (Microsoft Entra ID, an account key, a shared access signature), and
how long a request signed with it can still be accepted, which a run that takes over must wait out. Leaves tokens to
azure-identity. Rule: a secret is in no ``repr``, message or cause; messages name the variable that holds it.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from migrator.adapters.azure.endpoints import account_name_of, is_address, is_secondary, without_query
from migrator.adapters.azure.identities import open_token_source
from migrator.errors import AccessRefused
from migrator.model.schedule import Account
from migrator.model.values import value

KEY_BOUND_SECONDS = 15 * 60.0
"""A request signed with the key is refused when its date is older. Source: Azure "Authorize with Shared Key"."""
SAS_BOUND_SECONDS = 5 * 60.0
"""A write under a signature of ours is refused, or given up by the service, when it is older."""
DEFAULT_AUDIENCE = "https://storage.azure.com"
KEY_BYTES = 64
PASTED_ALONG = " \t\r\n\ufeff\u00a0\"'"
"""What comes along when a value is pasted, and is no part of any."""
_PAIR = re.compile(r"\s*[A-Za-z]+\s*=").match
_NAMES = frozenset(
    {
        "defaultendpointsprotocol",
        "accountname",
        "accountkey",
        "blobendpoint",
        "endpointsuffix",
        "sharedaccesssignature",
        "queueendpoint",
        "tableendpoint",
        "fileendpoint",
    }
)
"""Parts of a connection string. Source: Azure "Configure Azure Storage connection strings"."""
OLDEST_KEY_BYTES = 16
"""Shorter base64 is a word, not a key: Azure's keys have 64 bytes, Azurite takes others."""


@value(frozen=True, slots=True)
class Credential:
    """``account_name``: the storage account's own name; ``endpoint``: without query or slash at the end.
    Exactly one of ``key``, ``sas``, ``token_source`` is set."""

    kind: Literal["entra", "key", "sas"]
    account_name: str
    endpoint: str
    audience: str = DEFAULT_AUDIENCE
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)
    token_source: Any = field(default=None, repr=False)

    async def bound_seconds(self, now: datetime) -> float:
        """How long from ``now`` (aware) a write of this run may still be applied: a key's clock window, or a signature's
        remaining life (infinite where only its stored policy knows its end). Under Microsoft Entra ID blobs are written with
        signatures of minutes (``sas``), whatever the life of a token; here it only shows that there is one."""
        if self.kind == "key":
            return KEY_BOUND_SECONDS
        if self.kind == "sas":
            return _sas_life_seconds(self.sas or "", now)
        await self.token_source.get_token(f"{self.audience.rstrip('/')}/.default")
        return SAS_BOUND_SECONDS

    async def close(self) -> None:
        if self.token_source is not None:
            await self.token_source.close()


def open_credential(account: Account, *, environ: Mapping[str, str], cloud: Mapping[str, str]) -> Credential:
    """Read ``account.credential``; sends nothing. AccessRefused if it cannot open this account."""
    if account.credential.startswith("env:"):
        return _from_variable(account, account.credential.removeprefix("env:"), environ)
    if account.endpoint is None:
        raise AccessRefused(f"cannot open account {account.name}: it has no endpoint", hint="give it one in the plan")
    endpoint = without_query(account.endpoint)
    return Credential(
        "entra",
        _named(account, endpoint, account_name_of(endpoint)),
        endpoint,
        audience=cloud.get("audience", DEFAULT_AUDIENCE),
        token_source=open_token_source(
            account.credential, what=f"account {account.name}", cloud=cloud, tenant=account.tenant, environ=environ
        ),
    )


async def bearer_token(source: Any, audience: str, *, what: str) -> str:
    """A token of now for ``audience`` from a credential of ``open_token_source``. AccessRefused, naming ``what``, without one."""
    from azure.core.exceptions import AzureError

    try:
        return str((await source.get_token(f"{audience.rstrip('/')}/.default")).token)
    except (AzureError, OSError, ValueError) as failure:
        raise AccessRefused(
            f"cannot open {what}: Microsoft Entra ID gave no token",
            hint="sign in (az login), or check the credential in the plan and the identity's rights",
        ) from failure


def _from_variable(account: Account, variable: str, environ: Mapping[str, str]) -> Credential:
    value = environ.get(variable, "").strip(PASTED_ALONG)
    if not value:
        raise AccessRefused(
            f"cannot open account {account.name}: the environment variable {variable} is not set",
            hint="set it to a connection string, an account key or a shared access signature",
        )
    try:
        found = _read_value(value)
        endpoint = without_query(account.endpoint or found.endpoint)
        named, meant = found.account_name, account_name_of(endpoint)
    except ValueError:  # not chained: its text repeats a part of the value
        raise AccessRefused(
            f"cannot open account {account.name}: {variable} holds an address that is none",
            hint="copy the connection string again from the account's page",
        ) from None
    if not endpoint:
        raise AccessRefused(
            f"cannot open account {account.name}: neither the plan nor {variable} says its endpoint",
            hint="give the account an endpoint in the plan",
        )
    if not endpoint.startswith(("https://", "http://")) or not (account.endpoint or urlsplit(endpoint).hostname):
        raise AccessRefused(
            f"cannot open account {account.name}: what {variable} says as its endpoint is not an https address",
            hint="give the account an endpoint in the plan",
        )
    if found.key is None and found.sas is None:
        raise AccessRefused(
            f"cannot open account {account.name}: {variable} holds no connection string, account key or shared access "
            "signature",
            hint="copy one of them from the account's page",
        )
    if found.sas is not None and _end_of(found.sas) is None:
        raise AccessRefused(
            f"cannot open account {account.name}: the shared access signature in {variable} ends at no date (se=)",
            hint="copy it again, quoted as it is on the account's page",
        )
    if named and meant and named != meant:
        raise AccessRefused(
            f"cannot open account {account.name}: {variable} is for storage account {_called(named)}, its endpoint for"
            f" {_called(meant)}",
            hint="correct the variable or the endpoint",
        )
    kind: Literal["key", "sas"] = "sas" if found.key is None else "key"
    name = _named(account, endpoint, named or meant, needs=kind == "key")
    return Credential(kind, name, endpoint, key=found.key, sas=found.sas)


def _named(account: Account, endpoint: str, name: str, *, needs: bool = True) -> str:
    """``name``, which requests and signatures are signed for, of an endpoint that may be written to."""
    if is_secondary(endpoint):
        raise AccessRefused(
            f"cannot open account {account.name}: its endpoint is the secondary one, which only reads and lags behind",
            hint="give it its primary endpoint in the plan",
        )
    if needs and not name and urlsplit(endpoint).hostname and not is_address(endpoint):
        raise AccessRefused(
            f"cannot open account {account.name}: its endpoint does not say the name of the storage account",
            hint="give it the account's own endpoint, or a connection string that says AccountName",
        )
    return name


@value(frozen=True, slots=True)
class _Found:
    account_name: str = ""
    endpoint: str = ""
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)


def _read_value(value: str) -> _Found:
    """Tell a connection string, a key, a signature and a signed address apart by their shape. ValueError for an address that
    is none."""
    if _has_pairs(value):
        return _read_connection_string(value)
    if value.startswith(("https://", "http://")):
        parts = urlsplit(value)
        sas = parts.query if _is_sas(parts.query) else None
        # A signed address may be that of a container; on loopback the account is a part of the path.
        name = account_name_of(value)
        path = f"/{name}" if parts.path.strip("/").partition("/")[0] == name else ""
        return _Found(name, f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}", sas=sas)
    if _is_sas(value):
        return _Found(sas=value.lstrip("?"))
    if _is_key(value):
        return _Found(key=value)
    return _read_connection_string(value)


def _has_pairs(text: str) -> bool:
    """``Name=value;Name=value``: a signature has ``&`` between its parts, and one of them may be inside a connection string."""
    head = text.partition("&")[0]
    return bool(_PAIR(head)) and (";" in head or head.partition("=")[0].strip().lower() in _NAMES)


def _read_connection_string(text: str) -> _Found:
    pairs = {
        name.strip().lower(): value.strip()
        for name, equals, value in (part.partition("=") for part in text.split(";"))
        if equals
    }
    endpoint = pairs.get("blobendpoint", "")
    name = pairs.get("accountname") or (account_name_of(endpoint) if endpoint else "")
    if not endpoint and name:
        scheme = pairs.get("defaultendpointsprotocol", "https")
        endpoint = f"{scheme}://{name}.blob.{pairs.get('endpointsuffix', 'core.windows.net')}"
    key = pairs.get("accountkey")
    sas = pairs.get("sharedaccesssignature", "").lstrip("?")
    return _Found(
        name,
        endpoint,
        key=key if key and _is_key(key) else None,
        sas=sas if _is_sas(sas) else None,
    )


def _called(name: str) -> str:
    """An account as it may be shown: what stands in a variable is repeated only where it can be nothing else."""
    return name if re.fullmatch(r"[a-z0-9]{3,24}", name) else "..."


def names_in(token: str) -> tuple[str, ...]:
    """Who a token of Microsoft Entra ID is for: its user name or application id, and the object id. It came from the authority
    itself over TLS, so its signature is not checked. Empty where it cannot be read."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        found = [claims.get(name) for name in ("upn", "preferred_username", "unique_name", "appid", "oid")]
    except (LookupError, ValueError, AttributeError):
        return ()
    return tuple(dict.fromkeys(one for one in found if isinstance(one, str) and one and not set(one) & set("(),")))


def opens_storage(value: str) -> bool:
    """Is this a key, a signature or a connection string of a storage account? Such a value goes to storage alone."""
    try:
        found = _read_value(value.strip())
    except ValueError:
        return "sig=" in value or "AccountKey" in value
    is_named = any(word in value.lower() for word in ("accountkey=", "sharedaccesssignature=", "sig="))
    is_key = found.key is not None and len(base64.b64decode(found.key)) == KEY_BYTES
    return is_key or found.sas is not None or is_named


def _is_sas(text: str) -> bool:
    query = parse_qs(text.lstrip("?"))
    return "sig" in query and ("sv" in query or "si" in query)


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) >= OLDEST_KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _sas_life_seconds(sas: str, now: datetime) -> float:
    end = _end_of(sas)
    return max(0.0, (end - now).total_seconds()) if isinstance(end, datetime) else math.inf


def _end_of(sas: str) -> datetime | Literal[""] | None:
    """When a signature ends: "" where only its stored policy knows, None where what it says is no date."""
    ends = parse_qs(sas).get("se")
    if not ends:
        return ""
    try:
        end = datetime.fromisoformat(ends[0])
        return end if end.tzinfo else end.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


__all__ = [
    "KEY_BOUND_SECONDS",
    "SAS_BOUND_SECONDS",
    "Credential",
    "bearer_token",
    "names_in",
    "open_credential",
    "open_token_source",
    "opens_storage",
]
