"""One planted mistake: which text of the product becomes which other text, what is wrong with that, and who must see it.

Decides nothing about running them; that is ``trial.py``. Rule: a mutant is a mistake that somebody could make in a review's
blind spot - a dropped condition, the wrong side, an epoch too low, a set with one member too few - never a syntax error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``caught_by``: test files (or folders, or node ids) of which at least one test must fail, the quickest first.

    Attributes:
        path: below ``migrator/``.
        old: stands in that file exactly once.
        mistake: one sentence: what the mutated product does wrong.
        seeds: stories of the simulation to tell as well, after the tests; 0: none.
        survives: why no test can tell the two apart. Such a mutant is not run, and counts as not caught.
    """

    name: str
    path: str
    old: str
    new: str
    mistake: str
    caught_by: tuple[str, ...] = ()
    seeds: int = 0
    survives: str = ""

    @property
    def file(self) -> str:
        return f"migrator/{self.path}"

    def planted(self, text: str) -> str:
        """``text`` of the file with the mistake in it.

        Raises:
            ValueError: ``old`` does not stand there exactly once; the mutant needs a new place.
        """
        if text.count(self.old) != 1:
            raise ValueError(
                f"mutant {self.name}: its text stands {text.count(self.old)} times in {self.file}, expected once"
            )
        return text.replace(self.old, self.new)
