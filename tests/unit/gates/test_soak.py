"""Sample sequences -> verdict and soak clock. How to read a story: ``tests/unit/gates/stories.py``.

Unless said otherwise a round is taken every 5 minutes and the soak is 20 minutes long.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from migrator.gates.rows import GateLimits
from migrator.gates.soak import SoakState, soak
from migrator.model.samples import Sample
from tests.unit.gates.stories import GATES, INTERVAL, SWITCH, WINDOW, gates_of, sample, tell


def clock(
    samples: Sequence[Sample],
    *,
    gates: Sequence[str] = ("settled",),
    required: timedelta = timedelta(minutes=20),
    limits: Mapping[str, GateLimits] | None = None,
    occasional: Sequence[str] = (),
    limits_since: datetime | None = None,
) -> SoakState:
    return soak(
        samples,
        gates=gates,
        since=SWITCH,
        interval_seconds=INTERVAL.total_seconds(),
        required_seconds=required.total_seconds(),
        limits=limits,
        occasional=occasional,
        limits_since=limits_since,
    )


STORIES = [
    # story                        minutes  verdict     what it shows
    ("", 0, "soaking", "no samples never pass"),
    ("P", 0, "soaking", "one sample is a moment, not a time"),
    ("P P", 5, "soaking", "the time between two passing samples counts"),
    ("P P P P", 15, "soaking", "not there yet"),
    ("P P P P P", 20, "soaked", "five samples, four times five minutes"),
    ("P P P P P P P", 30, "soaked", "healthy time goes on after the end"),
    # failures take everything
    ("P P P P F", 0, "soaking", "a failed sample sets the clock to zero"),
    ("P P F P P P", 10, "soaking", "the time starts at the first passing sample after it"),
    ("P P P P P F", 0, "soaking", "also when the soak was over and nobody had acted on it"),
    ("F P P P P P", 20, "soaked", "a bad beginning is forgiven"),
    ("P F P F P F P", 0, "soaking", "no two passing samples in a row, no time"),
    # rows of failures
    ("F F", 0, "soaking", "two failures are not three"),
    ("F F F", 0, "failed", "three in a row fail the gate"),
    ("P P P F F F", 0, "failed", "however well it began"),
    ("F F P F F P", 0, "soaking", "a passing sample ends the row"),
    ("F I F E F", 0, "failed", "what could not be told does not end the row"),
    ("F _ F _12h F", 0, "failed", "nor does a gap"),
    ("F F F P P P P P P", 25, "failed", "a gate that failed stays failed until somebody retries"),
    # what cannot be told stands still
    ("P P I", 5, "soaking", "an inconclusive sample takes nothing away"),
    ("P P I P P", 10, "soaking", "and adds nothing: no time before it, none after it"),
    ("P P E P P", 10, "soaking", "an error neither"),
    ("P I P I P I P", 0, "soaking", "every other sample inconclusive: never an end"),
    ("P P P I I I I I I P P P", 20, "soaked", "without limits it may stand still for ever"),
    ("I I I I I I I I", 0, "soaking", "and never pass"),
    ("E E E E E E E E", 0, "soaking", "a source that never answers never passes"),
    # gaps
    ("P P _ P", 15, "soaking", "one missed round is within two intervals"),
    ("P P _ _ P", 5, "soaking", "two missed rounds are a gap, and a gap adds nothing"),
    ("P P _24h P P", 10, "soaking", "down for a day: the day adds nothing and takes nothing"),
    ("P P P _24h P P P", 20, "soaked", "healthy time before and after a gap is summed"),
    ("P _ P _ P", 20, "soaked", "every other round missed is still seen"),
    # several gates: a round passes when all of them passed
    ("PP PP PP PP PP", 20, "soaked", "both well"),
    ("PP PP PF PP PP", 5, "soaking", "one failure is a failed round"),
    ("PP PP PI PP PP", 10, "soaking", "one inconclusive is a round that stands still"),
    ("PP PP P. PP PP", 10, "soaking", "a gate without a sample is not a passing gate"),
    ("P. P. P. P. P. P.", 0, "soaking", "a gate that was never sampled never passes"),
    ("PF FP PF FP", 0, "soaking", "failures of different gates are different rows"),
    ("PF PF PF", 0, "failed", "one gate fails for all"),
    ("IF EF IF", 0, "failed", "whatever the others say"),
    (".F .F .F", 0, "failed", "or do not say"),
    ("SP SP SP SP SP", 20, "soaked", "silence that the plan lets pass, passes"),
    ("PPP PPP PPP PPP PPP", 20, "soaked", "three gates"),
]


@pytest.mark.parametrize(("story", "minutes", "verdict", "shows"), STORIES, ids=[one[3] for one in STORIES])
def test_story(story: str, minutes: int, verdict: str, shows: str) -> None:
    state = clock(tell(story), gates=gates_of(story))
    assert (state.healthy_seconds / 60, state.verdict) == (minutes, verdict)
    assert state.remaining_seconds / 60 == max(0, 20 - minutes)
    assert bool(state.waiting_for) == (verdict == "soaking")


LIMITS = [
    # story           limits                                verdict    what it shows
    ("F", GateLimits(failure_limit=1), "failed", "the first failure may be enough"),
    ("P F F F F P", GateLimits(failure_limit=5), "soaking", "or four not"),
    ("I I", GateLimits(inconclusive_limit=2), "soaking", "as many as the limit are allowed"),
    ("I I I", GateLimits(inconclusive_limit=2), "halt", "one more needs a person"),
    ("I I E I", GateLimits(inconclusive_limit=2), "halt", "an error does not end a row of inconclusive samples"),
    ("I I P I I", GateLimits(inconclusive_limit=2), "soaking", "a passing sample does"),
    ("I I F I I", GateLimits(inconclusive_limit=2), "soaking", "so does a failed one"),
    ("I", GateLimits(inconclusive_limit=0), "halt", "none allowed"),
    ("E E E", GateLimits(error_limit=2), "halt", "errors beyond their limit"),
    ("E E I E E", GateLimits(error_limit=2), "soaking", "any answer ends a row of errors"),
    ("E E _12h E", GateLimits(error_limit=2), "halt", "a gap does not"),
    ("F F F", GateLimits(on_failure="halt"), "halt", "a gate whose failure needs a person"),
    ("I I F F F", GateLimits(inconclusive_limit=1), "halt", "the limit reached first is the verdict"),
]


@pytest.mark.parametrize(("story", "limits", "verdict", "shows"), LIMITS, ids=[one[3] for one in LIMITS])
def test_limits(story: str, limits: GateLimits, verdict: str, shows: str) -> None:
    state = clock(tell(story), limits={"settled": limits})
    assert state.verdict == verdict
    assert (state.gate, bool(state.reason)) == (("settled", True) if verdict != "soaking" else (None, False))


MIN_SAMPLES = [
    ("S S S S S S", 1, "soaking", "silence is not a real sample"),
    ("S S S S S P", 1, "soaked", "one real sample is enough for one"),
    ("P S S S S S", 2, "soaking", "and not for two"),
    ("P P P P P", 5, "soaked", "five"),
    ("P P P P P", 6, "soaking", "the time is over and the samples are too few"),
    ("P P F S S S S S S", 2, "soaking", "samples from before a failure do not count"),
    ("S S S S S S", 0, "soaked", "a plan may ask for none"),
]


@pytest.mark.parametrize(("story", "wanted", "verdict", "shows"), MIN_SAMPLES, ids=[one[3] for one in MIN_SAMPLES])
def test_min_samples(story: str, wanted: int, verdict: str, shows: str) -> None:
    assert clock(tell(story), limits={"settled": GateLimits(min_samples=wanted)}).verdict == verdict


def test_every_sequence_of_six_rounds_keeps_the_rules() -> None:
    """All 4^6 sequences of P F I E against the rules written the other way round: as a search over the string."""
    for letters in itertools.product("PFIE", repeat=6):
        told = "".join(letters)
        healthy = told[told.rfind("F") + 1 :]
        pairs = sum(one + two == "PP" for one, two in itertools.pairwise(healthy))
        failed = any("FFF" in "".join(one for one in run if one == "F") for run in told.split("P"))
        state = clock(tell(" ".join(letters)), required=timedelta(minutes=15))
        assert state.healthy_seconds == pairs * 300, told
        assert state.verdict == ("failed" if failed else "soaked" if pairs >= 3 else "soaking"), told


def test_a_soak_of_96_hours_with_three_restarts_of_the_engine() -> None:
    """Restarts within two intervals cost nothing; the 96 hours end with the 1,153rd sample and not with the one before."""
    story = "P*300 _ P*299 _ P*200 _ P*"
    rest = 1153 - 3 - 300 - 299 - 200
    required = timedelta(hours=96)
    assert clock(tell(f"{story}{rest - 1}"), required=required).remaining_seconds == 300
    done = clock(tell(f"{story}{rest}"), required=required)
    assert (done.verdict, done.healthy_seconds) == ("soaked", 96 * 3600)


def test_one_bad_sample_at_hour_95_starts_the_96_hours_again() -> None:
    required = timedelta(hours=96)
    state = clock(tell("P*1140 F P*13"), required=required)
    assert (state.verdict, state.healthy_seconds, state.restarts) == ("soaking", 3600, 1)
    assert clock(tell("P*1140 F P*1152"), required=required).verdict == "soaking"
    assert clock(tell("P*1140 F P*1153"), required=required).verdict == "soaked"


def test_a_process_that_is_down_for_a_day_adds_nothing() -> None:
    state = clock(tell("P*577 _24h P*577"), required=timedelta(hours=96))
    assert (state.verdict, state.healthy_seconds) == ("soaked", 96 * 3600)
    assert clock(tell("P*577 _24h P*576"), required=timedelta(hours=96)).remaining_seconds == 300


def test_windows_that_begin_before_the_switch_are_as_good_as_not_taken() -> None:
    """The samples are taken after the switch, but look back over it: neither their passing nor their failing counts."""
    early = SWITCH + WINDOW - INTERVAL
    assert clock(tell("P P P", start=early)).healthy_seconds == 300
    assert clock(tell("F P P", start=early)).healthy_seconds == 300
    assert clock(tell("F F F", start=SWITCH - timedelta(days=1))).verdict == "soaking"


def test_a_round_whose_longest_window_still_looks_back_over_the_switch_does_not_pass() -> None:
    told = [
        replace(one, begin=one.begin - timedelta(minutes=20)) if one.gate == GATES[1] else one
        for one in tell("PP PP PP PP PP PP PP")
    ]
    assert clock(told, gates=GATES[:2]).healthy_seconds == 600


def test_gates_that_look_at_different_windows_count_up_to_the_earlier_end() -> None:
    told = [replace(one, end=one.end - WINDOW / 2) if one.gate == GATES[1] else one for one in tell("PP PP PP")]
    assert clock(told, gates=GATES[:2]).healthy_seconds == 600


def test_the_same_window_looked_at_twice_counts_once() -> None:
    """Sampling again after a restart, or on a clock that was set back, adds no evaluated time."""
    first, second = tell("P P")
    again = replace(second, at=second.at + timedelta(minutes=1))
    assert clock([first, second, again]).healthy_seconds == 300
    earlier = replace(second, at=second.at + timedelta(minutes=2), begin=first.begin, end=first.end)
    third = replace(second, at=second.at + INTERVAL, end=second.end + INTERVAL)
    assert clock([first, second, earlier, third]).healthy_seconds == 600


def test_the_order_of_recording_counts_not_that_of_the_times() -> None:
    """A clock that was set back makes a failure look older than the passing samples before it: it resets them all the same."""
    told = tell("P P P P")
    late = told[-1].at - 2 * INTERVAL
    failed = replace(sample("settled", "F", late + timedelta(seconds=1)))
    assert clock([*told, failed]).healthy_seconds == 0


class TestClocks:
    """Times of two machines are never subtracted from each other, and those of one are held against its steady seconds."""

    def timed(self, *rounds: tuple[str, float, float]) -> SoakState:
        """Rounds as (whose clock, its minutes after the switch, its steady seconds)."""
        made = [
            replace(sample("settled", "P", SWITCH + WINDOW + timedelta(minutes=minutes)), clock=clock, tick=tick)
            for clock, minutes, tick in rounds
        ]
        return clock(made)

    def test_one_machine_s_rounds_add_up_across_processes(self) -> None:
        assert self.timed(("a", 0, 100), ("a", 5, 400), ("a", 10, 700)).healthy_seconds == 600

    def test_the_step_to_another_machine_adds_nothing(self) -> None:
        """Its clock may be nine minutes ahead: a minute would look like ten."""
        state = self.timed(("a", 0, 100), ("a", 5, 400), ("b", 14, 70), ("b", 19, 370))
        assert state.healthy_seconds == 600
        assert "timed by one machine" in self.timed(("a", 0, 100), ("b", 5, 7)).waiting_for[-1]

    def test_machines_that_take_turns_add_nothing(self) -> None:
        turns = [("ab"[index % 2], 5.0 * index, 300.0 * index) for index in range(20)]
        assert self.timed(*turns).healthy_seconds == 0

    def test_a_clock_that_is_set_forward_adds_only_what_passed(self) -> None:
        assert self.timed(("a", 0, 100), ("a", 9, 160)).healthy_seconds == 60

    def test_a_clock_that_is_set_back_adds_nothing_until_it_has_caught_up(self) -> None:
        state = self.timed(("a", 0, 0), ("a", 5, 300), ("a", 2, 420), ("a", 7, 720), ("a", 12, 1020))
        assert state.healthy_seconds == 300 + 120 + 300

    def test_a_clock_that_was_set_back_is_said(self) -> None:
        state = self.timed(("a", 60, 100), ("a", 65, 105), ("a", 10, 110))
        assert "windows that were not counted yet (this machine's clock went back by 55 min)" in state.waiting_for
        behind = self.timed(("a", -90, 100))
        assert behind.waiting_for[0].startswith(
            "a clock that has passed the switch (this machine's is 1 h 20 min behind it"
        )

    def test_a_round_too_far_from_the_last_is_said(self) -> None:
        state = self.timed(("a", 0, 0), ("a", 11, 660))
        assert state.healthy_seconds == 0
        assert state.waiting_for[1] == "rounds at most 600 s apart (the last two were 660.0 s apart)"


def test_a_soak_of_no_time_still_wants_one_healthy_round() -> None:
    nothing = timedelta()
    assert clock([], required=nothing).verdict == "soaking"
    assert clock(tell("I"), required=nothing).verdict == "soaking"
    assert clock(tell("P"), required=nothing).verdict == "soaked"


def test_after_a_retry_rows_start_anew_and_the_clock_does_not() -> None:
    told = tell("P P F F F P P")
    assert clock(told).verdict == "failed"
    state = clock(told, limits_since=told[5].at)
    assert (state.verdict, state.healthy_seconds) == ("soaking", 300)
    doubtful = tell("P P P I I P P")
    limits = {"settled": GateLimits(inconclusive_limit=1)}
    assert clock(doubtful, limits=limits).verdict == "halt"
    assert clock(doubtful, limits=limits, limits_since=doubtful[5].at).healthy_seconds == 900


class TestOccasionalGates:
    """A scan for stragglers may take hours and has a rhythm of its own."""

    def look(self, samples: list[Sample], minute: int, letter: str) -> list[Sample]:
        return [*samples, sample("no-stragglers", letter, SWITCH + WINDOW + timedelta(minutes=minute))]

    def state(self, samples: list[Sample]) -> SoakState:
        in_order = sorted(samples, key=lambda one: one.at)
        return clock(in_order, gates=("settled", "alive"), occasional=("no-stragglers",))

    def test_its_absence_does_not_stop_the_clock_but_a_last_look_is_wanted(self) -> None:
        samples = tell("P P P P P")
        samples += [replace(one, gate="alive") for one in samples]
        state = self.state(self.look(samples, 3, "P"))
        assert (state.verdict, state.remaining_seconds) == ("soaking", 0)
        assert state.waiting_for == ("a last look of gate no-stragglers",)
        assert self.state(self.look(samples, 22, "P")).verdict == "soaked"
        assert self.state(self.look(samples, 22, "I")).verdict == "soaking"

    def test_its_failure_sets_the_clock_to_zero_between_two_rounds(self) -> None:
        samples = tell("P P P P")
        samples += [replace(one, gate="alive") for one in samples]
        assert self.state(self.look(samples, 7, "F")).healthy_seconds == 300
        assert self.state(self.look(samples, 17, "F")).healthy_seconds == 0

    def test_a_failure_after_the_last_look_wants_another(self) -> None:
        samples = tell("P P P P P P P P P P P")
        samples += [replace(one, gate="alive") for one in samples]
        looked = self.look(self.look(samples, 22, "P"), 24, "F")
        state = self.state(looked)
        assert (state.verdict, state.healthy_seconds) == ("soaking", 1500)
        assert self.state(self.look(looked, 52, "P")).verdict == "soaked"


def test_what_a_soak_waits_for_is_said() -> None:
    assert clock([]).waiting_for == ("a first healthy round of samples",)
    limits = {"settled": GateLimits(min_samples=4)}
    state = clock(tell("P P"), limits=limits)
    assert state.waiting_for == ("healthy time", "samples with a value of gate settled (2 of 4)")
    assert state.until == SWITCH + WINDOW + INTERVAL + timedelta(minutes=15)


def test_what_went_wrong_is_said() -> None:
    state = clock(tell("F F F"))
    assert state.reason == "gate settled failed 3 times in a row: because of F"
    assert state.consecutive_failures == {"settled": 3}
