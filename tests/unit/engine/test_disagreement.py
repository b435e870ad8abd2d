"""The remedies of a disagreement between route and state: which of them let the route win."""

from migrator.engine.disagreement import ADDRESS_HINT, ADOPT_HINT, WRONG_STORE_HINT
from migrator.machine.agreement import halted_by_route


def test_remedies_by_which_the_route_wins_are_known_by_their_option() -> None:
    assert halted_by_route(f"route and state disagree; {ADOPT_HINT}")
    assert halted_by_route(f"route and state disagree; {WRONG_STORE_HINT}")
    assert not halted_by_route(f"route and state disagree; {ADDRESS_HINT}"), "an address is never adopted"
    assert not halted_by_route("cannot read na-core: no answer")
