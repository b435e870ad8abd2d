"""Breakages of what is emptied for good after a move."""

from migrator.model.kept import Kept
from migrator.transfer import (
    retiring,
)
from tests.simulation.planted.patching import patched


def _not_kept_for(*reasons):
    right = retiring.why_kept

    def wrong(case):
        why = right(case)
        return None if why in reasons else why

    return patched(retiring, "why_kept", wrong)


def sources_emptied_whatever_the_target_has():
    """Another generation at the target is as good as the one of the evidence: customers wrote over it, so what."""
    return _not_kept_for(Kept.DIFFERENT)


def sources_emptied_whatever_changed():
    """What was written at the source after the switch goes with the rest: it was told of, after all."""
    return _not_kept_for(Kept.CHANGED, Kept.UNKNOWN)
