"""Append blobs that take nothing more: Azurite knows no seals, so they are kept here.

A seal is a new generation of its blob: the blob's own metadata, set again under the seal's conditions, makes one in Azurite.
"""

from __future__ import annotations

from migrator.testing.strict.backend import Backend
from migrator.testing.strict.call import Answer, Call, Refused
from migrator.testing.strict.operations import Operation
from migrator.testing.strict.rows import each_row, name_of

_COPIES = frozenset({"Copy Blob", "Copy Blob From URL"})
_APPENDS = frozenset({"Append Block", "Append Block From URL"})


class Seals:
    """Of all accounts."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._sealed: set[tuple[str, str, str]] = set()

    def check(self, call: Call, operation: Operation) -> None:
        if operation.name in _APPENDS and _place(call) in self._sealed:
            raise Refused(
                "seals", 409, "BlobIsSealed", "The specified blob is sealed and its contents can't be modified."
            )

    async def seal(self, call: Call) -> Answer:
        conditions = {name: value for name, value in call.headers if name.lower().startswith(("if-", "x-ms-lease-id"))}
        there = await self._backend.ask("HEAD", call.account, call.container, call.name, conditions)
        if there.status != 200:
            code = there.header("x-ms-error-code") or ("ConditionNotMet" if there.status == 412 else "BlobNotFound")
            raise Refused("seals", there.status, code)
        if there.header("x-ms-blob-type") != "AppendBlob":
            raise Refused("seals", 409, "InvalidBlobType", "The blob type is invalid for this operation.")
        if call.header("x-ms-blob-condition-appendpos") not in ("", there.header("content-length")):
            said = "The append position condition specified was not met."
            raise Refused("seals", 412, "AppendPositionConditionNotMet", said)
        if _place(call) not in self._sealed:
            metadata = {name: value for name, value in there.headers if name.lower().startswith("x-ms-meta-")}
            under = {**metadata, "If-Match": there.header("etag")}
            set_again = {"comp": "metadata"}
            there = await self._backend.ask("PUT", call.account, call.container, call.name, under, query=set_again)
            if there.status != 200:
                return there
            self._sealed.add(_place(call))
        told = [("ETag", there.header("etag")), ("Last-Modified", there.header("last-modified"))]
        return Answer(200, [*told, ("x-ms-blob-sealed", "true")])

    def written(self, call: Call, operation: Operation) -> None:
        """A blob was written anew, or is gone. A copy is sealed where that was asked for."""
        self._sealed.discard(_place(call))
        if operation.name in _COPIES and call.header("x-ms-seal-blob").lower() == "true":
            self._sealed.add(_place(call))

    def shown(self, call: Call, operation: Operation, answer: Answer) -> None:
        if operation.name in ("Get Blob", "Get Blob Properties"):
            if _place(call) in self._sealed:
                answer.set_header("x-ms-blob-sealed", "true")
        elif operation.name == "List Blobs":
            prefix = (call.account, call.container)
            names = {name for *place, name in self._sealed if tuple(place) == prefix}
            if names:
                answer.body = each_row(
                    answer.body.decode("utf-8-sig"),
                    lambda row: (
                        row.replace("</Properties>", "<Sealed>true</Sealed></Properties>")
                        if name_of(row) in names
                        else row
                    ),
                ).encode()


def _place(call: Call) -> tuple[str, str, str]:
    return call.account, call.container, call.name


__all__ = ["Seals"]
