"""Microsoft Entra ID: tokens for applications, and who a request to the control plane comes from.

An application signs in with its secret, or with an assertion that names it, whose signature is not checked here. A token is
believed only if this estate minted it; storage believes the same ones.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qs

from migrator.testing.estate.settings import ANYBODY, Application
from migrator.testing.estate.wire import Answer, Refusal, Request
from migrator.testing.strict.call import Refused
from migrator.testing.strict.identities import Tokens


class Identities:
    """``applications``: who may sign in; ``token_seconds``: how long a token lives that is given from now on."""

    def __init__(self, tokens: Tokens, applications: Collection[Application]) -> None:
        self.tokens = tokens
        self.applications = list(applications)
        self.token_seconds = 3600.0
        self.given: list[Mapping[str, str]] = []
        """Of every token that was given: tenant, client_id, scope."""

    def answer(self, request: Request, now: float) -> Answer:
        """``POST /{tenant}/oauth2/v2.0/token``. Source: Microsoft identity platform "OAuth 2.0 client credentials flow"."""
        tenant = request.path.split("/")[1]
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if not any(one.tenant == tenant for one in self.applications):
            return _no(400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            return _no(400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
        client_id = form.get("client_id", "")
        found = next((one for one in self.applications if (one.tenant, one.client_id) == (tenant, client_id)), None)
        if found is None:
            text = f"AADSTS700016: Application with identifier '{client_id}' was not found in the directory '{tenant}'."
            return _no(400, "unauthorized_client", text)
        if not _is_proved(found, form):
            return _no(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        audience = form.get("scope", "").removesuffix("/.default")
        self.given.append({"tenant": tenant, "client_id": client_id, "scope": form.get("scope", "")})
        seconds = self.token_seconds
        token = self.tokens.token(found.who, now=now, seconds=seconds, audience=audience, tenant=tenant)
        told = {"token_type": "Bearer", "expires_in": int(seconds), "ext_expires_in": int(seconds)}
        return Answer(200, {**told, "access_token": token})

    def who(self, request: Request, now: float, audiences: Collection[str]) -> Mapping[str, Any]:
        """The claims of whoever sent it; over plain http, which no token is sent over, anybody of any tenant. Raises Refusal."""
        if not request.is_secure:
            return {"oid": ANYBODY, "tid": ANYBODY}
        given = request.headers.get("authorization", "")
        if not given.startswith("Bearer "):
            raise Refusal(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        try:
            return self.tokens.claims_of(given.removeprefix("Bearer "), now, audiences)
        except Refused as no:
            why = {"Audience": "InvalidAuthenticationTokenAudience", "Lifetime": "ExpiredAuthenticationToken"}
            code = next((name for word, name in why.items() if word in str(no.message)), "InvalidAuthenticationToken")
            raise Refusal(401, code, "The access token is invalid.") from None


def _no(status: int, error: str, text: str) -> Answer:
    return Answer(status, {"error": error, "error_description": text})


def _is_proved(application: Application, form: Mapping[str, str]) -> bool:
    if "client_assertion" in form:
        try:
            part = form["client_assertion"].split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (LookupError, ValueError):
            return False
        return application.client_id in (claims.get("sub"), claims.get("iss"))
    return bool(application.secret) and form.get("client_secret") == application.secret


__all__ = ["Identities"]
