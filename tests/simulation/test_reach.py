"""The simulated world shows its blind spots: whatever no story reaches is on a list, with a reason."""

import ast
from pathlib import Path

import pytest

import migrator.engine
import migrator.transfer
from migrator.machine.transitions import ROWS
from migrator.model.happenings.happening import Shown, event_of
from migrator.model.happenings.listed import HAPPENINGS
from migrator.testing.simulation import run
from migrator.testing.simulation.reach import ARGUED, EVENTS, everything, never
from migrator.testing.simulation.themes import THEMES
from migrator.transfer.decide import Verb
from tests.simulation.judging import broken

SEEDS = 400
MOST_SEEDS = 1_600
"""What is rare is looked for so far, beyond ``SEEDS`` in stories of the themes by turns: which story has it shifts with every
change of the engine."""


def made_in(package):
    """The happenings that its code makes, by the names of their classes."""
    shown = {one.__name__: one for one in HAPPENINGS if issubclass(one, Shown)}
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in shown:
                yield shown[node.func.id]


def test_the_list_of_events_is_the_engine_s():
    assert {event_of(one) for package in (migrator.engine, migrator.transfer) for one in made_in(package)} == set(
        EVENTS
    )


def test_every_row_and_every_verb_can_be_counted():
    names = everything()
    assert len(names) == len(set(names))
    assert sum(name.startswith("row ") for name in names) == len(ROWS)
    assert sum(name.startswith("verb ") for name in names) == len(Verb)


def test_whatever_need_not_be_reached_is_something_that_could_be():
    assert set(ARGUED) <= set(everything())


def test_what_no_story_reached_has_no_count():
    assert "verb skip" in never({})
    assert "verb skip" not in never({"verb skip": 1})


@pytest.mark.slow
def test_no_promise_is_broken_every_story_ends_and_no_spot_is_blind_without_a_reason():
    reached, faults = {}, []
    switches = judged = 0
    for seed in range(MOST_SEEDS):
        if seed >= SEEDS and set(never(reached)) <= set(ARGUED):
            break
        theme = THEMES[seed % len(THEMES)] if seed >= SEEDS else ""
        report = run(seed, theme=theme)
        faults += [] if theme else broken(report)  # those of themes are for who looks for something in them
        for name, count in report.reached.items():
            reached[name] = reached.get(name, 0) + count
        switches += 0 if theme else report.figures["switches"]
        judged += 0 if theme else report.figures["judged by all laws"]
    assert not faults, "\n".join(faults)
    assert set(never(reached)) <= set(ARGUED)
    assert judged > 0.9 * switches
