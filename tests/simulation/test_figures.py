"""The figures of a simulated world are handed in, and no module of the product is patched for them.

A constant that is patched is missed where another module made a copy of it, and says nothing when it is moved. Breakages patch
behaviour, which is what they are for; a figure of theirs is a ``Rhythm``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from migrator.model.rhythm import USUAL, Rhythm, Sizes
from migrator.testing.simulation.tuning import rhythm_of

ROOT = Path(__file__).parents[2]
ROOMS = ("migrator/testing", "tests/simulation")
TABLES = {"STEPS"}
"""What does something is behaviour, whatever its name is written like."""


def patched_figures(source: str) -> Iterator[tuple[int, str]]:
    """Where a name in capitals of something else is set: by assignment, or handed by name to what sets it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(target):
                    if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) and part.attr.isupper():
                        yield node.lineno, part.attr
                    if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store) and _is_vars(part.value):
                        yield node.lineno, "vars"
        if isinstance(node, ast.Call):
            named = [one for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if _name(node.func) in {"setattr", "patched", "object", "patch", "delattr"}:
                yield from (
                    (node.lineno, str(one.value)) for one in named if str(one.value).rpartition(".")[2].isupper()
                )
            if _name(node.func) == "setattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Name):
                yield node.lineno, node.args[1].id  # a table of names: nobody sees which
            if _name(node.func) == "update" and isinstance(node.func, ast.Attribute) and _is_vars(node.func.value):
                yield node.lineno, "vars"


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _is_vars(value: ast.expr) -> bool:
    return (isinstance(value, ast.Call) and _name(value.func) == "vars") or _name(value) == "__dict__"


@pytest.mark.parametrize("room", ROOMS)
def test_no_figure_of_the_product_is_patched(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, name in patched_figures(path.read_text())
        if name not in TABLES and path != Path(__file__)
    ]
    assert found == [], "hand in a Rhythm instead"


@pytest.mark.parametrize(
    "planted",
    [
        "walk.SPLIT_AT = 6",
        "walk.SPLIT_AT, walk.PIECE = 6, 3",
        "walk.SPLIT_AT -= 1",
        "walk.SPLIT_AT: int = 6",
        "setattr(walk, 'SPLIT_AT', 6)",
        "monkeypatch.setattr(walk, 'SPLIT_AT', 6)",
        "monkeypatch.setattr('migrator.transfer.walk.SPLIT_AT', 6)",
        "patched(walk, 'SPLIT_AT', 6)",
        "mock.patch.object(walk, 'SPLIT_AT', 6)",
        "mock.patch('migrator.transfer.walk.SPLIT_AT', 6)",
        "for name in names:\n    setattr(walk, name, 6)",
        "vars(walk)['SPLIT_AT'] = 6",
        "walk.__dict__['SPLIT_AT'] = 6",
        "vars(walk).update(SPLIT_AT=6)",
    ],
)
def test_a_patched_figure_is_found(planted: str) -> None:
    assert list(patched_figures(planted))


@pytest.mark.parametrize(
    "fine", ["SPLIT_AT = 6", "self.split_at = 6", "patched(walk, 'decide', other)", "x = walk.SPLIT_AT"]
)
def test_what_is_no_patch_is_not_found(fine: str) -> None:
    assert not list(patched_figures(fine))


def test_every_figure_is_read_by_the_product() -> None:
    """One that nobody reads would be handed in without any effect."""
    read = {
        node.attr
        for room in ("engine", "transfer", "forecast")
        for path in (ROOT / "migrator" / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert {one.name for kind in (Rhythm, Sizes) for one in fields(kind)} - read == set()


def test_worlds_differ_in_how_small_their_ranges_are() -> None:
    sizes = [rhythm_of(seed).sizes for seed in range(10)]
    assert {one.split_at for one in sizes} == {3, 6, USUAL.sizes.split_at}
    assert {one.lane_names for one in sizes} == {1, 2, 4, USUAL.sizes.lane_names}
    assert {one.min_delete_cap for one in sizes} == {2, USUAL.sizes.min_delete_cap}
