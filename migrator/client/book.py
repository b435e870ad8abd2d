"""The followers of one route document, fed by one fetch for all, and their entries in its register: shared by the async and the
sync shell.

Decides whether a fetch is worth its while (urgency of the follower, patience after a failure), words what failed, and says what a
registered process does next by itself. Leaves fetching, writing and waiting to the shells. Rules: a failed fetch takes nothing
away and gives nothing; granting a lease and counting it are one step, seen from whoever makes a promise.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from migrator.client.errors import RouteFenced, RouteUnusable
from migrator.client.follower import LOOK_SECONDS, RETRY_SECONDS, Follower, Grant, Refresh, Resolved
from migrator.client.presence import AreaView, Letter, Presence
from migrator.client.work import Counted, Work
from migrator.model.hosts import Hosts
from migrator.model.register import new_id
from migrator.model.routes import RouteDocument

READER_PATIENCE_SECONDS = 1.0
"""After a failed fetch a reader goes on with its last record and asks again no sooner than this."""
WRITING_PATIENCE_SECONDS = 1.0
"""After a writing of an entry that brought no answer."""
LONGEST_PAUSE_SECONDS = 5.0
SHORTEST_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class _Failure:
    why: str
    at: float


class Book:
    """Followers by ``region/area``. One thread or task at a time calls ``take`` and ``fail``, and one ``letter``, ``written`` and
    ``unwritten``; everything else any."""

    def __init__(
        self,
        place: str,
        hosts: Hosts,
        *,
        label: str = "",
        wake: Callable[[], None] = lambda: None,
        ids: Callable[[], str] = new_id,
    ) -> None:
        """``wake``: called when there may be something to tell, by the thread that ended a write."""
        self.place = place
        self.hosts = hosts
        self._followers: dict[str, Follower] = {}
        self._last: tuple[RouteDocument | None, float] | None = None
        self._text: bytes | None = None
        """What ``_last`` was read from."""
        self._failure: _Failure | None = None
        self._turn = threading.RLock()
        self._work = Work(self._on_clear)
        self._wake = wake
        self._is_awaited = False
        self._presence = Presence(label, ids=ids)
        self._register: tuple[str, float] | None = None
        self._unwritten: _Failure | None = None
        self._process = os.getpid()

    def follower(self, region: str, area: str) -> Follower:
        """The follower of this record; a new one has seen the newest document already."""
        key = f"{region}/{area}"
        found = self._followers.get(key)
        if found is None:
            found = Follower(key, self.hosts, self._entered)
            if self._last is not None:
                found.observe(*self._last)
            found = self._followers.setdefault(key, found)
            self._is_awaited = self._is_awaited or found.is_fenced
        return found

    def take(self, raw: bytes | None, sent_at: float) -> None:
        """The answer of a fetch; None: there is no document."""
        try:
            document = self._read(raw)
        except ValueError as fault:
            self.fail(str(fault), sent_at)
            return
        self._last, self._text, self._failure = (document, sent_at), raw, None
        if document is not None:
            self._register = None if document.register is None else (document.register, document.ttl_seconds)
        is_awaited = False
        for follower in list(self._followers.values()):
            follower.observe(document, sent_at)
            is_awaited = is_awaited or follower.is_fenced
        self._is_awaited = is_awaited

    def _read(self, raw: bytes | None) -> RouteDocument | None:
        """A document that nobody changed is read once, however often it is fetched. ValueError: it is none."""
        if raw is None:
            return None
        if raw == self._text and self._last is not None:
            return self._last[0]
        return RouteDocument.decode(raw)

    def fail(self, why: str, at: float) -> None:
        """A fetch that brought no document."""
        self._failure = _Failure(why, at)

    def write_refresh(self, follower: Follower, now: float) -> Refresh:
        """Whoever waits in a fence leaves the looking to the process that attends to it: thousands may wait."""
        if self.is_watching(follower, now):
            return Refresh.NO
        return self._patient(follower.write_refresh(now), now, RETRY_SECONDS)

    def is_watching(self, follower: Follower, now: float) -> bool:
        """Is the record read-only, and looked at every second anyway?"""
        if not follower.is_fenced or follower.is_refused or self._register is None:
            return False
        return 0 <= now - self._looked_at < LOOK_SECONDS and self._presence.is_attended(follower.key)

    def read_refresh(self, follower: Follower, now: float) -> Refresh:
        patience = READER_PATIENCE_SECONDS if follower.epoch else RETRY_SECONDS
        return self._patient(follower.read_refresh(now), now, patience)

    def lease(self, follower: Follower, now: float) -> tuple[Grant, Counted]:
        """As ``Follower.lease``, and counted; a failed fetch, or a failed writing, is named as the cause."""
        try:
            with self._turn:
                grant = follower.lease(now)
                return grant, self._work.begin(follower.key, grant.expires + grant.max_write_seconds)
        except RouteFenced as fenced:
            failure = self._unwritten if fenced.reason == "unregistered" else self._failure
            if failure is None or fenced.reason == "read-only":
                raise
            raise RouteFenced(f"{fenced.message}: {failure.why}", reason=fenced.reason, hint=fenced.hint) from None

    def resolve(self, follower: Follower, now: float) -> Resolved:
        """As ``Follower.resolve``; a failed fetch is named as the cause."""
        try:
            return follower.resolve(now)
        except RouteUnusable as unusable:
            if self._failure is None:
                raise
            raise RouteUnusable(f"{unusable.message}: {self._failure.why}", hint=unusable.hint) from None

    # The register.

    def want(self, follower: Follower, now: float) -> bool:
        """Somebody asks for a lease. True: the document names a register, so there is something to attend to."""
        if os.getpid() != self._process:
            self._forget()
        if self._register is None:
            return False
        with self._turn:
            self._presence.want(follower.key, now)
        return True

    def must_enter(self, follower: Follower, now: float) -> bool:
        """Is there no lease before an entry was written, and may one be written now?"""
        return follower.is_missing_in_register(now) and not self._is_patient(now)

    def is_quiet(self, now: float) -> bool:
        """Is surely no writing due?"""
        register = self._register
        if register is None or self._is_patient(now):
            return True
        with self._turn:
            return not self._is_awaited and self._presence.is_quiet(register[0], now)

    def letter(self, now: float) -> Letter | None:
        """The next writing that is due."""
        register = self._register
        if register is None or self.is_quiet(now):
            return None
        with self._turn:
            return self._presence.letter(*register, now, lambda key: self._view(key, now))

    def written(self, letter: Letter, sent_at: float, now: float) -> None:
        self._unwritten = None
        with self._turn:
            self._presence.acknowledged(letter, sent_at, now)

    def unwritten(self, letter: Letter, why: str, now: float, *, is_gone: bool = False) -> None:
        self._unwritten = _Failure(why, now)
        if is_gone:
            with self._turn:
                self._presence.gone(letter)

    def farewells(self, now: float) -> list[Letter]:
        """The last writings."""
        with self._turn:
            return self._presence.farewells(lambda key: self._view(key, now))

    def next_turn(self, now: float, share: float) -> tuple[Literal["look", "wait", "rest"], float]:
        """What an attending process does after all letters are written: look at the document; wait so many seconds, or until work
        ends; or rest, since nobody asks for leases any more.

        Args:
            share: of the pause between two looks, up to 1: each process at its own moments.
        """
        register = self._register
        with self._turn:
            wanted = self._presence.wanted
            if register is None or not (wanted or self._presence.has_left):
                return "rest", 0.0
            followers, writes = [self._followers[key] for key in wanted], self._presence.renew_at
            if self._is_awaited:
                bounds = [self._work.clear_at(one.key, now) for one in followers if one.is_fenced]
                writes = min([writes, *(bound for bound in bounds if bound is not None)])
        if self._unwritten is not None:
            writes = self._unwritten.at + WRITING_PATIENCE_SECONDS
        looks = self._looked_at + min([one.look_seconds for one in followers], default=math.inf) * share
        if now >= looks:
            return "look", 0.0
        return "wait", min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, min(looks, writes) - now))

    def _on_clear(self) -> None:
        if self._is_awaited:
            self._wake()

    @property
    def _looked_at(self) -> float:
        last = -math.inf if self._last is None else self._last[1]
        return last if self._failure is None else max(last, self._failure.at)

    def _view(self, key: str, now: float) -> AreaView:
        follower = self._followers[key]
        is_clear = self._work.clear_at(key, now) is None
        return AreaView(follower.epoch, follower.is_fenced, is_clear)

    def _entered(self, key: str, register: str, now: float) -> tuple[float, float] | None:
        if os.getpid() != self._process:
            return None
        with self._turn:
            return self._presence.entered(key, register, now)

    def _forget(self) -> None:
        """In a process that was forked: what is entered, and what is under way, is the other's."""
        self._process = os.getpid()
        self._turn = threading.RLock()
        self._work.forget()
        self._presence.forget()

    def _is_patient(self, now: float) -> bool:
        failure = self._unwritten
        return failure is not None and 0 <= now - failure.at < WRITING_PATIENCE_SECONDS

    def _patient(self, wanted: Refresh, now: float, patience: float) -> Refresh:
        failure = self._failure
        return Refresh.NO if failure is not None and 0 <= now - failure.at < patience else wanted
