"""The compiled plan: what the engine works from, with all defaults filled in, names resolved and units converted.

Durations are seconds, rates are requests a minute or bytes a second, times are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal

from migrator.model.names import Area, MoveId
from migrator.model.notices import Channel
from migrator.model.values import value


@value(frozen=True, slots=True)
class Account:
    """``credential`` is a reference (``migrator.model.identities``), never a secret. ``kind``:
    one of ``migrator.kinds``; ``options``: the keys of its kind that have no field here."""

    name: str
    kind: str
    endpoint: str | None = None
    path: str | None = None
    credential: str = "default"
    tenant: str | None = None
    api_version: str | None = None
    subscription: str | None = None
    resource_group: str | None = None
    location: str | None = None
    requests_per_minute: float | None = None
    provision: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def said(self, key: str) -> Any:
        """What the plan says under ``key``, or None."""
        return getattr(self, key) if key in _OF_ACCOUNT else self.options.get(key)


_OF_ACCOUNT = frozenset(Account.__annotations__)


def is_created(account: Account) -> bool:
    """Does a run create it at the resource manager, if it is a target and not there?"""
    return account.provision is not None


def is_placed(account: Account) -> bool:
    """Does the plan say enough of it to ask the resource manager about it?"""
    return bool(account.subscription and account.resource_group)


@value(frozen=True, slots=True)
class Budget:
    """What migration itself may use of one account; None is unlimited."""

    requests_per_minute: float | None = None
    bytes_per_second: float | None = None


WAY_BACK_READY: Final = "way-back-ready"
"""The built-in gate that a plan can name: the source is kept warm, so that going back takes one drain and one scan."""


@value(frozen=True, slots=True)
class Cutover:
    max_lag_objects: int = 1000
    max_passes: int = 50
    fence_timeout_seconds: float = 300.0
    fence: Literal["route", "access-policy"] = "route"
    canary: Literal["both", "target-only"] = "both"
    """``target-only``: nothing is written to the source to prove the way back."""
    hold: bool = False
    max_delete_ratio: float = 0.01
    straggler_interval_seconds: float = 300.0
    max_pause_seconds: float = 600.0
    """No fence begins whose whole pause, drain included, is forecast to be longer."""
    reverse: Literal["on-demand", "continuous"] = "on-demand"
    """Continuous: while customers are at the target, passes keep the source warm for the way back."""


@value(frozen=True, slots=True)
class Verify:
    level: Literal["attributes", "content"] = "attributes"
    sample: float | None = None

    @property
    def content_share(self) -> float:
        """Of all names, how many are proved by content before a switch; less than 1 never proves the whole."""
        if self.level == "attributes":
            return 0.0
        return 1.0 if self.sample is None else self.sample


@value(frozen=True, slots=True)
class Gate:
    """One gate. Exactly one of ``metric``, ``query``; bounds as in the plan document."""

    name: str
    source: str
    on_no_data: Literal["fail", "inconclusive", "pass"]
    metric: str | None = None
    query: str | None = None
    account: Literal["target", "source"] = "target"
    min: float | None = None
    max: float | None = None
    near: float | None = None
    within_ratio: float | None = None
    fail_above: float | None = None
    fail_below: float | None = None
    relative_to: Literal["source"] | None = None
    max_ratio: float | None = None
    aggregate: Literal["mean", "max"] = "mean"
    window_seconds: float = 600.0
    settle_seconds: float = 300.0
    min_samples: int = 1
    min_volume: float | None = None
    max_age_seconds: float | None = None
    failure_limit: int = 3
    inconclusive_limit: int | None = None
    error_limit: int | None = None


@value(frozen=True, slots=True)
class ChangeWindow:
    """``days`` 0 Monday to 6 Sunday; a window over midnight belongs to the day it begins. Minutes of the local day."""

    days: frozenset[int]
    begin_minute: int
    end_minute: int
    timezone: str


@value(frozen=True, slots=True)
class Freeze:
    begin: datetime
    end: datetime


@value(frozen=True, slots=True)
class Declared:
    """What the plan believes a source to hold of one move, before anybody counted."""

    objects: int
    bytes: float


@value(frozen=True, slots=True)
class PlannedMove:
    """One move as planned: area in region from account to account (names); ``traffic`` is the forecast in requests a
    minute, or None; ``declared`` is None where the plan says nothing of the size; ``is_measured``: the plan leaves the
    traffic to the account's meter."""

    id: MoveId
    area: Area
    source: str
    target: str
    traffic_per_minute: float | None = None
    declared: Declared | None = None
    is_measured: bool = False


@value(frozen=True, slots=True)
class Retire:
    """When what a wave has left at its sources may be deleted, which is asked for by itself. ``gates`` show that nobody reads
    there any more."""

    watch_seconds: float = 14 * 86_400.0
    gates: tuple[Gate, ...] = ()
    is_planned: bool = False
    """Does the plan speak of it? Else nothing reminds of it."""


@value(frozen=True, slots=True)
class PlannedWave:
    name: str
    moves: tuple[PlannedMove, ...]
    after: tuple[str, ...]
    soak_seconds: float
    interval_seconds: float
    gates: tuple[Gate, ...]
    on_failure: Literal["rollback", "halt"]
    rollback_scope: Literal["wave", "move"]
    cutover: Cutover
    verify: Verify
    approval_required: bool = False
    approval_by: tuple[str, ...] = ()
    """Only these may approve: logins, or names of Microsoft Entra ID; empty: anybody."""
    approval_not_by_author: bool = False
    """Whoever applied the plan first, or edited it last, may not."""
    change_windows: tuple[ChangeWindow, ...] = ()
    not_before: datetime | None = None
    complete_by: datetime | None = None
    max_moves: int | None = None
    needs_way_back: bool = False
    """No soak goes on without a way back that is ready: the built-in gate ``way-back-ready`` is among its gates."""
    fingerprint: str = ""


@value(frozen=True, slots=True)
class Routing:
    """``kind``: one of ``migrator.kinds``; ``options``: the keys of its kind that have no field here."""

    kind: str
    path: str | None = None
    account: str | None = None
    container: str | None = None
    name: str | None = None
    endpoint: str | None = None
    credential: str | None = None
    argv: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    ttl_seconds: float = 30.0
    max_write_seconds: float = 60.0
    clock_margin_seconds: float = 5.0
    protocol: int = 1
    """Of the route document. 2: followers enter a register, and a drain ends when all of them have answered."""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def drain_seconds(self) -> float:
        """How long after the fence no lease can still be writing."""
        return self.ttl_seconds + self.max_write_seconds + self.clock_margin_seconds

    @property
    def enforced_drain_seconds(self) -> float:
        """The same for a fence that also revokes access policies."""
        return max(self.drain_seconds, POLICY_PROPAGATION_SECONDS + self.max_write_seconds)

    def drain_of(self, cutover: Cutover) -> float:
        """Of a fence as ``cutover`` wants it."""
        return self.enforced_drain_seconds if cutover.fence == "access-policy" else self.drain_seconds

    def expected_drain_of(self, cutover: Cutover) -> float:
        """The same where every follower answers, as is to be expected under protocol 2; ``drain_of`` is the bound."""
        bound = self.drain_of(cutover)
        return min(bound, ROLL_CALL_SECONDS) if self.protocol > 1 and cutover.fence == "route" else bound


ROLL_CALL_SECONDS = 3.0
"""What a drain takes where followers that were told of it answer: they look twice a second then, and most writes end in less."""
POLICY_PROPAGATION_SECONDS = 30.0
"""How long a front end may go by an access policy that was changed. Source: Azure "Define a stored access policy"."""


@value(frozen=True, slots=True)
class Metric:
    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


@value(frozen=True, slots=True)
class Prices:
    """Per 10,000 requests by class of operation (the classes of ``ports.object_store``), and per GiB copied; by tier, per GiB
    that is read (of the archive: rehydrated) and per GiB and month that it lies there. None: the plan does not say it."""

    currency: str = ""
    write_per_10k: float = 0.0
    list_per_10k: float = 0.0
    read_per_10k: float = 0.0
    delete_per_10k: float = 0.0
    other_per_10k: float = 0.0
    data_per_gib: float = 0.0
    cool_read_per_gib: float | None = None
    cold_read_per_gib: float | None = None
    archive_read_per_gib: float | None = None
    cool_month_per_gib: float | None = None
    cold_month_per_gib: float | None = None
    archive_month_per_gib: float | None = None


@value(frozen=True)
class Schedule:
    """The whole compiled plan. ``not_built``: keys the document uses that this version validates but cannot apply."""

    name: str
    fingerprint: str
    accounts: Mapping[str, Account]
    areas: Mapping[str, Area]
    waves: tuple[PlannedWave, ...]
    routing: Routing
    default_budget: Budget
    budgets: Mapping[str, Budget]
    metrics: Mapping[str, Metric]
    freeze: tuple[Freeze, ...] = ()
    prices: Prices | None = None
    state_url: str | None = None
    public_access: Literal["keep", "drop"] = "keep"
    """Of containers, when they are made at a target."""
    proved: str | None = None
    """The file of `migrate prove`, where the plan names one."""
    not_built: tuple[str, ...] = ()
    cloud: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    """Who is told of the rollout."""
    retire: Retire = Retire()

    @cached_property
    def moves(self) -> tuple[PlannedMove, ...]:
        return tuple(move for wave in self.waves for move in wave.moves)

    def move(self, id: MoveId) -> PlannedMove:
        return self._planned[id][1]

    def wave(self, name: str) -> PlannedWave:
        return self._waves[name]

    def wave_of(self, id: MoveId) -> PlannedWave:
        return self._planned[id][0]

    @cached_property
    def _planned(self) -> dict[MoveId, tuple[PlannedWave, PlannedMove]]:
        return {move.id: (wave, move) for wave in self.waves for move in wave.moves}

    @cached_property
    def _waves(self) -> dict[str, PlannedWave]:
        return {wave.name: wave for wave in self.waves}

    def budget(self, account: str) -> Budget:
        return self.budgets.get(account, self.default_budget)
