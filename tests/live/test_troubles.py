"""Which troubles the rounds of the live test have."""

from __future__ import annotations

from tests.live.troubles import KINDS, chosen

SEED = 7
"""Of ``make live`` where nobody says another."""


def kinds(rounds: int) -> list[str]:
    return [one.kind for number in range(rounds) for leg in (0, 1) for one in chosen(SEED + number, leg)]


def test_five_rounds_have_a_key_a_backup_an_edit_and_both_accounts_away() -> None:
    assert set(kinds(5)) == {"ctrl-z", "backup", "there-and-back", "source-silent", "target-away", "guardian-stops"}


def test_an_account_is_away_where_it_is_needed_and_where_it_is_idle() -> None:
    told = {one.told() for number in range(5) for leg in (0, 1) for one in chosen(SEED + number, leg)}
    assert told >= {"source-silent in soaking", "target-away in copying", "backup in catching-up"}


def test_twelve_rounds_have_all_kinds_once() -> None:
    assert sorted(kinds(12)) == sorted(KINDS)


def test_asked_for_kinds_come_in_their_order_whatever_the_seed() -> None:
    for seed in (7, 8):
        assert [chosen(seed, leg, "backup,ctrl-z")[0].kind for leg in (0, 1)] == ["backup", "ctrl-z"]
