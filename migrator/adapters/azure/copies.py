"""What a refused server-side copy means: the service's answer does not always tell the source's fault from its own.

Rule: where it does not, look at the source once more with the source's own credential, and believe that.
"""

from __future__ import annotations

from migrator.errors import AccessRefused, CloudError, NotFound, OutcomeUnknown, SourceChanged, Throttled, Unreachable
from migrator.ports.object_store import Origin

PLAIN = (AccessRefused, OutcomeUnknown, Throttled, Unreachable)
"""Errors that say by themselves what happened."""
UNVERIFIED = "CannotVerifyCopySource"
PLAIN_CODES = frozenset({"BlobAlreadyExists", "NotImplemented", "UnsafeValue"})


async def look_again(origin: Origin, refusal: CloudError) -> None:
    """Raise SourceChanged or NotFound if the source is not what it was; if it is, the copy's own error says what happened,
    which is Unsupported(code="CannotVerifyCopySource") where the destination's service could not read the source: the
    caller then takes the next rung of the ladder."""
    is_plain = isinstance(refusal, PLAIN) or refusal.code in PLAIN_CODES
    if not is_plain or (isinstance(refusal, Throttled) and refusal.code == UNVERIFIED):
        await _look_at_source(origin, refusal)


def source_was_slow(origin: Origin, refusal: CloudError) -> CloudError:
    """For blocks, which are invisible and may be staged again: a service that failed (500) because it "could not verify the
    copy source within the specified time" was too quick for the source. Of a whole copy the outcome stays unknown."""
    if not isinstance(refusal, OutcomeUnknown) or refusal.code != UNVERIFIED:
        return refusal
    return Throttled(
        f"cannot copy a block of {_place(origin)}: it could not be read in time", code=UNVERIFIED, account_side="origin"
    )


def _place(origin: Origin) -> str:
    return f"{origin.store.account}/{origin.container}/{origin.name}"


async def _look_at_source(origin: Origin, refusal: CloudError) -> None:
    place = _place(origin)
    try:
        now = await origin.store.head(origin.container, origin.name)
    except NotFound as gone:
        raise gone from refusal
    except CloudError:
        return  # the look failed too: the first answer is the better one
    if now.etag != origin.etag:
        raise SourceChanged(f"cannot copy {place}: it changed meanwhile", code=refusal.code) from refusal
    if now.is_archived:
        raise CloudError(
            f"cannot copy {place}: it is archived and cannot be read", hint="rehydrate it first", code="BlobArchived"
        ) from refusal


__all__ = ["look_again", "source_was_slow"]
