"""Rehearsals of small plans: what stands in the way of each is named, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from migrator.errors import PlanError
from migrator.model.moves import MoveState
from migrator.plan import load
from migrator.standing.inventory_notes import known_inventories
from migrator.testing.rehearsal import Manner, Rehearsal, rehearse
from migrator.testing.rehearsal import play as play_module

BEGINS = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


def plan_of(**changes: Any) -> dict[str, Any]:
    """One region, two areas, two waves of an hour each; ``changes`` by top-level key, ``wave_`` ones in the first wave."""
    wave: dict[str, Any] = {
        "name": "first",
        "moves": [{"region": "here", "areas": ["web"]}],
        "soak": "1h",
        "gates": ["settled", "app-errors"],
    }
    wave |= {key.removeprefix("wave_"): changes.pop(key) for key in list(changes) if key.startswith("wave_")}
    return {
        "version": 1,
        "name": "small",
        "defaults": {"account": {"requests_per_minute": "2.4M"}},
        "accounts": {
            name: {"endpoint": f"https://{name}.blob.core.windows.net", "credential": f"env:{name.upper()}"}
            for name in ("core", "web", "mail")
        },
        "areas": {"web": {"containers": ["web-*"]}, "mail": {"containers": [{"name": "events", "prefix": "mail/"}]}},
        "regions": {
            "here": {
                "source": "core",
                "targets": {"web": "web", "mail": "mail"},
                "traffic": {"web": "2M", "mail": "1M"},
                "inventory": {"web": {"objects": "200k", "bytes": "1GiB"}, "mail": {"objects": "100k", "bytes": "1GiB"}},
            }
        },
        "routing": {"kind": "file", "path": "routes.json", "ttl": "5s"},
        "cutover": {"max_write": "10s", "clock_margin": "1s"},
        "metrics": {"azure": {"kind": "azure-monitor"}, "prom": {"kind": "prometheus", "url": "http://127.0.0.1:9090"}},
        "gates": {
            "settled": {
                "source": "azure", "metric": "requests_per_minute", "near": "2M", "within": "15%", "on_no_data": "fail"
            },
            "app-errors": {"source": "prom", "query": "sum(errors)", "max": 1, "on_no_data": "inconclusive"},
        },
        "waves": [wave, {"name": "second", "moves": [{"region": "here", "areas": ["mail"]}], "soak": "1h", "gates": []}],
    } | changes  # fmt: skip


def rehearsed(folder: Path, plan: dict[str, Any], *, environ: dict[str, str] | None = None, **manner: Any) -> Rehearsal:
    path = folder / "plan.yaml"
    with path.open("w") as out:
        YAML().dump(plan, out)
    loaded = load(path)
    inventories = known_inventories(loaded.schedule, None)
    asked = Manner(begins=BEGINS, **({"scale": 0.0001} | manner))
    return rehearse(loaded.schedule, inventories, asked, loaded.warnings, environ)


def codes(told: Rehearsal) -> set[str]:
    return {one.code for one in told.obstacles}


def test_a_sound_plan_goes_there_and_back_and_loses_nothing(tmp_path: Path) -> None:
    told = rehearsed(tmp_path, plan_of())
    assert told.obstacles == ()
    assert {one.state for one in told.moves} == {MoveState.SOAKED}
    assert all(one.pause_seconds and one.back_pause_seconds for one in told.moves)
    assert all(one.writes > 10 and one.lost == 0 for one in told.moves)
    assert told.waves[0].done is not None
    assert any("app-errors" in sentence for sentence in told.assumed)
    assert not any("settled" in sentence for sentence in told.assumed)


def test_faults_are_met_and_nothing_is_lost(tmp_path: Path) -> None:
    told = rehearsed(tmp_path, plan_of(), with_faults=True)
    assert told.obstacles == ()
    assert len(told.faults) == 3
    assert sum(one.lost for one in told.moves) == 0


def test_a_write_that_is_lost_is_an_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = play_module._Play._live
    monkeypatch.setattr(
        play_module._Play, "_live", lambda self, key: "core" if board(self, key) != "core" else "web"
    )  # whoever audits looks at the wrong account
    told = rehearsed(tmp_path, plan_of(wave_gates=[]))
    assert "lost-writes" in codes(told)


def test_an_account_over_its_limit(tmp_path: Path) -> None:
    plan = plan_of()
    plan["accounts"]["web"]["requests_per_minute"] = "1.5M"
    told = rehearsed(tmp_path, plan)
    assert "account-overloaded" in codes(told)


def test_a_date_that_cannot_be_kept(tmp_path: Path) -> None:
    told = rehearsed(tmp_path, plan_of(wave_complete_by="2026-12-01T08:30:00Z"))
    assert "deadline-missed" in codes(told)
    assert "late" in codes(told)


def test_a_window_that_never_opens(tmp_path: Path) -> None:
    window = {"days": ["sun"], "from": "02:00", "to": "02:01", "timezone": "Europe/Berlin"}
    told = rehearsed(tmp_path, plan_of(wave_change_windows=[window], cutover={"max_write": "60s"}))
    waiting = [one for one in told.obstacles if one.code == "never-done"]
    assert [one.subject for one in waiting] == ["wave first", "wave second"]
    assert "window" in waiting[0].text
    assert "wave first" in waiting[1].text


def test_a_gate_that_cannot_pass(tmp_path: Path) -> None:
    plan = plan_of()
    plan["regions"]["here"]["traffic"]["web"] = "1M"
    told = rehearsed(tmp_path, plan)
    assert {"gate-failed", "rolled-back"} <= codes(told)
    assert any("settled" in one.text for one in told.obstacles)


def test_a_fence_over_its_budget(tmp_path: Path) -> None:
    plan = plan_of(cutover={"max_write": "10s", "clock_margin": "1s", "max_pause": "17s"})
    plan["regions"]["here"]["inventory"]["web"]["objects"] = "900M"
    told = rehearsed(tmp_path, plan, scale=0.0000001)
    assert any("pause" in one.code or "fence" in one.code for one in told.obstacles)


def test_customers_who_change_more_than_can_be_copied(tmp_path: Path) -> None:
    told = rehearsed(tmp_path, plan_of(budget={"requests_per_minute": "6k"}), changes_per_minute=50_000.0)
    assert {one.subject for one in told.obstacles if one.code == "cannot-catch-up"} == {"here/web", "here/mail"}


def test_a_signature_that_lacks_a_right(tmp_path: Path) -> None:
    environ = {
        "WEB": "BlobEndpoint=https://web.blob.core.windows.net;SharedAccessSignature=sv=2025-07-05&sp=rl&sig=c2VjcmV0",
        "MAIL": "https://mail.blob.core.windows.net?sv=2025-07-05&sp=racwdlt&sig=c2VjcmV0",
    }
    told = rehearsed(tmp_path, plan_of(), environ=environ)
    lacking = [one for one in told.obstacles if one.code == "missing-right"]
    assert [one.subject for one in lacking] == ["web"]
    assert "write or delete" in lacking[0].text
    assert not any("c2VjcmV0" in one.text + one.remedy for one in told.obstacles)


def test_two_sources_of_the_same_names_in_one_account(tmp_path: Path) -> None:
    """Nobody need rehearse to know."""
    plan = plan_of()
    plan["accounts"]["core2"] = {"endpoint": "https://core2.blob.core.windows.net"}
    plan["regions"]["there"] = {"source": "core2", "targets": {"web": "web"}, "traffic": {"web": "100k"}}
    plan["waves"][1]["moves"] = [{"region": "there", "areas": ["web"]}, {"region": "here", "areas": ["mail"]}]
    with pytest.raises(PlanError) as refused:
        rehearsed(tmp_path, plan)
    assert any("both would write the same containers" in str(fault) for fault in refused.value.faults)


def test_more_deletes_than_a_pass_carries_out(tmp_path: Path) -> None:
    plan = plan_of(cutover={"max_write": "10s", "clock_margin": "1s", "max_delete": "1%"})
    told = rehearsed(tmp_path, plan, deleted_ratio=0.5)
    halted = [one for one in told.obstacles if one.code == "halted"]
    assert halted
    assert "vanished" in halted[0].text


def test_an_approval_is_said_to_be_the_rehearsals_own(tmp_path: Path) -> None:
    told = rehearsed(tmp_path, plan_of(wave_approval="required", wave_gates=[]))
    assert told.obstacles == ()
    assert told.waves[0].is_approved_for_it
    assert any("approved by the rehearsal" in sentence for sentence in told.assumed)


def test_what_stops_one_wave_hides_nothing_of_the_later_ones(tmp_path: Path) -> None:
    """Eight obstacles in one plan; the ninth, one name twice, is refused by the plan's reader."""
    plan = plan_of(
        cutover={"max_write": "60s", "clock_margin": "1s", "max_delete": "90%"}, budget={"requests_per_minute": "6k"}
    )
    plan["accounts"]["web"]["requests_per_minute"] = "1.5M"
    here = plan["regions"]["here"]
    for name in ("a0", "a1", "a2", "a3"):
        plan["areas"][name] = {"containers": [f"{name}-*"]}
        plan["accounts"][f"t{name}"] = {"endpoint": f"https://t{name}.blob.core.windows.net", "credential": "env:T"}
        here["targets"][name], here["traffic"][name] = f"t{name}", "100k"
        here["inventory"][name] = {"objects": "10k", "bytes": "1GiB"}
    here["inventory"]["a2"]["objects"] = "900M"

    def wave(name: str, area: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "moves": [{"region": "here", "areas": [area]}], "soak": "1h", "gates": []} | more

    window = {"days": ["sun"], "from": "02:00", "to": "02:01", "timezone": "Europe/Berlin"}
    plan["waves"] = [
        wave("gate", "a0", gates=["settled"], complete_by="2026-12-01T08:30:00Z"),
        wave("window", "a1", change_windows=[window]),
        wave("pause", "a2", cutover={"max_pause": "70s"}),
        wave("deletes", "a3", cutover={"max_delete": "1%"}),
        wave("limit", "web"),
    ]
    signature = "BlobEndpoint=https://ta0.blob.core.windows.net;SharedAccessSignature=sv=2025-07-05&sp=rl&sig=c2VjcmV0"
    manner = {"scale": 1e-7, "deleted_ratio": 0.5, "changes_per_minute": 50_000.0}
    told = rehearsed(tmp_path, plan, environ={"T": signature}, **manner)
    found = {(one.code, one.subject) for one in told.obstacles}
    assert {
        ("account-overloaded", "web"),
        ("deadline-missed", "gate"),
        ("window-never-opens", "window"),
        ("gate-failed", "here/a0"),
        ("fence-too-long", "here/a2"),
        ("cannot-catch-up", "here/a2"),
        ("missing-right", "ta0"),
        ("halted", "here/a3"),
    } <= found
    assert [wave.name for wave in told.waves if wave.done is not None] == ["pause", "limit"]
    assert [text.split(",")[-1] for text in told.assumed if "as if" in text] == [
        " as if gate had arrived at once",
        " window had arrived at once",
        " deletes had arrived at once",
    ]
