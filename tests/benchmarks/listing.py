"""Made-up listings of a container: the pages of "List Blobs" as files, for a server that only hands them out.

Every object is a block blob of ``BODY`` with an ETag of its own, and names rise, so that a page is a fact about an index and
a million of them are written in seconds. Two sides with the same names and other ETags look like a finished copy.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

PAGE = 5_000
"""Objects of a page. Source: Azure "List Blobs", the most there can be."""
BODY = b"benchmark" * 128
BODY = BODY[:1024]
MD5 = base64.b64encode(hashlib.md5(BODY, usedforsecurity=False).digest()).decode()
MODIFIED = "Sun, 01 Nov 2026 00:00:00 GMT"
STAMP = 1793491200
"""``MODIFIED`` in seconds since 1970."""
HEAD = '<?xml version="1.0" encoding="utf-8"?>'

_PROPERTIES = (
    f"<Creation-Time>{MODIFIED}</Creation-Time><Last-Modified>{MODIFIED}</Last-Modified><Etag>{{etag}}</Etag>"
    f"<Content-Length>{len(BODY)}</Content-Length><Content-Type>application/json</Content-Type><Content-Encoding />"
    f"<Content-Language /><Content-CRC64 /><Content-MD5>{MD5}</Content-MD5><Cache-Control /><Content-Disposition />"
    "<BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>"
    "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>"
)
_BLOB = f"<Blob><Name>{{name}}</Name><Properties>{_PROPERTIES}</Properties><OrMetadata /></Blob>"


def index_of(name: str) -> int:
    return int(name.split("-")[3])


def name_of(index: int) -> str:
    return f"visit-2026-11-{index:09}-{index * 2654435761 % 2**32:08x}.json"


def etag_of(index: int, *, side: str = "source") -> str:
    """As listings show it, without quotes; its last nine digits are those of the name, so a server can make it from that."""
    return f"0x8D{'C' if side == 'source' else 'D'}{index:012}"


def entry_of(index: int, *, side: str) -> str:
    """The object in a page; all entries are of one length."""
    return _BLOB.format(name=name_of(index), etag=etag_of(index, side=side))


def marker_of(page: int) -> str:
    return f"p{page}"


def write_pages(folder: Path, objects: int, *, side: str, container: str) -> None:
    """``p0.xml``, ``p1.xml``, ...: one file of at most PAGE objects each; at least one."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = max(1, -(-objects // PAGE))
    for page in range(pages):
        span = range(page * PAGE, min(objects, (page + 1) * PAGE))
        blobs = "".join(entry_of(index, side=side) for index in span)
        following = f"<NextMarker>{marker_of(page + 1)}</NextMarker>" if page + 1 < pages else "<NextMarker />"
        text = (
            f'{HEAD}<EnumerationResults ServiceEndpoint="http://127.0.0.1/{side}" ContainerName="{container}">'
            f"<MaxResults>{PAGE}</MaxResults><Blobs>{blobs}</Blobs>{following}</EnumerationResults>"
        )
        (folder / f"{marker_of(page)}.xml").write_text(text, encoding="utf-8")


def containers_page(side: str, names: list[str]) -> str:
    """The answer of "List Containers"."""
    properties = (
        f'<Last-Modified>{MODIFIED}</Last-Modified><Etag>"0x8DC000000000000"</Etag><LeaseStatus>unlocked</LeaseStatus>'
        "<LeaseState>available</LeaseState><HasImmutabilityPolicy>false</HasImmutabilityPolicy>"
        "<HasLegalHold>false</HasLegalHold>"
    )
    listed = "".join(
        f"<Container><Name>{name}</Name><Properties>{properties}</Properties></Container>" for name in names
    )
    return (
        f'{HEAD}<EnumerationResults ServiceEndpoint="http://127.0.0.1/{side}"><MaxResults>{PAGE}</MaxResults>'
        f"<Containers>{listed}</Containers><NextMarker /></EnumerationResults>"
    )
