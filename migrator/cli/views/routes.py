"""``migrate routes``: the route document, for programs and for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from migrator.cli.settings import Settings
from migrator.cli.views.figures import duration
from migrator.cli.views.screen import Page
from migrator.model.routes import RouteDocument
from migrator.model.schedule import Schedule
from migrator.ports.router import RouteSnapshot, as_one


def document(plan: str, seen: Mapping[str, RouteSnapshot]) -> dict[str, Any]:
    """``{plan, etag, document}``; the route document verbatim, null where there is none. Where each region has a document of its
    own, ``etag`` is null, ``document`` is all of them as one, and ``documents`` has ``{place, etag, document}`` of each."""
    each = [
        {"place": place, "etag": one.etag, "document": _verbatim(one.document)} for place, one in sorted(seen.items())
    ]
    if len(each) == 1:
        return {"plan": plan, "etag": each[0]["etag"], "document": each[0]["document"]}
    return {"plan": plan, "etag": None, "document": _verbatim(as_one(_documents(seen))), "documents": each}


def _verbatim(found: RouteDocument | None) -> Any:
    return json.loads(found.encode()) if found else None


def _documents(seen: Mapping[str, RouteSnapshot]) -> list[RouteDocument]:
    return [one.document for one in seen.values() if one.document is not None]


def show(schedule: Schedule, seen: Mapping[str, RouteSnapshot], settings: Settings) -> None:
    page = Page(settings)
    found = as_one(_documents(seen))
    if found is None:
        page.line(
            "There is no route document yet: `migrate routes PLAN --publish` makes it, and so does the first `migrate apply`."
        )
        return
    ttl, max_write = duration(found.ttl_seconds), duration(found.max_write_seconds)
    page.line(f"Clients refresh every {ttl} at least and end a write within {max_write}.")
    page.table(
        ("ROUTE", "ACCOUNT", "MODE", "EPOCH", "UPDATED", "ENDPOINT"),
        [
            (key, record.account, record.mode, record.epoch, record.updated, record.endpoint)
            for key, record in sorted(found.routes.items())
        ],
        right=frozenset({3}),
    )
    missing = [str(move.id) for move in schedule.moves if str(move.id) not in found.routes]
    if missing:
        page.line(f"Not routed yet: {', '.join(missing)}.")
    if len(found.lineages) > 1:
        page.line(f"Two state stores wrote here: {', '.join(sorted(found.lineages))}.", style="bold red")
