"""Planted mistakes in the client library: leases, deadlines, outcomes."""

from tests.mutants.mutant import Mutant

UNIT = "tests/unit/client"
FOLLOWER, POLICY, ROUTES, VECTORS = (
    f"{UNIT}/test_client_{name}.py" for name in ("follower", "policy", "routes", "vectors")
)

MUTANTS = (
    Mutant(
        "epoch-may-go-back",
        "client/follower.py",
        "if record.epoch < held.record.epoch:",
        "if record.epoch < held.record.epoch - 1:",
        "A follower takes a record whose epoch went back by one.",
        (FOLLOWER, VECTORS),
    ),
    Mutant(
        "endpoint-may-change-within-an-epoch",
        "client/follower.py",
        'for name in ("account", "endpoint", "mode"):',
        'for name in ("account", "mode"):',
        "A follower sends its writes to a new endpoint of the same epoch.",
        (FOLLOWER, VECTORS),
    ),
    Mutant(
        "lease-one-second-longer",
        "client/follower.py",
        "expires=held.sent_at + held.ttl_seconds,",
        "expires=held.sent_at + held.ttl_seconds + 1,",
        "A lease lasts a second longer than the engine waits for.",
        (FOLLOWER, VECTORS),
    ),
    Mutant(
        "refused-observation-grants-on",
        "client/follower.py",
        "                self._seen = _Seen(held, _Fault(why, sent_at, is_missing))\n",
        "                is_missing = False\n",
        "After an observation that contradicts an earlier one, the old lease is granted on.",
        ("tests/unit/client/test_client_follower.py", "tests/unit/client/test_client_vectors.py"),
    ),
    Mutant(
        "read-only-is-cached-for-the-whole-ttl",
        "client/follower.py",
        "return min(READ_ONLY_CACHE_SECONDS, held.ttl_seconds)",
        "return held.ttl_seconds",
        "Readers stay at the old side for a whole ttl after a switch.",
        (FOLLOWER, VECTORS),
    ),
    Mutant(
        "vanished-record-is-followed",
        "client/follower.py",
        '        if record is None:\n            return "the route document has no record of it"\n',
        '        if record is None:\n            return None if self._seen.held else "the route document has no record of it"\n',
        "A record that vanished is taken for unchanged.",
        ("tests/unit/client/test_client_follower.py", "tests/unit/client/test_client_vectors.py"),
    ),
    Mutant(
        "repeats-under-a-later-epoch",
        "client/writes.py",
        "elif lease.epoch != self._epoch:",
        "elif lease.epoch < self._epoch:",
        "A write is repeated under another epoch than its first try.",
        ("tests/unit/client/test_client_tries.py",),
    ),
    Mutant(
        "append-is-repeatable",
        "client/writes.py",
        'return "x-ms-blob-condition-appendpos" in lower',
        "return True",
        "An append that may have been applied is sent again.",
        (POLICY, VECTORS),
    ),
    Mutant(
        "ambiguous-answer-stands",
        "client/writes.py",
        "            if self.is_unknown and status in _AMBIGUOUS:\n                raise self._unknown()\n",
        "",
        "A refusal that our own earlier try may have caused is reported as if nothing had been written.",
        (POLICY, VECTORS),
    ),
    Mutant(
        "delete-needs-no-lease",
        "client/writes.py",
        '_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})',
        '_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})',
        "A delete is sent without a lease.",
        (POLICY, VECTORS),
    ),
    Mutant(
        "look-alike-account",
        "client/writes.py",
        "here.path == there.path[:-1] or here.path.startswith(there.path)",
        "here.path == there.path[:-1] or here.path.startswith(there.path[:-1])",
        "An account whose path begins alike passes for the one that the route names.",
        (POLICY, VECTORS),
    ),
    Mutant(
        "timeout-of-the-caller-is-longer",
        "client/writes.py",
        "seconds = min(seconds, given)",
        "seconds = max(seconds, given)",
        "The caller's own timeout= may outlast the deadline of the write.",
        ("tests/unit/client/test_client_policy.py", "tests/unit/client/test_client_vectors.py"),
    ),
    Mutant(
        "lease-is-checked-at-the-beginning-only",
        "client/writes.py",
        "            lease.check()\n            return self._request.times()",
        "            return self._request.times()",
        "A try is sent although the lease has ended meanwhile.",
        ("tests/unit/client/test_client_tries.py",),
    ),
    Mutant(
        "upload-goes-on-at-another-account",
        "client/follower.py",
        "        if token != self.token:\n            raise RestartUpload(",
        "        if token.account != self.token.account and token.endpoint == self.endpoint:\n            raise RestartUpload(",
        "Blocks that lie in one account are committed in another.",
        (FOLLOWER, ROUTES, VECTORS),
    ),
)
