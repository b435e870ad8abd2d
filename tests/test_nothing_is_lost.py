"""What is written must be reached: modules and functions that nobody calls, findings that no test produces.

A check that is dropped by accident turns no other test red: nobody misses what it would have found. So these tests count.
They read the sources; the last ones show that each of them can fail.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from migrator.engine import checks as room
from migrator.engine.checks import page
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import When
from migrator.engine.checks.registry import CHECKS, CODES
from migrator.model.objects import FEATURES
from tests.test_architecture import PROJECT, ROOT, all_imports
from tests.test_architecture import sources as read_sources

DOORS = {
    "migrator.cli.app.main": "the console script",
    "migrator.cli.app._globals": "typer, by its decorator",
    "migrator.adapters.azure.wire.connection.Connection": "asyncio and httptools",
    "migrator.adapters.state.columns.Name": "sqlalchemy",
    "migrator.adapters.state.columns.Word": "sqlalchemy",
    "migrator.adapters.workers.pool.WorkerPool.pids": "tests of the workers, which end their processes",
    "migrator.client.routes.Routes": "applications",
    "migrator.client.sync.SyncRoutes": "applications",
    "migrator.testing.sample.containers_of": "tests of the sample data",
    "migrator.testing.estate.configuration.Configuration": "tests of any client",
    "migrator.testing.simulation.loop.SimLoop": "asyncio",
    "migrator.report.serving._Handler": "http.server",
    "migrator.testing.strict.running.Running": "tests of any client",
    "migrator.testing.strict.service.StrictService": "tests of any client",
    "migrator.exporter.collector.RolloutCollector": "a registry of prometheus_client collects it",
}
"""What something else than Python code of the product calls, and what does; of a class, all its methods."""


@cache
def sources() -> Mapping[str, str]:
    return read_sources()


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def orphans(texts: Mapping[str, str]) -> list[str]:
    """Modules that no other one imports and nobody starts."""
    imported = {one.imported for one in all_imports(texts) if one.imported != one.importer}
    packages = {name.rpartition(".")[0] for name in texts}
    return [
        name
        for name, text in texts.items()
        if name not in imported and name not in packages and '__name__ == "__main__"' not in text
    ]


def unused(texts: Mapping[str, str]) -> list[str]:
    """Functions, classes and methods, private ones too, whose name occurs nowhere else in the product.

    A name is a name: a method is taken for used if any other thing of its name is. So none that is used is reported.
    """
    trees = {module: parsed(text) for module, text in texts.items()}
    named = {name for tree in trees.values() for name in _names(tree)}
    return [
        one
        for module, tree in trees.items()
        for one in _definitions(tree, module)
        if one.rpartition(".")[2] not in named and one not in DOORS and one.rpartition(".")[0] not in DOORS
    ]


def _definitions(node: ast.AST, inside: str) -> Iterator[str]:
    """What is defined in a module, with its classes before it: ``module.Class.method``; names with ``__`` are Python's."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{inside}.{child.name}"
            if not child.name.startswith("__"):
                yield name
            yield from _definitions(child, name)
        else:
            yield from _definitions(child, inside)


def _names(tree: ast.AST) -> Iterator[str]:
    """Every name that is used; a package that hands a name on does not use it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value  # __all__, getattr, a type in quotes


def codes_made(texts: Mapping[str, str]) -> dict[str, str]:
    """Every code of a finding that the sources make -> where."""
    trees = {module: parsed(text) for module, text in texts.items() if "model.findings import" in text}
    words = {
        target.id: node.value.value
        for module in texts
        for node in parsed(texts[module]).body
        if isinstance(node, (ast.AnnAssign, ast.Assign))
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in ([node.target] if isinstance(node, ast.AnnAssign) else node.targets)
        if isinstance(target, ast.Name)
    }
    found: dict[str, str] = {}
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                given = node.args[1] if len(node.args) > 1 else _keyword(node, "code")
                for code in _codes(given, tree, words):
                    found[code] = f"{module}:{node.lineno}"
    return found


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def _codes(node: ast.expr | None, tree: ast.Module, words: Mapping[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _codes(node.body, tree, words)
        yield from _codes(node.orelse, tree, words)
    elif isinstance(node, ast.Name) and node.id in words:
        yield words[node.id]
    elif isinstance(node, ast.Name) and (given := list(_assigned(node.id, tree))):
        for one in given:
            yield from _codes(one, tree, words)
    elif isinstance(node, ast.JoinedStr) and ast.unparse(node) == "f'not-kept-{kind}'":
        yield from (
            f"not-kept-{name}"
            for name in FEATURES
            if name not in ("archived", "customer_keyed", "directories", "long_addressed", "tagged")
        )
    elif isinstance(node, ast.Attribute) and node.attr == "code":
        return  # a finding made of another one
    else:
        raise AssertionError(f"cannot read a code out of {ast.unparse(node) if node else 'nothing'}: write it plainly")


def _assigned(name: str, tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            yield node.value


def codes_tested() -> set[str]:
    """Every code that a test names, in its body or its parameters."""
    found = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "node_modules" in path.parts or path == Path(__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                found |= {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)} & CODES.keys()
    return found


def test_no_module_is_an_orphan() -> None:
    assert orphans(sources()) == []


def test_nothing_that_is_defined_is_unused() -> None:
    assert unused(sources()) == []


def test_every_door_is_still_there() -> None:
    defined = {one for module, text in sources().items() for one in _definitions(parsed(text), module)}
    assert DOORS.keys() - defined == set()


@pytest.mark.parametrize(
    "left", ["class A:\n    def _left(self): ...\nA()", "def _left(): ...", "if True:\n    def _left(): ..."]
)
def test_what_nobody_calls_any_more_is_found(left: str) -> None:
    assert [one.rpartition(".")[2] for one in unused({"migrator.new": left})] == ["_left"]


def checks_written() -> list[Check]:
    """Every check that a module of the room holds, alone or in a list."""
    found = []
    for one in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{one.name}")
        for held in vars(module).values():
            found += [part for part in (held if isinstance(held, tuple) else (held,)) if isinstance(part, Check)]
    return found


def untested(checks: Iterable[Check]) -> set[str]:
    """Codes that a check may say and no test names."""
    return {says.code for check in checks for says in check.says} - codes_tested()


def too_late(checks: Iterable[Check]) -> set[str]:
    """Codes that are first looked for when data has moved. What the doctor alone says is of a rollout that is under way."""
    before = {When.VALIDATE, When.PLAN, When.PREFLIGHT}
    at: dict[str, set[When]] = {}
    for check in checks:
        for says in check.says:
            at.setdefault(says.code, set()).update(check.at)
    return {code for code, when in at.items() if not when & before and when != {When.DOCTOR}}


def test_no_finding_is_found_only_after_data_moved() -> None:
    assert too_late(CHECKS) == set()


def test_a_check_that_comes_too_late_is_found() -> None:
    late = Check((Says("new-code", ("error",), "move", "what is new"),), frozenset({When.FENCE}), lambda case: ())
    assert too_late([*CHECKS, late]) == {"new-code"}


def test_every_check_that_is_written_is_in_the_list() -> None:
    assert [check.says[0].code for check in checks_written() if check not in CHECKS] == []


def test_a_check_that_is_in_no_list_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Check((Says("new-code", ("error",), "move", "what is new"),), frozenset({When.PLAN}), lambda case: ())
    monkeypatch.setattr(page, "WRITTEN", written, raising=False)
    assert [check.says[0].code for check in checks_written() if check not in CHECKS] == ["new-code"]


def test_no_code_is_declared_in_two_ways() -> None:
    declared: dict[str, set[Says]] = {}
    for check in CHECKS:
        for says in check.says:
            declared.setdefault(says.code, set()).add(says)
    assert {code for code, ways in declared.items() if len(ways) > 1} == set()


def test_every_finding_has_a_listed_code() -> None:
    made = codes_made(sources())
    assert {code: where for code, where in made.items() if code not in CODES} == {}


def test_every_listed_code_is_made_somewhere() -> None:
    assert CODES.keys() - codes_made(sources()).keys() == set()


def test_every_listed_code_is_produced_by_a_test() -> None:
    assert untested(CHECKS) == set()


def test_a_code_that_no_test_produces_is_found() -> None:
    new = Check((Says("new-code", ("error",), "move", "what is new"),), frozenset({When.PLAN}), lambda case: ())
    assert untested([*CHECKS, new]) == {"new-code"}


def test_the_page_of_findings_is_printed_from_the_list() -> None:
    assert (ROOT / "docs" / "findings.md").read_text() == page.page()


def words_of_nothing(texts: Mapping[str, str]) -> list[str]:
    """Docstrings of figures and aliases that are gone: no assignment stands above them any more."""
    return [
        f"{name}: line {node.lineno}"
        for name, text in texts.items()
        for scope in ast.walk(parsed(text))
        if isinstance(body := getattr(scope, "body", None), list)
        for before, node in itertools.pairwise(body)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and not isinstance(before, ast.Assign | ast.AnnAssign)
    ]


def test_what_a_docstring_tells_of_is_there() -> None:
    assert words_of_nothing(sources()) == []


def test_a_docstring_that_has_lost_its_figure_is_found() -> None:
    text = '"""What a module does."""\nimport math\n"""Of what was here."""\nA = 1\n"""Of A."""\n'
    assert words_of_nothing({"migrator.new": text}) == ["migrator.new: line 3"]


def test_an_orphan_is_found() -> None:
    texts = {f"{PROJECT}.a": f"import {PROJECT}.b", f"{PROJECT}.b": "", f"{PROJECT}.c": "", PROJECT: ""}
    assert orphans(texts) == [f"{PROJECT}.a", f"{PROJECT}.c"]


def test_a_check_that_is_not_called_any_more_is_found() -> None:
    texts = dict(sources())
    whole = texts["migrator.engine.checks.gates"]
    assert whole.count("gate_findings(case.schedule)") == 2
    texts["migrator.engine.checks.gates"] = whole.replace("gate_findings(case.schedule)", "()").replace(
        "import asked_accounts, gate_findings", "import asked_accounts"
    )
    assert unused(texts) == ["migrator.gates.reach.gate_findings"]


@pytest.mark.parametrize("code", ["'no-such-code'", "WORD", "'no-such-code' if found else 'halted'"])
def test_a_code_that_is_not_listed_is_found(code: str) -> None:
    text = (
        "from migrator.model.findings import Finding\nWORD = 'no-such-code'\ndef look(found):\n"
        f"    return Finding('error', {code}, 'a', 'b')"
    )
    assert "no-such-code" in codes_made({"migrator.engine.new": text}).keys() - CODES.keys()
