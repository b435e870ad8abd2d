"""Planted mistakes in what is looked for before a rollout and in one: a check that is lost, comes too late, or is not heard."""

from tests.mutants.mutant import Mutant

CHECK, COUNT = "tests/unit/engine/checks/test_check.py", "tests/test_nothing_is_lost.py"
AREAS, GATES, ACCOUNTS = (f"tests/scenario/findings/test_{name}.py" for name in ("areas", "gates", "accounts"))
BEFORE_FENCE = "tests/scenario/test_before_the_fence.py"

MUTANTS = (
    Mutant(
        "gates-are-in-no-list",
        "engine/checks/registry.py",
        "    *gates.CHECKS,\n",
        "",
        "Whoever wrote the list again left a module out: gates are asked by nobody before a soak.",
        (COUNT,),
    ),
    Mutant(
        "preflight-looks-for-no-container",
        "engine/checks/accounts.py",
        "_LOOK | {When.PREFLIGHT},",
        "_LOOK,",
        "A container that has gone since the plan was looked at is missed by the run, which copies the others.",
        (AREAS,),
    ),
    Mutant(
        "no-canary-before-a-fence",
        "engine/checks/probes.py",
        "frozenset({When.PLAN, When.PREFLIGHT, When.FENCE}),",
        "frozenset({When.PLAN, When.PREFLIGHT}),",
        "A fence begins whose way back is refused.",
        (BEFORE_FENCE,),
    ),
    Mutant(
        "a-warning-lets-a-fence-begin",
        "engine/before.py",
        "return mover.kept_back or None",
        "return None",
        "A gate that does not answer keeps no cut-over back: customers are switched, and the soak never ends.",
        (GATES,),
    ),
    Mutant(
        "what-writes-comes-first",
        "engine/checks/check.py",
        "key=lambda one: one.cost",
        "key=lambda one: -one.cost",
        "A canary is written before a gate that can never be asked has halted the move.",
        (CHECK,),
    ),
    Mutant(
        "a-check-may-ask-more-than-it-said",
        "engine/checks/case.py",
        "if asks not in self.may_ask:",
        "if asks not in self.may_ask and not self.allowed:",
        "What the page says that a check asks is not what it asks.",
        (CHECK,),
    ),
    Mutant(
        "a-check-says-what-it-never-declared",
        "engine/checks/check.py",
        "if says is None or finding.severity not in says.severities:",
        "if says is None:",
        "An error is told as a warning, and the page does not know it.",
        (CHECK,),
    ),
    Mutant(
        "a-live-target-is-called-full",
        "engine/checks/accounts.py",
        "if case.read_routes is not None and disagreement_of(case, move):",
        "if case.read_routes is None and disagreement_of(case, move):",
        "A target that customers use is said to be one to empty.",
        (ACCOUNTS,),
    ),
)
