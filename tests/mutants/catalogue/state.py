"""Planted mistakes in the state store: who may write, what one commit is, what a lock means."""

from tests.mutants.mutant import Mutant

STORES, RULES = "tests/contract/test_state_stores.py", "tests/unit/state/test_rules.py"

MUTANTS = (
    Mutant(
        "anybodys-token",
        "adapters/state/rules.py",
        "if held.token != token:",
        "if held.token < token:",
        "A run whose lock was taken over goes on committing.",
        (STORES, RULES),
    ),
    Mutant(
        "removed-lock-goes-on",
        "adapters/state/store.py",
        "                check_token(self._held(connection), token)\n            for change in changes:",
        "                held = self._held(connection)\n                check_token(held, token) if held else None\n            for change in changes:",
        "A run whose lock was removed goes on committing.",
        (STORES,),
    ),
    Mutant(
        "operators-may-write-anything",
        "adapters/state/store.py",
        "        if token is None:\n            check_operator_changes(changes)\n",
        "",
        "A command without the lock may change the state of a move.",
        (STORES,),
    ),
    Mutant(
        "token-may-repeat",
        "adapters/state/writes.py",
        "        if number >= at_least:\n            return number\n",
        "        if number >= 0:\n            return number\n",
        "A store put back from a backup gives a token that an account has seen already.",
        (STORES,),
    ),
    Mutant(
        "proved-death-of-another",
        "adapters/state/rules.py",
        "    if held.nonce == dead and silent in (None, held.heartbeat):\n",
        "    if dead and silent in (None, held.heartbeat):\n",
        "Who proved one run dead takes the lock from the next one.",
        ("tests/contract/test_state_stores.py", "tests/unit/state/test_rules.py"),
    ),
    Mutant(
        "ranges-that-do-not-tile",
        "adapters/state/rules.py",
        "any(first >= second for first, second in pairwise(ends))",
        "any(first > second for first, second in pairwise(ends))",
        "Two ranges may have the same bound.",
        (RULES, STORES),
    ),
    Mutant(
        "beyond-the-cap-is-counted-twice",
        "adapters/state/writes.py",
        "        self.put(t.EXCEPTIONS, key, kind=row.kind, document=encode(row))\n        self.drop(t.BEYOND, beyond)\n",
        "        self.put(t.EXCEPTIONS, key, kind=row.kind, document=encode(row))\n",
        "An exception that finds room later is counted twice.",
        (STORES,),
    ),
    Mutant(
        "samples-of-another-plan",
        "adapters/state/store.py",
        "return and_(table.c.plan == self.plan_name, *(table.c[name] == value for name, value in key.items()))",
        "return and_(True, *(table.c[name] == value for name, value in key.items()))",
        "A store shows one plan what belongs to another.",
        (STORES,),
    ),
)
