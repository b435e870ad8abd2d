"""What the guardian's process is told by its first letter: where the routes are, as the plan says it.

Names, paths and references to credentials, never a secret; the secrets themselves come with the environment. It goes over the
pipe: a command line is shown to everybody on the machine, and holds some hundred accounts at most. ``written`` writes it,
``read`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from migrator.model.schedule import Account, Routing
from migrator.model.values import value


@value(frozen=True, slots=True)
class Post:
    """``accounts``: those the router itself needs, and those whose policies an enforced fence revokes."""

    routing: Routing
    accounts: tuple[Account, ...]
    cloud: Mapping[str, str]


def written(post: Post) -> dict[str, Any]:
    """JSON values."""
    fields = {
        "routing": asdict(post.routing),
        "accounts": [asdict(one) for one in post.accounts],
        "cloud": dict(post.cloud),
    }
    copy: dict[str, Any] = json.loads(json.dumps(fields, default=dict))
    return copy


def read(body: bytes) -> Post:
    """What ``written`` wrote, as a letter."""
    post = json.loads(body)
    routing = Routing(**{**post["routing"], "argv": tuple(post["routing"]["argv"])})
    return Post(routing, tuple(Account(**fields) for fields in post["accounts"]), post["cloud"])
