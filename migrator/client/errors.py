"""What a follower of the routes can be told, by what its application does next.

LeaseError (migrator.errors)
  RouteFenced      no write now: the route is read-only, or no fresh record can be had   wait: `routes.writable(...)`
    RouteMoved     the client in hand belongs to an account that the route left          make one for `.endpoint`
  RouteUnusable    the document contradicts what was seen, or names a foreign host       tell the operator
    RouteUnpublished  it has no record of the area, and never had one                    wait: `routes.writable(...)`
  RestartUpload    the staged blocks lie in an account that the route left               upload again, there
  OutcomeUnknown   a write was sent, its answer is unknown and it may not be repeated    read, then decide
"""

from __future__ import annotations

from typing import Literal

from migrator import errors as common
from migrator.errors import LeaseError

FenceReason = Literal["read-only", "expired", "unread", "unregistered", "late", "moved"]


class RouteFenced(LeaseError):
    """No write may be sent now; nothing was sent.

    ``reason``: ``read-only`` (a cut-over is going on), ``expired`` (the record could not be refreshed in time), ``unread``
    (none was ever read), ``unregistered`` (this process could not enter the register), ``late`` (the request ran out of its
    ``max_write``), ``moved``.
    """

    def __init__(self, message: str, *, reason: FenceReason, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason: FenceReason = reason


class RouteMoved(RouteFenced):
    """The route names another account than the one addressed; ``endpoint`` is the one to write to."""

    def __init__(self, message: str, *, endpoint: str, hint: str = "") -> None:
        super().__init__(message, reason="moved", hint=hint)
        self.endpoint = endpoint


class RouteUnusable(LeaseError):
    """The document cannot be followed: an epoch went back, changed its meaning, the record is missing, or its endpoint is not one
    that may be given credentials."""


class RouteUnpublished(RouteUnusable):
    """There is no record of the area, as far as this follower ever saw: it is not published yet, or its name is another one."""


class RestartUpload(LeaseError):
    """Staged blocks belong to the account they were sent to; the route now names ``endpoint``."""

    def __init__(self, message: str, *, endpoint: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.endpoint = endpoint


class OutcomeUnknown(common.OutcomeUnknown, LeaseError):
    """A write was sent and its outcome is not known; it was not and will not be repeated."""


class Unfetched(Exception):
    """A fetch brought no answer about the document; the text is one clause for people. ``is_busy``: its service is there, and
    refused this one request. Never leaves this package."""

    def __init__(self, why: str, *, is_busy: bool = False) -> None:
        super().__init__(why)
        self.is_busy = is_busy


class Unwritten(Exception):
    """An entry of the register may not be there; the text is one clause for people. ``is_gone``: it was taken away. Never leaves
    this package."""

    def __init__(self, why: str, *, is_gone: bool = False) -> None:
        super().__init__(why)
        self.is_gone = is_gone


__all__ = [
    "FenceReason",
    "LeaseError",
    "OutcomeUnknown",
    "RestartUpload",
    "RouteFenced",
    "RouteMoved",
    "RouteUnpublished",
    "RouteUnusable",
    "Unfetched",
    "Unwritten",
]
