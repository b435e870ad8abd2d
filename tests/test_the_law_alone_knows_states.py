"""Only the law groups states: which of them mean "is at rest" or "has a fence" is asked in ``migrator/machine/states.py``.

Read from the sources, like the rooms in ``test_architecture``. Found are: a set, tuple or list of two states or more, as members
or as their names; a test whether a state is in such a one; `match` cases, and conditions joined by `or` and `and`, that compare
one thing with several states; all states with some left out; and the law's own sets, carried to another room. One state alone
(``is MoveState.HALTED``) is no grouping, nor is a table with a row for each state. Left out, with the reason:

- ``migrator.model.moves`` names them;
- ``migrator.testing`` judges the engine, and must not share a wrong answer with it;
- the order of rows on a screen is an order, and decides nothing.

The last tests show that each form is found.
"""

import ast
from collections.abc import Iterator, Mapping

import pytest

from migrator.model.moves import MoveState, WaveState
from tests.test_architecture import is_in, sources

FAMILIES: Mapping[str, type[MoveState] | type[WaveState]] = {"MoveState": MoveState, "WaveState": WaveState}
NAMES = frozenset(state.value for family in FAMILIES.values() for state in family)
SETS_OF_THE_LAW = frozenset({"FENCE_STATES", "AT_REST"})
AT_HOME = ("migrator.machine", "migrator.model.moves", "migrator.testing")
AN_ORDER = {("migrator.cli.views.rows", "ORDER")}
"""(module, name that is given to it)"""


def groupings(module: str, text: str) -> Iterator[str]:
    """One line for each place where ``module`` puts states together itself."""
    if any(is_in(module, room) for room in AT_HOME):
        return
    tree = ast.parse(text)
    aliases = _aliases(tree)
    ordered = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and any((module, ast.unparse(target)) in AN_ORDER for target in _targets(node))
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) not in ordered and (why := _why_not(node, aliases)):
            yield f"{module}:{node.lineno}: {why}; ask migrator.machine.states"  # type: ignore[attr-defined]


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _aliases(tree: ast.Module) -> dict[str, str]:
    """How the two families are called here: imported under another name, or given one."""
    found = {name: name for name in FAMILIES}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname and alias.name in FAMILIES}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in found:
            found |= {ast.unparse(target): found[node.value.id] for target in node.targets}
    return found


def _why_not(node: ast.AST, aliases: Mapping[str, str]) -> str | None:
    def states_in(nodes: list[ast.expr]) -> set[str]:
        return {ast.unparse(one) for one in nodes if _is_state(one, aliases)}

    match node:
        case ast.ImportFrom(names=names) if {alias.name for alias in names} & SETS_OF_THE_LAW:
            return "carries a set of the law away"
        case ast.Set(elts=given) | ast.Tuple(elts=given) | ast.List(elts=given):
            if len(states_in(given)) > 1:
                return "groups states"
            texts = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if len(texts) > 1 and len(texts) == len(given) and set(texts) <= NAMES:
                return "groups names of states"
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple() | ast.List() | ast.Set()]):
            if states_in([left]):
                return "looks for a state among several"
        case ast.BoolOp(values=given):
            compared = [side for one in given if isinstance(one, ast.Compare) for side in (one.left, *one.comparators)]
            if len(states_in(compared)) > 1 and len({_subject(one, aliases) for one in given} - {None}) == 1:
                return "joins comparisons with several states"
        case ast.MatchOr(patterns=patterns):
            if len(states_in([one.value for one in patterns if isinstance(one, ast.MatchValue)])) > 1:
                return "matches several states"
        case ast.Call(func=ast.Name(id="frozenset" | "set" | "tuple" | "list"), args=[ast.Name(id=name)]):
            if name in aliases:
                return "takes all states to leave some out"
    return None


def _subject(node: ast.expr, aliases: Mapping[str, str]) -> str | None:
    """Of what a comparison with one state is made."""
    if not isinstance(node, ast.Compare) or len(node.comparators) != 1:
        return None
    sides = [node.left, node.comparators[0]]
    others = [ast.unparse(one) for one in sides if not _is_state(one, aliases)]
    return others[0] if len(others) == 1 else None


def _is_state(node: ast.expr, aliases: Mapping[str, str]) -> bool:
    if not isinstance(node, ast.Attribute):
        return False
    family = FAMILIES.get(aliases.get(ast.unparse(node.value), ""))
    return family is not None and node.attr in family.__members__


def test_no_other_room_groups_states() -> None:
    assert [one for module, text in sources().items() for one in groupings(module, text)] == []


IMPORTS = """from migrator.model.moves import MoveState, WaveState
from migrator.model.moves import MoveState as S
T = MoveState
"""


@pytest.mark.parametrize(
    "planted",
    [
        "DONE = frozenset({MoveState.SOAKED, MoveState.RETIRED})",
        "DONE = (S.SOAKED, S.RETIRED)",
        "DONE = [T.SOAKED, T.RETIRED]",
        "def f(state): return state in (WaveState.SOAKED, WaveState.RETIRED)",
        "def f(state): return state not in (*AT_REST, MoveState.PENDING, MoveState.SOAKING)",
        "def f(record): return MoveState.SOAKING in (record.state, record.resume_from)",
        "def f(record): return record.state is MoveState.HALTED or record.state is MoveState.REVERSED",
        "def f(record): return record.state != S.HALTED and record.state != S.REVERSED",
        "NOT_READY = frozenset(MoveState) - {MoveState.READY}",
        'FENCED = frozenset({"fencing", "draining"})',
        'def f(state): return str(state) in ("soaked", "retired")',
        "def f(state):\n    match state:\n        case MoveState.SOAKED | MoveState.RETIRED: return True",
        "def f(states): return states <= {MoveState.SOAKING, MoveState.SOAKED}",
        "from migrator.machine.transitions import AT_REST, follow",
    ],
)
def test_a_planted_grouping_is_found(planted: str) -> None:
    assert len(list(groupings("migrator.engine.planted", IMPORTS + planted))) == 1
    assert list(groupings("migrator.machine.states", IMPORTS + planted)) == []


@pytest.mark.parametrize(
    "left",
    [
        "def f(record): return record.state is MoveState.HALTED",
        "def f(states): return MoveState.HALTED in states",
        "STEPS = {S.PENDING: 1, S.PREFLIGHT: 2}",
        "def f(a, b): return a.state is MoveState.HALTED and b.state is MoveState.SOAKED",
        'KINDS = ("pending", "others")',
    ],
)
def test_one_state_alone_and_a_table_are_left_alone(left: str) -> None:
    assert list(groupings("migrator.engine.planted", IMPORTS + left)) == []
