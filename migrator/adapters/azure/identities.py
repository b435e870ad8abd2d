"""Identities of Microsoft Entra ID: a plan's reference turned into a source of tokens of azure-identity.

Decides which variables an application's secret or certificate is read from, so that one run may have several issuers, and which
authority is asked. Leaves getting and keeping tokens to azure-identity. Rule: a secret is in no message or cause; messages name
the variable that holds it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from migrator.errors import AccessRefused
from migrator.model.identities import FORMS, STANDARD_PREFIX

KNOWN_AUTHORITIES: Final = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
        "login.windows.net",
    }
)
"""Of Microsoft's clouds; the library asks a page of theirs about any other one, unless it is told not to."""


def open_token_source(
    reference: str,
    *,
    what: str,
    cloud: Mapping[str, str],
    tenant: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Any:
    """The asynchronous token credential of azure-identity that ``reference`` names; sends nothing, the caller closes it.

    Args:
        reference: ``default``, ``cli``, ``managed-identity[:client-id]``, ``workload-identity[:client-id]``,
            ``client-secret[:PREFIX]`` or ``client-certificate[:PREFIX]``: the last two by the variables ``PREFIX_TENANT_ID``,
            ``PREFIX_CLIENT_ID`` and ``PREFIX_CLIENT_SECRET`` or ``PREFIX_CLIENT_CERTIFICATE_PATH`` (and ``..._PASSWORD``).
        what: what it is to open, for the message.
        tenant: the plan's, which counts more than a variable.
        environ: where variables are looked up; None: this process's.
    Raises:
        AccessRefused: another reference, or a variable is missing; a key or signature is no source of tokens.
    """
    from azure.identity import aio

    kind, _, rest = reference.partition(":")
    own, given = _of_cloud(cloud), os.environ if environ is None else environ
    if kind == "default":
        others = {"additionally_allowed_tenants": [tenant]} if tenant else {}
        source = aio.DefaultAzureCredential(**own, **others)
        return _InTenant(source, tenant) if tenant else source
    if kind == "cli":
        return aio.AzureCliCredential(tenant_id=tenant or "")
    if kind == "managed-identity":
        return aio.ManagedIdentityCredential(client_id=rest or None)
    if kind == "workload-identity":
        read = _Variables(given, "AZURE", reference, what)
        return aio.WorkloadIdentityCredential(
            tenant_id=tenant or read("TENANT_ID"),
            client_id=rest or read("CLIENT_ID"),
            token_file_path=read("FEDERATED_TOKEN_FILE"),
            **own,
        )
    if kind == "client-secret":
        read = _Variables(given, rest or STANDARD_PREFIX, reference, what)
        return aio.ClientSecretCredential(tenant or read("TENANT_ID"), read("CLIENT_ID"), read("CLIENT_SECRET"), **own)
    if kind == "client-certificate":
        return _certified(_Variables(given, rest or STANDARD_PREFIX, reference, what), tenant, own)
    raise AccessRefused(f"cannot open {what}: there is no credential {kind!r}", hint=f"use {FORMS} or env:NAME")


def _certified(read: _Variables, tenant: str | None, own: Mapping[str, Any]) -> Any:
    from azure.identity import aio

    path, password = read("CLIENT_CERTIFICATE_PATH"), read.optional("CLIENT_CERTIFICATE_PASSWORD")
    tenant_id, client_id = tenant or read("TENANT_ID"), read("CLIENT_ID")
    try:
        return aio.CertificateCredential(tenant_id, client_id, path, password=password, **own)
    except (OSError, ValueError, TypeError):  # not chained: its text may repeat a part of the file
        raise AccessRefused(
            f"cannot open {read.what}: the file that {read.name('CLIENT_CERTIFICATE_PATH')} names is not a certificate with its"
            " private key, or its password is another one",
            hint="it is a PEM or PKCS12 file that this user can read",
        ) from None


class _Variables:
    """Variables of one prefix."""

    def __init__(self, environ: Mapping[str, str], prefix: str, reference: str, what: str) -> None:
        self._environ = environ
        self._prefix = prefix
        self._reference = reference
        self.what = what

    def name(self, end: str) -> str:
        return f"{self._prefix}_{end}"

    def optional(self, end: str) -> str | None:
        return self._environ.get(self.name(end), "").strip() or None

    def __call__(self, end: str) -> str:
        """AccessRefused if it is not set."""
        found = self.optional(end)
        if found is None:
            raise AccessRefused(
                f"cannot open {self.what}: the environment variable {self.name(end)} is not set",
                hint=f"credential {self._reference} needs it; see docs/rights.md",
            )
        return found


def _of_cloud(cloud: Mapping[str, str]) -> dict[str, Any]:
    """Who gives tokens, and whose certificates are believed there, as azure-identity takes it."""
    found: dict[str, Any] = {}
    if authority := cloud.get("authority"):
        found["authority"] = authority
        if urlsplit(authority if "//" in authority else f"https://{authority}").hostname not in KNOWN_AUTHORITIES:
            found["disable_instance_discovery"] = True
    if ca_file := cloud.get("ca_file"):
        found["connection_verify"] = ca_file
    return found


class _InTenant:
    """Tokens of one tenant from a credential that may know several; ``default`` has no tenant of its own."""

    def __init__(self, source: Any, tenant: str) -> None:
        self._source = source
        self._tenant = tenant

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        return await self._source.get_token(*scopes, **{**options, "tenant_id": self._tenant})

    async def close(self) -> None:
        await self._source.close()


__all__ = ["open_token_source"]
