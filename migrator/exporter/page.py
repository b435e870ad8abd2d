"""``docs/metrics.md``, printed from the list of series by ``python -m migrator.exporter.page``; a test keeps it true."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.exporter.collector import INFO, INFO_HELP, READABLE, READABLE_HELP
from migrator.exporter.series import SERIES


def page() -> str:
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield "`migrate apply PLAN --metrics-listen 127.0.0.1:9464` answers Prometheus at `/metrics` while it runs."
    yield "`migrate status PLAN --metrics-file FILE` writes the same series to a file, for the textfile collector of"
    yield "node_exporter: run it from cron, so that a rollout is watched while no run is at work. Every scrape reads the state"
    yield "store anew; it asks no account. A value that is not known is absent, and never zero."
    yield "`docs/grafana-dashboard.json` is a dashboard of these series; import it in Grafana. This page is printed from"
    yield "`migrator/exporter/series.py`: `python -m migrator.exporter.page > docs/metrics.md`."
    yield ""
    yield "Names, labels and meanings are stable. Every series but `migrate_build_info` has the label `plan`."
    yield ""
    yield "| series | type | labels | what it says |"
    yield "|---|---|---|---|"
    yield f"| `{INFO}` | gauge | `version` | {INFO_HELP} |"
    yield f"| `{READABLE}` | gauge | | {READABLE_HELP} |"
    for series in SERIES:
        labels = ", ".join(f"`{label}`" for label in series.labels)
        yield f"| `{series.shown_name}` | {series.kind} | {labels} | {series.help} |".replace("|  |", "| |")
    yield ""
    yield "Alerts that are worth a call at night:"
    yield ""
    yield "| when | why |"
    yield "|---|---|"
    yield "| `migrate_move_writers_wait == 1 and migrate_run_at_work == 0` | writers wait and nobody is at work |"
    yield "| `migrate_move_fence_age_seconds > 300` | writers wait for longer than planned |"
    yield "| `migrate_person_needed == 1` for 15 minutes | the rollout stands until somebody acts |"
    yield "| `migrate_wave_slack_seconds < 0` | the promised date is missed by the forecast |"


if __name__ == "__main__":
    print(page(), end="")
