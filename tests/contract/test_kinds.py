"""What every descriptor of a kind promises, and that every kind has its contract test."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import migrator
from migrator.kinds import ACCOUNTS, METRICS, ROUTING
from migrator.model.schedule import Account, Routing
from migrator.plan import forms
from migrator.plan.schema import AccountDefaultsPart, MetricPart, RoutingPart
from migrator.ports.kinds import AccountStore, Kind

HERE = Path(__file__).parent
ALL = [*ACCOUNTS, *ROUTING, *METRICS]
GENERAL = {AccountDefaultsPart: ACCOUNTS, RoutingPart: ROUTING, MetricPart: METRICS}


def contract_tests() -> str:
    return "\n".join(path.read_text() for path in sorted(HERE.glob("*.py")) if path != Path(__file__))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: f"{type(kind).__name__}")
def test_its_keys_are_keys_that_a_plan_can_have(kind: Kind) -> None:
    for name, key in kind.keys.items():
        assert re.fullmatch(r"[a-z][a-z_]*", name)
        assert key.form in forms.FORMS or (key.form, bool(key.one_of)) == ("word", True)
        assert key.default is None or not key.is_needed
    general = next(part for part, kinds in GENERAL.items() if kind in kinds)
    assert not kind.keys.keys() & general.model_fields.keys()


def test_a_default_is_no_matter_of_new_kinds() -> None:
    """It would stand in the parts of every other kind, and approvals are bound to those."""
    defaults = {name for kinds in GENERAL.values() for name, key in kinds.keys.items() if key.default is not None}
    assert defaults == {"credential", "env"}


def test_every_kind_of_account_is_held_to_the_promises_of_the_port() -> None:
    held = set(re.findall(r'^    kind = "(.+)"$', contract_tests(), re.MULTILINE))
    assert held == {kind.name for kind in ACCOUNTS}


def test_every_source_of_figures_is_opened_in_a_contract_test() -> None:
    opened = set(re.findall(r'Metric\("[^"]+", "([^"]+)"', contract_tests()))
    assert opened == {kind.name for kind in METRICS}


@pytest.mark.parametrize("kind", ACCOUNTS, ids=lambda kind: kind.name)
async def test_an_account_is_opened_without_a_request_and_says_how_late_it_may_be_written_to(kind, tmp_path) -> None:
    account = Account(
        "a", kind.name, endpoint="http://127.0.0.1:9/a", path=str(tmp_path / "none" / "a.db"), credential="env:KEY"
    )
    store = kind.open(
        account, environ={"KEY": "?sig=aaaa&sv=2021-08-06&se=2036-01-01"}, cloud={}, may_make=lambda: False
    )
    try:
        assert (store.account, bool(store.endpoint)) == ("a", True)
        missing = [name for name in dir(AccountStore) if not name.startswith("_") and not hasattr(store, name)]
        assert missing == []
        assert inspect.iscoroutinefunction(store.late_write_seconds)
        assert kind.address(account) in (account.endpoint, account.path)
        assert list(tmp_path.iterdir()) == []
    finally:
        await store.close()


@pytest.mark.parametrize("kind", list(ROUTING), ids=lambda kind: kind.name)
def test_routes_are_kept_in_accounts_that_the_plan_has(kind) -> None:
    routing = Routing(kind.name, path="routes.json", account="a", container="c", name="n")
    assert kind.accounts(routing) <= {"a"}
    assert kind.place(routing, lambda name: f"at {name}")


ASKING = ("plan", "gates", "forecast", "machine", "transfer", "engine", "standing", "cli")
"""Rooms that must ask a kind's descriptor instead of knowing its name."""


def comparisons(text: str, names: set[str]) -> list[str]:
    """Comparisons of anything's ``kind`` with names of kinds of accounts, routing or figures."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Compare)
        and re.search(r"\bkinds?\b", ast.unparse(node))
        and any(isinstance(part, ast.Constant) and part.value in names for part in ast.walk(node))
    ]


def test_nobody_compares_the_name_of_a_kind() -> None:
    names = {kind.name for kind in ALL} - {"file", "command"}  # which are kinds of other things too
    product = Path(migrator.__file__).parent
    found = {
        str(path.relative_to(product)): there
        for room in ASKING
        for path in (product / room).rglob("*.py")
        if (there := comparisons(path.read_text(), names))
    }
    assert found == {}


def test_such_a_comparison_is_found() -> None:
    assert comparisons("a = account.kind == 'local'", {"local"}) == ["account.kind == 'local'"]
    assert comparisons("'local' in (one.kind, other.kind)", {"local"})
    assert comparisons("account.kind == other.kind or name == 'local'", {"local"}) == []
