"""Planted mistakes in judgement: what a sample says, and when a soak is over."""

from tests.mutants.mutant import Mutant

JUDGE, SOAK = "tests/unit/gates/test_judge.py", "tests/unit/gates/test_soak.py"

MUTANTS = (
    Mutant(
        "failed-round-stands-still",
        "gates/soak.py",
        "        self.restarts += self.healthy > timedelta()\n        self.healthy = timedelta()\n",
        "        self.restarts += self.healthy > timedelta()\n",
        "A failed sample does not set the soak to zero.",
        (SOAK,),
    ),
    Mutant(
        "gap-counts-as-healthy",
        "gates/soak.py",
        "if timedelta() < passed_by <= self.reach:",
        "if timedelta() < passed_by:",
        "Time in which nobody looked counts as healthy.",
        (SOAK,),
    ),
    Mutant(
        "clock-set-forward-counts",
        "gates/soak.py",
        "self.healthy += min(passed_by, self._steady(one, passed_by))",
        "self.healthy += passed_by",
        "A wall clock that is set forward makes a soak shorter.",
        (SOAK,),
    ),
    Mutant(
        "a-gate-missing-from-the-round",
        "gates/soak.py",
        "        if passed != self.gates:\n",
        "        if not passed:\n",
        "A round passes if any gate of it passed.",
        (SOAK,),
    ),
    Mutant(
        "soaked-without-a-value",
        "gates/soak.py",
        "        if real < wanted:\n",
        "        if real < wanted - 1:\n",
        "A soak ends with one real sample fewer than wanted.",
        (SOAK,),
    ),
    Mutant(
        "own-share-goes-unnoticed",
        "gates/judge.py",
        "if share > OWN_SHARE_LIMIT:",
        "if share > 10 * OWN_SHARE_LIMIT:",
        "A figure that is mostly migration's own passes for the customers'.",
        (JUDGE,),
    ),
    Mutant(
        "silence-of-own-traffic",
        "gates/judge.py",
        "own is not None and own > 0 and total <= own:",
        "own is not None and own > 0 and total < own:",
        "A window with nothing but migration's own requests is not silence.",
        (JUDGE,),
    ),
    Mutant(
        "infinite-value-is-judged",
        "gates/judge.py",
        "if any(math.isinf(value) for value in figures):",
        "if any(math.isnan(value) for value in figures):",
        "An infinite value passes or fails a gate.",
        (JUDGE,),
    ),
)
