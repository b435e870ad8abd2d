"""Every promise that is asked, in one list: what it says, and whether data could be lost where it is broken.

A promise that is not relied on is asked because the answer explains what is seen: how soon a revoked policy is refused, what
what is made of odd names. Source: the contract's rules of evidence, of our writes and of copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from migrator.engine.proving import copying, listings, writes
from migrator.engine.proving.ground import Ask
from migrator.model.values import value

Kind = Literal["account", "pair", "own"]


@value(frozen=True, slots=True)
class Promise:
    """``kind``: of one account, of copies from one to another, or one that only the account's own kind can ask."""

    name: str
    kind: Kind
    says: str
    is_relied_on: bool = True


def _of(kind: Kind, rows: Mapping[str, str], *, is_relied_on: bool = True) -> tuple[Promise, ...]:
    return tuple(Promise(name, kind, says, is_relied_on) for name, says in rows.items())


PROMISES: Final[tuple[Promise, ...]] = (
    *_of(
        "account",
        {
            "names-are-kept": "any name that the service allows is listed as it was written",
            "listings-rise": "names rise strictly in one order, by UTF-8 or by UTF-16",
            "pages-are-complete": "pages show every name once, whatever their size",
            "prefixes-are-exact": "a listing under a prefix shows what begins with it, and nothing else",
            "listings-are-fresh": "what was acknowledged is listed at once, and what was deleted is not",
            "listings-tell-etags": "a listed ETag is the one that the write was answered with",
            "listings-tell-metadata": "listings show metadata",
            "listings-tell-tags": "listings show index tags",
            "listings-tell-tiers": "listings tell a tier that was set from one that was not",
            "uncommitted-blocks-are-apart": "a blob without a commit is in no listing, but in that of uncommitted blobs",
            "put-creates-once": "If-None-Match: * keeps Put Blob from overwriting",
            "put-overwrites-its-own": "If-Match keeps Put Blob from overwriting another generation",
            "commit-creates-once": "If-None-Match: * keeps Put Block List from overwriting",
            "commit-overwrites-its-own": "If-Match keeps Put Block List from overwriting another generation",
            "commit-needs-its-blocks": "Put Block List of a block that is not there is refused",
            "ranges-are-exact": "Get Blob with a range answers that range",
            "empty-creates-once": "an append blob is not made over another blob",
            "append-has-conditions": "Append Block keeps to its offset and its generation",
            "pages-have-conditions": "Put Page keeps to its generation",
            "delete-has-conditions": "If-Match keeps Delete Blob from deleting another generation",
            "read-has-conditions": "If-Match keeps Get Blob from reading another generation",
            "one-create-wins": "of many creates at once exactly one is acknowledged, and it is the one that is there",
            "a-write-changes-the-etag": "every overwrite has another ETag, and a look tells the same",
            "tags-leave-the-etag": "Set Blob Tags changes the tags and not the ETag",
            "tier-leaves-the-etag": "Set Blob Tier changes the tier and not the ETag",
            "what-is-written-is-kept": "headers, metadata, tags and tier are kept as they were written",
            "a-missing-blob-is-said": "a missing blob is told from a missing container, and from a refusal",
            "a-missing-container-is-said": "a missing container is told from a missing blob, and from a refusal",
        },
    ),
    *_of(
        "account",
        {"others-blocks-are-refused": "a block whose id has another length than those that lie there is refused"},
        is_relied_on=False,
    ),
    *_of(
        "pair",
        {
            "copies-carry-all": "Copy Blob From URL keeps content, headers and metadata, and sets tags and tier",
            "copies-create-once": "If-None-Match: * keeps Copy Blob From URL from overwriting",
            "copies-overwrite-their-own": "If-Match keeps Copy Blob From URL from overwriting another generation",
            "copies-know-their-source": "Copy Blob From URL does not copy another generation than it was asked for",
            "copies-say-what-is-gone": "the copy of a missing blob is told as such",
            "blocks-know-their-source": "Put Block From URL does not copy from another generation than it was asked for",
            "blocks-carry-all": "Put Block From URL copies exactly its range, and a commit sets all the rest",
            "async-copies-carry-all": "Copy Blob ends with the origin's content under the copy id that it was answered with",
            "async-copies-create-once": "If-None-Match: * keeps Copy Blob from overwriting",
            "async-copies-overwrite-their-own": "If-Match keeps Copy Blob from overwriting another generation",
            "async-copies-know-their-source": "Copy Blob does not copy another generation than it was asked for",
        },
    ),
    *_of(
        "own",
        {
            "signatures-end": "a shared access signature is refused once it has ended, by the service's clock",
            "metadata-changes-the-etag": "Set Blob Metadata changes the ETag",
            "listings-start-where-asked": "startFrom lists from the name that it says, that one too",
            "damaged-blocks-are-refused": "Put Block compares what came with its Content-MD5",
        },
    ),
    *_of(
        "own",
        {
            "policies-are-revoked": "a stored access policy that was taken away is refused within 30 seconds",
            "control-characters-are-refused": "a name with a control character is refused",
            "dots-at-the-end-are-dropped": "a dot at the end of a path's segment is dropped",
        },
        is_relied_on=False,
    ),
)
ASKED: Final[Mapping[str, Ask]] = {**listings.ASKED, **writes.ASKED, **copying.ASKED}


def page() -> str:
    """All of them in Markdown."""
    lines = ["| Promise | What it says | Where it is broken |", "|---|---|---|"]
    for one in PROMISES:
        means = "no data may go there" if one.is_relied_on else "said, and no more"
        lines.append(f"| {one.name} | {one.says} | {means} |")
    return "\n".join(lines) + "\n"


__all__ = ["ASKED", "PROMISES", "Promise", "page"]
