"""Promises of the service that are broken on request, each by one small change of a request or an answer.

They are planted to see that a tool that examines a service finds them (``Faults.lies``). Rule: a lie is about one promise; what
else comes to light by it is in the nature of the thing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import partial

from migrator.testing.strict.call import Answer, Call
from migrator.testing.strict.operations import Operation
from migrator.testing.strict.rows import ROW, each_row, name_of

LIES: Mapping[str, str] = {
    "folds-names": "names-are-kept",
    "starts-after": "listings-start-where-asked",
    "lists-out-of-order": "listings-rise",
    "loses-rows-between-pages": "pages-are-complete",
    "blurs-prefixes": "prefixes-are-exact",
    "lists-late": "listings-are-fresh",
    "lists-other-etags": "listings-tell-etags",
    "lists-no-metadata": "listings-tell-metadata",
    "lists-no-tags": "listings-tell-tags",
    "lists-tiers-as-set": "listings-tell-tiers",
    "hides-uncommitted": "uncommitted-blocks-are-apart",
    "puts-over-anything": "put-creates-once",
    "puts-over-others": "put-overwrites-its-own",
    "takes-damaged-blocks": "damaged-blocks-are-refused",
    "commits-over-anything": "commit-creates-once",
    "commits-over-others": "commit-overwrites-its-own",
    "appends-anywhere": "append-has-conditions",
    "writes-any-pages": "pages-have-conditions",
    "deletes-others": "delete-has-conditions",
    "reads-others": "read-has-conditions",
    "reads-whole": "ranges-are-exact",
    "keeps-etags": "a-write-changes-the-etag",
    "tags-touch-etags": "tags-leave-the-etag",
    "tiers-touch-etags": "tier-leaves-the-etag",
    "drops-headers": "what-is-written-is-kept",
    "says-no-codes": "a-missing-blob-is-said",
    "takes-others-blocks": "others-blocks-are-refused",
    "copies-lose-metadata": "copies-carry-all",
    "copies-over-anything": "copies-create-once",
    "copies-over-others": "copies-overwrite-their-own",
    "copies-anything": "copies-know-their-source",
    "blocks-of-anything": "blocks-know-their-source",
    "async-over-anything": "async-copies-create-once",
    "async-over-others": "async-copies-overwrite-their-own",
    "async-of-anything": "async-copies-know-their-source",
    "believes-ended-signatures": "signatures-end",
    "keeps-revoked-policies": "policies-are-revoked",
    "metadata-keeps-etags": "metadata-changes-the-etag",
}
"""Lie -> the promise of ``migrate prove`` that it breaks."""
CREATE, OVER, SOURCE = "If-None-Match", "If-Match", "x-ms-source-if-match"
FORGOTTEN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "puts-over-anything": ("Put Blob", (CREATE,)),
    "puts-over-others": ("Put Blob", (OVER,)),
    "commits-over-anything": ("Put Block List", (CREATE,)),
    "commits-over-others": ("Put Block List", (OVER,)),
    "appends-anywhere": ("Append Block", (OVER, "x-ms-blob-condition-appendpos")),
    "writes-any-pages": ("Put Page", (OVER,)),
    "deletes-others": ("Delete Blob", (OVER,)),
    "reads-others": ("Get Blob", (OVER,)),
    "copies-over-anything": ("Copy Blob From URL", (CREATE,)),
    "copies-over-others": ("Copy Blob From URL", (OVER,)),
    "copies-anything": ("Copy Blob From URL", (SOURCE,)),
    "blocks-of-anything": ("Put Block From URL", (SOURCE,)),
    "async-over-anything": ("Copy Blob", (CREATE,)),
    "async-over-others": ("Copy Blob", (OVER,)),
    "async-of-anything": ("Copy Blob", (SOURCE,)),
    "drops-headers": ("Put Blob", ("x-ms-blob-content-disposition",)),
    "takes-damaged-blocks": ("Put Block", ("Content-MD5",)),
    "reads-whole": ("Get Blob", ("x-ms-range", "Range")),
}
"""Lie -> the headers that it makes an operation pass over."""
LATE_SECONDS = 1.0
ROWS: Mapping[str, tuple[str, str]] = {
    "lists-other-etags": (r"<Etag>([^<]*)</Etag>", r"<Etag>\g<1>0</Etag>"),
    "lists-no-metadata": (r"<Metadata>.*?</Metadata>", "<Metadata />"),
    "lists-no-tags": (r"<Tags>.*?</Tags>", ""),
    "lists-tiers-as-set": (r"<AccessTierInferred>true</AccessTierInferred>", ""),
    "folds-names": ("Ä", "A"),
}
"""Lie -> what it makes of each row."""

Place = tuple[str, str]


class Lies:
    """The lies of one account, with what they must remember."""

    def __init__(self) -> None:
        self._written: dict[Place, float] = {}
        self._given: dict[Place, str] = {}
        """The condition of a write that is under way."""
        self._etags: dict[Place, str] = {}
        """What a look is told instead of the true one; empty: a touched one."""

    def before(self, call: Call, operation: Operation, told: frozenset[str]) -> Answer | None:
        """Change a request before anybody judges its conditions; or an answer, and nothing is done."""
        self._given[(call.container, call.name)] = call.header(OVER)
        for lie in told:
            name, headers = FORGOTTEN.get(lie, ("", ()))
            if operation.name == name:
                for header in headers:
                    call.set_header(header, None)
        if "blurs-prefixes" in told and operation.name == "List Blobs" and call.query.get("prefix", "").endswith("/"):
            call.query["prefix"] = call.query["prefix"].rstrip("/")
            call.must_sign_anew = True
        if "hides-uncommitted" in told and call.query.get("include") == "uncommittedblobs":
            del call.query["include"]
            call.must_sign_anew = True
        if "copies-lose-metadata" in told and operation.name == "Copy Blob From URL":
            call.set_header("x-ms-meta-other", "1")
        revokes = operation.name == "Set Container ACL" and b"<SignedIdentifier>" not in call.body
        if "keeps-revoked-policies" in told and revokes:
            return Answer(200, [("ETag", '"0x8D0"'), ("Last-Modified", "Mon, 03 Jan 2022 00:00:00 GMT")])
        return None

    def after(self, call: Call, operation: Operation, told: frozenset[str], answer: Answer) -> None:
        """Change an answer before the client sees it."""
        if not told:
            return
        place = (call.container, call.name)
        if operation.name == "List Blobs" and answer.status == 200:
            answer.body = self._listed(call, answer.body.decode("utf-8-sig"), told).encode()
        elif answer.status < 300 and operation.effect == "write" and operation.level == "blob":
            self._wrote(call, operation, told, answer)
        elif operation.name == "Get Blob Properties" and answer.status == 200 and place in self._etags:
            answer.set_header("ETag", self._etags[place] or f'{answer.header("ETag")[:-1]}0"')
        elif "says-no-codes" in told and answer.status == 404:
            answer.headers = [pair for pair in answer.headers if pair[0].lower() != "x-ms-error-code"]
            answer.body = b""
        elif "takes-others-blocks" in told and answer.header("x-ms-error-code") == "InvalidBlobOrBlock":
            answer.status, answer.headers, answer.body = 201, [], b""

    def _wrote(self, call: Call, operation: Operation, told: frozenset[str], answer: Answer) -> None:
        place = (call.container, call.name)
        self._written[place] = time.monotonic()
        given = self._given.pop(place, "")
        if "keeps-etags" in told and operation.name == "Put Blob" and given:
            answer.set_header("ETag", given)
        for lie, name in (("tags-touch-etags", "Set Blob Tags"), ("tiers-touch-etags", "Set Blob Tier")):
            if lie in told and operation.name == name:
                self._etags[place] = ""
        if "metadata-keeps-etags" in told and operation.name == "Set Blob Metadata":
            self._etags[place] = given

    def _listed(self, call: Call, text: str, told: frozenset[str]) -> str:
        for lie in told & ROWS.keys():
            text = each_row(text, partial(re.compile(ROWS[lie][0], re.DOTALL).sub, ROWS[lie][1]))
        if "starts-after" in told and "startfrom" in call.query:
            text = each_row(text, lambda row: "" if name_of(row) == call.query["startfrom"] else row)
        if "lists-late" in told:
            newest = time.monotonic() - LATE_SECONDS
            late = {name for (box, name), at in self._written.items() if box == call.container and at > newest}
            text = each_row(text, lambda row: "" if name_of(row) in late else row)
        rows = ROW.findall(text)
        if "lists-out-of-order" in told and len(rows) > 1:
            text = text.replace(rows[0], "\0", 1).replace(rows[1], rows[0], 1).replace("\0", rows[1], 1)
        if "loses-rows-between-pages" in told and rows and re.search("<NextMarker>[^<]", text):
            text = text.replace(rows[-1], "", 1)
        return text


__all__ = ["LIES", "Lies"]
