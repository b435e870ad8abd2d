"""What an engine is given: every door it may use, who runs it, and how a run ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from migrator.errors import CloudError
from migrator.model.moves import LockRecord
from migrator.model.notices import Channel
from migrator.model.proved import ProvedPair
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.values import value
from migrator.ports.clock import Clock
from migrator.ports.estate import Estate
from migrator.ports.executor import Executor
from migrator.ports.guardian import GuardianPort
from migrator.ports.metric_source import MetricSource
from migrator.ports.notifier import Notifier
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Register
from migrator.ports.reporter import Reporter
from migrator.ports.router import Router
from migrator.ports.state_store import StateStore


@dataclass(slots=True)
class World:
    """The doors. ``write_bounds``: for each account that is written to, how many seconds an unanswered write may still be applied
    (``ObjectStore.late_write_seconds``)."""

    stores: Mapping[str, ObjectStore]
    router: Router
    state: StateStore
    metrics: Mapping[str, MetricSource]
    clock: Clock
    reporter: Reporter
    write_bounds: Mapping[str, float]
    is_dead: Callable[[LockRecord], bool] = lambda lock: False
    """Is the process that holds this lock proven to be gone?"""
    guardian: GuardianPort | None = None
    """Frees the writers if this process dies in a fence; None where nothing can (tests)."""
    executor: Executor | None = None
    """Sends small copies in batches; without one they go one by one."""
    register: Register | None = None
    """Where followers of the routes enter themselves; None: the plan wants none, or its routing has none."""
    estate: Estate | None = None
    """Accounts as resources; None: the plan has none that a run may create."""
    unopened: Mapping[str, CloudError] = field(default_factory=dict)
    """Accounts that could not even be opened, and why: a preview tells it, a run has none."""
    unasked: Mapping[str, CloudError] = field(default_factory=dict)
    """Metric sources that could not be opened, and why."""
    proved: tuple[ProvedPair, ...] = ()
    """What `migrate prove` found out, where the plan names its file."""
    unproved: str = ""
    """Why that file cannot be read."""
    channels: Sequence[tuple[Channel, Notifier]] = ()
    """Who is told of the rollout, and who sends it."""
    untold: Mapping[str, CloudError] = field(default_factory=dict)
    """Channels that could not be opened, and why."""
    rhythm: Rhythm = USUAL
    """How often this run looks, waits and tries, and how much it takes at once."""

    def store(self, name: str) -> ObjectStore:
        """An account; raises what kept it from being opened."""
        if name in self.unopened:
            raise self.unopened[name]
        return self.stores[name]


@value(frozen=True, slots=True)
class Run:
    """Who runs: for the lock, the journal and the route records. ``id`` is fresh for every process."""

    id: str
    owner: str
    host: str
    pid: int
    boot_id: str

    @property
    def clock(self) -> str:
        """Whose clock this run reads: this boot of this machine, whatever container it runs in."""
        return self.boot_id.partition(" ")[0] or self.host


@value(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``reasons``: one plain sentence each."""

    code: Literal["done", "waiting", "halted", "error", "interrupted"]
    """"error": what passes by itself stood in the way of a run that may not wait."""
    reasons: tuple[str, ...] = ()
