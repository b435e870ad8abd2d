"""The catalogue of planted mistakes is as it should be; ``make mutants`` tries them."""

import ast
from collections import Counter

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.trial import try_mutant

ROOMS = {"transfer", "engine", "client", "machine", "adapters/routing", "adapters/state", "gates", "model"}
FEWEST = 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_still_has_its_place_and_is_a_program(mutant):
    right = (ROOT / mutant.file).read_text(encoding="utf-8")
    planted = mutant.planted(right)
    ast.parse(planted)
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(right)), "it changes nothing that runs"


def test_there_are_enough_in_every_room_that_data_rests_on():
    assert len(MUTANTS) >= FEWEST
    assert not [name for name, count in Counter(mutant.name for mutant in MUTANTS).items() if count > 1]
    here = {room for room in ROOMS for mutant in MUTANTS if mutant.path.startswith(room)}
    assert here == ROOMS


def test_each_says_who_catches_it_or_why_nobody_can():
    for mutant in MUTANTS:
        assert mutant.mistake.endswith(".")
        assert bool(mutant.caught_by or mutant.seeds) != bool(mutant.survives), mutant.name
        for test in mutant.caught_by:
            assert (ROOT / test.partition("::")[0]).exists(), f"{mutant.name}: there is no {test}"


def test_a_mistake_that_tests_see_is_caught_and_one_that_they_do_not_see_is_not(tmp_path):
    (tmp_path / "migrator").mkdir()
    (tmp_path / "migrator" / "__init__.py").touch()
    (tmp_path / "migrator" / "law.py").write_text("ANSWER = 42\n")
    (tmp_path / "test_law.py").write_text(
        "def test_law():\n    from migrator.law import ANSWER\n    assert ANSWER > 41\n"
    )
    seen = Mutant("seen", "law.py", "42", "41", "It answers too little.", ("test_law.py",))
    unseen = Mutant("unseen", "law.py", "42", "43", "It answers too much.", ("test_law.py",))
    gone = Mutant("gone", "law.py", "44", "43", "Its place is gone.", ("test_law.py",))
    assert try_mutant(seen, tmp_path).caught_by == "test_law.py"
    assert not try_mutant(unseen, tmp_path).caught_by
    assert "0 times" in try_mutant(gone, tmp_path).broken
    assert (tmp_path / "migrator" / "law.py").read_text() == "ANSWER = 42\n"
