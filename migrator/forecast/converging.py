"""Passes so far -> does catching up converge, and how long would a fence be now? Pure.

Two rates decide. *Arrival*: what a pass finds changed, over the time since the pass before began, because in that time it was
changed. *Carrying*: what a pass carries over, over the time the pass took, its listings included. If the first is not below
the second, the lag cannot shrink, whatever the limits say.
"""

from __future__ import annotations

from dataclasses import dataclass

STREAM_BYTES_PER_SECOND = 100.0 * 1024 * 1024
"""What goes through this machine goes no faster than this, whatever the budget allows."""
NOT_SHRINKING = 3
"""Passes in a row that each found no less than the one before, above the limit: it will not converge."""


@dataclass(slots=True)
class Convergence:
    """What the passes of one move in one direction have shown. Objects a second; None where nothing is known yet."""

    arrival_per_second: float | None = None
    carrying_per_second: float | None = None
    scan_seconds: float = 0.0
    """The quickest pass: mostly its listings."""
    lag_objects: int | None = None
    growing: int = 0
    lifted_bytes: int = 0
    """Of append and page blobs that the last pass found changed and the service copied in its own time."""
    _begun: float | None = None

    def take(
        self,
        *,
        begun: float,
        seconds: float,
        changes: int,
        carried: int | None = None,
        lifted_bytes: int = 0,
        max_lag_objects: int = 0,
    ) -> None:
        """One pass. ``begun``: on a monotonic clock; ``changes``: objects that it carried over or must still carry; ``carried``:
        those that it did carry, without the ones that changed again under its hands (None: all);
        ``max_lag_objects``: only a lag above it can be one that does not shrink;
        ``lifted_bytes``: 0 for a first copy, of which nobody knows what will change."""
        self.lifted_bytes = lifted_bytes
        if self._begun is not None and begun > self._begun:
            self.arrival_per_second = changes / (begun - self._begun)
        if carried := changes if carried is None else carried:
            self.carrying_per_second = carried / max(seconds, 0.001)
        self.scan_seconds = seconds if self._begun is None else min(self.scan_seconds, seconds)
        before = self.lag_objects if self.lag_objects is not None and self.lag_objects > max_lag_objects else None
        self.growing = self.growing + 1 if before is not None and changes >= before else 0
        self.lag_objects, self._begun = changes, begun

    def fence_seconds(self, drain_seconds: float, *, bytes_per_second: float = STREAM_BYTES_PER_SECOND) -> float:
        """From the end of the drain to the switch: the scan that carries over what came since the last pass and during the
        drain, and the second look at the ranges in which it did, which may be all of them. ``bytes_per_second``: of what is
        streamed inside a fence."""
        arrived = (self.arrival_per_second or 0.0) * (drain_seconds + self.scan_seconds)
        carry = arrived / self.carrying_per_second if self.carrying_per_second else 0.0
        again = 1.0 if self.lifted_bytes else min(1.0, arrived)
        return (1.0 + again) * self.scan_seconds + carry + self.streaming_seconds(bytes_per_second)

    def streaming_seconds(self, bytes_per_second: float) -> float:
        """An append or page blob that changed before the last pass is taken to change once more before the fence; then all of
        it goes through this machine."""
        return self.lifted_bytes / min(bytes_per_second, STREAM_BYTES_PER_SECOND)

    def is_hopeless(self, max_lag_objects: int) -> bool:
        """Is the lag above the limit, and has it not shrunk for a while?"""
        return self.lag_objects is not None and self.lag_objects > max_lag_objects and self.growing >= NOT_SHRINKING

    def in_words(self) -> str:
        """Both rates, for people."""
        arrival, carrying = self.arrival_per_second or 0.0, self.carrying_per_second or 0.0
        return f"{arrival:,.1f} objects/s are changed and {carrying:,.1f} objects/s are carried over"
