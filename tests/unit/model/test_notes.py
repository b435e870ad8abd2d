"""Notes of a state store: every key is in one list, and spelled as older stores have it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping

import pytest

from migrator.model import notes
from migrator.model.names import MoveId
from tests.test_architecture import ROOT, sources

MOVE = MoveId("europe", "web")
PARTS = {
    "move": MOVE,
    "account": "eu-web",
    "source": "eu-core",
    "direction": "forward",
    "container": "c",
    "prefix": "p/",
    "gate": "errors",
    "wave": "first",
    "channel": "json webhook env:OPS",
}


def made_elsewhere(texts: Mapping[str, str]) -> list[str]:
    """Where a key is made of free text, outside the list: there mypy takes it for one."""
    return [
        f"{module}:{node.lineno}"
        for module, text in texts.items()
        if module != notes.__name__ and "NoteKey" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("NoteKey", "cast")
        if "NoteKey" in ast.unparse(node)
    ]


@pytest.mark.parametrize("spelling", notes.NOTES)
def test_a_key_is_spelled_as_the_list_says(spelling: str) -> None:
    key = notes.NOTES[spelling]
    if callable(key):
        given = [PARTS[name] for name in inspect.signature(key).parameters]
        assert key(*given) == re.sub(r"\{(\w+)\}", lambda found: str(PARTS[found[1]]), spelling)
    else:
        assert key == spelling


def test_every_note_is_in_the_list() -> None:
    written = {
        name
        for name, one in vars(notes).items()
        if inspect.isfunction(one) and one.__module__ == notes.__name__ and one.__annotations__["return"] == "NoteKey"
    }
    assert written == {key.__name__ for key in notes.NOTES.values() if callable(key)}
    named = re.findall(r"^([A-Z_]+): Final = NoteKey\(", (ROOT / "migrator/model/notes.py").read_text(), re.M)
    assert {getattr(notes, name) for name in named} == {key for key in notes.NOTES.values() if not callable(key)}


@pytest.mark.parametrize("spelling", notes.NOTES)
def test_the_module_that_writes_a_note_is_named_and_does(spelling: str) -> None:
    key = notes.NOTES[spelling]
    if callable(key):
        said, name = key.__doc__ or "", key.__name__
    else:
        name = next(name for name, one in vars(notes).items() if one is key)
        text = (ROOT / "migrator/model/notes.py").read_text()
        said = re.findall(rf'^{name}: Final = .*\n"""(.*)"""$', text, re.M)[0]
    writer = next(one for one in re.findall(r"``([a-z_.]+)``", said) if one.partition(".")[0] != "model")
    found = [text for module, text in sources().items() if module.startswith(f"migrator.{writer}")]
    assert any(f"notes.{name}" in text for text in found), f"{writer} does not write {spelling}"


def test_keys_of_operators_begin_as_the_store_expects() -> None:
    keys = [
        notes.inventory(MOVE, "eu-core"),
        notes.seams(MOVE, "eu-core"),
        notes.proof(MOVE),
        notes.traffic(MOVE),
        notes.MEANS,
    ]
    assert all(key.startswith(notes.OF_OPERATORS) for key in keys)
    others = [key for key in notes.NOTES if not key.startswith(notes.OF_OPERATORS)]
    assert len(others) == len(notes.NOTES) - len(keys)


def test_no_key_is_made_elsewhere() -> None:
    assert made_elsewhere(sources()) == []


@pytest.mark.parametrize("text", ["k = NoteKey('x')", "k = notes.NoteKey('x')", "k = cast(NoteKey, 'x')"])
def test_a_key_that_is_made_elsewhere_is_found(text: str) -> None:
    assert made_elsewhere({"migrator.engine.new": text}) == ["migrator.engine.new:1"]
