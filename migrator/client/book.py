"""The followers of one route document, fed by one fetch for all: shared by the async and the sync shell.

Decides whether a fetch is worth its while (urgency of the follower, patience after a failure) and words a failed fetch.
Leaves fetching, waiting and locking to the shells. Rule: a failed fetch takes nothing away and gives nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from migrator.client.errors import RouteFenced, RouteUnusable
from migrator.client.follower import RETRY_SECONDS, Follower, Grant, Refresh, Resolved
from migrator.model.hosts import Hosts
from migrator.model.routes import RouteDocument

READER_PATIENCE_SECONDS = 1.0
"""After a failed fetch a reader goes on with its last record and asks again no sooner than this."""


@dataclass(frozen=True, slots=True)
class _Failure:
    why: str
    at: float


class Book:
    """Followers by ``region/area``. Not locked: one thread or task at a time calls ``take`` and ``fail``."""

    def __init__(self, place: str, hosts: Hosts) -> None:
        self.place = place
        self.hosts = hosts
        self._followers: dict[str, Follower] = {}
        self._last: tuple[RouteDocument | None, float] | None = None
        self._failure: _Failure | None = None

    def follower(self, region: str, area: str) -> Follower:
        """The follower of this record; a new one has seen the newest document already."""
        key = f"{region}/{area}"
        found = self._followers.get(key)
        if found is None:
            found = Follower(key, self.hosts)
            if self._last is not None:
                found.observe(*self._last)
            found = self._followers.setdefault(key, found)
        return found

    def take(self, raw: bytes | None, sent_at: float) -> None:
        """The answer of a fetch; None: there is no document."""
        try:
            document = None if raw is None else RouteDocument.decode(raw)
        except ValueError as fault:
            self.fail(str(fault), sent_at)
            return
        self._last, self._failure = (document, sent_at), None
        for follower in list(self._followers.values()):
            follower.observe(document, sent_at)

    def fail(self, why: str, at: float) -> None:
        """A fetch that brought no document."""
        self._failure = _Failure(why, at)

    def write_refresh(self, follower: Follower, now: float) -> Refresh:
        return self._patient(follower.write_refresh(now), now, RETRY_SECONDS)

    def read_refresh(self, follower: Follower, now: float) -> Refresh:
        patience = READER_PATIENCE_SECONDS if follower.epoch else RETRY_SECONDS
        return self._patient(follower.read_refresh(now), now, patience)

    def lease(self, follower: Follower, now: float) -> Grant:
        """As ``Follower.lease``; a failed fetch is named as the cause."""
        try:
            return follower.lease(now)
        except RouteFenced as fenced:
            if self._failure is None or fenced.reason == "read-only":
                raise
            raise RouteFenced(
                f"{fenced.message}: {self._failure.why}", reason=fenced.reason, hint=fenced.hint
            ) from None

    def resolve(self, follower: Follower, now: float) -> Resolved:
        """As ``Follower.resolve``; a failed fetch is named as the cause."""
        try:
            return follower.resolve(now)
        except RouteUnusable as unusable:
            if self._failure is None:
                raise
            raise RouteUnusable(f"{unusable.message}: {self._failure.why}", hint=unusable.hint) from None

    def _patient(self, wanted: Refresh, now: float, patience: float) -> Refresh:
        failure = self._failure
        return Refresh.NO if failure is not None and 0 <= now - failure.at < patience else wanted
