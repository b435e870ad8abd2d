"""What the gates of a plan bring to light, in a plan, before a fence and in a soak."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from migrator.engine.preview import preview
from migrator.errors import AccessRefused, CloudError, Throttled, Unreachable
from migrator.model import notes
from migrator.model.moves import MoveState
from migrator.model.rhythm import Rhythm
from migrator.model.schedule import Account
from migrator.model.values import replace as changed
from migrator.standing.soak_waits import read
from tests.scenario.findings.asking import Answers, found
from tests.scenario.test_rollout import until
from tests.scenario.world import ID, Small


@pytest.mark.parametrize("reverse", ["on-demand", "continuous"])
async def test_a_gate_for_the_way_back_wants_something_that_makes_it_ready(small, reverse):
    wave = small.schedule.waves[0]
    small.change_wave(needs_way_back=True, cutover=replace(wave.cutover, reverse=reverse))
    found = [
        one
        for one in (await preview(small.schedule, small.rollout().world)).findings
        if one.code == "way-back-not-kept"
    ]
    assert [(one.severity, one.subject) for one in found] == (
        [("error", "wave first")] if reverse == "on-demand" else []
    )


async def test_a_gate_without_the_place_of_its_account_is_an_error_without_asking(small):
    accounts = {name: Account(name, "azure", endpoint=f"https://{name}.example") for name in ("src", "dst")}
    small.schedule = replace(
        small.schedule, accounts=accounts, metrics={"m": replace(small.schedule.metrics["m"], kind="azure-monitor")}
    )
    source = Answers(None)
    world = Small(small.folder).rollout().world
    world.metrics = {"m": source}
    seen = {one.code: one for one in (await preview(small.schedule, world)).findings}
    assert seen["gate-cannot-be-asked"].severity == "error"
    assert seen["gate-cannot-be-asked"].subject == "dst"
    assert source.asked == 0


@pytest.mark.parametrize(
    ("fault", "code", "severity"),
    [
        (None, "gate-asked", "info"),
        (CloudError("cannot ask: it refused the query"), "gate-cannot-be-asked", "error"),
        (CloudError("cannot judge the query: it gives 3 series"), "gate-cannot-be-asked", "error"),
        (AccessRefused("cannot ask: 403"), "gate-cannot-be-asked", "error"),
        (Unreachable("cannot reach it: nothing listens there"), "gate-no-answer", "warning"),
        (Throttled("cannot ask: fewer requests"), "gate-no-answer", "warning"),
    ],
)
async def test_what_asking_a_gate_once_shows(small, fault, code, severity):
    source = Answers(fault)
    assert not [one for one in await found(small, source=source) if one.startswith("gate-")]
    assert source.asked == 0, "a preview that is not told to asks nobody"
    seen = await found(small, source=source, with_gates=True)
    assert seen[code].severity == severity
    assert source.asked == 1


async def test_an_account_that_is_not_there_yet_is_asked_about_later(small):
    from migrator.errors import NotFound

    source = Answers(NotFound("account dst is not there", what="account"))
    assert (await found(small, source=source, with_gates=True))["gate-not-asked"].severity == "info"


async def test_many_moves_with_one_cause_are_one_finding(small):
    wave = small.schedule.waves[0]
    moves = tuple(replace(wave.moves[0], id=replace(ID, area=f"a{n}")) for n in range(9))
    small.change_wave(moves=moves)
    world = small.rollout().world
    world.metrics = {"m": Answers(CloudError("cannot ask: it refused the query"))}
    seen = [one for one in (await preview(small.schedule, world, with_gates=True)).findings if one.severity == "error"]
    assert len([one for one in seen if one.code == "gate-cannot-be-asked"]) == 1
    assert "europe/a0, europe/a1 and 7 more" in seen[-1].text


async def test_a_gate_that_can_never_answer_halts_before_anything_is_written(small):
    rollout = small.rollout()
    rollout.world.metrics = {"m": Answers(CloudError("cannot ask: it refused the query (parse error)"))}
    outcome = await rollout.apply()
    assert outcome.code == "halted"
    assert "gate errors cannot be asked" in small.state().move(ID).reason
    assert await small.store("dst").containers() == []


async def test_a_gate_that_breaks_after_the_copy_halts_before_the_fence(small):
    """The first question is answered in the preflight of a run that is then stopped; the next run asks again."""
    held = small.rollout()
    held.world.metrics = {"m": Answers(None)}
    small.change_wave(cutover=replace(small.schedule.waves[0].cutover, hold=True))
    held = small.rollout()
    held.world.metrics = {"m": Answers(None)}
    assert (await held.apply(wait=False)).code == "waiting"
    small.change_wave(cutover=replace(small.schedule.waves[0].cutover, hold=False))
    broken = small.rollout()
    broken.world.metrics = {"m": Answers(CloudError("cannot ask: it refused the query (parse error)"))}
    assert (await broken.apply()).code == "halted"
    assert (await small.route()).account == "src"
    assert (await small.route()).mode == "read-write"


async def test_a_source_that_is_away_keeps_the_cut_over_back_until_it_answers(small):
    small.rhythm = Rhythm(kept_back_seconds=0.05)
    rollout = small.rollout()
    away = Unreachable("cannot reach it: nothing listens there")
    source = Answers(away, away, away, None)
    rollout.world.metrics = {"m": source}
    work = asyncio.create_task(rollout.apply())
    await until(lambda: source.asked >= 3)
    assert not work.done()
    assert (await small.route()).account == "src"
    await until(lambda: small.state().move(ID).state is MoveState.SOAKING)
    assert any("does not answer" in text for kind, _, text in rollout.world.reporter.events if kind == "waiting")
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_a_soak_on_silence_that_wants_a_value_says_so_and_what_to_do(small):
    gate = replace(small.schedule.waves[0].gates[0], on_no_data="pass", min_samples=1)
    small.change_wave(gates=(gate,))
    rollout = small.rollout()
    rollout.world.metrics = {"m": Answers(None)}
    work = asyncio.create_task(rollout.apply())
    state = small.state()
    interval = small.schedule.waves[0].interval_seconds
    for _ in range(400):
        record = state.move(ID)
        waits = read(record, state.note(notes.soak_waits(ID))) if record is not None else None
        if waits is not None and waits.stands_still(rollout.world.clock.now(), interval) and waits.left_seconds == 0:
            break
        await asyncio.sleep(0.02)
    assert not work.done()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert waits.gates[0].verdict == "silent"
    assert "min_samples: 0" in waits.gates[0].remedy
    assert "samples with a value of gate errors (0 of 1)" in waits.lacks


async def test_a_soak_whose_gate_errors_says_so_and_one_that_comes_on_does_not(small):
    rollout = small.rollout()
    source = Answers(None, Unreachable("cannot reach it: nothing listens there"))
    rollout.world.metrics = {"m": source}
    work = asyncio.create_task(rollout.apply())
    state, waits = small.state(), None
    for _ in range(400):
        record = state.move(ID)
        waits = read(record, state.note(notes.soak_waits(ID))) if record is not None else None
        if waits is not None and waits.gates:
            break
        await asyncio.sleep(0.02)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert waits.gates[0].verdict == "errored"
    assert waits.gates[0].remedy.startswith("mend gate errors: the source could not be asked")
    assert not waits.stands_still(waits.still_since + timedelta(seconds=0.1), 0.05), "a blip is not a standstill"
    assert waits.stands_still(waits.still_since + timedelta(seconds=1), 0.05)
    other = changed(state.move(ID), epoch=state.move(ID).epoch + 2)
    assert read(other, state.note(notes.soak_waits(ID))) is None, "another stay"
