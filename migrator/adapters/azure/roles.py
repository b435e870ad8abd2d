"""What right a request needs: role, scope and letter of a signature, for the refusal of whoever lacks it.

Decides by what the request was about (``Target`` of errors). ``docs/rights.md`` says the same by command. Rule: the least
built-in role that has the data action, never a wider one.

Source: Azure "Permissions for calling data operations with Microsoft Entra ID", "Azure built-in roles for Storage", "Create an
account SAS" (letters).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from migrator.model.values import value

READER: Final = "Storage Blob Data Reader"
CONTRIBUTOR: Final = "Storage Blob Data Contributor"
OWNER: Final = "Storage Blob Data Owner"
DELEGATOR: Final = "Storage Blob Delegator"

Scope = Literal["account", "container"]


@value(frozen=True, slots=True)
class Right:
    """``action``: below ``Microsoft.Storage/storageAccounts/blobServices/``; ``letter``: in a shared access signature, empty
    where none may; ``scope``: the narrowest that is enough."""

    action: str
    role: str
    letter: str
    scope: Scope = "container"


_BLOB: Final = "containers/blobs"
LIST_CONTAINERS: Final = Right("containers/read", READER, "l", "account")
LOOK_AT_CONTAINER: Final = Right("containers/read", READER, "r")
LIST: Final = Right(f"{_BLOB}/read", READER, "l")
READ: Final = Right(f"{_BLOB}/read", READER, "r")
WRITE: Final = Right(f"{_BLOB}/write", CONTRIBUTOR, "w")
DELETE: Final = Right(f"{_BLOB}/delete", CONTRIBUTOR, "d")
READ_TAGS: Final = Right(f"{_BLOB}/tags/read", OWNER, "t")
WRITE_TAGS: Final = Right(f"{_BLOB}/tags/write", OWNER, "t")
MAKE_CONTAINER: Final = Right("containers/write", CONTRIBUTOR, "c")
DELEGATE: Final = Right("generateUserDelegationKey/action", DELEGATOR, "", "account")
DESCRIBE: Final = Right("getInfo/action", "Storage Account Contributor", "r", "account")

RIGHTS: Final[Mapping[str, Right]] = {
    "list containers of": LIST_CONTAINERS,
    "list": LIST,
    "list the tags in": READ_TAGS,
    "look at": READ,
    "look at the tags of": READ_TAGS,
    "read": READ,
    "list the pages of": READ,
    "create": WRITE,
    "write": WRITE,
    "append to": WRITE,
    "write pages of": WRITE,
    "copy into": WRITE,
    "copy a block into": WRITE,
    "abort the copy into": WRITE,
    "stage a block of": WRITE,
    "commit": WRITE,
    "seal": WRITE,
    "set the tier of": WRITE,
    "set the tags of": WRITE_TAGS,
    "set the metadata of": MAKE_CONTAINER,
    "delete": DELETE,
    "ask for a signing key of": DELEGATE,
    "ask for the kind of": DESCRIBE,
}
"""By what a request was about; of access policies an account key alone decides."""


def right_for(doing: str, *, is_container: bool) -> Right | None:
    """``is_container``: it was about a container as a whole."""
    if is_container and doing == "create":
        return MAKE_CONTAINER
    if is_container and doing == "look at":
        return LOOK_AT_CONTAINER
    return RIGHTS.get(doing)


def hint(doing: str, account: str, container: str, *, is_container: bool, has_tags: bool = False) -> str:
    """What to grant, as a sentence without a full stop. ``has_tags``: the request was to write tags, too."""
    right = WRITE_TAGS if has_tags else right_for(doing, is_container=is_container)
    if right is None:
        return f"open account {account} with its key: see docs/rights.md"
    narrow = f"container {container} of account {account}" if container else f"account {account}"
    scope = narrow if right.scope == "container" else f"account {account}"
    letter = f" (a signature: the letter {right.letter})" if right.letter else ""
    return f"grant it the role {right.role}, or the action {right.action}, on {scope}{letter}: see docs/rights.md"


__all__ = ["RIGHTS", "Right", "hint", "right_for"]
