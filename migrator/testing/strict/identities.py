"""Who sends a request and whether that one may: keys, signatures, tokens and roles, judged by the account's own clock.

Decides what Azurite does not: roles, the letters of signatures, the life of tokens and delegation keys. What Azurite proves
itself - the account key's signature of a request, and of a service or account SAS - is left to it, unless the request must be
changed on its way. Rule: a token is believed only if this service minted it.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from migrator.adapters.azure.signing import KeySigner
from migrator.testing.strict.call import Call, Refused
from migrator.testing.strict.operations import ROLES, TAGS_READ, TAGS_WRITE, Operation, asks_for_tags
from migrator.testing.strict.settings import ANYBODY, Nature

KEY_WINDOW_SECONDS = 15 * 60
LONGEST_KEY_SECONDS = 7 * 24 * 3600
AUDIENCES = frozenset({"https://storage.azure.com", "https://storage.azure.com/"})
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
NOT_AUTHENTICATED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    "including the signature."
)
NO_RIGHT = "This request is not authorized to perform this operation using this permission."
_CANONICAL = {
    name.lower(): name
    for name in (
        *("Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date"),
        *("If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"),
    )
}


@dataclass(frozen=True)
class Identity:
    """``kind`` is key, account-sas, service-sas, delegation-sas, token or anonymous; ``letters`` are a signature's own."""

    kind: str
    who: str = ANYBODY
    letters: str = ""


class Tokens:
    """Mints tokens and delegation keys, and tells its own from others."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.revoked_before = 0.0
        """Tokens issued before that Unix time are accepted no more."""

    def token(
        self,
        who: str,
        *,
        now: float,
        seconds: float,
        audience: str = "https://storage.azure.com",
        tenant: str = TENANT,
    ) -> str:
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant}/",
            **{"iat": now, "nbf": now - 300, "exp": now + seconds},
            **{"oid": who, "tid": tenant, "ver": "1.0"},
        }
        head = ".".join(_coded(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
        return f"{head}.{_coded(self._digest(head))}"

    def owner_of(self, token: str, now: float) -> str:
        """The object id in a token for storage. Raises Refused."""
        return str(self.claims_of(token, now, AUDIENCES)["oid"])

    def claims_of(self, token: str, now: float, audiences: Collection[str]) -> Mapping[str, Any]:
        """What a token for one of ``audiences`` says. Raises Refused."""
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(_coded(self._digest(head)), signature):
            raise _bad_token("a token that this service did not mint")
        claims = json.loads(base64.urlsafe_b64decode(head.partition(".")[2] + "=="))
        if claims["aud"] not in audiences:
            raise _bad_token("Audience validation failed.")
        if not claims["nbf"] <= now < claims["exp"]:
            raise _bad_token("Lifetime validation failed. The token is expired.")
        if claims["iat"] < self.revoked_before:
            raise _bad_token("The token was revoked.", 'error="invalid_token", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="')
        return dict(claims)

    def delegation_key(self, who: str, start: str, expiry: str, version: str) -> str:
        return base64.b64encode(self._digest("|".join(("key", who, start, expiry, version)))).decode()

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._secret, text.encode(), "sha256")


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bad_token(why: str, more: str = 'error="invalid_token"') -> Refused:
    challenge = f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}/oauth2/authorize {more}"
    return Refused(
        *("token-life", 401, "InvalidAuthenticationInfo", f"Server failed to authenticate the request. {why}"),
        headers=[("WWW-Authenticate", challenge)],
    )


def identify(call: Call, nature: Nature, tokens: Tokens, *, key: str, now: float) -> Identity:
    """Who sends ``call``. Raises Refused where that is not believed."""
    authorization = call.header("Authorization")
    if authorization.startswith("Bearer "):
        call.must_sign_anew = True
        return Identity("token", tokens.owner_of(authorization.removeprefix("Bearer "), now))
    if "sig" in call.query:
        return _signature(call, nature, tokens, now)
    if authorization.startswith("SharedKey "):
        if not nature.allows_shared_key:
            raise _no_keys()
        _check_date(call, now)
        call.who = "key"
        return Identity("key")
    return Identity("anonymous")


def _no_keys() -> Refused:
    said = "Key based authentication is not permitted on this storage account."
    return Refused("no-shared-key", 403, "KeyBasedAuthenticationNotPermitted", said)


def _check_date(call: Call, now: float) -> None:
    try:
        date = parsedate_to_datetime(call.header("x-ms-date") or call.header("Date")).timestamp()
    except ValueError:
        date = 0.0
    if abs(date - now) > KEY_WINDOW_SECONDS:
        said = f"{NOT_AUTHENTICATED} The date header in the request is incorrect."
        raise Refused("key-window", 403, "AuthenticationFailed", said)


def check_key_signature(call: Call, key: str) -> None:
    """For a request that is changed on its way, which Azurite cannot check any more."""
    given = call.header("Authorization")
    signer = KeySigner(call.account, key, [])
    query = sorted(call.query.items())
    headers = [pair for pair in signable(call.headers) if pair[0].lower() != "authorization"]
    text = signer.string_to_sign(call.method, call.target.partition("?")[0], query, headers)
    if not hmac.compare_digest(given, f"SharedKey {call.account}:{signer.signature(text)}"):
        raise Refused("key-signature", 403, "AuthenticationFailed", NOT_AUTHENTICATED)


def signable(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Standard headers as the signer spells them, the service's own in lower case but for metadata's names."""
    own = "x-ms-meta-"
    return [
        (_CANONICAL.get(name.lower(), name if name.lower().startswith(own) else name.lower()), value)
        for name, value in headers
    ]


def _moment(text: str) -> float:
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise Refused("sas-time", 403, "AuthenticationFailed", f"{text!r} is not a time") from None


def _signature(call: Call, nature: Nature, tokens: Tokens, now: float) -> Identity:
    query = call.query
    if (query.get("st") and _moment(query["st"]) > now) or (query.get("se") and _moment(query["se"]) <= now):
        raise Refused(
            "sas-time",
            403,
            "AuthenticationFailed",
            f"{NOT_AUTHENTICATED} Signature not valid in the specified time frame",
        )
    letters = query.get("sp", "")
    if "skoid" in query:
        _check_delegation(call, tokens, now)
        call.must_sign_anew = True
        return Identity("delegation-sas", query["skoid"], letters)
    if not nature.allows_shared_key:
        raise _no_keys()
    return Identity("account-sas" if "ss" in query else "service-sas", letters=letters)


def _check_delegation(call: Call, tokens: Tokens, now: float) -> None:
    query = call.query
    start, end = _moment(query.get("skt", "")), _moment(query.get("ske", ""))
    if not start <= now < end:
        said = f"{NOT_AUTHENTICATED} Signature not valid in the specified key time frame"
        raise Refused("delegation-key-clock", 403, "AuthenticationFailed", said)
    if _moment(query.get("se", "")) > end:
        raise Refused("delegation-key-clock", 403, "AuthenticationFailed", "the signature outlives its key")
    is_blob = query.get("sr") == "b"
    place = f"/blob/{call.account}/{call.container}" + (f"/{call.name}" if is_blob else "")
    key = tokens.delegation_key(query["skoid"], query["skt"], query["ske"], query.get("skv", ""))
    text = delegation_text(query, place)
    digest = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()
    if not hmac.compare_digest(digest, query["sig"]):
        raise Refused(
            "delegation-signature", 403, "AuthenticationFailed", f"{NOT_AUTHENTICATED} Signature did not match."
        )


def delegation_text(query: Mapping[str, str], place: str) -> str:
    """What a user-delegation SAS signs, by its own version. Source: Azure "Create a user delegation SAS"."""
    version = query.get("sv", "")
    names = ["sp", "st", "se", "=", "skoid", "sktid", "skt", "ske", "sks", "skv"]
    names += ["saoid", "suoid", "scid"] if version >= "2020-02-10" else []
    names += ["skdutid", "sduoid"] if version >= "2025-07-05" else []
    names += ["sip", "spr", "sv", "sr", "snapshot"]
    names += ["ses"] if version >= "2020-12-06" else []
    names += ["srh", "srq"] if version >= "2026-04-06" else []
    names += ["rscc", "rscd", "rsce", "rscl", "rsct"]
    return "\n".join(place if name == "=" else query.get(name, "") for name in names)


def authorize(call: Call, operation: Operation, identity: Identity, nature: Nature) -> None:
    """Raises Refused unless ``identity`` may do it."""
    tags = asks_for_tags(call, operation)
    if identity.kind == "anonymous":
        return  # public access is Azurite's to judge, and the account's
    if identity.kind.endswith("sas"):
        _check_letters(call, operation, identity, needs_tags=tags)
    if identity.kind in ("token", "delegation-sas"):
        wanted = {*operation.actions} | ({TAGS_READ if operation.effect == "read" else TAGS_WRITE} if tags else set())
        _check_roles(call, operation, identity, nature, wanted)


def _check_letters(call: Call, operation: Operation, identity: Identity, *, needs_tags: bool) -> None:
    if identity.kind == "service-sas" and "si" in call.query and not identity.letters:
        return  # its letters are in the stored policy, which Azurite reads
    if needs_tags and "t" not in identity.letters:
        raise Refused("sas-letters", 403, "AuthorizationPermissionMismatch", NO_RIGHT)
    if not set(operation.letters) & set(identity.letters):
        raise Refused("sas-letters", 403, "AuthorizationPermissionMismatch", NO_RIGHT)
    if identity.kind != "account-sas" and operation.level == "account" and operation.name != "Get Account Information":
        raise Refused(
            "sas-letters", 403, "AuthorizationFailure", "This request is not authorized to perform this operation."
        )
    if identity.kind == "account-sas":
        kinds = {"account": "s", "container": "c", "blob": "o"}
        if operation.name != "Get Account Information" and kinds[operation.level] not in call.query.get("srt", ""):
            said = "This request is not authorized to perform this operation using this resource type."
            raise Refused("sas-letters", 403, "AuthorizationResourceTypeMismatch", said)


def _check_roles(call: Call, operation: Operation, identity: Identity, nature: Nature, wanted: set[str]) -> None:
    has: set[str] = set()
    for grant in nature.grants:
        is_in_scope = not grant.container or (grant.container == call.container and operation.level != "account")
        if grant.who in (identity.who, ANYBODY) and is_in_scope:
            has |= ROLES[grant.role]
    if not wanted <= has:
        raise Refused("roles", 403, "AuthorizationPermissionMismatch", NO_RIGHT)


def asked_delegation_key(call: Call, identity: Identity, tokens: Tokens, now: float) -> bytes:
    """The document of Get User Delegation Key. Raises Refused for times that the service does not give."""
    if identity.kind != "token":
        raise Refused(
            "delegation-key-by-token", 403, "AuthenticationFailed", "Only authentication scheme Bearer is supported"
        )
    said = dict(re.findall(r"<(Start|Expiry)>([^<]*)<", call.body.decode("utf-8-sig")))
    start, expiry = said.get("Start", ""), said.get("Expiry", "")
    begins = _moment(start) if start else now
    if not start:
        start = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if not now < _moment(expiry) <= max(now, begins) + LONGEST_KEY_SECONDS:
        raise Refused(
            "delegation-key-days",
            400,
            "InvalidXmlNodeValue",
            "The value for one of the XML nodes is not in the correct format.",
        )
    version = call.version
    value = tokens.delegation_key(identity.who, start, expiry, version)
    parts = {"SignedOid": identity.who, "SignedTid": TENANT, "SignedStart": start, "SignedExpiry": expiry}
    parts |= {"SignedService": "b", "SignedVersion": version, "Value": value}
    told = "".join(f"<{name}>{text}</{name}>" for name, text in parts.items())
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>{told}</UserDelegationKey>'.encode()


__all__ = [
    "TENANT",
    "Identity",
    "Tokens",
    "asked_delegation_key",
    "authorize",
    "check_key_signature",
    "delegation_text",
    "identify",
    "signable",
]
