"""The shape of the plan document: its keys, their types and their defaults, as pydantic models.

Decides what may stand where. Leaves what belongs together (names that refer to names, keys of one kind only) to
``check``. Rule: the models are the only list of keys; the JSON Schema, the hints of "did you mean" and the compiled
schedule come from them. Accounts, routing and metrics get the keys of all kinds that are registered (``migrator.kinds``) when
the models are asked for (``document_model``). A key is required only if nothing sensible can stand in for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model, model_validator

from migrator.kinds import ACCOUNTS, METRICS, NOTICES, ROUTING
from migrator.model.notices import Occasion
from migrator.plan.fields import (
    MEASURED,
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
    Traffic,
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
_TRAFFIC: Final = {
    "anyOf": [
        {"type": "string", "const": MEASURED},
        {
            "type": "object",
            "additionalProperties": {
                "type": ["string", "number"],
                "description": f"such as 60k or 2.4M, or {MEASURED}",
            },
        },
    ]
}
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
    requests_per_minute: Rate | None = Field(
        default=None, description="the account's limit, for the capacity check, such as 2.4M; default: none is checked"
    )


class AccountPart(AccountDefaultsPart):
    """One storage account."""


class DefaultsPart(Part):
    """What holds wherever a plan does not say else."""

    account: AccountDefaultsPart = Field(default=AccountDefaultsPart(), description="keys for every account")


class ContainerPart(Part):
    """A container, or a part of one."""

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
                            "properties": {
                                "name": {"type": "string", "description": "a container, or a glob of containers"},
                                "prefix": {
                                    "type": "string",
                                    "description": "only blobs whose names begin with this, such as email/",
                                },
                            },
                            "required": ["name"],
                            "additionalProperties": False,
                        },
                    ]
                },
            }
        ),
    ] = Field(
        description="names, globs such as web-*, or mappings of name and prefix; containers keep their names at the target, and"
        " no two areas may overlap"
    )


class InventoryPart(Part):
    """What a source is believed to hold of one area."""

    objects: Whole = Field(description="0: it is known to be empty, and to be moved all the same")
    bytes: Size | None = Field(default=None, description="all objects together, such as 12TiB")


class RegionPart(Part):
    """Where a source account and its targets live."""

    source: Text = Field(description="the account where all areas of the region are today; a name under `accounts`")
    targets: dict[Name, Text] = Field(description="area: account")
    traffic: Annotated[dict[Name, Traffic], WithJsonSchema(_TRAFFIC)] = Field(
        default_factory=dict,
        description="area: forecast, requests a minute; measured, of an area or of all: the account's meter is asked",
    )
    inventory: dict[Name, InventoryPart] = Field(
        default_factory=dict, description="area: what the source is believed to hold, where nothing was counted yet"
    )
    pair: Text | None = Field(default=None, description="a region that must never be in one wave with this one")

    @model_validator(mode="before")
    @classmethod
    def _measured(cls, values: Any) -> Any:
        """One word for all areas of the region."""
        targets = values.get("targets") if isinstance(values, dict) else None
        if isinstance(targets, dict) and values.get("traffic") == MEASURED:
            return {**values, "traffic": dict.fromkeys(targets, MEASURED)}
        return values


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
    """What migration itself may use of one account."""

    requests_per_minute: Rate | None = Field(
        default=None, description="requests a minute, such as 60k; default: no limit"
    )
    bytes_per_second: Size | None = Field(default=None, description="bytes a second, such as 500MiB; default: no limit")


class BudgetPart(AccountBudgetPart):
    """What migration itself may use of each account."""

    accounts: dict[Name, AccountBudgetPart] = Field(
        default_factory=dict, description="account: a budget of its own, in place of the one above"
    )


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
    fence: Literal["route", "access-policy"] | None = Field(
        default=None,
        description="route: writers that follow the route stop; access-policy: the right to write of stored access policies is"
        " taken away too; default route",
    )
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
    """How a move is cut over."""

    max_write: ShortDuration = Field(
        default=60.0, description="the longest write of a client, and so a part of the drain; never per wave"
    )
    clock_margin: ShortDuration = Field(
        default=5.0, description="how far the clocks of clients may run apart during a drain; never per wave"
    )


class VerifyPart(Part):
    """How both sides are proved equal before the switch."""

    level: Literal["attributes", "content"] | None = Field(
        default=None,
        description="attributes: names, sizes, types, headers, metadata, tags, tiers; content: every byte too; default"
        " attributes",
    )
    sample: Ratio | None = Field(
        default=None,
        description="the share of objects whose content is read, such as 1%; level content only; default all",
    )


class GatePart(Part):
    """What must hold while a wave soaks."""

    source: Text = Field(description="a name under `metrics`")
    metric: MetricName | None = Field(default=None, description="azure-monitor and local; a ratio is 0 to 1, or 1%")
    query: Text | None = Field(default=None, description="prometheus; a gate has a metric or a query")
    account: Literal["target", "source"] = Field(
        default="target", description="the account of the move that is asked about"
    )
    min: Bound | None = Field(default=None, description="a smaller value fails, such as 60k")
    max: Bound | None = Field(default=None, description="a larger value fails, such as 0.001 or 0.1%")
    near: Bound | None = Field(default=None, description="the value that is expected, such as 2M; needs `within`")
    within: Share | None = Field(default=None, description="how far from `near` a value may be, such as 15%")
    fail_above: Bound | None = Field(
        default=None, description="a larger value fails; what lies between this and `max` is inconclusive"
    )
    fail_below: Bound | None = Field(
        default=None, description="a smaller value fails; what lies between this and `min` is inconclusive"
    )
    relative_to: Literal["source"] | None = Field(
        default=None,
        description="source: the value is compared with the same figure of the source account; needs `max_ratio`",
    )
    max_ratio: Bound | None = Field(
        default=None, description="of the target's value to the source's; a larger one fails"
    )
    aggregate: Literal["mean", "max"] = Field(
        default="mean", description="how the figures of a window become one value"
    )
    window: LongDuration = Field(default=600.0, description="the time before `settle` that a sample looks at")
    settle: Duration = Field(default=300.0, description="how old figures must be before they are believed complete")
    min_samples: Whole = Field(
        default=1, description="a soak needs so many values; 0 is an operator's word that silence may pass it"
    )
    min_volume: Count | None = Field(
        default=None, description="a window with fewer requests has no data, such as 1k; default: any number counts"
    )
    max_age: LongDuration | None = Field(
        default=None, description="figures that are older are no data; default: only `window` and `settle` count"
    )
    on_no_data: Literal["fail", "inconclusive", "pass"] = Field(description="what a window without figures means")
    failure_limit: Positive = Field(default=3, description="so many failed samples in a row fail the gate")
    inconclusive_limit: Positive | None = Field(
        default=None,
        description="more inconclusive samples in a row halt the move for a person; default: any number may be inconclusive",
    )
    error_limit: Positive | None = Field(
        default=None,
        description="more samples in a row that the source did not answer halt the move for a person; default: any number",
    )


class MetricPart(Part):
    """A source of figures for gates."""

    kind: str


class MovesPart(Part):
    """Areas of one region."""

    region: Text = Field(description="a name under `regions`")
    areas: Annotated[list[Text], BeforeValidator(read_areas), WithJsonSchema(_NAME_OR_NAMES)] = Field(
        description='names under `areas`; "*": every area of the plan'
    )


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WindowPart(Part):
    """When cut-overs of a wave may be made."""

    days: Annotated[list[Day], BeforeValidator(read_days)] = Field(
        default_factory=lambda: list(DAYS), description="the days on which it begins; default every day"
    )
    begin: ClockTime = Field(alias="from", description='a time of day such as "02:00"')
    end: ClockTime = Field(
        alias="to", description='a time of day such as "06:00"; one that is not later is of the next day'
    )
    timezone: Timezone = Field(description="such as Europe/Berlin or UTC")


class FreezePart(Part):
    """A time in which nothing is cut over."""

    begin: Instant = Field(alias="from", description="such as 2026-12-24T00:00:00Z")
    end: Instant = Field(alias="to", description="such as 2027-01-02T00:00:00Z")


class ApprovalPart(Part):
    """Who must say that a wave's cut-overs may begin."""

    required: Flag = Field(default=True, description="false: nobody need say so")
    by: list[Text] = Field(default_factory=list, description="logins, or names of Microsoft Entra ID; default anybody")
    not_the_author: Flag = Field(
        default=False, description="whoever applied the plan first, or edited it last, may not approve"
    )


class WavePart(Part):
    """Moves released together."""

    name: Name = Field(description="the wave's name in commands and in the state store")
    moves: list[MovesPart] = Field(description="what moves, region by region")
    after: Annotated[list[Text], BeforeValidator(read_many), WithJsonSchema(_NAME_OR_NAMES)] | None = Field(
        default=None, description="waves that must have soaked; default the wave above, [] none"
    )
    soak: Duration = Field(description="healthy time after the switch, such as 96h, before the next wave may begin")
    interval: LongDuration = Field(default=300.0, description="how often the gates are asked during a soak")
    gates: list[Text] = Field(
        default_factory=list,
        description="names under `gates`, or `way-back-ready`, which is built in and wants `cutover.reverse: continuous`",
    )
    on_failure: Literal["rollback", "halt"] = Field(
        default="rollback", description="what a failed gate does: take back, or stop and wait for a person"
    )
    rollback_scope: Literal["wave", "move"] = Field(
        default="wave", description="what `on_failure: rollback` takes back: the whole wave, or the move that failed"
    )
    approval: Annotated[ApprovalPart, BeforeValidator(read_approval), WithJsonSchema(_APPROVAL)] = Field(
        default=ApprovalPart(required=False),
        description="required: no cut-over before `migrate approve`; copying goes on",
    )
    change_windows: list[WindowPart] = Field(default_factory=list, description="cut-overs only inside; any of them")
    not_before: Instant | None = Field(default=None, description="nothing of the wave begins earlier")
    complete_by: Instant | None = Field(
        default=None,
        description="the promised date; a forecast that misses it is an error, such as 2026-12-20T00:00:00Z",
    )
    max_moves: Positive | None = Field(default=None, description="so many copy at once, and so many cut over at once")
    cutover: WaveCutoverPart | None = Field(default=None, description="keys of `cutover` that differ for this wave")
    verify: VerifyPart | None = Field(default=None, description="keys of `verify` that differ for this wave")


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

    authority: Url | None = Field(
        default=None,
        description="where tokens come from; default https://login.microsoftonline.com, or what AZURE_AUTHORITY_HOST names",
    )
    resource_manager: Url | None = Field(
        default=None, description="where accounts are managed; default https://management.azure.com"
    )
    metrics: Url | None = Field(default=None, description="another Azure Monitor than the public one")
    audience: Url | None = Field(
        default=None, description="whom tokens for storage accounts are for; default https://storage.azure.com"
    )
    ca_file: Text | None = Field(
        default=None, description="a PEM file of certificates to trust for these addresses instead of the system's"
    )


class ContainersPart(Part):
    """How containers are made at a target."""

    public_access: Literal["keep", "drop"] = Field(
        default="keep", description="of containers that are made at a target; drop where the target forbids it"
    )


class PricesPart(Part):
    """For the cost forecast: per 10,000 requests by class of operation, and per GiB copied."""

    currency: Text = Field(default="", description="shown beside every amount, such as EUR")
    write_per_10k: Price = Field(default=0.0, description="of writes and copies")
    list_per_10k: Price = Field(default=0.0, description="of listings and new containers")
    read_per_10k: Price = Field(default=0.0, description="of reads")
    delete_per_10k: Price = Field(default=0.0, description="of deletes, which Azure does not charge for")
    other_per_10k: Price = Field(default=0.0, description="of all else, such as tags and properties")
    data_per_gib: Price = Field(default=0.0, description="of data that is copied from one region or machine to another")
    cool_read_per_gib: Price | None = Field(default=None, description="per GiB read of blobs in the cool tier")
    cold_read_per_gib: Price | None = Field(default=None, description="per GiB read of blobs in the cold tier")
    archive_read_per_gib: Price | None = Field(default=None, description="per GiB rehydrated from the archive")
    cool_month_per_gib: Price | None = Field(
        default=None,
        description="per GiB and month in the cool tier: what is retired before 30 days is billed for the rest",
    )
    cold_month_per_gib: Price | None = Field(
        default=None, description="the same of the cold tier, whose least is 90 days"
    )
    archive_month_per_gib: Price | None = Field(default=None, description="the same of the archive, 180 days")


class RetirePart(Part):
    """When `migrate retire` may delete what a wave has left at its sources."""

    watch: LongDuration = Field(
        default=14 * 86_400.0, description="since the wave has soaked, without a change at the source"
    )
    gates: list[Text] = Field(default_factory=list, description="they show that nobody reads at the source any more")


class Document(Part):
    """The plan of `migrate`: a staged regional migration of storage accounts."""

    version: Literal[1] = Field(description="of this format")
    name: Name = Field(description="the rollout's identity in the state store")
    state: Text | None = Field(default=None, description="SQLAlchemy URL of the state store")
    defaults: DefaultsPart = Field(default=DefaultsPart(), description="what holds wherever the plan does not say else")
    accounts: dict[Name, AccountPart] = Field(description="name: a storage account, old or new")
    areas: dict[Name, AreaPart] = Field(description="name: a logical part of the data whose traffic switches as one")
    regions: dict[Name, RegionPart] = Field(description="name: a source account and the targets of its areas")
    routing: RoutingPart = Field(description="where the route document is kept, which applications follow")
    budget: BudgetPart = Field(
        default=BudgetPart(), description="what migration itself may use of each account; default: no limit"
    )
    cutover: CutoverPart = Field(default=CutoverPart(), description="how a move is cut over")
    verify: VerifyPart = Field(default=VerifyPart(), description="how both sides are proved equal before the switch")
    gates: dict[Name, GatePart] = Field(default_factory=dict, description="name: what must hold while a wave soaks")
    metrics: dict[Name, MetricPart] = Field(default_factory=dict, description="name: a source of figures for gates")
    waves: list[WavePart] = Field(description="moves released together, in order")
    freeze: list[FreezePart] = Field(default_factory=list, description="times in which nothing is cut over")
    notify: list[NotifyPart] = Field(default_factory=list, description="channels that are told of the rollout")
    cloud: CloudPart = Field(default=CloudPart(), description="sovereign clouds and private test doubles")
    containers: ContainersPart = Field(default=ContainersPart(), description="how containers are made at a target")
    proved: Text | None = Field(default=None, description="the file that `migrate prove` wrote about these accounts")
    prices: PricesPart | None = Field(default=None, description="for the cost forecast; default: no costs are forecast")
    retire: RetirePart | None = Field(
        default=None, description="when `migrate retire` may delete what a wave has left at its sources"
    )


def document_model() -> type[Document]:
    """``Document`` with the keys of all kinds that are registered now."""
    return _model(ACCOUNTS.all, ROUTING.all, METRICS.all, NOTICES.all)


@lru_cache(maxsize=4)
def _model(*_: tuple[Kind, ...]) -> type[Document]:
    keys = ACCOUNTS.keys
    shared = fields_of({name: key for name, key in keys.items() if key.in_defaults})
    own = fields_of({name: key for name, key in keys.items() if not key.in_defaults})
    account_kind = (
        _one_of(ACCOUNTS.all),
        Field(default="azure", description="a storage account of Azure, or an embedded one"),
    )
    defaults = _with(AccountDefaultsPart, {"kind": account_kind, **shared})
    account = _with(AccountPart, {"kind": account_kind, **shared, **own})
    routing = _with(
        RoutingPart,
        {"kind": (_one_of(ROUTING.all), Field(description="what keeps the route document")), **fields_of(ROUTING.keys)},
    )
    metric = _with(
        MetricPart,
        {"kind": (_one_of(METRICS.all), Field(description="what is asked for figures")), **fields_of(METRICS.keys)},
    )
    notify = _with(
        NotifyPart, {"kind": (_one_of(NOTICES.all), Field(description="how it is told")), **fields_of(NOTICES.keys)}
    )
    all_defaults = _with(DefaultsPart, {"account": _as(DefaultsPart, "account", defaults, defaults())})
    return _with(
        Document,
        {
            "defaults": _as(Document, "defaults", all_defaults, all_defaults()),
            "accounts": _as(Document, "accounts", dict[Name, account]),  # type: ignore[valid-type]
            "routing": _as(Document, "routing", routing),
            "metrics": _as(Document, "metrics", dict[Name, metric]),  # type: ignore[valid-type]
            "notify": _as(Document, "notify", list[notify]),  # type: ignore[valid-type]
        },
    )


def _as(part: type[Part], name: str, kind: Any, default: Any = None) -> tuple[Any, Any]:
    """A key of ``part`` with another type, and all else as it is."""
    field = copy(part.model_fields[name])
    if default is not None:
        field.default = default
    return kind, field


def _one_of(kinds: tuple[Kind, ...]) -> Any:
    return Literal[tuple(kind.name for kind in kinds)]


def _with(part: type[P], fields: Mapping[str, Any]) -> type[P]:
    return create_model(part.__name__, __base__=part, __doc__=part.__doc__, **fields)
