"""The shape of the plan document: its keys, their types and their defaults, as pydantic models.

Decides what may stand where. Leaves what belongs together (names that refer to names, keys of one kind only) to
``check``. Rule: the models are the only list of keys; the JSON Schema, the hints of "did you mean" and the compiled
schedule come from them. Accounts, routing and metrics get the keys of all kinds that are registered (``migrator.kinds``) when
the models are asked for (``document_model``). A key is required only if nothing sensible can stand in for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from migrator.kinds import ACCOUNTS, METRICS, NOTICES, ROUTING
from migrator.model.notices import Occasion
from migrator.plan.fields import (
    Bound,
    ClockTime,
    Container,
    Count,
    Duration,
    Flag,
    Instant,
    LongDuration,
    Name,
    Positive,
    Prefix,
    Price,
    Rate,
    Ratio,
    Share,
    ShortDuration,
    Size,
    Text,
    Timezone,
    Url,
    Whole,
    read_approval,
    read_areas,
    read_containers,
    read_days,
    read_many,
)
from migrator.plan.forms import Words, fields_of
from migrator.ports.kinds import Kind

MetricName = Literal[
    "requests_per_minute",
    "throttled_ratio",
    "error_ratio",
    "e2e_latency_ms",
    "server_latency_ms",
    "availability_percent",
    "ingress",
    "egress",
]
"""What a gate may ask of an account by name."""
_NAMES: Final = {"type": "array", "items": {"type": "string"}}
_NAME_OR_NAMES: Final = {"anyOf": [{"type": "string"}, _NAMES]}
_APPROVAL: Final = {
    "anyOf": [
        {"type": "string", "enum": ["required", "none"]},
        {
            "type": "object",
            "properties": {"required": {"type": "boolean"}, "by": _NAMES, "not_the_author": {"type": "boolean"}},
            "additionalProperties": False,
        },
    ]
}


class Part(BaseModel):
    """A mapping of the document: keys that are not named here are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False, hide_input_in_errors=True)


P = TypeVar("P", bound=Part)


class AccountDefaultsPart(Part):
    """What an account has unless it says else."""

    kind: str = "azure"
    requests_per_minute: Rate | None = Field(default=None, description="the account's limit, for the capacity check")


class AccountPart(AccountDefaultsPart):
    """One storage account."""


class DefaultsPart(Part):
    account: AccountDefaultsPart = AccountDefaultsPart()


class ContainerPart(Part):
    name: Container = Field(description="a container, or a glob of containers")
    prefix: Prefix = Field(default="", description="only blobs whose names begin with this")


class AreaPart(Part):
    """A logical part of the data whose traffic switches as one."""

    containers: Annotated[
        list[ContainerPart],
        BeforeValidator(read_containers),
        WithJsonSchema(
            {
                "type": "array",
                "minItems": 1,
                "items": {
                    "anyOf": [
                        {"type": "string"},
                        {
                            "type": "object",
                            "properties": {"name": {"type": "string"}, "prefix": {"type": "string"}},
                            "required": ["name"],
                            "additionalProperties": False,
                        },
                    ]
                },
            }
        ),
    ]


class InventoryPart(Part):
    """What a source is believed to hold of one area."""

    objects: Whole = Field(description="0: it is known to be empty, and to be moved all the same")
    bytes: Size | None = Field(default=None, description="all objects together, such as 12TiB")


class RegionPart(Part):
    """Where a source account and its targets live."""

    source: Text
    targets: dict[Name, Text] = Field(description="area: account")
    traffic: dict[Name, Count] = Field(default_factory=dict, description="area: forecast, requests a minute")
    inventory: dict[Name, InventoryPart] = Field(
        default_factory=dict, description="area: what the source is believed to hold, where nothing was counted yet"
    )
    pair: Text | None = Field(default=None, description="a region that must never be in one wave with this one")


class RoutingPart(Part):
    """Where the route document is kept."""

    kind: str
    ttl: ShortDuration = Field(default=30.0, description="how long clients may go on without a refresh")
    protocol: Literal[1, 2] = Field(
        default=1,
        description="of the route document; 2: followers enter a register, and writers wait only until all of them have"
        " answered. Clients that know only 1 cannot write then",
    )
    hosts: Words | None = Field(
        default=None, description="hosts of accounts beside Azure's own, such as *.blob.example.org"
    )


class AccountBudgetPart(Part):
    requests_per_minute: Rate | None = None
    bytes_per_second: Size | None = None


class BudgetPart(AccountBudgetPart):
    """What migration itself may use of each account."""

    accounts: dict[Name, AccountBudgetPart] = Field(default_factory=dict)


class WaveCutoverPart(Part):
    """The cut-over keys that a wave may override."""

    max_lag_objects: Whole | None = Field(
        default=None, description="a pass that finds no more changed objects is near enough to cut over; default 1000"
    )
    max_passes: Positive | None = Field(
        default=None, description="the move halts after so many passes in a row that found more; default 50"
    )
    fence_timeout: LongDuration | None = Field(
        default=None, description="how long writers may wait after the drain before they are freed again; default 5m"
    )
    max_pause: LongDuration | None = Field(
        default=None,
        description="the longest that the writers of a move may be expected to wait, drain included; default 10m",
    )
    fence: Literal["route", "access-policy"] | None = Field(default=None, description="default route")
    canary: Literal["both", "target-only"] | None = Field(
        default=None,
        description="target-only: nothing is written to a source that may only be read, so the way back is not proved; default"
        " both",
    )
    hold: Flag | None = Field(default=None, description="true: copy, and cut nothing over")
    max_delete: Ratio | None = Field(
        default=None,
        description="a move halts before it deletes a larger share of the objects at the side it writes to; default 1%",
    )
    straggler_interval: LongDuration | None = Field(
        default=None, description="how often a soak looks whether the side that was left is still; default 5m"
    )
    reverse: Literal["on-demand", "continuous"] | None = Field(
        default=None,
        description="continuous: passes keep the source warm during the soak, and the way back is short; default on-demand",
    )


class CutoverPart(WaveCutoverPart):
    max_write: ShortDuration = Field(default=60.0, description="the longest write of a client; never per wave")
    clock_margin: ShortDuration = Field(default=5.0, description="never per wave")


class VerifyPart(Part):
    level: Literal["attributes", "content"] | None = None
    sample: Ratio | None = None


class GatePart(Part):
    """What must hold while a wave soaks."""

    source: Text = Field(description="a name under `metrics`")
    metric: MetricName | None = Field(default=None, description="azure-monitor and local; a ratio is 0 to 1, or 1%")
    query: Text | None = Field(default=None, description="prometheus; a gate has a metric or a query")
    account: Literal["target", "source"] = "target"
    min: Bound | None = None
    max: Bound | None = None
    near: Bound | None = None
    within: Share | None = None
    fail_above: Bound | None = None
    fail_below: Bound | None = None
    relative_to: Literal["source"] | None = None
    max_ratio: Bound | None = None
    aggregate: Literal["mean", "max"] = "mean"
    window: LongDuration = Field(default=600.0, description="the time before `settle` that a sample looks at")
    settle: Duration = Field(default=300.0, description="how old figures must be before they are believed complete")
    min_samples: Whole = 1  # 0: an operator's word that silence may pass a soak
    min_volume: Count | None = None
    max_age: LongDuration | None = None
    on_no_data: Literal["fail", "inconclusive", "pass"]
    failure_limit: Positive = Field(default=3, description="so many failed samples in a row fail the gate")
    inconclusive_limit: Positive | None = None
    error_limit: Positive | None = None


class MetricPart(Part):
    """A source of figures for gates."""

    kind: str


class MovesPart(Part):
    region: Text
    areas: Annotated[list[Text], BeforeValidator(read_areas), WithJsonSchema(_NAME_OR_NAMES)]


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WindowPart(Part):
    days: Annotated[list[Day], BeforeValidator(read_days)] = Field(default_factory=lambda: list(DAYS))
    begin: ClockTime = Field(alias="from")
    end: ClockTime = Field(alias="to")
    timezone: Timezone


class FreezePart(Part):
    begin: Instant = Field(alias="from")
    end: Instant = Field(alias="to")


class ApprovalPart(Part):
    """Who must say that a wave's cut-overs may begin."""

    required: Flag = True
    by: list[Text] = Field(default_factory=list, description="logins, or names of Microsoft Entra ID; default anybody")
    not_the_author: Flag = Field(
        default=False, description="whoever applied the plan first, or edited it last, may not approve"
    )


class WavePart(Part):
    """Moves released together."""

    name: Name
    moves: list[MovesPart]
    after: Annotated[list[Text], BeforeValidator(read_many), WithJsonSchema(_NAME_OR_NAMES)] | None = Field(
        default=None, description="waves that must have soaked; default the wave above, [] none"
    )
    soak: Duration
    interval: LongDuration = 300.0
    gates: list[Text] = Field(
        default_factory=list,
        description="names under `gates`, or `way-back-ready`, which is built in and wants `cutover.reverse: continuous`",
    )
    on_failure: Literal["rollback", "halt"] = "rollback"
    rollback_scope: Literal["wave", "move"] = "wave"
    approval: Annotated[ApprovalPart, BeforeValidator(read_approval), WithJsonSchema(_APPROVAL)] = Field(
        default=ApprovalPart(required=False),
        description="required: no cut-over before `migrate approve`; copying goes on",
    )
    change_windows: list[WindowPart] = Field(default_factory=list, description="cut-overs only inside; any of them")
    not_before: Instant | None = Field(default=None, description="nothing of the wave begins earlier")
    complete_by: Instant | None = None
    max_moves: Positive | None = Field(default=None, description="so many copy at once, and so many cut over at once")
    cutover: WaveCutoverPart | None = None
    verify: VerifyPart | None = None


class NotifyPart(Part):
    """A channel that is told of the rollout."""

    kind: str
    audience: Literal["operators", "customers"] = Field(
        default="operators", description="whom the texts are for; customers are told of cut-overs and ways back alone"
    )
    occasions: list[Occasion] = Field(default_factory=list, description="which; all if none is named")
    templates: dict[Occasion, Text] = Field(
        default_factory=dict,
        description="by occasion, the text in place of ours; $plan $wave $region $area $seconds $text",
    )


class CloudPart(Part):
    """Sovereign clouds and private test doubles."""

    authority: Url | None = None
    resource_manager: Url | None = None
    metrics: Url | None = None
    audience: Url | None = None
    ca_file: Text | None = None


class ContainersPart(Part):
    public_access: Literal["keep", "drop"] = Field(
        default="keep", description="of containers that are made at a target; drop where the target forbids it"
    )


class PricesPart(Part):
    """For the cost forecast: per 10,000 requests by class of operation, and per GiB copied."""

    currency: Text = Field(default="", description="shown beside every amount, such as EUR")
    write_per_10k: Price = 0.0
    list_per_10k: Price = 0.0
    read_per_10k: Price = 0.0
    delete_per_10k: Price = 0.0
    other_per_10k: Price = 0.0
    data_per_gib: Price = 0.0


class RetirePart(Part):
    """When `migrate retire` may delete what a wave has left at its sources."""

    watch: LongDuration = Field(
        default=14 * 86_400.0, description="since the wave has soaked, without a change at the source"
    )
    gates: list[Text] = Field(default_factory=list, description="they show that nobody reads at the source any more")


class Document(Part):
    """The plan of `migrate`: a staged regional migration of storage accounts."""

    version: Literal[1]
    name: Name = Field(description="the rollout's identity in the state store")
    state: Text | None = Field(default=None, description="SQLAlchemy URL of the state store")
    defaults: DefaultsPart = DefaultsPart()
    accounts: dict[Name, AccountPart]
    areas: dict[Name, AreaPart]
    regions: dict[Name, RegionPart]
    routing: RoutingPart
    budget: BudgetPart = BudgetPart()
    cutover: CutoverPart = CutoverPart()
    verify: VerifyPart = VerifyPart()
    gates: dict[Name, GatePart] = Field(default_factory=dict)
    metrics: dict[Name, MetricPart] = Field(default_factory=dict)
    waves: list[WavePart]
    freeze: list[FreezePart] = Field(default_factory=list)
    notify: list[NotifyPart] = Field(default_factory=list)
    cloud: CloudPart = CloudPart()
    containers: ContainersPart = ContainersPart()
    proved: Text | None = Field(default=None, description="the file that `migrate prove` wrote about these accounts")
    prices: PricesPart | None = None
    retire: RetirePart | None = None


def document_model() -> type[Document]:
    """``Document`` with the keys of all kinds that are registered now."""
    return _model(ACCOUNTS.all, ROUTING.all, METRICS.all, NOTICES.all)


@lru_cache(maxsize=4)
def _model(*_: tuple[Kind, ...]) -> type[Document]:
    keys = ACCOUNTS.keys
    shared = fields_of({name: key for name, key in keys.items() if key.in_defaults})
    own = fields_of({name: key for name, key in keys.items() if not key.in_defaults})
    account_kind = (_one_of(ACCOUNTS.all), "azure")
    defaults = _with(AccountDefaultsPart, {"kind": account_kind, **shared})
    account = _with(AccountPart, {"kind": account_kind, **shared, **own})
    routing = _with(RoutingPart, {"kind": (_one_of(ROUTING.all), ...), **fields_of(ROUTING.keys)})
    metric = _with(MetricPart, {"kind": (_one_of(METRICS.all), ...), **fields_of(METRICS.keys)})
    notify = _with(NotifyPart, {"kind": (_one_of(NOTICES.all), ...), **fields_of(NOTICES.keys)})
    all_defaults = _with(DefaultsPart, {"account": (defaults, defaults())})
    return _with(
        Document,
        {
            "defaults": (all_defaults, all_defaults()),
            "accounts": (dict[Name, account], ...),  # type: ignore[valid-type]
            "routing": (routing, ...),
            "metrics": (dict[Name, metric], Field(default_factory=dict)),  # type: ignore[valid-type]
            "notify": (list[notify], Field(default_factory=list)),  # type: ignore[valid-type]
        },
    )


def _one_of(kinds: tuple[Kind, ...]) -> Any:
    return Literal[tuple(kind.name for kind in kinds)]


def _with(part: type[P], fields: Mapping[str, Any]) -> type[P]:
    return create_model(part.__name__, __base__=part, __doc__=part.__doc__, **fields)
