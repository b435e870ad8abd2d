"""Server-side copies: whether the source lets itself be read, how a copy is refused, and copies that take their time.

The source is asked as any reader is, with the signature or token that came with the copy, by its own account's rules and clock.
An asynchronous copy lies there empty, with the promise of its source, until it is due; Azurite itself has them done at once.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import urlsplit

from migrator.testing.strict.backend import Backend
from migrator.testing.strict.call import Answer, Call, Refused
from migrator.testing.strict.operations import OPERATIONS, Operation
from migrator.testing.strict.rows import each_row, name_of
from migrator.testing.strict.settings import CopyRefusal, Faults, fits

ADMIT = Callable[[Call, Operation], Awaitable[None]]
"""Judges a read of a source as the service judges any; raises Refused."""
NOT_VERIFIED = "Could not verify the copy source within the specified time."
READ_FAILED = "Copy failed when reading the source."
Place = tuple[str, str, str]


@dataclass
class Pending:
    """One asynchronous copy: where from, when it is due, and what became of it."""

    copy_id: str
    source: Call
    source_etag: str
    size: int
    etag: str
    due_at: float
    fails: bool
    began: str = field(default_factory=lambda: formatdate(usegmt=True))
    status: str = "pending"
    description: str = ""
    made_by: str = ""
    """Azurite's own id of the copy, once it is made."""


def source_of(call: Call, hosts: frozenset[str]) -> Call:
    """The read of its source that a copy asks for. Raises Refused for a source that is not here."""
    url = urlsplit(call.header("x-ms-copy-source"))
    if url.netloc not in hosts:
        raise Refused("copy-source", 403, "CannotVerifyCopySource", NOT_VERIFIED)
    headers = [("x-ms-version", call.version)] if call.version else []
    if bearer := call.header("x-ms-copy-source-authorization"):
        headers.append(("Authorization", bearer))
    return Call("GET", f"{url.path}?{url.query}" if url.query else url.path, headers)


def told_refusal(call: Call, one: CopyRefusal, tells_from: str, rule: str = "copy-source") -> Refused:
    headers = []
    if call.version >= tells_from and one.source_status:
        headers.append(("x-ms-copy-source-status-code", str(one.source_status)))
        headers.append(("x-ms-copy-source-error-code", one.source_code))
    return Refused(rule, one.status, one.code, one.message, headers=headers)


async def check_source(call: Call, source: Call, admit: ADMIT, backend: Backend, tells_from: str, turn: int) -> Answer:
    """What the source is. Raises Refused with what it answered, as the destination's service tells it."""
    try:
        await admit(source, OPERATIONS["Get Blob"])
        there = await backend.ask("HEAD", source.account, source.container, source.name)
        if there.status == 404:
            code = there.header("x-ms-error-code") or "BlobNotFound"
            raise Refused("copy-source", 404, code)
    except Refused as no:
        # An unauthorized source is told as it was answered: status for status.
        raise told_refusal(
            call, CopyRefusal(no.status, "CannotVerifyCopySource", no.status, no.code), tells_from, no.rule
        ) from no
    etag = there.header("etag").strip('"')
    wanted, unwanted = (
        call.header("x-ms-source-if-match").strip('"'),
        call.header("x-ms-source-if-none-match").strip('"'),
    )
    if wanted and wanted not in ("*", etag):
        if turn % 2:
            said = "The source condition specified using HTTP conditional header(s) is not met."
            raise Refused("copy-source-condition", 412, "SourceConditionNotMet", said)
        one = CopyRefusal(412, source_status=412, source_code="ConditionNotMet")
        raise told_refusal(call, one, tells_from, "copy-source-condition")
    if unwanted and unwanted in ("*", etag):
        raise told_refusal(
            call,
            CopyRefusal(304, source_status=304, source_code="ConditionNotMet"),
            tells_from,
            "copy-source-condition",
        )
    if there.header("x-ms-access-tier") == "Archive":
        raise Refused("archived-source", 409, "BlobArchived", "This operation is not permitted on an archived blob.")
    return there


class AsyncCopies:
    """The asynchronous copies to the accounts of one service."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._copies: dict[Place, Pending] = {}

    async def begin(self, call: Call, source: Call, there: Answer, faults: Faults, now: float) -> Answer:
        """Take the copy on: an empty blob of the source's kind under the copy's own conditions."""
        blob_type = there.header("x-ms-blob-type") or "BlockBlob"
        size = int(there.header("content-length") or 0)
        headers = {
            name: value
            for name, value in call.headers
            if name.lower().startswith(("x-ms-meta-", "if-", "x-ms-lease-id", "x-ms-tags"))
        }
        headers["x-ms-blob-type"] = blob_type
        if blob_type == "PageBlob":
            headers["x-ms-blob-content-length"] = str(size)
        made = await self._backend.ask("PUT", call.account, call.container, call.name, headers)
        if made.status != 201:
            return made
        copy_id = str(uuid.uuid4())
        self._copies[(call.account, call.container, call.name)] = Pending(
            *(copy_id, source, there.header("etag"), size, made.header("etag")),
            due_at=now + faults.pending_seconds,
            fails=fits(faults.failing_copies, call.container, call.name),
        )
        told = [("ETag", made.header("etag")), ("Last-Modified", made.header("last-modified"))]
        return Answer(202, [*told, ("x-ms-copy-id", copy_id), ("x-ms-copy-status", "pending")])

    async def settle(self, account: str, now: float) -> None:
        """End what is due there."""
        for place, one in list(self._copies.items()):
            if place[0] == account and one.status == "pending" and one.due_at <= now:
                await self._end(place, one)

    async def _end(self, place: Place, one: Pending) -> None:
        if one.fails:
            one.status, one.description = "failed", f"500 InternalError {READ_FAILED!r}"
            return
        source = one.source
        url = self._backend.source_url(source.account, source.container, source.name)
        conditions = {"x-ms-copy-source": url, "x-ms-source-if-match": one.source_etag, "If-Match": one.etag}
        made = await self._backend.ask("PUT", *place, conditions)
        if made.status == 202:
            one.status, one.made_by = "success", made.header("x-ms-copy-id")
        else:
            one.status, one.description = "failed", f"412 ConditionNotMet {READ_FAILED!r}"

    def check_pending(self, call: Call, operation: Operation) -> None:
        """Raises Refused for a write into what is being copied."""
        one = self._copies.get((call.account, call.container, call.name))
        if one is None or operation.effect == "read":
            return
        if one.status == "pending" and operation.name not in (
            "Abort Copy Blob",
            "Lease Blob",
            "Put Block",
            "Put Block From URL",
        ):
            raise Refused("pending-copy", 409, "PendingCopyOperation", "There is currently a pending copy operation.")

    def abort(self, call: Call) -> Answer | None:
        """The answer to Abort Copy Blob; None for a copy that is not one of these."""
        one = self._copies.get((call.account, call.container, call.name))
        if one is None:
            return None
        if one.copy_id != call.query.get("copyid"):
            raise Refused(
                "pending-copy",
                409,
                "CopyIdMismatch",
                "The specified copy ID did not match the copy ID for the pending copy operation.",
            )
        if one.status != "pending":
            raise Refused(
                "pending-copy", 409, "NoPendingCopyOperation", "There is currently no pending copy operation."
            )
        one.status = "aborted"
        return Answer(204, [])

    def forget(self, call: Call) -> None:
        """The blob was written or deleted since: nothing tells of its copy any more."""
        self._copies.pop((call.account, call.container, call.name), None)

    def shown(self, call: Call, operation: Operation, answer: Answer) -> None:
        """Put into an answer how far the copies are."""
        if not self._copies:
            return
        if operation.name in ("Get Blob", "Get Blob Properties"):
            one = self._copies.get((call.account, call.container, call.name))
            if one is not None:
                for name, value in _told(one):
                    answer.set_header(f"x-ms-copy-{name}", value)
        elif operation.name == "List Blobs" and "copy" in call.query.get("include", "").split(","):
            answer.body = each_row(answer.body.decode("utf-8-sig"), lambda row: self._row(call, row)).encode()

    def _row(self, call: Call, row: str) -> str:
        one = self._copies.get((call.account, call.container, name_of(row)))
        if one is None:
            return row
        row = re.sub(r"<Copy(\w+)>[^<]*</Copy\1>", "", row)
        words = {
            "id": "CopyId",
            "status": "CopyStatus",
            "progress": "CopyProgress",
            "status-description": "CopyStatusDescription",
        }
        told = "".join(f"<{words[name]}>{value}</{words[name]}>" for name, value in _told(one))
        return row.replace("</Properties>", f"{told}</Properties>")


def _told(one: Pending) -> list[tuple[str, str]]:
    done = one.size if one.status == "success" else 0
    told = [("id", one.copy_id), ("status", one.status), ("progress", f"{done}/{one.size}")]
    return told + ([("status-description", one.description)] if one.description else [])


__all__ = ["AsyncCopies", "check_source", "source_of", "told_refusal"]
