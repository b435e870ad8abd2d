"""What the guardian's process is told on its command line: where the routes are, as the plan says it.

Names, paths and references to credentials, never a secret; the secrets themselves come with the inherited environment.
``command`` writes it, ``read`` reads it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from migrator.model.schedule import Account, Routing
from migrator.model.values import value


@value(frozen=True, slots=True)
class Post:
    """``accounts``: those the router itself needs, and those whose policies an enforced fence revokes."""

    routing: Routing
    accounts: tuple[Account, ...]
    cloud: Mapping[str, str]


def command(routing: Routing, accounts: Iterable[Account], cloud: Mapping[str, str]) -> tuple[str, ...]:
    """The command line of a guardian for these routes and accounts."""
    post = {"routing": asdict(routing), "accounts": [asdict(account) for account in accounts], "cloud": dict(cloud)}
    return (sys.executable, "-m", "migrator.cli.guard", json.dumps(post, default=dict))


def read(argument: str) -> Post:
    """What ``command`` wrote as its last argument."""
    post = json.loads(argument)
    routing = Routing(**{**post["routing"], "argv": tuple(post["routing"]["argv"])})
    return Post(routing, tuple(Account(**fields) for fields in post["accounts"]), post["cloud"])
