"""``plan`` finds what ``apply`` refuses or waits for, and its last line says what apply does next."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from migrator.adapters.routing import FileRouter
from migrator.errors import AccessRefused
from tests.cli.conftest import PLAN, Done, Migrate

CONTROL = PLAN.replace(
    "routing: {kind: file, path: state/routes.json, ttl: 100ms}",
    "routing: {kind: blob, account: control, container: routing, name: routes.json, ttl: 100ms}",
).replace(
    "areas:\n",
    "  control: {endpoint: 'https://control.blob.core.windows.net', credential: 'env:CONTROL_CONN'}\nareas:\n",
    1,
)


@pytest.fixture
def begun(migrate: Migrate) -> Migrate:
    """The first wave has soaked, the second is to come."""
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    return migrate


def last(done: Done) -> str:
    return done.out.rstrip().splitlines()[-1]


def edited(here: Path, old: str, new: str) -> None:
    text = (here / "p.yaml").read_text()
    assert old in text
    (here / "p.yaml").write_text(text.replace(old, new))


# Edits that apply refuses.


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("path: state/routes.json", "path: state/others.json", "the route document was file:state/routes.json then"),
        ("web: {kind: local, path: state/web.db}", "web: {kind: local, path: state/new.db}", "its target account was"),
        (
            "{web-tracking: web, email",
            "{web-tracking: mail, email",
            "has begun from core to web, not from core to mail",
        ),
        ("{containers: [web-*]}", "{containers: [web-visits]}", "area web-tracking was web-*/ then"),
        ("ttl: 100ms", "ttl: 50ms", "durations only grow during a rollout"),
        (PLAN[PLAN.index("  - name: first") : PLAN.index("  - name: second")], "", "is not in the plan any more"),
    ],
)
def test_an_edit_that_apply_refuses_is_an_error_of_plan_in_the_same_words(
    begun: Migrate, here: Path, old: str, new: str, said: str
) -> None:
    edited(here, old, new)
    plan, apply, doctor = begun("plan", "p.yaml"), begun("apply", "p.yaml", "--yes"), begun("doctor", "p.yaml")
    assert (plan.code, apply.code) == (1, 1)
    assert said in plan.out
    assert said in apply.err
    assert said in doctor.out
    assert "Nothing stands in the way" not in plan.out
    assert "nothing disagrees" not in doctor.out
    codes = {one["code"] for one in json.loads(begun("plan", "p.yaml", "--json").out)["findings"]}
    assert "edit-refused" in codes


def test_every_refused_edit_is_found_not_the_first(begun: Migrate, here: Path) -> None:
    edited(here, "ttl: 100ms", "ttl: 50ms")
    edited(here, "{web-tracking: web, email", "{web-tracking: mail, email")
    found = json.loads(begun("plan", "p.yaml", "--json").out)["findings"]
    assert [one["subject"] for one in found if one["code"] == "edit-refused"] == [
        "durations",
        "north-america/web-tracking",
    ]


# The route document.


def test_a_control_account_that_cannot_be_opened_is_an_error(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONTROL_CONN", raising=False)
    (here / "p.yaml").write_text(CONTROL)
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    plan, apply = migrate("plan", "p.yaml"), migrate("apply", "p.yaml", "--yes")
    assert (plan.code, apply.code) == (1, 1)
    assert "CONTROL_CONN" in plan.out
    assert "Nothing stands in the way" not in plan.out + apply.out
    (finding,) = [
        one for one in json.loads(migrate("plan", "p.yaml", "--json").out)["findings"] if one["subject"] == "routes"
    ]
    assert finding["code"] == "routes-unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_route_file_that_may_not_be_written_is_an_error(begun: Migrate, here: Path) -> None:
    (here / "locked").mkdir()
    edited(here, "path: state/routes.json", "path: locked/routes.json")
    (here / "locked").chmod(0o500)
    assert "may not be written" in begun("plan", "p.yaml").out


def test_a_route_file_whose_folder_refuses_is_its_own_finding(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: FileRouter, region: str = "") -> None:
        raise AccessRefused("cannot write the routes: the folder may not be written")

    monkeypatch.setattr(FileRouter, "prove_writable", refuse)
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    done = migrate("plan", "p.yaml", "--json")
    assert done.code == 1
    codes = [one["code"] for one in json.loads(done.out)["findings"] if one["severity"] == "error"]
    assert codes == ["routes-not-writable"]


def route_edited(here: Path, **fields: object) -> None:
    path = here / "state" / "routes.json"
    document = json.loads(path.read_text())
    document["routes"]["north-america/web-tracking"].update(fields)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "fields",
    [{"account": "web", "endpoint": "web"}, {"endpoint": "https://elsewhere.example"}],
    ids=str,
)
def test_a_route_that_is_not_as_it_was_left_stands_in_the_way(
    migrate: Migrate, here: Path, fields: dict[str, object]
) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("hold", "p.yaml").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first").code == 3
    route_edited(here, **fields)
    done = migrate("plan", "p.yaml")
    assert "route-disagrees" in codes_of(migrate)
    assert "Nothing stands in the way" not in done.out
    assert last(done).startswith(
        "next: `migrate doctor p.yaml`: `migrate apply p.yaml` would halt north-america/web-tracking"
    )
    assert migrate("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first").code == 4


def test_another_spelling_of_an_endpoint_is_cut_over_like_the_plan_s(migrate: Migrate, here: Path) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert migrate("hold", "p.yaml").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--no-wait", "--wave", "first").code == 3
    document = json.loads((here / "state" / "routes.json").read_text())
    route_edited(here, endpoint=document["routes"]["north-america/web-tracking"]["endpoint"] + "/")
    assert migrate("release", "p.yaml").code == 0
    done = migrate("apply", "p.yaml", "--yes", "--wave", "first")
    assert done.code == 0
    assert "internal error" not in done.out + done.err
    assert "writes go on at core" not in done.out + done.err


# Standing stops.


def codes_of(migrate: Migrate) -> set[str]:
    return {one["code"] for one in json.loads(migrate("plan", "p.yaml", "--json").out)["findings"]}


def test_a_pause_and_a_hold_are_said_with_the_way_out(begun: Migrate) -> None:
    assert begun("pause", "p.yaml").code == 0
    done = begun("plan", "p.yaml")
    assert "paused" in codes_of(begun)
    assert "Nothing stands in the way" not in done.out
    assert last(done) == "next: `migrate unpause p.yaml`; until then apply sends nothing"
    assert begun("unpause", "p.yaml").code == 0
    assert begun("hold", "p.yaml", "--wave", "second").code == 0
    done = begun("plan", "p.yaml")
    assert "held" in codes_of(begun)
    assert "`migrate release p.yaml --wave second`" in done.out
    assert last(done).startswith(
        "next: `migrate apply p.yaml` copies wave second and waits for `migrate release p.yaml`"
    )


def test_a_wave_that_went_back_is_said_and_apply_exits_4(begun: Migrate) -> None:
    assert begun("rollback", "p.yaml", "--wave", "first", "--yes").code == 0
    done = begun("plan", "p.yaml")
    assert "wave-stopped" in codes_of(begun)
    assert done.code == 0
    assert "Nothing stands in the way" not in done.out
    assert last(done).startswith("next: `migrate retry p.yaml --reason TEXT`; until then")
    assert begun("apply", "p.yaml", "--yes").code == 4


def test_the_last_line_is_a_command_that_does_what_it_says(migrate: Migrate) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    assert last(migrate("plan", "p.yaml")) == "next: `migrate apply p.yaml` begins with wave first"
    assert migrate("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    line = last(migrate("plan", "p.yaml"))
    assert line == "next: `migrate apply p.yaml` begins with wave second"
    assert migrate(*shlex.split(line.split("`")[1])[1:], "--yes").code == 0
    assert migrate("plan", "p.yaml").out.endswith("\n\nNothing to do: every move has soaked.\n")


def test_a_store_named_on_the_command_line_is_named_again(migrate: Migrate, here: Path) -> None:
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    (here / "my plan.yaml").write_text(PLAN)
    line = last(migrate("--state", "sqlite:///other.db", "plan", "my plan.yaml"))
    assert line == "next: `migrate --state sqlite:///other.db apply 'my plan.yaml'` begins with wave first"


def test_an_approval_that_is_missing_is_the_next_thing(migrate: Migrate, here: Path) -> None:
    edited(here, "    gates: []\n  - name: second", "    gates: []\n    approval: required\n  - name: second")
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    line = last(migrate("plan", "p.yaml"))
    assert line.endswith("waits for `migrate approve p.yaml first --reason TEXT` before it cuts over")


# Warnings of the document.


def test_a_warning_of_the_document_is_a_finding_before_the_verdict(migrate: Migrate, here: Path) -> None:
    edited(
        here,
        "waves:\n",
        "metrics: {counters: {kind: local}}\ngates: {idle: {source: counters, metric: error_ratio, max: 1,"
        " on_no_data: fail}}\nwaves:\n",
    )
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    done = migrate("plan", "p.yaml")
    assert "gate idle is not used" not in done.err
    assert done.out.index("gate idle is not used") < done.out.index("Nothing stands in the way")
    found = [
        one for one in json.loads(migrate("plan", "p.yaml", "--json").out)["findings"] if one["code"] == "plan-document"
    ]
    assert any(one["subject"].startswith("p.yaml:") and one["text"] == "gate idle is not used" for one in found)
    assert "gate idle is not used" in migrate("apply", "p.yaml", "--yes").out


def test_a_prefix_that_takes_nothing_of_a_container_is_named(migrate: Migrate, here: Path) -> None:
    """The area's other container is full, so that the area is not empty: the one with the slip would stay behind."""
    assert migrate("sample", "p.yaml", "--objects", "10").code == 0
    edited(here, "{containers: [web-*]}", "{containers: [web-visits, {name: web-sessions, prefix: 2025/}]}")
    said = " ".join(migrate("plan", "p.yaml").out.split())
    assert "core/web-sessions has 5 objects" in said
    assert "that are in no area; they stay, and nothing in it begins with 2025/, as an area has it" in said
    edited(here, "prefix: 2025/", "prefix: 2026/")
    assert "as an area has it" not in migrate("plan", "p.yaml").out
