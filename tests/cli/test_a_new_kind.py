"""A kind of account, of source of figures and of routing that this file alone knows: registered, a plan may use them, and
nothing else has to be told. What a new kind needs is what stands here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from migrator.adapters.local import LocalStore
from migrator.adapters.routing import FileRouter
from migrator.kinds import ACCOUNTS, METRICS, ROUTING
from migrator.model.samples import Point, Question, Reading
from migrator.model.schedule import Account, Metric, Routing
from migrator.plan import forms, json_schema
from migrator.ports.kinds import AccountKind, AccountStore, Form, Key, MetricKind, RoutingKind, Slip
from migrator.ports.metric_source import MetricSource
from migrator.ports.object_store import ObjectStore
from migrator.ports.router import Router
from tests.cli.conftest import PLAN, Migrate


class Chest(AccountKind):
    """An account in a drawer of a chest, which is a folder; it lends what it stores from an embedded account."""

    name = "chest"
    is_embedded = True
    has_unique_etags = False
    keys: Mapping[str, Key] = {
        "chest": Key("path", "chest: the folder", is_needed=True, in_defaults=True),
        "drawer": Key("whole", "chest: its number, from 1", is_needed=True),
    }

    def slips(self, name: str, values: Mapping[str, Any]) -> Iterator[Slip]:
        if values["drawer"] == 0:
            yield Slip("drawer", f"account {name} is in no drawer: they are numbered from 1")

    def spot(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        return ("drawer", f"{values['chest']}/{values['drawer']}") if values["drawer"] is not None else None

    def address(self, account: Account) -> str:
        return f"{account.options['chest']}/{account.options['drawer']}"

    def will_be_made(self, account: Account) -> bool:
        return True

    def entra_credential(self, account: Account) -> str | None:
        return None

    def open(
        self, account: Account, *, environ: Mapping[str, str], cloud: Mapping[str, str], may_make: Callable[[], bool]
    ) -> AccountStore:
        return LocalStore(account.name, Path(f"{self.address(account)}.db"), create=may_make, caller="engine")


class Thermometer(MetricKind):
    name = "thermometer"
    title = "the thermometer"
    figures = "temperatures"
    asks = "query"
    account_keys = ("drawer",)
    keys: Mapping[str, Key] = {"scale": Key("word", "thermometer: of its figures", one_of=("celsius", "kelvin"))}

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, Any]] = []

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def gate_slips(self, metric: str | None, window_seconds: float) -> Iterator[Slip]:
        yield from ()

    def cannot_tell(self, account_kind: str) -> str | None:
        return None if account_kind == "chest" else "which is in no chest"

    def open(
        self, metric: Metric, accounts: Mapping[str, Account], *, environ: Mapping[str, str], cloud: Mapping[str, str]
    ) -> MetricSource:
        return Glass(self, metric.options.get("scale"))


class Glass:
    def __init__(self, kind: Thermometer, scale: Any) -> None:
        self._kind = kind
        self._scale = scale

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        self._kind.asked.append((question.account, question.query, self._scale))
        return Reading((Point(begin, 21.0, 5.0),))

    async def close(self) -> None: ...


class Blackboard(RoutingKind):
    name = "blackboard"
    has_register = True
    stale_seconds = 0.0
    keys: Mapping[str, Key] = {"room": Key("name", "blackboard: where it hangs", is_needed=True)}

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def accounts(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def variables(self, routing: Routing) -> frozenset[str]:
        return frozenset()

    def place(self, routing: Routing, address_of: Callable[[str], str]) -> str:
        return f"blackboard:{routing.options['room']}"

    def open(
        self,
        routing: Routing,
        stores: Mapping[str, ObjectStore],
        *,
        environ: Mapping[str, str],
        cloud: Mapping[str, str],
    ) -> Router:
        return FileRouter(f"{routing.options['room']}.json")

    def open_register(self, routing: Routing, stores: Mapping[str, ObjectStore]) -> None:
        return None


@pytest.fixture
def thermometer() -> Iterator[Thermometer]:
    """All three registered; taken back at the end."""
    thermometer = Thermometer()
    ACCOUNTS.add(Chest())
    METRICS.add(thermometer)
    ROUTING.add(Blackboard())
    yield thermometer
    ACCOUNTS.remove("chest")
    METRICS.remove("thermometer")
    ROUTING.remove("blackboard")


NEW = (
    PLAN.replace(
        "  core: {kind: local, path: state/core.db}\n  web: {kind: local, path: state/web.db}\n",
        "  core: {kind: chest, drawer: 1}\n  web: {kind: chest, drawer: 2}\n",
    )
    .replace("accounts:\n", "defaults:\n  account: {chest: state/chest}\naccounts:\n", 1)
    .replace("    gates: []", "    gates: [warm]", 1)
    .replace(
        "waves:\n",
        "metrics:\n  glass: {kind: thermometer, scale: celsius}\n"
        "gates:\n  warm: {source: glass, query: of $account, min: 15, max: 25, window: 200ms, settle: 0s, on_no_data: fail}\n"
        "waves:\n",
    )
)


ON_THE_WALL = NEW.replace("routing: {kind: file, path: state/routes.json,", "routing: {kind: blackboard, room: hall,")
"""For commands without a fence: its guardian is a process of its own, which knows the registry and not this file."""


def test_a_plan_of_new_kinds_is_validated_planned_applied_and_its_gate_is_asked(
    thermometer: Thermometer, migrate: Migrate, here: Path
) -> None:
    (here / "p.yaml").write_text(NEW)
    assert migrate("validate", "p.yaml").code == 0
    assert migrate("sample", "p.yaml", "--objects", "20").code == 0
    assert (here / "state/chest/1.db").exists()
    planned = migrate("plan", "p.yaml", "--out", "saved")
    assert planned.code == 0, planned.err
    assert not (here / "state/chest/2.db").exists(), "a preview makes nothing"
    thermometer.asked.clear()
    applied = migrate("apply", "saved", "--yes")
    assert applied.code == 0, applied.err
    assert (here / "state/chest/2.db").exists()
    assert set(thermometer.asked) == {("web", "of web", "celsius")}
    waves = json.loads(migrate("status", "p.yaml", "--json").out)["waves"]
    assert [move["state"] for wave in waves for move in wave["moves"]] == ["soaked", "soaked"]
    routes = json.loads((here / "state/routes.json").read_text())["routes"]
    assert routes["north-america/web-tracking"]["account"] == "web"
    assert migrate("doctor", "p.yaml").code == 0
    assert migrate("verify", "p.yaml").code == 0


def test_what_has_begun_stays_where_its_kind_says_that_it_is(
    thermometer: Thermometer, migrate: Migrate, here: Path
) -> None:
    (here / "p.yaml").write_text(NEW)
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    first = migrate("apply", "p.yaml", "--yes", "--wave", "first")
    assert first.code == 0, first.out
    for old, new, was in (
        (NEW, NEW.replace("drawer: 2", "drawer: 3"), "its target account was state/chest/2 then, not state/chest/3"),
        (NEW, ON_THE_WALL, "the route document was file:state/routes.json then, not blackboard:hall"),
    ):
        assert old != new
        (here / "p.yaml").write_text(new)
        refused = migrate("apply", "p.yaml", "--yes")
        assert refused.code != 0
        assert was in " ".join(refused.err.split()), refused.err


def test_routes_are_published_at_a_new_kind_of_place(thermometer: Thermometer, migrate: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(ON_THE_WALL)
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    assert migrate("plan", "p.yaml").code == 0
    published = migrate("routes", "p.yaml", "--publish", "--yes")
    assert published.code == 0, published.err
    routes = json.loads((here / "hall.json").read_text())["routes"]
    assert routes["north-america/web-tracking"]["account"] == "core"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (", drawer: 2", "", "account web lacks the key drawer, which kind chest needs"),
        ("drawer: 2", "drawer: 0", "account web is in no drawer: they are numbered from 1"),
        ("drawer: 2", "drawer: 1", "account web is the same as account core: name it once"),
        ("drawer: 2", "drawer: 2, path: x", "the key path is not one of kind chest"),
        ("drawer: 2", "drawer: two", "accounts.web.drawer: "),
        ("drawer: 2", "drawer: 2, chest: ~/chest", "nothing is substituted here: ~ is part of the name"),
        ("room: hall", "path: hall", "routing lacks the key room, which kind blackboard needs"),
        ("scale: celsius", "scale: reaumur", "expected one of celsius, kelvin"),
        ("query: of $account", "metric: ingress", "a source of kind thermometer takes a query, not a metric"),
        ("kind: chest, drawer: 2", "kind: local, path: x", "gate warm asks temperatures of account web, which is in no chest"),
        ("kind: chest, drawer: 2", "kind: box", "expected one of azure, local, chest"),
    ],
)  # fmt: skip
def test_its_faults_are_found_like_those_of_every_kind(
    thermometer: Thermometer, migrate: Migrate, here: Path, old: str, new: str, says: str
) -> None:
    assert old in ON_THE_WALL
    (here / "p.yaml").write_text(ON_THE_WALL.replace(old, new))
    done = migrate("validate", "p.yaml")
    assert says in done.err + done.out


def test_the_schema_has_the_keys_of_what_is_registered(thermometer: Thermometer) -> None:
    parts = json_schema()["$defs"]
    assert parts["AccountPart"]["properties"]["drawer"]["description"] == "chest: its number, from 1"
    assert "chest" in parts["AccountDefaultsPart"]["properties"]
    assert "drawer" not in parts["AccountDefaultsPart"]["properties"]
    assert parts["AccountPart"]["properties"]["kind"]["enum"] == ["azure", "local", "chest"]
    assert "scale" in parts["MetricPart"]["properties"]
    assert "blackboard" in parts["RoutingPart"]["properties"]["kind"]["enum"]


def test_without_it_nobody_knows_it(migrate: Migrate, here: Path) -> None:
    assert "drawer" not in json.dumps(json_schema())
    (here / "p.yaml").write_text(NEW)
    assert "expected one of azure, local" in migrate("validate", "p.yaml").err


def test_every_form_of_a_key_can_be_read() -> None:
    assert set(get_args(Form)) == {*forms.FORMS, "word"}


@pytest.mark.parametrize("left_out", sorted(AccountKind.__abstractmethods__))
def test_nothing_of_a_kind_of_account_can_be_left_out(left_out: str) -> None:
    parts = {name: one for name, one in vars(Chest).items() if name != left_out and not name.startswith("_")}
    with pytest.raises(TypeError, match=left_out):
        type("Forgetful", (AccountKind,), parts)()


def test_two_kinds_cannot_have_one_name_or_mean_two_things_by_one_key() -> None:
    class Two(Chest):
        name = "local"

    class Other(Chest):
        keys: Mapping[str, Key] = {"path": Key("whole")}

    with pytest.raises(ValueError, match="called local"):
        ACCOUNTS.add(Two())
    with pytest.raises(ValueError, match="the key path of account kind chest means something else"):
        ACCOUNTS.add(Other())
    assert [kind.name for kind in ACCOUNTS] == ["azure", "local"]
