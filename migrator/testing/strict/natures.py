"""What an account's kind, its settings and the service's own grammar refuse or answer: versions, names, public access, Data Lake.

One function a rule; each takes the request before it is forwarded and raises Refused, or changes it as the service would.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, unescape

from migrator.testing.strict.backend import Backend
from migrator.testing.strict.call import Answer, Call, Refused
from migrator.testing.strict.operations import Operation
from migrator.testing.strict.rows import each_row, name_of
from migrator.testing.strict.settings import Nature

VERSIONS = (
    *("2009-04-14", "2009-07-17", "2009-09-19", "2011-08-18", "2012-02-12", "2013-08-15", "2014-02-14", "2015-02-21"),
    *("2015-04-05", "2015-07-08", "2015-12-11", "2016-05-31", "2017-04-17", "2017-07-29", "2017-11-09", "2018-03-28"),
    *("2018-11-09", "2019-02-02", "2019-07-07", "2019-10-10", "2019-12-12", "2020-02-10", "2020-04-08", "2020-06-12"),
    *("2020-08-04", "2020-10-02", "2020-12-06", "2021-02-12", "2021-04-10", "2021-06-08", "2021-08-06", "2021-10-04"),
    *("2021-12-02", "2022-11-02", "2023-01-03", "2023-08-03", "2023-11-03", "2024-02-04", "2024-05-04", "2024-08-04"),
    *("2024-11-04", "2025-01-05", "2025-05-05", "2025-07-05", "2025-11-05", "2026-02-06", "2026-04-06", "2026-06-06"),
)
"""Source: Azure "Versioning for the Azure Storage services"."""
INCLUDES = {
    "tags": "2019-12-12",
    "versions": "2019-12-12",
    "deletedwithversions": "2020-10-02",
    "immutabilitypolicy": "2020-06-12",
    "legalhold": "2020-06-12",
}
"""Since which version a listing may include it. Source: Azure "List Blobs"."""
TAGS_SINCE, START_SINCE, SMART_SINCE, COLD_SINCE = "2019-12-12", "2026-02-06", "2025-11-05", "2021-12-02"
MOST_NAME_UNITS, MOST_SLASHES, MOST_SOURCE_BYTES, MOST_TAGS = 1024, 254, 2048, 10
TAGS_HEADER_BYTES = 2048
NO_BLOCK_BLOBS = frozenset({("StorageV2", "Premium_LRS"), ("Storage", "Premium_LRS"), ("FileStorage", "Premium_LRS")})
NOT_TAGGED = frozenset({"Storage", "BlobStorage", "BlockBlobStorage"})


def check_version(call: Call, operation: Operation, nature: Nature) -> None:
    version = call.version
    if version and (version not in VERSIONS or version > nature.newest_version):
        raise Refused(
            "version", 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
        )
    version = version or ("2015-04-05" if "sig" in call.query else "2009-09-19")
    wrong = Refused(
        "version-features",
        400,
        "InvalidQueryParameterValue",
        "Value for one of the query parameters specified in the request URI is invalid.",
    )
    includes = [part for part in call.query.get("include", "").split(",") if part]
    if operation.name == "List Blobs" and any(version < INCLUDES.get(part, "") for part in includes):
        raise wrong
    if call.comp == "tags" and version < TAGS_SINCE:
        raise wrong
    if "startfrom" in call.query and version < START_SINCE:
        raise wrong
    tier = call.header("x-ms-access-tier")
    if (tier == "Cold" and version < COLD_SINCE) or tier in ("Smart", "Premium"):
        raise Refused(
            "tier", 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
        )


def check_name(call: Call, operation: Operation, nature: Nature) -> None:
    """Refuses what no blob may be called, and drops what the service drops."""
    name = call.name
    if not name:
        return
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise Refused(
            "control-characters", 400, "InvalidUri", "The requested URI does not represent any resource on the server."
        )
    if len(name.encode("utf-16-le")) // 2 > MOST_NAME_UNITS or name.count("/") > MOST_SLASHES:
        raise Refused("long-names", 400, "OutOfRangeInput", "One of the request inputs is out of range.")
    stored = "/".join(segment.rstrip(".") for segment in name.split("/")) if "./" in name or name[-1] == "." else name
    if nature.is_hierarchical:
        stored = re.sub("/+", "/", stored).strip("/")
    if stored != name:
        call.rename(stored)


def check_headers(call: Call, operation: Operation, nature: Nature) -> None:
    source = call.header("x-ms-copy-source")
    if len(source.encode()) > MOST_SOURCE_BYTES:
        raise Refused(
            "source-url-length", 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not valid."
        )
    tags = call.header("x-ms-tags")
    if len(tags.encode()) > TAGS_HEADER_BYTES:
        raise Refused(
            "tags-header-length", 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not valid."
        )


def check_account_kind(call: Call, operation: Operation, nature: Nature) -> None:
    """What this kind of account has no room for."""
    if (nature.kind, nature.sku) in NO_BLOCK_BLOBS and _makes_no_page_blob(call, operation):
        raise Refused("premium-page", 400, "BlobTypeNotSupported", "Block blobs are not supported.")
    if not (call.comp == "tags" or call.header("x-ms-tags")):
        return
    if nature.is_hierarchical:
        raise Refused(
            "hierarchical-tags",
            400,
            "InvalidQueryParameterValue",
            "Value for one of the query parameters specified in the request URI is invalid.",
        )
    if nature.kind in NOT_TAGGED:
        raise Refused(
            "tags-by-kind",
            400,
            "BlobTagsNotSupportedForAccountType",
            "Blob tags are not supported for the account type.",
        )


def _makes_no_page_blob(call: Call, operation: Operation) -> bool:
    if operation.name == "Put Blob":
        return call.header("x-ms-blob-type") != "PageBlob"
    return operation.name in ("Put Block", "Put Block List", "Copy Blob From URL", "Append Block", "Put Block From URL")


def check_public_access(call: Call, operation: Operation, nature: Nature, *, is_anonymous: bool) -> None:
    wants = call.header("x-ms-blob-public-access") and operation.name in ("Create Container", "Set Container ACL")
    if (wants or is_anonymous) and not nature.allows_public_access:
        raise Refused(
            "public-access", 409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account."
        )


def account_information(nature: Nature) -> Answer:
    hierarchical = "true" if nature.is_hierarchical else "false"
    headers = [("x-ms-sku-name", nature.sku), ("x-ms-account-kind", nature.kind), ("x-ms-is-hns-enabled", hierarchical)]
    return Answer(200, [*headers, ("Content-Length", "0")])


# A Data Lake account's directories

_NEXT = re.compile(r"<NextMarker ?/>|<NextMarker>.*?</NextMarker>", re.DOTALL)
_MARKER = re.compile(r"<Marker>(.*?)</Marker>", re.DOTALL)


def with_directories(call: Call, answer: Answer) -> None:
    """A listing's page with a row for each directory, before its first child; cut where it has enough rows, but never within
    a child's own directories."""
    text = answer.body.decode("utf-8-sig")
    marker = _MARKER.search(text)
    before = unescape(marker[1]) if marker else ""
    prefix, most = call.query.get("prefix", ""), int(call.query.get("maxresults") or 5000)
    count, cut_at = 0, ""

    def put(row: str) -> str:
        nonlocal before, count, cut_at
        name = name_of(row)
        parts = name.split("/")
        folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        new = [folder for folder in folders if not before.startswith(f"{folder}/") and folder.startswith(prefix)]
        if cut_at or (count and count + len(new) >= most):
            cut_at = cut_at or before
            return ""
        before, count = name, count + len(new) + 1
        return "".join(_directory_row(folder, row) for folder in new) + row

    text = each_row(text, put)
    if cut_at:
        text = _NEXT.sub(f"<NextMarker>{escape(cut_at)}</NextMarker>".replace("\\", "\\\\"), text)
    answer.body = text.encode()


def _directory_row(folder: str, like: str) -> str:
    etag = re.search(r"<Etag>.*?</Etag>", like)
    modified = re.search(r"<Last-Modified>.*?</Last-Modified>", like)
    told = f"{modified[0] if modified else ''}{etag[0] if etag else ''}"
    return (
        f"<Blob><Name>{escape(folder)}</Name><Properties><ResourceType>directory</ResourceType>{told}"
        "<Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
        "<AccessTierInferred>true</AccessTierInferred></Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>"
    )


async def check_directories(call: Call, operation: Operation, backend: Backend) -> Answer | None:
    """For a Data Lake account: a name that is a directory there. The answer of a look at it, or None."""
    if operation.level != "blob":
        return None
    page = await backend.ask(
        "GET",
        call.account,
        call.container,
        "",
        query={"restype": "container", "comp": "list", "prefix": f"{call.name}/", "maxresults": "1"},
    )
    if b"<Blob>" not in page.body:
        await _check_parents(call, operation, backend)
        return None
    if operation.name == "Delete Blob":
        said = "This operation is not permitted on a non-empty directory."
        raise Refused("hierarchical-directories", 409, "DirectoryIsNotEmpty", said)
    if operation.effect == "write":
        said = "The specified resource type is not the same as the existing one."
        raise Refused("hierarchical-directories", 409, "ResourceTypeMismatch", said)
    headers = [("Content-Length", "0"), ("x-ms-meta-hdi_isfolder", "true"), ("x-ms-resource-type", "directory")]
    headers += [("x-ms-blob-type", "BlockBlob"), ("ETag", '"0x8D0000000000000"')]
    return Answer(200, [*headers, ("Last-Modified", "Mon, 03 Jan 2022 00:00:00 GMT")])


async def _check_parents(call: Call, operation: Operation, backend: Backend) -> None:
    parts = call.name.split("/")
    if operation.effect == "read" or operation.name == "Delete Blob":
        return
    for count in range(1, len(parts)):
        parent = "/".join(parts[:count])
        if (await backend.ask("HEAD", call.account, call.container, parent)).status == 200:
            said = "One of the parents of the path is a file."
            raise Refused("hierarchical-directories", 409, "ResourceTypeMismatch", said)


__all__ = [
    "VERSIONS",
    "account_information",
    "check_account_kind",
    "check_directories",
    "check_headers",
    "check_name",
    "check_public_access",
    "check_version",
    "with_directories",
]
