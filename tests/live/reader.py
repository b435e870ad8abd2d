"""An application on a real blob service that never stops reading: ``python -m tests.live.reader ORDER`` (JSON).

Reads the hot set, which always exists, where the route says. A read fails if it is refused or if what comes is not one whole
version of that object. Writes ``{"reads": N, "stale": N, "failed": [...]}`` into its file when SIGTERM ends it.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from azure.core.exceptions import AzureError
from azure.storage.blob import ExponentialRetry

from migrator.client import SyncRoutes
from tests.live.writer import Order, client


def is_whole(name: str, body: bytes) -> bool:
    """A log of whole lines of this object, or a body that ends with the digest of the rest of it."""
    if name.endswith(("0", "5")):
        return all(json.loads(line)["key"] == name for line in body.splitlines())
    rest, digest = body[:-64], body[-64:]
    return sha256(rest).hexdigest().encode() == digest and bool(json.loads(rest.split(b"\n", 1)[0])["key"] == name)


def main() -> int:
    order = Order(**json.loads(sys.argv[1]))
    chance, stopping = Random(order.seed), []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    retry = ExponentialRetry(initial_backoff=0, increment_base=2, retry_total=3)
    clients: dict[str, Any] = {}
    found: dict[str, Any] = {"reads": 0, "stale": 0, "failed": []}
    with SyncRoutes.from_url(order.routes, credential=order.routes_credential, hosts=order.hosts or None) as routes:
        while not stopping:
            name = f"hot/{chance.randrange(order.number)}-{chance.randrange(order.hot):03d}"
            where = routes.resolve(order.region, order.area)
            if where.endpoint not in clients:
                clients[where.endpoint] = client(order, where.endpoint, retry)
            try:
                body = clients[where.endpoint].get_blob_client(order.container, name).download_blob().readall()
                if not is_whole(name, body):
                    found["failed"].append(f"{name} at {where.account}: not one whole version")
            except AzureError as fault:
                found["failed"].append(
                    f"{name} at {where.account}: {type(fault).__name__} {str(fault).splitlines()[0]}"
                )
            found["reads"] += 1
            found["stale"] += where.stale
            time.sleep(order.rest_seconds)
    Path(order.log).write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
