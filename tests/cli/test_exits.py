"""Exit codes are a contract with scripts."""

from __future__ import annotations

import pytest

from migrator import errors
from migrator.cli import exits
from migrator.cli.exits import ExitCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 64),
        (errors.PlanError("x"), 1),
        (errors.StalePlanError("x"), 6),
        (errors.LockedError("x"), 5),
        (errors.FindingsError("x"), 1),
        (errors.JudgementError("x"), 4),
        (errors.RouteDisagreement("x"), 4),
        (errors.StateError("x"), 1),
        (errors.Throttled("x"), 1),
        (errors.InternalError("x"), 1),
        (KeyboardInterrupt(), 130),
        (RuntimeError("x"), 1),
    ],
)
def test_a_family_of_errors_has_its_code(error: BaseException, code: int) -> None:
    assert exits.of_error(error) == code


def test_every_error_of_ours_has_a_code_that_is_not_success() -> None:
    families = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.MigrateError)]
    assert len(families) > 15
    for family in families:
        error = family("x", what="blob") if family is errors.NotFound else family("x")
        assert exits.of_error(error) is not ExitCode.DONE


@pytest.mark.parametrize(
    ("word", "code"), [("done", 0), ("waiting", 3), ("halted", 4), ("failed", 4), ("interrupted", 130)]
)
def test_an_outcome_has_its_code(word: str, code: int) -> None:
    assert exits.of_outcome(word) == code


def test_an_unknown_outcome_is_not_taken_for_success() -> None:
    with pytest.raises(KeyError):
        exits.of_outcome("fine")


def test_the_precedence_is_the_promised_one() -> None:
    assert [int(code) for code in exits.PRECEDENCE] == [130, 5, 6, 64, 1, 4, 3, 2, 0]
    assert set(exits.PRECEDENCE) == set(ExitCode)


@pytest.mark.parametrize(
    ("codes", "winner"), [((0, 3), 3), ((3, 4), 4), ((4, 1), 1), ((1, 5), 5), ((5, 130), 130), ((), 0), ((64, 1), 64)]
)
def test_the_first_of_several_codes_wins(codes: tuple[int, ...], winner: int) -> None:
    assert exits.winner(ExitCode(code) for code in codes) == winner


def test_a_group_of_errors_has_the_winners_code() -> None:
    group = BaseExceptionGroup("several", [errors.Throttled("x"), errors.LockedError("y"), errors.JudgementError("z")])
    assert exits.of_error(group) == 5
