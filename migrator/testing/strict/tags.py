"""How many tags a blob has is listed for everybody who may list; the tags themselves need a right of their own."""

from __future__ import annotations

from migrator.testing.strict.call import Answer, Call
from migrator.testing.strict.operations import Operation, asks_for_tags
from migrator.testing.strict.rows import each_row

SINCE = "2019-12-12"
"""Versions before know no tags."""


def ask_too(call: Call, operation: Operation) -> bool:
    """Have Azurite list tags, to count them; True if nobody had asked for them."""
    if operation.name != "List Blobs" or asks_for_tags(call, operation) or call.version < SINCE:
        return False
    included = call.query.get("include", "")
    call.query["include"] = f"{included},tags" if included else "tags"
    call.must_sign_anew = True
    return True


def counted(answer: Answer, *, is_hidden: bool) -> None:
    """Put the counts into a listing, and take the tags out where nobody asked for them."""

    def count(row: str) -> str:
        before, opening, rest = row.partition("<Tags>")
        tags, closing, after = rest.partition("</Tags>")
        number = tags.count("<Tag>")
        if number:
            before = before.replace("</Properties>", f"<TagCount>{number}</TagCount></Properties>")
        return before + ("" if is_hidden else opening + tags + closing) + after

    answer.body = each_row(answer.body.decode("utf-8-sig"), count).encode()


__all__ = ["ask_too", "counted"]
