"""The rooms of the house and who may call on whom, read from the sources themselves.

For the rooms every import counts, also one inside a function. For circles all count but those: a function's are how a factory
names its products and how the command line stays quick. What is imported for types alone (``if TYPE_CHECKING``) counts: two
modules that know each other's types are one knot, whichever of them is loaded first.

One class name means one thing in the product: whoever searches for it, or reads it in a type, finds one meaning. The worlds of
``migrator.testing`` wear the names of what they imitate. The last tests show that each rule can fail.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = "migrator"

MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "migrator": (),
    "migrator.errors": (),
    "migrator.model": ("migrator.model",),
    "migrator.ports": ("migrator.ports", "migrator.model", "migrator.errors"),
    "migrator.machine": ("migrator.machine", "migrator.model", "migrator.errors"),
    "migrator.words": ("migrator.words", "migrator.model", "migrator.errors"),
    "migrator.kinds": ("migrator.kinds", "migrator.adapters", "migrator.ports", "migrator.model", "migrator.errors"),
    "migrator.gates": ("migrator.gates", "migrator.kinds", "migrator.model", "migrator.errors"),
    "migrator.forecast": ("migrator.forecast", "migrator.machine", "migrator.model", "migrator.errors"),
    "migrator.plan": ("migrator.plan", "migrator.kinds", "migrator.ports.kinds", "migrator.model", "migrator.errors"),
    "migrator.report": (
        "migrator.report",
        "migrator.standing",
        "migrator.gates",
        "migrator.machine",
        "migrator.forecast",
        "migrator.ports.state_store",
        "migrator.model",
        "migrator.errors",
    ),
    "migrator.transfer": ("migrator.transfer", "migrator.ports", "migrator.model", "migrator.errors"),
    "migrator.engine": (
        "migrator.engine",
        "migrator.standing",
        "migrator.words",
        "migrator.kinds",
        "migrator.machine",
        "migrator.gates",
        "migrator.forecast",
        "migrator.transfer",
        "migrator.ports",
        "migrator.model",
        "migrator.errors",
    ),
    "migrator.standing": (
        "migrator.standing",
        "migrator.machine",
        "migrator.gates",
        "migrator.forecast",
        "migrator.ports",
        "migrator.model",
        "migrator.errors",
    ),
    "migrator.exporter": (
        "migrator.exporter",
        "migrator.standing",
        "migrator.machine",
        "migrator.model",
        "migrator.errors",
    ),
    "migrator.adapters": ("migrator.adapters", "migrator.ports", "migrator.model", "migrator.errors"),
    "migrator.client": (
        "migrator.client",
        "migrator.model.addresses",
        "migrator.model.hosts",
        "migrator.model.register",
        "migrator.model.routes",
        "migrator.errors",
    ),
    "migrator.testing": ("migrator",),
    "migrator.cli": ("migrator",),
}
"""Room -> what it may import of the project. The longest matching room counts."""

NOBODY_IMPORTS = {"migrator.cli": ("migrator.cli",), "migrator.testing": ("migrator.testing", "migrator.cli")}
"""Room -> the only rooms that may import it: the front desk is at the edge, test worlds stay out of the product."""

FOREIGN_ROOMS: Mapping[str, tuple[str, ...]] = {
    "azure": (
        "migrator.adapters.azure.credentials",
        "migrator.adapters.azure.identities",
        "migrator.adapters.azure.sdk_errors",
        "migrator.adapters.azure.sdk_transport",
        "migrator.adapters.estate",
        "migrator.adapters.routing",
        "migrator.adapters.metrics.azure_monitor",
        "migrator.client",
    ),
    "sqlalchemy": ("migrator.adapters.state", "migrator.adapters.local"),
    "typer": ("migrator.cli",),
    "rich": ("migrator.cli",),
    "pydantic": ("migrator.plan",),
    "pydantic_core": ("migrator.plan",),
    "ruamel": ("migrator.plan",),
    "prometheus_client": ("migrator.exporter",),
    "jinja2": ("migrator.report.page",),
    "markupsafe": ("migrator.report.drawing", "migrator.report.page"),
    "vl_convert": ("migrator.report.drawing",),
    "apprise": ("migrator.adapters.notices.services",),
    "httptools": ("migrator.adapters.azure.wire",),
    "uvloop": ("migrator.adapters.azure.wire", "migrator.cli.wiring"),
    "aiohttp": (
        "migrator.adapters.azure.sdk_errors",
        "migrator.adapters.azure.sdk_transport",
        "migrator.adapters.metrics",
        "migrator.adapters.notices",
        "migrator.adapters.routing",
        "migrator.client",
        "migrator.testing",
    ),
    "yarl": ("migrator.testing",),
}
"""Foreign package -> the rooms that may import it. A package that is not named here has no room at all."""


MAY_BE_SHARED: Mapping[str, str] = {
    "OutcomeUnknown": "the client's own is the common one for an application: a subclass that is caught by either name",
}
"""Class name -> why two modules of the product may define it."""


@dataclass(frozen=True)
class Import:
    importer: str
    imported: str
    line: int
    is_in_function: bool


def sources() -> dict[str, str]:
    """Module name -> text, of the whole project."""
    found = {}
    for path in sorted((ROOT / PROJECT).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def imports_of(module: str, text: str, modules: frozenset[str]) -> Iterator[Import]:
    """Every import of one module; ``from a import b`` names ``a.b`` where that is a module."""
    tree = ast.parse(text)
    inside = {
        child
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for statement in node.body
        for child in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, node in inside)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(module, full if full in modules else base, node.lineno, node in inside)


def all_imports(texts: Mapping[str, str]) -> list[Import]:
    modules = frozenset(texts)
    return [one for module, text in texts.items() for one in imports_of(module, text, modules)]


def is_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def faults(texts: Mapping[str, str]) -> list[str]:
    """One line for each import that the rules forbid."""
    return [f"{one.importer}:{one.line}: {why}" for one in all_imports(texts) if (why := _why_not(one))]


def _why_not(one: Import) -> str | None:
    if one.imported.startswith("."):
        return "relative import; write the whole name"
    top = one.imported.partition(".")[0]
    if top == PROJECT:
        return _why_not_ours(one)
    if top in sys.stdlib_module_names:
        return None
    rooms = FOREIGN_ROOMS.get(top)
    if rooms is None:
        return f"{top} has no room in this house"
    if any(is_in(one.importer, room) for room in rooms):
        return None
    return f"{top} belongs to {', '.join(rooms)}"


def _why_not_ours(one: Import) -> str | None:
    room = max((room for room in MAY_IMPORT if is_in(one.importer, room)), key=len)
    allowed = any(is_in(one.imported, other) for other in MAY_IMPORT[room])
    if room == PROJECT and one.importer != PROJECT:
        return f"{one.importer} is in no room that the rules know"
    for guarded, callers in NOBODY_IMPORTS.items():
        if is_in(one.imported, guarded) and not any(is_in(one.importer, caller) for caller in callers):
            allowed = False
    return None if allowed else f"{room} must not import {one.imported}"


def cycles(texts: Mapping[str, str]) -> list[list[str]]:
    """The import cycles, each as the modules on it."""
    graph: dict[str, set[str]] = {module: set() for module in texts}
    for one in all_imports(texts):
        if one.imported in graph and not one.is_in_function and one.imported != one.importer:
            graph[one.importer].add(one.imported)
    return [sorted(knot) for knot in _knots(graph) if len(knot) > 1]


def _knots(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Strongly connected parts: what can be reached from each other (the graph is small)."""
    reach = {module: _reachable(graph, module) for module in graph}
    seen: set[str] = set()
    knots = []
    for module in graph:
        if module not in seen:
            knot = {other for other in reach[module] if module in reach[other]} | {module}
            seen |= knot
            knots.append(knot)
    return knots


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    rest = list(graph[start])
    while rest:
        module = rest.pop()
        if module not in found:
            found.add(module)
            rest.extend(graph[module])
    return found


def shared_names(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Class name -> the modules of the product that define it, where these are several."""
    found: dict[str, set[str]] = {}
    for module, text in texts.items():
        if is_in(module, f"{PROJECT}.testing"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).add(module)
    return {name: sorted(modules) for name, modules in found.items() if len(modules) > 1}


def test_every_import_respects_the_rooms() -> None:
    assert faults(sources()) == []


def test_no_import_goes_round_in_a_circle() -> None:
    assert cycles(sources()) == []


def test_no_class_name_means_two_things() -> None:
    shared = shared_names(sources())
    assert {name: modules for name, modules in shared.items() if name not in MAY_BE_SHARED} == {}


def test_a_name_that_may_be_shared_still_is() -> None:
    """An exception that nobody needs any more is a hole."""
    assert set(MAY_BE_SHARED) <= set(shared_names(sources()))


def test_the_rules_name_only_rooms_that_may_exist() -> None:
    """A misspelt room would forbid nothing."""
    rooms = {path.name for path in (ROOT / PROJECT).iterdir() if path.is_dir() or path.suffix == ".py"}
    known = {room.split(".")[1] for room in MAY_IMPORT if "." in room} | {"report"}
    assert {name.removesuffix(".py") for name in rooms} - {"__init__", "__pycache__", "py.typed"} <= known


@pytest.mark.parametrize(
    ("module", "text", "fault"),
    [
        ("migrator.model.names", "import migrator.errors", "migrator.model must not import migrator.errors"),
        ("migrator.machine.waves", "from migrator.ports.clock import Clock", "must not import migrator.ports.clock"),
        ("migrator.machine.waiting", "import migrator.forecast.timing", "must not import migrator.forecast.timing"),
        (
            "migrator.transfer.copying",
            "from migrator.adapters.local import x",
            "must not import migrator.adapters.local",
        ),
        (
            "migrator.engine.runner",
            "def f():\n    import migrator.plan",
            "migrator.engine must not import migrator.plan",
        ),
        ("migrator.client.book", "from migrator.model.names import MoveId", "must not import migrator.model.names"),
        ("migrator.adapters.state.store", "import migrator.transfer.order", "must not import migrator.transfer.order"),
        ("migrator.adapters.clock", "from migrator import cli", "migrator.adapters must not import migrator"),
        ("migrator.plan.check", "import migrator.testing.sample", "must not import migrator.testing.sample"),
        ("migrator.attic", "import migrator.model", "migrator.attic is in no room that the rules know"),
        ("migrator.engine.runner", "import azure.storage.blob", "azure belongs to migrator.adapters.azure"),
        (
            "migrator.adapters.azure.object_store",
            "import azure.storage.blob",
            "azure belongs to migrator.adapters.azure",
        ),
        (
            "migrator.adapters.azure.wire.pool",
            "import aiohttp",
            "aiohttp belongs to migrator.adapters.azure.sdk_errors",
        ),
        ("migrator.adapters.azure.store", "import httptools", "httptools belongs to migrator.adapters.azure.wire"),
        ("migrator.engine.runner", "import rich.console", "rich belongs to migrator.cli"),
        ("migrator.cli.app", "import sqlalchemy", "sqlalchemy belongs to migrator.adapters.state"),
        ("migrator.cli.app", "import requests", "requests has no room in this house"),
        ("migrator.cli.app", "from . import usage", "relative import"),
    ],
)
def test_a_wrong_import_is_found(module: str, text: str, fault: str) -> None:
    found = faults({module: text})
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("migrator.cli.wiring", "import uvloop\nfrom migrator.adapters import clock"),
        ("migrator.engine.runner", "import asyncio\nfrom migrator.machine import transitions"),
        ("migrator.client.blob", "import azure.core\nfrom migrator.model.routes import RouteRecord"),
    ],
)
def test_a_right_import_is_left_alone(module: str, text: str) -> None:
    assert faults({module: text}) == []


@pytest.mark.parametrize(
    "back",
    [
        "from migrator.model import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import migrator.model.a",
        "import typing\nif typing.TYPE_CHECKING:\n    from migrator.model.a import Page",
        "class Page:\n    import migrator.model.a",
    ],
)
def test_a_circle_is_found_also_one_of_types(back: str) -> None:
    texts = {"migrator.model.a": "import migrator.model.b", "migrator.model.b": back}
    assert cycles(texts) == [["migrator.model.a", "migrator.model.b"]]


def test_a_circle_of_types_in_the_engine_is_found() -> None:
    """The ledger of the house as it is, with the one import that would tie it to the runner above it."""
    texts = sources()
    planted = "\nif TYPE_CHECKING:\n    from migrator.engine.runner import drive\n"
    [knot] = cycles({**texts, "migrator.engine.ledger": texts["migrator.engine.ledger"] + planted})
    assert {"migrator.engine.ledger", "migrator.engine.mover", "migrator.engine.runner"} <= set(knot)


def test_a_circle_that_a_function_closes_is_left_alone() -> None:
    deferred = "def f() -> None:\n    import migrator.model.a"
    assert cycles({"migrator.model.a": "import migrator.model.b", "migrator.model.b": deferred}) == []


@pytest.mark.parametrize(
    ("module", "text", "found"),
    [
        ("migrator.b", "class Page: ...", {"Page": ["migrator.a", "migrator.b"]}),
        ("migrator.b", "def make():\n    class Page: ...", {"Page": ["migrator.a", "migrator.b"]}),
        ("migrator.b", "class Sheet: ...", {}),
        ("migrator.b", "from migrator.a import Page", {}),
        ("migrator.testing.b", "class Page: ...", {}),
    ],
)
def test_a_second_class_of_the_same_name_is_found(module: str, text: str, found: dict[str, list[str]]) -> None:
    assert shared_names({"migrator.a": "class Page: ...\nclass Line: ...", module: text}) == found


def left_alone(texts: Mapping[str, str]) -> list[str]:
    """Where the engine or the data plane waits for several at once, and one that fails leaves the others at work."""
    return [
        f"{name}: line {node.lineno}"
        for name, text in texts.items()
        if name.startswith(("migrator.engine", "migrator.transfer")) and name != "migrator.transfer.together"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("asyncio.gather", "gather")
        and not any(word.arg == "return_exceptions" for word in node.keywords)
    ]


def test_what_works_side_by_side_ends_together():
    assert left_alone(sources()) == [], "use transfer.together: nothing of a run may outlive it"


def test_what_would_be_left_at_work_is_found():
    text = "import asyncio\nasync def both(a, b):\n    return await asyncio.gather(a, b)\n"
    assert left_alone({"migrator.engine.new": text}) == ["migrator.engine.new: line 3"]
    assert left_alone({"migrator.cli.new": text}) == []
