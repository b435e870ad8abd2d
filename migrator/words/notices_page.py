"""``docs/notifications.md``, printed by ``python -m migrator.words.notices_page``; a test keeps it true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from migrator.model.notices import FILLED_IN, FOR_CUSTOMERS, OCCASIONS, Notice


def page() -> str:
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Notifications"
    yield ""
    yield "A plan names channels under `notify`. `apply`, `rollback` and `retry` send what the journal has, in order:"
    yield ""
    yield "```yaml"
    yield "notify:"
    yield '  - {kind: webhook, format: teams, url: "env:TEAMS_WEBHOOK"}          # or slack, or json'
    yield '  - {kind: webhook, url: "env:STATUS_PAGE", audience: customers, occasions: [cut-over-begins, cut-over-done]}'
    yield "  - {kind: command, argv: [/usr/local/bin/page-somebody]}              # one notice as JSON on its standard input"
    yield '  - {kind: email, server: "smtps://mail.example.org", sender: migrate@example.org, to: [ops@example.org],'
    yield '     login: "env:MAIL_LOGIN"}'
    yield '  - {kind: apprise, url: "env:PAGER"}                # pagers, chats, messengers: pip install migrator[apprise]'
    yield "```"
    yield ""
    yield "What `apprise` speaks to, and how an address of each service is written, is on Apprise's own pages. A variable may"
    yield "hold several addresses with blanks between them; all of them have to take a notice, else all get it again."
    yield ""
    yield "An address is a secret, so the plan names the variable that holds it. It stands in no state, log or message."
    yield ""
    yield "- **In order, and none is lost.** A notice is made of a row of the journal. How far a channel is told is in the state"
    yield "  store, so what happens while no run is at work, or while a receiver is down, is told later. A receiver that does not"
    yield "  answer is asked again, at most five minutes apart. A channel that is new is told what happens from then on."
    yield "- **Once, or under the same id.** A run that dies between sending and writing that down sends one notice again, under"
    yield "  the same `id`: the header `Idempotency-Key` of a webhook, the `Message-ID` of a letter."
    yield "  Apprise has no place for it."
    yield "- **Nobody waits for it.** A channel that hangs delays no move. A run that ends gives it five seconds, and the next"
    yield "  run tells the rest. A channel that cannot be opened is a warning of `plan`."
    yield "- Webhooks go to https, or to this machine, and no redirect is followed. SMTP wants TLS beyond this machine."
    yield ""
    yield "## Occasions"
    yield ""
    yield "| occasion | when | customers |"
    yield "|---|---|---|"
    for occasion, when in OCCASIONS.items():
        yield f"| `{occasion}` | {when} | {'told' if occasion in FOR_CUSTOMERS else ''} |".replace("|  |", "| |")
    yield ""
    yield "`audience: customers` gives the texts for a status page: what customers notice, without names of accounts. `templates`"
    yield f"has a text of your own by occasion; it may name {', '.join(f'`${name}`' for name in FILLED_IN)}."
    yield ""
    yield "## What a JSON receiver and a command get"
    yield ""
    yield "```json"
    sample = Notice(
        "4eec08cd50a7a57e/18",
        "cut-over-done",
        datetime(2026, 12, 1, 2, 14, 7, tzinfo=UTC),
        "storage-split",
        "north-america/web-tracking: the route names na-web; writers paused 4.4 s",
        wave="na-first",
        region="north-america",
        area="web-tracking",
        seconds=4.4,
    )
    yield json.dumps(sample.as_json(), indent=2)
    yield "```"
    yield ""
    yield "Any answer of 200 to 299 says that it was taken; a command exits 0. Fields are added, and never change their meaning."


if __name__ == "__main__":
    print(page(), end="")
