"""Can the service of one account copy from another by itself? A verdict about two accounts, not about an object.

Decides when a refused copy says something of the pair: where a copy that is known to be good is refused too. That is the object
which was copied last, copied once more under a reserved name and removed; until there is one, several objects in a row must have
been refused. Then everything is streamed until it is time to ask again. Leaves what becomes of the refused object to ``copying``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from migrator.errors import AccessRefused, CloudError, Unsupported
from migrator.model.objects import CREATE, NOTHING, Listed
from migrator.model.rhythm import Rhythm
from migrator.ports.clock import Clock
from migrator.ports.object_store import ObjectStore, Origin

PROBE_BYTES = 1024 * 1024
"""A larger object is not copied once more."""


class AccountPair:
    """``why``: for people, why nothing is copied by the service; empty if it does, or was never asked."""

    def __init__(
        self,
        origin: ObjectStore,
        destination: ObjectStore,
        clock: Clock,
        rhythm: Rhythm,
        probes: str,
        *,
        told: Callable[[str], bool] = lambda why: True,
        is_told: bool = False,
    ) -> None:
        """``probes``: what the name of an object begins with that is copied once more. ``told`` is given each verdict when it
        changes, ``why`` or an empty text, and says whether it was taken; ``is_told``: an earlier run's was that it cannot."""
        self._origin, self._destination = origin, destination
        self._clock, self._rhythm = clock, rhythm
        self._probes = probes
        self._may_ask = destination.can_copy_from(origin)
        self._left_until: float | None = None
        self._in_a_row = 0
        self._pause = rhythm.first_ask_again_seconds
        self._sample: tuple[str, Listed] | None = None
        self._why_doubtful = ""
        self._probing = asyncio.Lock()
        self.has_copied = False
        self._tell, self._is_told = told, is_told
        self.why = "" if self._may_ask else f"no signature to read {origin.account} can be lent to another account"

    @property
    def is_able(self) -> bool:
        """May the destination's service be asked? It is asked again now and then."""
        return self._may_ask and (self._left_until is None or self._clock.monotonic() >= self._left_until)

    @property
    def is_left(self) -> bool:
        """Is the verdict that it cannot, until one copy shows that it can?"""
        return not self._may_ask or self._left_until is not None

    def copied(self, container: str = "", blob: Listed | None = None) -> None:
        """The service has copied ``blob``, or one that is too large to be copied once more."""
        self.has_copied = True
        if blob is not None and blob.size <= PROBE_BYTES:
            self._sample = (container, blob)
        self._in_a_row, self._left_until, self.why = 0, None, ""
        self._pause = self._rhythm.first_ask_again_seconds
        if self._is_told and self._tell(""):
            self._is_told = False

    def refused(self, why: str) -> None:
        """The service did not copy one object; where that leaves a doubt, ``settle`` asks."""
        self._in_a_row += 1
        if self._sample is None and (
            self._left_until is not None
            or self._in_a_row >= (self._rhythm.refusals if self.has_copied else self._rhythm.first_refusals)
        ):
            self._leave(why)
        elif self._is_doubtful:
            self._why_doubtful = why

    @property
    def _is_doubtful(self) -> bool:
        return (
            self._sample is not None
            and self.is_able
            and (self._in_a_row >= self._rhythm.refusals or (self._left_until is not None and self._in_a_row > 0))
        )

    def _leave(self, why: str) -> None:
        pause, self._pause = self._pause, min(self._pause * 2, self._rhythm.ask_again_seconds)
        self._left_until = self._clock.monotonic() + pause
        self._in_a_row = 0
        self.why = why or self.why
        if self.why and not self._is_told:
            self._is_told = self._tell(self.why)

    async def settle(self) -> None:
        """Where there is a doubt, copy once more what was copied last."""
        if not self._is_doubtful:
            return
        async with self._probing:
            if self._sample is None or not self._is_doubtful:
                return
            container, blob = self._sample
            name = f"{self._probes}{self._clock.nonce()}"
            origin = Origin(self._origin, container, blob.name, blob.etag, blob.size)
            try:
                written = await self._destination.copy(origin, container, name, NOTHING, condition=CREATE)
            except (Unsupported, AccessRefused):
                self._leave(self._why_doubtful)
            except CloudError:
                self._sample, self._in_a_row = None, 0  # it changed meanwhile, or nobody knows: the next ones show it
            else:
                self.copied()
                with contextlib.suppress(CloudError):  # the next canary sweeps
                    await self._destination.delete(container, name, if_match=written.etag)


__all__ = ["AccountPair"]
