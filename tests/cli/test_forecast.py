"""The forecast as people and programs see it: in plan and status, drawn and plain, before, during and after a rollout."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.local import LocalStore
from migrator.cli.settings import Settings
from migrator.cli.views import preview as preview_view
from migrator.cli.views import timeline
from migrator.cli.views.errors import show_error, show_note
from migrator.cli.views.screen import Page
from migrator.errors import CloudError
from migrator.forecast import Outlook, StartingPoint, look_ahead
from migrator.forecast.inventory import declared
from migrator.model.findings import Finding
from migrator.model.moves import MoveRecord, MoveState, WaveRecord
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import Schedule
from migrator.plan import load
from tests.cli.conftest import PLAN, Migrate

PLANS = Path(__file__).parents[2] / "plans"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


class Terminal(io.StringIO):
    """A terminal of some encoding, in memory."""

    encoding = "utf-8"

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self.encoding = encoding

    def isatty(self) -> bool:
        return True


@pytest.fixture
def filled(migrate: Migrate) -> Migrate:
    assert migrate("sample", "p.yaml", "--objects", "30").code == 0
    return migrate


@pytest.fixture(scope="module")
def three_regions() -> Schedule:
    return load(PLANS / "three-regions.yaml").schedule


def ahead(schedule: Schedule, here: StartingPoint | None = None) -> Outlook:
    inventories = {move.id: declared(move.declared) for move in schedule.moves if move.declared}
    return look_ahead(schedule, inventories, here or StartingPoint(NOW))


def drawn(outlook: Outlook, monkeypatch: pytest.MonkeyPatch, columns: int, encoding: str = "utf-8") -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal(encoding)
    timeline.show(Page(Settings(no_color=True), terminal), outlook)
    return terminal.getvalue().splitlines()


# Drawn.


def test_the_timeline_fits_eighty_columns_and_needs_no_colour(
    three_regions: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = drawn(ahead(three_regions), monkeypatch, 80)
    assert lines == [
        "  WAVE          25 Nov                   23 Dec  DONE (UTC)",
        "  na-first            ▓░░░░                       5 Dec 02:01",
        "  na-rest                  ▓░░░                   9 Dec 08:05",
        "  europe                       ▓·░         │     11 Dec 21:17  8 d 2 h to spare",
        "  asia-pacific                    ▓··░░       │  16 Dec 15:16  6 d 8 h to spare",
        "                ▓ copy  · waits for its window  ░ soak  │ complete_by",
        "  supposed: wave europe is approved at once; the same of asia-pacific",
    ]
    assert max(map(len, lines)) <= 80


def test_a_terminal_without_unicode_has_glyphs_of_its_own(
    three_regions: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = drawn(ahead(three_regions), monkeypatch, 80, "ascii")
    assert all(line.isascii() for line in lines)
    assert lines[3] == "  europe                       =.-         |     11 Dec 21:17  8 d 2 h to spare"


def test_what_is_over_and_what_is_late_have_glyphs_of_their_own(
    three_regions: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = three_regions.moves
    done = MoveRecord(first.id, "na-first", "a", "b", MoveState.SOAKED, since=NOW, switched_at=NOW - timedelta(days=4))
    begun = WaveRecord("na-first", 0, begun_at=NOW - timedelta(days=5), ended_at=NOW)
    early = [replace(wave, complete_by=NOW + timedelta(days=5)) for wave in three_regions.waves]
    plan = replace(three_regions, waves=tuple(early))
    lines = drawn(ahead(plan, StartingPoint(NOW, {done.id: done}, {"na-first": begun})), monkeypatch, 100)
    assert "now" in lines[0]
    assert lines[1].count("█") > 5
    assert "in time" in lines[1]
    assert "╳" in lines[3]
    assert lines[3].endswith(" late")
    assert "█ done" in lines[5]


@pytest.mark.parametrize("columns", [40, 60, 61, 80, 120, 300])
def test_no_width_breaks_it(three_regions: Schedule, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    assert len(drawn(ahead(three_regions), monkeypatch, columns)) >= 5


def test_a_rollout_of_seconds_is_told_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = load(PLANS / "quickstart.yaml").schedule
    lines = drawn(look_ahead(schedule, {}, StartingPoint(NOW)), monkeypatch, 80)
    assert lines[0].startswith("  WAVE             00:00:00")
    assert lines[1].endswith("from 00:00:07")


def test_names_and_findings_reach_no_terminal_raw(three_regions: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan refuses such names; a state store of another hand, or an object of a local account, may hold them."""
    evil = "\x1b[2J[red]x[/]\u202e\n"
    waves = [replace(wave, name=wave.name + evil, after=()) for wave in three_regions.waves]
    lines = drawn(ahead(replace(three_regions, waves=tuple(waves))), monkeypatch, 200)
    terminal = Terminal()
    finding = Finding("error", "code", "core", f"core/c has {evil}", f"remove {evil}")
    preview_view.show_findings(Page(Settings(), terminal), (finding,))
    text = "\n".join(lines) + terminal.getvalue()
    assert "[red]x[/]" in terminal.getvalue()
    assert "\x1b[2J" not in text
    assert "\u202e" not in text


def test_names_of_a_local_account_reach_no_terminal_raw(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers and blobs that no plan would name, found by a glob, in no area, and with what cannot be kept."""
    evil = "x\x1b[2J[red]y[/]\x07\u202e"
    shape = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)

    async def fill() -> None:
        store = LocalStore("core", here / "state/core.db", create=True)
        for container in (f"web-{evil}", f"stray-{evil}", "events"):
            await store.create_container(ContainerInfo(container))
            await store.put(container, f"email/{evil}", b"b", shape, condition=CREATE)
        await store.close()

    asyncio.run(fill())
    monkeypatch.setenv("COLUMNS", "80")
    outputs = []
    for arguments in (("plan", "p.yaml"), ("apply", "p.yaml", "--yes"), ("status", "p.yaml"), ("history", "p.yaml")):
        done = migrate(*arguments)
        assert done.code == 0, done.err
        outputs.append(done.out + done.err)
    assert "stray-x\\x1b[2J[red]y[/]\\x07\\u202e" in outputs[0]
    for output in outputs:
        assert not set(output) & {"\x1b", "\x07", "\u202e"}


def test_notes_and_errors_cut_no_word_at_the_terminal_s_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, file = Terminal(), io.StringIO()
    text = "warning: wave europe soaks without gates: only stragglers are watched"
    show_note(text, terminal)
    show_note(text, file)
    show_error(
        CloudError("cannot list containers of na-core: the service did not answer", hint="try again"),
        Settings(),
        terminal,
    )
    lines = terminal.getvalue().splitlines()
    assert lines[:2] == ["warning: wave europe soaks without", "  gates: only stragglers are watched"]
    assert lines[2:] == [
        "\x1b[31merror:\x1b[0m cannot list containers of",
        "  na-core: the service did not answer",
        "\x1b[2m  next: try again\x1b[0m",
    ]
    assert file.getvalue() == text + "\n"


# Plain, and JSON.


def test_without_a_terminal_there_is_one_plain_line_a_wave(filled: Migrate) -> None:
    lines = filled("plan", "p.yaml").out.splitlines()
    at = lines.index("Timeline, if nothing goes wrong")
    assert lines[at + 1].split() == ["WAVE", "BEGINS", "COPIED", "SWITCHED", "SOAKED", "COMPLETE", "BY", "SLACK"]
    assert [line.split()[0] for line in lines[at + 2 : at + 4]] == ["first", "second"]


def test_json_carries_the_same_numbers(filled: Migrate, here: Path) -> None:
    traffic = "    traffic: {web-tracking: 60k}\n    targets:"
    text = PLAN.replace("    targets:", traffic, 1) + "prices: {currency: EUR, write_per_10k: 2}\n"
    (here / "p.yaml").write_text(text)
    body = json.loads(filled("plan", "p.yaml", "--json").out)
    first, second = body["waves"]
    assert (first["is_begun"], first["is_lower_bound"], first["requests"]["write"]) == (
        False,
        False,
        30 + 2 * 4,
    )  # and four canaries on each side
    assert first["soaked"] <= second["begins"]
    assert [move["inventory"] for move in body["moves"]] == ["counted", "counted"]
    assert body["loads"][1] == {
        "account": "web",
        "load_per_minute": 60_000.0,
        "limit_per_minute": None,
        "headroom_per_minute": None,
        "used_ratio": None,
        "unknown": [],
    }
    assert body["reliefs"][0]["after"] == [{"wave": "first", "left_per_minute": 0.0}]
    assert (body["cost"]["currency"], body["cost"]["total"]) == ("EUR", 0.0152)
    assert (body["cost"]["retrieval"], body["cost"]["early_deletion_at_most"], body["cost"]["not_priced_gib"]) == (
        0,
        0,
        {},
    )


def test_a_promised_date_that_cannot_be_kept_is_refused(filled: Migrate, here: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = PLAN.replace("    soak: 300ms", "    soak: 96h", 1)
    (here / "p.yaml").write_text(text.replace("  - name: second\n", f"  - name: second\n    complete_by: {soon}\n"))
    planned, applied = filled("plan", "p.yaml"), filled("apply", "p.yaml", "--yes")
    assert (planned.code, applied.code) == (1, 1)
    assert "to blame is wave first, whose soak takes 4 d" in planned.out
    assert "remedy: it would have had to begin by" in planned.out
    assert "after its complete_by" in applied.err
    assert not (here / "state/migrator.db").exists()


# The example plans, without any cloud.


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_the_overload_is_shown_without_its_accounts(migrate: Migrate, here: Path, command: str) -> None:
    (here / "o.yaml").write_text((PLANS / "overload.yaml").read_text())
    done = migrate(command, "o.yaml")
    assert done.code == 1
    assert done.out.count("183,333 requests/s") == done.out.count("40,000 requests/s") == 4
    assert done.out.count("needs 6 accounts of this size in north-america") == 4
    assert "na-core: 44 M now, 0 after all-at-once" in done.out


def test_the_real_case_is_forecast_without_its_accounts(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    text = (PLANS / "three-regions.yaml").read_text().replace("credential: default", "credential: env:NOT_SET")
    (here / "t.yaml").write_text(text)
    body: dict[str, Any] = json.loads(migrate("plan", "t.yaml", "--json").out)
    unreadable = [finding["subject"] for finding in body["findings"] if finding["code"] == "unreadable"]
    assert len(unreadable) == len(set(unreadable)) == 15
    assert {move["inventory"] for move in body["moves"]} == {"declared"}
    assert all(wave["soaked"] for wave in body["waves"])
    assert max(load["used_ratio"] for load in body["loads"]) < 0.85
    assert "inventory-declared" in {finding["code"] for finding in body["findings"]}


def test_a_document_whose_dates_are_over_is_valid_and_says_so(migrate: Migrate, here: Path) -> None:
    """The rollout may be done long ago: the document alone cannot tell."""
    text = PLAN.replace("  - name: second\n", "  - name: second\n    complete_by: 2020-01-01T00:00:00Z\n")
    (here / "p.yaml").write_text(text)
    done = migrate("validate", "p.yaml")
    assert done.code == 0
    assert "warning: wave second would be complete at" in done.out
    assert migrate("plan", "p.yaml").code == 1


# How an inventory is taken.


def test_a_sample_and_what_is_known_already_say_what_was_not_looked_for(filled: Migrate) -> None:
    sampled = json.loads(filled("plan", "p.yaml", "--inventory", "sample", "--json").out)
    assert [move["objects"] for move in sampled["moves"]] == [30, 30]
    assert "not-looked-for" in {finding["code"] for finding in sampled["findings"]}
    cached = filled("plan", "p.yaml", "--inventory", "cached")
    assert cached.code == 0
    assert "the size of north-america/web-tracking, north-america/email-events is unknown" in cached.out


def test_a_plan_that_was_not_counted_cannot_be_saved_and_no_other_way_is_known(filled: Migrate) -> None:
    assert filled("plan", "p.yaml", "--inventory", "sample", "--out", "s.plan").code == 64
    done = filled("plan", "p.yaml", "--inventory", "guess")
    assert done.code == 64
    assert "full, sample, cached" in done.err


def test_what_was_counted_is_kept_with_its_age(filled: Migrate, here: Path) -> None:
    assert filled("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    with sqlite3.connect(here / "state/core.db") as account:
        account.execute("DELETE FROM blobs")
    cached = json.loads(filled("plan", "p.yaml", "--inventory", "cached", "--json").out)
    assert [(move["objects"], move["inventory"]) for move in cached["moves"]] == [(30, "kept"), (None, None)]
    assert cached["moves"][0]["inventory_at"] is not None
    assert filled("plan", "p.yaml").code == 0  # counts afresh, and keeps that
    again = json.loads(filled("plan", "p.yaml", "--inventory", "cached", "--json").out)
    assert [(move["objects"], move["inventory"]) for move in again["moves"]] == [(0, "kept"), (0, "kept")]


# What became of it.


def test_the_forecast_is_kept_with_the_wave_and_held_against_the_outcome(filled: Migrate) -> None:
    assert filled("apply", "p.yaml", "--yes").code == 0
    for wave in json.loads(filled("status", "p.yaml", "--json").out)["waves"]:
        for figure in wave["outcome"].values():
            assert figure["actual"] > 0
            assert figure["forecast"] > 0
    shown = filled("status", "p.yaml").out
    assert shown.count("(forecast ") == 6
    assert "Timeline, if nothing goes wrong" in shown
    entries = json.loads(filled("history", "p.yaml", "--json").out)["entries"]
    said = [entry for entry in entries if entry["kind"] == "wave-changed"]
    assert said[0]["evidence"]["forecast"]["moves"]["north-america/web-tracking"]["objects"] == 30
    soaked = [entry for entry in said if "is soaked" in entry["text"]]
    assert [entry["wave"] for entry in soaked] == ["first", "second"]
    assert soaked[0]["evidence"]["requests"]["actual"] > 60


TWO_REGIONS = """\
version: 1
name: two
accounts:
  na-core: {kind: local, path: state/na-core.db}
  na-web: {kind: local, path: state/na-web.db}
  eu-core: {kind: local, path: state/eu-core.db}
  eu-web: {kind: local, path: state/eu-web.db}
areas:
  web: {containers: [web-*]}
regions:
  america: {source: na-core, targets: {web: na-web}}
  europe: {source: eu-core, targets: {web: eu-web}}
routing: {kind: file, path: state/routes.json, ttl: 100ms}
cutover: {max_write: 100ms, clock_margin: 50ms, fence_timeout: 20s, straggler_interval: 1s}
waves:
  - {name: first, moves: [{region: america, areas: [web]}], soak: 4s, interval: 1s}
  - {name: second, moves: [{region: europe, areas: [web]}], soak: 1h, interval: 1s}
"""


def asked(account: Path) -> int:
    """Requests that the account has answered, by its own counters."""
    with sqlite3.connect(account) as connection:
        return int(connection.execute("SELECT coalesce(sum(requests), 0) FROM requests").fetchone()[0])


def test_an_apply_that_comes_back_looks_only_at_what_may_begin(migrate: Migrate, here: Path) -> None:
    """As cron does it. The first one looks at everything; the second at nothing, because the first wave still soaks; the one
    after that at what the second wave needs, whose objects were counted a moment ago."""
    (here / "p.yaml").write_text(TWO_REGIONS)
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    europe = here / "state/eu-core.db"
    first = migrate("apply", "p.yaml", "--yes", "--no-wait")
    looked = asked(europe)
    second = migrate("apply", "p.yaml", "--yes", "--no-wait")
    assert (first.code, second.code) == (3, 3)
    assert "Timeline" in first.out
    assert "Timeline" not in second.out
    assert asked(europe) == looked
    assert migrate("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    assert asked(europe) == looked
    third = migrate("apply", "p.yaml", "--yes", "--no-wait")
    assert "was not looked for now (inventory: cached)" in third.out
    assert "  remedy: `migrate plan p.yaml` looks for it, unless it has" in third.out, "apply has no --inventory"
    kept = json.loads(migrate("status", "p.yaml", "--json").out)["waves"][1]["outcome"]
    assert kept["requests"]["forecast"] > 0


def test_a_hold_of_the_whole_plan_is_supposed_to_end_in_one_line(filled: Migrate) -> None:
    filled("hold", "p.yaml")
    said = [line for line in filled("status", "p.yaml").out.splitlines() if "supposed" in line]
    assert said == ["  supposed: wave first, which an operator holds or pauses, is let go at once; the same of second"]


def test_a_hold_is_supposed_to_end_at_once_until_it_does(filled: Migrate) -> None:
    assert filled("hold", "p.yaml", "--wave", "second").code == 0
    supposed = "supposed: wave second, which an operator holds or pauses, is let go at once"
    assert supposed in filled("status", "p.yaml").out
    assert filled("release", "p.yaml", "--wave", "second").code == 0
    assert supposed not in filled("status", "p.yaml").out


# The probe.


def names(account: Path) -> set[bytes]:
    with sqlite3.connect(account) as connection:
        return {bytes(row[0]) for row in connection.execute("SELECT name FROM blobs")}


def test_a_probe_goes_both_ways_and_leaves_no_object(filled: Migrate, here: Path) -> None:
    """The first target is in use already; the second is there and empty, so its container is made as apply will make it."""
    assert filled("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    accounts = [here / f"state/{name}.db" for name in ("core", "web", "mail")]
    before = [names(account) for account in accounts]
    findings = json.loads(filled("plan", "p.yaml", "--probe", "--json").out)["findings"]
    assert [finding["text"] for finding in findings if finding["code"] == "probed"] == [
        "a probe went core -> web (by the service) and back (by the service), and was removed",
        "a probe went core -> mail (by the service) and back (by the service), and was removed; events was made at mail for it",
    ]
    assert [names(account) for account in accounts] == before


def test_an_account_that_is_not_there_is_not_made_for_a_probe(filled: Migrate, here: Path) -> None:
    done = filled("plan", "p.yaml", "--probe")
    assert done.code == 0
    assert "the way of north-america/email-events was not probed: account mail is not there yet" in done.out
    assert not (here / "state/mail.db").exists()


def test_a_probe_that_is_refused_is_an_error_with_its_cause(filled: Migrate, here: Path) -> None:
    assert filled("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    with sqlite3.connect(here / "state/web.db") as account:
        account.execute(
            "CREATE TRIGGER full BEFORE INSERT ON blobs BEGIN SELECT RAISE(ABORT, 'the account is full'); END"
        )
    done = filled("plan", "p.yaml", "--probe")
    assert done.code == 1
    assert "error: north-america/web-tracking: the probe core -> web failed: cannot " in done.out
