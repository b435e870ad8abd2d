"""Recorded samples of one move -> its soak clock and what comes of it.

Decides how long a move has been healthy, whether that is enough, whether a gate has failed or a person is needed. Leaves
taking samples, the reaction (roll back or halt) and notifying to the engine. The clock is a function of what was recorded,
never of the life of a process. Rules:

1. A *round* is all samples with the same ``at``, recorded one after the other. It passes if every gate of ``gates`` passed in
   it, it fails if any sample in it failed, else (inconclusive, errored, a gate missing) it stands still.
2. Only windows that begin after the switch count; an earlier window's sample is as good as not taken. A clock that was set back
   asks for windows that lie before the switch, or that were counted already: they add nothing, and what is missing says so.
3. A failed round sets the clock to zero. A passing round adds the time evaluated since the round before, if that passed too,
   lies no more than two intervals back, and was timed by the same clock. Nothing else adds anything: not a gap, not a round
   that stands still, not the step from one machine's clock to another's. What one clock says is held against its steady
   seconds, so that setting it forward adds nothing either.
4. ``failure_limit`` failed samples of one gate in a row fail it; beyond ``inconclusive_limit`` or ``error_limit`` in a row a
   person is needed. A row of failures ends with a passing sample of that gate, not with one that could not tell. A limit
   that was reached stays reached until ``limits_since`` moves on (``retry``).
5. Samples that carry no value (silence that ``on_no_data: pass`` let through) are not real samples: they do not count for
   ``min_samples``. No samples never pass, whatever ``required_seconds`` says.
6. *Occasional* gates (a scan that takes hours) need not be in every round: a failure counts like any other, and after the
   clock has reached its end one more passing look is wanted before the move is soaked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from migrator.gates.rows import GateLimits, Rows, SoakVerdict
from migrator.model.samples import Sample, Verdict
from migrator.model.units import show_duration
from migrator.model.values import value

__all__ = ["GateLimits", "SoakClock", "SoakState", "SoakVerdict", "soak"]

INTERVALS_APART: Final = 2
"""Passing rounds further apart than this many intervals have a gap between them."""


@value(frozen=True, slots=True)
class SoakState:
    """What the samples say.

    ``healthy_seconds`` is the clock; ``verdict`` "failed" asks for the wave's ``on_failure``, "halt" for a person, with
    ``gate`` and ``reason`` saying which and why. ``waiting_for``: what is missing while "soaking", one phrase each.
    ``until``: the earliest end if all stays well, None before the first passing round. ``consecutive_failures``: failed
    samples in a row, by gate. ``restarts``: how often a failed round took healthy time away. ``looks_left``: occasional
    gates whose last look is still wanted, now that the clock is full.
    """

    healthy_seconds: float
    remaining_seconds: float
    verdict: SoakVerdict
    waiting_for: tuple[str, ...] = ()
    gate: str | None = None
    reason: str = ""
    consecutive_failures: Mapping[str, int] = field(default_factory=dict)
    until: datetime | None = None
    rounds: int = 0
    restarts: int = 0
    looks_left: tuple[str, ...] = ()


def soak(
    samples: Sequence[Sample],
    *,
    gates: Sequence[str],
    since: datetime,
    interval_seconds: float,
    required_seconds: float,
    limits: Mapping[str, GateLimits] | None = None,
    occasional: Sequence[str] = (),
    limits_since: datetime | None = None,
) -> SoakState:
    """Read the clock of one move: ``SoakClock`` over all of its samples."""
    clock = SoakClock(
        gates=gates,
        since=since,
        interval_seconds=interval_seconds,
        required_seconds=required_seconds,
        limits=limits,
        occasional=occasional,
        limits_since=limits_since,
    )
    clock.take(samples)
    return clock.state()


class SoakClock:
    """The clock of one move's soak, read as samples come: a soak of weeks has thousands of them.

    Args:
        gates: names that every round must show, built-in ones among them; at least one.
        since: the switch; with ``--adopt-route`` the adoption.
        limits: by gate; a gate without an entry has the defaults of ``GateLimits``.
        occasional: gates with a slower rhythm of their own (rule 6).
        limits_since: rows of failed, inconclusive and errored samples begin here, so that ``retry`` starts them anew.
    """

    def __init__(
        self,
        *,
        gates: Sequence[str],
        since: datetime,
        interval_seconds: float,
        required_seconds: float,
        limits: Mapping[str, GateLimits] | None = None,
        occasional: Sequence[str] = (),
        limits_since: datetime | None = None,
    ) -> None:
        rare = frozenset(occasional)
        self._clock = _Clock(frozenset(gates) - rare, rare, interval_seconds, required_seconds)
        self._rows = Rows(limits or {}, since=limits_since)
        self._gates = tuple(dict.fromkeys([*gates, *occasional]))
        self._since = since
        self._occasional = rare

    def take(self, samples: Iterable[Sample]) -> None:
        """Samples in the order in which they were recorded, whole rounds: all samples of a round carry the same ``at``."""
        known = list(samples)
        if known:
            self._clock.behind_switch = max(timedelta(), self._since - max(one.end for one in known))
        counted = (one for one in known if one.begin >= self._since)
        for (at, _), round_ in groupby(counted, key=lambda one: (one.at, one.gate in self._occasional)):
            taken = list(round_)
            self._rows.take(taken)
            self._clock.take(at, taken)

    def state(self) -> SoakState:
        return _state(self._clock, self._rows, self._gates)


class _Clock:
    """Rules 1, 3 and 6, one round after the other."""

    def __init__(
        self, gates: frozenset[str], occasional: frozenset[str], interval_seconds: float, required_seconds: float
    ) -> None:
        self.gates = gates
        self.occasional = occasional
        self.reach = timedelta(seconds=INTERVALS_APART * interval_seconds)
        self.required = timedelta(seconds=required_seconds)
        self.healthy = timedelta()
        self.rounds = 0
        self.restarts = 0
        self.last_at: datetime | None = None
        self.looked: set[str] = set()
        self.changed_clock = False
        self.set_back = timedelta()
        """How far the last round's windows end before what was counted already."""
        self.behind_switch = timedelta()
        """How far the last round's windows end before the switch."""
        self.gap = timedelta()
        """Between the last two passing rounds, if it was too long to count."""
        self._last_end: datetime | None = None
        self._last: Sample | None = None

    @property
    def is_full(self) -> bool:
        return self.last_at is not None and self.healthy >= self.required

    def take(self, at: datetime, samples: Sequence[Sample]) -> None:
        if any(one.verdict is Verdict.FAILED for one in samples):
            self._restart()
            return
        regular = [one for one in samples if one.gate in self.gates]
        if regular:
            self._take_regular(at, regular)
        if self.is_full:
            self.looked |= {one.gate for one in samples if one.verdict is Verdict.PASSED} & self.occasional

    def _take_regular(self, at: datetime, samples: Sequence[Sample]) -> None:
        passed = {one.gate for one in samples if one.verdict is Verdict.PASSED}
        if passed != self.gates:
            self._last_end = None
            return
        end, one = min(one.end for one in samples), samples[0]
        self.set_back = max(timedelta(), self._last_end - end) if self._last_end is not None else timedelta()
        self.changed_clock = self._last is not None and self._last.clock != one.clock
        if self._last_end is None or self.changed_clock:
            self._last_end = end
        else:
            passed_by = end - self._last_end
            self.gap = passed_by if passed_by > self.reach else timedelta()
            if timedelta() < passed_by <= self.reach:
                self.healthy += min(passed_by, self._steady(one, passed_by))
            self._last_end = max(end, self._last_end)
        self._last = one
        self.last_at = at
        self.rounds += 1

    def _steady(self, one: Sample, otherwise: timedelta) -> timedelta:
        """Time since the round before by the steady clock of the machine that made both."""
        if self._last is None or not one.clock:
            return otherwise
        return timedelta(seconds=max(0.0, one.tick - self._last.tick))

    def _restart(self) -> None:
        self.restarts += self.healthy > timedelta()
        self.healthy = timedelta()
        self.last_at = self._last_end = None
        self.looked.clear()


def _state(clock: _Clock, rows: Rows, gates: Iterable[str]) -> SoakState:
    remaining = max(timedelta(), clock.required - clock.healthy)
    waiting = tuple(_waiting(clock, rows, gates))
    verdict: SoakVerdict = rows.broken.verdict if rows.broken else "soaking" if waiting else "soaked"
    return SoakState(
        healthy_seconds=clock.healthy.total_seconds(),
        remaining_seconds=remaining.total_seconds(),
        verdict=verdict,
        waiting_for=waiting if verdict == "soaking" else (),
        gate=rows.broken.gate if rows.broken else None,
        reason=rows.broken.reason if rows.broken else "",
        consecutive_failures=rows.failures,
        until=None if clock.last_at is None else clock.last_at + remaining,
        rounds=clock.rounds,
        restarts=clock.restarts,
        looks_left=tuple(sorted(clock.occasional - clock.looked)) if clock.is_full else (),
    )


def _waiting(clock: _Clock, rows: Rows, gates: Iterable[str]) -> Iterable[str]:
    if clock.behind_switch:
        by = show_duration(clock.behind_switch.total_seconds())
        yield f"a clock that has passed the switch (this machine's is {by} behind it: set it right)"
    elif clock.set_back and not clock.changed_clock and not clock.is_full:
        by = show_duration(clock.set_back.total_seconds())
        yield f"windows that were not counted yet (this machine's clock went back by {by})"
    if clock.last_at is None:
        yield "a first healthy round of samples"
    elif not clock.is_full:
        yield "healthy time"
        if clock.gap:
            most = clock.reach.total_seconds()
            yield f"rounds at most {most:g} s apart (the last two were {clock.gap.total_seconds():.1f} s apart)"
        if clock.changed_clock:
            yield "rounds timed by one machine (the last two were timed by two, and the time between them does not count)"
    for gate in gates:
        wanted, real = rows.limit(gate).min_samples, rows.real.get(gate, 0)
        if real < wanted:
            yield f"samples with a value of gate {gate} ({real} of {wanted})"
        if clock.is_full and gate in clock.occasional - clock.looked:
            yield f"a last look of gate {gate}"
