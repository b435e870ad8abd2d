"""What happens is of one list: none is free text, each is made, said in words, documented and produced by a test.

The last tests show that each rule can fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from migrator.adapters.state.codec import decode, encode
from migrator.cli.views import history
from migrator.model.happenings.fences import FenceBegun, UnknownFenceReleased
from migrator.model.happenings.happening import VERSION, Happening, Journaled, Shown, event_of, facts_of, row_of
from migrator.model.happenings.listed import HAPPENINGS
from migrator.model.moves import JournalEntry
from migrator.model.names import MoveId
from migrator.words.happenings import in_words, sentence
from migrator.words.journal import entry
from migrator.words.page import page
from tests.produced import PRODUCED_BY, heard, missing
from tests.test_architecture import ROOT, sources

SAYS = ("tell", "say", "event", "note", "journal", "commit", "save", "with_event", "happen")
EVENTS = """
    account-created account-creating
    adopted durations fence gate-failed left-target outcome pass plan recovery retire-begun retire-ended retire-watch-restarted
    routes sample state-changed throttled waiting
    warning wave-changed way-back
"""
ROWS = """
    account-created account-creating
    abandoned adopted approval approval-wanted barrier canary container-accepted control drained durations fence-forecast
    fence-overdue fence-released gate-failed kept late left-target-changed left-target-still plan policies-restored
    policies-revoked
    recreated retargeted retire-begun retire-ended retire-watch-restarted retry route-adopted routes-published run-began run-ended
    soak-loosened soak-restarted source-deleted state-changed
    streams streams-no-more switched takeover throttled unlock verdict waiting wave-changed way-back
"""
"""Kinds as they were before there was a list, and those since: programs rely on them."""
MAKES_ROWS = ("migrator.words.journal", "migrator.testing")


def untyped(texts: Mapping[str, str]) -> list[str]:
    """Where something happens that is not of the list: free text is told, or a row of the journal is made by hand."""
    found = []
    for module, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            is_row = name == "JournalEntry" and not module.startswith(MAKES_ROWS)
            is_text = name in SAYS and isinstance(node.func, ast.Attribute) and any(map(_is_text, node.args))
            if is_row or (is_text and not module.startswith("migrator.testing")):
                found.append(f"{module}:{node.lineno}")
    return found


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def made(texts: Mapping[str, str]) -> set[str]:
    """Names of the classes that the product calls outside of the list."""
    return {
        ast.unparse(node.func).rpartition(".")[2]
        for module, text in texts.items()
        if not module.startswith("migrator.model.happenings")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
    }


def all_of(base: type[Happening]) -> Iterator[type[Happening]]:
    for one in base.__subclasses__():
        yield one
        yield from all_of(one)


def sample(kind: type[Happening]) -> Happening:
    """One of its kind, every fact given."""
    hints = get_type_hints(kind, include_extras=True)
    parts: Any = fields(kind)  # type: ignore[arg-type]
    return kind(**{part.name: _value(get_args(hints[part.name])[0]) for part in parts})


def _value(shape: Any) -> Any:
    if get_origin(shape) is Annotated:
        return _value(get_args(shape)[0])
    if isinstance(shape, UnionType):
        return _value(next(one for one in get_args(shape) if one is not NoneType))
    if get_origin(shape) is tuple:
        parts = [one for one in get_args(shape) if one is not Ellipsis]
        return tuple(map(_value, parts))
    known: dict[Any, Any] = {str: "word", int: 3, float: 2.5, bool: True}
    return known.get(shape, {"key": 1})


def lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: lists(inner) for key, inner in value.items()}
    return [lists(one) for one in value] if isinstance(value, (tuple, list)) else value


def test_nothing_is_told_or_written_as_free_text() -> None:
    assert untyped(sources()) == []


@pytest.mark.parametrize(
    "text",
    [
        "mover.tell('warning', f'{mover.id}: new')",
        "mover.commit(change, mover.note('new-kind', 'text'))",
        "fleet.journal('new-kind', text)",
        "world.reporter.event('new-kind', None, text)",
        "JournalEntry(now, 'engine', 'new-kind', text)",
    ],
)
def test_free_text_is_found(text: str) -> None:
    assert untyped({"migrator.engine.new": text}) == ["migrator.engine.new:1"]


def test_every_happening_is_in_the_list_under_a_name_of_its_own() -> None:
    assert set(HAPPENINGS) | {Shown, Journaled} == {one for one in all_of(Happening) if one.__qualname__.isidentifier()}
    assert len({one.kind for one in HAPPENINGS}) == len(HAPPENINGS)


def test_every_happening_goes_somewhere() -> None:
    assert [one.kind for one in HAPPENINGS if not issubclass(one, (Shown, Journaled))] == []


def test_every_happening_is_made_somewhere() -> None:
    assert {one.__name__ for one in HAPPENINGS} - made(sources()) == set()


def test_a_happening_that_nobody_makes_is_found() -> None:
    assert made({"migrator.engine.new": "mover.tell(moves.PassMade(1))"}) == {"tell", "PassMade"}
    assert made({"migrator.model.happenings.new": "PassMade(1)"}) == set()


@pytest.mark.parametrize("kind", HAPPENINGS, ids=lambda kind: kind.kind)
def test_a_happening_has_words_and_facts_that_say_all_of_it(kind: type[Happening]) -> None:
    one = sample(kind)
    text = in_words(one)
    assert text
    assert not text.endswith(".")
    assert "\n" not in text
    assert sentence(one, MoveId("europe", "web")) == f"europe/web: {text}"
    facts = facts_of(one)
    assert lists(facts) == facts, "JSON"
    assert facts_of(kind(**facts)) == facts, "a row of the journal can be read back"


@pytest.mark.parametrize("kind", HAPPENINGS, ids=lambda kind: kind.kind)
def test_every_fact_says_what_it_holds(kind: type[Happening]) -> None:
    hints = get_type_hints(kind, include_extras=True)
    for part in fields(kind):  # type: ignore[arg-type]
        assert get_origin(hints[part.name]) is Annotated, part.name
        shape, what = get_args(hints[part.name])
        assert what
        assert what == what.strip()
        if part.name.endswith("_seconds") or part.name == "seconds":
            assert what.startswith("s"), f"{part.name}: {what}"
        assert _value(shape) is not None
    assert (kind.__doc__ or "").strip()


def names_in(file: str) -> set[str]:
    """``Class::test`` or ``test``, as pytest names them, without parameters."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {before + one.name for one in inside if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return found


def unproduced(kinds: Iterable[str]) -> list[str]:
    """Those that no test promises to produce, or only one that is not there."""
    found = []
    for kind in kinds:
        file, _, test = PRODUCED_BY.get(kind, "").partition("::")
        if not file or test.partition("[")[0] not in names_in(file):
            found.append(kind)
    return found


def test_every_happening_is_produced_by_a_test() -> None:
    """That it is, is seen to whenever that test runs: ``tests/produced.py``."""
    kinds = [one.kind for one in HAPPENINGS]
    assert unproduced(kinds) == []
    assert PRODUCED_BY.keys() - set(kinds) == set()


def test_a_happening_without_a_test_is_found() -> None:
    assert unproduced(["new-kind"]) == ["new-kind"]


def test_a_test_that_does_not_produce_what_it_promises_is_found() -> None:
    test = PRODUCED_BY["fence-begun"]
    with heard() as kinds:
        assert sentence(FenceBegun(3))
    assert "fence-begun" not in missing(test, kinds)
    assert "fence-begun" in missing(test, set())


def test_kinds_that_programs_may_rely_on_are_kept() -> None:
    """Events and rows as they were before there was a list."""
    events = {event_of(one) for one in HAPPENINGS if issubclass(one, Shown)}
    rows = {row_of(one) for one in HAPPENINGS if issubclass(one, Journaled)}
    assert events == set(EVENTS.split())
    assert rows == set(ROWS.split())


def test_a_row_of_an_older_state_store_is_read_and_says_that_it_is_old() -> None:
    document = (
        '{"at": "2026-11-02T10:00:00+00:00", "actor": "engine", "kind": "switched", "text": "europe/web: the route names eu-web",'
        ' "wave": "first", "move": {"region": "europe", "area": "web"}, "run": "r", "evidence": {"epoch": 8}, "number": 7}'
    )
    old = decode(JournalEntry, document)
    assert (old.number, old.kind, old.evidence, old.move) == (7, "switched", {"epoch": 8}, MoveId("europe", "web"))
    assert (old.happening, old.version) == ("", 0)


def test_a_row_says_which_happening_it_is_and_how_its_facts_are_read() -> None:
    now = datetime(2026, 11, 2, tzinfo=UTC)
    row = entry(UnknownFenceReleased("eu-core", 8), now, actor="engine", move=MoveId("europe", "web"), run="r")
    assert decode(JournalEntry, encode(row)) == row
    (shown,) = history.document("p", [row])["entries"]
    assert (shown["kind"], shown["happening"], shown["version"]) == (
        "fence-released",
        "unknown-fence-released",
        VERSION,
    )
    assert shown["evidence"] == {"account": "eu-core", "fence_epoch": 8}


def test_the_page_is_printed_from_the_list() -> None:
    assert (ROOT / "docs/happenings.md").read_text() == page(), "python -m migrator.words.page > docs/happenings.md"
